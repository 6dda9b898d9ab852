//! Which of a few conditions are true together.
//!
//! Owns the [`Model`] whose answers are the conditions that are true, and those
//! that are unknown where that is asked about. It must not know what they are
//! conditions of.

use lsmpc_abi::hook::HookId;
use rustc_hash::FxHashMap;

use super::frame::{Decided, Frame, Undecided, translator};
use crate::ir::{Cond, Ir, RuleId};
use crate::lower::diagram::Model;
use crate::lower::formula::{ExprId, FALSE, Formulas, TRUE};
use crate::lower::outcome::OutcomeId;
use crate::lower::residual::Residual;

/// What is asked.
#[derive(Debug)]
pub(crate) struct Truths {
    hook: HookId,
    ids: FxHashMap<Truth, OutcomeId>,
    /// By number of the answer.
    pub(crate) answers: Vec<Truth>,
}

/// The conditions that are not false, in order, each with whether it is true
/// (else it is unknown).
pub(crate) type Truth = Box<[(u32, bool)]>;

/// Decides which of the conditions are true together on events of a hook.
pub(crate) fn decide(
    frame: &mut Frame,
    ir: &Ir,
    hook: HookId,
    conds: &[&Cond],
    unknown: bool,
) -> Result<Vec<Truth>, Undecided> {
    let decided: Decided<Truths> = frame.decide(hook, unknown, |variables, formulas, order| {
        let mut translator = translator(ir, variables, formulas, order);
        let mut residual = Residual::new();
        for (item, cond) in (0..).zip(conds) {
            residual.push((item, translator.cond(cond)?));
        }
        residual.retain(|(_, expr)| *expr != FALSE);
        let truths = Truths {
            hook,
            ids: FxHashMap::default(),
            answers: Vec::new(),
        };
        Ok((truths, residual))
    })?;
    let terminals = decided.terminals();
    let answers = decided.model.answers.into_iter();
    Ok(answers
        .zip(0..)
        .filter(|(_, number)| terminals.binary_search(&OutcomeId(*number)).is_ok())
        .map(|(answer, _)| answer)
        .collect())
}

impl Model for Truths {
    fn hook(&self) -> Option<HookId> {
        Some(self.hook)
    }

    fn rule(&self, _: u32) -> Option<RuleId> {
        None
    }

    fn normalise(&self, _: &mut Formulas, residual: Residual) -> Residual {
        residual
    }

    fn terminal(&mut self, residual: &[(u32, ExprId)]) -> OutcomeId {
        let key: Truth = residual
            .iter()
            .map(|(item, expr)| (*item, *expr == TRUE))
            .collect();
        let fresh = OutcomeId(u32::try_from(self.answers.len()).unwrap_or(u32::MAX));
        let id = *self.ids.entry(key.clone()).or_insert(fresh);
        if id == fresh {
            self.answers.push(key);
        }
        id
    }
}
