//! From a hook's residual to its decision diagram.
//!
//! Owns the construction, whatever is asked of the statements ([`Model`]): from the
//! top, field by field, with memory of the residuals seen; reduced from the bottom
//! by [`Nodes`]. At a node over many
//! classes the residual in which no test of the field holds is made once; for
//! each class only the items that mention a test of it are made anew, and the
//! residual's hash is adjusted rather than computed. So a node costs what its
//! classes differ in, not classes times rules.

use std::collections::BTreeMap;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_abi::image::MAX_STEPS;
use lsmpc_abi::{CLASS_FIRST, CLASS_UNKNOWN};
use rustc_hash::FxHashMap;

use super::by_test::ByTest;
use super::classify::{ClassifierId, Classifiers};
use super::error::LowerError;
use super::formula::{ExprId, FALSE, Formulas, TRUE, UNKNOWN, VarId};
use super::node::{Node, Nodes, Ref};
use super::options::Limits;
use super::outcome::OutcomeId;
use super::residual::Residual;
use super::space::Space;
use super::variable::{Order, TestForm, TestId, Variables, is_cached};
use crate::intern::ListInterner;
use crate::ir::RuleId;

/// What is asked of a hook's statements: which of them still matter, and what it
/// comes to once all conditions are decided.
pub(crate) trait Model {
    /// The hook; nothing: it is the subject that is looked at.
    fn hook(&self) -> Option<HookId>;

    /// The rule that an item stands for.
    fn rule(&self, item: u32) -> Option<RuleId>;

    /// Drops what cannot change the answer any more.
    fn normalise(&self, formulas: &mut Formulas, residual: Residual) -> Residual;

    /// The answer for a residual without open conditions.
    fn terminal(&mut self, residual: &[(u32, ExprId)]) -> OutcomeId;
}

/// Everything that building one diagram needs.
pub(crate) struct Builder<'a, M> {
    pub(crate) model: &'a mut M,
    pub(crate) space: &'a Space,
    pub(crate) formulas: &'a mut Formulas,
    pub(crate) variables: &'a Variables,
    pub(crate) order: &'a Order,
    pub(crate) classifiers: &'a Classifiers,
    pub(crate) by_field: &'a BTreeMap<FieldId, ClassifierId>,
    pub(crate) nodes: &'a mut Nodes,
    pub(crate) limits: &'a Limits,
    pub(crate) progress: Progress,
}

/// How far a construction has come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    memo: FxHashMap<u128, Ref>,
    work: usize,
    /// Entries of the nodes made.
    pub(crate) entries: usize,
    /// In how many nodes an item was open, by item.
    open: FxHashMap<u32, u64>,
}

/// One item's part of a residual's hash.
fn mix(item: u32, expr: ExprId) -> u128 {
    if expr == FALSE {
        return 0;
    }
    // INVARIANT: residuals are told apart by the sum of these alone: 128 well
    // mixed bits, over input that the policy's author controls and trusts.
    let scramble = |mut value: u64| {
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    };
    let value = u64::from(item) << 32 | u64::from(expr.0);
    let low = scramble(value.wrapping_add(0x9e37_79b9_7f4a_7c15));
    let high = scramble(value ^ 0xd1b5_4a32_d192_ed03 ^ low.rotate_left(23));
    u128::from(high) << 64 | u128::from(low)
}

fn hash(residual: &[(u32, ExprId)]) -> u128 {
    residual.iter().fold(0_u128, |sum, (item, expr)| {
        sum.wrapping_add(mix(*item, *expr))
    })
}

/// Distinguishes residuals in which the field of that rank is already known.
fn salt(known: Option<u32>) -> u128 {
    known.map_or(0, |rank| mix(u32::MAX, ExprId(rank + 1)))
}

/// An item open at a node: its place in the residual, and its condition.
struct Open {
    at: usize,
    item: u32,
    expr: ExprId,
}

