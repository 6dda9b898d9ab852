//! `assert`: promises about every event that can happen.
//!
//! Owns the question whether a policy keeps one, and what is said if it does not:
//! an event that breaks it, and the rules that decided. It must not know how the
//! question is decided.

use lsmpc_abi::hook::HookId;
use lsmpc_syntax::Spanned;

use super::frame::{Frame, Undecided, translator};
use super::report::Reports;
use super::stuck::Stuck;
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::event::{Event, Verdict};
use crate::hir::{Assert, Hir};
use crate::ir::{Cond, HookIr, Ir, RuleId};
use crate::irgen;
use crate::lower::LowerError;
use crate::lower::diagram::Model;
use crate::lower::formula::{ExprId, FALSE, Formulas, TRUE};
use crate::lower::outcome::OutcomeId;
use crate::lower::residual::{HookModel, Residual};
use crate::lower::variable::Translator;
use crate::reference::{self, Truth};

/// Most rules that a message names.
const MAX_NAMED: usize = 3;

/// Stands for "denied, whatever else".
const DENIED: u32 = u32::MAX - 1;
/// The promise's condition.
const ASKED: u32 = u32::MAX;

/// The promise is not about the event, or it is kept.
const KEPT: OutcomeId = OutcomeId(0);
/// It is broken.
const BROKEN: OutcomeId = OutcomeId(1);

/// Checks every `assert`.
pub(super) fn examine(hir: &Hir, ir: &Ir, reports: &mut Reports) {
    for assert in &hir.asserts {
        for hook in &assert.hooks {
            match counterexample(ir, assert, hook.node) {
                Ok(None) => {}
                Ok(Some(event)) => reports.add(broken(hir, assert, hook, &event)),
                Err(reason) => {
                    let mut diagnostic = Diagnostic::new(
                        Code::NotDecided,
                        format!("not decided whether this holds on `{}`", hook.node.name()),
                        assert.span,
                        "neither shown to hold nor to fail",
                    )
                    .note(reason)
                    .help("ask about fewer fields, or make the policy simpler");
                    diagnostic.severity = Severity::Warning;
                    reports.add(diagnostic);
                }
            }
        }
    }
}

/// An event that breaks the promise, if there is one.
pub(super) fn counterexample(
    ir: &Ir,
    assert: &Assert,
    hook: HookId,
) -> Result<Option<Event>, Undecided> {
    let parts: Vec<_> = assert.when.iter().chain(&assert.unless).collect();
    let bare = Ir {
        predicates: ir.predicates.clone(),
        scopes: ir.scopes.clone(),
        sticky: ir.sticky.clone(),
        ..Ir::default()
    };
    let (asked, mut conds) = irgen::add_conditions(bare, hook, &parts);
    if let Some(unless) = assert.unless.as_ref().and_then(|_| conds.pop()) {
        conds.push(Cond::Not(Box::new(unless)));
    }
    let condition = Cond::And(conds);
    let silent = HookIr {
        hook,
        exempt: Cond::Const(false),
        modules: Vec::new(),
    };
    let found = ir.hooks.iter().find(|found| found.hook == hook);
    let hook_ir = found.unwrap_or(&silent);
    let mut frame = Frame::default();
    let stuck = Stuck::new(&asked, &mut frame)?;
    let decided = frame.decide(hook, false, |variables, formulas, order| {
        let mut translator = translator(&asked, variables, formulas, order);
        Promise::new(hook_ir, &condition, assert.deny, &mut translator)
    })?;
    decided.event(&stuck, |terminal| terminal == BROKEN)
}

/// What is asked.
#[derive(Debug)]
struct Promise<'ir> {
    policy: HookModel<'ir>,
    alike: Vec<u32>,
    /// Whether events must be denied.
    deny: bool,
}

