//! Comments and line breaks at random token boundaries: nothing of it may be
//! lost when the source is formatted.

use std::env;

use lsmpc_syntax::ast::{Expr, ExprKind};
use lsmpc_syntax::{FileId, Parsed};
use lsmpc_syntax::{format, parse, print, print_expr, strip_spans};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::trees::{expr, file};

/// `LSMPC_FORMAT_CASES` (default 256) policies; `LSMPC_FORMAT_SEED` for others.
fn runner() -> TestRunner {
    let number = |variable| env::var(variable).ok().and_then(|v| v.trim().parse().ok());
    TestRunner::new(Config {
        cases: number("LSMPC_FORMAT_CASES").unwrap_or(256),
        rng_seed: RngSeed::Fixed(number("LSMPC_FORMAT_SEED").unwrap_or(1).into()),
        failure_persistence: None,
        ..Config::default()
    })
}

/// The comments' texts, without white space at their ends.
fn comments<'t>(text: &'t str, parsed: &Parsed) -> Vec<&'t str> {
    parsed
        .comments
        .iter()
        .map(|c| text[c.span.start as usize..c.span.end as usize].trim_end_matches([' ', '\t']))
        .collect()
}

/// What must hold of every text without errors. Gives what it formats to.
#[track_caller]
pub(crate) fn check(text: &str) -> String {
    let formatted = format(text).unwrap_or_else(|errors| panic!("{text}\n{errors:#?}"));
    let before = parse(FileId(0), text);
    let after = parse(FileId(0), &formatted);
    assert_eq!(after.errors, [], "{text}\n----\n{formatted}");
    assert_eq!(
        comments(&formatted, &after),
        comments(text, &before),
        "{text}\n----\n{formatted}"
    );
    assert_eq!(
        strip_spans(after.file),
        strip_spans(before.file),
        "{text}\n----\n{formatted}"
    );
    assert_eq!(
        format(&formatted).as_deref(),
        Ok(formatted.as_str()),
        "{text}"
    );
    for line in formatted.lines() {
        assert!(!line.ends_with([' ', '\t', '\r']), "{text}\n----\n{line:?}");
    }
    assert!(!formatted.contains("\n\n\n"), "{text}\n----\n{formatted}");
    assert!(!formatted.contains('\r'), "{text}\n----\n{formatted}");
    assert!(!formatted.starts_with('\n'), "{text}");
    assert!(
        formatted.is_empty() || formatted.ends_with('\n') && !formatted.ends_with("\n\n"),
        "{text}"
    );
    formatted
}

/// The tokens of what the printer wrote.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = if first == '"' || rest.starts_with("r\"") {
            let body = rest.find('"').unwrap() + 1;
            let mut escaped = false;
            let close = rest[body..].find(|c| {
                let closes = c == '"' && !escaped;
                escaped = c == '\\' && !escaped && first == '"';
                closes
            });
            body + close.unwrap() + 1
        } else if first.is_ascii_digit() {
            rest.find(|c| !word(c)).unwrap_or(rest.len())
        } else if word(first) {
            rest.find(|c| !word(c) && c != '.').unwrap_or(rest.len())
        } else if ["..", "==", "!=", "<=", ">="]
            .iter()
            .any(|op| rest.starts_with(op))
        {
            2
        } else {
            1
        };
        let (token, others) = rest.split_at(length);
        tokens.push(token);
        rest = others.trim_start();
    }
    tokens
}

/// What may stand between two tokens.
#[derive(Debug, Clone)]
struct Gaps {
    seed: u64,
    /// Of 100 gaps so many have a comment.
    share: u64,
}

impl Gaps {
    fn next(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % below
    }

    fn push(&mut self, out: &mut String, comment: &mut u32) {
        if self.next(100) >= self.share {
            out.push_str(match self.next(8) {
                0 => "\n",
                1 => "\n\n\n",
                2 => "\r\n",
                3 => "\t",
                _ => " ",
            });
            return;
        }
        for _ in 0..=self.next(3) {
            out.push_str(match self.next(5) {
                0 => "\n",
                1 => "\n\n  ",
                2 => "\r\n\r\n\r\n",
                3 => "",
                _ => "  ",
            });
            *comment += 1;
            out.push_str(&format!("# {comment}"));
            out.push_str(match self.next(4) {
                0 => " \t\n",
                1 => "\r\n",
                2 => " \"{[( # deny\n",
                _ => "\n",
            });
        }
    }

    fn scatter(mut self, text: &str) -> String {
        let mut out = String::new();
        let mut comment = 0;
        let mut previous = "";
        self.push(&mut out, &mut comment);
        for token in tokens(text) {
            // Commas that may be there, and symbols for words.
            if token == "]" && !matches!(previous, "[" | ",") && self.next(2) == 0 {
                out.push(',');
                self.push(&mut out, &mut comment);
            }
            out.push_str(match token {
                "and" if self.next(4) == 0 => "&&",
                "or" if self.next(4) == 0 => "||",
                "not" if previous != "in" && self.next(4) == 0 => "!",
                _ => token,
            });
            self.push(&mut out, &mut comment);
            previous = token;
        }
        out
    }
}

fn gaps() -> impl Strategy<Value = Gaps> {
    (1..u64::MAX, prop_oneof![Just(0_u64), 1..8_u64, 1..60_u64])
        .prop_map(|(seed, share)| Gaps { seed, share })
}

/// A condition with more parentheses than it needs.
fn wrapped(expr: &Expr) -> String {
    let chain = |operands: &[Expr], word: &str| {
        let operands: Vec<_> = operands.iter().map(wrapped).collect();
        format!("({})", operands.join(word))
    };
    match &expr.node {
        ExprKind::Or(operands) => chain(operands, " or "),
        ExprKind::And(operands) => chain(operands, " and "),
        ExprKind::Not(inner) => format!("not ({})", wrapped(inner)),
        _ => format!("(({}))", print_expr(expr)),
    }
}

#[test]
fn comments_anywhere() {
    runner()
        .run(&(file(), gaps()), |(file, gaps)| {
            let printed = print(&file);
            // Without comments, the printer's layout.
            assert_eq!(check(&printed), printed);
            check(&gaps.scatter(&printed));
            Ok(())
        })
        .unwrap();
}

#[test]
fn comments_around_parentheses() {
    runner()
        .run(&(expr(), expr(), gaps()), |(when, unless, gaps)| {
            let (when, unless) = (wrapped(&when), wrapped(&unless));
            check(&gaps.scatter(&format!("deny bpf when {when} unless {unless}")));
            Ok(())
        })
        .unwrap();
}
