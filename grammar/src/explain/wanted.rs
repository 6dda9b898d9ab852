//! What would have been right, in people's words.

use super::Failure;
use crate::token::{Keyword, Token};

impl Failure<'_, '_, '_> {
    /// What kind of name is wanted here.
    pub(super) fn name_wanted(&self) -> &'static str {
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
    pub(super) fn wanted(&self) -> String {
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
}

/// `a, b or c`
fn join(list: &[String]) -> String {
    match list {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
