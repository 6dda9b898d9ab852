//! The component automaton of a set of path globs.
//!
//! Owns the subset construction over positions between components. A state is
//! what the image's path states are: the set of tags that match if the string
//! ends here, literal components as edges, everything else by a byte automaton
//! or a default. It must not know what a tag stands for.
//!
//! A literal edge is definitive: the wildcards of the state have been evaluated
//! against the literal here, so that whoever walks looks at them only where no
//! edge fits.

use rustc_hash::FxHashMap;

use super::component::{Arc, Globs, Shape, Target};
use super::{DfaId, KeyId, Pool, WildId, number, reduce};
use crate::glob::Glob;

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PathState {
    /// Index into [`PathAutomaton::classes`].
    pub(crate) class: u32,
    /// Where a component leads that nothing else fits.
    pub(crate) default: u32,
    /// The automaton of the wildcards, and where each of its accepted sets leads.
    pub(crate) wild: Option<(DfaId, Vec<u32>)>,
    /// Literal components, sorted.
    pub(crate) literals: Vec<(KeyId, u32)>,
    /// Nothing that follows changes the class.
    pub(crate) sink: bool,
}

/// A path classifier.
#[derive(Debug, Clone)]
pub(crate) struct PathAutomaton {
    /// The first is where a walk starts.
    pub(crate) states: Vec<PathState>,
    /// The sets of tags that can match, each sorted; the first is empty.
    pub(crate) classes: Vec<Box<[u32]>>,
    /// The globs that take part in most states: index among those given, and in
    /// how many; the costliest first.
    pub(crate) costs: Vec<(u32, u64)>,
}

/// How many globs [`PathAutomaton::costs`] lists.
const COSTS: usize = 5;

/// Limits of one path classifier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PathLimits {
    /// States.
    pub(crate) states: usize,
    /// Edges.
    pub(crate) edges: usize,
    /// States of one byte automaton.
    pub(crate) automaton_states: usize,
    /// Positions and edges looked at.
    pub(crate) work: usize,
}

/// A limit was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooCostly {
    /// The tag that costs most.
    pub(crate) tag: u32,
    /// Index of the glob among those given.
    pub(crate) glob: u32,
}

/// Builds the classifier of `globs`, each with its tag.
pub(crate) fn build<'g>(
    pool: &mut Pool,
    globs: impl IntoIterator<Item = (u32, &'g Glob)>,
    limits: PathLimits,
) -> Result<PathAutomaton, TooCostly> {
    let mut entries = Globs::default();
    let starts: Vec<u32> = globs
        .into_iter()
        .map(|(tag, glob)| entries.add(tag, glob))
        .collect();
    let mut builder = Builder {
        pool,
        globs: entries,
        limits,
        classes: vec![Box::default()],
        class_ids: FxHashMap::from_iter([(Box::default(), 0)]),
        ids: FxHashMap::default(),
        expanded: FxHashMap::default(),
        sets: Vec::new(),
        states: Vec::new(),
        work: 0,
        edges: 0,
    };
    builder.state(0, starts.into());
    builder.run()?;
    let costs = builder.costs();
    let automaton = PathAutomaton {
        states: builder.states,
        classes: builder.classes,
        costs,
    };
    Ok(reduce::reduce(builder.pool, automaton))
}

struct Builder<'p> {
    pool: &'p mut Pool,
    globs: Globs,
    limits: PathLimits,
    classes: Vec<Box<[u32]>>,
    class_ids: FxHashMap<Box<[u32]>, u32>,
    ids: FxHashMap<(u32, Box<[u32]>), u32>,
    /// A state with those positions whose ways on are known.
    expanded: FxHashMap<Box<[u32]>, u32>,
    /// Class and positions of every state found so far.
    sets: Vec<(u32, Box<[u32]>)>,
    states: Vec<PathState>,
    work: usize,
    edges: usize,
}

