//! Positions in linear patterns, and the bytes that patterns tell apart.
//!
//! Owns what subset construction moves: positions, what they reach without a
//! byte, which of them are covered by others. It must not know of states.

use rustc_hash::FxHashMap;

use super::bytes::{ALL_BYTES, Step, Steps};
use crate::glob::ByteSet;

/// All positions of all patterns, numbered consecutively.
pub(super) struct Positions {
    /// The step at each position; `None` past a pattern's last step.
    steps: Vec<Option<Step>>,
    /// Whether a position is a run over every byte.
    unbounded: Vec<bool>,
    /// The pattern of each position.
    owner: Vec<u32>,
}

impl Positions {
    pub(super) fn new(patterns: &[Steps]) -> Self {
        let mut positions = Self {
            steps: Vec::new(),
            unbounded: Vec::new(),
            owner: Vec::new(),
        };
        for (pattern, steps) in (0_u32..).zip(patterns) {
            for step in steps.iter().cloned().map(Some).chain([None]) {
                positions
                    .unbounded
                    .push(matches!(&step, Some(Step::Run(set)) if *set == ALL_BYTES));
                positions.steps.push(step);
                positions.owner.push(pattern);
            }
        }
        positions
    }

    pub(super) fn step(&self, position: u32) -> Option<&Step> {
        self.steps.get(position as usize).and_then(Option::as_ref)
    }

    pub(super) fn owner(&self, position: u32) -> u32 {
        self.owner
            .get(position as usize)
            .copied()
            .unwrap_or(u32::MAX)
    }

    /// Adds `position` and what it reaches without a byte.
    pub(super) fn close(&self, mut position: u32, into: &mut Vec<u32>) {
        into.push(position);
        while let Some(Step::Run(_)) = self.step(position) {
            position += 1;
            into.push(position);
        }
    }

    /// Sorts a set and drops what a later unbounded run of the same pattern
    /// covers: whatever matches from before such a run also matches from it.
    pub(super) fn normalise(&self, set: &mut Vec<u32>) {
        set.sort_unstable();
        set.dedup();
        let mut covered = u32::MAX;
        let mut kept = Vec::with_capacity(set.len());
        for position in set.iter().rev().copied() {
            let owner = self.owner(position);
            if owner == covered {
                continue;
            }
            kept.push(position);
            if self.unbounded.get(position as usize) == Some(&true) {
                covered = owner;
            }
        }
        kept.reverse();
        *set = kept;
    }

    pub(super) fn accepted(&self, set: &[u32], tags: &[u32]) -> Box<[u32]> {
        let mut accepted: Vec<u32> = set
            .iter()
            .filter(|position| self.step(**position).is_none())
            .filter_map(|position| tags.get(self.owner(*position) as usize).copied())
            .collect();
        accepted.sort_unstable();
        accepted.dedup();
        accepted.into()
    }
}

/// Splits the bytes into classes that no step tells apart.
pub(super) fn columns(positions: &Positions) -> (Vec<u8>, usize, Vec<Vec<u8>>) {
    let mut distinct: Vec<ByteSet> = Vec::new();
    let mut seen = FxHashMap::default();
    for step in positions.steps.iter().flatten() {
        let set = match step {
            Step::Byte(byte) => {
                let mut set = ByteSet::default();
                set.insert(*byte);
                set
            }
            Step::Set(set) | Step::Run(set) => *set,
        };
        if seen.insert(set, ()).is_none() {
            distinct.push(set);
        }
    }
    let mut class = vec![0_u16; 256];
    let mut count = 1;
    for set in &distinct {
        if count == 256 {
            break;
        }
        let mut renamed: FxHashMap<(u16, bool), u16> = FxHashMap::default();
        let mut next = 0_u16;
        for (byte, class) in (0_u8..=255).zip(class.iter_mut()) {
            let key = (*class, set.contains(byte));
            *class = *renamed.entry(key).or_insert_with(|| {
                next += 1;
                next - 1
            });
        }
        count = usize::from(next);
    }
    let mut members = vec![Vec::new(); count];
    let mut map = Vec::with_capacity(256);
    for (byte, class) in (0_u8..=255).zip(&class) {
        if let Some(bytes) = members.get_mut(usize::from(*class)) {
            bytes.push(byte);
        }
        map.push(u8::try_from(*class).unwrap_or(u8::MAX));
    }
    (map, count, members)
}

/// The pattern with positions in most of the sets.
pub(super) fn most_alive(positions: &Positions, sets: &[Box<[u32]>], patterns: usize) -> u32 {
    let mut counts = vec![0_u64; patterns];
    for set in sets {
        for position in set {
            if let Some(count) = counts.get_mut(positions.owner(*position) as usize) {
                *count += 1;
            }
        }
    }
    let mut best = (0, 0);
    for (pattern, count) in (0_u32..).zip(counts) {
        if count > best.0 {
            best = (count, pattern);
        }
    }
    best.1
}
