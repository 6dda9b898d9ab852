//! What the grammar's actions call to make nodes.
//!
//! Owns the normal form of conditions: no `or` directly inside an `or`, no
//! `and` directly inside an `and`. It must not know how tokens are found.

use lalrpop_util::ParseError;

use crate::ast::{Expected, Expr, ExprKind, Inherit, LiteralKind, Name, StatementKind, TestStep};
use crate::error::{SyntaxCode, SyntaxError, shorten};
use crate::span::{FileId, Span, Spanned};
use crate::spelling;

/// What one segment of a file parses to.
#[derive(Debug)]
pub(crate) enum Segment {
    /// A statement without a body.
    Statement(Spanned<Box<StatementKind>>),
    /// `scope … {`
    Scope(Box<ScopeHead>),
    /// `test "…" {`
    Test(Spanned<Vec<u8>>),
    /// A line of a test.
    Step(Box<TestStep>),
}

/// A scope up to its `{`.
#[derive(Debug)]
pub(crate) struct ScopeHead {
    pub(crate) name: Name,
    pub(crate) when: Expr,
    pub(crate) inherit: Option<Inherit>,
}

/// The span `start..end`.
pub(crate) const fn span(file: FileId, start: u32, end: u32) -> Span {
    Span::new(file, start, end)
}

/// A node at `start..end`.
pub(crate) const fn spanned<T>(file: FileId, start: u32, node: T, end: u32) -> Spanned<T> {
    Spanned::new(node, span(file, start, end))
}

/// `first` and then `rest`.
pub(crate) fn list<T>(first: T, mut rest: Vec<T>) -> Vec<T> {
    rest.insert(0, first);
    rest
}

/// `first or rest or …`, flat.
pub(crate) fn or(file: FileId, start: u32, first: Expr, rest: Vec<Expr>, end: u32) -> Expr {
    if rest.is_empty() {
        return first;
    }
    let mut operands = Vec::with_capacity(rest.len().saturating_add(1));
    for operand in core::iter::once(first).chain(rest) {
        match operand.node {
            ExprKind::Or(inner) => operands.extend(inner),
            _ => operands.push(operand),
        }
    }
    spanned(file, start, ExprKind::Or(operands), end)
}

/// `first and rest and …`, flat.
pub(crate) fn and(file: FileId, start: u32, first: Expr, rest: Vec<Expr>, end: u32) -> Expr {
    if rest.is_empty() {
        return first;
    }
    let mut operands = Vec::with_capacity(rest.len().saturating_add(1));
    for operand in core::iter::once(first).chain(rest) {
        match operand.node {
            ExprKind::And(inner) => operands.extend(inner),
            _ => operands.push(operand),
        }
    }
    spanned(file, start, ExprKind::And(operands), end)
}

/// The one verdict of `expect` that is no keyword.
pub(crate) fn quiet<T>(
    word: &str,
    span: Span,
) -> Result<Expected, ParseError<u32, T, Box<SyntaxError>>> {
    if word == "quiet" {
        return Ok(Expected::Quiet);
    }
    Err(ParseError::User {
        error: Box::new(not_a_verdict(word, span)),
    })
}

/// A word after `expect` that is no verdict.
pub(crate) fn not_a_verdict(word: &str, span: Span) -> SyntaxError {
    let error = SyntaxError::new(
        SyntaxCode::UnexpectedToken,
        span,
        format!("expected a verdict, found `{}`", shorten(word)),
        "not a verdict",
    );
    let verdicts = ["deny", "allow", "kill", "audit", "quiet"];
    match spelling::meant(word, &verdicts) {
        Some(verdict) => error.help(format!("did you mean `{verdict}`?")),
        None => error.help(
            "write the verdict first, then the hook: `expect deny file_open path = \"/x\"`; \
             verdicts are `deny`, `allow`, `kill`, `audit` and `quiet`",
        ),
    }
}

/// `user("…")` or `group("…")`.
pub(crate) fn lookup<T>(
    word: &str,
    span: Span,
    text: Vec<u8>,
) -> Result<LiteralKind, ParseError<u32, T, Box<SyntaxError>>> {
    match word {
        "user" => return Ok(LiteralKind::User(text)),
        "group" => return Ok(LiteralKind::Group(text)),
        _ => {}
    }
    let error = SyntaxError::new(
        SyntaxCode::UnknownLiteral,
        span,
        format!("there is no literal `{}(…)`", shorten(word)),
        "only `user(…)` and `group(…)` exist",
    );
    let error = match spelling::meant(word, &["user", "group"]) {
        Some(known) => error.help(format!("did you mean `{known}`?")),
        None => {
            error.help("write a string, a number, `true`, `false`, `user(\"…\")` or `group(\"…\")`")
        }
    };
    Err(ParseError::User {
        error: Box::new(error),
    })
}
