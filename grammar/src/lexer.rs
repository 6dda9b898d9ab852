//! Text to tokens and comments.
//!
//! Owns everything about characters: white space, comments, the spelling of
//! integers and strings, and the errors in them. It must not know which token
//! may follow which. A malformed literal still gives a token, so that one bad
//! escape does not take the statement with it.

use logos::Logos;

use crate::error::{Errors, SyntaxCode, SyntaxError, shorten};
use crate::span::{FileId, Span};
use crate::token::{Keyword, Lexeme, Token};

/// A comment, for the formatter: the grammar never sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment {
    /// From `#` to the end of the line, line break excluded.
    pub span: Span,
    /// How it stands on its line.
    pub place: CommentPlace,
}

/// How a comment stands on its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommentPlace {
    /// Nothing but white space before it.
    OwnLine,
    /// After something else.
    Trailing,
}

/// What the lexer found.
#[derive(Debug)]
pub(crate) struct Lexed<'t> {
    pub(crate) tokens: Vec<Lexeme<'t>>,
    pub(crate) comments: Vec<Comment>,
}

/// The parts that a finite automaton can tell apart; strings and whatever is
/// wrong are scanned by hand from their first character.
#[derive(Logos, Debug, Clone, Copy, PartialEq, Eq)]
#[logos(skip r"[ \t\r\n]+")]
enum Shape {
    #[token("#")]
    Hash,
    #[regex(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")]
    Word,
    #[regex(r"[0-9][0-9A-Za-z_]*")]
    Number,
    /// An address or a fraction: neither is a number here.
    #[regex(r"[0-9][0-9A-Za-z_]*(\.[0-9A-Za-z_]+)+(/[0-9]+)?")]
    NumberWithDots,
    #[token("\"")]
    Quote,
    #[token("r\"")]
    RawQuote,
    #[token("==")]
    EqEq,
    #[token("!=")]
    NotEq,
    #[token("<")]
    Less,
    #[token("<=")]
    LessEq,
    #[token(">")]
    Greater,
    #[token(">=")]
    GreaterEq,
    #[token("=")]
    Eq,
    #[token(",")]
    Comma,
    #[token("..")]
    DotDot,
    #[token("...")]
    DotDotDot,
    #[token("..=")]
    DotDotEq,
    #[token("@")]
    At,
    #[token("(")]
    LParen,
    #[token(")")]
    RParen,
    #[token("[")]
    LBracket,
    #[token("]")]
    RBracket,
    #[token("{")]
    LBrace,
    #[token("}")]
    RBrace,
    #[token("&&")]
    AndAnd,
    #[token("||")]
    OrOr,
    #[token("!")]
    Bang,
    #[token("&")]
    Ampersand,
    #[token("|")]
    Bar,
    #[token(";")]
    Semicolon,
    #[token("'")]
    SingleQuote,
}

/// Lexes `text`. Stops early, with `errors.full()`, when there are too many
/// errors; the tokens are then not worth parsing.
pub(crate) fn lex<'t>(file: FileId, text: &'t str, errors: &mut Errors) -> Lexed<'t> {
    let mut scan = Scan {
        file,
        text,
        errors,
        tokens: Vec::new(),
        comments: Vec::new(),
        line_mark: 0,
    };
    // A byte order mark is no part of the text, but spans count it.
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut lexer = Shape::lexer(text);
    lexer.bump(start);
    while let Some(raw) = lexer.next() {
        let range = lexer.span();
        let end = scan.one(raw.ok(), range.start, range.end);
        lexer.bump(end.saturating_sub(range.end));
        if scan.errors.full() {
            break;
        }
    }
    let Scan {
        mut tokens,
        comments,
        ..
    } = scan;
    mark_calls(&mut tokens);
    Lexed { tokens, comments }
}

