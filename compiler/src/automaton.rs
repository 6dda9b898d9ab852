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

use rustc_hash::FxHashMap;

use bytes::{Dfa, Steps, TooLarge};

/// Things that classifiers share.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    keys: Vec<Box<[u8]>>,
    key_ids: FxHashMap<Box<[u8]>, KeyId>,
    dfas: Vec<Dfa>,
    dfa_ids: FxHashMap<Vec<WildId>, DfaId>,
    wilds: Vec<Steps>,
    wild_ids: FxHashMap<Steps, WildId>,
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

fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Pool {
    /// Interns a component.
    pub(crate) fn key(&mut self, bytes: &[u8]) -> KeyId {
        if let Some(id) = self.key_ids.get(bytes) {
            return *id;
        }
        let id = KeyId(number(self.keys.len()));
        self.keys.push(bytes.into());
        self.key_ids.insert(bytes.into(), id);
        id
    }

    /// A component's bytes.
    pub(crate) fn key_bytes(&self, key: KeyId) -> &[u8] {
        self.keys
            .get(key.0 as usize)
            .map(AsRef::as_ref)
            .unwrap_or_default()
    }

    /// Interns a wildcard pattern.
    pub(crate) fn wild(&mut self, steps: Steps) -> WildId {
        if let Some(id) = self.wild_ids.get(&steps) {
            return *id;
        }
        let id = WildId(number(self.wilds.len()));
        self.wilds.push(steps.clone());
        self.wild_ids.insert(steps, id);
        id
    }

    /// The automaton of a sorted set of wildcard patterns; its accepts are
    /// indices into that set.
    pub(crate) fn dfa(
        &mut self,
        patterns: &[WildId],
        max_states: usize,
    ) -> Result<DfaId, TooLarge> {
        if let Some(id) = self.dfa_ids.get(patterns) {
            return Ok(*id);
        }
        let steps: Vec<Steps> = patterns
            .iter()
            .filter_map(|id| self.wilds.get(id.0 as usize).cloned())
            .collect();
        let dfa = Dfa::build(&steps, max_states)?;
        let id = DfaId(number(self.dfas.len()));
        self.dfas.push(dfa);
        self.dfa_ids.insert(patterns.to_vec(), id);
        Ok(id)
    }

    /// An automaton.
    pub(crate) fn get(&self, id: DfaId) -> Option<&Dfa> {
        self.dfas.get(id.0 as usize)
    }
}
