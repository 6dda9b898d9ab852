//! From sets of globs to automata.
//!
//! Owns: byte automata ([`bytes`]), the component view of path globs
//! ([`component`]), the component automaton of a path classifier ([`path`],
//! [`reduce`]), and the [`Pool`] of components and byte automata that all
//! classifiers share. It must not know of fields, rules or image offsets.

pub(crate) mod bytes;
pub(crate) mod component;
pub(crate) mod path;
mod positions;
mod reduce;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use hashbrown::HashTable;

use crate::intern::{Interner, ListInterner, hash, number};
use bytes::{Dfa, Step, Steps, TooLarge};

/// Things that classifiers share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pool {
    /// Components, one after the other, and where each ends.
    key_bytes: Vec<u8>,
    key_ends: Vec<u32>,
    key_ids: HashTable<KeyId>,
    dfas: Vec<Arc<Dfa>>,
    /// Sets of patterns, by number those of `dfas`.
    dfa_ids: ListInterner,
    wilds: Interner<Steps>,
}

/// A component of a path, interned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct KeyId(pub(crate) u32);

/// A byte automaton, interned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DfaId(pub(crate) u32);

/// A wildcard pattern over one component (or name), interned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct WildId(pub(crate) u32);

impl Pool {
    /// Interns a component.
    pub(crate) fn key(&mut self, bytes: &[u8]) -> KeyId {
        let hashed = hash(bytes);
        let known = self
            .key_ids
            .find(hashed, |key| self.key_bytes(*key) == bytes);
        if let Some(id) = known {
            return *id;
        }
        let id = KeyId(number(self.key_ends.len()));
        self.key_bytes.extend_from_slice(bytes);
        self.key_ends.push(number(self.key_bytes.len()));
        let mut ids = std::mem::take(&mut self.key_ids);
        ids.insert_unique(hashed, id, |key| hash(self.key_bytes(*key)));
        self.key_ids = ids;
        id
    }

    /// A component's bytes.
    pub(crate) fn key_bytes(&self, key: KeyId) -> &[u8] {
        let before = (key.0 as usize).checked_sub(1);
        let start = before.map_or(Some(&0), |before| self.key_ends.get(before));
        match (start, self.key_ends.get(key.0 as usize)) {
            (Some(start), Some(end)) => self
                .key_bytes
                .get(*start as usize..*end as usize)
                .unwrap_or_default(),
            _ => &[],
        }
    }

    /// Interns a wildcard pattern.
    pub(crate) fn wild(&mut self, steps: &[Step]) -> WildId {
        WildId(self.wilds.intern_ref(steps).0)
    }

    /// The automaton of a sorted set of wildcard patterns (their numbers); its accepts
    /// are indices into that set.
    pub(crate) fn dfa(&mut self, patterns: &[u32], max_states: usize) -> Result<DfaId, TooLarge> {
        if let Some(id) = self.dfa_ids.find(patterns) {
            return Ok(DfaId(id));
        }
        let steps: Vec<Steps> = patterns
            .iter()
            .filter_map(|id| self.wilds.get(*id).cloned())
            .collect();
        let dfa = Dfa::build(&steps, max_states)?;
        self.dfas.push(Arc::new(dfa));
        Ok(DfaId(self.dfa_ids.intern(patterns).0))
    }

    /// How many automata there are.
    pub(crate) fn dfas(&self) -> usize {
        self.dfas.len()
    }

    /// An automaton.
    pub(crate) fn get(&self, id: DfaId) -> Option<&Dfa> {
        self.dfas.get(id.0 as usize).map(AsRef::as_ref)
    }
}
