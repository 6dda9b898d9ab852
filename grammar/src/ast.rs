//! The syntax tree: what was written, with spans, nothing resolved.
//!
//! Owns the shape of a parsed file. It must not know hooks, fields or types:
//! names are kept as text. The only normalisation is that `&& || !` become
//! `and or not` and that literals carry their value.

use crate::span::{Span, Spanned};

/// A name as written; dotted names (`parent.exe`) keep their dot.
pub type Name = Spanned<String>;

/// One source file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File {
    /// In source order. Statements that did not parse are absent (their
    /// errors are reported beside the tree).
    pub statements: Vec<Statement>,
}

/// A statement with the span from its first annotation or keyword to its end.
pub type Statement = Spanned<StatementKind>;

/// `statement` of LANGUAGE §3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementKind {
    /// `include "…"`
    Include(Spanned<Vec<u8>>),
    /// `let NAME = …`
    Let(Let),
    /// `default deny|allow|audit HOOKS`
    Default(Default_),
    /// `on_error deny|allow HOOKS`
    OnError(OnError),
    /// `deny|kill|allow|audit HOOKS …`
    Rule(Rule),
    /// `scope NAME when … { … }`
    Scope(Scope),
    /// `exempt when …`
    Exempt(Exempt),
    /// `assert deny|allow HOOKS …`
    Assert(Assert),
    /// `test "…" { … }`
    Test(Test),
}

/// `let NAME = …`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Let {
    /// The name bound.
    pub name: Name,
    /// What it is bound to.
    pub value: LetValue,
}

/// The right side of a `let`. A bare name (`let a = b`) is
/// `Expr(ExprKind::Name)`: only resolution can tell what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LetValue {
    /// `[…]`
    Set(Set),
    /// A single literal.
    Literal(Literal),
    /// A condition, or a bare name.
    Expr(Expr),
}

/// The effect of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// `deny [with ERRNO]`
    Deny {
        /// The errno's name as written.
        errno: Option<Name>,
    },
    /// `kill`
    Kill,
    /// `allow`
    Allow,
    /// `audit`
    Audit,
}

/// `@name(literal)`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// Without the `@`.
    pub name: Name,
    /// The argument.
    pub value: Literal,
    /// From `@` to `)`.
    pub span: Span,
}

/// `{ annotation } effect hooks [when] [unless]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// In source order.
    pub annotations: Vec<Annotation>,
    /// The effect; its span is that of the keyword (and `with ERRNO`).
    pub effect: Spanned<Effect>,
    /// At least one.
    pub hooks: Vec<Name>,
    /// `when`
    pub when: Option<Expr>,
    /// `unless`
    pub unless: Option<Expr>,
}

/// The verdict words of `default`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DefaultEffect {
    /// `deny`
    Deny,
    /// `allow`
    Allow,
    /// `audit`
    Audit,
}

/// `default deny|allow|audit HOOKS`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Default_ {
    /// The word after `default`.
    pub effect: Spanned<DefaultEffect>,
    /// At least one.
    pub hooks: Vec<Name>,
}

/// `deny` or `allow`, of `on_error` and `assert`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DenyAllow {
    /// `deny`
    Deny,
    /// `allow`
    Allow,
}

/// `on_error deny|allow HOOKS`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnError {
    /// The word after `on_error`.
    pub effect: Spanned<DenyAllow>,
    /// At least one.
    pub hooks: Vec<Name>,
}

/// `scope NAME when EXPR [inherit [until EXPR]] { … }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The scope's name.
    pub name: Name,
    /// When it holds.
    pub when: Expr,
    /// Present if `inherit` was written.
    pub inherit: Option<Inherit>,
    /// `let`, `default`, `on_error` and rules only; the parser reports others.
    pub statements: Vec<Statement>,
}

/// `inherit [until EXPR]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inherit {
    /// The keyword.
    pub span: Span,
    /// `until`
    pub until: Option<Expr>,
}

/// `exempt when EXPR`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exempt {
    /// The condition.
    pub when: Expr,
}

/// `assert deny|allow HOOKS [when] [unless]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assert {
    /// What must hold.
    pub effect: Spanned<DenyAllow>,
    /// At least one.
    pub hooks: Vec<Name>,
    /// `when`
    pub when: Option<Expr>,
    /// `unless`
    pub unless: Option<Expr>,
}