/// `user(` in a value is one step of the grammar, `@id(` is not.
fn mark_calls(tokens: &mut [Lexeme<'_>]) {
    let mut after_at = false;
    let mut rest = tokens;
    while let Some((first, others)) = rest.split_first_mut() {
        if let Token::Name(name) = first.token
            && !after_at
            && others.first().is_some_and(|t| t.token == Token::LParen)
        {
            first.token = Token::Call(name);
        }
        after_at = first.token == Token::At;
        rest = others;
    }
}

struct Scan<'t, 'e> {
    file: FileId,
    text: &'t str,
    errors: &'e mut Errors,
    tokens: Vec<Lexeme<'t>>,
    comments: Vec<Comment>,
    /// End of the last token or comment.
    line_mark: usize,
}

/// Spans are 32 bit: [`crate::MAX_FILE_BYTES`] keeps every offset far below.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl<'t> Scan<'t, '_> {
    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, offset(start), offset(end))
    }

    fn slice(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end).unwrap_or("")
    }

    fn rest(&self, start: usize) -> &'t str {
        self.text.get(start..).unwrap_or("")
    }

    /// Where the line that `start` is on ends, line break excluded.
    fn line_end(&self, start: usize) -> usize {
        let rest = self.rest(start);
        start + rest.find(['\n', '\r']).unwrap_or(rest.len())
    }

    /// Whether only white space stands between the start of the line and
    /// `start`, which follows the last token or comment.
    fn first_on_line(&self, start: usize) -> bool {
        self.line_mark == 0 || self.slice(self.line_mark, start).contains('\n')
    }

    fn push(&mut self, token: Token<'t>, start: usize, end: usize) {
        let first_on_line = self.first_on_line(start);
        self.tokens.push(Lexeme {
            token,
            span: self.span(start, end),
            first_on_line,
        });
        self.line_mark = end;
    }

    /// An error after which the tokens of the statement may be wrong, so that
    /// what the grammar says about them is not worth reporting.
    fn error(&mut self, error: SyntaxError) {
        self.errors.push_lexical(error);
    }

    /// Takes one token that begins at `start` and was recognised up to `end`;
    /// gives where it really ends.
    fn one(&mut self, raw: Option<Shape>, start: usize, end: usize) -> usize {
        let token = match raw {
            Some(Shape::Hash) => return self.comment(start),
            Some(Shape::Word) => {
                let word = self.slice(start, end);
                if let Some(keyword) = Keyword::from_word(word) {
                    Token::Kw(keyword)
                } else if word.contains('.') {
                    Token::Dotted(word)
                } else {
                    Token::Name(word)
                }
            }
            Some(Shape::Number) => self.integer(start, end),
            Some(Shape::NumberWithDots) => self.unquoted_number(start, end),
            Some(Shape::Quote) => return self.string(start, end, false),
            Some(Shape::RawQuote) => return self.string(start, end, true),
            Some(Shape::SingleQuote) => return self.foreign_quotes(start, end, '\''),
            Some(Shape::EqEq) => Token::EqEq,
            Some(Shape::NotEq) => Token::NotEq,
            Some(Shape::Less) => Token::Less,
            Some(Shape::LessEq) => Token::LessEq,
            Some(Shape::Greater) => Token::Greater,
            Some(Shape::GreaterEq) => Token::GreaterEq,
            Some(Shape::Eq) => Token::Eq,
            Some(Shape::Comma) => Token::Comma,
            Some(Shape::DotDot) => Token::DotDot,
            Some(Shape::At) => Token::At,
            Some(Shape::LParen) => Token::LParen,
            Some(Shape::RParen) => Token::RParen,
            Some(Shape::LBracket) => Token::LBracket,
            Some(Shape::RBracket) => Token::RBracket,
            Some(Shape::LBrace) => Token::LBrace,
            Some(Shape::RBrace) => Token::RBrace,
            Some(Shape::AndAnd) => Token::Kw(Keyword::And),
            Some(Shape::OrOr) => Token::Kw(Keyword::Or),
            Some(Shape::Bang) => Token::Kw(Keyword::Not),
            Some(Shape::Ampersand) => {
                self.not_an_operator(start, end, "write `and`");
                Token::Kw(Keyword::And)
            }
            Some(Shape::Bar) => {
                self.not_an_operator(start, end, "write `or`");
                Token::Kw(Keyword::Or)
            }
            Some(Shape::DotDotDot | Shape::DotDotEq) => {
                self.not_an_operator(start, end, "write `..`: a range includes its last value");
                Token::DotDot
            }
            Some(Shape::Semicolon) => {
                let span = self.span(start, end);
                self.errors.push(
                    SyntaxError::new(
                        SyntaxCode::UnexpectedCharacter,
                        span,
                        "unexpected `;`",
                        "nothing ends a statement",
                    )
                    .help("remove it: a statement ends where the next one begins"),
                );
                self.line_mark = end;
                return end;
            }
            None => return self.unexpected(start),
        };
        self.push(token, start, end);
        end
    }

    fn comment(&mut self, start: usize) -> usize {
        let end = self.line_end(start);
        let place = if self.first_on_line(start) {
            CommentPlace::OwnLine
        } else {
            CommentPlace::Trailing
        };
        self.comments.push(Comment {
            span: self.span(start, end),
            place,
        });
        self.line_mark = end;
        end
    }

    fn not_an_operator(&mut self, start: usize, end: usize, help: &str) {
        let span = self.span(start, end);
        let written = self.slice(start, end);
        self.errors.push(
            SyntaxError::new(
                SyntaxCode::UnexpectedCharacter,
                span,
                format!("`{written}` is not an operator"),
                "not an operator",
            )
            .help(help),
        );
    }

    // ---- integers ---------------------------------------------------------

    fn integer(&mut self, start: usize, end: usize) -> Token<'t> {
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
    fn unquoted_number(&mut self, start: usize, end: usize) -> Token<'t> {
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
            bytes: written.as_bytes().to_vec(),
            raw: false,
        }
    }

    // ---- strings ----------------------------------------------------------

    /// `"…"` or `r"…"`; `body` is the first byte after the quote.
    fn string(&mut self, start: usize, body: usize, raw: bool) -> usize {
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
                    bytes: Vec::new(),
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
        let bytes = if raw {
            inner.as_bytes().to_vec()
        } else {
            self.unescape(body, inner)
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
    fn foreign_quotes(&mut self, start: usize, body: usize, quote: char) -> usize {
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
                bytes: inner.as_bytes().to_vec(),
                raw: false,
            },
            start,
            end,
        );
        end
    }

    // ---- anything else ----------------------------------------------------

    /// A character that begins no token.
    fn unexpected(&mut self, start: usize) -> usize {
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
                    bytes: written.as_bytes().to_vec(),
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
        let error = SyntaxError::new(
            SyntaxCode::UnexpectedCharacter,
            span,
            format!("unexpected character {}", show(first)),
            "means nothing here",
        );
        let error = match stray_help(first) {
            Some(help) => error.help(help),
            None => error,
        };
        self.error(error);
        self.line_mark = start + length;
        start + length
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

fn is_typographic_quote(c: char) -> bool {
    matches!(
        c,
        '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{2039}' | '\u{203a}' | '\u{ff02}'
    )
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
fn show(c: char) -> String {
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

fn stray_help(c: char) -> Option<&'static str> {
    Some(match c {
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
        _ => return None,
    })
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
