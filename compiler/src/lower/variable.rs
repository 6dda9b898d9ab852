//! Field tests as variables, and conditions as formulas over them.
//!
//! Owns interning tests, what kind of value a field has, the orders in which
//! fields are looked at, and the translation of conditions. Tests of one field
//! that a condition joins by `or` become one test: it is true, false, unknown
//! where the disjunction is. It must not know how a test is turned into classes.

use std::collections::BTreeMap;
use std::sync::Arc;

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_abi::field::FieldId;
use rustc_hash::FxHashMap;

use super::error::LowerError;
use super::formula::{ExprId, FALSE, Formulas, TRUE, VarId};
use crate::glob::{self, Glob};
use crate::intern::Interner;
use crate::ir::{Cond, Ir, PredicateId, Test};

/// The largest mode.
pub(crate) const MODE_MAX: u64 = 0o7777;

/// How deep a condition may nest.
const MAX_NESTING: u32 = 512;

/// A test, interned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TestId(pub(crate) u32);

/// What a variable asks of its field's value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum TestForm {
    /// One of the globs matches. Sorted.
    Globs(Arc<[Glob]>),
    /// In one of the ranges. Sorted, disjoint, not adjacent.
    Ranges(Box<[(u64, u64)]>),
    /// In one of the ranges. Sorted, disjoint, not adjacent.
    Blocks(Box<[(u128, u128)]>),
    /// All bits of the mask are set.
    All(u64),
    /// Some bit of the mask (of several) is set.
    Some(u64),
}

impl TestForm {
    /// Whether the test is one of bits, which needs no classifier.
    pub(crate) fn is_bits(&self) -> bool {
        matches!(self, Self::All(_) | Self::Some(_))
    }

    /// What `self` being `value` says about `other`, both tests of bits of one
    /// value.
    pub(crate) fn implies(&self, value: bool, other: &Self) -> Option<bool> {
        let covers = |outer: u64, inner: u64| inner & !outer == 0;
        match (self, value, other) {
            (Self::All(mask), true, Self::All(other)) => covers(*mask, *other).then_some(true),
            (Self::All(mask), true, Self::Some(other)) => (mask & other != 0).then_some(true),
            (Self::All(mask), false, Self::All(other)) => covers(*other, *mask).then_some(false),
            (Self::Some(mask), true, Self::Some(other)) => covers(*other, *mask).then_some(true),
            (Self::Some(mask), false, Self::Some(other)) => covers(*mask, *other).then_some(false),
            (Self::Some(mask), false, Self::All(other)) => (mask & other != 0).then_some(false),
            _ => None,
        }
    }
}

/// What values a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A path.
    Path,
    /// A name.
    Name,
    /// An address.
    Wide,
    /// Any other.
    Scalar,
}

/// The kind of a field.
pub(crate) fn kind(field: FieldId) -> Kind {
    match catalogue::field(field).ty {
        FieldType::Path => Kind::Path,
        FieldType::Name => Kind::Name,
        FieldType::Address => Kind::Wide,
        FieldType::Int { .. }
        | FieldType::Enum { .. }
        | FieldType::Flags
        | FieldType::Mode
        | FieldType::Bool => Kind::Scalar,
    }
}

/// Whether a field's class is the one cached for a task.
pub(crate) fn is_cached(field: FieldId) -> bool {
    matches!(
        field,
        FieldId::Exe | FieldId::ParentExe | FieldId::TargetExe
    )
}

/// In which order a hook's fields are looked at.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    fields: Vec<FieldId>,
    ranks: BTreeMap<FieldId, u32>,
}

/// Cheap to read comes first.
fn cost(field: FieldId) -> u32 {
    match field {
        FieldId::Exe => 0,
        FieldId::ParentExe => 1,
        FieldId::TargetExe => 2,
        FieldId::Sticky => 3,
        FieldId::Comm => 5,
        FieldId::ParentComm => 6,
        FieldId::Cgroup => 20,
        FieldId::Path => 21,
        FieldId::NewPath => 22,
        FieldId::UnixPath => 19,
        field if field.is_subject() => 4,
        field => match kind(field) {
            Kind::Scalar => 10,
            Kind::Wide => 11,
            Kind::Name => 12,
            Kind::Path => 23,
        },
    }
}

