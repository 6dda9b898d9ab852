//! From the typed form to the intermediate form.
//!
//! Owns how sugar goes away: sets become sorted ranges, `any_path` an `or`,
//! `unless` an `and not`, inherited scopes and `ancestor.exe` bits that stick. It
//! must not know how tables are made, and the reference evaluator must not know it.

mod dump;
mod normal;

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::FxHashMap;

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

use crate::hir::{
    Cond as HirCond, CondKind, DefaultEffect, Effect, FieldRef, FieldTest, Hir, Module, Place,
};
use crate::intern::{hash, number};
use crate::ir::{
    Cond, DefaultIr, EffectIr, HookIr, Ir, ModuleIr, OnErrorIr, Predicate, PredicateId, RuleId,
    RuleInfo, RuleIr, RuleKind, Sticky, Test,
};
use normal::{Key, key, test};

/// Builds the intermediate form of a policy that has no errors.
#[must_use]
pub(crate) fn build(hir: &Hir) -> Ir {
    let mut builder = Builder::new(hir, Ir::default());
    builder.number();
    builder.inherited();
    let mut named = BTreeSet::new();
    for module in &hir.modules {
        let rules = module.rules.iter().flat_map(|rule| &rule.hooks);
        named.extend(rules.map(|hook| hook.node));
        named.extend(module.defaults.iter().map(|default| default.hook));
    }
    for &hook in HookId::ALL {
        if named.contains(&hook) {
            builder.hook(hook);
        }
    }
    builder.ir.scopes = hir.scope_names().map(str::to_owned).collect();
    builder.ir
}

/// Conditions as they are asked on a hook, with predicates of their own.
#[must_use]
pub(crate) fn conditions(hook: HookId, conds: &[&HirCond]) -> (Ir, Vec<Cond>) {
    add_conditions(Ir::default(), hook, conds)
}

/// Conditions as they are asked on a hook, in terms of a policy's predicates and
/// of those that are added.
#[must_use]
pub(crate) fn add_conditions(ir: Ir, hook: HookId, conds: &[&HirCond]) -> (Ir, Vec<Cond>) {
    let hir = Hir::default();
    let mut builder = Builder::new(&hir, ir);
    let conds = conds.iter().map(|cond| builder.cond(hook, cond)).collect();
    (builder.ir, conds)
}

struct Builder<'h> {
    hir: &'h Hir,
    ir: Ir,
    /// The numbers of predicates that are there.
    interned: HashTable<PredicateId>,
    /// The hashes of predicates, by number.
    hashes: Vec<u64>,
    /// Shared sets are turned into predicates once.
    by_set: FxHashMap<(FieldId, Key), PredicateId>,
    /// Tests of `ancestor.exe`, by the same test of `exe`.
    ancestors: FxHashMap<PredicateId, PredicateId>,
    /// For each module, the numbers of its rules.
    rule_ids: Vec<Vec<RuleId>>,
    /// For each module, the numbers of its defaults.
    default_ids: Vec<Vec<RuleId>>,
}

impl<'h> Builder<'h> {
    /// Goes on from a form that is there already, with its predicates and bits.
    fn new(hir: &'h Hir, ir: Ir) -> Self {
        let mut interned = HashTable::new();
        let numbers = || (0..).map(PredicateId);
        let hashes: Vec<u64> = ir.predicates.iter().map(hash).collect();
        let hashed = |id: &PredicateId| hashes.get(id.0 as usize).copied().unwrap_or_default();
        for (id, hash) in numbers().zip(&hashes) {
            interned.insert_unique(*hash, id, hashed);
        }
        let ancestors = (0..)
            .zip(&ir.sticky)
            .filter_map(|(bit, sticky)| match sticky {
                Sticky::Scope { .. } => None,
                Sticky::Ancestor { program } => {
                    let stuck = Predicate {
                        field: FieldId::Sticky,
                        test: Test::Sticky(bit),
                    };
                    let mut all = numbers().zip(&ir.predicates);
                    let (stuck, _) = all.find(|(_, predicate)| **predicate == stuck)?;
                    Some((*program, stuck))
                }
            })
            .collect();
        Self {
            hir,
            ir,
            interned,
            hashes,
            by_set: FxHashMap::default(),
            ancestors,
            rule_ids: Vec::new(),
            default_ids: Vec::new(),
        }
    }

