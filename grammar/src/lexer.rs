//! Text to tokens and comments.
//!
//! Owns everything about characters: white space and comments here, integers,
//! strings and stray characters in modules of their own, and the errors in
//! them. It must not know which token may follow which. A malformed literal still gives a token, so that one bad
//! escape does not take the statement with it.

mod integer;
mod stray;
mod string;

use logos::Logos;

use crate::error::{Errors, SyntaxCode, SyntaxError};
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

/// Lexes `text` from `start` on, where a line begins. Stops early, with `errors.full()`, when there are too many
/// errors; the tokens are then not worth parsing.
pub(crate) fn lex<'t>(file: FileId, text: &'t str, start: usize, errors: &mut Errors) -> Lexed<'t> {
    let mut scan = Scan {
        file,
        text,
        errors,
        tokens: Vec::new(),
        comments: Vec::new(),
        line_mark: 0,
    };
    // A byte order mark is no part of the text, but spans count it.
    let start = if start == 0 && text.starts_with('\u{feff}') {
        3
    } else {
        start
    };
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
}
