//! The values that an open field can have, as far as some tests tell them apart.
//!
//! Owns the classes of a field's values: one for each way in which they answer the
//! tests. For numbers, flags and addresses it tries the values at which a test
//! changes its mind; for paths and names it asks the automata. It must not know
//! policies.

use std::collections::HashMap;

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

use super::texts;
use crate::event::{FieldValue, Value};
use crate::hir::{Block, FieldTest, Order};
use crate::reference::{Truth, passes};

/// Most flags that are combined.
const MAX_FLAGS: u32 = 12;
/// The first and last addresses that stand for IPv4 ones.
const V4: [u128; 2] = [0xffff_0000_0000, 0xffff_ffff_ffff];
/// The permission bits.
const MODE_MAX: u64 = 0o7777;

/// Values that answer all tests alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    /// By test, whether it holds.
    pub(super) truths: Vec<bool>,
    /// One of the values; unknown where none was found to show.
    pub(super) value: FieldValue,
}

/// The classes of a field, at least one. `None` if there are too many.
pub(super) fn classes(hook: HookId, field: FieldId, tests: &[&FieldTest]) -> Option<Vec<Class>> {
    let info = catalogue::field(field);
    let mut classes = match info.ty {
        FieldType::Path | FieldType::Name => texts::classes(field, tests)?,
        FieldType::Address => distinct(tests, addresses(tests)),
        FieldType::Flags => distinct(tests, flags(tests)?.into_iter().map(Value::Int)),
        FieldType::Bool => distinct(tests, [0, 1].map(Value::Int)),
        FieldType::Mode => distinct(tests, (0..=MODE_MAX).map(Value::Int)),
        FieldType::Int { max, .. } => {
            distinct(tests, numbers(tests, max).into_iter().map(Value::Int))
        }
        FieldType::Enum { max } => {
            let names = info.enumerators.iter().map(|known| known.value);
            let others = max.map(|max| numbers(tests, max)).unwrap_or_default();
            distinct(tests, names.chain(others).map(Value::Int))
        }
    };
    if may_be_none(hook, field) {
        classes.add(vec![false; tests.len()], FieldValue::None);
    }
    Some(classes.list)
}

/// Whether a field can be none.
fn may_be_none(hook: HookId, field: FieldId) -> bool {
    match field {
        // Kernel threads run no program, and the first task has no parent.
        FieldId::Exe
        | FieldId::ParentExe
        | FieldId::ParentComm
        | FieldId::TargetExe
        // An anonymous peer, a socket of another family.
        | FieldId::Addr
        | FieldId::Port
        | FieldId::UnixPath
        // Unchanged.
        | FieldId::OwnerUid
        | FieldId::OwnerGid
        // Bind mounts name neither.
        | FieldId::Source
        // Nothing has the new name yet.
        | FieldId::NewFileRunning => true,
        FieldId::Fs if hook == HookId::SbMount => true,
        // An anonymous mapping has no file.
        FieldId::Path
        | FieldId::Fs
        | FieldId::FileUid
        | FieldId::FileGid
        | FieldId::FileNlink
        | FieldId::FileMode
        | FieldId::FileType
        | FieldId::FileRunning
        | FieldId::FileOwned
        | FieldId::FileIsExe => matches!(hook, HookId::MmapFile | HookId::FileMprotect),
        _ => false,
    }
}

/// Classes, each once.
#[derive(Debug, Default)]
pub(super) struct Classes {
    pub(super) list: Vec<Class>,
    ids: HashMap<Vec<bool>, usize>,
}

impl Classes {
    /// Adds a class unless there is one that answers alike.
    pub(super) fn add(&mut self, truths: Vec<bool>, value: FieldValue) {
        let fresh = self.list.len();
        let id = *self.ids.entry(truths.clone()).or_insert(fresh);
        match self.list.get_mut(id) {
            Some(class) if class.value == FieldValue::Unknown => class.value = value,
            Some(_) => {}
            None => self.list.push(Class { truths, value }),
        }
    }

    /// Adds the class of a value.
    pub(super) fn add_value(&mut self, tests: &[&FieldTest], value: Value) {
        let value = FieldValue::Known(value);
        let truths = tests
            .iter()
            .map(|test| passes(&value, test) == Truth::True)
            .collect();
        self.add(truths, value);
    }
}

fn distinct(tests: &[&FieldTest], values: impl IntoIterator<Item = Value>) -> Classes {
    let mut classes = Classes::default();
    for value in values {
        classes.add_value(tests, value);
    }
    classes
}

