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

use hashbrown::HashTable;

use super::component::{Arc, Globs, Shape, Target};
use super::{DfaId, KeyId, Pool, reduce};
use crate::glob::Glob;
use crate::intern::{ListInterner, Lists, hash, number};

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
    pub(crate) classes: Lists,
    /// The globs that take part in most states: index among those given, and in
    /// how many; the costliest first.
    pub(crate) costs: Vec<(u32, u64)>,
}

/// Bytes of [`prefix`].
const PREFIX: usize = 8;

/// How many globs [`PathAutomaton::costs`] lists.
const COSTS: usize = 5;

/// Work that any globs may take.
const WORK: usize = 8 << 20;
/// More of it for each pair of globs: a state may know them all.
const WORK_PER_PAIR: usize = 64;
/// And for each byte of them.
const WORK_PER_BYTE: usize = 128;
/// Work that an entry of a byte automaton stands for.
const WORK_PER_ENTRY: usize = 8;

/// Limits of one path classifier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PathLimits {
    /// States.
    pub(crate) states: usize,
    /// Edges.
    pub(crate) edges: usize,
    /// States of one byte automaton.
    pub(crate) automaton_states: usize,
    /// Positions and edges looked at. Few globs may take less: where that does not
    /// suffice their combinations multiply, and that is seen early. Long ones may take
    /// more.
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
    let pairs = starts.len().saturating_mul(starts.len());
    let by_pairs = pairs.saturating_mul(WORK_PER_PAIR).saturating_add(WORK);
    let by_bytes = entries.bytes().saturating_mul(WORK_PER_BYTE);
    let limits = PathLimits {
        work: limits.work.min(by_pairs).saturating_add(by_bytes),
        ..limits
    };
    let mut builder = Builder {
        pool,
        globs: &entries,
        limits,
        classes: ListInterner::default(),
        positions: Vec::new(),
        ids: HashTable::new(),
        expanded: HashTable::new(),
        sets: Vec::new(),
        states: Vec::new(),
        work: 0,
        edges: 0,
        tags: Vec::new(),
        next: Vec::new(),
    };
    builder.classes.intern(&[]);
    builder.state(0, &starts);
    drop(starts);
    builder.run()?;
    let costs = builder.costs();
    let Builder {
        pool,
        states,
        classes,
        ..
    } = builder;
    let automaton = PathAutomaton {
        states,
        classes: classes.into_lists(),
        costs,
    };
    Ok(reduce::reduce(pool, automaton))
}

struct Builder<'p, 'g> {
    pool: &'p mut Pool,
    globs: &'g Globs<'g>,
    limits: PathLimits,
    classes: ListInterner,
    /// Those of every state found so far, one after the other.
    positions: Vec<u32>,
    /// States by class and positions.
    ids: HashTable<u32>,
    /// By positions, a state with those of which the ways on are known.
    expanded: HashTable<u32>,
    /// Every state found so far.
    sets: Vec<Set>,
    states: Vec<PathState>,
    work: usize,
    edges: usize,
    /// Scratch of [`Builder::goto`].
    tags: Vec<u32>,
    next: Vec<u32>,
}

/// A state's class, and its positions among [`Builder::positions`].
#[derive(Debug, Clone, Copy)]
struct Set {
    class: u32,
    start: u32,
    end: u32,
}

impl Set {
    fn positions(self, all: &[u32]) -> &[u32] {
        all.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

impl<'g> Builder<'_, 'g> {
    fn state(&mut self, class: u32, positions: &[u32]) -> u32 {
        let (sets, all) = (&self.sets, &self.positions);
        let of = |id: &u32| {
            let set = sets.get(*id as usize)?;
            Some((set.class, set.positions(all)))
        };
        let fresh = number(sets.len());
        let entry = self.ids.entry(
            hash(&(class, positions)),
            |id| of(id) == Some((class, positions)),
            |id| of(id).map_or(0, |set| hash(&set)),
        );
        let id = *entry.or_insert(fresh).get();
        if id == fresh {
            let start = number(self.positions.len());
            self.positions.extend_from_slice(positions);
            self.sets.push(Set {
                class,
                start,
                end: number(self.positions.len()),
            });
        }
        id
    }

    /// The state that a component leads to.
    fn goto<'t>(&mut self, targets: impl Iterator<Item = &'t Target>) -> u32 {
        let mut tags = std::mem::take(&mut self.tags);
        let mut positions = std::mem::take(&mut self.next);
        tags.clear();
        positions.clear();
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
        let (class, _) = self.classes.intern(&tags);
        let state = self.state(class, &positions);
        self.tags = tags;
        self.next = positions;
        state
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
        positions.reverse();
        positions.retain(|position| {
            let (glob, deep) = self.globs.place(*position);
            let kept = glob != covered;
            if kept && deep {
                covered = glob;
            }
            kept
        });
        positions.reverse();
    }

