//! What is left to decide, at some point of a diagram; and of a hook in particular.
//!
//! Owns the numbering of a hook's statements as items, residuals (the items that
//! are not false, each with what is left of its condition) and their normal
//! form: whatever can no longer change the outcome, its rules and record
//! included, is dropped. It must not know of nodes.

use super::error::LowerError;
use super::formula::{ExprId, FALSE, Formulas, TRUE, UNKNOWN};
use super::outcome::{ModuleFacts, Outcome, OutcomeId, Outcomes, Verdicts};
use super::variable::Translator;
use crate::ir::{DefaultIr, EffectIr, HookIr, ModuleIr, RuleId};

/// The `exempt` condition.
const EXEMPT: u32 = 0;
/// Items of a module before those of its rules: whether it holds, and one for
/// each kind of unknown rule, of which it does not matter how many there are.
const HOLDS: u32 = 0;
const UNKNOWN_KILL: u32 = 1;
const UNKNOWN_DENY: u32 = 2;
const UNKNOWN_ALLOW: u32 = 3;
const UNKNOWN_AUDIT: u32 = 4;
const FIRST_RULE: u32 = 5;

/// Items that are not false, sorted.
pub(crate) type Residual = Vec<(u32, ExprId)>;

/// What a diagram decides.
pub(crate) trait Decision {
    /// The rule that an item stands for.
    fn rule(&self, item: u32) -> Option<RuleId>;

    /// Says that there are too many ways, of which `rule` makes most.
    fn too_complex(&self, rule: Option<RuleId>) -> LowerError;

    /// Drops what cannot change the outcome any more.
    fn normalise(&self, formulas: &mut Formulas, residual: Residual) -> Residual;

    /// The outcome of a residual without open conditions.
    fn outcome(&self, residual: &[(u32, ExprId)], outcomes: &mut Outcomes) -> OutcomeId;
}

/// A hook with its statements numbered.
#[derive(Debug)]
pub(crate) struct Model<'ir> {
    hook: &'ir HookIr,
    /// First item of each module, and of one past the last.
    firsts: Vec<u32>,
}

impl<'ir> Model<'ir> {
    /// Numbers a hook's statements and translates their conditions.
    pub(crate) fn new(
        hook: &'ir HookIr,
        translator: &mut Translator<'_>,
    ) -> Result<(Self, Residual), LowerError> {
        let mut residual = vec![(EXEMPT, translator.cond(&hook.exempt)?)];
        let mut firsts = Vec::new();
        let mut next = EXEMPT + 1;
        for module in &hook.modules {
            firsts.push(next);
            residual.push((next + HOLDS, translator.cond(&module.holds)?));
            next += FIRST_RULE;
            for rule in &module.rules {
                let cond = translator
                    .cond(&rule.cond)
                    .map_err(|error| error.at(Some(rule.rule)))?;
                residual.push((next, cond));
                next += 1;
            }
        }
        firsts.push(next);
        residual.retain(|(_, expr)| *expr != FALSE);
        let model = Self { hook, firsts };
        let residual = model.normalise(translator.formulas, residual);
        Ok((model, residual))
    }

    /// Each module with its first item and one past its last.
    fn modules(&self) -> impl Iterator<Item = (&'ir ModuleIr, u32, u32)> {
        self.hook
            .modules
            .iter()
            .zip(&self.firsts)
            .zip(self.firsts.iter().skip(1))
            .map(|((module, first), end)| (module, *first, *end))
    }
}

impl Decision for Model<'_> {
    fn rule(&self, item: u32) -> Option<RuleId> {
        let module = self
            .firsts
            .partition_point(|first| *first <= item)
            .checked_sub(1)?;
        let first = self.firsts.get(module)?.checked_add(FIRST_RULE)?;
        let rules = &self.hook.modules.get(module)?.rules;
        let index = item.checked_sub(first)? as usize;
        rules.get(index).map(|rule| rule.rule)
    }

    fn too_complex(&self, rule: Option<RuleId>) -> LowerError {
        LowerError::TooComplex {
            hook: Some(self.hook.hook),
            rule,
        }
    }

    fn normalise(&self, formulas: &mut Formulas, residual: Residual) -> Residual {
        let mut rest = residual.as_slice();
        let mut result = Vec::with_capacity(rest.len());
        if let Some(((EXEMPT, expr), after)) = rest.split_first() {
            rest = after;
            if *expr == TRUE {
                return vec![(EXEMPT, TRUE)];
            }
            // An exemption that is unknown does not apply.
            if formulas.can_be_true(*expr) {
                result.push((EXEMPT, *expr));
            }
        }
        for (module, first, end) in self.modules() {
            let count = rest.partition_point(|(item, _)| *item < end);
            let (entries, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            rest = after;
            ModuleNormaliser::new(module, first, entries).run(formulas, entries, &mut result);
        }
        result
    }

    fn outcome(&self, residual: &[(u32, ExprId)], outcomes: &mut Outcomes) -> OutcomeId {
        let mut rest = residual;
        if let Some(((EXEMPT, expr), after)) = rest.split_first() {
            if *expr == TRUE {
                return outcomes.intern(Outcome::allow());
            }
            rest = after;
        }
        let mut verdicts = Verdicts::default();
        for (module, first, end) in self.modules() {
            let count = rest.partition_point(|(item, _)| *item < end);
            let (entries, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            rest = after;
            let Some((_, holds)) = entries.first().filter(|(item, _)| *item == first) else {
                continue;
            };
            let mut facts = ModuleFacts {
                holds: *holds == TRUE,
                ..ModuleFacts::default()
            };
            for (item, _) in entries {
                match item - first {
                    HOLDS => {}
                    UNKNOWN_KILL => facts.unknown_kill = true,
                    UNKNOWN_DENY => facts.unknown_deny = true,
                    UNKNOWN_ALLOW => facts.unknown_allow = true,
                    UNKNOWN_AUDIT => facts.unknown_audit = true,
                    rule => facts.certain.push(rule - FIRST_RULE),
                }
            }
            verdicts.module(module, &facts);
        }
        outcomes.intern(verdicts.finish())
    }
}

/// What is certain of a module so far.
struct ModuleNormaliser<'a> {
    module: &'a ModuleIr,
    first: u32,
    holds: ExprId,
    listed_allows: bool,
    kill: bool,
    deny: bool,
    allow: bool,
    unknown: [bool; FIRST_RULE as usize],
}

