//! Classifiers, path states and byte automata as bytes.
//!
//! Owns where each lies and what it refers to. Automata share byte maps and
//! transitions wherever those are equal; only accepts differ.

use rustc_hash::FxHashMap;

use lsmpc_abi::CLASS_FIRST;
use lsmpc_abi::image::{
    CLASSIFIER_NAME, CLASSIFIER_PATH, CLASSIFIER_U64, CLASSIFIER_U128, STATE_LITERALS, STATE_SINK,
    STATE_SIZE,
};

use super::edges::{Edge, Key};
use super::layout::{Full, Writer};
use crate::automaton::bytes::Dfa;
use crate::automaton::path::PathAutomaton;
use crate::automaton::{DfaId, KeyId, Pool};
use crate::lower::{Classifiers, Method};

/// Bytes of a classifier.
const CLASSIFIER_SIZE: usize = 16;
/// Bytes of an automaton's header.
const AUTOMATON_SIZE: usize = 32;

/// Offsets of a byte map and of transitions.
#[derive(Debug, Clone, Copy)]
struct Body {
    map: u32,
    transitions: u32,
}

/// What has been written.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Offsets of the classifiers, by number.
    pub(super) classifiers: Vec<u32>,
    /// Path states.
    pub(super) states: usize,
    /// Byte automata.
    pub(super) automata: usize,
    /// States of all byte automata.
    pub(super) automaton_states: usize,
    maps: FxHashMap<Vec<u8>, u32>,
    bodies: FxHashMap<DfaId, Body>,
    shared: FxHashMap<(DfaId, Vec<u32>), u32>,
    records: FxHashMap<KeyId, u32>,
}

