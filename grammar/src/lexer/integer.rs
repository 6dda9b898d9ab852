//! Integers, and numbers that are none.
//!
//! Owns the spelling of integers and what is wrong with the others.

use std::borrow::Cow;

use super::Scan;
use crate::error::{SyntaxCode, SyntaxError, shorten};
use crate::span::Span;
use crate::token::Token;

impl<'t> Scan<'t, '_> {
    pub(super) fn integer(&mut self, start: usize, end: usize) -> Token<'t> {
        let written = self.slice(start, end);
        match parse_integer(written) {
            Ok((value, radix)) => Token::Int { value, radix },
            Err(problem) => {
                let span = self.span(start, end);
                self.errors.push(problem.describe(written, span));
                Token::Int {
                    value: 0,
                    radix: 10,
                }
            }
        }
    }

    /// `10.0.0.0/8`, `1.5`.
    pub(super) fn unquoted_number(&mut self, start: usize, end: usize) -> Token<'t> {
        let written = self.slice(start, end);
        let span = self.span(start, end);
        let error = if written.matches('.').count() == 1 && !written.contains('/') {
            SyntaxError::new(
                SyntaxCode::BadInteger,
                span,
                format!("`{written}` is not an integer"),
                "there are no fractions",
            )
            .help("write a whole number; a range is `1..5`, an address a string")
        } else {
            SyntaxError::new(
                SyntaxCode::MissingQuotes,
                span,
                format!("`{written}` needs quotes"),
                "an address is a string",
            )
            .help(format!("write `\"{written}\"`"))
        };
        self.error(error);
        Token::Str {
            bytes: Cow::Borrowed(written.as_bytes()),
            raw: false,
        }
    }
}

/// What is wrong with an integer.
#[derive(Debug, PartialEq, Eq)]
enum IntegerProblem {
    LeadingZero,
    Underscore,
    NoDigits { radix: u8 },
    BadDigit { digit: char, radix: u8 },
    UpperCasePrefix,
    TooLarge,
}

fn parse_integer(written: &str) -> Result<(u64, u8), IntegerProblem> {
    let (digits, radix) = match written.get(..2) {
        Some("0x") => (written.get(2..).unwrap_or(""), 16_u8),
        Some("0o") => (written.get(2..).unwrap_or(""), 8),
        Some("0b") => (written.get(2..).unwrap_or(""), 2),
        Some("0X" | "0O" | "0B") => return Err(IntegerProblem::UpperCasePrefix),
        _ => (written, 10),
    };
    let bad = digits
        .chars()
        .find(|&c| c != '_' && c.to_digit(u32::from(radix)).is_none());
    if let Some(digit) = bad {
        return Err(IntegerProblem::BadDigit { digit, radix });
    }
    if digits.chars().all(|c| c == '_') {
        return Err(IntegerProblem::NoDigits { radix });
    }
    if digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
        return Err(IntegerProblem::Underscore);
    }
    if radix == 10 && digits.len() > 1 && digits.starts_with('0') {
        return Err(IntegerProblem::LeadingZero);
    }
    let mut value = 0_u64;
    for digit in digits.chars().filter_map(|c| c.to_digit(u32::from(radix))) {
        value = value
            .checked_mul(u64::from(radix))
            .and_then(|v| v.checked_add(u64::from(digit)))
            .ok_or(IntegerProblem::TooLarge)?;
    }
    Ok((value, radix))
}

impl IntegerProblem {
    fn describe(&self, written: &str, span: Span) -> SyntaxError {
        let bad = |label: &str| {
            SyntaxError::new(
                SyntaxCode::BadInteger,
                span,
                format!("malformed integer `{}`", shorten(written)),
                label,
            )
        };
        match self {
            Self::LeadingZero => {
                let digits = written.trim_start_matches(['0', '_']);
                let error = bad("a leading zero");
                if digits.is_empty() {
                    error.help("write `0`")
                } else if digits.chars().all(|c| c == '_' || c.is_digit(8)) {
                    error.help(format!(
                        "octal is written `0o{0}`, decimal `{0}`",
                        shorten(digits)
                    ))
                } else {
                    error.help(format!("decimal is written `{}`", shorten(digits)))
                }
            }
            Self::Underscore => {
                bad("a misplaced `_`").help("a single `_` may stand between two digits: `1_000`")
            }
            Self::NoDigits { .. } => bad("no digits").help("write digits after the prefix: `0x1f`"),
            Self::BadDigit { digit, radix } => {
                let error = bad(&format!("`{digit}` is not a {} digit", base(*radix)));
                if *radix == 10 && written.chars().all(|c| c.is_ascii_hexdigit()) {
                    error.help(format!("hexadecimal is written `0x{}`", shorten(written)))
                } else if *radix == 10 {
                    error.help("a number is digits only, and a name begins with a letter; units and suffixes do not exist")
                } else {
                    error.help("the prefixes are `0x` (16), `0o` (8) and `0b` (2)")
                }
            }
            Self::UpperCasePrefix => bad("the prefix is lower case").help(format!(
                "write `{}`",
                shorten(
                    &written
                        .replace('X', "x")
                        .replace('O', "o")
                        .replacen('B', "b", 1)
                )
            )),
            Self::TooLarge => SyntaxError::new(
                SyntaxCode::IntegerTooLarge,
                span,
                format!("integer `{}` is too large", shorten(written)),
                "does not fit 64 bits",
            )
            .help(format!("the largest integer is {}", u64::MAX)),
        }
    }
}

fn base(radix: u8) -> &'static str {
    match radix {
        2 => "binary",
        8 => "octal",
        16 => "hexadecimal",
        _ => "decimal",
    }
}