impl<'a> ModuleNormaliser<'a> {
    fn new(module: &'a ModuleIr, first: u32, entries: &[(u32, ExprId)]) -> Self {
        let holds = match entries.first() {
            Some((item, expr)) if *item == first => *expr,
            _ => FALSE,
        };
        let mut normaliser = Self {
            module,
            first,
            holds,
            listed_allows: matches!(
                module.default,
                Some((DefaultIr::Deny | DefaultIr::Audit, _))
            ),
            kill: false,
            deny: false,
            allow: false,
            unknown: [false; FIRST_RULE as usize],
        };
        if holds == TRUE {
            for (item, expr) in entries {
                if *expr == TRUE {
                    match normaliser.effect(*item) {
                        Some(EffectIr::Kill) => normaliser.kill = true,
                        Some(EffectIr::Deny(_)) => normaliser.deny = true,
                        Some(EffectIr::Allow) => normaliser.allow = true,
                        Some(EffectIr::Audit) | None => {}
                    }
                }
            }
        }
        normaliser
    }

    fn effect(&self, item: u32) -> Option<EffectIr> {
        let index = item.checked_sub(self.first + FIRST_RULE)? as usize;
        self.module.rules.get(index).map(|rule| rule.effect)
    }

    /// Whether a rule can no longer matter, given that it may still become true
    /// or not.
    fn is_idle(&self, effect: EffectIr, can_be_true: bool) -> bool {
        match effect {
            EffectIr::Audit => false,
            // Certainly true ones are listed; unknown ones matter only where
            // nothing as strict is certain.
            EffectIr::Kill => !can_be_true && self.kill,
            EffectIr::Deny(_) => !can_be_true && (self.kill || self.deny),
            EffectIr::Allow => {
                !self.listed_allows || self.kill || self.deny || (!can_be_true && self.allow)
            }
        }
    }

    fn flag(&mut self, kind: u32) {
        if let Some(flag) = self.unknown.get_mut(kind as usize) {
            *flag = true;
        }
    }

    fn run(mut self, formulas: &mut Formulas, entries: &[(u32, ExprId)], into: &mut Residual) {
        if self.holds == FALSE {
            return;
        }
        let mut rules: Residual = Vec::new();
        for (item, expr) in entries {
            let kind = item - self.first;
            if kind == HOLDS {
                continue;
            }
            if kind < FIRST_RULE {
                self.flag(kind);
                continue;
            }
            let expr = if self.holds == UNKNOWN {
                formulas.and([UNKNOWN, *expr])
            } else {
                *expr
            };
            let Some(effect) = self.effect(*item) else {
                continue;
            };
            if expr == FALSE || self.is_idle(effect, formulas.can_be_true(expr)) {
                continue;
            }
            if expr == UNKNOWN {
                self.flag(match effect {
                    EffectIr::Kill => UNKNOWN_KILL,
                    EffectIr::Deny(_) => UNKNOWN_DENY,
                    EffectIr::Allow => UNKNOWN_ALLOW,
                    EffectIr::Audit => UNKNOWN_AUDIT,
                });
            } else {
                rules.push((*item, expr));
            }
        }
        let [_, kill, deny, allow, audit] = self.unknown;
        let kill = kill && !self.kill;
        let deny = deny && !kill && !self.kill && !self.deny;
        let allow = allow && !self.kill && !self.deny && !self.allow;
        let any = kill || deny || allow || audit || !rules.is_empty();
        if !any && !self.listed_allows {
            return;
        }
        into.push((self.first + HOLDS, self.holds));
        for (kind, is_set) in [
            (UNKNOWN_KILL, kill),
            (UNKNOWN_DENY, deny),
            (UNKNOWN_ALLOW, allow),
            (UNKNOWN_AUDIT, audit),
        ] {
            if is_set {
                into.push((self.first + kind, UNKNOWN));
            }
        }
        into.append(&mut rules);
    }
}
