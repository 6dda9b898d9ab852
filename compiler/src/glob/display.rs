//! Globs as text again.
//!
//! Owns the spelling: parsing it gives the same tree, in the path dialects.

use core::fmt;

use super::{ByteSet, Glob, Piece};

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.pieces.iter() {
            match piece {
                Piece::Literal(bytes) => {
                    for &byte in bytes {
                        if b"*?[{\\".contains(&byte) {
                            f.write_str("\\")?;
                        }
                        show(f, byte)?;
                    }
                }
                Piece::Class(set) => class(f, set)?,
                Piece::Star => f.write_str("*")?,
                Piece::DeepStar => f.write_str("**")?,
            }
        }
        Ok(())
    }
}

fn show(f: &mut fmt::Formatter<'_>, byte: u8) -> fmt::Result {
    if byte.is_ascii_graphic() || byte == b' ' {
        write!(f, "{}", char::from(byte))
    } else {
        write!(f, "\\x{byte:02x}")
    }
}

fn class(f: &mut fmt::Formatter<'_>, set: &ByteSet) -> fmt::Result {
    let count: u32 = set.0.iter().map(|word| word.count_ones()).sum();
    if count == 255 {
        return f.write_str("?");
    }
    let negated = count > 128;
    f.write_str(if negated { "[!" } else { "[" })?;
    let member = |byte: u8| byte != b'/' && set.contains(byte) != negated;
    let mut from = None;
    for byte in 0..=u8::MAX {
        if !member(byte) {
            continue;
        }
        let first = *from.get_or_insert(byte);
        if byte.checked_add(1).is_some_and(member) {
            continue;
        }
        for (position, end) in [first, byte].into_iter().enumerate() {
            if position == 1 && first == byte {
                break;
            }
            if position == 1 && byte.saturating_sub(first) > 1 {
                f.write_str("-")?;
            }
            if b"]\\-!".contains(&end) {
                f.write_str("\\")?;
            }
            show(f, end)?;
        }
        from = None;
    }
    f.write_str("]")
}
