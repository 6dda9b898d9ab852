//! Words for what the grammar refuses.
//!
//! Owns the messages of parse errors: from the tokens around the failure and
//! the terminals that the grammar would have taken, to a sentence about the
//! policy. It must not know how parsing goes on afterwards.

mod coded;
mod help;
mod wanted;
mod words;

pub(crate) use words::meant_statement;

use crate::error::{SyntaxCode, SyntaxError, shorten};
use crate::span::Span;
use crate::token::{Keyword, Lexeme, Token};

/// A stretch of tokens and what surrounds it.
pub(crate) struct Site<'t, 'a> {
    pub(crate) text: &'t str,
    /// The tokens of the statement.
    pub(crate) tokens: &'a [Lexeme<'t>],
    /// The first one after it.
    pub(crate) next: Option<&'a Lexeme<'t>>,
    pub(crate) end_of_text: Span,
}

/// Something that begins no statement.
pub(crate) fn no_statement(site: &Site<'_, '_>, in_test: bool) -> SyntaxError {
    let Some(first) = site.tokens.first() else {
        return SyntaxError::new(
            SyntaxCode::UnexpectedToken,
            site.end_of_text,
            "expected a statement",
            "expected a statement",
        )
        .help("write a rule, such as `audit bprm_check_security`");
    };
    let (what, begin) = if in_test {
        (
            "`given` or `expect`",
            "a test holds `given` and `expect` lines",
        )
    } else {
        (
            "a statement",
            "a statement begins with `deny`, `allow`, `audit`, `kill`, `default`, `on_error`, \
             `let`, `scope`, `exempt`, `include`, `assert`, `test` or an annotation",
        )
    };
    let error = SyntaxError::new(
        SyntaxCode::UnexpectedToken,
        first.span,
        format!("expected {what}, found {}", site.describe(first)),
        format!("expected {what}"),
    );
    if let Some(meant) = meant_statement(&first.token) {
        return error.help(format!("did you mean `{meant}`?"));
    }
    error.help(match first.token {
        Token::Kw(Keyword::When | Keyword::Unless) => {
            "a condition belongs to a rule: `deny file_open when …`".to_owned()
        }
        Token::Name("else") => "there is no `else`: write a rule of its own".to_owned(),
        Token::Kw(Keyword::With) => "an errno follows its `deny`: `deny with EACCES …`".to_owned(),
        Token::LBrace => "only `scope` and `test` have braces".to_owned(),
        Token::Name(_) | Token::Dotted(_)
            if site.tokens.get(1).is_some_and(|t| t.token == Token::Eq) =>
        {
            if in_test {
                "write `given` before the first binding".to_owned()
            } else {
                format!("write `let {} = …`", site.source(first))
            }
        }
        _ => begin.to_owned(),
    })
}

/// Annotations with nothing behind them.
pub(crate) fn lone_annotation(site: &Site<'_, '_>) -> SyntaxError {
    let span = match (site.tokens.first(), site.tokens.last()) {
        (Some(first), Some(last)) => first.span.to(last.span),
        _ => site.end_of_text,
    };
    SyntaxError::new(
        SyntaxCode::MisplacedAnnotation,
        span,
        "annotation without a rule",
        "belongs to no rule",
    )
    .help("annotations stand before a rule's `deny`, `kill`, `allow` or `audit`")
}

/// The grammar stopped at token `at` (the number of tokens: at the end),
/// where it would have taken `expected`.
pub(crate) fn explain(site: &Site<'_, '_>, at: usize, expected: &[String]) -> SyntaxError {
    let failure = Failure {
        site,
        at,
        expected: expected
            .iter()
            .map(|name| name.trim_matches('"'))
            .filter(|name| *name != "BROKEN")
            .collect(),
    };
    failure
        .verdict()
        .or_else(|| failure.unclosed())
        .or_else(|| failure.equals())
        .or_else(|| failure.chained())
        .or_else(|| failure.dotted())
        .or_else(|| failure.keyword_as_name())
        .unwrap_or_else(|| failure.unexpected())
}

