//! Program paths: a task's own and its parent's, as they are kept in its state,
//! and their classes.
//!
//! A task's state is written by the task itself only, when it executes a program
//! or is first seen, and by its parent before it first runs.

use lsmpc_abi::{
    Presence,
    state::{ExePath, INLINE_EXE, TaskState},
};
use lsmpc_engine::bits::bound;

use crate::{
    atomic,
    file::{Located, OpenFile},
    globals::{
        OFF_MM_EXE_FILE, OFF_TASK_COMM, OFF_TASK_FLAGS, OFF_TASK_MM, OFF_TASK_REAL_PARENT,
        OFF_TASK_TGID,
    },
    long,
    maps::{Slot, TASK},
    path::resolve,
    read::{SHORT, copy, copy_at_most, copy_short, copy_string, read},
    settled,
    subject::{self, Task, current, storage, tgid},
};

pub(crate) const PF_KTHREAD: u32 = 0x0020_0000;

/// Bytes of a program path's entry.
pub(crate) const EXE_BYTES: u32 = size_of::<ExePath>() as u32;

/// The task that forked the acting one, or has adopted it.
// VERIFIER: a load through a typed pointer at a constant offset gives another
// typed pointer; one read by `bpf_probe_read_kernel` would be a number.
#[inline(always)]
fn real_parent() -> Task {
    // SAFETY: a member of the current task.
    unsafe {
        current()
            .byte_add(OFF_TASK_REAL_PARENT.get() as usize)
            .cast::<Task>()
            .read_volatile()
    }
}

/// Which program of a task's state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Own,
    Parent,
}

/// The file that a task executes; 0 if none, `None` if it cannot be read.
#[inline(always)]
pub(crate) fn exe_file(task: u64) -> Option<u64> {
    let flags: u32 = read(task + OFF_TASK_FLAGS.get())?;
    let mm: u64 = read(task + OFF_TASK_MM.get())?;
    if mm == 0 || flags & PF_KTHREAD != 0 {
        return Some(0);
    }
    let file: u64 = read(mm + OFF_MM_EXE_FILE.get())?;
    // Another task's can go away meanwhile.
    if read::<u64>(task + OFF_TASK_MM.get()) != Some(mm) {
        return None;
    }
    Some(file)
}

/// Puts the path of the program that a task executes into the slot's text buffer.
#[inline(always)]
fn live(slot: *mut Slot, task: u64) -> Presence {
    match exe_file(task) {
        None => Presence::Unknown,
        Some(0) => Presence::None,
        Some(file) => file_path(slot, file),
    }
}

#[inline(always)]
pub(crate) fn file_path(slot: *mut Slot, file: u64) -> Presence {
    let (dentry, mnt) = OpenFile(file).place();
    if resolve(slot, dentry, mnt) {
        Presence::Known
    } else {
        Presence::Unknown
    }
}

/// First word of an [`ExePath`]: everything but the bytes.
#[inline(always)]
pub(crate) fn head(presence: Presence, long: u64, length: u32, pid: u32) -> u64 {
    presence as u64 | long << 8 | u64::from(length) << 16 | u64::from(pid) << 32
}

/// Stores the path in the slot's text buffer as a program of the acting task.
#[inline(never)]
pub(crate) fn store(
    slot: *mut Slot,
    state: *mut TaskState,
    which: Which,
    presence: Presence,
    pid: u32,
) {
    // SAFETY: `state` is the acting task's; the slot is claimed by this event.
    // Readers on other CPUs take the first word before and after the bytes: it
    // says unknown while they change, and counts the changes.
    unsafe {
        let (exe, class) = match which {
            Which::Own => (&raw mut (*state).exe, &raw mut (*state).exe_class),
            Which::Parent => (&raw mut (*state).parent, &raw mut (*state).parent_class),
        };
        settled::forget(current());
        let word = exe.cast::<u64>();
        let count = ((atomic::load(word) >> 8) + 2) & 0xfe;
        atomic::swap(word, head(Presence::Unknown, count, 0, pid));
        atomic::store(class, 0);

        let mut length = 0;
        let mut is_long = 0;
        let mut stored = presence;
        if presence == Presence::Known {
            stored = Presence::Unknown;
            length = (*slot).work.end.wrapping_sub((*slot).work.start);
            let start = bound::<0xfff>(u64::from((*slot).work.start)) as usize;
            let from = (&raw const (*slot).work.text).cast::<u8>().add(start) as u64;
            if length <= INLINE_EXE as u32 {
                if copy_at_most::<INLINE_EXE>((&raw mut (*exe).bytes).cast(), from, length) {
                    stored = Presence::Known;
                }
            } else {
                is_long = 1;
                if long::store(which, from, length) {
                    stored = Presence::Known;
                }
            }
        }
        if stored != Presence::Known {
            length = 0;
        }
        atomic::swap(word, head(stored, count | is_long, length, pid));
    }
}

