//! Syntax errors as data: a stable code, a place, and words.
//!
//! Owns the list of codes and the limit on how many errors one file reports.
//! It must not know how errors are rendered.

use crate::span::Span;

/// At most so many errors are reported for one file; one more, of code
/// [`SyntaxCode::TooManyErrors`], then says that there are others.
pub const MAX_ERRORS: usize = 100;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $title:literal;)*) => {
        /// The kinds of syntax error. Codes are stable and never reused;
        /// `LSMP0020` and above belong to the compiler.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum SyntaxCode {
            $($(#[$doc])* $name,)*
        }

        impl SyntaxCode {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as users see it: `LSMP0001`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// What the code stands for, in one line.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                }
            }
        }
    };
}

codes! {
    /// Something else was expected here.
    UnexpectedToken = "LSMP0001", "unexpected token";
    /// No closing quote on the line.
    UnterminatedString = "LSMP0002", "unterminated string";
    /// An escape other than `\" \\ \n \t \xNN`.
    BadEscape = "LSMP0003", "unknown escape in a string";
    /// `010`, `1__0`, `5abc`.
    BadInteger = "LSMP0004", "malformed integer";
    /// Does not fit 64 bits.
    IntegerTooLarge = "LSMP0005", "integer too large";
    /// A character that means nothing outside strings and comments.
    UnexpectedCharacter = "LSMP0006", "unexpected character";
    /// More nesting than the parser follows.
    NestingTooDeep = "LSMP0007", "nesting too deep";
    /// More bytes than the parser reads.
    FileTooLarge = "LSMP0008", "file too large";
    /// A `test` inside a scope, an `expect` outside a test …
    StatementNotAllowedHere = "LSMP0009", "statement not allowed here";
    /// `{`, `(` or `[` without its partner.
    UnclosedDelimiter = "LSMP0010", "unclosed brace, bracket or parenthesis";
    /// `a == b == c`.
    ChainedComparison = "LSMP0011", "chained comparison";
    /// `let test = …`.
    KeywordAsName = "LSMP0012", "keyword used as a name";
    /// `deny parent.exe`.
    DottedName = "LSMP0013", "dotted name where a plain one is needed";
    /// `}` without a `{`.
    UnmatchedBrace = "LSMP0014", "closing brace without an opening one";
    /// `@id("x")` that no rule follows.
    MisplacedAnnotation = "LSMP0015", "annotation that belongs to no rule";
    /// `when uid = 0`, `let x == 0`.
    EqualsConfused = "LSMP0016", "`=` and `==` confused";
    /// `usr("root")`: only `user` and `group` look names up.
    UnknownLiteral = "LSMP0017", "unknown kind of literal";
    /// `when exe == /bin/sh`.
    MissingQuotes = "LSMP0018", "text without quotes";
    /// The rest of the file's errors are not shown.
    TooManyErrors = "LSMP0019", "too many errors";
}

/// One thing wrong with a file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The kind.
    pub code: SyntaxCode,
    /// Where; never outside the file, empty at a missing end.
    pub span: Span,
    /// The headline.
    pub message: String,
    /// What is wrong at `span`, for a marker beside it.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Other places worth a marker.
    pub secondary: Vec<(Span, String)>,
}

impl SyntaxError {
    /// An error without help or secondary places.
    pub(crate) fn new(
        code: SyntaxCode,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        Self {
            code,
            span,
            message: message.into(),
            label: label.into(),
            help: None,
            secondary: Vec::new(),
        }
    }

    /// Says what to write instead.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Marks another place.
    #[must_use]
    pub(crate) fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.secondary.push((span, label.into()));
        self
    }
}

/// Collects errors up to [`MAX_ERRORS`].
#[derive(Debug)]
pub(crate) struct Errors {
    list: Vec<SyntaxError>,
    /// Starts of the spans of lexical errors: a parse error in a statement
    /// that has one would only repeat it.
    lexical: Vec<u32>,
    overflow: Option<Span>,
}

impl Errors {
    pub(crate) const fn new() -> Self {
        Self {
            list: Vec::new(),
            lexical: Vec::new(),
            overflow: None,
        }
    }

    pub(crate) fn push(&mut self, error: SyntaxError) {
        if self.list.len() < MAX_ERRORS {
            self.list.push(error);
        } else if self.overflow.is_none() {
            self.overflow = Some(error.span);
        }
    }

    /// Adds an error that breaks the statement it is in.
    pub(crate) fn push_lexical(&mut self, error: SyntaxError) {
        self.lexical.push(error.span.start);
        self.push(error);
    }

    /// Whether nothing is wrong.
    pub(crate) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether there is more to say than will be shown.
    pub(crate) const fn full(&self) -> bool {
        self.overflow.is_some()
    }

    /// Whether a lexical error lies in `start..end`. Lexical errors are added
    /// in the order of the text.
    pub(crate) fn lexical_in(&self, start: u32, end: u32) -> bool {
        let from = self.lexical.partition_point(|&at| at < start);
        self.lexical.get(from).is_some_and(|&at| at < end)
    }

    /// All errors in the order of the text.
    pub(crate) fn finish(mut self) -> Vec<SyntaxError> {
        self.list.sort_by_key(|e| (e.span.start, e.span.end));
        if let Some(span) = self.overflow {
            self.list.push(
                SyntaxError::new(
                    SyntaxCode::TooManyErrors,
                    span,
                    format!("too many errors: only the first {MAX_ERRORS} are shown"),
                    "there are more errors from here on",
                )
                .help("repair those above first"),
            );
        }
        self.list
    }
}

/// At most 40 characters of a token for a message.
pub(crate) fn shorten(written: &str) -> String {
    match written.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", written.get(..at).unwrap_or("")),
        None => written.to_owned(),
    }
}
