//! Which open items of a node mention which test.
//!
//! Owns the index from tests to items. It must not know conditions.

use crate::intern::number;

/// The open items of a node by the tests that they mention.
pub(super) struct ByTest {
    /// The tests, sorted.
    tests: Vec<u32>,
    /// Where the items of each end.
    ends: Vec<u32>,
    /// Indices of items, those of one test after those of another.
    items: Vec<u32>,
    /// For each test from the first to the last its place among the tests, from one on;
    /// empty where tests lie far apart.
    places: Vec<u32>,
}

/// Up to how many numbers there may be for each test for all to have a place.
const SPARSE: usize = 8;

impl ByTest {
    /// Of pairs of a test and the index of an item.
    pub(super) fn new(mut pairs: Vec<(u32, u32)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        let items = pairs.iter().map(|(_, item)| *item).collect();
        let (mut tests, mut ends) = (Vec::new(), Vec::new());
        let mut end = 0;
        for group in pairs.chunk_by(|(one, _), (other, _)| one == other) {
            end += group.len();
            tests.extend(group.first().map(|(test, _)| *test));
            ends.push(number(end));
        }
        let mut places = Vec::new();
        if let (Some(first), Some(last)) = (tests.first(), tests.last()) {
            let numbers = (last - first) as usize + 1;
            if numbers <= tests.len().saturating_mul(SPARSE) {
                places.resize(numbers, 0);
                for (place, test) in (1..).zip(&tests) {
                    if let Some(slot) = places.get_mut((test - first) as usize) {
                        *slot = place;
                    }
                }
            }
        }
        Self {
            tests,
            ends,
            items,
            places,
        }
    }

    /// A test's place among the tests.
    fn place(&self, test: u32) -> Option<usize> {
        if self.places.is_empty() {
            return self.tests.binary_search(&test).ok();
        }
        let after = test.checked_sub(*self.tests.first()?)?;
        let place = *self.places.get(after as usize)?;
        (place as usize).checked_sub(1)
    }

    /// Whether some item mentions a test.
    pub(super) fn has(&self, test: u32) -> bool {
        self.place(test).is_some()
    }

    /// Whether no item mentions any.
    pub(super) fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// The tests that are mentioned, sorted.
    pub(super) fn tests(&self) -> &[u32] {
        &self.tests
    }

    /// The items that mention a test.
    pub(super) fn items(&self, test: u32) -> &[u32] {
        let Some(place) = self.place(test) else {
            return &[];
        };
        let start = place
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        let start = start.copied().unwrap_or_default() as usize;
        let end = self.ends.get(place).copied().unwrap_or_default() as usize;
        self.items.get(start..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far_tests_have_their_items() {
        for step in [1, 1000] {
            let pairs = vec![(7 + 2 * step, 4), (7, 3), (7 + step, 1), (7, 3), (7, 2)];
            let by_test = ByTest::new(pairs);
            assert_eq!(by_test.places.is_empty(), step == 1000);
            assert_eq!(by_test.tests(), [7, 7 + step, 7 + 2 * step]);
            assert_eq!(by_test.items(7), [2, 3]);
            assert_eq!(by_test.items(7 + step), [1]);
            assert_eq!(by_test.items(7 + 2 * step), [4]);
            for other in [0, 6, 8 + 2 * step, 4000, u32::MAX] {
                assert!(!by_test.has(other) && by_test.items(other).is_empty());
            }
        }
        assert!(ByTest::new(Vec::new()).is_empty());
    }
}