/// Appends all classifiers; their edges are added to `edges`.
pub(super) fn write(
    writer: &mut Writer,
    classifiers: &Classifiers,
    edges: &mut Vec<Edge>,
) -> Result<Written, Full> {
    let mut written = Written::default();
    for _ in classifiers.iter() {
        written.classifiers.push(writer.place(CLASSIFIER_SIZE, 16)?);
    }
    let offsets = written.classifiers.clone();
    // States first, for all classifiers: they are read most.
    let mut paths = Vec::new();
    for (offset, classifier) in offsets.iter().zip(classifiers.iter()) {
        if let Method::Path(automaton) = &classifier.method {
            let size = automaton.states.len() * STATE_SIZE as usize;
            let start = writer.place(size, 16)?;
            writer.put_u32s(*offset, &[CLASSIFIER_PATH, start, 0, 0]);
            written.states += automaton.states.len();
            paths.push((start, automaton));
        }
    }
    for (start, automaton) in paths {
        written.path(writer, &classifiers.pool, start, automaton, edges)?;
    }
    for (offset, classifier) in offsets.iter().zip(classifiers.iter()) {
        let header = match &classifier.method {
            Method::Path(_) => continue,
            Method::Name(dfa) => {
                let accepts: Vec<u32> = dfa
                    .accepts
                    .iter()
                    .map(|set| set.saturating_add(CLASS_FIRST))
                    .collect();
                let body = written.body(writer, dfa)?;
                [
                    CLASSIFIER_NAME,
                    written.automaton(writer, dfa, body, &accepts)?,
                    0,
                    0,
                ]
            }
            Method::Scalar(boundaries) => {
                let at = writer.place(boundaries.len() * 8, 16)?;
                writer.put_u64s(at, boundaries);
                [CLASSIFIER_U64, count(boundaries.len()), at, 0]
            }
            Method::Wide(boundaries) => {
                let at = writer.place(boundaries.len() * 16, 16)?;
                let halves: Vec<u64> = boundaries
                    .iter()
                    .flat_map(|value| [(value >> 64) as u64, *value as u64])
                    .collect();
                writer.put_u64s(at, &halves);
                [CLASSIFIER_U128, count(boundaries.len()), at, 0]
            }
        };
        writer.put_u32s(*offset, &header);
    }
    Ok(written)
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Written {
    fn path(
        &mut self,
        writer: &mut Writer,
        pool: &Pool,
        start: u32,
        automaton: &PathAutomaton,
        edges: &mut Vec<Edge>,
    ) -> Result<(), Full> {
        let offset_of = |state: u32| start.saturating_add(state.saturating_mul(STATE_SIZE));
        for (index, state) in (0_u32..).zip(&automaton.states) {
            let from = offset_of(index);
            let byte_automaton = match &state.wild {
                None => 0,
                Some((id, next)) => {
                    let next: Vec<u32> = next.iter().map(|state| offset_of(*state)).collect();
                    self.wild(writer, pool, *id, next)?
                }
            };
            let mut flags = 0;
            if !state.literals.is_empty() {
                flags |= STATE_LITERALS;
            }
            if state.sink {
                flags |= STATE_SINK;
            }
            let class = state.class.saturating_add(CLASS_FIRST);
            let words = [class, offset_of(state.default), byte_automaton, flags];
            writer.put_u32s(from, &words);
            for (key, to) in &state.literals {
                let record = self.record(writer, pool, *key)?;
                edges.push(Edge {
                    from,
                    to: offset_of(*to),
                    key: Key::Component(*key, record),
                });
            }
        }
        Ok(())
    }

    fn record(&mut self, writer: &mut Writer, pool: &Pool, key: KeyId) -> Result<u32, Full> {
        if let Some(offset) = self.records.get(&key) {
            return Ok(*offset);
        }
        let bytes = pool.key_bytes(key);
        let size = 2 + bytes.len().next_multiple_of(8);
        let offset = writer.place_in_page(size, 8, 6)?;
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        writer.put(offset, &length.to_le_bytes());
        writer.put(offset + 2, bytes);
        self.records.insert(key, offset);
        Ok(offset)
    }

    fn wild(
        &mut self,
        writer: &mut Writer,
        pool: &Pool,
        id: DfaId,
        next: Vec<u32>,
    ) -> Result<u32, Full> {
        let key = (id, next);
        if let Some(offset) = self.shared.get(&key) {
            return Ok(*offset);
        }
        let Some(dfa) = pool.get(id) else {
            return Ok(0);
        };
        let body = match self.bodies.get(&id) {
            Some(body) => *body,
            None => {
                let body = self.body(writer, dfa)?;
                self.bodies.insert(id, body);
                body
            }
        };
        let accepts: Vec<u32> = dfa
            .accepts
            .iter()
            .map(|set| key.1.get(*set as usize).copied().unwrap_or_default())
            .collect();
        let offset = self.automaton(writer, dfa, body, &accepts)?;
        self.shared.insert(key, offset);
        Ok(offset)
    }

    fn body(&mut self, writer: &mut Writer, dfa: &Dfa) -> Result<Body, Full> {
        let map = match self.maps.get(&dfa.map) {
            Some(offset) => *offset,
            None => {
                let offset = writer.place(256, 256)?;
                writer.put(offset, &dfa.map);
                self.maps.insert(dfa.map.clone(), offset);
                offset
            }
        };
        let transitions = writer.place(dfa.transitions.len() * 2, 16)?;
        let bytes: Vec<u8> = dfa
            .transitions
            .iter()
            .flat_map(|next| next.to_le_bytes())
            .collect();
        writer.put(transitions, &bytes);
        Ok(Body { map, transitions })
    }

    fn automaton(
        &mut self,
        writer: &mut Writer,
        dfa: &Dfa,
        body: Body,
        accepts: &[u32],
    ) -> Result<u32, Full> {
        let header = writer.place(AUTOMATON_SIZE, 16)?;
        let at = writer.place(accepts.len() * 4, 16)?;
        writer.put_u32s(at, accepts);
        let words = [
            count(dfa.states()),
            count(dfa.columns),
            body.map,
            body.transitions,
            at,
            u32::from(dfa.start),
            0,
            0,
        ];
        writer.put_u32s(header, &words);
        self.automata += 1;
        self.automaton_states += dfa.states();
        Ok(header)
    }
}
