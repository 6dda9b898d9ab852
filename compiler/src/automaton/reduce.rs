//! Merging the states of a component automaton.
//!
//! Owns: sinks (states from which the class cannot change any more) become one
//! state for each class; equal states are merged from the leaves up; edges that
//! say what would happen without them go; what is not reached goes. It must not
//! change the class of any string.

use rustc_hash::FxHashMap;

use super::path::{PathAutomaton, PathState};
use super::{Pool, number};

/// How often equal states are looked for; merging can make further ones equal.
const ROUNDS: usize = 4;

/// Stands for "this state itself" while states are compared.
const ITSELF: u32 = u32::MAX;

/// A smaller automaton that gives every string the same class.
pub(crate) fn reduce(pool: &Pool, mut automaton: PathAutomaton) -> PathAutomaton {
    merge_sinks(&mut automaton);
    for _ in 0..ROUNDS {
        if !merge_equal(pool, &mut automaton) {
            break;
        }
    }
    keep_reached(&mut automaton);
    automaton
}

impl PathState {
    fn successors(&self) -> impl Iterator<Item = u32> {
        let wild = self.wild.iter().flat_map(|(_, next)| next.iter().copied());
        let literals = self.literals.iter().map(|(_, next)| *next);
        // With an automaton the default is never taken.
        let default = self.wild.is_none().then_some(self.default);
        literals.chain(wild).chain(default)
    }

    fn rename(&mut self, name: impl Fn(u32) -> u32) {
        self.default = name(self.default);
        for (_, next) in &mut self.literals {
            *next = name(*next);
        }
        for next in self.wild.iter_mut().flat_map(|(_, next)| next) {
            *next = name(*next);
        }
    }

    /// Drops what changes nothing.
    fn tidy(&mut self, pool: &Pool) {
        if let Some((_, next)) = &self.wild
            && next.iter().all(|state| Some(state) == next.first())
        {
            self.default = next.first().copied().unwrap_or(self.default);
            self.wild = None;
        }
        if let Some((_, next)) = &self.wild {
            // Not used; one spelling of equal states.
            self.default = next.first().copied().unwrap_or(self.default);
        }
        let (default, wild) = (self.default, &self.wild);
        self.literals.retain(|(key, to)| {
            let otherwise = match wild {
                None => default,
                Some((dfa, next)) => pool
                    .get(*dfa)
                    .map(|dfa| dfa.run(pool.key_bytes(*key)))
                    .and_then(|set| next.get(set as usize).copied())
                    .unwrap_or(default),
            };
            *to != otherwise
        });
    }
}

/// Finds all sinks (a greatest fixpoint) and leaves one for each class.
fn merge_sinks(automaton: &mut PathAutomaton) {
    let states = &automaton.states;
    let class_of = |state: u32| states.get(state as usize).map(|state| state.class);
    let mut sink: Vec<bool> = states
        .iter()
        .map(|state| {
            state
                .successors()
                .all(|next| class_of(next) == Some(state.class))
        })
        .collect();
    // The start's own class is never an answer, so that it is no sink unless
    // what follows is.
    let mut predecessors: Vec<Vec<u32>> = vec![Vec::new(); states.len()];
    let mut queue = Vec::new();
    for (state, body) in (0_u32..).zip(states) {
        if sink.get(state as usize) != Some(&true) {
            queue.push(state);
            continue;
        }
        for next in body.successors() {
            if let Some(list) = predecessors.get_mut(next as usize) {
                list.push(state);
            }
        }
    }
    while let Some(state) = queue.pop() {
        for from in predecessors
            .get_mut(state as usize)
            .map(std::mem::take)
            .unwrap_or_default()
        {
            if let Some(flag) = sink.get_mut(from as usize)
                && std::mem::replace(flag, false)
            {
                queue.push(from);
            }
        }
    }
    let mut representative: FxHashMap<u32, u32> = FxHashMap::default();
    let mut names = Vec::with_capacity(sink.len());
    for ((index, state), is_sink) in (0_u32..).zip(&mut automaton.states).zip(&sink) {
        if !is_sink {
            names.push(index);
            continue;
        }
        let name = *representative.entry(state.class).or_insert(index);
        names.push(name);
        *state = PathState {
            class: state.class,
            default: name,
            wild: None,
            literals: Vec::new(),
            sink: true,
        };
    }
    for state in &mut automaton.states {
        state.rename(|old| names.get(old as usize).copied().unwrap_or(old));
    }
}

/// Merges states that are equal but for their numbers; whether there were any.
fn merge_equal(pool: &Pool, automaton: &mut PathAutomaton) -> bool {
    let count = automaton.states.len();
    let mut names: Vec<u32> = (0..number(count)).collect();
    let mut ids: FxHashMap<PathState, u32> = FxHashMap::default();
    let mut merged = false;
    // States are numbered in the order they were found, so that most lead to
    // larger numbers: from the last to the first, successors come first.
    for (index, state) in automaton.states.iter_mut().enumerate().rev() {
        let index = number(index);
        state.rename(|old| names.get(old as usize).copied().unwrap_or(old));
        state.tidy(pool);
        let mut key = state.clone();
        key.rename(|next| if next == index { ITSELF } else { next });
        let name = *ids.entry(key).or_insert(index);
        if name != index {
            merged = true;
            if let Some(slot) = names.get_mut(index as usize) {
                *slot = name;
            }
        }
    }
    for state in &mut automaton.states {
        state.rename(|old| names.get(old as usize).copied().unwrap_or(old));
    }
    // The start keeps its number: a merged start is a copy of its like.
    merged
}

/// Renumbers what is reached from the start, breadth first, and drops the rest.
fn keep_reached(automaton: &mut PathAutomaton) {
    let mut names: FxHashMap<u32, u32> = FxHashMap::from_iter([(0, 0)]);
    let mut order = vec![0_u32];
    let mut next = 0;
    while let Some(state) = order.get(next).copied() {
        next += 1;
        let Some(body) = automaton.states.get(state as usize) else {
            continue;
        };
        // An unused default is not an edge, yet must have a number.
        for target in body.successors().chain([body.default]) {
            let fresh = number(order.len());
            names.entry(target).or_insert_with(|| {
                order.push(target);
                fresh
            });
        }
    }
    let mut states: Vec<PathState> = order
        .iter()
        .filter_map(|state| automaton.states.get(*state as usize).cloned())
        .collect();
    for state in &mut states {
        state.rename(|old| names.get(&old).copied().unwrap_or(old));
    }
    automaton.states = states;
}
