//! Characters that begin no token.
//!
//! Owns the guess at what was meant by them.

use std::borrow::Cow;

use super::Scan;
use super::string::is_typographic_quote;
use crate::error::{SyntaxCode, SyntaxError};
use crate::token::Token;

impl<'t> Scan<'t, '_> {
    /// A character that begins no token.
    pub(super) fn unexpected(&mut self, start: usize) -> usize {
        let rest = self.rest(start);
        let Some(first) = rest.chars().next() else {
            return self.text.len();
        };
        let after = start + first.len_utf8();
        if is_typographic_quote(first) {
            return self.foreign_quotes(start, after, first);
        }
        if rest.starts_with("//") || rest.starts_with("/* ") {
            let end = self.line_end(start);
            let span = self.span(start, start + 2);
            self.error(
                SyntaxError::new(
                    SyntaxCode::UnexpectedCharacter,
                    span,
                    format!(
                        "`{}` does not begin a comment",
                        self.slice(start, start + 2)
                    ),
                    "not a comment",
                )
                .help("begin comments with `#`; they end with the line"),
            );
            self.line_mark = end;
            return end;
        }
        if first == '/' {
            let length = rest
                .find(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | ')' | '"' | '#'))
                .unwrap_or(rest.len());
            let written = self.slice(start, start + length);
            let span = self.span(start, start + length);
            let help = if written.contains('\\') {
                format!("write `r\"{written}\"`")
            } else {
                format!("write `\"{written}\"`")
            };
            self.error(
                SyntaxError::new(
                    SyntaxCode::MissingQuotes,
                    span,
                    "a path needs quotes",
                    "a path is a string",
                )
                .help(help),
            );
            self.push(
                Token::Str {
                    bytes: Cow::Borrowed(written.as_bytes()),
                    raw: false,
                },
                start,
                start + length,
            );
            return start + length;
        }
        // One error for a run of the like, not one for each character.
        let length = rest
            .find(|c: char| !(is_stray(c) && c.is_ascii() == first.is_ascii()))
            .unwrap_or(rest.len())
            .max(first.len_utf8());
        let span = self.span(start, start + length);
        self.error(
            SyntaxError::new(
                SyntaxCode::UnexpectedCharacter,
                span,
                format!("unexpected character {}", show(first)),
                "means nothing here",
            )
            .help(stray_help(first)),
        );
        self.line_mark = start + length;
        start + length
    }
}

/// No token and no white space begins with it, and it has no error of its own.
fn is_stray(c: char) -> bool {
    match c {
        '\0' => true,
        _ if c.is_ascii() => {
            c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r')
                || matches!(
                    c,
                    '$' | '%' | '*' | '+' | '-' | '.' | ':' | '?' | '\\' | '^' | '`' | '~'
                )
        }
        _ => !is_typographic_quote(c),
    }
}

/// A character in an error message.
pub(super) fn show(c: char) -> String {
    let code = u32::from(c);
    if c == '\0' {
        "NUL (U+0000)".to_owned()
    } else if c.is_ascii_graphic() {
        format!("`{c}`")
    } else if c.is_alphanumeric() || is_typographic_quote(c) {
        format!("`{c}` (U+{code:04X})")
    } else {
        // Invisible, combining or direction-changing ones are only named.
        format!("U+{code:04X}")
    }
}

fn stray_help(c: char) -> &'static str {
    match c {
        '\0' => "is this a text file?",
        '-' => "there are no negative numbers, and no `-` in names",
        '.' => "a dotted name has no spaces: `parent.exe`",
        ':' => "in a test a field is bound by `=`; an address is a string",
        '*' | '?' => "a pattern is a string: `\"/tmp/*\"`; hooks are named one by one",
        '~' => "a glob is matched by `==`",
        '\u{feff}' => "a byte order mark may stand only at the start of a file: remove it",
        '\u{a0}' | '\u{2000}'..='\u{200f}' | '\u{202f}' | '\u{205f}' | '\u{2060}' | '\u{3000}' => {
            "an invisible character: replace it by a plain space"
        }
        '\u{2260}' => "write `!=`",
        '\u{2264}' => "write `<=`",
        '\u{2265}' => "write `>=`",
        '\u{2208}' => "write `in`",
        '\u{2026}' => "write `..`",
        '\u{2010}'..='\u{2015}' => "a typographic dash: no dash means anything here",
        _ if !c.is_ascii() => "only strings and comments may have characters beyond ASCII",
        _ => "remove it; inside a string it would be text",
    }
}
