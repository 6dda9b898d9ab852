//! Conditions as hash-consed three-valued formulas over variables.
//!
//! Owns interning, simplification under Kleene's logic, and restriction (giving
//! variables their values). It must not know what a variable tests; it knows
//! only which field each belongs to.

use std::hash::{Hash, Hasher};

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use crate::intern::number;

/// A formula, interned: equal formulas have equal ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ExprId(pub(crate) u32);

/// A variable: a test of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct VarId(pub(crate) u32);

/// False.
pub(crate) const FALSE: ExprId = ExprId(0);
/// True.
pub(crate) const TRUE: ExprId = ExprId(1);
/// Unknown.
pub(crate) const UNKNOWN: ExprId = ExprId(2);

/// A formula's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    False,
    True,
    Unknown,
    Var(VarId),
    Not(ExprId),
    And(Parts),
    Or(Parts),
}

/// The parts of a formula, among [`Formulas::parts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts {
    start: u32,
    end: u32,
}

/// What a form is found by.
#[derive(PartialEq, Eq, Hash)]
enum Key<'p> {
    Constant(u32),
    Var(VarId),
    Not(ExprId),
    And(&'p [ExprId]),
    Or(&'p [ExprId]),
}

/// What is known of a formula without looking inside.
#[derive(Debug, Clone, Copy, Default)]
struct Facts {
    /// Bit *n*: mentions a variable of the field of rank *n*.
    ranks: u128,
    can_be_true: bool,
    can_be_false: bool,
}

/// All formulas of one lowering.
#[derive(Debug)]
pub(crate) struct Formulas {
    forms: Vec<Form>,
    facts: Vec<Facts>,
    parts: Vec<ExprId>,
    ids: HashTable<ExprId>,
    /// Scratch of [`Formulas::join`].
    list: Vec<ExprId>,
    /// Parts that were restricted, of formulas within each other.
    stack: Vec<ExprId>,
}

impl Default for Formulas {
    fn default() -> Self {
        let mut formulas = Self {
            forms: Vec::new(),
            facts: Vec::new(),
            parts: Vec::new(),
            ids: HashTable::new(),
            list: Vec::new(),
            stack: Vec::new(),
        };
        let fact = |can_be_true, can_be_false| Facts {
            ranks: 0,
            can_be_true,
            can_be_false,
        };
        formulas.intern(&Key::Constant(0), fact(false, true));
        formulas.intern(&Key::Constant(1), fact(true, false));
        formulas.intern(&Key::Constant(2), fact(false, false));
        formulas
    }
}

fn hash(key: &Key<'_>) -> u64 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    hasher.finish()
}

/// By what a formula is found.
fn key<'p>(forms: &[Form], parts: &'p [ExprId], expr: ExprId) -> Key<'p> {
    let of = |Parts { start, end }: Parts| {
        let parts = parts.get(start as usize..end as usize);
        parts.unwrap_or_default()
    };
    match forms.get(expr.0 as usize) {
        Some(Form::Var(var)) => Key::Var(*var),
        Some(Form::Not(inner)) => Key::Not(*inner),
        Some(Form::And(parts)) => Key::And(of(*parts)),
        Some(Form::Or(parts)) => Key::Or(of(*parts)),
        Some(Form::False | Form::True | Form::Unknown) | None => Key::Constant(expr.0),
    }
}

impl Formulas {
    fn intern(&mut self, form: &Key<'_>, facts: Facts) -> ExprId {
        let (forms, parts) = (&self.forms, &self.parts);
        let fresh = ExprId(number(forms.len()));
        let entry = self.ids.entry(
            hash(form),
            |id| key(forms, parts, *id) == *form,
            |id| hash(&key(forms, parts, *id)),
        );
        let id = *entry.or_insert(fresh).get();
        if id == fresh {
            let start = number(self.parts.len());
            if let Key::And(list) | Key::Or(list) = form {
                self.parts.extend_from_slice(list);
            }
            let end = number(self.parts.len());
            self.forms.push(match form {
                Key::Constant(0) => Form::False,
                Key::Constant(1) => Form::True,
                Key::Constant(_) => Form::Unknown,
                Key::Var(var) => Form::Var(*var),
                Key::Not(inner) => Form::Not(*inner),
                Key::And(_) => Form::And(Parts { start, end }),
                Key::Or(_) => Form::Or(Parts { start, end }),
            });
            self.facts.push(facts);
        }
        id
    }