/// Numbers up to `max` such that every other one is answered like one of them.
fn numbers(tests: &[&FieldTest], max: u64) -> Vec<u64> {
    let mut found = vec![0];
    for test in tests {
        match test {
            FieldTest::Ranges(ranges) => {
                for (low, high) in ranges.iter() {
                    found.push(*low);
                    found.extend(high.checked_add(1));
                }
            }
            FieldTest::Order(Order::Less | Order::GreaterEqual, bound) => found.push(*bound),
            FieldTest::Order(Order::LessEqual | Order::Greater, bound) => {
                found.extend(bound.checked_add(1));
            }
            _ => {}
        }
    }
    found.retain(|number| *number <= max);
    found.sort_unstable();
    found.dedup();
    found
}

/// Every combination of what the tests tell apart.
fn flags(tests: &[&FieldTest]) -> Option<Vec<u64>> {
    let mut masks: Vec<u64> = tests
        .iter()
        .flat_map(|test| match test {
            FieldTest::HasAll(masks) | FieldTest::HasAny(masks) => masks.to_vec(),
            _ => Vec::new(),
        })
        .collect();
    masks.sort_unstable();
    masks.dedup();
    // Bits that every mask has or lacks together are not told apart.
    let mut groups: Vec<(Vec<bool>, u64)> = Vec::new();
    for bit in (0..u64::BITS).map(|bit| 1_u64 << bit) {
        let within: Vec<bool> = masks.iter().map(|mask| mask & bit != 0).collect();
        if !within.contains(&true) {
            continue;
        }
        match groups.iter_mut().find(|(known, _)| *known == within) {
            Some((_, bits)) => *bits |= bit,
            None => groups.push((within, bit)),
        }
    }
    let count = u32::try_from(groups.len())
        .ok()
        .filter(|count| *count <= MAX_FLAGS)?;
    let combinations = (0..1_u64 << count).map(|chosen| {
        groups
            .iter()
            .zip(0_u32..)
            .filter(|(_, group)| chosen >> group & 1 == 1)
            .fold(0, |bits, ((_, more), _)| bits | more)
    });
    Some(combinations.collect())
}

