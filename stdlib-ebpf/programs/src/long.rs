//! Program paths that are too long for a task's state: in parts, each in a map of
//! its own.

use lsmpc_abi::state::{LONG_PART, LONG_PARTS, LongPart};

use crate::{
    exe::Which,
    maps::{
        PARENT_LONG_0, PARENT_LONG_1, PARENT_LONG_2, TASK_LONG_0, TASK_LONG_1, TASK_LONG_2,
        TaskStorage,
    },
    read::copy_at_most,
    subject::{Task, current, storage, storage_from},
};

const _: () = assert!(LONG_PARTS == 3);

/// The map of one part.
#[inline(always)]
fn map(which: Which, part: usize) -> &'static TaskStorage<LongPart> {
    match (which, part) {
        (Which::Own, 0) => &TASK_LONG_0,
        (Which::Own, 1) => &TASK_LONG_1,
        (Which::Own, _) => &TASK_LONG_2,
        (Which::Parent, 0) => &PARENT_LONG_0,
        (Which::Parent, 1) => &PARENT_LONG_1,
        (Which::Parent, _) => &PARENT_LONG_2,
    }
}

/// Does something to each part that a path of `length` bytes has, with the part's
/// number and how many bytes are left from it on; whether all of it worked.
// VERIFIER: no loop and no array, which LLVM would put the maps' addresses in.
#[inline(always)]
fn each(length: u32, mut one: impl FnMut(usize, u32) -> bool) -> bool {
    const PART: u32 = LONG_PART as u32;
    one(0, length)
        && (length <= PART || one(1, length - PART))
        && (length <= 2 * PART || one(2, length - 2 * PART))
}

/// Keeps the path of `length` bytes at `from` for the acting task.
#[inline(always)]
pub(crate) fn store(which: Which, from: u64, length: u32) -> bool {
    each(length, |part, left| {
        let kept = storage(map(which, part), current(), true);
        let from = from + (part * LONG_PART) as u64;
        // SAFETY: an element of the map.
        !kept.is_null() && unsafe { copy_at_most::<LONG_PART>(kept.cast(), from, left) }
    })
}

/// Copies a task's long path of `length` bytes.
///
/// # Safety
/// `LONG_PARTS * LONG_PART` bytes from `into` on must be writable.
#[inline(always)]
pub(crate) unsafe fn load(task: Task, which: Which, into: *mut u8, length: u32) -> bool {
    each(length, |part, left| {
        let kept = storage(map(which, part), task, false);
        // SAFETY: the caller's.
        !kept.is_null()
            && unsafe { copy_at_most::<LONG_PART>(into.add(part * LONG_PART), kept as u64, left) }
    })
}

/// Gives a child a copy of a long path of the acting task.
#[inline(always)]
pub(crate) fn inherit(child: Task, from: Which, into: Which) {
    let mut part = 0;
    while part < LONG_PARTS {
        inherit_part(map(from, part), map(into, part), child);
        part += 1;
    }
}

#[inline(always)]
fn inherit_part(from: &TaskStorage<LongPart>, into: &TaskStorage<LongPart>, child: Task) {
    let kept = storage(from, current(), false);
    if !kept.is_null() {
        storage_from(into, child, kept);
    }
}