impl<M: Model> Builder<'_, M> {
    /// The diagram of a residual.
    pub(crate) fn build(&mut self, residual: Residual) -> Result<Ref, LowerError> {
        self.residual(residual, None, 0)
    }

    fn too_complex(&self) -> LowerError {
        let rule = self
            .progress
            .open
            .iter()
            .filter_map(|(item, count)| Some((count, std::cmp::Reverse(self.model.rule(*item)?))))
            .max()
            .map(|(_, rule)| rule.0);
        LowerError::TooComplex {
            hook: self.model.hook(),
            rule,
        }
    }

    fn spend(&mut self, work: usize) -> Result<(), LowerError> {
        self.progress.work += work;
        if self.progress.work > self.limits.work || self.progress.entries > self.limits.entries {
            return Err(self.too_complex());
        }
        Ok(())
    }

    fn intern(&mut self, node: Node) -> Ref {
        let (node, entries) = self.nodes.intern(node);
        self.progress.entries += entries;
        node
    }

    fn residual(
        &mut self,
        residual: Residual,
        known: Option<u32>,
        depth: u32,
    ) -> Result<Ref, LowerError> {
        self.spend(residual.len() + 1)?;
        let residual = self.model.normalise(self.formulas, residual);
        let ranks = residual
            .iter()
            .fold(0, |ranks, (_, expr)| ranks | self.formulas.ranks(*expr));
        if ranks == 0 {
            return Ok(Ref::outcome(self.model.terminal(&residual)));
        }
        let rank = ranks.trailing_zeros();
        let known = known.filter(|known| *known == rank);
        let key = hash(&residual).wrapping_add(salt(known));
        if let Some(node) = self.progress.memo.get(&key) {
            return Ok(*node);
        }
        // INVARIANT: recursion goes no deeper than a walk may be long.
        if depth >= MAX_STEPS {
            return Err(self.too_complex());
        }
        let node = self.node(&residual, rank, known, depth)?;
        self.progress.memo.insert(key, node);
        Ok(node)
    }

    fn node(
        &mut self,
        residual: &[(u32, ExprId)],
        rank: u32,
        known: Option<u32>,
        depth: u32,
    ) -> Result<Ref, LowerError> {
        let field = self
            .order
            .field(rank)
            .ok_or(LowerError::Internal("a rank without a field"))?;
        let bit = 1_u128 << rank;
        let open: Vec<Open> = residual
            .iter()
            .enumerate()
            .filter(|(_, (_, expr))| self.formulas.ranks(*expr) & bit != 0)
            .map(|(at, (item, expr))| Open {
                at,
                item: *item,
                expr: *expr,
            })
            .collect();
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        let mut first_bits: Option<VarId> = None;
        let mut vars = Vec::new();
        for (index, item) in (0..).zip(&open) {
            *self.progress.open.entry(item.item).or_default() += 1;
            vars.clear();
            self.formulas.vars(item.expr, bit, &mut vars);
            self.progress.work += vars.len();
            for var in &vars {
                let Some((_, test)) = self.variables.get(*var) else {
                    continue;
                };
                if self.variables.form(test).is_some_and(TestForm::is_bits) {
                    first_bits = Some(first_bits.map_or(*var, |first| first.min(*var)));
                } else {
                    pairs.push((test.0, index));
                }
            }
        }
        let by_test = ByTest::new(pairs);
        let place = Place {
            residual,
            field,
            rank,
            depth,
            open,
        };
        match first_bits {
            Some(var) if by_test.is_empty() => self.bits(&place, var, known),
            bits => self.classes(&place, &by_test, bits.is_some()),
        }
    }

    /// What follows if the node's variables take the given values.
    fn follow(
        &mut self,
        place: &Place<'_>,
        known: bool,
        value: &impl Fn(VarId) -> Option<ExprId>,
    ) -> Result<Ref, LowerError> {
        let mut residual = place.residual.to_vec();
        for open in &place.open {
            let expr = self.formulas.restrict(open.expr, 1 << place.rank, value);
            if let Some(slot) = residual.get_mut(open.at) {
                slot.1 = expr;
            }
        }
        residual.retain(|(_, expr)| *expr != FALSE);
        self.residual(residual, known.then_some(place.rank), place.depth + 1)
    }

    fn bits(
        &mut self,
        place: &Place<'_>,
        var: VarId,
        known: Option<u32>,
    ) -> Result<Ref, LowerError> {
        let variables = self.variables;
        let form = variables
            .get(var)
            .and_then(|(_, test)| variables.form(test))
            .ok_or(LowerError::Internal("a variable without a test"))?;
        let decided = |value: bool| {
            move |other: VarId| {
                let (_, other) = variables.get(other)?;
                let implied = form.implies(value, variables.form(other)?)?;
                Some(if implied { TRUE } else { FALSE })
            }
        };
        // What sticks is known or not bit by bit.
        let sticks = place.field == FieldId::Sticky;
        let unset = self.follow(place, !sticks, &decided(false))?;
        let set = self.follow(place, !sticks, &decided(true))?;
        let (none, unknown) = if sticks {
            let this = |other: VarId| (other == var).then_some(UNKNOWN);
            (unset, self.follow(place, false, &this)?)
        } else if known.is_some() {
            // An earlier node has found a value.
            (unset, unset)
        } else {
            // Where no event leads, any ref will do.
            let none = if self.space.none(place.field) {
                self.follow(place, false, &|_| Some(FALSE))?
            } else {
                unset
            };
            let unknown = if self.space.unknown {
                self.follow(place, false, &|_| Some(UNKNOWN))?
            } else {
                none
            };
            (none, unknown)
        };
        let node = match form {
            TestForm::All(mask) => Node::Bits {
                field: place.field,
                mask: *mask,
                want: *mask,
                refs: [none, unknown, unset, set],
            },
            TestForm::Some(mask) => Node::Bits {
                field: place.field,
                mask: *mask,
                want: 0,
                refs: [none, unknown, set, unset],
            },
            _ => return Err(LowerError::Internal("a test of bits that is none")),
        };
        Ok(self.intern(node))
    }

    fn classes(
        &mut self,
        place: &Place<'_>,
        by_test: &ByTest,
        mixed: bool,
    ) -> Result<Ref, LowerError> {
        let classifiers = self.classifiers;
        let id = *self
            .by_field
            .get(&place.field)
            .ok_or(LowerError::Internal("a field without a classifier"))?;
        let classifier = classifiers
            .get(id)
            .ok_or(LowerError::Internal("a classifier that does not exist"))?;

        let space = self.space;
        let mut relevant: Vec<u32> = by_test
            .tests()
            .iter()
            .flat_map(|test| classifier.classes_of(*test))
            .copied()
            .filter(|class| space.class(place.field, *class))
            .collect();
        relevant.sort_unstable();
        relevant.dedup();
        let others = space.has_others(place.field, relevant.len());

        let mut default = None;
        if space.none(place.field) || (others && !mixed) {
            default = Some(self.follow(place, false, &|_| Some(FALSE))?);
        }
        let mut children: Vec<(u32, Ref)> = Vec::new();
        if space.unknown {
            let unknown = self.follow(place, false, &|_| Some(UNKNOWN))?;
            children.push((CLASS_UNKNOWN, unknown));
        }
        let base = Base::new(self, place);
        // Where tests of bits are left, "no test holds" is not "none".
        let otherwise = if mixed && others {
            Some(self.child(place, &base, &[], mixed)?)
        } else {
            default
        };
        self.spend(relevant.len())?;
        if let Some(otherwise) = otherwise.filter(|_| otherwise != default) {
            let mut next = relevant.iter().copied().peekable();
            for class in CLASS_FIRST..classifier.classes() {
                if next.next_if_eq(&class).is_none() {
                    children.push((class, otherwise));
                }
            }
        }

        let mut seen = ListInterner::default();
        let mut found: Vec<Ref> = Vec::new();
        self.progress.memo.reserve(relevant.len());
        let (mut tests, mut touched, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for class in relevant {
            let holds = classifier.holds(class);
            tests.clear();
            tests.extend(holds.iter().copied().filter(|test| by_test.has(*test)));
            self.spend(holds.len())?;
            let (number, is_new) = seen.intern(&tests);
            if let Some(child) = found.get(number as usize).filter(|_| !is_new) {
                children.push((class, *child));
                continue;
            }
            touched.clear();
            touched.extend(tests.iter().flat_map(|test| by_test.items(*test)).copied());
            touched.sort_unstable();
            touched.dedup();
            let variables = self.variables;
            let value = |var: VarId| {
                let (_, test) = variables.get(var)?;
                class_value(variables, test, |test| tests.binary_search(&test).is_ok())
            };
            changes.clear();
            for index in touched.iter().copied() {
                if let Some(open) = place.open.get(index as usize) {
                    let expr = self.formulas.restrict(open.expr, 1 << place.rank, &value);
                    changes.push((index as usize, expr));
                }
            }
            let child = self.child(place, &base, &changes, mixed)?;
            found.push(child);
            children.push((class, child));
        }
        // A class that no event has may lead anywhere.
        let default = default
            .or_else(|| children.last().map(|(_, child)| *child))
            .ok_or(LowerError::Internal("a field without a value"))?;
        children.retain(|(_, child)| *child != default);
        children.sort_unstable();
        Ok(self.intern(Node::Classes {
            field: place.field,
            classifier: (!is_cached(place.field)).then_some(id),
            classes: classifier.classes(),
            default,
            exceptions: children.into(),
        }))
    }

    /// What follows where some of the open items differ from the base.
    fn child(
        &mut self,
        place: &Place<'_>,
        base: &Base,
        changes: &[(usize, ExprId)],
        known: bool,
    ) -> Result<Ref, LowerError> {
        let known = known.then_some(place.rank);
        self.spend(changes.len() + 1)?;
        let changed = || {
            changes.iter().filter_map(|(index, expr)| {
                let open = place.open.get(*index)?;
                Some((open.item, *expr, *base.open.get(*index)?))
            })
        };
        let mut key = base.hash.wrapping_add(salt(known));
        for (item, expr, old) in changed() {
            key = key
                .wrapping_sub(mix(item, old))
                .wrapping_add(mix(item, expr));
        }
        if let Some(node) = self.progress.memo.get(&key) {
            return Ok(*node);
        }
        // Both are sorted by item.
        let mut residual: Residual = Vec::with_capacity(base.kept.len() + changes.len());
        let mut kept = base.kept.iter().copied().peekable();
        for (item, expr, _) in changed() {
            while let Some(before) = kept.next_if(|(other, _)| *other < item) {
                residual.push(before);
            }
            kept.next_if(|(other, _)| *other == item);
            if expr != FALSE {
                residual.push((item, expr));
            }
        }
        residual.extend(kept);
        let node = self.residual(residual, known, place.depth + 1)?;
        self.progress.memo.insert(key, node);
        Ok(node)
    }
}

