//! Truth of conditions: Kleene's three values, predicate by predicate.
//!
//! Owns how a value answers a test. It must not know rules or modules.

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

use super::matcher;
use crate::event::{Event, FieldValue, Value};
use crate::hir::{Block, Cond, CondKind, FieldRef, FieldTest, Order};

/// True, false, or not to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It depends on what is not known.
    Unknown,
}

/// What tells the fields of an event.
pub(crate) trait Oracle {
    /// The hook that fires.
    fn hook(&self) -> HookId;

    /// What a field's value says to a test.
    fn answer(&self, field: FieldId, test: &FieldTest) -> Truth;
}

impl Oracle for Event {
    fn hook(&self) -> HookId {
        self.hook
    }

    fn answer(&self, field: FieldId, test: &FieldTest) -> Truth {
        passes(self.get(field), test)
    }
}

impl Truth {
    /// `true`, `false` or `unknown`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Unknown => "unknown",
        }
    }

    pub(crate) const fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Unknown,
        }
    }

    pub(crate) const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::False, Self::False) => Self::False,
            _ => Self::Unknown,
        }
    }

    pub(crate) const fn of(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// The truth of a condition for an event.
pub(crate) fn truth(cond: &Cond, event: &dyn Oracle) -> Truth {
    match &cond.kind {
        CondKind::Not(inner) => truth(inner, event).not(),
        CondKind::And(all) => all
            .iter()
            .fold(Truth::True, |so_far, one| so_far.and(truth(one, event))),
        CondKind::Or(any) => any
            .iter()
            .fold(Truth::False, |so_far, one| so_far.or(truth(one, event))),
        CondKind::Test(FieldRef::Field(field), test) => event.answer(*field, test),
        CondKind::Test(FieldRef::AnyPath, test) => {
            let path = event.answer(FieldId::Path, test);
            if catalogue::hook(event.hook()).has(FieldId::NewPath) {
                path.or(event.answer(FieldId::NewPath, test))
            } else {
                path
            }
        }
    }
}

/// What a value says to a test.
pub(crate) fn passes(value: &FieldValue, test: &FieldTest) -> Truth {
    match value {
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