    fn number(&mut self) {
        for module in &self.hir.modules {
            let rules = module
                .rules
                .iter()
                .map(|rule| {
                    let kind = match rule.effect {
                        Effect::Deny(_) => RuleKind::Deny,
                        Effect::Kill => RuleKind::Kill,
                        Effect::Allow => RuleKind::Allow,
                        Effect::Audit => RuleKind::Audit,
                    };
                    let notes = &rule.notes;
                    let info = RuleInfo {
                        message: notes.message.clone(),
                        severity: notes.severity.clone(),
                        tags: notes.tags.clone(),
                        reference: notes.reference.clone(),
                        ..info(rule.id.clone(), &rule.place, kind)
                    };
                    add(&mut self.ir.rules, info)
                })
                .collect();
            self.rule_ids.push(rules);
            // One statement is reported as one, whatever the number of its hooks.
            let mut ids: Vec<RuleId> = Vec::new();
            let mut last: Option<&Place> = None;
            for default in &module.defaults {
                let id = match (ids.last(), last) {
                    (Some(&id), Some(place)) if *place == default.place => id,
                    _ => {
                        let id = format!("default:{}", module.name());
                        add(
                            &mut self.ir.rules,
                            info(id, &default.place, RuleKind::Default),
                        )
                    }
                };
                last = Some(&default.place);
                ids.push(id);
            }
            self.default_ids.push(ids);
        }
    }

    /// The inherited scopes, in source order.
    fn inherited(&mut self) {
        let hir = self.hir;
        let scopes = || {
            hir.modules
                .iter()
                .filter_map(|module| module.scope.as_ref())
        };
        for (scope, _) in (0..).zip(scopes()).filter(|(_, scope)| scope.inherit) {
            self.ir.sticky.push(Sticky::Scope {
                scope,
                when: Cond::Const(false),
                until: Cond::Const(false),
            });
        }
        // Their conditions may need bits of their own, which come after.
        for (at, head) in scopes().filter(|scope| scope.inherit).enumerate() {
            // Fields of the subject mean the same in every hook.
            let own = self.cond(HookId::FileOpen, &head.when);
            let end = match &head.until {
                Some(until) => self.cond(HookId::FileOpen, until),
                None => Cond::Const(false),
            };
            if let Some(Sticky::Scope { when, until, .. }) = self.ir.sticky.get_mut(at) {
                *when = own;
                *until = end;
            }
        }
    }

    /// The predicate that a module's scope sticks to the task.
    fn sticky_of(&mut self, module: usize) -> Option<PredicateId> {
        let inherits = |module: &Module| module.scope.as_ref().is_some_and(|scope| scope.inherit);
        let hir = self.hir;
        let before = hir.modules.get(..module)?;
        inherits(hir.modules.get(module)?).then(|| {
            let bit = before.iter().filter(|module| inherits(module)).count();
            self.sticky(number(bit))
        })
    }

    fn sticky(&mut self, bit: u32) -> PredicateId {
        self.intern(Predicate {
            field: FieldId::Sticky,
            test: Test::Sticky(bit),
        })
    }

    fn hook(&mut self, hook: HookId) {
        let hir = self.hir;
        let exempt = Cond::Or(
            hir.exempts
                .iter()
                .map(|exempt| self.cond(hook, exempt))
                .collect(),
        );
        let outer = hir
            .modules
            .first()
            .and_then(|module| module.on_error_for(hook));
        let mut modules = Vec::new();
        let mut scopes = 0;
        for (index, module) in hir.modules.iter().enumerate() {
            let scope = module.scope.as_ref().map(|_| {
                scopes += 1;
                scopes - 1
            });
            let rules = self.rules(hook, module, index);
            let default = module
                .defaults
                .iter()
                .zip(self.default_ids.get(index).into_iter().flatten())
                .find(|(default, _)| default.hook == hook)
                .map(|(default, &id)| {
                    let effect = match default.effect {
                        DefaultEffect::Deny => DefaultIr::Deny,
                        DefaultEffect::Allow => DefaultIr::Allow,
                        DefaultEffect::Audit => DefaultIr::Audit,
                    };
                    (effect, id)
                });
            if scope.is_some() && rules.is_empty() && default.is_none() {
                continue;
            }
            let denies = module
                .on_error_for(hook)
                .or(outer)
                .is_none_or(|on_error| on_error.deny);
            let holds = match &module.scope {
                Some(scope) => {
                    let when = self.cond(hook, &scope.when);
                    let own = match &scope.until {
                        Some(until) => {
                            let until = self.cond(hook, until);
                            Cond::And(vec![when, Cond::Not(Box::new(until))])
                        }
                        None => when,
                    };
                    match self.sticky_of(index) {
                        Some(sticky) => Cond::Or(vec![Cond::Test(sticky), own]),
                        None => own,
                    }
                }
                None => Cond::Const(true),
            };
            modules.push(ModuleIr {
                scope,
                holds,
                rules,
                default,
                on_error: if denies {
                    OnErrorIr::Deny
                } else {
                    OnErrorIr::Allow
                },
            });
        }
        self.ir.hooks.push(HookIr {
            hook,
            exempt,
            modules,
        });
    }