    fn run(&mut self) -> Result<(), TooCostly> {
        let mut arcs: Vec<Arc> = Vec::new();
        let mut next = 0;
        while let Some(set) = self.sets.get(next).copied() {
            let hashed = hash(set.positions(&self.positions));
            let (sets, all) = (&self.sets, &self.positions);
            let of = |id: u32| sets.get(id as usize).map(|set| set.positions(all));
            let positions = set.positions(all);
            let like = self.expanded.find(hashed, |id| of(*id) == Some(positions));
            if let Some(like) = like {
                // Only the class differs.
                if let Some(state) = self.states.get(*like as usize) {
                    let state = PathState {
                        class: set.class,
                        ..state.clone()
                    };
                    self.edges += state.literals.len();
                    self.work += state.literals.len();
                    self.states.push(state);
                }
            } else {
                self.expanded
                    .insert_unique(hashed, number(next), |id| of(*id).map_or(0, hash));
                arcs.clear();
                for position in positions {
                    self.work += self.globs.arcs(*position, self.pool, &mut arcs);
                }
                let state = self.expand(set.class, &arcs)?;
                self.edges += state.literals.len();
                self.states.push(state);
            }
            next += 1;
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

    fn expand(&mut self, class: u32, arcs: &[Arc<'g>]) -> Result<PathState, TooCostly> {
        let mut literals: Vec<(u64, &[u8], Target)> = Vec::new();
        let mut any: Vec<Target> = Vec::new();
        let mut wild: Vec<(u32, Target)> = Vec::new();
        for arc in arcs {
            match arc.shape {
                Shape::Literal(bytes) => literals.push((prefix(bytes), bytes, arc.target)),
                Shape::Any => any.push(arc.target),
                Shape::Wild(pattern) => wild.push((pattern.0, arc.target)),
            }
        }
        let default = self.goto(any.iter());
        let wild_state = self.expand_wild(&mut wild, &any)?;

        // By their bytes, of which most need no second look.
        let order = |one: &(u64, &[u8], Target), other: &(u64, &[u8], Target)| {
            let (a, b) = (one.1, other.1);
            one.0.cmp(&other.0).then_with(|| {
                if a.len().max(b.len()) <= PREFIX {
                    a.len().cmp(&b.len())
                } else {
                    a.cmp(b)
                }
            })
        };
        literals.sort_unstable_by(|one, other| order(one, other).then_with(|| one.2.cmp(&other.2)));
        let mut edges = Vec::new();
        for group in literals.chunk_by(|one, other| order(one, other).is_eq()) {
            let bytes = group.first().map_or(&[][..], |(_, bytes, _)| *bytes);
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
                    .map(|(.., target)| target)
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
        edges.shrink_to_fit();
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
        wild: &mut [(u32, Target)],
        any: &[Target],
    ) -> Result<Option<Wild>, TooCostly> {
        if wild.is_empty() {
            return Ok(None);
        }
        // Stable: targets of one pattern stay in order.
        wild.sort_by_key(|(pattern, _)| *pattern);
        let by_pattern: Vec<&[(u32, Target)]> =
            wild.chunk_by(|(one, _), (other, _)| one == other).collect();
        let first = |group: &&[(u32, Target)]| group.first().copied();
        let patterns: Vec<u32> = by_pattern
            .iter()
            .filter_map(|group| first(group).map(|(pattern, _)| pattern))
            .collect();
        let before = self.pool.dfas();
        let dfa = self
            .pool
            .dfa(&patterns, self.limits.automaton_states)
            .map_err(|error| {
                let target = by_pattern.get(error.pattern as usize).and_then(first);
                self.blame(target.map(|(_, target)| target))
            })?;
        if self.pool.dfas() > before
            && let Some(fresh) = self.pool.get(dfa)
        {
            let entries = fresh.map.len() + fresh.transitions.len();
            self.work += entries * WORK_PER_ENTRY;
            self.check()?;
        }
        let sets = self.pool.get(dfa).map_or(0, |dfa| dfa.sets.len());
        let mut next = Vec::with_capacity(sets);
        let mut targets = Vec::with_capacity(sets);
        for set in 0..sets {
            let members = self.pool.get(dfa).and_then(|dfa| dfa.sets.get(set));
            let extra: Vec<Target> = members
                .into_iter()
                .flatten()
                .filter_map(|index| by_pattern.get(*index as usize))
                .flat_map(|group| group.iter().map(|(_, target)| *target))
                .collect();
            next.push(self.goto(any.iter().chain(&extra)));
            targets.push(extra);
        }
        Ok(Some(Wild { dfa, next, targets }))
    }

    fn blame(&self, target: Option<Target>) -> TooCostly {
        match target {
            Some(Target::Position(position)) => {
                let (glob, _) = self.globs.place(position);
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
        let mut counts = vec![0_u64; self.globs.count()];
        for position in &self.positions {
            let (glob, _) = self.globs.place(*position);
            if let Some(count) = counts.get_mut(glob as usize) {
                *count += 1;
            }
        }
        let counts = (0..).zip(counts).filter(|(_, count)| *count > 0);
        let mut counts: Vec<(u32, u64)> = counts.collect();
        counts.sort_unstable_by_key(|(glob, count)| (std::cmp::Reverse(*count), *glob));
        counts.truncate(COSTS);
        counts
    }
}

/// The first bytes, by which most components are told apart at once.
fn prefix(bytes: &[u8]) -> u64 {
    let mut word = [0; PREFIX];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_be_bytes(word)
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
        self.classes.get(state.class)
    }
}
