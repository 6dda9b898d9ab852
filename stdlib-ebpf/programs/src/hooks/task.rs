//! `task_alloc(task, clone_flags)`.

use aya_ebpf::{macros::lsm, programs::LsmContext};

use crate::{
    exe::{fill, is_filled},
    lifecycle::forked,
    maps::{TASK, claim_slot, release_slot},
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
