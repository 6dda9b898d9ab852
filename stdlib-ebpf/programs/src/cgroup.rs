//! The path of a task's cgroup in the cgroup-v2 tree, from its node up to the root.
//!
//! A cgroup keeps its name and its parent as long as it is there (version 2 knows
//! no renames), and a task keeps its cgroup and all above it. So a path is what it
//! seems unless the task was moved meanwhile, which is looked for. No other cgroup gets
//! its number again, either: the path is kept in the slot, and is that of the next task
//! that is found to be in it.

use core::ffi::c_void;

use lsmpc_abi::Presence;
use lsmpc_engine::{
    bits::bound,
    repeat::{Step, repeat},
};

use crate::{
    globals::{
        OFF_CGROUP_KN, OFF_CSS_SET_DFL_CGRP, OFF_KERNFS_ID, OFF_KERNFS_NAME, OFF_KERNFS_PARENT,
        OFF_TASK_CGROUPS,
    },
    maps::Slot,
    read::{SHORT, copy, copy_at_most, copy_short, copy_string, load, pointer, read},
    subject::{Task, current},
};

/// Deepest cgroup whose path is known.
const DEPTH: u32 = 256;
/// How often a task that was moved meanwhile is looked at again.
const TRIES: u32 = 8;
/// The text ends here; it is written from its end to its start.
const END: u32 = 4096;
/// Longest name, and its NUL.
const NAME: usize = 256;
/// Longest path that is kept.
const KEPT: usize = 256;

const RUNNING: u32 = 0;
const DONE: u32 = 1;
const UNKNOWN: u32 = 2;

/// What a climb carries from step to step.
#[repr(C, align(8))]
pub(crate) struct Climb {
    node: u64,
    name: [u8; NAME],
    /// Where the text begins so far.
    position: u32,
    status: u32,
    /// Number of the cgroup whose path is kept; 0: none is.
    kept_of: u64,
    /// Its length.
    kept_length: u64,
    kept: [u8; KEPT],
}

/// Puts the path of the acting task's cgroup into the slot's text buffer.
#[inline(always)]
pub(crate) fn path(slot: *mut Slot) -> Presence {
    // SAFETY: the slot is claimed by this event; its buffer is longer than what is kept.
    unsafe {
        let number = place(current()).map_or(0, |place| place.number);
        if let Some(length) = copy_kept(slot, number, (&raw mut (*slot).work.text).cast()) {
            (*slot).work.start = 0;
            (*slot).work.end = length;
            return Presence::Known;
        }
    }
    if lsmpc_cgroup(slot) != 0 {
        Presence::Known
    } else {
        Presence::Unknown
    }
}

/// Copies the path of the cgroup of that number, if it is the one that is kept; its length.
///
/// # Safety
/// [`KEPT`] bytes from `into` on must be writable; the slot must be claimed by this event.
#[inline(always)]
pub(crate) unsafe fn copy_kept(slot: *mut Slot, number: u64, into: *mut u8) -> Option<u32> {
    const { assert!(SHORT <= KEPT) };
    // SAFETY: the caller's.
    unsafe {
        let climb = &raw const (*slot).climb;
        if number == 0 || (*climb).kept_of != number {
            return None;
        }
        let length = (*climb).kept_length as u32;
        let from = (&raw const (*climb).kept).cast::<u8>();
        if length as usize <= SHORT {
            copy_short(into, from);
        } else if !copy_at_most::<KEPT>(into, from as u64, length) {
            return None;
        }
        Some(length)
    }
}

/// Keeps a path that has been found in the slot's text buffer.
///
/// # Safety
/// The slot must be claimed by this event.
#[inline(always)]
unsafe fn keep(slot: *mut Slot, number: u64) {
    // SAFETY: the caller's.
    unsafe {
        let climb = &raw mut (*slot).climb;
        let length = END.wrapping_sub((*climb).position);
        (*climb).kept_of = 0;
        if length > KEPT as u32 {
            return;
        }
        let start = bound::<0xfff>(u64::from((*climb).position)) as usize;
        let from = (&raw const (*slot).work.text).cast::<u8>().add(start) as u64;
        if copy_at_most::<KEPT>((&raw mut (*climb).kept).cast(), from, length) {
            (*climb).kept_length = u64::from(length);
            (*climb).kept_of = number;
        }
    }
}

