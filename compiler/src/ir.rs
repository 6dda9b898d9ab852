//! The intermediate form between meaning and tables: per hook and module, rules
//! whose conditions are boolean formulas over interned field predicates.
//!
//! Owns what lowering needs and nothing else: names, spans and types are gone,
//! sugar is expanded (`any_path` is `path` or `new_path`; `!=` and `not in` are
//! `not`; `x in s` is one predicate; `ancestor.exe` is a bit that sticks). Conditions are three-valued: a predicate
//! on a field that is *none* is false, on one that is *unknown* is unknown, and
//! formulas follow Kleene. So an outcome depends on nothing but the truth values
//! of the predicates.

use std::sync::Arc;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

use crate::glob::Glob;

/// A whole policy, ready to lower.
#[derive(Debug, Clone, Default)]
pub struct Ir {
    /// Every predicate once; [`PredicateId`] indexes it.
    pub predicates: Vec<Predicate>,
    /// Only hooks that the policy names, in the order of their numbers.
    pub hooks: Vec<HookIr>,
    /// Every rule and default that can be reported; [`RuleId`] indexes it.
    pub rules: Vec<RuleInfo>,
    /// Names of the scopes, in source order.
    pub scopes: Vec<String>,
    /// What sticks to tasks; [`Test::Sticky`] indexes it.
    pub sticky: Vec<Sticky>,
}

/// Something that sticks to a task: a bit of its own in the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Sticky {
    /// An inherited scope: set once `when` has held, and for every task forked from
    /// there on, until an exec whose subject satisfies `until`.
    Scope {
        /// Index into [`Ir::scopes`].
        scope: u32,
        /// Its own condition, on fields of the subject.
        when: Cond,
        /// What ends it, on fields of the subject.
        until: Cond,
    },
    /// Whether some ancestor's program passes a test.
    Ancestor {
        /// That test, of `exe`.
        program: PredicateId,
    },
}

/// Index into [`Ir::predicates`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PredicateId(pub u32);

/// Index into [`Ir::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u32);

/// A test of one field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Predicate {
    /// The field.
    pub field: FieldId,
    /// What is asked of its value.
    pub test: Test,
}

/// What a predicate asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Test {
    /// A string (path or name) matches one of the globs.
    Globs(Arc<[Glob]>),
    /// An integer, enumerator, mode or bool (0, 1) lies in one of the ranges:
    /// inclusive, sorted, disjoint, not adjacent.
    Ranges(Vec<(u64, u64)>),
    /// An address (IPv4 as IPv4-mapped IPv6) lies in one of the ranges:
    /// inclusive, sorted, disjoint, not adjacent.
    Blocks(Vec<(u128, u128)>),
    /// All of these bits are set.
    HasAll(u64),
    /// That of [`Ir::sticky`] is set: the field is [`FieldId::Sticky`].
    Sticky(u32),
    /// One of these masks is wholly set (`has any [A, B]`; a flag of several
    /// bits means all of them). Sorted, no duplicates.
    HasAny(Vec<u64>),
}

/// A formula over predicates.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cond {
    /// A constant.
    Const(bool),
    /// A predicate.
    Test(PredicateId),
    /// Negation.
    Not(Box<Cond>),
    /// All hold; empty: true.
    And(Vec<Cond>),
    /// One holds; empty: false.
    Or(Vec<Cond>),
}

/// One hook.
#[derive(Debug, Clone)]
pub struct HookIr {
    /// Which.
    pub hook: HookId,
    /// Disjunction of all `exempt` conditions (subject fields only).
    pub exempt: Cond,
    /// The module of the statements outside any scope first (present even when
    /// empty), then one for each scope that says something about this hook.
    pub modules: Vec<ModuleIr>,
}

/// What one module says about one hook (LANGUAGE §5).
#[derive(Debug, Clone)]
pub struct ModuleIr {
    /// `None` outside scopes; else an index into [`Ir::scopes`].
    pub scope: Option<u32>,
    /// When the module holds (`Const(true)` outside scopes).
    pub holds: Cond,
    /// In source order (which does not matter).
    pub rules: Vec<RuleIr>,
    /// The module's default for this hook, and how it is reported.
    pub default: Option<(DefaultIr, RuleId)>,
    /// What decides when unknown rules matter: the scope's own, else the one
    /// outside scopes, else deny.
    pub on_error: OnErrorIr,
}

/// A module's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DefaultIr {
    /// Deny with EPERM.
    Deny,
    /// Allow, silently (also when none is given).
    Allow,
    /// Allow and record.
    Audit,
}

/// `on_error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnErrorIr {
    /// Deny with EPERM.
    Deny,
    /// The loosest possible verdict.
    Allow,
}

/// One rule for one hook.
#[derive(Debug, Clone)]
pub struct RuleIr {
    /// For reports.
    pub rule: RuleId,
    /// What it does.
    pub effect: EffectIr,
    /// `@quiet(true)`.
    pub quiet: bool,
    /// `when and not unless`.
    pub cond: Cond,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EffectIr {
    /// Deny with this errno (positive).
    Deny(u16),
    /// Deny with EPERM and kill.
    Kill,
    /// Allow.
    Allow,
    /// Record.
    Audit,
}

/// How a rule (or a default) is named and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInfo {
    /// Its `@id`, else `file:line[:column]`; `default:SCOPE` for a default.
    pub id: String,
    /// File, relative to the root file's directory.
    pub file: Arc<str>,
    /// Line of the effect keyword, from 1.
    pub line: u32,
    /// Column of the effect keyword in characters, from 1.
    pub column: u32,
    /// `deny`, `kill`, `allow`, `audit` or `default`.
    pub kind: RuleKind,
    /// `@message`
    pub message: Option<String>,
    /// `@severity`
    pub severity: Option<String>,
    /// `@tag`, in source order.
    pub tags: Vec<String>,
    /// `@reference`
    pub reference: Option<String>,
}

/// What a [`RuleInfo`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// `deny`
    Deny,
    /// `kill`
    Kill,
    /// `allow`
    Allow,
    /// `audit`
    Audit,
    /// `default`
    Default,
}
