//! What to write instead.
//!
//! Owns the guesses at what somebody meant, the likeliest first.

use super::Failure;
use super::words::{FOREIGN, STATEMENT_WORDS, word};
use crate::error::shorten;
use crate::spelling;
use crate::token::{Keyword, Token};

impl Failure<'_, '_, '_> {
    /// What to write instead.
    pub(super) fn help(&self) -> String {
        self.help_for_word()
            .or_else(|| self.help_for_clause().map(str::to_owned))
            .or_else(|| self.help_in_condition())
            .or_else(|| self.help_in_list().map(str::to_owned))
            .or_else(|| self.help_for_missing().map(str::to_owned))
            .unwrap_or_else(|| self.shape().to_owned())
    }

    /// What such a statement looks like, where no mistake is likelier than others.
    fn shape(&self) -> &'static str {
        match self.head() {
            Some(Keyword::Let) => "write `let name = [\"/etc/**\"]`, `let name = uid == 0`",
            Some(Keyword::Given) => "bind fields to values: `given exe = \"/tmp/x\", uid = 1000`",
            Some(Keyword::Expect) => {
                "say the verdict, then the hook: `expect deny file_open path = \"/x\"`"
            }
            Some(Keyword::Include) => "name a file or directory: `include \"rules.d\"`",
            _ if self.has_clause(Keyword::When) || self.has_clause(Keyword::Unless) => {
                "a condition compares a field with a value: `uid == 0`, `exe in [\"/tmp/**\"]`"
            }
            Some(Keyword::Default) => "write `default deny file_open`",
            Some(Keyword::OnError) => "write `on_error allow file_open`",
            Some(Keyword::Scope) => "write `scope web when exe == \"/usr/sbin/nginx\" { … }`",
            Some(Keyword::Exempt) => "write `exempt when exe == \"/usr/sbin/sshd\"`",
            Some(Keyword::Assert) => "write `assert deny file_open when path == \"/etc/shadow\"`",
            _ => "a rule is an effect, its hooks and conditions: `deny file_open when uid == 0`",
        }
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
            (Token::DotDot, Some(Token::Int { .. })) => {
                Some("a range stands in brackets: `port in [1..1023]`")
            }
            (Token::DotDot, _) => Some("a range is of two numbers: `port in [1..1023]`"),
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