/// `test "NAME" { … }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// The test's name.
    pub name: Spanned<Vec<u8>>,
    /// In source order.
    pub steps: Vec<TestStep>,
}

/// A line of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestStep {
    /// `given FIELD = VALUE, …`
    Given {
        /// At least one.
        bindings: Vec<Binding>,
        /// The whole step.
        span: Span,
    },
    /// `expect VERDICT HOOK FIELD = VALUE, …`
    Expect {
        /// The verdict expected.
        verdict: Spanned<Expected>,
        /// The hook.
        hook: Name,
        /// Possibly none.
        bindings: Vec<Binding>,
        /// The whole step.
        span: Span,
    },
}

/// The verdict of an `expect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// `deny [with ERRNO]`
    Deny {
        /// The errno's name.
        errno: Option<Name>,
    },
    /// `allow`
    Allow,
    /// `kill`
    Kill,
    /// `audit`
    Audit,
    /// `quiet`
    Quiet,
}

/// `FIELD = VALUE` of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The field.
    pub field: Name,
    /// Its value.
    pub value: BindingValue,
    /// The whole binding.
    pub span: Span,
}

/// The value of a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindingValue {
    /// A literal.
    Literal(Literal),
    /// A set.
    Set(Set),
    /// An enumerator, a `let`, or `none`.
    Name(Name),
}

/// A condition.
pub type Expr = Spanned<ExprKind>;

/// `expr` of LANGUAGE §3. Parentheses leave no node; the printer puts back
/// those that precedence needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExprKind {
    /// Two or more operands; `a or b or c` is one node.
    Or(Vec<Expr>),
    /// Two or more operands.
    And(Vec<Expr>),
    /// `not e`
    Not(Box<Expr>),
    /// `FIELD == x`, `<` …
    Compare {
        /// Left side.
        field: Name,
        /// The operator.
        op: Spanned<CompareOp>,
        /// Right side.
        value: Operand,
    },
    /// `FIELD [not] in …`
    In {
        /// Left side.
        field: Name,
        /// `not in`
        negated: bool,
        /// The keywords.
        op: Span,
        /// Right side.
        set: SetOrName,
    },
    /// `FIELD has [any] …`
    Has {
        /// Left side.
        field: Name,
        /// `has any`
        any: bool,
        /// The keywords.
        op: Span,
        /// Right side.
        set: SetOrName,
    },
    /// A bool field or a `let`.
    Name(String),
    /// A stand-in where a condition did not parse; the error is reported
    /// beside the tree and later stages pass over it in silence.
    Error,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// The right side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// A literal.
    Literal(Literal),
    /// An enumerator or a `let`.
    Name(Name),
    /// Not in the grammar; kept so that the checker can suggest `in`.
    Set(Set),
}

/// The right side of `in` and `has`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetOrName {
    /// `[…]`
    Set(Set),
    /// An enumerator (after `has`) or a `let`.
    Name(Name),
    /// Not in the grammar (`x in "y"`); kept so that the checker can suggest
    /// brackets or `==`.
    Literal(Literal),
}

/// A literal.
pub type Literal = Spanned<LiteralKind>;

/// The kinds of literal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LiteralKind {
    /// The bytes after escapes, and whether it was written raw.
    String {
        /// Value.
        bytes: Vec<u8>,
        /// `r"…"`
        raw: bool,
    },
    /// The value and how it was written (`0o4755` prints back as such).
    Int {
        /// Value.
        value: u64,
        /// Radix of the spelling: 2, 8, 10 or 16.
        radix: u8,
    },
    /// `true`, `false`
    Bool(bool),
    /// `user("…")`
    User(Vec<u8>),
    /// `group("…")`
    Group(Vec<u8>),
}

/// `[…]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// In source order.
    pub items: Vec<Item>,
    /// With the brackets.
    pub span: Span,
}

/// An item of a set.
pub type Item = Spanned<ItemKind>;

/// The kinds of item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemKind {
    /// A literal.
    Literal(Literal),
    /// `a..b`, inclusive.
    Range {
        /// First value.
        low: Literal,
        /// Last value.
        high: Literal,
    },
    /// An enumerator or a `let`.
    Name(String),
    /// A set inside a set: an error that the checker words.
    Set(Set),
}
