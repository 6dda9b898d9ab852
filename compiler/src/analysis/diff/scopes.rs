//! Inherited scopes that begin or end elsewhere.
//!
//! Owns comparing when a scope that both policies have sticks to a task: no single
//! event shows that, as it is what the event after it starts from. It must not know
//! what scopes say.

use lsmpc_abi::hook::HookId;

use super::join::Shared;
use super::{ScopeChange, ScopePart};
use crate::analysis::frame::{Frame, Undecided, translator};
use crate::analysis::search::Reach;
use crate::analysis::stuck::Stuck;
use crate::ir::{Cond, Ir, RuleId};
use crate::lower::diagram::Model;
use crate::lower::formula::{ExprId, FALSE, Formulas, TRUE};
use crate::lower::outcome::OutcomeId;
use crate::lower::residual::Residual;
use crate::reference::Truth;

/// Whether a scope sticks alike by what is written.
pub(super) fn are_alike(scope: &Shared) -> bool {
    scope.before == scope.after
}

/// Where a scope begins or ends otherwise, with a subject for each way.
pub(super) fn compare(
    ir: &Ir,
    scope: &Shared,
    frame: &mut Frame,
    stuck: &Stuck,
) -> Result<Vec<ScopeChange>, Undecided> {
    // After an exec it is `(old or when) and not until`.
    let begins = |(when, until): &(Cond, Cond)| {
        Cond::And(vec![when.clone(), Cond::Not(Box::new(until.clone()))])
    };
    let questions = [
        (
            ScopePart::Begins,
            begins(&scope.before),
            begins(&scope.after),
        ),
        (
            ScopePart::Ends,
            scope.before.1.clone(),
            scope.after.1.clone(),
        ),
    ];
    let mut changes = Vec::new();
    for (part, before, after) in questions {
        // Fields of the subject mean the same in every hook.
        let decided = frame.decide(HookId::FileOpen, true, |variables, formulas, order| {
            let mut translator = translator(ir, variables, formulas, order);
            let mut residual = vec![(0, translator.cond(&before)?)];
            residual.push((1, translator.cond(&after)?));
            residual.retain(|(_, expr)| *expr != FALSE);
            Ok((Two, residual))
        })?;
        for terminal in decided.terminals() {
            let (before, after) = truths(terminal);
            if before == after {
                continue;
            }
            for reach in [Reach::Known, Reach::Unknown, Reach::Doubtful] {
                if let Some(found) = decided.find(stuck, reach, |end| end == terminal)? {
                    changes.push(ScopeChange {
                        scope: scope.name.clone(),
                        part,
                        subject: found.event,
                        before,
                        after,
                    });
                    break;
                }
            }
        }
    }
    Ok(changes)
}

/// Two conditions; the answers are their truths.
#[derive(Debug)]
struct Two;

/// What an answer stands for.
fn truths(terminal: OutcomeId) -> (Truth, Truth) {
    let truth = |digit| match digit {
        0 => Truth::False,
        1 => Truth::True,
        _ => Truth::Unknown,
    };
    (truth(terminal.0 % 3), truth(terminal.0 / 3))
}

impl Model for Two {
    fn hook(&self) -> Option<HookId> {
        None
    }

    fn rule(&self, _: u32) -> Option<RuleId> {
        None
    }

    fn normalise(&self, _: &mut Formulas, residual: Residual) -> Residual {
        residual
    }

    fn terminal(&mut self, residual: &[(u32, ExprId)]) -> OutcomeId {
        let digit = |expr: ExprId| if expr == TRUE { 1 } else { 2 };
        let of = |wanted: u32| {
            let found = residual.iter().find(|(item, _)| *item == wanted);
            found.map_or(0, |(_, expr)| digit(*expr))
        };
        OutcomeId(of(0) + 3 * of(1))
    }
}
