//! `path_unlink(dir, dentry)`.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use lsmpc_abi::{Presence, field::FieldId, hook::HookId};

use crate::{
    event::{Object, decide, functions},
    file::{self, Entry},
    maps::Slot,
};

struct Unlink;

#[inline(always)]
fn entry(slot: &Slot) -> Entry {
    Entry {
        directory: slot.arguments[0],
        dentry: slot.arguments[1],
    }
}

impl Object for Unlink {
    const HOOK: HookId = HookId::PathUnlink;
    const VALUES: &'static [FieldId] = &file::VALUES;
    const TEXTS: &'static [FieldId] = &[FieldId::Path, FieldId::Fs];

    #[inline(always)]
    fn value(slot: &mut Slot, field: u8) {
        file::value(slot, &entry(slot), field);
    }

    #[inline(always)]
    fn text(slot: &mut Slot, field: u8) -> Presence {
        file::text(&entry(slot), field, slot)
    }
}

functions!(
    Unlink,
    path_unlink_value,
    path_unlink_text,
    path_unlink_record
);

/// A name of a file is being removed.
#[lsm(hook = "path_unlink")]
fn path_unlink(ctx: LsmContext) -> i32 {
    decide::<Unlink, 2>(&ctx)
}
