//! The trackers: they keep track of which program each task runs, and of directories
//! that are gone.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use lsmpc_engine::sticky::ALL_UNKNOWN;

use crate::{
    directory,
    exe::{fill, is_filled},
    globals::OFF_BPRM_FILE,
    lifecycle::{self, forked},
    maps::{TASK, claim_slot, claim_slot_patiently, release_slot},
    read::pointer,
    sticky::Subject,
    subject::{current, storage},
};

/// An inode's memory is about to be given back.
#[lsm(hook = "inode_free_security")]
fn inode_free_security(ctx: LsmContext) -> i32 {
    directory::forget(ctx.arg::<*const u8>(0) as u64);
    0
}

/// A task is being forked: it starts with its parent's state.
#[lsm(hook = "task_alloc")]
fn task_alloc(ctx: LsmContext) -> i32 {
    let image = Subject::current();
    let epoch = image.as_ref().map_or(0, |image| image.epoch);
    let subject = image.filter(Subject::is_there);
    let mut program = ALL_UNKNOWN;
    if (subject.is_some() || !is_filled(storage(&TASK, current(), false)))
        && let Some(slot) = claim_slot()
    {
        match &subject {
            Some(subject) => program = subject.fork(slot),
            None => fill(slot),
        }
        release_slot(slot);
    }
    forked(ctx.arg(0), ctx.arg(1), epoch, program);
    0
}

/// A program has been executed: the task has it as `exe` from now on.
#[lsm(hook = "bprm_committed_creds")]
fn bprm_committed_creds(ctx: LsmContext) -> i32 {
    let file = pointer(ctx.arg::<*const u8>(0) as u64 + OFF_BPRM_FILE.get());
    match claim_slot_patiently() {
        Some(slot) => {
            let subject = Subject::current().filter(Subject::is_there);
            if let Some(subject) = &subject {
                subject.before_exec(slot);
            }
            lifecycle::executed(slot, file);
            if let Some(subject) = &subject {
                subject.after_exec(slot);
            }
            release_slot(slot);
        }
        None => lifecycle::executed_unknown(),
    }
    0
}
