//! Merging the states of a component automaton.
//!
//! Owns: sinks (states from which the class cannot change any more) become one
//! state for each class; equal states are merged from the leaves up; edges that
//! say what would happen without them go; what is not reached goes; classes get the order
//! of their tags. It must not change the tags of any string.

use std::hash::{Hash, Hasher};

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::Pool;
use super::path::{PathAutomaton, PathState};
use crate::intern::{Lists, number};

/// How often equal states are looked for; merging can make further ones equal.
const ROUNDS: usize = 4;

/// Stands for "this state itself" while states are compared, and for "no state yet".
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
    order_classes(&mut automaton);
    automaton
}

/// Numbers the classes by their tags: whoever goes through them in order finds what they
/// mention in order, too. The empty one stays the first.
fn order_classes(automaton: &mut PathAutomaton) {
    let classes = &automaton.classes;
    let mut order: Vec<(Option<u32>, u32)> = (0..)
        .zip(classes.iter())
        .map(|(class, tags)| (tags.first().copied(), class))
        .collect();
    order.sort_unstable_by(|(first, one), (second, other)| {
        let rest = || classes.get(*one).cmp(classes.get(*other));
        first.cmp(second).then_with(rest)
    });
    let mut ordered = Lists::default();
    let mut names = vec![0; order.len()];
    for (_, class) in order {
        let name = ordered.push(classes.get(class));
        if let Some(slot) = names.get_mut(class as usize) {
            *slot = name;
        }
    }
    automaton.classes = ordered;
    for state in &mut automaton.states {
        state.class = names.get(state.class as usize).copied().unwrap_or_default();
    }
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
    let predecessors = Predecessors::new(states, &sink);
    let mut queue: Vec<u32> = (0..)
        .zip(&sink)
        .filter(|(_, sink)| !**sink)
        .map(|(state, _)| state)
        .collect();
    while let Some(state) = queue.pop() {
        for from in predecessors.of(state) {
            if let Some(flag) = sink.get_mut(*from as usize)
                && std::mem::replace(flag, false)
            {
                queue.push(*from);
            }
        }
    }
    let mut representative: Vec<u32> = vec![ITSELF; automaton.classes.len()];
    let mut names = Vec::with_capacity(sink.len());
    for ((index, state), is_sink) in (0_u32..).zip(&mut automaton.states).zip(&sink) {
        if !is_sink {
            names.push(index);
            continue;
        }
        let mut name = index;
        if let Some(first) = representative.get_mut(state.class as usize) {
            if *first == ITSELF {
                *first = index;
            }
            name = *first;
        }
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

/// By state, those that may be sinks and lead to it.
struct Predecessors {
    list: Vec<u32>,
    /// Where each state's begin.
    starts: Vec<usize>,
}

impl Predecessors {
    fn new(states: &[PathState], sink: &[bool]) -> Self {
        let edges = || {
            (0_u32..)
                .zip(states)
                .zip(sink)
                .filter(|(_, sink)| **sink)
                .flat_map(|((from, body), _)| body.successors().map(move |to| (from, to)))
        };
        // Counted one further on, so that filling in moves each start to its place.
        let mut starts = vec![0; states.len() + 2];
        for (_, to) in edges() {
            if let Some(count) = starts.get_mut(to as usize + 2) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut list = vec![0; sum];
        for (from, to) in edges() {
            if let Some(at) = starts.get_mut(to as usize + 1) {
                if let Some(slot) = list.get_mut(*at) {
                    *slot = from;
                }
                *at += 1;
            }
        }
        Self { list, starts }
    }

    fn of(&self, state: u32) -> &[u32] {
        let state = state as usize;
        match (self.starts.get(state), self.starts.get(state + 1)) {
            (Some(start), Some(end)) => self.list.get(*start..*end).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// A state as it compares with others: where it leads to itself, each does.
struct Alike<'s> {
    number: u32,
    state: &'s PathState,
}

impl Alike<'_> {
    fn same(&self, next: u32) -> u32 {
        if next == self.number { ITSELF } else { next }
    }

    fn hash(&self) -> u64 {
        let state = self.state;
        let mut hasher = FxHasher::default();
        (state.class, self.same(state.default), state.sink).hash(&mut hasher);
        if let Some((dfa, next)) = &state.wild {
            dfa.hash(&mut hasher);
            for next in next {
                self.same(*next).hash(&mut hasher);
            }
        }
        for (key, next) in &state.literals {
            (*key, self.same(*next)).hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl PartialEq for Alike<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.state, other.state);
        let next = |one: &u32, two: &u32| self.same(*one) == other.same(*two);
        let wild = match (&a.wild, &b.wild) {
            (None, None) => true,
            (Some((dfa, one)), Some((other_dfa, two))) => {
                dfa == other_dfa
                    && one.len() == two.len()
                    && one.iter().zip(two).all(|(one, two)| next(one, two))
            }
            _ => false,
        };
        let edge =
            |((key, one), (other, two)): (&(_, u32), &(_, u32))| key == other && next(one, two);
        a.class == b.class
            && a.sink == b.sink
            && next(&a.default, &b.default)
            && wild
            && a.literals.len() == b.literals.len()
            && a.literals.iter().zip(&b.literals).all(edge)
    }
}

/// Merges states that are equal but for their numbers; whether there were any.
fn merge_equal(pool: &Pool, automaton: &mut PathAutomaton) -> bool {
    let count = automaton.states.len();
    let mut names: Vec<u32> = (0..number(count)).collect();
    let mut ids: HashTable<u32> = HashTable::new();
    let mut merged = false;
    // States are numbered in the order they were found, so that most lead to
    // larger numbers: from the last to the first, successors come first.
    for index in (0..number(count)).rev() {
        if let Some(state) = automaton.states.get_mut(index as usize) {
            state.rename(|old| names.get(old as usize).copied().unwrap_or(old));
            state.tidy(pool);
        }
        let states = &automaton.states;
        let alike = |number: u32| {
            let state = states.get(number as usize)?;
            Some(Alike { number, state })
        };
        let Some(this) = alike(index) else { continue };
        let entry = ids.entry(
            this.hash(),
            |other| alike(*other).is_some_and(|other| other == this),
            |other| alike(*other).map_or(0, |other| other.hash()),
        );
        let name = *entry.or_insert(index).get();
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
    let mut names = vec![ITSELF; automaton.states.len()];
    let mut order = vec![0_u32];
    if let Some(start) = names.first_mut() {
        *start = 0;
    }
    let mut next = 0;
    while let Some(state) = order.get(next).copied() {
        next += 1;
        let Some(body) = automaton.states.get(state as usize) else {
            continue;
        };
        // An unused default is not an edge, yet must have a number.
        for target in body.successors().chain([body.default]) {
            if let Some(name @ &mut ITSELF) = names.get_mut(target as usize) {
                *name = number(order.len());
                order.push(target);
            }
        }
    }
    let mut states = Vec::with_capacity(order.len());
    for number in order {
        if let Some(state) = automaton.states.get_mut(number as usize) {
            state.rename(|old| names.get(old as usize).copied().unwrap_or(old));
            states.push(PathState {
                wild: state.wild.take(),
                literals: std::mem::take(&mut state.literals),
                ..*state
            });
        }
    }
    automaton.states = states;
}
