//! What the image says about itself to people.

use std::borrow::Cow;

use lsmpc_abi::catalogue;
use lsmpc_engine::report::{
    FORMAT, OutcomeReport, Report, RuleReport, SourceReport, StickyReport, Verdict as ReportVerdict,
};

use crate::event::Verdict;
use crate::ir::{Ir, RuleId, RuleKind, Sticky, Test};
use crate::lower::{LowerOptions, Outcome, Tables, notation};

/// The report of an image whose outcomes are `outcomes`, by number.
pub(super) fn build<'a>(
    ir: &'a Ir,
    tables: &Tables,
    outcomes: &[&Outcome],
    options: &LowerOptions<'a>,
) -> Report<'a> {
    Report {
        format: FORMAT,
        compiler: env!("CARGO_PKG_VERSION").into(),
        hooks: tables
            .hooks
            .iter()
            .map(|hook| hook.hook.name().into())
            .collect(),
        scopes: ir.scopes.iter().map(Into::into).collect(),
        sticky: ir.sticky.iter().map(|sticky| stuck(ir, sticky)).collect(),
        rules: ir
            .rules
            .iter()
            .map(|rule| RuleReport {
                id: (&rule.id).into(),
                file: Cow::Borrowed(&rule.file),
                line: rule.line,
                column: rule.column,
                kind: kind(rule.kind).into(),
                message: rule.message.as_deref().map(Into::into),
                severity: rule.severity.as_deref().map(Into::into),
                tags: (&rule.tags).into(),
                reference: rule.reference.as_deref().map(Into::into),
            })
            .collect(),
        outcomes: outcomes
            .iter()
            .map(|outcome| OutcomeReport {
                verdict: match outcome.verdict {
                    Verdict::Allow => ReportVerdict::Allow,
                    Verdict::Deny => ReportVerdict::Deny,
                    Verdict::Kill => ReportVerdict::Kill,
                },
                errno: outcome.errno.map(|number| {
                    catalogue::errno_name(number)
                        .map_or_else(|| number.to_string().into(), Into::into)
                }),
                record: outcome.record,
                unknown: outcome.on_error,
                rules: sorted(ir, &outcome.rules),
            })
            .collect(),
        sources: options
            .sources
            .iter()
            .map(|source| SourceReport {
                name: source.name.into(),
                text: source.text.into(),
            })
            .collect(),
    }
}

/// Rules in the order of their ids.
fn sorted(ir: &Ir, rules: &[RuleId]) -> Vec<u32> {
    let mut numbers: Vec<u32> = rules.iter().map(|rule| rule.0).collect();
    if numbers.len() > 1 {
        let id = |number: u32| ir.rules.get(number as usize).map(|rule| rule.id.as_str());
        numbers.sort_by(|a, b| id(*a).cmp(&id(*b)).then(a.cmp(b)));
    }
    numbers
}

fn kind(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::Deny => "deny",
        RuleKind::Kill => "kill",
        RuleKind::Allow => "allow",
        RuleKind::Audit => "audit",
        RuleKind::Default => "default",
    }
}

fn stuck(ir: &Ir, sticky: &Sticky) -> StickyReport {
    match sticky {
        Sticky::Scope { scope, .. } => {
            let name = ir.scopes.get(*scope as usize);
            StickyReport::Scope(name.cloned().unwrap_or_default())
        }
        Sticky::Ancestor { program } => {
            let predicate = ir.predicates.get(program.0 as usize);
            let globs = match predicate.map(|predicate| &predicate.test) {
                Some(Test::Globs(globs)) => globs.iter().map(notation::glob).collect(),
                _ => Vec::new(),
            };
            StickyReport::Ancestor(globs)
        }
    }
}
