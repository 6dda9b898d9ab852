//! Mistyped keywords, and those of other languages.
//!
//! Owns the list of words that people write instead.

use crate::spelling;
use crate::token::Token;

/// Words of other languages that stand for a keyword.
pub(super) const FOREIGN: &[(&str, &str)] = &[
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

pub(super) const STATEMENT_WORDS: &[&str] = &[
    "deny", "allow", "audit", "kill", "default", "on_error", "scope", "exempt", "let", "include",
    "assert", "test", "given", "expect",
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

/// The text of a name token.
pub(super) fn word<'t>(token: &Token<'t>) -> Option<&'t str> {
    match token {
        Token::Name(word) | Token::Call(word) => Some(word),
        _ => None,
    }
}
