//! The classes of paths and names.
//!
//! Owns the way to the automata, which know every set of globs that can match
//! together, and a choice of strings to show.

use std::collections::BTreeSet;

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_abi::field::FieldId;

use super::values::Classes;
use crate::automaton::Pool;
use crate::automaton::bytes::Dfa;
use crate::automaton::component::name_steps;
use crate::automaton::path::{PathAutomaton, PathLimits, build};
use crate::event::{FieldValue, Value};
use crate::glob::{Glob, Piece};
use crate::hir::FieldTest;
use crate::lower::Limits;

/// Most classes of a list of paths.
const MAX_LISTS: usize = 4096;

/// Strings that are shown where they suit.
const SAMPLES: [&[u8]; 4] = [b"/x", b"/", b"x", b"memfd:x"];

/// The classes of a path or a name; `None` if there are too many.
pub(super) fn classes(field: FieldId, tests: &[&FieldTest]) -> Option<Classes> {
    let globs: Vec<(u32, &Glob)> = (0..)
        .zip(tests)
        .flat_map(|(number, test)| match test {
            FieldTest::Globs(globs) => globs.iter().map(|glob| (number, glob)).collect(),
            _ => Vec::new(),
        })
        .collect();
    let limits = Limits::default();
    let is_path = catalogue::field(field).ty == FieldType::Path;
    let sets = if is_path {
        let limits = PathLimits {
            states: limits.states,
            edges: limits.edges,
            automaton_states: limits.automaton_states,
            work: limits.work,
        };
        let mut pool = Pool::default();
        let automaton = build(&mut pool, globs.iter().copied(), limits).ok()?;
        of_paths(&automaton, &pool)
    } else {
        let tags: Vec<u32> = globs.iter().map(|(tag, _)| *tag).collect();
        let steps: Vec<_> = globs.iter().map(|(_, glob)| name_steps(glob)).collect();
        let dfa = Dfa::build_tagged(&steps, &tags, limits.name_states).ok()?;
        let accepted = accepted(&dfa, false);
        let sets = accepted
            .iter()
            .filter_map(|set| dfa.sets.get(*set as usize));
        sets.cloned().collect()
    };
    let mut classes = Classes::default();
    let samples = SAMPLES.iter().map(|sample| sample.to_vec());
    for sample in samples.chain(globs.iter().map(|(_, glob)| sample(glob))) {
        classes.add_value(tests, Value::Bytes(sample));
    }
    for set in &sets {
        let holds = (0..).zip(tests).map(|(tag, _)| set.contains(&tag));
        classes.add(holds.collect(), FieldValue::Unknown);
    }
    if field == FieldId::AncestorExe {
        return lists(&classes);
    }
    Some(classes)
}

/// The sets of tags that match some path.
fn of_paths(automaton: &PathAutomaton, pool: &Pool) -> Vec<Box<[u32]>> {
    let mut classes = BTreeSet::new();
    let mut seen = BTreeSet::from([0]);
    let mut queue = vec![0];
    while let Some(state) = queue.pop() {
        let Some(state) = automaton.states.get(state as usize) else {
            continue;
        };
        let mut next: Vec<u32> = state.literals.iter().map(|(_, to)| *to).collect();
        match &state.wild {
            None => next.push(state.default),
            Some((dfa, by_set)) => {
                let sets = pool.get(*dfa).map(|dfa| accepted(dfa, true));
                let sets = sets.into_iter().flatten();
                next.extend(sets.filter_map(|set| by_set.get(set as usize)).copied());
            }
        }
        // What is left of a path when it ends there; before its first component it
        // is none.
        for to in next {
            let reached = automaton.states.get(to as usize);
            classes.extend(reached.map(|state| state.class));
            if seen.insert(to) && reached.is_some_and(|state| !state.sink) {
                queue.push(to);
            }
        }
    }
    classes
        .into_iter()
        .map(|class| automaton.classes.get(class).into())
        .collect()
}

/// The sets that the automaton accepts some string with; of a component it has no
/// slash.
fn accepted(dfa: &Dfa, component: bool) -> BTreeSet<u32> {
    let mut columns: Vec<u8> = (1..=u8::MAX)
        .zip(dfa.map.iter().skip(1))
        .filter(|(byte, _)| !component || *byte != b'/')
        .map(|(_, column)| *column)
        .collect();
    columns.sort_unstable();
    columns.dedup();
    let mut seen = BTreeSet::from([dfa.start]);
    let mut queue = vec![dfa.start];
    let mut sets = BTreeSet::new();
    while let Some(state) = queue.pop() {
        let state = usize::from(state);
        sets.extend(dfa.accepts.get(state));
        for column in &columns {
            let index = state
                .saturating_mul(dfa.columns)
                .saturating_add(usize::from(*column));
            let to = dfa.transitions.get(index).copied().unwrap_or(0);
            if seen.insert(to) {
                queue.push(to);
            }
        }
    }
    sets
}

/// A string that the glob matches.
fn sample(glob: &Glob) -> Vec<u8> {
    let mut text = Vec::new();
    for piece in glob.pieces.iter() {
        match piece {
            Piece::Literal(bytes) => text.extend_from_slice(bytes),
            Piece::Star | Piece::DeepStar => text.push(b'x'),
            Piece::Class(set) => {
                let plain = (b'a'..=b'z').chain(b'0'..=b'9').chain(1..=u8::MAX);
                text.extend(plain.into_iter().find(|byte| set.contains(*byte)));
            }
        }
    }
    text
}

/// The classes of lists of such strings: a test holds if it does for one of them.
fn lists(single: &Classes) -> Option<Classes> {
    let length = single.list.first().map_or(0, |class| class.truths.len());
    let list = |items| FieldValue::Known(Value::List(items));
    let mut all = Classes::default();
    all.add(vec![false; length], list(Vec::new()));
    let mut next = 0;
    while let Some(class) = all.list.get(next).cloned() {
        next = next.saturating_add(1);
        for one in &single.list {
            let truths: Vec<bool> = class
                .truths
                .iter()
                .zip(&one.truths)
                .map(|(a, b)| *a || *b)
                .collect();
            let value = match (&class.value, &one.value) {
                (FieldValue::Known(Value::List(items)), FieldValue::Known(Value::Bytes(bytes))) => {
                    let mut items = items.clone();
                    items.push(Some(bytes.clone()));
                    list(items)
                }
                _ => FieldValue::Unknown,
            };
            all.add(truths, value);
            if all.list.len() > MAX_LISTS {
                return None;
            }
        }
    }
    Some(all)
}
