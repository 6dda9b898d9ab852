//! A policy with its meaning: names resolved, types checked, spans kept.
//!
//! Owns the typed form that diagnostics, the reference evaluator and the
//! intermediate form start from. Sugar is kept (`any_path`, the sets as they were
//! written); what LANGUAGE §5 says is for those who read it.

mod dump;

use std::sync::Arc;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_syntax::{Span, Spanned};

use crate::code::Code;
use crate::event::FieldValue;
use crate::glob::Glob;

/// A checked policy.
#[derive(Debug, Clone, Default)]
pub struct Hir {
    /// The statements outside any scope first (always present), then the scopes
    /// in source order.
    pub modules: Vec<Module>,
    /// Conditions of `exempt`, on subject fields only.
    pub exempts: Vec<Cond>,
    /// `assert`s, in source order.
    pub asserts: Vec<Assert>,
    /// `test`s, in source order.
    pub tests: Vec<Test>,
}

/// Statements that give one verdict together (LANGUAGE §5).
#[derive(Debug, Clone, Default)]
pub struct Module {
    /// `None` outside scopes.
    pub scope: Option<Scope>,
    /// In source order.
    pub rules: Vec<Rule>,
    /// At most one for each hook.
    pub defaults: Vec<Default_>,
    /// At most one for each hook.
    pub on_errors: Vec<OnError>,
}

/// A scope's head.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Its name.
    pub name: Spanned<String>,
    /// When it holds, by itself.
    pub when: Cond,
    /// Set if it sticks to the task and its children.
    pub inherit: bool,
    /// What ends it at an exec.
    pub until: Option<Cond>,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Deny with this errno.
    Deny(u16),
    /// Deny with EPERM and kill.
    Kill,
    /// Allow.
    Allow,
    /// Record.
    Audit,
}

impl Effect {
    /// The keyword.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Deny(_) => "deny",
            Self::Kill => "kill",
            Self::Allow => "allow",
            Self::Audit => "audit",
        }
    }
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its `@id`, else `file:line[:column]`.
    pub id: String,
    /// What the annotations say.
    pub notes: Annotations,
    /// Where the effect's keyword stands.
    pub place: Place,
    /// What it does.
    pub effect: Effect,
    /// The effect's keyword, and `with ERRNO`.
    pub effect_span: Span,
    /// Without duplicates, in source order.
    pub hooks: Vec<Spanned<HookId>>,
    /// `when`
    pub when: Option<Cond>,
    /// `unless`
    pub unless: Option<Cond>,
    /// The whole rule.
    pub span: Span,
}

/// Where something stands, for reports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The file, relative to the root file's directory.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

/// The annotations of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    /// `@id`
    pub id: Option<Spanned<String>>,
    /// `@message`
    pub message: Option<String>,
    /// `@severity`
    pub severity: Option<String>,
    /// `@tag`
    pub tags: Vec<String>,
    /// `@reference`
    pub reference: Option<String>,
    /// `@quiet(true)`
    pub quiet: bool,
    /// `@silence`
    pub silenced: Vec<Code>,
}

/// A default for one hook.
#[derive(Debug, Clone)]
pub struct Default_ {
    /// The hook.
    pub hook: HookId,
    /// What happens where no rule decides.
    pub effect: DefaultEffect,
    /// Where the keyword stands.
    pub place: Place,
    /// The hook's name in the statement.
    pub span: Span,
}

/// What a default does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DefaultEffect {
    /// Deny with EPERM.
    Deny,
    /// Allow.
    Allow,
    /// Allow and record.
    Audit,
}

/// An `on_error` for one hook.
#[derive(Debug, Clone)]
pub struct OnError {
    /// The hook.
    pub hook: HookId,
    /// Whether unknowns that matter deny.
    pub deny: bool,
    /// The hook's name in the statement.
    pub span: Span,
}

/// An `assert`.
#[derive(Debug, Clone)]
pub struct Assert {
    /// Whether events must be denied (else: must not be).
    pub deny: bool,
    /// Without duplicates, in source order.
    pub hooks: Vec<Spanned<HookId>>,
    /// `when`
    pub when: Option<Cond>,
    /// `unless`
    pub unless: Option<Cond>,
    /// The whole statement.
    pub span: Span,
}

