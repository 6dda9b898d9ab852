//! Deterministic automata over bytes, for names and for the wildcards inside one
//! component.
//!
//! Owns subset construction, minimisation and column compression of sets of
//! linear patterns. It must not know what an accepted pattern stands for: an
//! accept is a set of pattern indices. The result satisfies the image's rule
//! that state 0 never leaves itself.

use rustc_hash::FxHashMap;

use super::positions::{Positions, columns, most_alive};
use crate::glob::ByteSet;

/// A step of a linear pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Step {
    /// This byte.
    Byte(u8),
    /// One byte of the set.
    Set(ByteSet),
    /// Any run of bytes of the set, also the empty one.
    Run(ByteSet),
}

/// Every byte.
pub(crate) const ALL_BYTES: ByteSet = ByteSet([u64::MAX; 4]);

/// A pattern: its steps match the whole string.
pub(crate) type Steps = Box<[Step]>;

/// An automaton whose states accept sets of patterns.
#[derive(Debug, Clone)]
pub(crate) struct Dfa {
    /// Columns of [`Dfa::transitions`].
    pub(crate) columns: usize,
    /// Column of each byte.
    pub(crate) map: Vec<u8>,
    /// Next states, row by row. State 0 is dead: it never leaves itself.
    pub(crate) transitions: Vec<u16>,
    /// Index into [`Dfa::sets`], by state.
    pub(crate) accepts: Vec<u32>,
    /// Distinct accepted sets of patterns, each sorted; the first is empty.
    pub(crate) sets: Vec<Box<[u32]>>,
    /// Where a walk starts.
    pub(crate) start: u16,
}

/// The automaton would be larger than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge {
    /// The pattern that is alive in most states.
    pub(crate) pattern: u32,
}

impl Dfa {
    /// Number of states.
    pub(crate) fn states(&self) -> usize {
        self.accepts.len()
    }

    /// The state that a byte leads to.
    pub(crate) fn next(&self, state: u16, byte: u8) -> u16 {
        let column = self.map.get(usize::from(byte)).copied().unwrap_or(0);
        let index = usize::from(state) * self.columns + usize::from(column);
        self.transitions.get(index).copied().unwrap_or(0)
    }

    /// Index of the set accepted in a state.
    pub(crate) fn accept(&self, state: u16) -> u32 {
        let accept = self.accepts.get(usize::from(state));
        accept.copied().unwrap_or_default()
    }

    /// Index of the set accepted after `bytes`.
    pub(crate) fn run(&self, bytes: &[u8]) -> u32 {
        let mut state = self.start;
        for byte in bytes {
            if state == 0 {
                break;
            }
            state = self.next(state, *byte);
        }
        self.accept(state)
    }

    /// Builds the minimal automaton of `patterns`, if it has at most
    /// `max_states` states. Accepted are their indices.
    pub(crate) fn build(patterns: &[Steps], max_states: usize) -> Result<Self, TooLarge> {
        let tags: Vec<u32> = (0..).take(patterns.len()).collect();
        Self::build_tagged(patterns, &tags, max_states)
    }

    /// The same, but accepted are the patterns' tags, which need not differ.
    pub(crate) fn build_tagged(
        patterns: &[Steps],
        tags: &[u32],
        max_states: usize,
    ) -> Result<Self, TooLarge> {
        let subset = Subset::build(patterns, tags, max_states.saturating_mul(SLACK))?;
        subset.minimise(max_states.min(usize::from(u16::MAX)))
    }
}

/// How many times larger than allowed an automaton may be before it is minimised.
const SLACK: usize = 4;

/// Work (positions moved) that one automaton may take.
const MAX_WORK: usize = 60_000_000;
/// Work that any patterns may take, and more of it for each pair of steps. Where that
/// does not suffice, their combinations multiply.
const WORK: usize = 8_000_000;
const WORK_PER_PAIR: usize = 32;

/// Subset construction: states are sorted sets of positions.
struct Subset {
    columns: usize,
    map: Vec<u8>,
    transitions: Vec<u32>,
    accepts: Vec<u32>,
    sets: Vec<Box<[u32]>>,
    /// The pattern that is alive in most states.
    costliest: u32,
}