impl Order {
    fn by_key(key: impl Fn(FieldId) -> u32) -> Self {
        let mut fields = FieldId::ALL.to_vec();
        fields.push(FieldId::Sticky);
        // Stable: fields of equal cost stay in the order of their numbers.
        fields.sort_by_key(|field| key(*field));
        let ranks = fields.iter().copied().zip(0..).collect();
        Self { fields, ranks }
    }

    /// The orders to try, best first. The later ones read dear fields although
    /// the subject might decide, yet keep apart what the first would multiply:
    /// many subjects by many objects.
    pub(crate) fn all() -> [Self; 3] {
        [
            Self::by_key(cost),
            Self::by_key(|field| match kind(field) {
                Kind::Path if !field.is_subject() => cost(field),
                _ => 100 + cost(field),
            }),
            Self::by_key(|field| 100 - cost(field)),
        ]
    }

    /// The place of a field.
    pub(crate) fn rank(&self, field: FieldId) -> u32 {
        self.ranks.get(&field).copied().unwrap_or(127)
    }

    /// The field at a place.
    pub(crate) fn field(&self, rank: u32) -> Option<FieldId> {
        self.fields.get(rank as usize).copied()
    }
}

/// All variables of one lowering.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    tests: Interner<TestForm>,
    vars: Interner<(FieldId, TestId)>,
    /// Tests of predicates, made once each.
    by_predicate: FxHashMap<PredicateId, TestId>,
    /// Tests of a mode's bits, as tests of its value.
    by_mode_bits: FxHashMap<(u64, bool), TestId>,
}

impl Variables {
    fn test(&mut self, form: TestForm) -> TestId {
        TestId(self.tests.intern(form).0)
    }

    fn var(&mut self, field: FieldId, test: TestId) -> VarId {
        VarId(self.vars.intern((field, test)).0)
    }

    /// What a variable asks, and of which field.
    pub(crate) fn get(&self, var: VarId) -> Option<(FieldId, TestId)> {
        self.vars.get(var.0).copied()
    }

    /// A test.
    pub(crate) fn form(&self, test: TestId) -> Option<&TestForm> {
        self.tests.get(test.0)
    }

    fn predicate(&mut self, id: PredicateId, test: &Test) -> Option<TestId> {
        if let Some(test) = self.by_predicate.get(&id) {
            return Some(*test);
        }
        let form = match test {
            Test::Globs(globs) => TestForm::Globs(glob::sorted(globs)),
            Test::Ranges(ranges) => TestForm::Ranges(joined(ranges.clone()).into()),
            Test::Blocks(blocks) => TestForm::Blocks(joined(blocks.clone()).into()),
            Test::HasAll(mask) => TestForm::All(*mask),
            Test::Sticky(bit) => TestForm::All(1_u64.checked_shl(*bit)?),
            Test::HasAny(_) => return None,
        };
        let test = self.test(form);
        self.by_predicate.insert(id, test);
        Some(test)
    }

    /// The modes with all bits of a mask, or with some of them.
    fn mode_values(&mut self, mask: u64, all: bool) -> TestId {
        if let Some(test) = self.by_mode_bits.get(&(mask, all)) {
            return *test;
        }
        let passes = |value: &u64| {
            let set = value & mask;
            if all { set == mask } else { set != 0 }
        };
        let values = (0..=MODE_MAX).filter(passes);
        let ranges = joined(values.map(|value| (value, value)).collect());
        let test = self.test(TestForm::Ranges(ranges.into()));
        self.by_mode_bits.insert((mask, all), test);
        test
    }