    fn rules(&mut self, hook: HookId, module: &Module, index: usize) -> Vec<RuleIr> {
        let ids = self.rule_ids.get(index).cloned().unwrap_or_default();
        let mut rules = Vec::new();
        for (rule, id) in module.rules.iter().zip(ids) {
            if !rule.is_about(hook) {
                continue;
            }
            let when = rule.when.as_ref().map(|when| self.cond(hook, when));
            let unless = rule.unless.as_ref().map(|unless| self.cond(hook, unless));
            let cond = match (when, unless) {
                (None, None) => Cond::Const(true),
                (Some(when), None) => when,
                (None, Some(unless)) => Cond::Not(Box::new(unless)),
                (Some(when), Some(unless)) => Cond::And(vec![when, Cond::Not(Box::new(unless))]),
            };
            rules.push(RuleIr {
                rule: id,
                effect: match rule.effect {
                    Effect::Deny(errno) => EffectIr::Deny(errno),
                    Effect::Kill => EffectIr::Kill,
                    Effect::Allow => EffectIr::Allow,
                    Effect::Audit => EffectIr::Audit,
                },
                quiet: rule.notes.quiet,
                cond,
            });
        }
        rules
    }

    fn cond(&mut self, hook: HookId, cond: &HirCond) -> Cond {
        match &cond.kind {
            CondKind::Test(FieldRef::Field(field), test) => self.test(*field, test),
            CondKind::Test(FieldRef::AnyPath, test) => {
                let path = self.test(FieldId::Path, test);
                if catalogue::hook(hook).has(FieldId::NewPath) {
                    Cond::Or(vec![path, self.test(FieldId::NewPath, test)])
                } else {
                    path
                }
            }
            CondKind::Not(inner) => Cond::Not(Box::new(self.cond(hook, inner))),
            CondKind::And(all) => Cond::And(all.iter().map(|one| self.cond(hook, one)).collect()),
            CondKind::Or(any) => Cond::Or(any.iter().map(|one| self.cond(hook, one)).collect()),
        }
    }

    fn test(&mut self, field: FieldId, asked: &FieldTest) -> Cond {
        let key = (field, key(asked));
        if let Some(&id) = self.by_set.get(&key) {
            return Cond::Test(id);
        }
        let test = test(asked);
        let id = if field == FieldId::AncestorExe {
            self.ancestor(test)
        } else {
            self.intern(Predicate { field, test })
        };
        self.by_set.insert(key, id);
        Cond::Test(id)
    }

    /// The predicate that some ancestor's program passes a test.
    fn ancestor(&mut self, test: Test) -> PredicateId {
        let program = self.intern(Predicate {
            field: FieldId::Exe,
            test,
        });
        if let Some(&known) = self.ancestors.get(&program) {
            return known;
        }
        let bit = number(self.ir.sticky.len());
        self.ir.sticky.push(Sticky::Ancestor { program });
        let id = self.sticky(bit);
        self.ancestors.insert(program, id);
        id
    }

    fn intern(&mut self, predicate: Predicate) -> PredicateId {
        let (predicates, hashes) = (&self.ir.predicates, &self.hashes);
        let next = PredicateId(number(predicates.len()));
        let hashed = hash(&predicate);
        let entry = self.interned.entry(
            hashed,
            |id| predicates.get(id.0 as usize) == Some(&predicate),
            |id| hashes.get(id.0 as usize).copied().unwrap_or_default(),
        );
        let id = *entry.or_insert(next).get();
        if id == next {
            self.ir.predicates.push(predicate);
            self.hashes.push(hashed);
        }
        id
    }
}

fn add(rules: &mut Vec<RuleInfo>, info: RuleInfo) -> RuleId {
    let id = RuleId(number(rules.len()));
    rules.push(info);
    id
}

fn info(id: String, place: &Place, kind: RuleKind) -> RuleInfo {
    RuleInfo {
        id,
        file: Arc::clone(&place.file),
        line: place.line,
        column: place.column,
        kind,
        message: None,
        severity: None,
        tags: Vec::new(),
        reference: None,
    }
}