/// Where a node stands.
struct Place<'r> {
    residual: &'r [(u32, ExprId)],
    field: FieldId,
    rank: u32,
    depth: u32,
    open: Vec<Open>,
}

/// The residual if none of the field's classes' tests holds.
struct Base {
    /// What is not false.
    kept: Residual,
    /// What the open items become, false ones included.
    open: Vec<ExprId>,
    hash: u128,
}

impl Base {
    fn new<M: Model>(builder: &mut Builder<'_, M>, place: &Place<'_>) -> Self {
        let variables = builder.variables;
        let value = |var: VarId| {
            let (_, test) = variables.get(var)?;
            class_value(variables, test, |_| false)
        };
        let mut kept = place.residual.to_vec();
        let mut exprs = Vec::with_capacity(place.open.len());
        for open in &place.open {
            let expr = builder
                .formulas
                .restrict(open.expr, 1 << place.rank, &value);
            exprs.push(expr);
            if let Some(slot) = kept.get_mut(open.at) {
                slot.1 = expr;
            }
        }
        kept.retain(|(_, expr)| *expr != FALSE);
        let hash = hash(&kept);
        Self {
            kept,
            open: exprs,
            hash,
        }
    }
}

/// The value of a variable in a class; tests of bits stay open.
fn class_value(variables: &Variables, test: TestId, holds: impl Fn(u32) -> bool) -> Option<ExprId> {
    if variables.form(test)?.is_bits() {
        return None;
    }
    Some(if holds(test.0) { TRUE } else { FALSE })
}
