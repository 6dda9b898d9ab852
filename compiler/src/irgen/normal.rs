//! Tests of fields in their normal form.
//!
//! Owns merging: ranges and blocks sorted and joined, masks joined, globs sorted.

use std::sync::Arc;

use crate::glob;
use crate::hir::{Block, FieldTest, Order};
use crate::ir::Test;

/// What tells two tests of a field apart without looking into their sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Set(u8, usize),
    Order(Order, u64),
}

/// The identity of a test. Sets are told apart by their address, which is stable
/// for as long as the typed form lives.
pub(super) fn key(test: &FieldTest) -> Key {
    fn address<T>(set: &Arc<[T]>) -> usize {
        Arc::as_ptr(set).cast::<u8>().addr()
    }
    match test {
        // All empty sets may share an address, whatever their type.
        FieldTest::Globs(set) => Key::Set(0, address(set)),
        FieldTest::Ranges(set) => Key::Set(1, address(set)),
        FieldTest::Blocks(set) => Key::Set(2, address(set)),
        FieldTest::HasAll(set) => Key::Set(3, address(set)),
        FieldTest::HasAny(set) => Key::Set(4, address(set)),
        FieldTest::Order(order, bound) => Key::Order(*order, *bound),
    }
}

/// The normal form of a test.
pub(super) fn test(test: &FieldTest) -> Test {
    match test {
        FieldTest::Globs(globs) => Test::Globs(glob::sorted(globs)),
        FieldTest::Ranges(ranges) => Test::Ranges(joined(ranges.to_vec())),
        FieldTest::Order(order, bound) => Test::Ranges(
            match order {
                Order::Less => bound.checked_sub(1).map(|last| (0, last)),
                Order::LessEqual => Some((0, *bound)),
                Order::Greater => bound.checked_add(1).map(|first| (first, u64::MAX)),
                Order::GreaterEqual => Some((*bound, u64::MAX)),
            }
            .into_iter()
            .collect(),
        ),
        FieldTest::Blocks(blocks) => Test::Blocks(joined(
            blocks.iter().flat_map(|&block| span(block)).collect(),
        )),
        FieldTest::HasAll(masks) => Test::HasAll(masks.iter().fold(0, |all, mask| all | mask)),
        FieldTest::HasAny(masks) => {
            let mut masks = masks.to_vec();
            masks.sort_unstable();
            masks.dedup();
            Test::HasAny(masks)
        }
    }
}

/// The first address that stands for an IPv4 one.
const V4_FIRST: u128 = 0xffff_0000_0000;
/// The last one.
const V4_LAST: u128 = 0xffff_ffff_ffff;

/// The addresses of a block, IPv4 as IPv4-mapped IPv6. An IPv6 block around the
/// mapped addresses does not contain them.
fn span(block: Block) -> Vec<(u128, u128)> {
    match block {
        Block::V4(first, prefix) => {
            let rest = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            let last = first | rest;
            vec![(V4_FIRST | u128::from(first), V4_FIRST | u128::from(last))]
        }
        Block::V6(first, prefix) => {
            let rest = u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            let last = first | rest;
            if first < V4_FIRST && last > V4_LAST {
                vec![(first, V4_FIRST - 1), (V4_LAST + 1, last)]
            } else {
                vec![(first, last)]
            }
        }
    }
}

/// A number that ranges are made of.
trait Bound: Copy + Ord {
    /// The next number; the largest stays.
    fn next(self) -> Self;
}

impl Bound for u64 {
    fn next(self) -> Self {
        self.saturating_add(1)
    }
}

impl Bound for u128 {
    fn next(self) -> Self {
        self.saturating_add(1)
    }
}

/// Sorted, disjoint, not adjacent.
fn joined<T: Bound>(mut ranges: Vec<(T, T)>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    let mut all: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (low, high) in ranges {
        match all.last_mut() {
            Some((_, last)) if low <= last.next() => *last = (*last).max(high),
            _ => all.push((low, high)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{joined, span, test};
    use crate::hir::{Block, FieldTest, Order};
    use crate::ir::Test;

    #[test]
    fn ranges_join() {
        assert_eq!(
            joined(vec![(5, 6), (1, 2), (3, 3), (6, 9u64)]),
            [(1, 3), (5, 9)]
        );
        assert_eq!(joined(vec![(0, u64::MAX), (4, 5)]), [(0, u64::MAX)]);
    }

    #[test]
    fn orders_become_ranges() {
        let ranges = |order, bound| match test(&FieldTest::Order(order, bound)) {
            Test::Ranges(ranges) => ranges,
            _ => unreachable!(),
        };
        assert_eq!(ranges(Order::Less, 5), [(0, 4)]);
        assert_eq!(ranges(Order::Less, 0), []);
        assert_eq!(ranges(Order::LessEqual, 5), [(0, 5)]);
        assert_eq!(ranges(Order::Greater, 5), [(6, u64::MAX)]);
        assert_eq!(ranges(Order::Greater, u64::MAX), []);
        assert_eq!(ranges(Order::GreaterEqual, 5), [(5, u64::MAX)]);
    }

    #[test]
    fn blocks_become_ranges() {
        assert_eq!(
            span(Block::V4(0x0a00_0000, 8)),
            [(0xffff_0a00_0000, 0xffff_0aff_ffff)]
        );
        assert_eq!(
            span(Block::V4(0, 0)),
            [(0xffff_0000_0000, 0xffff_ffff_ffff)]
        );
        assert_eq!(span(Block::V6(1, 128)), [(1, 1)]);
        assert_eq!(
            span(Block::V6(0, 0)),
            [(0, 0xfffe_ffff_ffff), (0x1_0000_0000_0000, u128::MAX)]
        );
    }
}
