//! From the tests of one field to classes of its values.
//!
//! Owns classifiers: for a set of tests, how a value becomes a class and which
//! tests hold in each class. Equal sets of tests share a classifier. It must not
//! know of rules. Class numbers are the image's: 0 none, 1 unknown, then the
//! known ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use lsmpc_abi::CLASS_FIRST;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::MAX_BOUNDARIES;
use rustc_hash::FxHashMap;

use super::error::LowerError;
use super::options::Limits;
use super::stats::GlobStats;
use super::variable::{Kind, TestForm, TestId, Variables, kind};
use crate::automaton::Pool;
use crate::automaton::bytes::{Dfa, Steps};
use crate::automaton::component::name_steps;
use crate::automaton::path::{self, PathAutomaton, PathLimits};
use crate::glob::Glob;
use crate::intern::{Lists, number};

/// A classifier, interned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClassifierId(pub(crate) u32);

/// How a value becomes a class.
#[derive(Debug)]
pub(crate) enum Method {
    /// By the component automaton: its class plus [`CLASS_FIRST`].
    Path(PathAutomaton),
    /// By the byte automaton: its accepted set plus [`CLASS_FIRST`].
    Name(Dfa),
    /// By sorted boundaries.
    Scalar(Vec<u64>),
    /// By sorted boundaries.
    Wide(Vec<u128>),
}

/// A classifier.
#[derive(Debug)]
pub(crate) struct Classifier {
    /// How a value becomes a class.
    pub(crate) method: Method,
    /// The tests that hold in each known class, where the method does not know them.
    intervals: Lists,
    /// The classes in which each test holds, from `first` on.
    by_test: Lists,
    first: u32,
}

impl Classifier {
    fn new(method: Method, intervals: Lists) -> Self {
        let mut classifier = Self {
            method,
            intervals,
            by_test: Lists::default(),
            first: u32::MAX,
        };
        let mut pairs = Vec::new();
        for class in 0..number(classifier.known()) {
            let tests = classifier.holds(class + CLASS_FIRST);
            pairs.extend(tests.iter().map(|test| (*test, class + CLASS_FIRST)));
        }
        pairs.sort_unstable();
        classifier.first = pairs.first().map_or(u32::MAX, |(test, _)| *test);
        let mut classes = Vec::new();
        for group in pairs.chunk_by(|(one, _), (other, _)| one == other) {
            let test = group.first().map_or(0, |(test, _)| *test) - classifier.first;
            while classifier.by_test.len() < test as usize {
                classifier.by_test.push(&[]);
            }
            classes.clear();
            classes.extend(group.iter().map(|(_, class)| *class));
            classifier.by_test.push(&classes);
        }
        classifier
    }

    /// How many known classes there are.
    fn known(&self) -> usize {
        match &self.method {
            Method::Path(automaton) => automaton.classes.len(),
            Method::Name(dfa) => dfa.sets.len(),
            Method::Scalar(_) | Method::Wide(_) => self.intervals.len(),
        }
    }

    /// The tests (as numbers) that hold in a class, sorted; none in class 0 and 1.
    pub(crate) fn holds(&self, class: u32) -> &[u32] {
        let Some(index) = class.checked_sub(CLASS_FIRST) else {
            return &[];
        };
        match &self.method {
            Method::Path(automaton) => automaton.classes.get(index),
            Method::Name(dfa) => dfa.sets.get(index as usize).map_or(&[], AsRef::as_ref),
            Method::Scalar(_) | Method::Wide(_) => self.intervals.get(index),
        }
    }

    /// The classes in which a test (by its number) holds, sorted.
    pub(crate) fn classes_of(&self, test: u32) -> &[u32] {
        let index = test.checked_sub(self.first);
        index.map_or(&[], |index| self.by_test.get(index))
    }

    /// One more than the largest class.
    pub(crate) fn classes(&self) -> u32 {
        CLASS_FIRST.saturating_add(number(self.known()))
    }
}

/// All classifiers of one image.
#[derive(Debug, Clone, Default)]
pub(crate) struct Classifiers {
    list: Vec<Arc<Classifier>>,
    ids: FxHashMap<(Kind, Vec<TestId>), ClassifierId>,
    /// Components and byte automata of all of them.
    pub(crate) pool: Pool,
    costs: Vec<GlobStats>,
}

