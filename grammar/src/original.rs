//! What a tree forgets about its text.
//!
//! Owns the way back from spans to tokens: how a literal was spelled, and
//! where the keywords and parentheses stand that have no node. It must not
//! know how anything is laid out.

use crate::span::Span;
use crate::token::{Keyword, Lexeme, Token};

/// A source and its tokens.
#[derive(Debug)]
pub(crate) struct Original<'t> {
    text: &'t str,
    tokens: Vec<Lexeme<'t>>,
}

impl<'t> Original<'t> {
    pub(crate) const fn new(text: &'t str, tokens: Vec<Lexeme<'t>>) -> Self {
        Self { text, tokens }
    }

    /// Where the text ends.
    pub(crate) fn end(&self) -> u32 {
        u32::try_from(self.text.len()).unwrap_or(u32::MAX)
    }

    /// The text at `span`.
    pub(crate) fn slice(&self, span: Span) -> &'t str {
        usize::try_from(span.start)
            .ok()
            .zip(usize::try_from(span.end).ok())
            .and_then(|(start, end)| self.text.get(start..end))
            .unwrap_or("")
    }

    /// The string in `span`, quotes included, as it was spelled.
    pub(crate) fn string(&self, span: Span) -> Option<&'t str> {
        let from = self.tokens.partition_point(|t| t.span.start < span.start);
        self.tokens
            .iter()
            .skip(from)
            .take_while(|t| t.span.end <= span.end)
            .find(|t| matches!(t.token, Token::Str { .. }))
            .map(|t| self.slice(t.span))
    }

    /// The tokens before `at`, last first.
    fn before(&self, at: u32) -> impl Iterator<Item = &Lexeme<'t>> {
        let count = self.tokens.partition_point(|t| t.span.start < at);
        self.tokens.iter().take(count).rev()
    }

    /// Where the parenthesis around a condition opens that begins at `at`.
    pub(crate) fn open_paren(&self, at: u32) -> u32 {
        self.before(at)
            .next()
            .filter(|t| t.token == Token::LParen)
            .map_or(at, |t| t.span.start)
    }

    /// Where the parenthesis around a condition closes that ends at `at`.
    pub(crate) fn close_paren(&self, at: u32) -> u32 {
        let next = self.tokens.partition_point(|t| t.span.start < at);
        self.tokens
            .get(next)
            .filter(|t| t.token == Token::RParen)
            .map_or(at, |t| t.span.start)
    }

    /// Where the keyword stands whose condition begins at `at`.
    pub(crate) fn keyword_before(&self, at: u32) -> u32 {
        self.before(at)
            .find(|t| t.token != Token::LParen)
            .map_or(at, |t| t.span.start)
    }

    /// Where the text ends that stands before a break, if what follows the
    /// break is at `at`: what a break may be on either side of does not count.
    pub(crate) fn end_before(&self, at: u32) -> u32 {
        self.before(at)
            .find(|t| {
                !matches!(
                    t.token,
                    Token::Comma
                        | Token::LParen
                        | Token::RParen
                        | Token::LBrace
                        | Token::Kw(Keyword::And | Keyword::Or)
                )
            })
            .map_or(0, |t| t.span.end)
    }

    /// Whether an empty line stands directly before `at`.
    pub(crate) fn blank_before(&self, at: u32) -> bool {
        let before = usize::try_from(at)
            .ok()
            .and_then(|at| self.text.get(..at))
            .unwrap_or("");
        before
            .bytes()
            .rev()
            .take_while(u8::is_ascii_whitespace)
            .filter(|&b| b == b'\n')
            .nth(1)
            .is_some()
    }
}
