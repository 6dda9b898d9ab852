//! Two policies in terms of the same predicates.
//!
//! Owns which parts of the two are one: predicates that ask the same, inherited
//! scopes of one name, sets of programs that `ancestor.exe` is compared with. It must
//! not know what is compared.

use rustc_hash::FxHashMap;

use lsmpc_abi::field::FieldId;

use crate::ir::{Cond, HookIr, Ir, ModuleIr, Predicate, PredicateId, RuleIr, Sticky, Test};

/// Two policies.
#[derive(Debug)]
pub(super) struct Joined {
    /// The first policy, with the second's predicates, scopes and what sticks added.
    pub(super) ir: Ir,
    /// The hooks of the second, in these terms.
    pub(super) after: Vec<HookIr>,
    /// Inherited scopes that both have.
    pub(super) shared: Vec<Shared>,
}

/// An inherited scope that both have.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: String,
    /// Its number in [`Ir::sticky`].
    pub(super) number: u32,
    /// `when` and `until` of the first.
    pub(super) before: (Cond, Cond),
    /// Those of the second.
    pub(super) after: (Cond, Cond),
}

/// Joins two policies.
pub(super) fn join(before: Ir, after: &Ir) -> Joined {
    let mut joiner = Joiner {
        interned: (0..)
            .zip(&before.predicates)
            .map(|(id, predicate)| (predicate.clone(), PredicateId(id)))
            .collect(),
        ir: before,
        predicates: Vec::new(),
    };
    joiner.plain(after);
    let shared = joiner.sticky(after);
    let hooks = after.hooks.iter().map(|hook| joiner.hook(hook)).collect();
    Joined {
        ir: joiner.ir,
        after: hooks,
        shared,
    }
}

/// Whether two hooks say the same word for word, but for the names of rules.
pub(super) fn are_alike(one: &HookIr, other: &HookIr) -> bool {
    let modules = |one: &ModuleIr, other: &ModuleIr| {
        one.holds == other.holds
            && one.on_error == other.on_error
            && one.default.map(|(default, _)| default) == other.default.map(|(default, _)| default)
            && one.rules.len() == other.rules.len()
            && one.rules.iter().zip(&other.rules).all(|(one, other)| {
                one.effect == other.effect && one.quiet == other.quiet && one.cond == other.cond
            })
    };
    one.exempt == other.exempt
        && one.modules.len() == other.modules.len()
        && one
            .modules
            .iter()
            .zip(&other.modules)
            .all(|(one, other)| modules(one, other))
}

struct Joiner {
    ir: Ir,
    interned: FxHashMap<Predicate, PredicateId>,
    /// The second policy's predicates, by number.
    predicates: Vec<PredicateId>,
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl Joiner {
    fn intern(&mut self, predicate: Predicate) -> PredicateId {
        let next = PredicateId(number(self.ir.predicates.len()));
        let id = *self.interned.entry(predicate.clone()).or_insert(next);
        if id == next {
            self.ir.predicates.push(predicate);
        }
        id
    }

    /// Adds all predicates; those of what sticks stand for nothing yet.
    fn plain(&mut self, after: &Ir) {
        for predicate in &after.predicates {
            let id = match predicate.test {
                Test::Sticky(_) => PredicateId(u32::MAX),
                _ => self.intern(predicate.clone()),
            };
            self.predicates.push(id);
        }
    }

    /// Adds what sticks.
    fn sticky(&mut self, after: &Ir) -> Vec<Shared> {
        let mut numbers = Vec::new();
        let mut heads = Vec::new();
        for sticky in &after.sticky {
            let at = match sticky {
                Sticky::Scope { scope, when, until } => {
                    let name = after.scopes.get(*scope as usize).cloned();
                    let name = name.unwrap_or_default();
                    let known = self.ir.sticky.iter().position(|one| match one {
                        Sticky::Scope { scope, .. } => {
                            self.ir.scopes.get(*scope as usize) == Some(&name)
                        }
                        Sticky::Ancestor { .. } => false,
                    });
                    heads.extend(known.map(|at| (at, name.clone(), when, until)));
                    known.unwrap_or_else(|| {
                        self.ir.scopes.push(name);
                        self.ir.sticky.push(Sticky::Scope {
                            scope: number(self.ir.scopes.len() - 1),
                            when: Cond::Const(false),
                            until: Cond::Const(false),
                        });
                        self.ir.sticky.len() - 1
                    })
                }
                Sticky::Ancestor { program } => {
                    let same = Sticky::Ancestor {
                        program: self.predicate(*program),
                    };
                    let known = self.ir.sticky.iter().position(|one| *one == same);
                    known.unwrap_or_else(|| {
                        self.ir.sticky.push(same);
                        self.ir.sticky.len() - 1
                    })
                }
            };
            numbers.push(number(at));
        }
        for (at, predicate) in after.predicates.iter().enumerate() {
            if let Test::Sticky(bit) = predicate.test {
                let bit = numbers.get(bit as usize).copied().unwrap_or(u32::MAX);
                let id = self.intern(Predicate {
                    field: FieldId::Sticky,
                    test: Test::Sticky(bit),
                });
                if let Some(slot) = self.predicates.get_mut(at) {
                    *slot = id;
                }
            }
        }
        heads
            .into_iter()
            .filter_map(|(at, name, when, until)| match self.ir.sticky.get(at)? {
                Sticky::Scope {
                    when: old_when,
                    until: old_until,
                    ..
                } => Some(Shared {
                    name,
                    number: number(at),
                    before: (old_when.clone(), old_until.clone()),
                    after: (self.cond(when), self.cond(until)),
                }),
                Sticky::Ancestor { .. } => None,
            })
            .collect()
    }

    fn predicate(&self, id: PredicateId) -> PredicateId {
        let known = self.predicates.get(id.0 as usize).copied();
        known.unwrap_or(PredicateId(u32::MAX))
    }

    fn cond(&self, cond: &Cond) -> Cond {
        let all = |parts: &[Cond]| parts.iter().map(|part| self.cond(part)).collect();
        match cond {
            Cond::Const(value) => Cond::Const(*value),
            Cond::Test(id) => Cond::Test(self.predicate(*id)),
            Cond::Not(inner) => Cond::Not(Box::new(self.cond(inner))),
            Cond::And(parts) => Cond::And(all(parts)),
            Cond::Or(parts) => Cond::Or(all(parts)),
        }
    }

    fn hook(&self, hook: &HookIr) -> HookIr {
        let rule = |rule: &RuleIr| RuleIr {
            cond: self.cond(&rule.cond),
            ..rule.clone()
        };
        let module = |module: &ModuleIr| ModuleIr {
            holds: self.cond(&module.holds),
            rules: module.rules.iter().map(rule).collect(),
            ..module.clone()
        };
        HookIr {
            hook: hook.hook,
            exempt: self.cond(&hook.exempt),
            modules: hook.modules.iter().map(module).collect(),
        }
    }
}