impl Site<'_, '_> {
    fn source(&self, lexeme: &Lexeme<'_>) -> &str {
        let span = lexeme.span;
        usize::try_from(span.start)
            .ok()
            .zip(usize::try_from(span.end).ok())
            .and_then(|(start, end)| self.text.get(start..end))
            .unwrap_or("")
    }

    /// A token in people's words.
    fn describe(&self, lexeme: &Lexeme<'_>) -> String {
        match lexeme.token {
            Token::Str { .. } => "a string".to_owned(),
            Token::Int { .. } => format!("the number `{}`", shorten(self.source(lexeme))),
            _ => format!("`{}`", shorten(self.source(lexeme))),
        }
    }
}

struct Failure<'t, 'a, 's> {
    site: &'s Site<'t, 'a>,
    at: usize,
    expected: Vec<&'s str>,
}

impl<'t, 'a> Failure<'t, 'a, '_> {
    fn lexeme(&self, back: usize) -> Option<&'a Lexeme<'t>> {
        self.at
            .checked_sub(back)
            .and_then(|at| self.site.tokens.get(at))
    }

    fn found(&self) -> Option<&'a Lexeme<'t>> {
        self.lexeme(0)
    }

    fn found_token(&self) -> Option<&'a Token<'t>> {
        self.found().map(|l| &l.token)
    }

    /// The token `back` places before the one found.
    fn before(&self, back: usize) -> Option<&'a Token<'t>> {
        self.lexeme(back).map(|l| &l.token)
    }

    fn takes(&self, terminal: &str) -> bool {
        self.expected.contains(&terminal)
    }

    fn head(&self) -> Option<Keyword> {
        self.site
            .tokens
            .iter()
            .find_map(|l| l.token.keyword().filter(|k| k.begins_statement()))
    }

    /// Where the error is: at the token found, else behind the last one.
    fn span(&self) -> Span {
        match (self.found(), self.site.tokens.last()) {
            (Some(found), _) => found.span,
            (None, Some(last)) => Span::new(last.span.file, last.span.end, last.span.end),
            (None, None) => self.site.end_of_text,
        }
    }

    /// What was found, in people's words.
    fn describe(&self) -> String {
        match (self.found(), self.site.next) {
            (Some(found), _) => self.site.describe(found),
            (None, None) => "the end of the file".to_owned(),
            (None, Some(next)) if next.token == Token::RBrace => "`}`".to_owned(),
            (None, Some(_)) => "the end of the statement".to_owned(),
        }
    }

    /// The innermost parenthesis or bracket open before the failure.
    fn opener(&self) -> Option<&'a Lexeme<'t>> {
        let mut open = Vec::new();
        for lexeme in self.site.tokens.iter().take(self.at) {
            match lexeme.token {
                Token::LParen | Token::LBracket => open.push(lexeme),
                Token::RParen | Token::RBracket => {
                    open.pop();
                }
                _ => {}
            }
        }
        open.pop()
    }

    /// Whether a clause with `keyword` stands before the failure.
    fn has_clause(&self, keyword: Keyword) -> bool {
        self.site
            .tokens
            .iter()
            .take(self.at)
            .any(|l| l.token == Token::Kw(keyword))
    }

    fn in_condition(&self) -> bool {
        self.has_clause(Keyword::When)
            || self.has_clause(Keyword::Unless)
            || self.head() == Some(Keyword::Let)
    }

    fn unexpected(&self) -> SyntaxError {
        let what = self.wanted();
        let mut error = SyntaxError::new(
            SyntaxCode::UnexpectedToken,
            self.span(),
            format!("expected {what}, found {}", self.describe()),
            format!("expected {what}"),
        );
        if let (None, Some(next)) = (self.found(), self.site.next)
            && next.token != Token::RBrace
        {
            error = error.also(next.span, "the next statement begins here");
        }
        if let Some(Token::RParen | Token::RBracket) = self.found_token()
            && let Some(opener) = self.opener()
        {
            error = error.also(opener.span, "opened here");
        }
        error.help(self.help())
    }
}
