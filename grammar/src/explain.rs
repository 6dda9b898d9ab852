//! Words for what the grammar refuses.
//!
//! Owns the messages of parse errors: from the tokens around the failure and
//! the terminals that the grammar would have taken, to a sentence about the
//! policy. It must not know how parsing goes on afterwards.

use crate::build;
use crate::error::{SyntaxCode, SyntaxError, shorten};
use crate::span::Span;
use crate::spelling;
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

/// Words of other languages that stand for a keyword.
const FOREIGN: &[(&str, &str)] = &[
    ("where", "when"),
    ("if", "when"),
    ("while", "when"),
    ("except", "unless"),
    ("but", "unless"),
    ("is", "=="),
    ("equals", "=="),
    ("eq", "=="),
    ("matches", "=="),
    ("like", "=="),
    ("ne", "!="),
    ("lt", "<"),
    ("gt", ">"),
    ("contains", "has"),
    ("includes", "has"),
    ("within", "in"),
    ("AND", "and"),
    ("OR", "or"),
    ("NOT", "not"),
    ("block", "deny"),
    ("reject", "deny"),
    ("forbid", "deny"),
    ("refuse", "deny"),
    ("disallow", "deny"),
    ("permit", "allow"),
    ("accept", "allow"),
    ("grant", "allow"),
    ("log", "audit"),
    ("record", "audit"),
    ("monitor", "audit"),
    ("terminate", "kill"),
    ("var", "let"),
    ("set", "let"),
    ("const", "let"),
    ("define", "let"),
    ("import", "include"),
    ("source", "include"),
    ("use", "include"),
    ("require", "include"),
    ("group", "scope"),
    ("profile", "scope"),
    ("ignore", "exempt"),
    ("onerror", "on_error"),
];

/// The statement keyword that a name was meant to be.
pub(crate) fn meant_statement(token: &Token<'_>) -> Option<&'static str> {
    let word = word(token)?;
    let known: Vec<&'static str> = STATEMENT_WORDS.to_vec();
    if let Some(meant) = spelling::meant(word, &known) {
        return Some(meant);
    }
    FOREIGN
        .iter()
        .find(|(foreign, meant)| *foreign == word && known.contains(meant))
        .map(|&(_, meant)| meant)
}

const STATEMENT_WORDS: &[&str] = &[
    "deny", "allow", "audit", "kill", "default", "on_error", "scope", "exempt", "let", "include",
    "assert", "test", "given", "expect",
];

/// The text of a name token.
fn word<'t>(token: &Token<'t>) -> Option<&'t str> {
    match token {
        Token::Name(word) | Token::Call(word) => Some(word),
        _ => None,
    }
}