/// How many globs the statistics list.
const COSTLIEST: usize = 10;

/// Most entries of [`Classifier::holds`] together.
const MAX_MEMBERSHIPS: usize = 1 << 25;

impl Classifiers {
    /// A classifier.
    pub(crate) fn get(&self, id: ClassifierId) -> Option<&Classifier> {
        self.list.get(id.0 as usize).map(AsRef::as_ref)
    }

    /// Every classifier, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Classifier> {
        self.list.iter().map(AsRef::as_ref)
    }

    /// The globs that take part in most path states.
    pub(crate) fn costliest_globs(&self) -> Vec<GlobStats> {
        let mut by_glob: BTreeMap<&str, u64> = BTreeMap::new();
        for cost in &self.costs {
            let states = by_glob.entry(&cost.glob).or_default();
            *states = (*states).max(cost.states);
        }
        let mut costs: Vec<GlobStats> = by_glob
            .into_iter()
            .map(|(glob, states)| GlobStats {
                glob: glob.to_owned(),
                states,
            })
            .collect();
        costs.sort_by(|a, b| b.states.cmp(&a.states).then_with(|| a.glob.cmp(&b.glob)));
        costs.truncate(COSTLIEST);
        costs
    }

    /// The classifier of a sorted set of tests of `field`.
    pub(crate) fn intern(
        &mut self,
        field: FieldId,
        tests: Vec<TestId>,
        variables: &Variables,
        limits: &Limits,
    ) -> Result<ClassifierId, Failure> {
        let key = (kind(field), tests);
        if let Some(id) = self.ids.get(&key) {
            return Ok(*id);
        }
        let classifier = match key.0 {
            Kind::Path => self.path(field, &key.1, variables, limits)?,
            Kind::Name => name(field, &key.1, variables, limits)?,
            Kind::Scalar => {
                let ranges = key.1.iter().flat_map(|test| {
                    let ranges: &[(u64, u64)] = match variables.form(*test) {
                        Some(TestForm::Ranges(ranges)) => ranges,
                        _ => &[],
                    };
                    ranges
                        .iter()
                        .map(|(low, high)| (test.0, *low, high.checked_add(1)))
                });
                let (boundaries, holds) = intervals(field, ranges.collect(), 0)?;
                Classifier::new(Method::Scalar(boundaries), holds)
            }
            Kind::Wide => {
                let blocks = key.1.iter().flat_map(|test| {
                    let blocks: &[(u128, u128)] = match variables.form(*test) {
                        Some(TestForm::Blocks(blocks)) => blocks,
                        _ => &[],
                    };
                    blocks
                        .iter()
                        .map(|(low, high)| (test.0, *low, high.checked_add(1)))
                });
                let (boundaries, holds) = intervals(field, blocks.collect(), 0)?;
                Classifier::new(Method::Wide(boundaries), holds)
            }
        };
        let id = ClassifierId(number(self.list.len()));
        self.list.push(Arc::new(classifier));
        self.ids.insert(key, id);
        Ok(id)
    }

    fn path(
        &mut self,
        field: FieldId,
        tests: &[TestId],
        variables: &Variables,
        limits: &Limits,
    ) -> Result<Classifier, Failure> {
        let globs: Vec<(u32, &Glob)> = tagged(tests, variables).collect();
        let limits = PathLimits {
            states: limits.states,
            edges: limits.edges,
            automaton_states: limits.automaton_states,
            work: limits.work,
        };
        let automaton =
            path::build(&mut self.pool, globs.iter().copied(), limits).map_err(|error| {
                let glob = globs.get(error.glob as usize).map(|(_, glob)| *glob);
                Failure::glob(field, error.tag, glob)
            })?;
        for (glob, states) in &automaton.costs {
            if let Some((_, glob)) = globs.get(*glob as usize) {
                self.costs.push(GlobStats {
                    glob: super::notation::glob(glob),
                    states: *states,
                });
            }
        }
        Ok(Classifier::new(Method::Path(automaton), Lists::default()))
    }
}

