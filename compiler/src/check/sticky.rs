//! How much of a policy sticks to tasks.
//!
//! Owns the limit on inherited scopes and on sets of programs that `ancestor.exe` is
//! compared with. It must not know how they are kept.

use std::collections::HashSet;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::STICKY_BITS;
use lsmpc_syntax::Span;

use super::Checker;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::glob::Glob;
use crate::hir::{Cond, CondKind, FieldRef, FieldTest, Hir};

impl Checker<'_> {
    /// Reports what is one too many.
    pub(super) fn sticky(&mut self) {
        let Some(span) = first_beyond(&self.hir, STICKY_BITS as usize) else {
            return;
        };
        self.report(
            Diagnostic::new(
                Code::TooMuchSticks,
                format!("more than {STICKY_BITS} things stick to tasks"),
                span,
                "one too many",
            )
            .help(
                "each `scope … inherit` takes one, and each set of programs that \
                 `ancestor.exe` is compared with: compare with the same set in several rules",
            ),
        );
    }
}

/// The first of what sticks that there is no room for.
fn first_beyond(hir: &Hir, room: usize) -> Option<Span> {
    let scopes = || {
        hir.modules
            .iter()
            .filter_map(|module| module.scope.as_ref())
    };
    let inherited: Vec<Span> = scopes()
        .filter(|scope| scope.inherit)
        .map(|scope| scope.name.span)
        .collect();
    if let Some(span) = inherited.get(room) {
        return Some(*span);
    }
    let heads = scopes().flat_map(|scope| [Some(&scope.when), scope.until.as_ref()]);
    let rules = hir.modules.iter().flat_map(|module| &module.rules);
    let conds = heads
        .chain(rules.flat_map(|rule| [rule.when.as_ref(), rule.unless.as_ref()]))
        .flatten()
        .chain(&hir.exempts);
    let mut sets: HashSet<Vec<Glob>> = HashSet::new();
    conds
        .flat_map(ancestors)
        .find(|(globs, _)| {
            let mut globs = globs.to_vec();
            globs.sort();
            globs.dedup();
            sets.insert(globs) && sets.len().saturating_add(inherited.len()) > room
        })
        .map(|(_, span)| span)
}

/// The tests of `ancestor.exe` in a condition.
fn ancestors(cond: &Cond) -> Vec<(&[Glob], Span)> {
    let mut found = Vec::new();
    add_ancestors(cond, &mut found);
    found
}

fn add_ancestors<'c>(cond: &'c Cond, into: &mut Vec<(&'c [Glob], Span)>) {
    match &cond.kind {
        CondKind::Test(FieldRef::Field(FieldId::AncestorExe), FieldTest::Globs(globs)) => {
            into.push((globs.as_ref(), cond.span));
        }
        CondKind::Test(..) => {}
        CondKind::Not(inner) => add_ancestors(inner, into),
        CondKind::And(parts) | CondKind::Or(parts) => {
            for part in parts {
                add_ancestors(part, into);
            }
        }
    }
}