/// Something that begins no statement.
pub(crate) fn no_statement(site: &Site<'_, '_>, in_test: bool) -> SyntaxError {
    let Some(first) = site.tokens.first() else {
        return SyntaxError::new(
            SyntaxCode::UnexpectedToken,
            site.end_of_text,
            "expected a statement",
            "expected a statement",
        );
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

    // ---- errors with a code of their own ------------------------------------

    /// `expect file_open …`: the hook was taken for a verdict.
    fn verdict(&self) -> Option<SyntaxError> {
        let lexeme = self.lexeme(1)?;
        match (self.before(2)?, word(&lexeme.token)?) {
            (Token::Kw(Keyword::Expect), word) if word != "quiet" => {
                Some(build::not_a_verdict(word, lexeme.span))
            }
            _ => None,
        }
    }

    fn unclosed(&self) -> Option<SyntaxError> {
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

    fn equals(&self) -> Option<SyntaxError> {
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

    fn chained(&self) -> Option<SyntaxError> {
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

    fn dotted(&self) -> Option<SyntaxError> {
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

    fn keyword_as_name(&self) -> Option<SyntaxError> {
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

    // ---- the general one ----------------------------------------------------

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
        match self.help() {
            Some(help) => error.help(help),
            None => error,
        }
    }

    /// What kind of name is wanted here.
    fn name_wanted(&self) -> &'static str {
        if self.takes("STRING") || self.takes("INT") {
            return "a value";
        }
        if self.takes("not") {
            return "a condition";
        }
        match (self.head(), self.before(1)) {
            (_, Some(Token::Kw(Keyword::Let | Keyword::Any))) => "a name",
            (_, Some(Token::Kw(Keyword::Scope))) => "the scope's name",
            (_, Some(Token::Kw(Keyword::With))) => "an errno's name",
            (_, Some(Token::At)) => "an annotation's name",
            (Some(Keyword::Expect), Some(Token::Kw(_) | Token::Name("quiet"))) => "a hook name",
            (Some(Keyword::Given | Keyword::Expect), _) => "a field name",
            _ => "a hook name",
        }
    }

    /// What would have been right, in people's words.
    fn wanted(&self) -> String {
        if self.takes("STRING") {
            if self.takes("not") {
                return "a value or a condition".to_owned();
            }
            if self.takes("INT") {
                return if self.takes("..") {
                    "an item".to_owned()
                } else {
                    "a value".to_owned()
                };
            }
            return match self.head() {
                Some(Keyword::Test) => "the test's name in quotes",
                Some(Keyword::Include) => "a file's name in quotes",
                _ => "a name in quotes",
            }
            .to_owned();
        }
        if self.takes("INT") {
            return "a number".to_owned();
        }
        let operand = matches!(
            self.found_token(),
            Some(
                Token::Name(_)
                    | Token::Dotted(_)
                    | Token::Call(_)
                    | Token::Int { .. }
                    | Token::Str { .. }
                    | Token::LBracket
                    | Token::LParen
                    | Token::Kw(Keyword::True | Keyword::False)
            )
        ) && self.found().is_some_and(|l| !l.first_on_line);
        if self.takes("==") && operand {
            return "an operator such as `==` or `in`".to_owned();
        }
        if self.takes("NAME") && self.takes("not") {
            return "a condition".to_owned();
        }
        if self.head() == Some(Keyword::Expect) && self.takes("kill") {
            return "a verdict".to_owned();
        }
        if self.takes("NAME") && !self.takes(",") {
            return self.name_wanted().to_owned();
        }
        let mut list: Vec<String> = Vec::new();
        for terminal in [
            ")", "]", ",", "(", "{", "=", "..", "in", "and", "or", "when", "unless", "inherit",
            "until", "deny", "allow", "audit", "kill",
        ] {
            // `a not in s`, but nobody means that by `a`.
            if self.takes(terminal) && !(terminal == "in" && self.takes("and")) {
                list.push(format!("`{terminal}`"));
            }
        }
        let may_end = self.opener().is_none()
            && self.found().is_some()
            && (self.takes("and") || self.takes(",") || self.takes("unless"))
            && self.head() != Some(Keyword::Scope);
        if may_end || list.is_empty() {
            list.push("the next statement".to_owned());
        }
        join(&list)
    }

    /// What to write instead.
    fn help(&self) -> Option<String> {
        self.help_for_word()
            .or_else(|| self.help_for_clause().map(str::to_owned))
            .or_else(|| self.help_in_condition())
            .or_else(|| self.help_in_list().map(str::to_owned))
            .or_else(|| self.help_for_missing().map(str::to_owned))
    }

    /// A word that is almost a keyword, or another language's.
    fn help_for_word(&self) -> Option<String> {
        let word = word(self.found_token()?)?;
        if word == "else" {
            return Some("there is no `else`: write a rule of its own".to_owned());
        }
        if word == "all" && self.before(1) == Some(&Token::Kw(Keyword::Has)) {
            return Some("`has [A, B]` already asks for all of them".to_owned());
        }
        let mut known: Vec<&str> = self
            .expected
            .iter()
            .copied()
            .filter(|t| t.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
            .collect();
        let complete = self.takes("and") || self.takes("when") || self.takes("unless");
        if complete && self.opener().is_none() && self.head() != Some(Keyword::Scope) {
            known.extend(STATEMENT_WORDS);
        }
        // A hook's name is no keyword, however near it comes.
        if !self.takes("NAME")
            && let Some(meant) = spelling::meant(word, &known)
        {
            return Some(format!("did you mean `{meant}`?"));
        }
        let &(_, meant) = FOREIGN.iter().find(|(foreign, meant)| {
            *foreign == word && (self.takes(meant) || known.contains(meant))
        })?;
        Some(format!("write `{meant}`"))
    }

    /// Clauses that do not belong, or stand in the wrong order.
    fn help_for_clause(&self) -> Option<&'static str> {
        match self.found_token()? {
            Token::Kw(Keyword::When) if self.has_clause(Keyword::Unless) => {
                Some("`when` stands before `unless`")
            }
            Token::Kw(Keyword::When) if self.has_clause(Keyword::When) => {
                Some("join conditions with `and`")
            }
            Token::Kw(Keyword::Unless) if self.has_clause(Keyword::Unless) => {
                Some("join conditions with `or`")
            }
            Token::Kw(Keyword::When | Keyword::Unless) => match self.head() {
                Some(Keyword::Default | Keyword::OnError) => {
                    Some("a default has no condition: write a rule with one instead")
                }
                Some(Keyword::Scope) if self.takes("NAME") && !self.takes("not") => {
                    Some("name the scope: `scope web when …`")
                }
                Some(Keyword::Scope | Keyword::Exempt) if self.takes("when") => {
                    Some("only `when` is possible here: write `when not (…)`")
                }
                Some(Keyword::Expect | Keyword::Given) => {
                    Some("a test binds fields to values: `path = \"/etc/shadow\"`")
                }
                Some(k) if k.is_effect() && !self.takes("and") => {
                    Some("name the hooks first: `deny file_open when …`")
                }
                _ => None,
            },
            Token::Kw(Keyword::With) => Some("only `deny` takes an errno: `deny with EACCES …`"),
            Token::Kw(Keyword::Inherit) if self.head() != Some(Keyword::Scope) => {
                Some("only a scope can inherit")
            }
            Token::Kw(Keyword::Kill | Keyword::Audit) if self.takes("deny") => match self.head() {
                Some(Keyword::Default) => {
                    Some("a default is `deny`, `allow` or `audit`; to kill, write a rule")
                }
                Some(Keyword::Assert) => {
                    Some("assert `deny` or `allow`; a kill satisfies `assert deny`")
                }
                _ => Some("on an error the choice is `deny` or `allow`"),
            },
            Token::LBrace if self.head() == Some(Keyword::Scope) && self.takes("when") => {
                Some("say when it holds: `scope web when exe == \"/usr/sbin/nginx\" { … }`")
            }
            _ => None,
        }
    }

    /// Operators, operands and brackets.
    fn help_in_condition(&self) -> Option<String> {
        let found = self.found()?;
        let value = matches!(
            found.token,
            Token::Str { .. } | Token::Int { .. } | Token::LBracket
        ) || matches!(found.token, Token::Kw(Keyword::True | Keyword::False));
        let static_help = match (&found.token, self.before(1)) {
            (Token::DotDot, _) => Some("a range stands in brackets: `port in [1..1023]`"),
            (_, Some(Token::DotDot)) => Some("a range has a number at both ends: `1..1023`"),
            (Token::LBracket, Some(Token::Name("all")))
                if self.before(2) == Some(&Token::Kw(Keyword::Has)) =>
            {
                Some("`has [A, B]` already asks for all of them")
            }
            (Token::RParen | Token::RBracket, _) if self.opener().is_none() => {
                Some("nothing is open here: remove it")
            }
            (Token::RParen, _) if self.takes("]") => Some("close the `[` first"),
            (Token::RBracket, _) if self.takes(")") => Some("close the `(` first"),
            (Token::LBrace, _) if self.takes("when") && self.takes(",") => {
                Some("a condition follows `when`: `deny file_open when uid == 0`")
            }
            (Token::LBrace | Token::LParen, _) if self.takes("[") => {
                Some("a set is written in brackets: `[a, b]`")
            }
            (Token::Greater, Some(Token::Less)) => Some("write `!=`"),
            (Token::Eq, Some(Token::Greater)) => Some("write `>=`"),
            (Token::Eq, Some(Token::Less)) => Some("write `<=`"),
            (Token::Less | Token::Greater, Some(Token::Eq | Token::EqEq)) => {
                Some("write `<=` or `>=`")
            }
            (Token::Eq, Some(Token::Kw(Keyword::Not))) => Some("write `!=`"),
            (Token::Kw(Keyword::Has), Some(Token::Kw(Keyword::Not))) => {
                Some("put the `not` first: `not access has write`")
            }
            (Token::EqEq, Some(Token::Kw(Keyword::Not))) => Some("write `!=`"),
            (_, Some(Token::Kw(Keyword::With))) if value => {
                Some("write the errno's name without quotes: `deny with EACCES …`")
            }
            (Token::Call(_), _) if self.takes("not") || self.takes("STRING") => {
                Some("there are no functions; `user(\"…\")` and `group(\"…\")` are values")
            }
            (Token::Kw(Keyword::True), Some(Token::Kw(Keyword::When))) => {
                Some("leave `when true` out: a rule without a condition always applies")
            }
            (Token::LBracket, Some(Token::Kw(Keyword::When))) if self.takes("not") => {
                Some("a condition begins with a field: `exe in […]`")
            }
            (_, Some(Token::Kw(Keyword::Or | Keyword::And))) if value => {
                Some("repeat the field, or use a set: `uid == 0 or uid == 1`, `uid in [0, 1]`")
            }
            _ if value && self.takes("not") && self.takes("NAME") && !self.takes("STRING") => {
                Some("write the field first: `uid == 0`, not `0 == uid`")
            }
            _ => None,
        };
        if let Some(help) = static_help {
            return Some(help.to_owned());
        }
        if value && self.takes("==") {
            let field = self.lexeme(1).map_or("", |l| self.site.source(l));
            return Some(format!(
                "put an operator between them: `{} {} {}`",
                shorten(field),
                if found.token == Token::LBracket {
                    "in"
                } else {
                    "=="
                },
                if found.token == Token::LBracket {
                    "[…]"
                } else {
                    self.site.source(found)
                }
            ));
        }
        None
    }

    /// Hooks, bindings, sets, annotations.
    fn help_in_list(&self) -> Option<&'static str> {
        let found = self.found_token();
        let in_set = self.opener().is_some_and(|o| o.token == Token::LBracket);
        let annotation = match (self.before(1), self.before(2), self.before(3)) {
            (Some(Token::LParen), _, Some(Token::At)) => Some("value"),
            (Some(_), Some(Token::At), _) => Some("name"),
            _ => None,
        };
        match found {
            _ if annotation == Some("name") && self.takes("(") => {
                Some("an annotation has a value: `@id(\"…\")`, `@quiet(true)`")
            }
            Some(Token::Name(_) | Token::Dotted(_)) if annotation == Some("value") => {
                Some("put text in quotes: `@id(\"…\")`")
            }
            Some(Token::Comma) if in_set && !self.takes(",") => Some("remove the extra comma"),
            Some(_) if in_set && self.takes(",") => Some("put a comma between the items"),
            Some(Token::Kw(Keyword::And | Keyword::Or)) if self.takes(",") => {
                Some("separate hooks with a comma: `deny file_open, mmap_file`")
            }
            Some(Token::Name(_)) if self.takes(",") && !self.takes("NAME") => {
                Some("separate hooks with a comma: `deny file_open, mmap_file`")
            }
            Some(Token::Str { .. })
                if self.name_wanted() == "a hook name" && self.takes("NAME") =>
            {
                Some("a hook's name has no quotes")
            }
            Some(Token::Str { .. })
                if self.head() == Some(Keyword::Scope) && self.takes("NAME") =>
            {
                Some("a scope's name has no quotes")
            }
            Some(Token::Name(_)) if self.takes("STRING") && !self.takes("INT") => {
                Some("put it in quotes")
            }
            _ => None,
        }
    }

    /// Statements that stop too early.
    fn help_for_missing(&self) -> Option<&'static str> {
        match (self.head(), self.before(1)) {
            (_, Some(Token::Comma)) if self.found().is_none() => {
                Some("remove the comma, or write what should follow it")
            }
            (_, Some(Token::Kw(Keyword::When | Keyword::Unless))) if self.found().is_none() => {
                Some("write a condition, or leave the word out")
            }
            (_, Some(Token::Kw(Keyword::Let))) => Some("write `let name = …`"),
            (_, Some(Token::Kw(Keyword::Scope))) => Some("name the scope: `scope web when …`"),
            (Some(k), Some(Token::Kw(last))) if *last == k && k.is_effect() => {
                Some("name the hooks that the rule is for: `deny file_open when …`")
            }
            (Some(Keyword::Exempt), Some(Token::Kw(Keyword::Exempt))) => {
                Some("say whom: `exempt when exe == \"/usr/sbin/sshd\"`")
            }
            (Some(Keyword::Scope), _) if self.takes("when") => {
                Some("say when it holds: `scope web when exe == \"/usr/sbin/nginx\" { … }`")
            }
            (Some(Keyword::Scope), _) if self.takes("{") => {
                Some("a scope's statements stand in braces: `scope web when … { … }`")
            }
            (Some(Keyword::Test), _) => Some("write `test \"what it shows\" { … }`"),
            (Some(Keyword::Expect), Some(Token::Kw(Keyword::Expect))) => {
                Some("say the verdict, then the hook: `expect deny file_open path = \"/x\"`")
            }
            (Some(Keyword::Given | Keyword::Expect), _) if self.takes("=") => {
                Some("bind the field to a value: `path = \"/etc/shadow\"`")
            }
            (Some(Keyword::Let), _) if self.takes("=") => Some("write `let name = …`"),
            _ => None,
        }
    }
}

/// `a, b or c`
fn join(list: &[String]) -> String {
    match list {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
