//! How literals are spelled when no source says otherwise.

use crate::ast::{Literal, LiteralKind};

/// A literal as it is written.
#[must_use]
pub fn print_literal(literal: &Literal) -> String {
    match &literal.node {
        LiteralKind::String { bytes, raw } => print_string(bytes, *raw),
        LiteralKind::Int { value, radix } => match radix {
            2 => format!("0b{value:b}"),
            8 => format!("0o{value:o}"),
            16 => format!("0x{value:x}"),
            _ => value.to_string(),
        },
        LiteralKind::Bool(true) => "true".to_owned(),
        LiteralKind::Bool(false) => "false".to_owned(),
        LiteralKind::User(name) => format!("user({})", print_string(name, false)),
        LiteralKind::Group(name) => format!("group({})", print_string(name, false)),
    }
}

/// A string with its quotes; raw if asked for and possible.
#[must_use]
pub fn print_string(bytes: &[u8], raw: bool) -> String {
    if raw
        && let Ok(text) = core::str::from_utf8(bytes)
        && !text.contains(['"', '\n', '\r', '\0'])
    {
        return format!("r\"{text}\"");
    }
    let mut out = String::with_capacity(bytes.len().saturating_add(2));
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                _ if is_invisible(c) => {
                    let mut buffer = [0; 4];
                    push_hex(&mut out, c.encode_utf8(&mut buffer).as_bytes());
                }
                _ => out.push(c),
            }
        }
        push_hex(&mut out, chunk.invalid());
    }
    out.push('"');
    out
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        out.push_str(&format!("\\x{byte:02x}"));
    }
}

/// Characters that a reader would not see, or that reorder those around them.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
    )
}