impl Builder<'_> {
    fn class(&mut self, tags: Box<[u32]>) -> u32 {
        if let Some(id) = self.class_ids.get(&tags) {
            return *id;
        }
        let id = number(self.classes.len());
        self.classes.push(tags.clone());
        self.class_ids.insert(tags, id);
        id
    }

    fn state(&mut self, class: u32, positions: Box<[u32]>) -> u32 {
        let fresh = number(self.sets.len());
        match self.ids.entry((class, positions)) {
            std::collections::hash_map::Entry::Occupied(entry) => *entry.get(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                self.sets.push(entry.key().clone());
                entry.insert(fresh);
                fresh
            }
        }
    }

    /// The state that a component leads to.
    fn goto<'t>(&mut self, targets: impl Iterator<Item = &'t Target>) -> u32 {
        let mut tags = Vec::new();
        let mut positions = Vec::new();
        for target in targets {
            self.work += 1;
            match target {
                Target::Accept(tag) => tags.push(*tag),
                Target::Position(position) => positions.push(*position),
            }
        }
        tags.sort_unstable();
        tags.dedup();
        self.normalise(&mut positions);
        let class = self.class(tags.into());
        self.state(class, positions.into())
    }

    /// Sorts positions and drops those of a glob before its last `**`: whatever
    /// matches from there matches from the `**` too.
    fn normalise(&self, positions: &mut Vec<u32>) {
        if positions.len() < 2 {
            return;
        }
        positions.sort_unstable();
        positions.dedup();
        let mut covered = u32::MAX;
        let mut kept = Vec::with_capacity(positions.len());
        for position in positions.iter().rev().copied() {
            let (glob, deep) = self.globs.place(position);
            if glob == covered {
                continue;
            }
            kept.push(position);
            if deep {
                covered = glob;
            }
        }
        kept.reverse();
        *positions = kept;
    }

    fn run(&mut self) -> Result<(), TooCostly> {
        let mut arcs: Vec<Arc> = Vec::new();
        let mut next = 0;
        while let Some((class, positions)) = self.sets.get(next).cloned() {
            next += 1;
            if let Some(like) = self.expanded.get(&positions) {
                // Only the class differs.
                if let Some(state) = self.states.get(*like as usize) {
                    let state = PathState {
                        class,
                        ..state.clone()
                    };
                    self.edges += state.literals.len();
                    self.work += state.literals.len();
                    self.states.push(state);
                }
                self.check()?;
                continue;
            }
            arcs.clear();
            for position in &positions {
                self.work += self.globs.arcs(*position, &mut arcs);
            }
            let state = self.expand(class, &arcs)?;
            self.edges += state.literals.len();
            self.expanded.insert(positions, number(self.states.len()));
            self.states.push(state);
            self.check()?;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TooCostly> {
        if self.sets.len() > self.limits.states
            || self.edges > self.limits.edges
            || self.work > self.limits.work
        {
            return Err(self.costliest());
        }
        Ok(())
    }

    fn expand(&mut self, class: u32, arcs: &[Arc]) -> Result<PathState, TooCostly> {
        let mut literals: Vec<(&[u8], Target)> = Vec::new();
        let mut any: Vec<Target> = Vec::new();
        let mut wild: Vec<(WildId, Target)> = Vec::new();
        for arc in arcs {
            match &arc.shape {
                Shape::Literal(bytes) => literals.push((bytes, arc.target)),
                Shape::Any => any.push(arc.target),
                Shape::Wild(steps) => wild.push((self.pool.wild(steps.clone()), arc.target)),
            }
        }
        let default = self.goto(any.iter());
        let wild_state = self.expand_wild(&wild, &any)?;

        literals.sort_unstable();
        let mut edges = Vec::new();
        let mut rest = literals.as_slice();
        while let Some((bytes, _)) = rest.first().copied() {
            let end = rest.partition_point(|(other, _)| *other <= bytes);
            let (group, others) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = others;
            let (otherwise, extra) = match &wild_state {
                Some(state) => {
                    let set = self.pool.get(state.dfa).map_or(0, |dfa| dfa.run(bytes));
                    let set = set as usize;
                    (
                        state.next.get(set).copied().unwrap_or(default),
                        state.targets.get(set).map(Vec::as_slice),
                    )
                }
                None => (default, None),
            };
            let to = self.goto(
                group
                    .iter()
                    .map(|(_, target)| target)
                    .chain(&any)
                    .chain(extra.unwrap_or_default()),
            );
            if to != otherwise {
                edges.push((self.pool.key(bytes), to));
            }
            // Where every edge goes through many positions, the limit must be
            // seen before the state is finished.
            self.check()?;
        }
        edges.sort_unstable();
        Ok(PathState {
            class,
            default,
            wild: wild_state.map(|state| (state.dfa, state.next)),
            literals: edges,
            sink: false,
        })
    }

    fn expand_wild(
        &mut self,
        wild: &[(WildId, Target)],
        any: &[Target],
    ) -> Result<Option<Wild>, TooCostly> {
        let mut patterns: Vec<WildId> = wild.iter().map(|(id, _)| *id).collect();
        patterns.sort_unstable();
        patterns.dedup();
        if patterns.is_empty() {
            return Ok(None);
        }
        let mut by_pattern: Vec<Vec<Target>> = vec![Vec::new(); patterns.len()];
        for (id, target) in wild {
            if let Ok(index) = patterns.binary_search(id)
                && let Some(targets) = by_pattern.get_mut(index)
            {
                targets.push(*target);
            }
        }
        let dfa = self
            .pool
            .dfa(&patterns, self.limits.automaton_states)
            .map_err(|error| {
                let target = by_pattern
                    .get(error.pattern as usize)
                    .and_then(|targets| targets.first());
                self.blame(target.copied())
            })?;
        let sets: Vec<Box<[u32]>> = self
            .pool
            .get(dfa)
            .map(|dfa| dfa.sets.clone())
            .unwrap_or_default();
        let mut next = Vec::with_capacity(sets.len());
        let mut targets = Vec::with_capacity(sets.len());
        for set in &sets {
            let extra: Vec<Target> = set
                .iter()
                .filter_map(|index| by_pattern.get(*index as usize))
                .flatten()
                .copied()
                .collect();
            next.push(self.goto(any.iter().chain(&extra)));
            targets.push(extra);
        }
        Ok(Some(Wild { dfa, next, targets }))
    }

    fn blame(&self, target: Option<Target>) -> TooCostly {
        match target {
            Some(Target::Position(position)) => {
                let (glob, _) = self.globs.place(position.saturating_sub(1));
                TooCostly {
                    tag: self.globs.tag(glob),
                    glob,
                }
            }
            Some(Target::Accept(tag)) => TooCostly {
                tag,
                glob: self.globs.with_tag(tag),
            },
            None => self.costliest(),
        }
    }

    /// The glob with positions in most of the states.
    fn costliest(&self) -> TooCostly {
        let glob = self.costs().first().map_or(0, |(glob, _)| *glob);
        TooCostly {
            tag: self.globs.tag(glob),
            glob,
        }
    }

    /// The globs with positions in most of the states.
    fn costs(&self) -> Vec<(u32, u64)> {
        let mut counts: FxHashMap<u32, u64> = FxHashMap::default();
        for (_, positions) in &self.sets {
            for position in positions {
                *counts.entry(self.globs.place(*position).0).or_default() += 1;
            }
        }
        let mut counts: Vec<(u32, u64)> = counts.into_iter().collect();
        counts.sort_unstable_by_key(|(glob, count)| (std::cmp::Reverse(*count), *glob));
        counts.truncate(COSTS);
        counts
    }
}

/// The wildcards of a state.
struct Wild {
    dfa: DfaId,
    /// By accepted set: the next state.
    next: Vec<u32>,
    /// By accepted set: what its patterns add to the default's targets.
    targets: Vec<Vec<Target>>,
}

impl PathAutomaton {
    /// The class of a string, as a walk over the image would find it.
    #[cfg(test)]
    pub(crate) fn classify(&self, pool: &Pool, text: &[u8]) -> &[u32] {
        let mut state = &self.states[0];
        for component in text.split(|byte| *byte == b'/') {
            if state.sink {
                break;
            }
            let literal = state
                .literals
                .iter()
                .find(|(key, _)| pool.key_bytes(*key) == component);
            let next = match (literal, &state.wild) {
                (Some((_, next)), _) => *next,
                (None, Some((dfa, next))) => next[pool.get(*dfa).unwrap().run(component) as usize],
                (None, None) => state.default,
            };
            state = &self.states[next as usize];
        }
        &self.classes[state.class as usize]
    }
}
