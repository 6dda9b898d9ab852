//! Two policies decided together.
//!
//! Owns the [`Model`] whose answers are what each of the two does. The items of the
//! second follow those of the first. It must not know what is made of the answers.

use lsmpc_abi::hook::HookId;
use rustc_hash::FxHashMap;

use super::Reaction;
use crate::ir::{HookIr, RuleId};
use crate::lower::LowerError;
use crate::lower::diagram::Model;
use crate::lower::formula::{ExprId, Formulas};
use crate::lower::outcome::{Outcome, OutcomeId};
use crate::lower::residual::{HookModel, Residual};
use crate::lower::variable::Translator;

/// What two policies do.
pub(super) type Pair = (Reaction, Reaction);

/// What is asked.
#[derive(Debug)]
pub(super) struct Both<'ir> {
    before: One<'ir>,
    after: One<'ir>,
    /// The second's first item.
    first: u32,
    ids: FxHashMap<Pair, OutcomeId>,
    /// By number of the answer.
    pub(super) pairs: Vec<Pair>,
}

/// One of the two.
#[derive(Debug)]
struct One<'ir> {
    model: HookModel<'ir>,
    alike: Vec<u32>,
}

impl<'ir> One<'ir> {
    fn new(
        hook: &'ir HookIr,
        translator: &mut Translator<'_>,
    ) -> Result<(Self, Residual), LowerError> {
        let (model, residual) = HookModel::new(hook, translator)?;
        let alike = model.alike();
        Ok((Self { model, alike }, residual))
    }

    /// What is left to decide, whichever rules do.
    fn normalise(&self, formulas: &mut Formulas, residual: Residual) -> Residual {
        let residual = self.model.normalise(formulas, residual);
        self.model.merge(&self.alike, residual)
    }

    fn reaction(&self, residual: &[(u32, ExprId)]) -> Reaction {
        let Outcome {
            verdict,
            errno,
            record,
            ..
        } = self.model.outcome(residual);
        Reaction {
            verdict,
            errno,
            record,
        }
    }
}

impl<'ir> Both<'ir> {
    /// Numbers the statements of both and translates their conditions.
    pub(super) fn new(
        before: &'ir HookIr,
        after: &'ir HookIr,
        translator: &mut Translator<'_>,
    ) -> Result<(Self, Residual), LowerError> {
        let (before, mut residual) = One::new(before, translator)?;
        let (after, more) = One::new(after, translator)?;
        let both = Self {
            first: before.model.end(),
            before,
            after,
            ids: FxHashMap::default(),
            pairs: Vec::new(),
        };
        residual.extend(both.raised(more));
        let residual = both.normalise(translator.formulas, residual);
        Ok((both, residual))
    }

    /// The second's items behind the first's.
    fn raised(&self, residual: Residual) -> impl Iterator<Item = (u32, ExprId)> {
        let first = self.first;
        residual
            .into_iter()
            .map(move |(item, expr)| (item.saturating_add(first), expr))
    }

    /// A residual as one of each.
    fn split(&self, residual: &[(u32, ExprId)]) -> (Residual, Residual) {
        let count = residual.partition_point(|(item, _)| *item < self.first);
        let (before, after) = residual.split_at_checked(count).unwrap_or((residual, &[]));
        let after = after.iter().map(|(item, expr)| (item - self.first, *expr));
        (before.to_vec(), after.collect())
    }
}

impl Model for Both<'_> {
    fn hook(&self) -> Option<HookId> {
        Some(self.before.model.hook().hook)
    }

    fn rule(&self, item: u32) -> Option<RuleId> {
        // What the second's rules are called is not the first's to say.
        (item < self.first).then(|| self.before.model.rule(item))?
    }

    fn normalise(&self, formulas: &mut Formulas, residual: Residual) -> Residual {
        let (before, after) = self.split(&residual);
        let mut residual = self.before.normalise(formulas, before);
        residual.extend(self.raised(self.after.normalise(formulas, after)));
        residual
    }

    fn terminal(&mut self, residual: &[(u32, ExprId)]) -> OutcomeId {
        let (before, after) = self.split(residual);
        let pair = (self.before.reaction(&before), self.after.reaction(&after));
        let fresh = OutcomeId(u32::try_from(self.pairs.len()).unwrap_or(u32::MAX));
        let id = *self.ids.entry(pair).or_insert(fresh);
        if id == fresh {
            self.pairs.push(pair);
        }
        id
    }
}