    fn parts(&self, Parts { start, end }: Parts) -> &[ExprId] {
        let parts = self.parts.get(start as usize..end as usize);
        parts.unwrap_or_default()
    }

    fn facts(&self, expr: ExprId) -> Facts {
        self.facts.get(expr.0 as usize).copied().unwrap_or_default()
    }

    /// The ranks of the fields that a formula mentions, as bits.
    pub(crate) fn ranks(&self, expr: ExprId) -> u128 {
        self.facts(expr).ranks
    }

    /// Whether the formula could turn out true. May say so of one that cannot.
    pub(crate) fn can_be_true(&self, expr: ExprId) -> bool {
        self.facts(expr).can_be_true
    }

    /// A variable of the field of rank `rank`.
    pub(crate) fn var(&mut self, var: VarId, rank: u32) -> ExprId {
        let facts = Facts {
            ranks: 1_u128.checked_shl(rank).unwrap_or(0),
            can_be_true: true,
            can_be_false: true,
        };
        self.intern(&Key::Var(var), facts)
    }

    /// Negation.
    pub(crate) fn not(&mut self, expr: ExprId) -> ExprId {
        match expr {
            FALSE => return TRUE,
            TRUE => return FALSE,
            UNKNOWN => return UNKNOWN,
            _ => {}
        }
        if let Some(Form::Not(inner)) = self.forms.get(expr.0 as usize) {
            return *inner;
        }
        let facts = self.facts(expr);
        let facts = Facts {
            ranks: facts.ranks,
            can_be_true: facts.can_be_false,
            can_be_false: facts.can_be_true,
        };
        self.intern(&Key::Not(expr), facts)
    }

    /// Conjunction.
    pub(crate) fn and(&mut self, parts: impl IntoIterator<Item = ExprId>) -> ExprId {
        self.join(parts, true)
    }

    /// Disjunction.
    pub(crate) fn or(&mut self, parts: impl IntoIterator<Item = ExprId>) -> ExprId {
        self.join(parts, false)
    }

    fn join(&mut self, parts: impl IntoIterator<Item = ExprId>, and: bool) -> ExprId {
        let mut list = std::mem::take(&mut self.list);
        list.clear();
        let joined = self.join_into(parts, and, &mut list);
        self.list = list;
        joined
    }

    fn join_into(
        &mut self,
        parts: impl IntoIterator<Item = ExprId>,
        and: bool,
        list: &mut Vec<ExprId>,
    ) -> ExprId {
        let (neutral, absorbing) = if and { (TRUE, FALSE) } else { (FALSE, TRUE) };
        for part in parts {
            if part == absorbing {
                return absorbing;
            }
            if part == neutral {
                continue;
            }
            match self.forms.get(part.0 as usize) {
                Some(Form::And(inner)) if and => list.extend(self.parts(*inner)),
                Some(Form::Or(inner)) if !and => list.extend(self.parts(*inner)),
                _ => list.push(part),
            }
        }
        list.sort_unstable();
        list.dedup();
        match list.as_slice() {
            [] => return neutral,
            [only] => return *only,
            _ => {}
        }
        let mut facts = Facts {
            ranks: 0,
            can_be_true: and,
            can_be_false: !and,
        };
        for part in &*list {
            let part = self.facts(*part);
            facts.ranks |= part.ranks;
            if and {
                facts.can_be_true &= part.can_be_true;
                facts.can_be_false |= part.can_be_false;
            } else {
                facts.can_be_true |= part.can_be_true;
                facts.can_be_false &= part.can_be_false;
            }
        }
        if !facts.can_be_true && !facts.can_be_false {
            // Nothing but unknown is left.
            return UNKNOWN;
        }
        let form = if and { Key::And(list) } else { Key::Or(list) };
        self.intern(&form, facts)
    }