/// Addresses such that every other one is answered like one of them.
fn addresses(tests: &[&FieldTest]) -> Vec<Value> {
    // IPv4 reads best.
    let mut found = vec![V4[0], 0];
    found.extend(V4[1].checked_add(1));
    for test in tests {
        let FieldTest::Blocks(blocks) = test else {
            continue;
        };
        for block in blocks.iter() {
            let (first, rest) = match *block {
                Block::V4(first, prefix) => (
                    V4[0] | u128::from(first),
                    u128::from(u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0)),
                ),
                Block::V6(first, prefix) => {
                    (first, u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0))
                }
            };
            found.push(first);
            found.extend((first | rest).checked_add(1));
        }
    }
    found.into_iter().map(Value::Address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glob::parse::{Dialect, parse};

    fn truths(hook: HookId, field: FieldId, tests: &[FieldTest]) -> Vec<Vec<bool>> {
        let tests: Vec<&FieldTest> = tests.iter().collect();
        let mut found = Vec::new();
        for class in classes(hook, field, &tests).unwrap() {
            // The value shown is of its class.
            if class.value != FieldValue::Unknown {
                let said: Vec<bool> = tests
                    .iter()
                    .map(|test| passes(&class.value, test) == Truth::True)
                    .collect();
                assert_eq!(said, class.truths, "{class:?}");
            }
            found.push(class.truths);
        }
        found.sort();
        let count = found.len();
        found.dedup();
        assert_eq!(found.len(), count);
        found
    }

    fn globs(text: &str) -> FieldTest {
        FieldTest::Globs(parse(text.as_bytes(), Dialect::Path).unwrap().into())
    }

    const NO: bool = false;
    const YES: bool = true;

    #[test]
    fn numbers_change_their_mind_at_bounds() {
        let ranges = |ranges: &[(u64, u64)]| FieldTest::Ranges(ranges.into());
        let port = |tests: &[FieldTest]| truths(HookId::SocketBind, FieldId::Port, tests);
        assert_eq!(port(&[ranges(&[(5, 9)])]), [[NO], [YES]]);
        // No port is larger; a unix socket has none.
        assert_eq!(port(&[ranges(&[(0, 65_535)])]), [[NO], [YES]]);
        assert_eq!(
            port(&[ranges(&[(5, 9)]), FieldTest::Order(Order::Less, 7)]),
            [[NO, NO], [NO, YES], [YES, NO], [YES, YES]]
        );
        let uid = |tests: &[FieldTest]| truths(HookId::FileOpen, FieldId::Uid, tests);
        assert_eq!(uid(&[ranges(&[(0, u64::from(u32::MAX))])]), [[YES]]);
        assert_eq!(
            uid(&[FieldTest::Order(Order::GreaterEqual, 1)]),
            [[NO], [YES]]
        );
        assert_eq!(uid(&[FieldTest::Order(Order::Greater, 0)]), [[NO], [YES]]);
        assert_eq!(uid(&[FieldTest::Order(Order::LessEqual, 0)]), [[NO], [YES]]);
        // By name only.
        let kind = |tests: &[FieldTest]| truths(HookId::FileOpen, FieldId::FileType, tests);
        assert_eq!(kind(&[ranges(&[(1, 7)])]), [[YES]]);
        assert_eq!(kind(&[ranges(&[(2, 2)])]), [[NO], [YES]]);
    }

    #[test]
    fn flags_combine() {
        let prot = |tests: &[FieldTest]| truths(HookId::MmapFile, FieldId::Prot, tests);
        let all = FieldTest::HasAll([1, 2].into());
        let any = FieldTest::HasAny([1, 2].into());
        // All of them is some of them.
        assert_eq!(prot(&[all, any]), [[NO, NO], [NO, YES], [YES, YES]]);
        // Of a flag of several bits all have to be set.
        let wide = FieldTest::HasAny([6].into());
        let narrow = FieldTest::HasAny([2].into());
        assert_eq!(
            prot(&[wide.clone(), narrow]),
            [[NO, NO], [NO, YES], [YES, YES]]
        );
        assert_eq!(prot(&[wide]), [[NO], [YES]]);
    }

    #[test]
    fn addresses_of_both_kinds() {
        let addr = |blocks: &[Block]| {
            let test = FieldTest::Blocks(blocks.into());
            truths(HookId::SocketConnect, FieldId::Addr, &[test])
        };
        assert_eq!(addr(&[Block::V4(0x0a00_0000, 8)]), [[NO], [YES]]);
        assert_eq!(addr(&[Block::V6(0, 0)]), [[NO], [YES]]);
        assert_eq!(addr(&[Block::V4(0, 0)]), [[NO], [YES]]);
        // Behind a block there may be the rest of another.
        let inside = [8, 9].map(|prefix| {
            let block = Block::V4(0x0a00_0000, prefix);
            FieldTest::Blocks([block].into())
        });
        assert_eq!(
            truths(HookId::SocketConnect, FieldId::Addr, &inside),
            [[NO, NO], [YES, NO], [YES, YES]]
        );
    }

    #[test]
    fn a_value_to_show_is_kept() {
        let mut classes = Classes::default();
        let value = FieldValue::Known(Value::Int(7));
        classes.add(vec![YES], FieldValue::Unknown);
        classes.add(vec![YES], value.clone());
        classes.add(vec![YES], FieldValue::None);
        let [class] = &classes.list[..] else {
            panic!("{:?}", classes.list);
        };
        assert_eq!(class.value, value);
    }

    #[test]
    fn paths_and_lists_of_them() {
        let path = |field, tests: &[FieldTest]| truths(HookId::FileOpen, field, tests);
        let two = [globs("/a/**"), globs("/**b")];
        assert_eq!(path(FieldId::Path, &two).len(), 4);
        let apart = [globs("/a"), globs("/b")];
        assert_eq!(path(FieldId::Path, &apart).len(), 3);
        // One ancestor may be the one, another the other.
        assert_eq!(path(FieldId::AncestorExe, &apart).len(), 4);
        let inside = [globs("/a/**"), globs("/a/b")];
        assert_eq!(
            path(FieldId::AncestorExe, &inside),
            [[NO, NO], [YES, NO], [YES, YES]]
        );
    }

    #[test]
    fn names_may_hold_slashes_and_be_empty() {
        let comm = |texts: &[&str]| {
            let of = |text: &&str| parse(text.as_bytes(), Dialect::Name).unwrap();
            let tests: Vec<FieldTest> = texts
                .iter()
                .map(|text| FieldTest::Globs(of(text).into()))
                .collect();
            truths(HookId::FileOpen, FieldId::Comm, &tests)
        };
        assert_eq!(comm(&["?*"]), [[NO], [YES]]);
        assert_eq!(
            comm(&["a*", "*/*"]),
            [[NO, NO], [NO, YES], [YES, NO], [YES, YES]]
        );
    }

    #[test]
    fn where_nothing_applies() {
        let every = || globs("**");
        let path = |hook| truths(hook, FieldId::Path, &[every()]);
        assert_eq!(path(HookId::FileOpen), [[YES]]);
        assert_eq!(path(HookId::MmapFile), [[NO], [YES]]);
    }
}
