//! The trackers: they keep track of which program each task runs.

use aya_ebpf::{macros::lsm, programs::LsmContext};

use crate::{
    exe::{fill, is_filled},
    globals::OFF_BPRM_FILE,
    lifecycle::{self, forked},
    maps::{TASK, claim_slot, claim_slot_patiently, release_slot},
    read::pointer,
    subject::{current, storage},
};

/// A task is being forked: it starts with its parent's state.
#[lsm(hook = "task_alloc")]
fn task_alloc(ctx: LsmContext) -> i32 {
    if !is_filled(storage(&TASK, current(), false))
        && let Some(slot) = claim_slot()
    {
        fill(slot);
        release_slot(slot);
    }
    forked(ctx.arg(0), ctx.arg(1));
    0
}

/// A program has been executed: the task has it as `exe` from now on.
#[lsm(hook = "bprm_committed_creds")]
fn bprm_committed_creds(ctx: LsmContext) -> i32 {
    let file = pointer(ctx.arg::<*const u8>(0) as u64 + OFF_BPRM_FILE.get());
    match claim_slot_patiently() {
        Some(slot) => {
            lifecycle::executed(slot, file);
            release_slot(slot);
        }
        None => lifecycle::executed_unknown(),
    }
    0
}