/// A `test`.
#[derive(Debug, Clone)]
pub struct Test {
    /// Its name.
    pub name: Spanned<Vec<u8>>,
    /// In source order.
    pub steps: Vec<TestStep>,
}

/// A line of a test.
#[derive(Debug, Clone)]
pub enum TestStep {
    /// `given`
    Given(Vec<Binding>),
    /// `expect`
    Expect {
        /// What must come out.
        verdict: Expected,
        /// The hook that fires.
        hook: Spanned<HookId>,
        /// For this event only.
        bindings: Vec<Binding>,
        /// The whole step.
        span: Span,
    },
}

/// What an `expect` wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expected {
    /// Denied and not killed; with this errno, if one is named.
    Deny(Option<u16>),
    /// Not denied.
    Allow,
    /// Killed.
    Kill,
    /// Allowed with a record.
    Audit,
    /// Allowed without one.
    Quiet,
}

/// A value given to a field.
#[derive(Debug, Clone)]
pub enum Binding {
    /// `FIELD = VALUE`
    Field(FieldId, FieldValue, Span),
    /// `inherited = […]`
    Inherited(Vec<String>, Span),
}

/// A condition with its place.
#[derive(Debug, Clone)]
pub struct Cond {
    /// What it says.
    pub kind: CondKind,
    /// Where: in a `let`, if it comes from one.
    pub span: Span,
}

/// A condition.
#[derive(Debug, Clone)]
pub enum CondKind {
    /// A test of a field.
    Test(FieldRef, FieldTest),
    /// `not`, `!=` and `not in`.
    Not(Box<Cond>),
    /// Two or more.
    And(Vec<Cond>),
    /// Two or more.
    Or(Vec<Cond>),
}

/// A field as it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldRef {
    /// One field.
    Field(FieldId),
    /// `any_path`: `path` or, where there is one, `new_path`.
    AnyPath,
}

impl FieldRef {
    /// The name in the language.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Field(field) => field.name(),
            Self::AnyPath => "any_path",
        }
    }

    /// The field that it has its type from.
    #[must_use]
    pub const fn field(self) -> FieldId {
        match self {
            Self::Field(field) => field,
            Self::AnyPath => FieldId::Path,
        }
    }
}

/// What is asked of a field's value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FieldTest {
    /// A string matches one of the globs.
    Globs(Arc<[Glob]>),
    /// A number lies in one of the ranges (inclusive, as written).
    Ranges(Arc<[(u64, u64)]>),
    /// A number is before or after another.
    Order(Order, u64),
    /// An address is in one of the blocks.
    Blocks(Arc<[Block]>),
    /// All of the masks are wholly set.
    HasAll(Arc<[u64]>),
    /// One of the masks is wholly set.
    HasAny(Arc<[u64]>),
}

/// `<`, `<=`, `>`, `>=`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

/// A block of addresses of one family. IPv4-mapped IPv6 addresses are IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Block {
    /// The first address and the length of the prefix, up to 32.
    V4(u32, u8),
    /// The first address and the length of the prefix, up to 128.
    V6(u128, u8),
}

impl Module {
    /// The scope's name, empty outside scopes.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.scope {
            Some(scope) => &scope.name.node,
            None => "",
        }
    }

    /// The default for a hook.
    #[must_use]
    pub fn default_for(&self, hook: HookId) -> Option<&Default_> {
        self.defaults.iter().find(|default| default.hook == hook)
    }

    /// The `on_error` for a hook.
    #[must_use]
    pub fn on_error_for(&self, hook: HookId) -> Option<&OnError> {
        self.on_errors.iter().find(|on_error| on_error.hook == hook)
    }
}

impl Rule {
    /// Whether the rule is about a hook.
    #[must_use]
    pub fn is_about(&self, hook: HookId) -> bool {
        self.hooks.iter().any(|named| named.node == hook)
    }
}

impl Hir {
    /// The policy as text, for tests and for finding out what was understood.
    #[must_use]
    pub fn dump(&self) -> String {
        dump::dump(self)
    }

    /// The names of the scopes, in source order.
    pub fn scope_names(&self) -> impl Iterator<Item = &str> {
        self.modules
            .iter()
            .filter_map(|module| module.scope.as_ref())
            .map(|scope| scope.name.node.as_str())
    }
}