    /// One test that holds where one of `tests`, all of one kind, does.
    fn union(&mut self, tests: &[TestId]) -> Option<TestId> {
        let mut globs = Vec::new();
        let mut ranges = Vec::new();
        let mut blocks = Vec::new();
        for test in tests {
            match self.form(*test)? {
                TestForm::Globs(more) => globs.extend(more.iter().cloned()),
                TestForm::Ranges(more) => ranges.extend(more.iter().copied()),
                TestForm::Blocks(more) => blocks.extend(more.iter().copied()),
                TestForm::All(_) | TestForm::Some(_) => return None,
            }
        }
        let form = if !ranges.is_empty() {
            TestForm::Ranges(joined(ranges).into())
        } else if !blocks.is_empty() {
            TestForm::Blocks(joined(blocks).into())
        } else {
            globs.sort_unstable();
            globs.dedup();
            TestForm::Globs(globs.into())
        };
        Some(self.test(form))
    }
}

/// An integer with a successor.
trait Successor: Copy + Ord {
    fn successor(self) -> Option<Self>;
}

impl Successor for u64 {
    fn successor(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Successor for u128 {
    fn successor(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// Sorts ranges and joins those that overlap or touch.
fn joined<T: Successor>(mut ranges: Vec<(T, T)>) -> Vec<(T, T)> {
    ranges.retain(|(low, high)| low <= high);
    ranges.sort_unstable();
    let mut result: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (low, high) in ranges {
        match result.last_mut() {
            Some((_, end)) if end.successor().is_none_or(|next| low <= next) => {
                *end = (*end).max(high);
            }
            _ => result.push((low, high)),
        }
    }
    result
}

/// Translates the conditions of one hook.
pub(crate) struct Translator<'a> {
    pub(crate) ir: &'a Ir,
    pub(crate) variables: &'a mut Variables,
    pub(crate) formulas: &'a mut Formulas,
    pub(crate) order: &'a Order,
    /// Whether variables of one field must be independent of each other, or
    /// else told apart by classes: tests of several bits become tests of one bit
    /// each, and those of a mode's bits tests of its value.
    pub(crate) exact: bool,
}

impl<'a> Translator<'a> {
    /// A condition as a formula.
    pub(crate) fn cond(&mut self, cond: &Cond) -> Result<ExprId, LowerError> {
        self.nested(cond, 0)
    }

    fn nested(&mut self, cond: &Cond, depth: u32) -> Result<ExprId, LowerError> {
        if depth > MAX_NESTING {
            return Err(LowerError::Nesting);
        }
        match cond {
            Cond::Const(value) => Ok(if *value { TRUE } else { FALSE }),
            Cond::Test(predicate) => self.predicate(*predicate),
            Cond::Not(inner) => {
                let inner = self.nested(inner, depth + 1)?;
                Ok(self.formulas.not(inner))
            }
            Cond::And(parts) => {
                let parts: Vec<ExprId> = parts
                    .iter()
                    .map(|part| self.nested(part, depth + 1))
                    .collect::<Result<_, _>>()?;
                Ok(self.formulas.and(parts))
            }
            Cond::Or(parts) => self.or(parts, depth),
        }
    }

    fn or(&mut self, parts: &[Cond], depth: u32) -> Result<ExprId, LowerError> {
        let mut tests: BTreeMap<(FieldId, u8), Vec<TestId>> = BTreeMap::new();
        let mut exprs = Vec::new();
        let mut stack: Vec<(&Cond, u32)> = parts.iter().map(|part| (part, depth + 1)).collect();
        while let Some((part, depth)) = stack.pop() {
            match part {
                Cond::Or(inner) => stack.extend(inner.iter().map(|part| (part, depth + 1))),
                Cond::Test(id) => {
                    let (field, test) = self.look_up(*id)?;
                    let group = match test {
                        Test::Globs(_) => 0,
                        Test::Ranges(_) => 1,
                        Test::Blocks(_) => 2,
                        Test::HasAll(_) | Test::HasAny(_) | Test::Sticky(_) => 3,
                    };
                    match self.variables.predicate(*id, test) {
                        Some(test) if group < 3 => {
                            tests.entry((field, group)).or_default().push(test);
                        }
                        _ => exprs.push(self.predicate(*id)?),
                    }
                }
                part => exprs.push(self.nested(part, depth)?),
            }
        }
        for ((field, _), mut list) in tests {
            list.sort_unstable();
            list.dedup();
            let test = match list.as_slice() {
                [only] => *only,
                several => self
                    .variables
                    .union(several)
                    .ok_or(LowerError::Internal("tests that cannot be joined"))?,
            };
            exprs.push(self.var(field, test));
        }
        Ok(self.formulas.or(exprs))
    }

    fn look_up(&self, id: PredicateId) -> Result<(FieldId, &'a Test), LowerError> {
        let ir = self.ir;
        let predicate = ir
            .predicates
            .get(id.0 as usize)
            .ok_or(LowerError::Internal("a predicate that does not exist"))?;
        let is_sticky = predicate.field == FieldId::Sticky;
        let fits = match (&predicate.test, kind(predicate.field)) {
            (Test::Sticky(_), _) => is_sticky,
            // What is asked of ancestors sticks to their descendants.
            _ if is_sticky || predicate.field == FieldId::AncestorExe => false,
            (Test::Globs(_), kind) => matches!(kind, Kind::Path | Kind::Name),
            (Test::Blocks(_), kind) => kind == Kind::Wide,
            (Test::Ranges(_) | Test::HasAll(_) | Test::HasAny(_), kind) => kind == Kind::Scalar,
        };
        if !fits {
            return Err(LowerError::Internal("a test that does not suit its field"));
        }
        Ok((predicate.field, &predicate.test))
    }

    fn predicate(&mut self, id: PredicateId) -> Result<ExprId, LowerError> {
        let (field, test) = self.look_up(id)?;
        if let Test::HasAny(masks) = test {
            let (single, several): (Vec<u64>, Vec<u64>) =
                masks.iter().partition(|mask| mask.count_ones() == 1);
            let union = single.iter().fold(0, |union, mask| union | mask);
            let mut forms: Vec<TestForm> = several.into_iter().map(TestForm::All).collect();
            match union.count_ones() {
                0 => {}
                1 => forms.push(TestForm::All(union)),
                _ => forms.push(TestForm::Some(union)),
            }
            let mut exprs = Vec::with_capacity(forms.len());
            for form in forms {
                let test = self.variables.test(form);
                exprs.push(self.var(field, test));
            }
            return Ok(self.formulas.or(exprs));
        }
        let test = self
            .variables
            .predicate(id, test)
            .ok_or(LowerError::Internal("a test that is no variable"))?;
        Ok(self.var(field, test))
    }

    fn var(&mut self, field: FieldId, test: TestId) -> ExprId {
        let bits = match self.variables.form(test) {
            Some(TestForm::All(mask)) if self.exact => Some((*mask, true)),
            Some(TestForm::Some(mask)) if self.exact => Some((*mask, false)),
            _ => None,
        };
        let Some((mask, all)) = bits else {
            return self.plain_var(field, test);
        };
        if catalogue::field(field).ty == FieldType::Mode {
            let test = self.variables.mode_values(mask, all);
            return self.plain_var(field, test);
        }
        if mask.count_ones() < 2 {
            return self.plain_var(field, test);
        }
        let mut exprs = Vec::new();
        for bit in (0..u64::BITS).map(|bit| 1_u64 << bit) {
            if mask & bit != 0 {
                let test = self.variables.test(TestForm::All(bit));
                exprs.push(self.plain_var(field, test));
            }
        }
        if all {
            self.formulas.and(exprs)
        } else {
            self.formulas.or(exprs)
        }
    }

    fn plain_var(&mut self, field: FieldId, test: TestId) -> ExprId {
        let var = self.variables.var(field, test);
        self.formulas.var(var, self.order.rank(field))
    }
}
