//! Names made to be taken for others: of the same hash, under an image's own seed, as a
//! component that its edge table has.
//!
//! The seed stands in the image and every step of the hash is a bijection of the word
//! that it mixes in, so that the last word of a name can be computed. Only the comparison
//! with the whole key tells the two apart.

use lsmpc_abi::image::{
    BUCKET_SIZE, EDGE_SIZE, H_EDGE_MASK, H_EDGES, H_SEED, KEY_CLASS, hash_start, hash_word,
};
use lsmpc_compiler::event::{Event, FieldValue, Value};
use lsmpc_engine::image::Image;

use crate::Choices;
use crate::near::LONGEST;

/// Bytes of a made-up name.
const LENGTH: u32 = 16;

/// A component that an image knows, and what leads to its hash.
#[derive(Debug, Clone)]
struct Known {
    component: Vec<u8>,
    /// Where it leaves from.
    from: u32,
    /// What the last word is mixed with, combined.
    mixed: u64,
}

/// Components that an image's edge table has.
#[derive(Debug, Clone)]
pub struct Components {
    seed: u64,
    all: Vec<Known>,
}

impl Components {
    /// Reads the edge table of a checked image.
    #[must_use]
    pub fn of(image: &Image) -> Self {
        let bytes = image.bytes();
        let word = |at: usize| {
            bytes.get(at..at + 4).map_or(0, |word| {
                u32::from_le_bytes(word.try_into().unwrap_or([0; 4]))
            })
        };
        let seed = u64::from(word(H_SEED)) | u64::from(word(H_SEED + 4)) << 32;
        let (edges, mask) = (word(H_EDGES) as usize, word(H_EDGE_MASK) as usize);
        let mut all = Vec::new();
        let size = if edges == 0 {
            0
        } else {
            (mask + 1) * BUCKET_SIZE as usize
        };
        for at in (edges..edges + size).step_by(EDGE_SIZE as usize) {
            let (from, record) = (word(at), word(at + 12));
            if record == 0 || record & KEY_CLASS != 0 {
                continue;
            }
            let start = record as usize;
            let length = word(start) & 0xffff;
            if let Some(component) = bytes.get(start + 2..start + 2 + length as usize) {
                all.push(Known {
                    component: component.to_vec(),
                    from,
                    mixed: mixed(seed, from, component),
                });
            }
        }
        Self { seed, all }
    }

    /// Whether the table is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Another name of the hash that a known component has where it leaves from;
    /// `None` if the one that was come to is no name.
    #[must_use]
    pub fn twin(&self, known: &[u8], choices: &mut Choices<'_>) -> Option<Vec<u8>> {
        let same: Vec<&Known> = self
            .all
            .iter()
            .filter(|one| one.component == known)
            .collect();
        if same.is_empty() {
            return None;
        }
        let known = *choices.pick(&same);
        // Both lengths of the same number of words, and others.
        let length = match choices.below(2) {
            0 if known.component.len() >= LENGTH as usize => known.component.len() as u32 & !7,
            _ => LENGTH,
        };
        let mut hash = hash_start(self.seed, known.from, length);
        let mut name = Vec::new();
        for _ in 1..length / 8 {
            let word = choices.number() | 0x0101_0101_0101_0101;
            name.extend(word.to_le_bytes());
            hash = hash_word(hash, word);
        }
        name.extend((known.mixed ^ hash).to_le_bytes());
        let is_name = name != known.component && !name.iter().any(|byte| b"/\0".contains(byte));
        is_name.then_some(name)
    }

    /// Puts a twin into each path of an event in the place of a component that the table
    /// has; how many.
    pub fn put_twins(&self, event: &mut Event, choices: &mut Choices<'_>) -> usize {
        let mut count = 0;
        for value in event.values.values_mut() {
            let FieldValue::Known(Value::Bytes(path)) = value else {
                continue;
            };
            let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
            let at = choices.below(parts.len());
            let twin = (0..4).find_map(|_| self.twin(parts[at], choices));
            if let Some(twin) = twin {
                let mut parts = parts;
                parts[at] = &twin;
                let other = parts.join(&b'/');
                // What is longer than a path can be is unknown.
                if other.len() <= LONGEST {
                    *path = other;
                    count += 1;
                }
            }
        }
        count
    }
}

/// The hash before the last word, with that word.
fn mixed(seed: u64, from: u32, component: &[u8]) -> u64 {
    let length = u32::try_from(component.len()).unwrap_or(u32::MAX);
    let words: Vec<u64> = component
        .chunks(8)
        .map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        })
        .collect();
    let Some((last, first)) = words.split_last() else {
        return 0;
    };
    let hash = first
        .iter()
        .fold(hash_start(seed, from, length), |hash, word| {
            hash_word(hash, *word)
        });
    hash ^ last
}
