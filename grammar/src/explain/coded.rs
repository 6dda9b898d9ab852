//! Mistakes that have a code of their own.

use super::Failure;
use super::words::word;
use crate::build;
use crate::error::{SyntaxCode, SyntaxError, shorten};
use crate::token::{Keyword, Token};

impl Failure<'_, '_, '_> {
    /// `expect file_open …`: the hook was taken for a verdict.
    pub(super) fn verdict(&self) -> Option<SyntaxError> {
        let lexeme = self.lexeme(1)?;
        match (self.before(2)?, word(&lexeme.token)?) {
            (Token::Kw(Keyword::Expect), word) if word != "quiet" => {
                Some(build::not_a_verdict(word, lexeme.span))
            }
            _ => None,
        }
    }

    pub(super) fn unclosed(&self) -> Option<SyntaxError> {
        let opener = self.opener()?;
        let (open, close) = match opener.token {
            Token::LParen => ("(", ")"),
            _ => ("[", "]"),
        };
        let ends = match self.found_token() {
            None => true,
            Some(Token::Kw(keyword)) => {
                keyword.begins_statement()
                    || matches!(
                        keyword,
                        Keyword::When | Keyword::Unless | Keyword::Inherit | Keyword::Until
                    )
            }
            Some(Token::LBrace) => self.head() == Some(Keyword::Scope),
            Some(_) => false,
        };
        if !ends || !self.takes(close) {
            return None;
        }
        let mut error = SyntaxError::new(
            SyntaxCode::UnclosedDelimiter,
            opener.span,
            format!("`{open}` is never closed"),
            "opened here",
        )
        .help(format!("add the missing `{close}`"));
        if let Some(found) = self.found() {
            error = error.also(found.span, format!("`{close}` is missing before this"));
        }
        Some(error)
    }

    pub(super) fn equals(&self) -> Option<SyntaxError> {
        let found = self.found()?;
        if found.token == Token::Eq && self.takes("==") {
            return Some(
                SyntaxError::new(
                    SyntaxCode::EqualsConfused,
                    found.span,
                    "`=` does not compare",
                    "this binds a name",
                )
                .help("write `==`"),
            );
        }
        if found.token == Token::EqEq && self.takes("=") {
            return Some(
                SyntaxError::new(
                    SyntaxCode::EqualsConfused,
                    found.span,
                    "`==` does not bind",
                    "this compares",
                )
                .help("write `=`"),
            );
        }
        if found.token == Token::Eq && self.before(1) == Some(&Token::EqEq) {
            return Some(
                SyntaxError::new(
                    SyntaxCode::EqualsConfused,
                    found.span,
                    "`===` is not an operator",
                    "one `=` too many",
                )
                .help("write `==`"),
            );
        }
        None
    }

    pub(super) fn chained(&self) -> Option<SyntaxError> {
        let found = self.found()?;
        let again = found.token.is_compare()
            || matches!(found.token, Token::Kw(Keyword::In | Keyword::Has));
        if !again || !self.takes("and") {
            return None;
        }
        // Back over the operand, a set perhaps, to the operator before it.
        let mut at = self.at.checked_sub(1)?;
        if self.site.tokens.get(at)?.token == Token::RBracket {
            while self.site.tokens.get(at)?.token != Token::LBracket {
                at = at.checked_sub(1)?;
            }
        }
        let operator = self.site.tokens.get(at.checked_sub(1)?)?;
        let compares = operator.token.is_compare()
            || matches!(
                operator.token,
                Token::Kw(Keyword::In | Keyword::Has | Keyword::Any)
            );
        if !compares {
            return None;
        }
        Some(
            SyntaxError::new(
                SyntaxCode::ChainedComparison,
                found.span,
                "comparisons do not chain",
                "a second comparison of the same operand",
            )
            .help("write two comparisons joined with `and`: `a >= 1 and a < 5`")
            .also(operator.span, "the first comparison"),
        )
    }

    pub(super) fn dotted(&self) -> Option<SyntaxError> {
        let found = self.found()?;
        let Token::Dotted(name) = found.token else {
            return None;
        };
        if self.takes("DOTTED") || !self.takes("NAME") {
            return None;
        }
        let what = self.name_wanted();
        let error = SyntaxError::new(
            SyntaxCode::DottedName,
            found.span,
            format!("expected {what}, found the dotted name `{}`", shorten(name)),
            format!("{what} has no dot"),
        );
        Some(if self.takes("STRING") {
            error.help("only fields have dots, and a field is compared with a value, not with another field")
        } else if self.before(1) == Some(&Token::Kw(Keyword::Let)) {
            error.help("use `_` instead of the dot")
        } else if self.head().is_some_and(Keyword::is_effect) && !self.in_condition() {
            error
                .help("a field belongs in the condition: `deny file_open when parent.exe == \"…\"`")
        } else {
            error.help("only fields have dots")
        })
    }

    pub(super) fn keyword_as_name(&self) -> Option<SyntaxError> {
        let found = self.found()?;
        let keyword = found.token.keyword()?;
        if !self.takes("NAME") {
            return None;
        }
        // `deny when …` lacks a name; `let when = …` misuses a keyword.
        let next = self.site.tokens.get(self.at.saturating_add(1));
        let next = next.map(|l| &l.token);
        let followed = match self.before(1) {
            Some(Token::Kw(Keyword::Let)) => matches!(next, Some(Token::Eq | Token::EqEq)),
            Some(Token::Kw(Keyword::Scope)) => {
                matches!(next, Some(Token::Kw(Keyword::When) | Token::LBrace))
            }
            Some(Token::At) => next == Some(&Token::LParen),
            _ => next.is_some_and(|t| {
                t.is_compare() || matches!(t, Token::Eq | Token::Kw(Keyword::In | Keyword::Has))
            }),
        };
        let source = self.site.source(found);
        let spelled = source == keyword.as_str();
        let statement = keyword.begins_statement()
            && !matches!(self.before(1), Some(Token::Kw(k)) if k.is_effect());
        if !spelled || !(followed || statement) {
            return None;
        }
        let what = self.name_wanted();
        Some(
            SyntaxError::new(
                SyntaxCode::KeywordAsName,
                found.span,
                format!("expected {what}, found the keyword `{source}`"),
                "a keyword is no name",
            )
            .help(match self.before(1) {
                Some(Token::Kw(Keyword::Let | Keyword::Scope)) => {
                    format!("choose another name: `{source}_`")
                }
                _ => format!("`{source}` is a word of the language and names nothing"),
            }),
        )
    }
}
