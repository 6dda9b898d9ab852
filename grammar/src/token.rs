//! Tokens: what the lexer gives and the grammar takes.
//!
//! Owns the keyword list. It must not know where a token may stand.

use std::borrow::Cow;

use crate::span::Span;

macro_rules! keywords {
    ($($name:ident = $word:literal,)*) => {
        /// A reserved word.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Keyword {
            $($name,)*
        }

        /// Every reserved word, in the order of the language reference.
        pub const KEYWORDS: &[&str] = &[$($word,)*];

        impl Keyword {
            /// The keyword that `word` spells.
            pub(crate) fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Its spelling.
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

keywords! {
    Deny = "deny",
    Allow = "allow",
    Audit = "audit",
    Kill = "kill",
    Default = "default",
    OnError = "on_error",
    Scope = "scope",
    When = "when",
    Unless = "unless",
    Inherit = "inherit",
    Exempt = "exempt",
    Let = "let",
    Include = "include",
    Assert = "assert",
    Test = "test",
    Given = "given",
    Expect = "expect",
    And = "and",
    Or = "or",
    Not = "not",
    In = "in",
    Has = "has",
    Any = "any",
    True = "true",
    False = "false",
    Until = "until",
    With = "with",
}

impl Keyword {
    /// `deny allow audit kill`: they begin a rule, and follow `default`,
    /// `on_error`, `assert` and `expect`.
    pub(crate) const fn is_effect(self) -> bool {
        matches!(self, Self::Deny | Self::Allow | Self::Audit | Self::Kill)
    }

    /// Whether a statement or a line of a test can begin with it.
    pub(crate) const fn begins_statement(self) -> bool {
        self.is_effect()
            || matches!(
                self,
                Self::Default
                    | Self::OnError
                    | Self::Scope
                    | Self::Exempt
                    | Self::Let
                    | Self::Include
                    | Self::Assert
                    | Self::Test
                    | Self::Given
                    | Self::Expect
            )
    }
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token<'t> {
    /// A name without a dot that is no keyword.
    Name(&'t str),
    /// A dotted name.
    Dotted(&'t str),
    /// A name before `(`, other than an annotation's.
    Call(&'t str),
    /// An integer.
    Int { value: u64, radix: u8 },
    /// A string, after escapes.
    Str { bytes: Cow<'t, [u8]>, raw: bool },
    /// A keyword; `&& || !` are `and or not` here.
    Kw(Keyword),
    /// `==`
    EqEq,
    /// `!=`
    NotEq,
    /// `<`
    Less,
    /// `<=`
    LessEq,
    /// `>`
    Greater,
    /// `>=`
    GreaterEq,
    /// `=`
    Eq,
    /// `,`
    Comma,
    /// `..`
    DotDot,
    /// `@`
    At,
    /// `(`
    LParen,
    /// `)`
    RParen,
    /// `[`
    LBracket,
    /// `]`
    RBracket,
    /// `{`
    LBrace,
    /// `}`
    RBrace,
    /// A condition that did not parse. No text lexes to it.
    Broken,
}

impl Token<'_> {
    /// The keyword that this is.
    pub(crate) const fn keyword(&self) -> Option<Keyword> {
        match self {
            Self::Kw(keyword) => Some(*keyword),
            _ => None,
        }
    }

    /// `== != < <= > >=`
    pub(crate) const fn is_compare(&self) -> bool {
        matches!(
            self,
            Self::EqEq | Self::NotEq | Self::Less | Self::LessEq | Self::Greater | Self::GreaterEq
        )
    }

    /// Whether a value, a name or a condition must follow, so that a keyword
    /// on the same line can only be meant as a name.
    pub(crate) const fn wants_operand(&self) -> bool {
        match self {
            Self::Kw(keyword) => {
                !matches!(keyword, Keyword::True | Keyword::False | Keyword::Inherit)
            }
            Self::Eq | Self::Comma | Self::DotDot | Self::At | Self::LParen | Self::LBracket => {
                true
            }
            other => other.is_compare(),
        }
    }
}

/// A token and its place.
#[derive(Debug, Clone)]
pub(crate) struct Lexeme<'t> {
    pub(crate) token: Token<'t>,
    pub(crate) span: Span,
    /// No other token stands before it on its line.
    pub(crate) first_on_line: bool,
}
