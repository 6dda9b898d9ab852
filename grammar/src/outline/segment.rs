//! One segment through the grammar.
//!
//! Owns the limit on nesting, and what is still known of a segment that does
//! not parse.

use lalrpop_util::ParseError;

use super::boundary::Cut;
use super::{MAX_NESTING, Outline};
use crate::build::Segment;
use crate::error::{SyntaxCode, SyntaxError};
use crate::explain;
use crate::policy::SegmentParser;
use crate::span::{FileId, Span};
use crate::token::{Keyword, Lexeme, Token};

impl<'t> Outline<'t, '_> {
    /// Parses the segment from `start` to the end of `cut`; shortens the cut
    /// if another statement, mistyped, begins in it.
    pub(super) fn segment(&mut self, start: usize, cut: &mut Cut) -> Option<Segment> {
        let tokens = self.tokens.get(start..cut.end).unwrap_or(&[]);
        if let Some(at) = too_deep(tokens) {
            let span = tokens.get(at).map_or_else(|| self.span(start), |t| t.span);
            self.errors.push(
                SyntaxError::new(
                    SyntaxCode::NestingTooDeep,
                    span,
                    format!("nested more than {MAX_NESTING} deep"),
                    "one too many",
                )
                .help("split the condition with `let`s"),
            );
            return self.salvage(tokens, at);
        }
        let error = match run(&self.parser, self.file, tokens.iter()) {
            Ok(segment) => return Some(segment),
            Err(error) => error,
        };
        let (at, expected) = match error {
            ParseError::User { error } => {
                let at = tokens
                    .iter()
                    .position(|t| t.span.start >= error.span.start)
                    .unwrap_or(tokens.len());
                if !self.tainted(start, cut.end) {
                    self.errors.push(*error);
                }
                return self.salvage(tokens, at);
            }
            ParseError::UnrecognizedToken { token, expected } => {
                (tokens.partition_point(|t| t.span.start < token.0), expected)
            }
            ParseError::ExtraToken { token } => (
                tokens.partition_point(|t| t.span.start < token.0),
                Vec::new(),
            ),
            ParseError::UnrecognizedEof { expected, .. } => (tokens.len(), expected),
            ParseError::InvalidToken { .. } => (tokens.len(), Vec::new()),
        };
        // A mistyped keyword at the start of a line begins a statement of its
        // own, if the one before is complete without it.
        if let Some(found) = tokens.get(at)
            && found.first_on_line
            && explain::meant_statement(&found.token).is_some()
            && let Some(before) = tokens.get(..at)
            && let Ok(segment) = run(&self.parser, self.file, before.iter())
        {
            *cut = Cut {
                end: start + at,
                braces: 0,
                body: false,
            };
            return Some(segment);
        }
        if !self.tainted(start, cut.end) {
            let error = explain::explain(&self.site(start, cut.end), at, &expected);
            self.errors.push(error);
        }
        self.salvage(tokens, at)
    }

    /// The segment again with the condition around the error replaced by a
    /// stand-in, so that names, hooks and bodies are known all the same.
    fn salvage(&self, tokens: &[Lexeme<'t>], at: usize) -> Option<Segment> {
        let before = tokens.get(..at.min(tokens.len()))?;
        let clause = before.iter().rposition(|t| {
            matches!(
                t.token,
                Token::Kw(Keyword::When | Keyword::Unless | Keyword::Until)
            )
        });
        let clause = match (clause, tokens.first().map(|t| &t.token)) {
            (None, Some(Token::Kw(Keyword::Let))) => {
                before.iter().position(|t| t.token == Token::Eq)?
            }
            (clause, _) => clause?,
        };
        let kept = tokens.get(..=clause)?;
        let rest = tokens.get(clause + 1..)?;
        let span = match (rest.first(), rest.last(), kept.last()) {
            (Some(first), Some(last), _) => first.span.to(last.span),
            (_, _, Some(last)) => Span::new(self.file, last.span.end, last.span.end),
            _ => return None,
        };
        // What follows the condition: `unless`, `inherit`, a body's `{`.
        let resume = rest.iter().enumerate().skip(at.saturating_sub(clause + 1));
        let mut tails: Vec<usize> = Vec::new();
        if let Some((index, _)) = resume
            .clone()
            .find(|(_, t)| matches!(t.token, Token::Kw(Keyword::Unless | Keyword::Inherit)))
        {
            tails.push(index);
        }
        if rest.last().is_some_and(|t| t.token == Token::LBrace) {
            tails.push(rest.len() - 1);
        }
        tails.push(rest.len());
        for tail in tails {
            let after = rest.get(tail..).unwrap_or(&[]);
            let end = after.first().map_or(span.end, |t| t.span.start);
            let broken = Lexeme {
                token: Token::Broken,
                span: Span::new(self.file, span.start.min(end), span.end.min(end)),
                first_on_line: false,
            };
            let attempt = kept
                .iter()
                .chain(core::iter::once(&broken))
                .chain(after.iter());
            if let Ok(segment) = run(&self.parser, self.file, attempt) {
                return Some(segment);
            }
        }
        None
    }
}

type Failure<'t> = ParseError<u32, Token<'t>, Box<SyntaxError>>;

fn run<'t: 'a, 'a>(
    parser: &SegmentParser,
    file: FileId,
    tokens: impl Iterator<Item = &'a Lexeme<'t>>,
) -> Result<Segment, Failure<'t>> {
    parser.parse(
        file,
        tokens.map(|t| Ok((t.span.start, t.token.clone(), t.span.end))),
    )
}

/// The first token that nests too deep.
fn too_deep(tokens: &[Lexeme<'_>]) -> Option<usize> {
    // `not`s since the last `and`, `or` or `,`, for every open level.
    let mut outer: Vec<usize> = Vec::new();
    let mut nots = 0_usize;
    let mut depth = 0_usize;
    for (at, lexeme) in tokens.iter().enumerate() {
        match lexeme.token {
            Token::LParen | Token::LBracket => {
                outer.push(nots);
                nots = 0;
                depth += 1;
            }
            Token::RParen | Token::RBracket => {
                if let Some(before) = outer.pop() {
                    depth -= nots + 1;
                    nots = before;
                }
            }
            Token::Kw(Keyword::Not) => {
                nots += 1;
                depth += 1;
            }
            Token::Kw(Keyword::And | Keyword::Or) | Token::Comma => {
                depth -= nots;
                nots = 0;
            }
            _ => {}
        }
        if depth > MAX_NESTING {
            return Some(at);
        }
    }
    None
}
