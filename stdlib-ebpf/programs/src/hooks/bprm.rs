//! `bprm_check_security(bprm)` and `bprm_committed_creds(bprm)`.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use lsmpc_abi::{Presence, field::FieldId, hook::HookId};

use crate::{
    event::{Object, decide, functions},
    file::{self, OpenFile},
    globals::OFF_BPRM_FILE,
    lifecycle,
    maps::{Slot, claim_slot_patiently, release_slot},
    read::pointer,
};

struct Check;

#[inline(always)]
fn file_of(bprm: u64) -> OpenFile {
    OpenFile(pointer(bprm + OFF_BPRM_FILE.get()))
}

impl Object for Check {
    const HOOK: HookId = HookId::BprmCheckSecurity;
    const VALUES: &'static [FieldId] = &file::VALUES;
    const TEXTS: &'static [FieldId] = &[FieldId::Path, FieldId::Fs];

    #[inline(always)]
    fn value(slot: &mut Slot, field: u8) {
        file::value(slot, &file_of(slot.arguments[0]), field);
    }

    #[inline(always)]
    fn text(slot: &mut Slot, field: u8) -> Presence {
        file::text(&file_of(slot.arguments[0]), field, slot)
    }
}

functions!(Check, bprm_check_value, bprm_check_text, bprm_check_record);

/// A program is about to be executed; again for a script's interpreter.
#[lsm(hook = "bprm_check_security")]
fn bprm_check_security(ctx: LsmContext) -> i32 {
    decide::<Check, 1>(&ctx)
}

/// A program has been executed: the task has it as `exe` from now on.
#[lsm(hook = "bprm_committed_creds")]
fn bprm_committed_creds(ctx: LsmContext) -> i32 {
    let file = file_of(ctx.arg::<*const u8>(0) as u64).0;
    match claim_slot_patiently() {
        Some(slot) => {
            lifecycle::executed(slot, file);
            release_slot(slot);
        }
        None => lifecycle::executed_unknown(),
    }
    0
}
