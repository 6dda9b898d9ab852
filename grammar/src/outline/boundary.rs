//! Where statements begin and end.
//!
//! Owns the pairing of braces, and which keywords begin a statement where
//! they stand.

use super::Outline;
use crate::token::{Keyword, Lexeme, Token};

/// A stretch of tokens that is parsed as a whole.
pub(super) struct Cut {
    /// One past its last token.
    pub(super) end: usize,
    /// `{` in it that something later closes.
    pub(super) braces: usize,
    /// Whether it ends with the `{` of a body.
    pub(super) body: bool,
}

/// The braces of a file: `(opening, closing)` in order of the opening ones,
/// and the opening ones that nothing closes.
pub(super) fn braces(tokens: &[Lexeme<'_>]) -> (Vec<(usize, usize)>, Vec<usize>) {
    let mut open = Vec::new();
    let mut pairs = Vec::new();
    for (at, lexeme) in tokens.iter().enumerate() {
        match lexeme.token {
            Token::LBrace => open.push(at),
            Token::RBrace => {
                if let Some(opening) = open.pop() {
                    pairs.push((opening, at));
                }
            }
            _ => {}
        }
    }
    pairs.sort_unstable();
    (pairs, open)
}

impl Outline<'_, '_> {
    pub(super) fn closing(&self, opening: usize) -> Option<usize> {
        let at = self
            .pairs
            .binary_search_by_key(&opening, |&(open, _)| open)
            .ok()?;
        self.pairs.get(at).map(|&(_, close)| close)
    }

    pub(super) fn is_unclosed(&self, opening: usize) -> bool {
        self.unclosed.binary_search(&opening).is_ok()
    }

    /// Whether a statement, or a line of a test, begins at `at`.
    fn is_boundary(&self, at: usize) -> bool {
        let Some(lexeme) = self.tokens.get(at) else {
            return false;
        };
        let keyword = match lexeme.token {
            Token::At => return true,
            Token::Kw(keyword) if keyword.begins_statement() => keyword,
            _ => return false,
        };
        let Some(previous) = at.checked_sub(1).and_then(|p| self.token(p)) else {
            return true;
        };
        if keyword.is_effect()
            && let Token::Kw(
                Keyword::Default | Keyword::OnError | Keyword::Assert | Keyword::Expect,
            ) = previous
        {
            return false;
        }
        // `given a = 1, expect …`: a comma too much.
        if matches!(keyword, Keyword::Given | Keyword::Expect)
            && matches!(
                previous,
                Token::Comma | Token::Kw(Keyword::Given | Keyword::Expect)
            )
        {
            return true;
        }
        // `let test = …`: a keyword where a name should be.
        lexeme.first_on_line || !previous.wants_operand()
    }

    /// The first boundary at or after `from`, else the end of the tokens.
    pub(super) fn next_boundary(&mut self, from: usize) -> usize {
        if self.boundary < from {
            self.boundary = from;
        }
        while self.boundary < self.tokens.len() && !self.is_boundary(self.boundary) {
            self.boundary += 1;
        }
        self.boundary
    }

    /// Cuts from the statement's keyword at `head` to where it ends.
    pub(super) fn cut(&mut self, head: usize) -> Cut {
        let has_body = matches!(self.keyword(head), Some(Keyword::Scope | Keyword::Test));
        let limit = self.next_boundary(head + 1);
        let mut braces = 0;
        let mut at = head + 1;
        while at < limit {
            match self.token(at) {
                Some(Token::RBrace) => break,
                Some(Token::LBrace) => {
                    let for_set = at
                        .checked_sub(1)
                        .and_then(|p| self.token(p))
                        .is_some_and(|p| {
                            p.is_compare()
                                || matches!(
                                    p,
                                    Token::Eq
                                        | Token::Comma
                                        | Token::LBracket
                                        | Token::Kw(Keyword::In | Keyword::Has | Keyword::Any)
                                )
                        });
                    if has_body && !for_set {
                        return Cut {
                            end: at + 1,
                            braces,
                            body: true,
                        };
                    }
                    match self.closing(at) {
                        Some(close) if close < limit => at = close,
                        Some(_) => braces += 1,
                        None => {}
                    }
                }
                _ => {}
            }
            at += 1;
        }
        Cut {
            end: at.min(limit),
            braces,
            body: false,
        }
    }

    /// The index of the keyword that the annotations at `start` precede; of
    /// whatever follows them if there is none.
    pub(super) fn annotations(&mut self, start: usize) -> usize {
        let mut at = start;
        while self.token(at) == Some(&Token::At) {
            let limit = self.next_boundary(at + 1);
            let mut next = at + 1;
            while next < limit && !matches!(self.token(next), Some(Token::RBrace | Token::LBrace)) {
                next += 1;
            }
            at = next;
            if next < limit {
                break;
            }
        }
        at
    }
}
