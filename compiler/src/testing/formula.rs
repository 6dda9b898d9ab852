//! What is left of conditions once the fields that an event gives are put in.
//!
//! Owns formulas over the tests of the other fields. No test holds for two
//! spellings of one question; a formula that is no constant is not certain.

use std::collections::HashMap;

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;

use crate::event::Event;
use crate::hir::{Cond, CondKind, FieldRef, FieldTest};
use crate::reference::{Oracle, Truth};

/// A test of an open field, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TestId(pub(super) usize);

/// What is left of a condition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Formula {
    /// Decided.
    Const(bool),
    /// A test, or its opposite.
    Test(TestId, bool),
    /// All hold; two or more, sorted.
    And(Vec<Formula>),
    /// One holds; two or more, sorted.
    Or(Vec<Formula>),
}

impl Formula {
    pub(super) fn not(self) -> Self {
        match self {
            Self::Const(value) => Self::Const(!value),
            Self::Test(test, wanted) => Self::Test(test, !wanted),
            Self::And(parts) => Self::Or(sorted(parts.into_iter().map(Self::not))),
            Self::Or(parts) => Self::And(sorted(parts.into_iter().map(Self::not))),
        }
    }

    pub(super) fn and(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(parts, true)
    }

    pub(super) fn or(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(parts, false)
    }

    /// Parts joined by `and`, of which `neutral` is `true`, or by `or`.
    fn joined(parts: impl IntoIterator<Item = Self>, neutral: bool) -> Self {
        let mut left = Vec::new();
        for part in parts {
            match (part, neutral) {
                (Self::Const(value), _) if value == neutral => {}
                (Self::Const(value), _) => return Self::Const(value),
                (Self::And(inner), true) | (Self::Or(inner), false) => left.extend(inner),
                (part, _) => left.push(part),
            }
        }
        let mut left = sorted(left);
        match left.pop() {
            None => Self::Const(neutral),
            Some(only) if left.is_empty() => only,
            Some(last) => {
                left.push(last);
                if neutral {
                    Self::And(left)
                } else {
                    Self::Or(left)
                }
            }
        }
    }

    /// The formula once some tests are decided.
    pub(super) fn decide(&self, decided: &dyn Fn(TestId) -> Option<bool>) -> Self {
        match self {
            Self::Const(value) => Self::Const(*value),
            Self::Test(test, wanted) => match decided(*test) {
                Some(value) => Self::Const(value == *wanted),
                None => self.clone(),
            },
            Self::And(parts) => Self::and(parts.iter().map(|part| part.decide(decided))),
            Self::Or(parts) => Self::or(parts.iter().map(|part| part.decide(decided))),
        }
    }

    /// Whether it asks one of the tests that `asked` is about.
    pub(super) fn mentions(&self, asked: &dyn Fn(TestId) -> bool) -> bool {
        match self {
            Self::Const(_) => false,
            Self::Test(test, _) => asked(*test),
            Self::And(parts) | Self::Or(parts) => parts.iter().any(|part| part.mentions(asked)),
        }
    }

    /// How many tests it is made of.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Const(_) | Self::Test(..) => 1,
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::size).sum(),
        }
    }
}

fn sorted(parts: impl IntoIterator<Item = Formula>) -> Vec<Formula> {
    let mut parts: Vec<Formula> = parts.into_iter().collect();
    parts.sort_unstable();
    parts.dedup();
    parts
}

/// Tests of open fields, each once.
#[derive(Debug, Default)]
pub(super) struct Tests<'h> {
    list: Vec<(FieldId, &'h FieldTest)>,
    ids: HashMap<(FieldId, &'h FieldTest), TestId>,
}

impl<'h> Tests<'h> {
    /// All of them; a number is an index.
    pub(super) fn list(&self) -> &[(FieldId, &'h FieldTest)] {
        &self.list
    }

    /// The number of a test.
    pub(super) fn find(&self, field: FieldId, test: &FieldTest) -> Option<TestId> {
        self.ids.get(&(field, test)).copied()
    }

    /// What is left of a condition.
    pub(super) fn formula(&mut self, cond: &'h Cond, event: &Event) -> Formula {
        match &cond.kind {
            CondKind::Not(inner) => self.formula(inner, event).not(),
            CondKind::And(parts) => {
                Formula::and(parts.iter().map(|part| self.formula(part, event)))
            }
            CondKind::Or(parts) => Formula::or(parts.iter().map(|part| self.formula(part, event))),
            CondKind::Test(FieldRef::Field(field), test) => self.test(*field, test, event),
            CondKind::Test(FieldRef::AnyPath, test) => {
                let both = [FieldId::Path, FieldId::NewPath].into_iter();
                let there = both.filter(|field| catalogue::hook(event.hook).has(*field));
                Formula::or(there.map(|field| self.test(field, test, event)))
            }
        }
    }

    fn test(&mut self, field: FieldId, test: &'h FieldTest, event: &Event) -> Formula {
        match event.answer(field, test) {
            Truth::True => Formula::Const(true),
            Truth::False => Formula::Const(false),
            Truth::Unknown => {
                let fresh = TestId(self.list.len());
                let id = *self.ids.entry((field, test)).or_insert(fresh);
                if id == fresh {
                    self.list.push((field, test));
                }
                Formula::Test(id, true)
            }
        }
    }
}