/// Every glob of `tests` with its test's number.
fn tagged<'v>(
    tests: &'v [TestId],
    variables: &'v Variables,
) -> impl Iterator<Item = (u32, &'v Glob)> {
    tests.iter().flat_map(|test| {
        let globs: &[Glob] = match variables.form(*test) {
            Some(TestForm::Globs(globs)) => globs,
            _ => &[],
        };
        globs.iter().map(|glob| (test.0, glob))
    })
}

fn name(
    field: FieldId,
    tests: &[TestId],
    variables: &Variables,
    limits: &Limits,
) -> Result<Classifier, Failure> {
    let globs: Vec<(u32, &Glob)> = tagged(tests, variables).collect();
    let tags: Vec<u32> = globs.iter().map(|(tag, _)| *tag).collect();
    let steps: Vec<Steps> = globs.iter().map(|(_, glob)| name_steps(glob)).collect();
    let dfa = Dfa::build_tagged(&steps, &tags, limits.name_states).map_err(|error| {
        let glob = globs.get(error.pattern as usize);
        Failure::glob(
            field,
            glob.map_or(u32::MAX, |(tag, _)| *tag),
            glob.map(|(_, glob)| *glob),
        )
    })?;
    Ok(Classifier::new(Method::Name(dfa), Lists::default()))
}

/// Why there is no classifier, and the test that is to blame.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: LowerError,
    pub(crate) test: Option<TestId>,
}

impl Failure {
    fn glob(field: FieldId, test: u32, glob: Option<&Glob>) -> Self {
        Self {
            error: LowerError::GlobTooCostly {
                field,
                glob: glob.map(super::notation::glob).unwrap_or_default(),
                rule: None,
            },
            test: Some(TestId(test)),
        }
    }
}

/// Boundaries, and the tests that hold in each interval.
type Intervals<T> = (Vec<T>, Lists);

/// Boundaries, and the tests that hold between each two of them, of ranges
/// `(test, low, one past high)`; `None` is beyond the largest value.
fn intervals<T: Copy + Ord>(
    field: FieldId,
    ranges: Vec<(u32, T, Option<T>)>,
    zero: T,
) -> Result<Intervals<T>, Failure> {
    let mut starts: Vec<(T, u32)> = ranges.iter().map(|(test, low, _)| (*low, *test)).collect();
    let mut ends: Vec<(T, u32)> = ranges
        .iter()
        .filter_map(|(test, _, end)| end.map(|end| (end, *test)))
        .collect();
    starts.sort_unstable();
    ends.sort_unstable();
    let mut boundaries: Vec<T> = starts
        .iter()
        .chain(&ends)
        .map(|(value, _)| *value)
        .filter(|value| *value > zero)
        .collect();
    boundaries.sort_unstable();
    boundaries.dedup();

    let too_many = |test: Option<u32>| Failure {
        error: LowerError::TooManyValues { field, rule: None },
        test: test.map(TestId),
    };
    if boundaries.len() > MAX_BOUNDARIES as usize {
        return Err(too_many(ranges.first().map(|(test, ..)| *test)));
    }
    let mut holding: std::collections::BTreeSet<u32> = std::collections::BTreeSet::new();
    let mut holds = Lists::default();
    let mut list = Vec::new();
    let mut starts = starts.into_iter().peekable();
    let mut ends = ends.into_iter().peekable();
    let mut memberships = 0;
    for from in std::iter::once(zero).chain(boundaries.iter().copied()) {
        while let Some((_, test)) = ends.next_if(|(value, _)| *value <= from) {
            holding.remove(&test);
        }
        while let Some((_, test)) = starts.next_if(|(value, _)| *value <= from) {
            holding.insert(test);
        }
        memberships += holding.len();
        if memberships > MAX_MEMBERSHIPS {
            return Err(too_many(holding.first().copied()));
        }
        list.clear();
        list.extend(&holding);
        holds.push(&list);
    }
    Ok((boundaries, holds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_of_ranges() {
        let ranges = vec![(7, 0_u64, Some(1)), (8, 10, Some(21)), (9, 15, None)];
        let (boundaries, holds) = intervals(FieldId::Port, ranges, 0).unwrap();
        assert_eq!(boundaries, [1, 10, 15, 21]);
        let holds: Vec<&[u32]> = holds.iter().collect();
        assert_eq!(holds, [&[7][..], &[], &[8], &[8, 9], &[9]]);
    }
}
