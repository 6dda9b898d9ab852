//! The way in: text to a tree, errors and comments.
//!
//! Owns the size limit and the order of the stages; large files go through [`parts`]. It must not know what
//! they do.

use crate::ast;
use crate::error::{Errors, SyntaxCode, SyntaxError};
use crate::lexer::{self, Comment};
use crate::outline;
use crate::parts;
use crate::span::{FileId, Span};
use crate::token::Lexeme;

/// Files larger than this are refused unread.
pub const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;

/// What [`parse`] makes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// What could be read. Complete only if there are no errors.
    pub file: ast::File,
    /// In the order of the text; at most [`crate::MAX_ERRORS`], and one more
    /// that says so if there were others.
    pub errors: Vec<SyntaxError>,
    /// In the order of the text.
    pub comments: Vec<Comment>,
}

/// Parses one file. `file` is what the spans will carry.
///
/// Never panics, whatever the text. Conditions and sets in the tree nest at
/// most [`crate::MAX_NESTING`] parentheses, brackets and `not`s, so walking
/// (and dropping) it recursively is safe.
#[must_use]
pub fn parse(file: FileId, text: &str) -> Parsed {
    let parts = (text.len() <= MAX_FILE_BYTES)
        .then(|| parts::parse(file, text, parts::PART))
        .flatten();
    parts.unwrap_or_else(|| read(file, text).0)
}

/// Where the tokens of a text stand, in its order. After too many errors the rest of the
/// text has none.
#[must_use]
pub fn token_spans(file: FileId, text: &str) -> Vec<Span> {
    let (_, tokens) = read(file, text);
    tokens.into_iter().map(|token| token.span).collect()
}

/// [`parse`], with the tokens beside its result.
pub(crate) fn read(file: FileId, text: &str) -> (Parsed, Vec<Lexeme<'_>>) {
    let mut errors = Errors::new();
    if text.len() > MAX_FILE_BYTES {
        errors.push(
            SyntaxError::new(
                SyntaxCode::FileTooLarge,
                Span::new(file, 0, 0),
                format!(
                    "the file has {} bytes; a policy file may have {MAX_FILE_BYTES}",
                    text.len()
                ),
                "not read",
            )
            .help("split it, and `include` the parts"),
        );
        let parsed = Parsed {
            file: ast::File::default(),
            errors: errors.finish(),
            comments: Vec::new(),
        };
        return (parsed, Vec::new());
    }
    let lexed = lexer::lex(file, text, 0, &mut errors);
    let tree = if errors.full() {
        ast::File::default()
    } else {
        outline::parse(file, text, &lexed.tokens, &mut errors)
    };
    let parsed = Parsed {
        file: tree,
        errors: errors.finish(),
        comments: lexed.comments,
    };
    (parsed, lexed.tokens)
}
