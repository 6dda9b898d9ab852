//! Which fields apply together.
//!
//! Owns what is known of consistent events: which fields of a hook may be *none*,
//! and which are so only together. A hook's events are split into *worlds*; in
//! each a field is always none, never none, or free, independently of all others.
//! It must not know policies.

use std::collections::{BTreeMap, BTreeSet};

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

use crate::event::{Event, FieldValue, Value};

/// `AF_UNIX`
const UNIX: u64 = 1;
/// `AF_INET`
const INET: u64 = 2;
/// `AF_INET6`
const INET6: u64 = 10;

/// A part of a hook's events.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct World {
    /// Fields that are none.
    none: BTreeSet<FieldId>,
    /// Fields that have a value though they need not in other worlds.
    known: BTreeSet<FieldId>,
    /// The only values of a field (inclusive ranges).
    values: BTreeMap<FieldId, Vec<(u64, u64)>>,
}

/// The fields of FILE that a hook may lack as a whole.
const FILE: [FieldId; 10] = [
    FieldId::Path,
    FieldId::Fs,
    FieldId::FileUid,
    FieldId::FileGid,
    FieldId::FileNlink,
    FieldId::FileMode,
    FieldId::FileType,
    FieldId::FileRunning,
    FieldId::FileOwned,
    FieldId::FileIsExe,
];

/// Fields of a socket's address.
const ADDRESS: [FieldId; 2] = [FieldId::Addr, FieldId::Port];

/// Whether a field can be none on a hook, whatever the world.
fn may_be_none(hook: HookId, field: FieldId) -> bool {
    match field {
        // Kernel threads run no program, and the first task has no parent.
        FieldId::Exe
        | FieldId::ParentExe
        | FieldId::ParentComm
        | FieldId::TargetExe
        | FieldId::AncestorExe
        // An unnamed peer.
        | FieldId::UnixPath
        // Unchanged.
        | FieldId::OwnerUid
        | FieldId::OwnerGid
        // Bind mounts name neither.
        | FieldId::Source
        // Nothing has the new name yet.
        | FieldId::NewFileRunning => true,
        FieldId::Fs => hook == HookId::SbMount,
        _ => false,
    }
}

impl World {
    fn with_none(mut self, fields: &[FieldId]) -> Self {
        self.none.extend(fields);
        self
    }

    fn with_known(mut self, fields: &[FieldId]) -> Self {
        self.known.extend(fields);
        self
    }

    fn with_values(mut self, field: FieldId, values: &[(u64, u64)]) -> Self {
        self.values.insert(field, values.to_vec());
        self
    }

    /// Whether a field is none here.
    pub(crate) fn is_none(&self, field: FieldId) -> bool {
        self.none.contains(&field)
    }

    /// Whether a field may be none here.
    pub(crate) fn may_be_none(&self, hook: HookId, field: FieldId) -> bool {
        self.is_none(field) || (may_be_none(hook, field) && !self.known.contains(&field))
    }

    /// The only values that a field has here, if there are others elsewhere.
    pub(crate) fn values(&self, field: FieldId) -> Option<&[(u64, u64)]> {
        self.values.get(&field).map(Vec::as_slice)
    }

    /// Whether a field may be that here.
    fn has(&self, hook: HookId, field: FieldId, value: &FieldValue) -> bool {
        match value {
            FieldValue::Unknown => true,
            FieldValue::None => self.may_be_none(hook, field),
            FieldValue::Known(Value::Int(number)) => {
                !self.is_none(field)
                    && self.values(field).is_none_or(|ranges| {
                        ranges
                            .iter()
                            .any(|(low, high)| (*low..=*high).contains(number))
                    })
            }
            FieldValue::Known(_) => !self.is_none(field),
        }
    }

    fn keep(&mut self, fields: &BTreeSet<FieldId>) {
        self.none.retain(|field| fields.contains(field));
        self.known.retain(|field| fields.contains(field));
        self.values.retain(|field, _| fields.contains(field));
    }
}

