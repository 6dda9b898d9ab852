//! Conditions that are always true or always false, decided over all values.
//!
//! Owns which conditions are worth a question: those that mention a field more
//! than once, or fields that only apply one without the other. What a single
//! comparison shows by itself is the checker's.

use std::collections::{BTreeMap, BTreeSet};

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_syntax::Span;

use super::frame::Frame;
use super::report::Reports;
use super::truths;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::hir::{Cond, CondKind, FieldRef, Hir, Rule};
use crate::ir;
use crate::irgen;

/// Larger conditions are not asked about part by part.
const MAX_PARTS: usize = 64;

/// Warns about conditions that never vary. `known` are places that something was
/// said about already.
pub(super) fn examine(hir: &Hir, known: &BTreeSet<Span>, reports: &mut Reports) -> BTreeSet<Span> {
    let mut finder = Finder {
        known,
        asked: BTreeMap::new(),
        found: BTreeSet::new(),
        reports,
    };
    for exempt in &hir.exempts {
        finder.condition(exempt, &[HookId::FileOpen], None);
    }
    for module in &hir.modules {
        if let Some(scope) = &module.scope {
            finder.condition(&scope.when, &[HookId::FileOpen], None);
            if let Some(until) = &scope.until {
                finder.condition(until, &[HookId::FileOpen], None);
            }
        }
        for rule in &module.rules {
            for cond in rule.when.iter().chain(&rule.unless) {
                if !is_suspect(cond) {
                    continue;
                }
                let hooks: Vec<HookId> = rule.hooks.iter().map(|hook| hook.node).collect();
                finder.condition(cond, &hooks, Some(rule));
            }
        }
    }
    for assert in &hir.asserts {
        let hooks: Vec<HookId> = assert.hooks.iter().map(|hook| hook.node).collect();
        for cond in assert.when.iter().chain(&assert.unless) {
            finder.condition(cond, &hooks, None);
        }
    }
    finder.found
}

/// A part that never varies, and its value.
type Constant = (Span, bool);

struct Finder<'a> {
    known: &'a BTreeSet<Span>,
    /// Conditions by place and hooks, and where each is constant: `let`s are
    /// looked into once.
    asked: BTreeMap<(Span, Vec<HookId>), Option<Constant>>,
    /// Rules with a constant condition.
    found: BTreeSet<Span>,
    reports: &'a mut Reports,
}

impl Finder<'_> {
    fn condition(&mut self, cond: &Cond, hooks: &[HookId], rule: Option<&Rule>) {
        let key = (cond.span, hooks.to_vec());
        let constant = match self.asked.get(&key) {
            Some(constant) => *constant,
            None => {
                let constant = constant(cond, hooks);
                self.asked.insert(key, constant);
                constant
            }
        };
        let Some((span, value)) = constant else {
            return;
        };
        self.found.extend(rule.map(|rule| rule.span));
        let contains = |inner: &Span| {
            inner.file == span.file && span.start <= inner.start && inner.end <= span.end
        };
        if self.known.iter().any(contains) {
            return;
        }
        let word = if value { "true" } else { "false" };
        let diagnostic = Diagnostic::new(
            Code::ConstantCondition,
            format!("this is always {word}"),
            span,
            format!("{word} for every event"),
        )
        .help(if value {
            "remove it, or compare with other values"
        } else {
            "as it is, it never applies: its parts exclude each other"
        });
        match rule {
            Some(rule) => {
                let inside = rule.span.file == span.file
                    && rule.span.start <= span.start
                    && span.end <= rule.span.end;
                let diagnostic = if inside {
                    diagnostic
                } else {
                    diagnostic.also(rule.effect_span, "used by this rule")
                };
                self.reports.of_rule(rule, diagnostic);
            }
            None => self.reports.add(diagnostic),
        }
    }
}

/// The innermost part that is constant on all hooks, and its value.
fn constant(cond: &Cond, hooks: &[HookId]) -> Option<Constant> {
    // If a part mentions a field twice, so does the whole.
    if !is_suspect(cond) {
        return None;
    }
    let mut parts = Vec::new();
    collect(cond, &mut parts);
    parts.retain(|part| is_suspect(part));
    if parts.len() > MAX_PARTS {
        // The whole comes last.
        parts = parts.split_off(parts.len() - 1);
    }
    if parts.is_empty() {
        return None;
    }
    let mut constants: BTreeMap<usize, BTreeSet<bool>> = BTreeMap::new();
    for hook in hooks {
        let (ir, conds) = irgen::conditions(*hook, &parts);
        let conds: Vec<&ir::Cond> = conds.iter().collect();
        // What is too large to decide is most likely no slip.
        let truths = truths::decide(&mut Frame::default(), &ir, *hook, &conds, false).ok()?;
        for (index, item) in (0..parts.len()).zip(0..) {
            let values = constants.entry(index).or_default();
            values.extend(
                truths
                    .iter()
                    .map(|truth| truth.iter().any(|(found, _)| *found == item)),
            );
        }
    }
    constants.into_iter().find_map(|(index, values)| {
        let value = *values.first().filter(|_| values.len() == 1)?;
        Some((parts.get(index)?.span, value))
    })
}

/// Every `and` and `or`, inner ones first.
fn collect<'c>(cond: &'c Cond, into: &mut Vec<&'c Cond>) {
    match &cond.kind {
        CondKind::Test(..) => {}
        CondKind::Not(inner) => collect(inner, into),
        CondKind::And(parts) | CondKind::Or(parts) => {
            for part in parts {
                collect(part, into);
            }
            into.push(cond);
        }
    }
}

/// Fields that apply to the same events or to none.
fn family(field: FieldId) -> FieldId {
    match field {
        FieldId::Family | FieldId::Addr | FieldId::Port | FieldId::UnixPath => FieldId::Family,
        field => field,
    }
}

/// Whether a condition's parts could exclude each other, or leave nothing: some field
/// is mentioned more than once.
fn is_suspect(cond: &Cond) -> bool {
    !mentions_once(cond, &mut 0)
}

/// Whether no field is mentioned twice, nor among `seen` (by bits).
fn mentions_once(cond: &Cond, seen: &mut u128) -> bool {
    let mut is_first = |field: FieldId| {
        let bit = 1_u128 << (family(field) as u8 & 127);
        let is_first = *seen & bit == 0;
        *seen |= bit;
        is_first
    };
    match &cond.kind {
        CondKind::Test(FieldRef::Field(field), _) => is_first(*field),
        CondKind::Test(FieldRef::AnyPath, _) => {
            is_first(FieldId::Path) && is_first(FieldId::NewPath)
        }
        CondKind::Not(inner) => mentions_once(inner, seen),
        CondKind::And(parts) | CondKind::Or(parts) => {
            parts.iter().all(|part| mentions_once(part, seen))
        }
    }
}