impl Subset {
    fn build(patterns: &[Steps], tags: &[u32], max_states: usize) -> Result<Self, TooLarge> {
        let positions = Positions::new(patterns);
        let (map, columns, members) = columns(&positions);
        let first_bytes: Vec<u8> = members
            .iter()
            .map(|bytes| bytes.first().copied().unwrap_or(0))
            .collect();

        let mut start = Vec::new();
        let mut base = 0_u32;
        for steps in patterns {
            positions.close(base, &mut start);
            base += u32::try_from(steps.len()).unwrap_or(u32::MAX) + 1;
        }
        positions.normalise(&mut start);

        let mut subset = Self {
            columns,
            map,
            transitions: Vec::new(),
            accepts: Vec::new(),
            sets: vec![Box::default()],
            costliest: 0,
        };
        let mut set_ids: FxHashMap<Box<[u32]>, u32> = FxHashMap::default();
        set_ids.insert(Box::default(), 0);
        let mut ids: FxHashMap<Box<[u32]>, u32> = FxHashMap::default();
        let mut queue: Vec<Box<[u32]>> = vec![Box::default(), start.clone().into()];
        ids.insert(Box::default(), 0);
        // A start set is never empty unless there are no patterns.
        if !start.is_empty() {
            ids.insert(start.into(), 1);
        }

        let steps: usize = patterns.iter().map(|steps| steps.len()).sum();
        let by_pairs = steps.saturating_mul(steps).saturating_mul(WORK_PER_PAIR);
        let most = by_pairs.saturating_add(WORK).min(MAX_WORK);
        let mut work = 0_usize;
        let mut next = 0;
        // By column; and what every column reaches, which is moved once.
        let mut buckets: Vec<Vec<u32>> = vec![Vec::new(); columns];
        let mut common: Vec<u32> = Vec::new();
        while let Some(set) = queue.get(next).cloned() {
            next += 1;
            let accepted = positions.accepted(&set, tags);
            let accept = match set_ids.get(&accepted) {
                Some(id) => *id,
                None => {
                    let id = u32::try_from(subset.sets.len()).unwrap_or(u32::MAX);
                    subset.sets.push(accepted.clone());
                    set_ids.insert(accepted, id);
                    id
                }
            };
            subset.accepts.push(accept);
            for bucket in &mut buckets {
                bucket.clear();
            }
            common.clear();
            for position in set.iter().copied() {
                match positions.step(position) {
                    None => {}
                    Some(Step::Run(bytes)) if *bytes == ALL_BYTES => {
                        work += 1;
                        positions.close(position, &mut common);
                    }
                    Some(Step::Byte(byte)) => {
                        let column = subset.map.get(usize::from(*byte)).copied().unwrap_or(0);
                        if let Some(bucket) = buckets.get_mut(usize::from(column)) {
                            positions.close(position + 1, bucket);
                            work += 1;
                        }
                    }
                    Some(step) => {
                        let (bytes, target) = match step {
                            Step::Run(bytes) => (bytes, position),
                            Step::Set(bytes) => (bytes, position + 1),
                            Step::Byte(_) => continue,
                        };
                        for (bucket, byte) in buckets.iter_mut().zip(&first_bytes) {
                            work += 1;
                            if bytes.contains(*byte) {
                                positions.close(target, bucket);
                            }
                        }
                    }
                }
            }
            let mut otherwise = None;
            for bucket in &mut buckets {
                let is_common = bucket.is_empty();
                if let (true, Some(id)) = (is_common, otherwise) {
                    subset.transitions.push(id);
                    continue;
                }
                work += common.len();
                bucket.extend(&common);
                positions.normalise(bucket);
                let id = match ids.get(bucket.as_slice()) {
                    Some(id) => *id,
                    None => {
                        let id = u32::try_from(queue.len()).unwrap_or(u32::MAX);
                        let key: Box<[u32]> = bucket.as_slice().into();
                        queue.push(key.clone());
                        ids.insert(key, id);
                        id
                    }
                };
                if is_common {
                    otherwise = Some(id);
                }
                subset.transitions.push(id);
            }
            if queue.len() > max_states || work > most {
                return Err(TooLarge {
                    pattern: most_alive(&positions, &queue, patterns.len()),
                });
            }
        }
        subset.costliest = most_alive(&positions, &queue, patterns.len());
        Ok(subset)
    }

    fn row(&self, state: usize) -> &[u32] {
        self.transitions
            .get(state * self.columns..(state + 1) * self.columns)
            .unwrap_or_default()
    }

    /// Partition refinement; block 0 is that of the dead state. Gives up, which
    /// is sound, where it would take too long.
    fn blocks(&self) -> (Vec<u32>, usize) {
        let states = self.accepts.len();
        // The dead state accepts nothing, so that its block is number 0 from the
        // start and, being renamed in order, for ever.
        let mut blocks: Vec<u32> = self.accepts.clone();
        let mut count = self.sets.len();
        let mut work = 0;
        loop {
            let mut ids: FxHashMap<Vec<u32>, u32> = FxHashMap::default();
            let mut refined = Vec::with_capacity(states);
            for (state, block) in blocks.iter().enumerate() {
                let mut signature = Vec::with_capacity(self.columns + 1);
                signature.push(*block);
                signature.extend(
                    self.row(state)
                        .iter()
                        .map(|next| blocks.get(*next as usize).copied().unwrap_or_default()),
                );
                let fresh = u32::try_from(ids.len()).unwrap_or(u32::MAX);
                refined.push(*ids.entry(signature).or_insert(fresh));
            }
            let stable = ids.len() == count;
            count = ids.len();
            blocks = refined;
            if stable {
                return (blocks, count);
            }
            work += states * self.columns;
            if work > MAX_WORK {
                return ((0_u32..).take(states).collect(), states);
            }
        }
    }