// VERIFIER: a global function, gone through once and not for each caller.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn lsmpc_cgroup(slot: *mut Slot) -> u64 {
    if slot.is_null() {
        return 0;
    }
    // SAFETY: the slot is claimed by this event.
    unsafe {
        (*slot).climb.status = UNKNOWN;
        repeat(TRIES, &mut Try { slot });
        if (*slot).climb.status != DONE {
            return 0;
        }
        (*slot).work.start = (*slot).climb.position;
        (*slot).work.end = END;
    }
    1
}

/// Where a task is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The address of its cgroup's node.
    node: u64,
    /// The cgroup's number.
    pub(crate) number: u64,
}

/// Where the current task is; `None` if it cannot be read.
#[inline(always)]
pub(crate) fn place(task: Task) -> Option<Place> {
    let (to_set, to_cgroup) = (OFF_TASK_CGROUPS.get()?, OFF_CSS_SET_DFL_CGRP.get()?);
    let (to_node, to_number) = (OFF_CGROUP_KN.get()?, OFF_KERNFS_ID.get()?);
    // SAFETY: what the current task leads to.
    unsafe {
        let set: *const c_void = load(task, to_set);
        let cgroup: *const c_void = load(set, to_cgroup);
        let node: *const c_void = load(cgroup, to_node);
        if node.is_null() {
            return None;
        }
        Some(Place {
            number: load(node, to_number),
            node: node as u64,
        })
    }
}

/// One try at a whole path.
struct Try {
    slot: *mut Slot,
}

impl Step for Try {
    #[inline(always)]
    fn step(&mut self) -> bool {
        // SAFETY: the slot is claimed by this event.
        let climb = unsafe { &mut (*self.slot).climb };
        climb.status = UNKNOWN;
        let Some(before) = place(current()) else {
            return false;
        };
        climb.node = before.node;
        climb.position = END;
        climb.status = RUNNING;
        repeat(DEPTH, &mut Ascend { slot: self.slot });
        // SAFETY: as above.
        let climb = unsafe { &mut (*self.slot).climb };
        if climb.status == RUNNING {
            climb.status = UNKNOWN;
        }
        let moved = place(current()) != Some(before);
        if moved {
            climb.status = UNKNOWN;
        } else if climb.status == DONE {
            // SAFETY: as above.
            unsafe { keep(self.slot, before.number) };
        }
        moved
    }
}

/// One step up.
struct Ascend {
    slot: *mut Slot,
}

impl Step for Ascend {
    #[inline(always)]
    fn step(&mut self) -> bool {
        // SAFETY: the slot is claimed by this event.
        let slot = unsafe { &mut *self.slot };
        let climb = &mut slot.climb;
        climb.status = UNKNOWN;
        let (Some(to_parent), Some(to_name)) = (OFF_KERNFS_PARENT.get(), OFF_KERNFS_NAME.get())
        else {
            return false;
        };
        let Some(parent) = read::<u64>(climb.node + to_parent) else {
            return false;
        };
        let mut position = climb.position;
        if parent == 0 {
            // The root has no name of its own.
            if position >= END {
                position = END - 1;
                slot.work.text[END as usize - 1] = b'/';
            }
            climb.position = position;
            climb.status = DONE;
            return false;
        }
        let name = pointer(climb.node + to_name);
        // SAFETY: `NAME` bytes are there.
        let Some(length) = (unsafe { copy_string(climb.name.as_mut_ptr(), name, NAME as u32) })
        else {
            return false;
        };
        if length == 0 || length > 255 || position < length + 1 || position > END {
            return false;
        }
        position -= length;
        let start = bound::<0xfff>(u64::from(position)) as usize;
        // SAFETY: at most 4095 + 255 bytes into the buffer.
        let copied = unsafe {
            let into = slot.work.text.as_mut_ptr().add(start);
            copy::<0xff>(into, climb.name.as_ptr() as u64, length)
        };
        if !copied {
            return false;
        }
        position -= 1;
        let start = bound::<0xfff>(u64::from(position)) as usize;
        // SAFETY: at most 4095.
        unsafe { *slot.work.text.as_mut_ptr().add(start) = b'/' };
        climb.position = position;
        climb.node = parent;
        climb.status = RUNNING;
        true
    }
}
