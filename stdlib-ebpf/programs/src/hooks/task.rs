//! `task_alloc(task, clone_flags)`.

use aya_ebpf::{macros::lsm, programs::LsmContext};

use crate::{
    maps::{TASK, claim_slot, release_slot},
    subject::{self, storage},
};

/// A task is being forked: it starts with its parent's state.
#[lsm(hook = "task_alloc")]
fn task_alloc(ctx: LsmContext) -> i32 {
    if storage(&TASK, subject::current(), false).is_null()
        && let Some(slot) = claim_slot()
    {
        subject::fill(slot);
        release_slot(slot);
    }
    subject::forked(ctx.arg(0), ctx.arg(1));
    0
}
