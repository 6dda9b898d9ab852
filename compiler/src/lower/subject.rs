//! What sticks to a task: the decision that the subject's diagram makes.
//!
//! Owns numbering what is asked of the subject as items, and the masks that come of
//! the answers. It must not know how a task's bits are kept.

use lsmpc_abi::hook::HookId;
use lsmpc_abi::image::{Masks, STICKY_BITS};

use super::error::LowerError;
use super::formula::{ExprId, FALSE, Formulas, TRUE};
use super::outcome::{OutcomeId, Outcomes};
use super::residual::{Decision, Residual};
use super::variable::Translator;
use crate::ir::{Cond, RuleId, Sticky};

/// Items of a bit: the scope's `when` and `until`, or the test of the program.
const WHEN: u32 = 0;
const UNTIL: u32 = 1;
const PROGRAM: u32 = 2;
const ITEMS: u32 = 3;

/// Everything that sticks, numbered.
#[derive(Debug)]
pub(crate) struct Subject;

impl Subject {
    /// Numbers and translates what is asked of the subject.
    pub(crate) fn new(translator: &mut Translator<'_>) -> Result<(Self, Residual), LowerError> {
        let sticky = &translator.ir.sticky;
        if sticky.len() > STICKY_BITS as usize {
            return Err(LowerError::Internal("more bits than stick to a task"));
        }
        let mut residual = Residual::new();
        for (bit, sticky) in (0..).zip(sticky) {
            let first = bit * ITEMS;
            match sticky {
                Sticky::Scope { when, until, .. } => {
                    residual.push((first + WHEN, translator.cond(when)?));
                    residual.push((first + UNTIL, translator.cond(until)?));
                }
                Sticky::Ancestor { program } => {
                    let program = translator.cond(&Cond::Test(*program))?;
                    residual.push((first + PROGRAM, program));
                }
            }
        }
        residual.retain(|(_, expr)| *expr != FALSE);
        Ok((Self, residual))
    }
}

impl Decision for Subject {
    fn hook(&self) -> Option<HookId> {
        None
    }

    fn rule(&self, _item: u32) -> Option<RuleId> {
        None
    }

    fn normalise(&self, _formulas: &mut Formulas, residual: Residual) -> Residual {
        // Where `until` holds it does not matter whether `when` does.
        let ended: Vec<u32> = residual
            .iter()
            .filter(|(item, expr)| item % ITEMS == UNTIL && *expr == TRUE)
            .map(|(item, _)| item - UNTIL + WHEN)
            .collect();
        residual
            .into_iter()
            .filter(|(item, _)| ended.binary_search(item).is_err())
            .collect()
    }

    fn outcome(&self, residual: &[(u32, ExprId)], outcomes: &mut Outcomes) -> OutcomeId {
        let mut masks = Masks::default();
        for (item, expr) in residual {
            let bits = match item % ITEMS {
                WHEN => &mut masks.when,
                UNTIL => &mut masks.until,
                _ => &mut masks.program,
            };
            let bit = 1_u64.checked_shl(item / ITEMS).unwrap_or(0);
            if *expr == TRUE {
                bits.set |= bit;
            } else {
                bits.unknown |= bit;
            }
        }
        outcomes.intern_masks(masks)
    }
}
