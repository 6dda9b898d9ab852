//! The path of a task's cgroup in the cgroup-v2 tree, from its node up to the root.
//!
//! A cgroup keeps its name and its parent as long as it is there (version 2 knows
//! no renames), and a task keeps its cgroup and all above it. So a path is what it
//! seems unless the task was moved meanwhile, which is looked for.

use lsmpc_abi::Presence;
use lsmpc_engine::{
    bits::bound,
    repeat::{Step, repeat},
};

use crate::{
    globals::{
        OFF_CGROUP_KN, OFF_CSS_SET_DFL_CGRP, OFF_KERNFS_NAME, OFF_KERNFS_PARENT, OFF_TASK_CGROUPS,
    },
    maps::Slot,
    read::{copy, copy_string, pointer, read},
};

/// Deepest cgroup whose path is known.
const DEPTH: u32 = 256;
/// How often a task that was moved meanwhile is looked at again.
const TRIES: u32 = 8;
/// The text ends here; it is written from its end to its start.
const END: u32 = 4096;
/// Longest name, and its NUL.
const NAME: usize = 256;

const RUNNING: u32 = 0;
const DONE: u32 = 1;
const UNKNOWN: u32 = 2;

/// What a climb carries from step to step.
#[repr(C, align(8))]
pub(crate) struct Climb {
    task: u64,
    node: u64,
    name: [u8; NAME],
    /// Where the text begins so far.
    position: u32,
    status: u32,
}

/// Puts the path of a task's cgroup into the slot's text buffer.
#[inline(always)]
pub(crate) fn path(slot: *mut Slot, task: u64) -> Presence {
    // SAFETY: the slot is claimed by this event.
    unsafe { (*slot).climb.task = task };
    if lsmpc_cgroup(slot) != 0 {
        Presence::Known
    } else {
        Presence::Unknown
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

/// The node of a task's cgroup; `None` if it cannot be read.
#[inline(always)]
fn node_of(task: u64) -> Option<u64> {
    let set: u64 = read(task + OFF_TASK_CGROUPS.get()?)?;
    let cgroup: u64 = read(set + OFF_CSS_SET_DFL_CGRP.get()?)?;
    read(cgroup + OFF_CGROUP_KN.get()?).filter(|node| *node != 0)
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
        let Some(node) = node_of(climb.task) else {
            return false;
        };
        climb.node = node;
        climb.position = END;
        climb.status = RUNNING;
        repeat(DEPTH, &mut Ascend { slot: self.slot });
        // SAFETY: as above.
        let climb = unsafe { &mut (*self.slot).climb };
        if climb.status == RUNNING {
            climb.status = UNKNOWN;
        }
        let moved = node_of(climb.task) != Some(node);
        if moved {
            climb.status = UNKNOWN;
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