impl<'ir> Promise<'ir> {
    fn new(
        hook: &'ir HookIr,
        condition: &Cond,
        deny: bool,
        translator: &mut Translator<'_>,
    ) -> Result<(Self, Residual), LowerError> {
        let asked = translator.cond(condition)?;
        let (policy, mut residual) = HookModel::new(hook, translator)?;
        if asked != FALSE {
            residual.push((ASKED, asked));
        }
        let alike = policy.alike();
        let promise = Self {
            policy,
            alike,
            deny,
        };
        let residual = promise.normalise(translator.formulas, residual);
        Ok((promise, residual))
    }
}

impl Model for Promise<'_> {
    fn hook(&self) -> Option<HookId> {
        Some(self.policy.hook().hook)
    }

    fn rule(&self, item: u32) -> Option<RuleId> {
        self.policy.rule(item)
    }

    fn normalise(&self, formulas: &mut Formulas, mut residual: Residual) -> Residual {
        let Some((ASKED, asked)) = residual.pop() else {
            return Residual::new();
        };
        let denied = matches!(residual.last(), Some((DENIED, _))) || {
            residual = self.policy.normalise(formulas, residual);
            self.policy.denies(&residual)
        };
        if denied {
            // A denial stands.
            return if self.deny {
                Residual::new()
            } else {
                vec![(DENIED, TRUE), (ASKED, asked)]
            };
        }
        residual = self.policy.merge(&self.alike, residual);
        residual.push((ASKED, asked));
        residual
    }

    fn terminal(&mut self, residual: &[(u32, ExprId)]) -> OutcomeId {
        let Some(((ASKED, TRUE), rest)) = residual.split_last() else {
            return KEPT;
        };
        let denied = matches!(rest.last(), Some((DENIED, _)))
            || self.policy.outcome(rest).verdict != Verdict::Allow;
        if denied == self.deny { KEPT } else { BROKEN }
    }
}

/// What is said of a promise that is not kept.
fn broken(hir: &Hir, assert: &Assert, hook: &Spanned<HookId>, event: &Event) -> Diagnostic {
    let answer = reference::evaluate(hir, event).ok();
    let verdict = answer.as_ref().map(|answer| answer.verdict);
    let denied = verdict.is_some_and(|verdict| verdict != Verdict::Allow);
    if denied == assert.deny {
        // Two ways to evaluate a policy must not disagree.
        return Diagnostic::new(
            Code::Internal,
            "an event breaks an `assert` for one evaluator and not for another",
            assert.span,
            event.to_json_line(),
        )
        .help("please report it, with the policy if you can");
    }
    let label = match verdict {
        Some(Verdict::Kill) => "there is an event that is denied and kills the task",
        Some(Verdict::Deny) => "there is an event that is denied",
        _ => "there is an event that is allowed",
    };
    let mut diagnostic = Diagnostic::new(
        Code::AssertFails,
        format!("this does not hold on `{}`", hook.node.name()),
        hook.span,
        label,
    );
    let json = event.to_json_line();
    let rules = answer.map(|answer| answer.rules).unwrap_or_default();
    let mut named = 0;
    for module in &hir.modules {
        for rule in &module.rules {
            if named < MAX_NAMED && rule.is_about(hook.node) && rules.contains(&rule.id) {
                named += 1;
                diagnostic = diagnostic.also(rule.effect_span, "took effect");
            }
        }
        for default in &module.defaults {
            let id = format!("default:{}", module.name());
            if default.hook == hook.node && rules.contains(&id) {
                diagnostic = diagnostic.also(default.span, "decided by this default");
            }
        }
    }
    let exempt = hir
        .exempts
        .iter()
        .find(|exempt| reference::truth(exempt, event) == Truth::True);
    if let Some(exempt) = exempt {
        diagnostic = diagnostic.also(exempt.span, "the subject is exempt");
    } else if rules.is_empty() {
        diagnostic = diagnostic.note("no rule takes effect on it");
    }
    diagnostic = diagnostic.note(format!("the event: {json}"));
    let reproduce = if json.contains('\'') {
        "`lsmpc eval POLICY --events FILE` with this line in FILE answers the same".to_owned()
    } else {
        format!("to see it: echo '{json}' | lsmpc eval POLICY --events -")
    };
    diagnostic.help(reproduce)
}
