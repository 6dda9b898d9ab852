//! A value of each class of a field.
//!
//! Owns which values fields can have (the catalogue's types, the forms of names
//! and paths), and picking one that reads well. It must not know rules.

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

use super::route::{Forms, paths};
use super::text::{Shape, TooFar, shortest};
use super::world::World;
use crate::automaton::Pool;
use crate::event::Value;
use crate::lower::classify::{Classifier, Method};

/// Most bytes of a task's name.
const COMM_BYTES: usize = 15;
/// Most bytes of any other name.
const NAME_BYTES: usize = 255;

/// Of each known class a value, if there is one.
pub(crate) type Values = Vec<Option<Value>>;

/// What tells the values of two fields apart, as far as classes go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Domain {
    /// Paths of a form.
    Paths(Forms),
    /// Names: whether they may be empty, and how long they are.
    Names(bool, usize),
    /// Numbers: inclusive ranges, in order.
    Numbers(FieldId, Vec<(u64, u64)>),
    /// Addresses.
    Addresses,
}

/// The values that a field has on a hook, in a world.
pub(crate) fn domain(hook: HookId, field: FieldId, world: &World) -> Domain {
    let numbers = |ranges: Vec<(u64, u64)>| {
        let ranges = match world.values(field) {
            Some(only) => both(&ranges, only),
            None => ranges,
        };
        Domain::Numbers(field, ranges)
    };
    let info = catalogue::field(field);
    match info.ty {
        FieldType::Path => Domain::Paths(forms(hook, field)),
        FieldType::Name => match field {
            FieldId::Comm | FieldId::ParentComm | FieldId::TargetComm => {
                Domain::Names(true, COMM_BYTES)
            }
            FieldId::Source => Domain::Names(true, NAME_BYTES),
            _ => Domain::Names(false, NAME_BYTES),
        },
        FieldType::Address => Domain::Addresses,
        FieldType::Int { max, .. } | FieldType::Enum { max: Some(max) } => numbers(vec![(0, max)]),
        FieldType::Enum { max: None } => {
            let mut values: Vec<(u64, u64)> = info
                .enumerators
                .iter()
                .map(|known| (known.value, known.value))
                .collect();
            values.sort_unstable();
            values.dedup();
            numbers(values)
        }
        FieldType::Mode => numbers(vec![(0, crate::lower::variable::MODE_MAX)]),
        FieldType::Bool => numbers(vec![(0, 1)]),
        FieldType::Flags => numbers(vec![(0, u64::MAX)]),
    }
}

/// What the paths of a field look like.
fn forms(hook: HookId, field: FieldId) -> Forms {
    match field {
        FieldId::Exe | FieldId::ParentExe | FieldId::AncestorExe | FieldId::TargetExe => {
            Forms::Program
        }
        FieldId::UnixPath => Forms::Socket,
        // These are about a name in a directory, or a mount point.
        FieldId::Path
            if !matches!(
                hook,
                HookId::PathUnlink
                    | HookId::PathRmdir
                    | HookId::PathMkdir
                    | HookId::PathMknod
                    | HookId::PathSymlink
                    | HookId::PathLink
                    | HookId::PathRename
                    | HookId::PathChroot
                    | HookId::SbMount
                    | HookId::SbUmount
                    | HookId::SbRemount
                    | HookId::MoveMount
                    | HookId::SbPivotroot
                    | HookId::BpfTokenCreate
            ) =>
        {
            Forms::File
        }
        _ => Forms::Absolute,
    }
}

/// What two lists of ranges share.
fn both(one: &[(u64, u64)], other: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut shared: Vec<(u64, u64)> = one
        .iter()
        .flat_map(|(low, high)| {
            other
                .iter()
                .map(|(other_low, other_high)| ((*low).max(*other_low), (*high).min(*other_high)))
        })
        .filter(|(low, high)| low <= high)
        .collect();
    shared.sort_unstable();
    shared
}

/// A value of each class, if there is one.
pub(crate) fn values(
    classifier: &Classifier,
    pool: &Pool,
    domain: &Domain,
) -> Result<Values, TooFar> {
    Ok(match (&classifier.method, domain) {
        (Method::Path(automaton), Domain::Paths(forms)) => paths(automaton, pool, *forms)?
            .into_iter()
            .map(|path| path.map(Value::Bytes))
            .collect(),
        (Method::Name(dfa), Domain::Names(empty, longest)) => {
            let shape = if *empty { Shape::Name } else { Shape::SomeName };
            let mut values = vec![None; dfa.sets.len()];
            for (set, text) in shortest(Some(dfa), shape, &[], *longest)? {
                if let Some(value) = values.get_mut(set as usize) {
                    *value = Some(Value::Bytes(text));
                }
            }
            values
        }
        (Method::Scalar(boundaries), Domain::Numbers(field, ranges)) => {
            intervals(boundaries, 0, u64::MAX, |bound| bound - 1)
                .map(|interval| number(*field, &both(ranges, &[interval])).map(Value::Int))
                .collect()
        }
        (Method::Wide(boundaries), _) => intervals(boundaries, 0, u128::MAX, |bound| bound - 1)
            .map(|interval| Some(Value::Address(address(interval))))
            .collect(),
        _ => Vec::new(),
    })
}

/// The intervals between boundaries, inclusive. No boundary is the least value.
pub(crate) fn intervals<T: Copy>(
    boundaries: &[T],
    least: T,
    largest: T,
    before: impl Fn(T) -> T,
) -> impl Iterator<Item = (T, T)> {
    let starts = std::iter::once(least).chain(boundaries.iter().copied());
    let ends = boundaries.iter().copied().map(before).chain([largest]);
    starts.zip(ends)
}

/// One of the numbers, with a name if possible.
fn number(field: FieldId, ranges: &[(u64, u64)]) -> Option<u64> {
    let inside = |value: u64| {
        ranges
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&value))
    };
    let named = catalogue::field(field)
        .enumerators
        .iter()
        .map(|known| known.value)
        .find(|value| inside(*value));
    named.or_else(|| ranges.first().map(|(low, _)| *low))
}

/// One of the addresses: one for documentation, else the first, IPv4 if possible.
fn address((low, high): (u128, u128)) -> u128 {
    /// 192.0.2.1, 2001:db8::1 and `::ffff:0.0.0.0`.
    const NICE: [u128; 3] = [0xffff_c000_0201, (0x2001_0db8 << 96) + 1, 0xffff_0000_0000];
    NICE.into_iter()
        .find(|nice| (low..=high).contains(nice))
        .unwrap_or(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_between_boundaries() {
        let list: Vec<_> = intervals(&[1, 10], 0_u64, u64::MAX, |bound| bound - 1).collect();
        assert_eq!(list, [(0, 0), (1, 9), (10, u64::MAX)]);
    }

    #[test]
    fn what_fields_hold() {
        let world = World::default();
        let port = domain(HookId::SocketBind, FieldId::Port, &world);
        assert_eq!(port, Domain::Numbers(FieldId::Port, vec![(0, 65_535)]));
        let Domain::Numbers(_, kinds) = domain(HookId::FileOpen, FieldId::FileType, &world) else {
            panic!();
        };
        assert_eq!(kinds.first(), Some(&(1, 1)));
        assert_eq!(kinds.len(), 7);
        assert_eq!(both(&[(0, 10), (20, 30)], &[(5, 25)]), [(5, 10), (20, 25)]);
        assert_eq!(number(FieldId::Family, &[(2, 9)]), Some(2));
        assert_eq!(number(FieldId::Uid, &[]), None);
    }
}
