//! Which sets of statements are true together, of one hook.
//!
//! Owns the [`Model`] whose answers are sets of rules. A scope's rules count where
//! the scope holds; exempt subjects have no rules at all. It must not know what is
//! made of the sets.

use lsmpc_abi::hook::HookId;

use crate::intern::ListInterner;
use crate::ir::{HookIr, RuleId, RuleIr};
use crate::lower::LowerError;
use crate::lower::diagram::Model;
use crate::lower::formula::{ExprId, FALSE, Formulas, TRUE};
use crate::lower::outcome::OutcomeId;
use crate::lower::residual::Residual;
use crate::lower::variable::Translator;

/// The `exempt` condition; items of modules follow.
const EXEMPT: u32 = 0;

/// Entries of all sets together.
const MAX_ENTRIES: usize = 1 << 23;

/// A rule as an item.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'ir> {
    /// Its module's place among the hook's.
    pub(crate) module: u32,
    /// `None`: the item is the module's own condition.
    pub(crate) rule: Option<&'ir RuleIr>,
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct RuleSets<'ir> {
    hook: &'ir HookIr,
    /// By number, from 1 on. A module's condition comes before its rules.
    items: Vec<Item<'ir>>,
    /// Sets of rules (as items) that are in force together, by number.
    sets: ListInterner,
    entries: usize,
    /// Scratch of [`RuleSets::terminal`].
    list: Vec<u32>,
}

impl<'ir> RuleSets<'ir> {
    /// Numbers a hook's statements and translates their conditions.
    pub(crate) fn new(
        hook: &'ir HookIr,
        translator: &mut Translator<'_>,
    ) -> Result<(Self, Residual), LowerError> {
        let mut residual = vec![(EXEMPT, translator.cond(&hook.exempt)?)];
        let mut items = Vec::new();
        for (module, number) in hook.modules.iter().zip(0..) {
            items.push(Item {
                module: number,
                rule: None,
            });
            residual.push((item_number(items.len()), translator.cond(&module.holds)?));
            for rule in &module.rules {
                items.push(Item {
                    module: number,
                    rule: Some(rule),
                });
                residual.push((item_number(items.len()), translator.cond(&rule.cond)?));
            }
        }
        residual.retain(|(_, expr)| *expr != FALSE);
        let sets = Self {
            hook,
            items,
            sets: ListInterner::default(),
            entries: 0,
            list: Vec::new(),
        };
        let residual = sets.normalise(translator.formulas, residual);
        Ok((sets, residual))
    }

    /// An item of a set.
    pub(crate) fn item(&self, item: u32) -> Option<Item<'ir>> {
        self.items.get(item.checked_sub(1)? as usize).copied()
    }

    /// A set of rules (as items) that are in force together.
    pub(crate) fn set(&self, terminal: OutcomeId) -> &[u32] {
        self.sets.lists().get(terminal.0)
    }

    /// Whether there were too many sets to keep.
    pub(crate) fn is_full(&self) -> bool {
        self.entries > MAX_ENTRIES
    }
}

fn item_number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Model for RuleSets<'_> {
    fn hook(&self) -> Option<HookId> {
        Some(self.hook.hook)
    }

    fn rule(&self, item: u32) -> Option<RuleId> {
        Some(self.item(item)?.rule?.rule)
    }

    fn normalise(&self, _: &mut Formulas, residual: Residual) -> Residual {
        if let Some((EXEMPT, TRUE)) = residual.first() {
            return vec![(EXEMPT, TRUE)];
        }
        let mut kept: Residual = Vec::with_capacity(residual.len());
        let mut holding = None;
        let mut last = None;
        for (item, expr) in residual {
            let Some(found) = self.item(item) else {
                kept.push((item, expr));
                continue;
            };
            if found.rule.is_none() {
                // Dropped again if no rule of the module follows.
                if last == Some(kept.len()) {
                    kept.pop();
                }
                holding = Some(found.module);
                kept.push((item, expr));
                last = Some(kept.len());
            } else if holding == Some(found.module) {
                kept.push((item, expr));
            }
        }
        if last == Some(kept.len()) {
            kept.pop();
        }
        kept
    }

    fn terminal(&mut self, residual: &[(u32, ExprId)]) -> OutcomeId {
        let mut list = std::mem::take(&mut self.list);
        list.clear();
        // Exempt subjects have no rules.
        list.extend(
            residual
                .iter()
                .map(|(item, _)| *item)
                .filter(|item| self.item(*item).is_some_and(|item| item.rule.is_some())),
        );
        let id = if self.is_full() {
            OutcomeId(0)
        } else {
            let (id, is_new) = self.sets.intern(&list);
            if is_new {
                self.entries += list.len() + 1;
            }
            OutcomeId(id)
        };
        self.list = list;
        id
    }
}
