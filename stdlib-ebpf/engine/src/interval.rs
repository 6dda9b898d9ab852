//! Interval classifiers: how many sorted boundaries are not above a value.

use lsmpc_abi::{CLASS_FIRST, image::MAX_BOUNDARIES};

use crate::{
    Fault,
    memory::{Memory, u64_at},
    repeat::{Step, repeat},
};

/// Rounds of the binary search: 2^20 - 1 boundaries, and one to end.
const ROUNDS: u32 = 21;

/// A value of up to 128 bits.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Key {
    pub(crate) high: u64,
    pub(crate) low: u64,
}

/// The class of `key` among the `count` boundaries at `offset`; `wide` ones are
/// two u64, high first.
#[inline(always)]
pub(crate) fn class<M: Memory>(
    memory: &M,
    count: u32,
    offset: u32,
    wide: bool,
    key: Key,
) -> Result<u32, Fault> {
    if count > MAX_BOUNDARIES {
        return Err(Fault::Classifier);
    }
    let mut search = Search {
        memory,
        key,
        offset,
        wide: u32::from(wide),
        low: 0,
        high: count,
        broken: 0,
    };
    repeat(ROUNDS, &mut search);
    if search.broken != 0 {
        return Err(Fault::Page);
    }
    Ok(CLASS_FIRST + search.low)
}

struct Search<'m, M> {
    memory: &'m M,
    key: Key,
    offset: u32,
    wide: u32,
    low: u32,
    high: u32,
    broken: u32,
}

impl<M: Memory> Step for Search<'_, M> {
    #[inline(always)]
    fn step(&mut self) -> bool {
        if self.low >= self.high {
            return false;
        }
        let middle = (self.low + self.high) >> 1;
        let at = self
            .offset
            .wrapping_add((middle << self.wide).wrapping_mul(8));
        let Ok(first) = u64_at(self.memory, at) else {
            self.broken = 1;
            return false;
        };
        let not_above = if self.wide == 0 {
            first <= self.key.low
        } else {
            let Ok(second) = u64_at(self.memory, at.wrapping_add(8)) else {
                self.broken = 1;
                return false;
            };
            first < self.key.high || (first == self.key.high && second <= self.key.low)
        };
        if not_above {
            self.low = middle + 1;
        } else {
            self.high = middle;
        }
        true
    }
}
