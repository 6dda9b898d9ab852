//! What is left to decide, at some point of a diagram; and of a hook in particular.
//!
//! Owns the numbering of a hook's statements as items, residuals (the items that
//! are not false, each with what is left of its condition) and their normal
//! form: whatever can no longer change the outcome, its rules and record
//! included, is dropped. It must not know of nodes.

use lsmpc_abi::hook::HookId;
use rustc_hash::FxHashMap;

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

    /// The hook; nothing: it is the subject that is looked at.
    fn hook(&self) -> Option<HookId>;

    /// Drops what cannot change the outcome any more.
    fn normalise(&self, formulas: &mut Formulas, residual: Residual) -> Residual;

    /// The outcome of a residual without open conditions.
    fn outcome(&self, residual: &[(u32, ExprId)], outcomes: &mut Outcomes) -> OutcomeId;
}

/// A hook with its statements numbered.
#[derive(Debug)]
pub(crate) struct HookModel<'ir> {
    hook: &'ir HookIr,
    /// First item of each module, and of one past the last.
    firsts: Vec<u32>,
}

impl<'ir> HookModel<'ir> {
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

    /// One past the last item.
    pub(crate) fn end(&self) -> u32 {
        self.firsts.last().copied().unwrap_or_default()
    }

    /// The hook's statements.
    pub(crate) fn hook(&self) -> &'ir HookIr {
        self.hook
    }

    /// The rule that an item stands for.
    pub(crate) fn rule(&self, item: u32) -> Option<RuleId> {
        let module = self
            .firsts
            .partition_point(|first| *first <= item)
            .checked_sub(1)?;
        let first = self.firsts.get(module)?.checked_add(FIRST_RULE)?;
        let rules = &self.hook.modules.get(module)?.rules;
        let index = item.checked_sub(first)? as usize;
        rules.get(index).map(|rule| rule.rule)
    }

    /// Drops what cannot change the outcome any more.
    pub(crate) fn normalise(&self, formulas: &mut Formulas, residual: Residual) -> Residual {
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

    /// For each item the first of its module that does the same: for [`Self::merge`].
    pub(crate) fn alike(&self) -> Vec<u32> {
        let mut alike: Vec<u32> = Vec::new();
        for (module, first, end) in self.modules() {
            alike.resize(first as usize, 0);
            alike.extend(first..first.saturating_add(FIRST_RULE));
            let mut seen: FxHashMap<(EffectIr, bool), u32> = FxHashMap::default();
            for (rule, item) in module.rules.iter().zip(first + FIRST_RULE..end) {
                alike.push(*seen.entry((rule.effect, rule.quiet)).or_insert(item));
            }
        }
        alike
    }

    /// Forgets which rules are true, in a normal residual: what is left decides
    /// verdict, errno and record.
    pub(crate) fn merge(&self, alike: &[u32], residual: Residual) -> Residual {
        let mut rest = residual.as_slice();
        let mut result = Vec::with_capacity(rest.len());
        if let Some((exempt @ (EXEMPT, _), after)) = rest.split_first() {
            result.push(*exempt);
            rest = after;
        }
        for (module, first, end) in self.modules() {
            let count = rest.partition_point(|(item, _)| *item < end);
            let (entries, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            rest = after;
            if matches!(entries.first(), Some((item, TRUE)) if *item == first) {
                merge_module(module, first, entries, alike, &mut result);
            } else {
                result.extend(entries);
            }
        }
        result
    }

    /// Whether a residual is certain to deny: no condition that is open can change
    /// that.
    pub(crate) fn denies(&self, residual: &[(u32, ExprId)]) -> bool {
        if matches!(residual.first(), Some((EXEMPT, _))) {
            return false;
        }
        let mut rest = residual;
        self.modules().any(|(module, first, end)| {
            let count = rest.partition_point(|(item, _)| *item < end);
            let (entries, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            rest = after;
            matches!(entries.first(), Some((item, TRUE)) if *item == first)
                && entries.iter().any(|(item, expr)| {
                    let index = item.checked_sub(first + FIRST_RULE);
                    let rule = index.and_then(|index| module.rules.get(index as usize));
                    *expr == TRUE
                        && rule.is_some_and(|rule| {
                            matches!(rule.effect, EffectIr::Deny(_) | EffectIr::Kill)
                        })
                })
        })
    }

    /// The outcome of a residual without open conditions.
    pub(crate) fn outcome(&self, residual: &[(u32, ExprId)]) -> Outcome {
        let mut rest = residual;
        if let Some(((EXEMPT, expr), after)) = rest.split_first() {
            if *expr == TRUE {
                return Outcome::allow();
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
        verdicts.finish()
    }
}

impl Decision for HookModel<'_> {
    fn hook(&self) -> Option<HookId> {
        Some(self.hook.hook)
    }

    fn rule(&self, item: u32) -> Option<RuleId> {
        self.rule(item)
    }

    fn normalise(&self, formulas: &mut Formulas, residual: Residual) -> Residual {
        self.normalise(formulas, residual)
    }

    fn outcome(&self, residual: &[(u32, ExprId)], outcomes: &mut Outcomes) -> OutcomeId {
        outcomes.intern(self.outcome(residual))
    }
}

/// Keeps of the rules of a module that holds one of each kind that is true, and
/// drops what could add nothing to those.
fn merge_module(
    module: &ModuleIr,
    first: u32,
    entries: &[(u32, ExprId)],
    alike: &[u32],
    into: &mut Residual,
) {
    let rule = |item: u32| {
        let index = item.checked_sub(first + FIRST_RULE)? as usize;
        module.rules.get(index)
    };
    // Of what is certain: whether it kills, the least errno, a record, an allow.
    let (mut kill, mut errno, mut record, mut allow) = (false, u16::MAX, false, false);
    for (item, _) in entries.iter().filter(|(_, expr)| *expr == TRUE) {
        let Some(rule) = rule(*item) else { continue };
        match rule.effect {
            EffectIr::Kill => (kill, errno) = (true, 0),
            EffectIr::Deny(number) => errno = errno.min(number),
            EffectIr::Allow => allow = true,
            EffectIr::Audit => {}
        }
        record |= match rule.effect {
            EffectIr::Allow => false,
            EffectIr::Audit => true,
            EffectIr::Kill | EffectIr::Deny(_) => !rule.quiet,
        };
    }
    let mut kept: Residual = Vec::new();
    for (item, expr) in entries {
        let Some(found) = rule(*item) else {
            kept.push((*item, *expr));
            continue;
        };
        if *expr == TRUE {
            let item = alike.get(*item as usize).copied().unwrap_or(*item);
            kept.push((item, TRUE));
            continue;
        }
        let idle = match found.effect {
            EffectIr::Kill => kill && (record || found.quiet),
            EffectIr::Deny(number) => errno <= number && (record || found.quiet),
            EffectIr::Allow => allow,
            EffectIr::Audit => record,
        };
        if !idle {
            kept.push((*item, *expr));
        }
    }
    kept.sort_unstable();
    // The first of a kind may be open, while another is true.
    kept.dedup_by(|(item, _), (before, expr)| {
        let same = item == before;
        if same {
            *expr = TRUE;
        }
        same
    });
    into.append(&mut kept);
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