/// The fields that are none in an event because of what it says of others.
pub(crate) fn absent(event: &Event) -> Vec<FieldId> {
    let fields: BTreeSet<FieldId> = catalogue::hook(event.hook).fields.iter().copied().collect();
    let mut possible = worlds(event.hook, &fields);
    possible.retain(|world| {
        event
            .values
            .iter()
            .all(|(field, value)| world.has(event.hook, *field, value))
    });
    let is_absent = |field: &FieldId| {
        !event.values.contains_key(field)
            && !possible.is_empty()
            && possible.iter().all(|world| world.is_none(*field))
    };
    fields.into_iter().filter(is_absent).collect()
}

/// The worlds of a hook, as far as `fields` tell them apart.
pub(crate) fn worlds(hook: HookId, fields: &BTreeSet<FieldId>) -> Vec<World> {
    let mut worlds = match hook {
        // An anonymous mapping has no file.
        HookId::MmapFile | HookId::FileMprotect => vec![
            World::default().with_known(&FILE),
            World::default().with_none(&FILE),
        ],
        _ if catalogue::hook(hook).has(FieldId::Addr) => {
            let other = [FieldId::UnixPath];
            vec![
                World::default()
                    .with_known(&ADDRESS)
                    .with_none(&other)
                    .with_values(FieldId::Family, &[(INET, INET), (INET6, INET6)]),
                World::default()
                    .with_known(&other)
                    .with_none(&ADDRESS)
                    .with_values(FieldId::Family, &[(UNIX, UNIX)]),
                // No address: a socket of another family, or none is named.
                World::default().with_none(&other).with_none(&ADDRESS),
            ]
        }
        _ => vec![World::default()],
    };
    for world in &mut worlds {
        world.keep(fields);
    }
    worlds.sort();
    worlds.dedup();
    worlds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worlds_that_no_field_tells_apart_are_one() {
        let of = |hook, fields: &[FieldId]| worlds(hook, &fields.iter().copied().collect()).len();
        assert_eq!(of(HookId::SocketConnect, &[FieldId::Uid]), 1);
        assert_eq!(of(HookId::SocketConnect, &[FieldId::Port]), 2);
        assert_eq!(
            of(HookId::SocketConnect, &[FieldId::Port, FieldId::UnixPath]),
            3
        );
        assert_eq!(of(HookId::MmapFile, &[FieldId::Prot]), 1);
        assert_eq!(of(HookId::MmapFile, &[FieldId::Path]), 2);
        assert_eq!(of(HookId::FileOpen, &[FieldId::Path]), 1);
    }

    #[test]
    fn what_other_fields_exclude() {
        let family = |value| FieldValue::Known(Value::Int(value));
        let event = Event::new(HookId::SocketConnect);
        assert_eq!(absent(&event), []);
        let inet = event.clone().with(FieldId::Family, family(INET));
        assert_eq!(absent(&inet), [FieldId::UnixPath]);
        let unix = event.clone().with(FieldId::Family, family(UNIX));
        assert_eq!(absent(&unix), [FieldId::Addr, FieldId::Port]);
        let path = FieldValue::Known(Value::Bytes(b"@x".to_vec()));
        assert_eq!(
            absent(&event.with(FieldId::UnixPath, path.clone())),
            [FieldId::Addr, FieldId::Port]
        );
        let anonymous = Event::new(HookId::MmapFile).with(FieldId::Path, FieldValue::None);
        assert!(absent(&anonymous).contains(&FieldId::FileMode));
        // What the event says itself is not told again.
        assert!(!absent(&anonymous).contains(&FieldId::Path));
        // Nothing follows from what cannot be.
        assert_eq!(absent(&inet.with(FieldId::UnixPath, path)), []);
    }

    #[test]
    fn what_applies() {
        let worlds = worlds(HookId::SocketBind, &[FieldId::Port, FieldId::Family].into());
        let inet = worlds
            .iter()
            .find(|world| !world.is_none(FieldId::Port))
            .unwrap();
        assert!(!inet.may_be_none(HookId::SocketBind, FieldId::Port));
        assert_eq!(inet.values(FieldId::Family), Some(&[(2, 2), (10, 10)][..]));
        assert!(!inet.may_be_none(HookId::SocketBind, FieldId::Uid));
        assert!(inet.may_be_none(HookId::SocketBind, FieldId::Exe));
    }
}
