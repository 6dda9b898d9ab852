//! The edge table: every edge in one of two buckets.
//!
//! Owns hashing of edges and their insertion. The seed is the first of a fixed
//! sequence with which all edges fit, so that equal edges give equal tables.

use lsmpc_abi::image::{
    BUCKET_ENTRIES, BUCKET_SIZE, EDGE_SIZE, KEY_CLASS, hash_end, hash_start, hash_word,
};

use super::layout::{Full, Writer};
use crate::automaton::{KeyId, Pool};

/// An edge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    /// Offset of the state or node.
    pub(super) from: u32,
    /// Offset or ref.
    pub(super) to: u32,
    /// What it asks for.
    pub(super) key: Key,
}

/// An edge's key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    /// This component, whose record is at the offset.
    Component(KeyId, u32),
    /// This class.
    Class(u32),
}

/// Where the table is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Table {
    pub(super) offset: u32,
    pub(super) mask: u32,
    pub(super) seed: u64,
}

const NONE: u32 = u32::MAX;
const SLOTS: usize = BUCKET_ENTRIES as usize;
/// Seeds tried before the table is doubled.
const SEEDS: u64 = 8;
/// Entries moved before a seed is given up.
const MOVES: usize = 2000;

/// A fixed sequence of well mixed numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }
}

fn hash(pool: &Pool, seed: u64, edge: &Edge) -> u64 {
    match edge.key {
        Key::Class(class) => hash_end(hash_word(
            hash_start(seed, edge.from, u32::MAX),
            u64::from(class),
        )),
        Key::Component(key, _) => {
            let bytes = pool.key_bytes(key);
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let mut hash = hash_start(seed, edge.from, length);
            for chunk in bytes.chunks(8) {
                let mut word = [0; 8];
                for (to, from) in word.iter_mut().zip(chunk) {
                    *to = *from;
                }
                hash = hash_word(hash, u64::from_le_bytes(word));
            }
            hash_end(hash)
        }
    }
}

/// Appends the table of `edges`.
pub(super) fn write(writer: &mut Writer, pool: &Pool, edges: &[Edge]) -> Result<Table, Full> {
    if edges.is_empty() {
        return Ok(Table::default());
    }
    // At most 0.93 full: nearly every seed will do.
    let mut buckets = (edges.len() * 100).div_ceil(93 * SLOTS).next_power_of_two();
    loop {
        let offset = writer.place(0, BUCKET_SIZE as usize)?;
        for attempt in 0..SEEDS {
            let seed = Random(attempt.wrapping_mul(0x2545_f491_4f6c_dd1d)).next();
            let hashes: Vec<u64> = edges.iter().map(|edge| hash(pool, seed, edge)).collect();
            let Some(slots) = fill(&hashes, buckets) else {
                continue;
            };
            writer.place(buckets * BUCKET_SIZE as usize, BUCKET_SIZE as usize)?;
            let mut at = offset;
            for slot in slots.iter().flatten() {
                let entry = edges.get(*slot as usize).zip(hashes.get(*slot as usize));
                if let Some((edge, hash)) = entry {
                    let key = match edge.key {
                        Key::Component(_, record) => record,
                        Key::Class(class) => class | KEY_CLASS,
                    };
                    let tag = (*hash >> 16) as u32;
                    writer.put_u32s(at, &[edge.from, tag, edge.to, key]);
                }
                at += EDGE_SIZE;
            }
            return Ok(Table {
                offset,
                mask: u32::try_from(buckets - 1).unwrap_or(u32::MAX),
                seed,
            });
        }
        buckets *= 2;
    }
}

/// Puts every hash in one of its two buckets, if that succeeds.
fn fill(hashes: &[u64], buckets: usize) -> Option<Vec<[u32; SLOTS]>> {
    let mask = buckets as u64 - 1;
    let places = |edge: u32| {
        let hash = hashes.get(edge as usize).copied().unwrap_or_default();
        [
            (u64::from(hash as u32) & mask) as usize,
            ((hash >> 32) & mask) as usize,
        ]
    };
    let mut table = vec![[NONE; SLOTS]; buckets];
    let mut random = Random(0);
    for edge in (0_u32..).take(hashes.len()) {
        let mut homeless = edge;
        let mut moves = 0;
        let [mut target, second] = places(edge);
        if !has_room(&table, target) && has_room(&table, second) {
            target = second;
        }
        loop {
            let bucket = table.get_mut(target)?;
            if let Some(slot) = bucket.iter_mut().find(|slot| **slot == NONE) {
                *slot = homeless;
                break;
            }
            moves += 1;
            if moves > MOVES {
                return None;
            }
            let victim = bucket.get_mut((random.next() % SLOTS as u64) as usize)?;
            std::mem::swap(victim, &mut homeless);
            let [first, second] = places(homeless);
            target = if first == target { second } else { first };
        }
    }
    Some(table)
}

fn has_room(table: &[[u32; SLOTS]], bucket: usize) -> bool {
    table.get(bucket).is_some_and(|slots| slots.contains(&NONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_full_tables_fill() {
        let mut random = Random(7);
        let hashes: Vec<u64> = (0..3800).map(|_| random.next()).collect();
        let table = fill(&hashes, 1024).unwrap();
        let mut seen: Vec<u32> = table
            .iter()
            .flatten()
            .copied()
            .filter(|slot| *slot != NONE)
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..3800).collect::<Vec<u32>>());
        for (bucket, slots) in table.iter().enumerate() {
            for slot in slots.iter().filter(|slot| **slot != NONE) {
                let hash = hashes[*slot as usize];
                assert!([hash & 1023, (hash >> 32) & 1023].contains(&(bucket as u64)));
            }
        }
    }
}
