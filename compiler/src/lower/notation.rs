//! Globs written out again, for messages and statistics.

use crate::glob::{ByteSet, Glob, Piece};

/// A glob in the language's notation (without quotes).
pub(crate) fn glob(glob: &Glob) -> String {
    let mut text = String::new();
    for piece in glob.pieces.iter() {
        match piece {
            Piece::Literal(bytes) => {
                for byte in bytes {
                    if b"*?[]{},\\".contains(byte) {
                        text.push('\\');
                    }
                    push(&mut text, *byte);
                }
            }
            Piece::Class(set) => class(&mut text, set),
            Piece::Star => text.push('*'),
            Piece::DeepStar => text.push_str("**"),
        }
    }
    text
}

fn push(text: &mut String, byte: u8) {
    if byte == b' ' || byte.is_ascii_graphic() {
        text.push(char::from(byte));
    } else {
        text.push_str(&format!("\\x{byte:02x}"));
    }
}

fn class(text: &mut String, set: &ByteSet) {
    let members: Vec<u8> = (0..=u8::MAX).filter(|byte| set.contains(*byte)).collect();
    if members.len() >= 254 {
        text.push('?');
        return;
    }
    let negated = members.len() > 128;
    let listed: Vec<u8> = (0..=u8::MAX)
        .filter(|byte| *byte != 0 && *byte != b'/' && set.contains(*byte) != negated)
        .collect();
    text.push('[');
    if negated {
        text.push('!');
    }
    let mut rest = listed.as_slice();
    while let Some(first) = rest.first().copied() {
        let run = rest
            .iter()
            .zip(first..=u8::MAX)
            .take_while(|(member, expected)| **member == *expected)
            .count();
        let last = rest.get(run.saturating_sub(1)).copied().unwrap_or(first);
        push(text, first);
        if run > 2 {
            text.push('-');
        }
        if run > 1 {
            push(text, last);
        }
        rest = rest.get(run.max(1)..).unwrap_or_default();
    }
    text.push(']');
}