    /// The variables of fields whose rank is in `ranks`.
    pub(crate) fn vars(&self, expr: ExprId, ranks: u128, into: &mut Vec<VarId>) {
        // INVARIANT: formulas nest no deeper than conditions may (`MAX_NESTING`).
        if self.ranks(expr) & ranks == 0 {
            return;
        }
        match self.forms.get(expr.0 as usize) {
            Some(Form::Var(var)) => into.push(*var),
            Some(Form::Not(inner)) => self.vars(*inner, ranks, into),
            Some(Form::And(parts) | Form::Or(parts)) => {
                for part in self.parts(*parts) {
                    self.vars(*part, ranks, into);
                }
            }
            Some(Form::False | Form::True | Form::Unknown) | None => {}
        }
    }

    /// Gives variables of fields in `ranks` their values; `None`: stays open.
    pub(crate) fn restrict(
        &mut self,
        expr: ExprId,
        ranks: u128,
        value: &impl Fn(VarId) -> Option<ExprId>,
    ) -> ExprId {
        if self.ranks(expr) & ranks == 0 {
            return expr;
        }
        match self.forms.get(expr.0 as usize).copied() {
            Some(Form::Var(var)) => value(var).unwrap_or(expr),
            Some(Form::Not(inner)) => {
                let inner = self.restrict(inner, ranks, value);
                self.not(inner)
            }
            Some(Form::And(parts)) => self.restrict_all(parts, ranks, value, true),
            Some(Form::Or(parts)) => self.restrict_all(parts, ranks, value, false),
            Some(Form::False | Form::True | Form::Unknown) | None => expr,
        }
    }

    fn restrict_all(
        &mut self,
        parts: Parts,
        ranks: u128,
        value: &impl Fn(VarId) -> Option<ExprId>,
        and: bool,
    ) -> ExprId {
        let absorbing = if and { FALSE } else { TRUE };
        let base = self.stack.len();
        for at in parts.start..parts.end {
            let Some(part) = self.parts.get(at as usize).copied() else {
                break;
            };
            let part = self.restrict(part, ranks, value);
            if part == absorbing {
                self.stack.truncate(base);
                return absorbing;
            }
            self.stack.push(part);
        }
        let mut stack = std::mem::take(&mut self.stack);
        let joined = self.join(stack.drain(base..), and);
        self.stack = stack;
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kleene() {
        let mut formulas = Formulas::default();
        let a = formulas.var(VarId(0), 0);
        let b = formulas.var(VarId(1), 1);
        let not_a = formulas.not(a);
        assert_eq!(formulas.not(not_a), a);
        assert_eq!(formulas.and([a, FALSE]), FALSE);
        assert_eq!(formulas.and([a, TRUE]), a);
        assert_eq!(formulas.or([a, TRUE]), TRUE);
        assert_eq!(formulas.or([UNKNOWN, UNKNOWN]), UNKNOWN);
        let unknown_or_b = formulas.or([UNKNOWN, b]);
        assert!(formulas.can_be_true(unknown_or_b));
        // `a or not a` with a unknown is unknown, not true.
        let excluded = formulas.or([a, not_a]);
        assert_eq!(formulas.ranks(excluded), 1);
        let value = formulas.restrict(excluded, 1, &|_| Some(UNKNOWN));
        assert_eq!(value, UNKNOWN);
        let both = formulas.and([a, UNKNOWN]);
        assert!(!formulas.can_be_true(both));
    }

    #[test]
    fn restriction_touches_only_its_field() {
        let mut formulas = Formulas::default();
        let a = formulas.var(VarId(0), 0);
        let b = formulas.var(VarId(1), 1);
        let both = formulas.and([a, b]);
        assert_eq!(formulas.restrict(both, 1, &|_| Some(TRUE)), b);
        assert_eq!(formulas.restrict(both, 2, &|_| Some(FALSE)), FALSE);
    }
}
