//! Truth of conditions: Kleene's three values, predicate by predicate.
//!
//! Owns how a value answers a test. It must not know rules or modules.

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;

use super::matcher;
use crate::event::{Event, FieldValue, Value};
use crate::hir::{Block, Cond, CondKind, FieldRef, FieldTest, Order};

/// True, false, or not to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    pub(super) const fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }

    pub(super) const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Unknown,
        }
    }

    const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::False, Self::False) => Self::False,
            _ => Self::Unknown,
        }
    }

    const fn of(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// The truth of a condition for an event.
pub(super) fn truth(cond: &Cond, event: &Event) -> Truth {
    match &cond.kind {
        CondKind::Not(inner) => truth(inner, event).not(),
        CondKind::And(all) => all
            .iter()
            .fold(Truth::True, |so_far, one| so_far.and(truth(one, event))),
        CondKind::Or(any) => any
            .iter()
            .fold(Truth::False, |so_far, one| so_far.or(truth(one, event))),
        CondKind::Test(FieldRef::Field(field), test) => answer(event, *field, test),
        CondKind::Test(FieldRef::AnyPath, test) => {
            let path = answer(event, FieldId::Path, test);
            if catalogue::hook(event.hook).has(FieldId::NewPath) {
                path.or(answer(event, FieldId::NewPath, test))
            } else {
                path
            }
        }
    }
}

fn answer(event: &Event, field: FieldId, test: &FieldTest) -> Truth {
    match event.get(field) {
        FieldValue::None => Truth::False,
        FieldValue::Unknown => Truth::Unknown,
        // Some ancestor, of which some may be unknown.
        FieldValue::Known(Value::List(list)) => list.iter().fold(Truth::False, |so_far, one| {
            so_far.or(match one {
                Some(bytes) => Truth::of(bytes_pass(bytes, test)),
                None => Truth::Unknown,
            })
        }),
        FieldValue::Known(Value::Bytes(bytes)) => Truth::of(bytes_pass(bytes, test)),
        FieldValue::Known(Value::Int(number)) => Truth::of(number_passes(*number, test)),
        FieldValue::Known(Value::Address(bits)) => Truth::of(address_passes(*bits, test)),
    }
}

fn bytes_pass(bytes: &[u8], test: &FieldTest) -> bool {
    match test {
        FieldTest::Globs(globs) => globs.iter().any(|glob| matcher::matches(glob, bytes)),
        _ => false,
    }
}

fn number_passes(number: u64, test: &FieldTest) -> bool {
    match test {
        FieldTest::Ranges(ranges) => ranges
            .iter()
            .any(|&(low, high)| low <= number && number <= high),
        FieldTest::Order(Order::Less, bound) => number < *bound,
        FieldTest::Order(Order::LessEqual, bound) => number <= *bound,
        FieldTest::Order(Order::Greater, bound) => number > *bound,
        FieldTest::Order(Order::GreaterEqual, bound) => number >= *bound,
        FieldTest::HasAll(masks) => masks.iter().all(|mask| has(number, *mask)),
        FieldTest::HasAny(masks) => masks.iter().any(|mask| has(number, *mask)),
        FieldTest::Globs(_) | FieldTest::Blocks(_) => false,
    }
}

/// Whether all bits of the mask are set.
const fn has(number: u64, mask: u64) -> bool {
    number & mask == mask
}

fn address_passes(bits: u128, test: &FieldTest) -> bool {
    let FieldTest::Blocks(blocks) = test else {
        return false;
    };
    let v4 = std::net::Ipv6Addr::from_bits(bits)
        .to_ipv4_mapped()
        .map(std::net::Ipv4Addr::to_bits);
    blocks.iter().any(|block| match (*block, v4) {
        (Block::V4(first, prefix), Some(address)) => (0..32)
            .rev()
            .take(usize::from(prefix))
            .all(|bit| first >> bit & 1 == address >> bit & 1),
        (Block::V6(first, prefix), None) => (0..128)
            .rev()
            .take(usize::from(prefix))
            .all(|bit| first >> bit & 1 == bits >> bit & 1),
        _ => false,
    })
}