/// Puts a program path of a task's state into the slot's text buffer.
#[inline(always)]
pub(crate) fn load(slot: *mut Slot, task: Task, state: *mut TaskState, which: Which) -> Presence {
    // SAFETY: `state` is the task's; the slot is claimed by this event.
    unsafe {
        let exe = match which {
            Which::Own => &raw mut (*state).exe,
            Which::Parent => &raw mut (*state).parent,
        };
        let word = exe.cast::<u64>();
        let before = atomic::load(word);
        if before & 0xff == Presence::None as u64 {
            return Presence::None;
        }
        if before & 0xff != Presence::Known as u64 {
            return Presence::Unknown;
        }
        let length = (before >> 16) as u32 & 0xffff;
        let into = (&raw mut (*slot).work.text).cast::<u8>();
        let copied = if before & 0x100 == 0 {
            copy_at_most::<INLINE_EXE>(into, (&raw const (*exe).bytes) as u64, length)
        } else {
            long::load(task, which, into, length)
        };
        if !copied || atomic::load(word) != before {
            return Presence::Unknown;
        }
        (*slot).work.start = 0;
        (*slot).work.end = length;
        Presence::Known
    }
}

/// Copies a program path of a task's state; what is known of it, and its length. `None`
/// where it is not kept in the state itself.
///
/// # Safety
/// `state` must be a task's; [`INLINE_EXE`] bytes from `into` on must be writable.
#[inline(always)]
pub(crate) unsafe fn copy_kept(
    state: *mut TaskState,
    which: Which,
    into: *mut u8,
) -> Option<(Presence, u32)> {
    const { assert!(SHORT <= INLINE_EXE) };
    // SAFETY: the caller's.
    unsafe {
        let exe = match which {
            Which::Own => &raw mut (*state).exe,
            Which::Parent => &raw mut (*state).parent,
        };
        let before = atomic::load(exe.cast::<u64>());
        if before & 0xff == Presence::None as u64 {
            return Some((Presence::None, 0));
        }
        if before & 0xff != Presence::Known as u64 {
            return Some((Presence::Unknown, 0));
        }
        if before & 0x100 != 0 {
            return None;
        }
        let length = (before >> 16) as u32 & 0xffff;
        let from = (&raw const (*exe).bytes).cast::<u8>();
        let copied = if length as usize <= SHORT {
            copy_short(into, from);
            true
        } else {
            copy_at_most::<INLINE_EXE>(into, from as u64, length)
        };
        if !copied || atomic::load(exe.cast::<u64>()) != before {
            return Some((Presence::Unknown, 0));
        }
        Some((Presence::Known, length))
    }
}

/// Whether a task's state is there and has been filled in: between the two its
/// first word is 0.
#[inline(always)]
pub(crate) fn is_filled(state: *mut TaskState) -> bool {
    // SAFETY: null or a task's state.
    !state.is_null() && unsafe { atomic::load((&raw const (*state).exe).cast()) } != 0
}

/// Gives the acting task its state, from what it executes now: for a task that
/// was there before the programs were.
#[inline(never)]
pub(crate) fn fill(slot: *mut Slot) {
    let (presence, pid) = parent(slot);
    let state = storage(&TASK, current(), true);
    if state.is_null() {
        return;
    }
    store(slot, state, Which::Parent, presence, pid);
    let comm = real_parent() as u64 + OFF_TASK_COMM.get();
    // SAFETY: the acting task's state has room for a name.
    unsafe { copy_string((&raw mut (*state).parent_comm).cast(), comm, 16) };
    // Last, because it tells that the state is filled in.
    let presence = live(slot, current() as u64);
    store(slot, state, Which::Own, presence, tgid());
}

/// Puts the program of the parent into the slot's text buffer, as far as it can
/// be known now; with its process id.
#[inline(always)]
fn parent(slot: *mut Slot) -> (Presence, u32) {
    let task = real_parent();
    let address = task as u64;
    let pid = read(address + OFF_TASK_TGID.get()).unwrap_or(0);
    let state = storage(&TASK, task, false);
    let presence = if is_filled(state) {
        load(slot, task, state, Which::Own)
    } else {
        live(slot, address)
    };
    (presence, pid)
}