    fn minimise(self, max_states: usize) -> Result<Dfa, TooLarge> {
        let (blocks, count) = self.blocks();
        if count > max_states {
            return Err(TooLarge {
                pattern: self.costliest,
            });
        }
        let mut accepts = Vec::with_capacity(count);
        let mut rows: Vec<Vec<u16>> = Vec::with_capacity(count);
        for (state, block) in blocks.iter().enumerate() {
            // Blocks are numbered in the order of their first states.
            if *block as usize != rows.len() {
                continue;
            }
            accepts.push(self.accepts.get(state).copied().unwrap_or_default());
            rows.push(
                self.row(state)
                    .iter()
                    .map(|next| blocks.get(*next as usize).copied().unwrap_or_default())
                    .map(|block| u16::try_from(block).unwrap_or(0))
                    .collect(),
            );
        }
        let start = blocks.get(1).copied().unwrap_or_default();

        // Columns that became equal are merged.
        let mut ids: FxHashMap<Vec<u16>, u8> = FxHashMap::default();
        let mut renamed = Vec::with_capacity(self.columns);
        let mut kept = Vec::new();
        for column in 0..self.columns {
            let values: Vec<u16> = rows
                .iter()
                .map(|row| row.get(column).copied().unwrap_or_default())
                .collect();
            let fresh = u8::try_from(ids.len()).unwrap_or(u8::MAX);
            renamed.push(*ids.entry(values).or_insert_with(|| {
                kept.push(column);
                fresh
            }));
        }
        Ok(Dfa {
            columns: kept.len(),
            map: self
                .map
                .iter()
                .map(|column| renamed.get(usize::from(*column)).copied().unwrap_or(0))
                .collect(),
            transitions: rows
                .iter()
                .flat_map(|row| {
                    kept.iter()
                        .map(|column| row.get(*column).copied().unwrap_or_default())
                })
                .collect(),
            accepts,
            sets: self.sets,
            start: u16::try_from(start).unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Steps {
        text.bytes()
            .map(|byte| match byte {
                b'*' => Step::Run(ALL_BYTES),
                b'?' => Step::Set(ALL_BYTES),
                byte => Step::Byte(byte),
            })
            .collect()
    }

    fn accepted(patterns: &[&str], text: &str) -> Vec<u32> {
        let patterns: Vec<Steps> = patterns.iter().map(|text| steps(text)).collect();
        let dfa = Dfa::build(&patterns, 8192).unwrap();
        dfa.sets[dfa.run(text.as_bytes()) as usize].to_vec()
    }

    #[test]
    fn stars_and_literals() {
        let patterns = ["*x*y", "abc", "a*", "*", "", "?"];
        assert_eq!(accepted(&patterns, ""), [3, 4]);
        assert_eq!(accepted(&patterns, "abc"), [1, 2, 3]);
        assert_eq!(accepted(&patterns, "axby"), [0, 2, 3]);
        assert_eq!(accepted(&patterns, "z"), [3, 5]);
    }

    #[test]
    fn many_stars_stay_linear() {
        let dfa = Dfa::build(&[steps("*a*b*c*d*e*f*g*h*i*j*")], 8192).unwrap();
        assert_eq!(dfa.states(), 12);
    }

    #[test]
    fn exploding_patterns_are_refused() {
        let pattern = format!("*a{}", "?".repeat(20));
        let error = Dfa::build(&[steps("b*"), steps(&pattern)], 8192).unwrap_err();
        assert_eq!(error.pattern, 1);
    }

    #[test]
    fn dead_state_is_zero() {
        let dfa = Dfa::build(&[steps("abc"), steps("abd")], 8192).unwrap();
        assert!(dfa.transitions[..dfa.columns].iter().all(|next| *next == 0));
        assert_eq!(dfa.accepts[0], 0);
        assert!(dfa.sets[0].is_empty());
    }

    #[test]
    fn no_patterns() {
        let dfa = Dfa::build(&[], 8192).unwrap();
        assert_eq!(dfa.run(b"abc"), 0);
    }
}
