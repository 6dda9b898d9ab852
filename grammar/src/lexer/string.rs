//! Strings: quotes, escapes, and quotes of other kinds.
//!
//! Owns where a string ends and the bytes that it stands for.

use std::borrow::Cow;

use super::Scan;
use super::stray::show;
use crate::error::{SyntaxCode, SyntaxError};
use crate::span::Span;
use crate::token::Token;

impl<'t> Scan<'t, '_> {
    /// `"…"` or `r"…"`; `body` is the first byte after the quote.
    pub(super) fn string(&mut self, start: usize, body: usize, raw: bool) -> usize {
        let Some(close) = closing_quote(self.rest(body), raw) else {
            // A quote that is never closed takes the rest of the line, but
            // not the white space at its end.
            let limit = self.line_end(body);
            let line = self.slice(body, limit);
            let end = body + line.trim_end().len();
            let span = self.span(start, end);
            let label = "no closing quote on this line";
            let error = if raw || !line.contains("\\\"") {
                SyntaxError::new(
                    SyntaxCode::UnterminatedString,
                    span,
                    "unterminated string",
                    label,
                )
                .help("end the string with `\"`; a line break in a string is written `\\n`")
            } else {
                SyntaxError::new(
                    SyntaxCode::UnterminatedString,
                    span,
                    "unterminated string",
                    label,
                )
                .help("`\\\"` is a quote inside the string; a backslash at its end is `\\\\`")
            };
            self.error(error);
            self.push(
                Token::Str {
                    bytes: Cow::default(),
                    raw,
                },
                start,
                end,
            );
            return limit.max(end);
        };
        let inner = self.slice(body, body + close);
        let end = body + close + 1;
        self.forbid_nul(body, inner);
        let bytes = if raw || !inner.contains('\\') {
            Cow::Borrowed(inner.as_bytes())
        } else {
            Cow::Owned(self.unescape(body, inner))
        };
        self.push(Token::Str { bytes, raw }, start, end);
        end
    }

    fn forbid_nul(&mut self, body: usize, inner: &str) {
        if let Some(at) = inner.find('\0') {
            let span = self.span(body + at, body + at + 1);
            self.errors.push(
                SyntaxError::new(
                    SyntaxCode::UnexpectedCharacter,
                    span,
                    "NUL byte in a string",
                    "a NUL byte",
                )
                .help("is this a text file? No path or name holds a NUL byte"),
            );
        }
    }

    fn unescape(&mut self, body: usize, inner: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(inner.len());
        let mut rest = inner;
        while let Some(at) = rest.find('\\') {
            bytes.extend_from_slice(rest.get(..at).unwrap_or("").as_bytes());
            let escape = rest.get(at..).unwrap_or("");
            let start = body + (inner.len() - escape.len());
            let after = escape.get(1..).unwrap_or("");
            let used = match after.chars().next() {
                Some('"') => push_one(&mut bytes, b'"'),
                Some('\\') => push_one(&mut bytes, b'\\'),
                Some('n') => push_one(&mut bytes, b'\n'),
                Some('t') => push_one(&mut bytes, b'\t'),
                Some('x') => match after.get(1..3).and_then(hex_byte) {
                    Some(byte) => push_one(&mut bytes, byte) + 2,
                    None => {
                        let digits = after
                            .bytes()
                            .skip(1)
                            .take(2)
                            .take_while(u8::is_ascii_hexdigit)
                            .count();
                        let length = 2 + digits;
                        let span = self.span(start, start + length);
                        self.errors.push(
                            SyntaxError::new(
                                SyntaxCode::BadEscape,
                                span,
                                "`\\x` needs two hexadecimal digits",
                                "not a byte",
                            )
                            .help("write a byte as `\\x` and two digits: `\\x0a`"),
                        );
                        length
                    }
                },
                Some(other) => {
                    let length = 1 + other.len_utf8();
                    let span = self.span(start, start + length);
                    self.errors.push(bad_escape(other, span));
                    bytes.extend_from_slice(escape.get(..length).unwrap_or("").as_bytes());
                    length
                }
                // `closing_quote` stops only at an unescaped quote.
                None => 1,
            };
            rest = escape.get(used..).unwrap_or("");
        }
        bytes.extend_from_slice(rest.as_bytes());
        bytes
    }

    /// `'…'` and typographic quotes: an error, and a string all the same.
    pub(super) fn foreign_quotes(&mut self, start: usize, body: usize, quote: char) -> usize {
        let limit = self.line_end(body);
        let line = self.slice(body, limit);
        let closes = |c: char| match quote {
            '\'' => c == '\'',
            _ => c == '"' || is_typographic_quote(c),
        };
        let (close, end) = match line.char_indices().find(|&(_, c)| closes(c)) {
            Some((at, c)) => (body + at, body + at + c.len_utf8()),
            None => {
                let length = line
                    .find(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | ')' | '}' | '#'))
                    .unwrap_or(line.len());
                (body + length, body + length)
            }
        };
        let inner = self.slice(body, close);
        let span = self.span(start, end);
        let message = if quote == '\'' {
            "strings have double quotes".to_owned()
        } else {
            format!("unexpected character {}: a typographic quote", show(quote))
        };
        let help = if inner.contains(['"', '\\']) {
            "write a straight double quote, `\"`, at both ends".to_owned()
        } else {
            format!("write `\"{inner}\"`")
        };
        self.error(
            SyntaxError::new(
                SyntaxCode::UnexpectedCharacter,
                span,
                message,
                "these are not the quotes of a string",
            )
            .help(help),
        );
        self.push(
            Token::Str {
                bytes: Cow::Borrowed(inner.as_bytes()),
                raw: false,
            },
            start,
            end,
        );
        end
    }
}

fn push_one(bytes: &mut Vec<u8>, byte: u8) -> usize {
    bytes.push(byte);
    2
}

fn hex_byte(digits: &str) -> Option<u8> {
    if digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        u8::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

/// The first quote of `rest` that no backslash precedes, if it comes before
/// the end of the line. Looks no further than either: a line of many strings
/// is read once.
fn closing_quote(rest: &str, raw: bool) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'\n' | b'\r' => return None,
            _ if escaped => escaped = false,
            b'\\' => escaped = !raw,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

fn bad_escape(escaped: char, span: Span) -> SyntaxError {
    let error = SyntaxError::new(
        SyntaxCode::BadEscape,
        span,
        format!("unknown escape `\\{}`", escaped.escape_debug()),
        "not an escape",
    );
    match escaped {
        '*' | '?' | '[' | ']' | '{' | '}' | ',' | '-' | '!' | '^' => error.help(format!(
            "a glob's backslash is written `\\\\{escaped}` here, or in a raw string: `r\"\\{escaped}\"`"
        )),
        'r' => error.help("write a carriage return as `\\x0d`"),
        '0' => error.help("write a byte as two hexadecimal digits: `\\x00`"),
        'u' | 'U' => error.help("write the character itself, or its bytes as `\\xNN`"),
        '\'' => error.help("a single quote needs no backslash"),
        _ => error.help(
            "the escapes are `\\\"`, `\\\\`, `\\n`, `\\t` and `\\xNN`; a backslash is `\\\\`",
        ),
    }
}

pub(super) fn is_typographic_quote(c: char) -> bool {
    matches!(
        c,
        '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{2039}' | '\u{203a}' | '\u{ff02}'
    )
}