/// The class of a task's program or of its parent's, if it is kept and of this
/// image.
#[inline(always)]
pub(crate) fn cached_class(task: Task, which: Which, epoch: u32) -> Option<u32> {
    let state = storage(&TASK, task, false);
    if state.is_null() {
        return None;
    }
    // SAFETY: the task's state; one word.
    let word = unsafe {
        match which {
            Which::Own => (*state).exe_class,
            Which::Parent => (*state).parent_class,
        }
    };
    if epoch != 0 && (word >> 32) as u32 == epoch {
        Some(word as u32)
    } else {
        None
    }
}

/// Keeps such a class.
#[inline(always)]
pub(crate) fn keep_class(which: Which, epoch: u32, class: u32) {
    let state = storage(&TASK, current(), false);
    if !state.is_null() {
        let word = u64::from(epoch) << 32 | u64::from(class);
        // SAFETY: the acting task's state, aligned.
        unsafe {
            let class = match which {
                Which::Own => &raw mut (*state).exe_class,
                Which::Parent => &raw mut (*state).parent_class,
            };
            atomic::store(class, word);
        }
    }
}

/// Puts the path of the acting task's program, or of its parent's, into the
/// slot's text buffer.
#[inline(always)]
pub(crate) fn path(slot: *mut Slot, which: Which) -> Presence {
    let mut state = storage(&TASK, current(), false);
    if !is_filled(state) {
        fill(slot);
        state = storage(&TASK, current(), false);
    }
    if is_filled(state) {
        return load(slot, current(), state, which);
    }
    // (6.1, preempt=full) task storage may be locked by the task that this one
    // has interrupted.
    match which {
        Which::Own => live(slot, current() as u64),
        Which::Parent => parent(slot).0,
    }
}

/// [`Slot::fetched`]: the target has no state.
pub(crate) const FETCHED_NONE: u32 = 0;
/// Its program is in `target`, or known not to be known.
pub(crate) const FETCHED: u32 = 1;
/// The same, and the path's bytes are in the text buffer.
pub(crate) const FETCHED_LONG: u32 = 2;

/// Copies the program of another task out of its state.
// VERIFIER: apart from `target_path`, which is part of a global function: those
// cannot be given a typed pointer.
#[inline(always)]
pub(crate) fn fetch(slot: *mut Slot, task: Task) {
    // SAFETY: the slot is claimed by this event; the state may change meanwhile,
    // which its first word tells.
    unsafe {
        (*slot).fetched = FETCHED_NONE;
        let state = storage(&TASK, task, false);
        if !is_filled(state) {
            return;
        }
        let exe = &raw mut (*state).exe;
        let before = atomic::load(exe.cast());
        let into = (&raw mut (*slot).target).cast::<u8>();
        let mut fetched = FETCHED;
        let mut copied = copy::<0xff>(into, exe as u64, EXE_BYTES);
        if before & 0x100 != 0 {
            (*slot).holds = 0;
            fetched = FETCHED_LONG;
            let length = u32::from((*slot).target.length);
            let text = (&raw mut (*slot).work.text).cast::<u8>();
            copied &= long::load(task, Which::Own, text, length);
        }
        if !copied || atomic::load(exe.cast()) != before {
            (*slot).target.presence = Presence::Unknown as u8;
        }
        (*slot).fetched = fetched;
    }
}

/// Puts the program of another task into the slot's text buffer: as it was
/// fetched, or as the task runs it now.
#[inline(always)]
pub(crate) fn target_path(slot: *mut Slot, task: u64) -> Presence {
    // SAFETY: the slot is claimed by this event.
    unsafe {
        if (*slot).fetched == FETCHED_NONE {
            return live(slot, task);
        }
        let target = &raw const (*slot).target;
        if (*target).presence == Presence::None as u8 {
            return Presence::None;
        }
        if (*target).presence != Presence::Known as u8 {
            return Presence::Unknown;
        }
        let length = u32::from((*target).length);
        if (*slot).fetched == FETCHED {
            let into = (&raw mut (*slot).work.text).cast::<u8>();
            if !copy_at_most::<INLINE_EXE>(into, (&raw const (*target).bytes) as u64, length) {
                return Presence::Unknown;
            }
        }
        (*slot).work.start = 0;
        (*slot).work.end = length;
        Presence::Known
    }
}

/// Puts the parent's name, as it was at fork, into the slot's text buffer.
#[inline(always)]
pub(crate) fn parent_comm(slot: *mut Slot) -> Presence {
    let mut state = storage(&TASK, current(), false);
    if !is_filled(state) {
        fill(slot);
        state = storage(&TASK, current(), false);
    }
    if is_filled(state) {
        // SAFETY: the acting task's state.
        return subject::name(slot, unsafe { &raw const (*state).parent_comm } as u64);
    }
    subject::comm(slot, real_parent() as u64)
}
