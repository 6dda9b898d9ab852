//! Which open items of a node mention which test.
//!
//! Owns the index from tests to items. It must not know conditions.

use rustc_hash::FxHashMap;

/// The open items of a node by the tests that they mention.
pub(super) struct ByTest {
    /// Tests and indices of items, sorted.
    pairs: Vec<(u32, u32)>,
    /// Where each test's are.
    ranges: FxHashMap<u32, (usize, usize)>,
}

impl ByTest {
    /// Of pairs of a test and the index of an item.
    pub(super) fn new(mut pairs: Vec<(u32, u32)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        let mut ranges = FxHashMap::default();
        let mut start = 0;
        for group in pairs.chunk_by(|(one, _), (other, _)| one == other) {
            let end = start + group.len();
            ranges.extend(group.first().map(|(test, _)| (*test, (start, end))));
            start = end;
        }
        Self { pairs, ranges }
    }

    /// Whether some item mentions a test.
    pub(super) fn has(&self, test: u32) -> bool {
        self.ranges.contains_key(&test)
    }

    /// Whether no item mentions any.
    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The tests that are mentioned, in no order.
    pub(super) fn tests(&self) -> impl Iterator<Item = u32> {
        self.ranges.keys().copied()
    }

    /// The items that mention a test.
    pub(super) fn items(&self, test: u32) -> impl Iterator<Item = usize> {
        let range = self.ranges.get(&test).copied().unwrap_or_default();
        let pairs = self.pairs.get(range.0..range.1).unwrap_or_default();
        pairs.iter().map(|(_, index)| *index as usize)
    }
}
