//! The kind of object that is a number or a name: a capability, a command, ids.

use lsmpc_abi::{Presence, field::FieldId};

use crate::{
    file::given_name,
    globals::{
        self, OFF_CRED_EGID, OFF_CRED_EUID, OFF_CRED_GID, OFF_CRED_UID, OFF_MAP_TYPE, OFF_PROG_TYPE,
    },
    kind::{Kind, functions},
    maps::Slot,
    read::read,
    subject::answer,
};

const CAP: u8 = FieldId::Cap as u8;
const CMD: u8 = FieldId::Cmd as u8;
const SYSLOG_TYPE: u8 = FieldId::SyslogType as u8;
const MAP_TYPE: u8 = FieldId::MapType as u8;
const PROG_TYPE: u8 = FieldId::ProgType as u8;
const NEW_UID: u8 = FieldId::NewUid as u8;
const NEW_EUID: u8 = FieldId::NewEuid as u8;
const NEW_GID: u8 = FieldId::NewGid as u8;
const NEW_EGID: u8 = FieldId::NewEgid as u8;
const KREAD_ID: u8 = FieldId::KreadId as u8;
const WHAT: u8 = FieldId::What as u8;
const MODULE: u8 = FieldId::Module as u8;

/// More bytes than a module's name or alias has.
const LONGEST: u32 = 1024;

/// Hooks about a number, or about something small at one address, or about nothing
/// at all. The first argument is what counts.
pub(crate) struct Plain;

impl Kind for Plain {
    #[inline(always)]
    fn value(slot: &mut Slot, field: u8) {
        let argument = slot.arguments[0];
        let at = |offset: u64| read::<u32>(argument + offset).map(u64::from);
        let value = match field {
            CAP | CMD | SYSLOG_TYPE => Some(u64::from(argument as u32)),
            MAP_TYPE => at(OFF_MAP_TYPE.get()),
            PROG_TYPE => at(OFF_PROG_TYPE.get()),
            NEW_UID => at(OFF_CRED_UID.get()),
            NEW_EUID => at(OFF_CRED_EUID.get()),
            NEW_GID => at(OFF_CRED_GID.get()),
            NEW_EGID => at(OFF_CRED_EGID.get()),
            KREAD_ID => globals::loading(argument),
            WHAT => globals::lockdown(argument),
            _ => None,
        };
        answer(&mut slot.work, value);
    }

    #[inline(always)]
    fn text(slot: &mut Slot, field: u8) -> Presence {
        match field {
            MODULE => given_name::<LONGEST>(slot, slot.arguments[0]),
            _ => Presence::Unknown,
        }
    }
}

functions!(
    Plain,
    lsmpc_plain_value,
    lsmpc_plain_text,
    lsmpc_plain_record
);
