//! The acting task: its ids, its program and its parent's program.
//!
//! A task's state is written by the task itself only, when it executes a program
//! or is first seen, and by its parent before it first runs.

use core::{ffi::c_void, ptr};

use aya_ebpf::{
    bindings::BPF_LOCAL_STORAGE_GET_F_CREATE,
    helpers::generated::{
        bpf_get_current_pid_tgid, bpf_get_current_task_btf, bpf_get_current_uid_gid,
        bpf_task_storage_get,
    },
};
use lsmpc_abi::{
    Presence,
    field::FieldId,
    state::{ExePath, INLINE_EXE, TaskState},
};
use lsmpc_engine::{Work, bits::bound};

use crate::{
    atomic,
    file::{Located, OpenFile},
    globals::{
        OFF_CRED_EGID, OFF_CRED_EUID, OFF_MM_EXE_FILE, OFF_TASK_COMM, OFF_TASK_CRED,
        OFF_TASK_FLAGS, OFF_TASK_MM, OFF_TASK_REAL_PARENT, OFF_TASK_TGID,
    },
    maps::{Slot, TASK, TASK_LONG, TaskStorage},
    path::resolve,
    read::{copy, copy_at_most, copy_string, pointer, read},
};

const PF_KTHREAD: u32 = 0x0020_0000;

/// A task, as the verifier knows it: usable for task storage.
pub(crate) type Task = *mut c_void;

/// The acting task.
#[inline(always)]
pub(crate) fn current() -> Task {
    // SAFETY: no arguments.
    unsafe { bpf_get_current_task_btf() }.cast()
}

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

/// A task's element of a storage map, or null.
#[inline(always)]
pub(crate) fn storage<T>(map: &TaskStorage<T>, task: Task, create: bool) -> *mut T {
    let flags = if create {
        u64::from(BPF_LOCAL_STORAGE_GET_F_CREATE)
    } else {
        0
    };
    // SAFETY: the task is held by the hook or by RCU; a new element is zeroed.
    unsafe { bpf_task_storage_get(map.as_ptr(), task.cast(), ptr::null_mut(), flags) }.cast()
}

/// A new element that begins as a copy of another one.
#[inline(always)]
fn storage_from<T>(map: &TaskStorage<T>, task: Task, value: *mut T) -> *mut T {
    let flags = u64::from(BPF_LOCAL_STORAGE_GET_F_CREATE);
    // SAFETY: as in `storage`; `value` is a map value of that size.
    unsafe { bpf_task_storage_get(map.as_ptr(), task.cast(), value.cast(), flags) }.cast()
}

/// The current process's id.
#[inline(always)]
pub(crate) fn tgid() -> u32 {
    // SAFETY: no arguments.
    (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32
}

/// Writes a scalar field of the subject into the work.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn lsmpc_subject_value(slot: *mut Slot, field: u64) -> u64 {
    const PID: u8 = FieldId::Pid as u8;
    const UID: u8 = FieldId::Uid as u8;
    const GID: u8 = FieldId::Gid as u8;
    const EUID: u8 = FieldId::Euid as u8;
    const EGID: u8 = FieldId::Egid as u8;
    // SAFETY: null or the slot claimed by this event; no other reference is used.
    let Some(slot) = (unsafe { slot.as_mut() }) else {
        return 0;
    };
    // SAFETY: no arguments.
    let ids = unsafe { bpf_get_current_uid_gid() };
    let value = match field as u8 {
        PID => Some(tgid()),
        UID => Some(ids as u32),
        GID => Some((ids >> 32) as u32),
        EUID => credential(OFF_CRED_EUID.get()),
        EGID => credential(OFF_CRED_EGID.get()),
        _ => None,
    };
    answer(&mut slot.work, value.map(u64::from));
    0
}

/// Writes a value, or that it is unknown, into the work.
#[inline(always)]
pub(crate) fn answer(work: &mut Work, value: Option<u64>) {
    match value {
        Some(value) => work.set_scalar(value),
        None => work.set_presence(Presence::Unknown),
    }
}

/// A u32 of the current task's effective credentials.
#[inline(always)]
pub(crate) fn credential(offset: u64) -> Option<u32> {
    let credentials = pointer(current() as u64 + OFF_TASK_CRED.get());
    read(credentials + offset)
}

/// Puts a task's name into the slot's text buffer.
#[inline(always)]
pub(crate) fn comm(slot: *mut Slot, task: u64) -> Presence {
    // SAFETY: the slot is claimed by this event; 16 bytes are there.
    unsafe {
        let work = &mut (*slot).work;
        match copy_string(work.text.as_mut_ptr(), task + OFF_TASK_COMM.get(), 16) {
            Some(length) => {
                work.start = 0;
                work.end = length;
                Presence::Known
            }
            None => Presence::Unknown,
        }
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
    let file = OpenFile(file);
    if resolve(slot, file.dentry(), file.mnt()) {
        Presence::Known
    } else {
        Presence::Unknown
    }
}

/// First word of an [`ExePath`]: everything but the bytes.
#[inline(always)]
fn head(presence: Presence, long: u64, length: u32, pid: u32) -> u64 {
    presence as u64 | long << 8 | u64::from(length) << 16 | u64::from(pid) << 32
}

/// Stores the path in the slot's text buffer as a program of the acting task.
#[inline(never)]
fn store(slot: *mut Slot, state: *mut TaskState, which: Which, presence: Presence, pid: u32) {
    // SAFETY: `state` is the acting task's; the slot is claimed by this event.
    // Readers on other CPUs take the first word before and after the bytes: it
    // says unknown while they change, and counts the changes.
    unsafe {
        let (exe, class) = match which {
            Which::Own => (&raw mut (*state).exe, &raw mut (*state).exe_class),
            Which::Parent => (&raw mut (*state).parent, &raw mut (*state).parent_class),
        };
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
                let long = storage(&TASK_LONG, current(), true);
                if !long.is_null() {
                    is_long = 1;
                    let into = match which {
                        Which::Own => &raw mut (*long).exe,
                        Which::Parent => &raw mut (*long).parent,
                    };
                    if copy::<0xfff>(into.cast(), from, length) {
                        stored = Presence::Known;
                    }
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
            let long = storage(&TASK_LONG, task, false);
            !long.is_null() && {
                let from = match which {
                    Which::Own => &raw const (*long).exe,
                    Which::Parent => &raw const (*long).parent,
                };
                copy::<0xfff>(into, from as u64, length)
            }
        };
        if !copied || atomic::load(word) != before {
            return Presence::Unknown;
        }
        (*slot).work.start = 0;
        (*slot).work.end = length;
        Presence::Known
    }
}

/// Gives the acting task its state, from what it executes now: for a task that
/// was there before the programs were.
#[inline(never)]
pub(crate) fn fill(slot: *mut Slot) {
    let state = storage(&TASK, current(), true);
    if state.is_null() {
        return;
    }
    let presence = live(slot, current() as u64);
    store(slot, state, Which::Own, presence, tgid());
    let (presence, pid) = parent(slot);
    store(slot, state, Which::Parent, presence, pid);
}

/// Puts the program of the parent into the slot's text buffer, as far as it can
/// be known now; with its process id.
#[inline(always)]
fn parent(slot: *mut Slot) -> (Presence, u32) {
    let task = real_parent();
    let address = task as u64;
    let pid = read(address + OFF_TASK_TGID.get()).unwrap_or(0);
    let state = storage(&TASK, task, false);
    let presence = if state.is_null() {
        live(slot, address)
    } else {
        load(slot, task, state, Which::Own)
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
    if state.is_null() {
        fill(slot);
        state = storage(&TASK, current(), false);
    }
    if !state.is_null() {
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
        if state.is_null() {
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
            let long = storage(&TASK_LONG, task, false);
            let text = (&raw mut (*slot).work.text).cast::<u8>();
            copied &=
                !long.is_null() && copy::<0x1fff>(text, (&raw const (*long).exe) as u64, 4096);
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

/// Process id of the parent at fork; 0 if not known.
#[inline(always)]
pub(crate) fn parent_pid() -> u32 {
    let state = storage(&TASK, current(), false);
    if state.is_null() {
        return 0;
    }
    // SAFETY: the acting task's state.
    unsafe { (*state).parent.pid }
}

/// The acting task has begun to execute `file`.
#[inline(always)]
pub(crate) fn executed(slot: *mut Slot, file: u64) {
    let mut state = storage(&TASK, current(), false);
    if state.is_null() {
        fill(slot);
        state = storage(&TASK, current(), false);
        if state.is_null() {
            return;
        }
    }
    let presence = file_path(slot, file);
    store(slot, state, Which::Own, presence, tgid());
}

/// The acting task has begun to execute something, and there is no buffer to find
/// out what: its old program must not stay.
#[inline(always)]
pub(crate) fn executed_unknown() {
    let state = storage(&TASK, current(), false);
    if state.is_null() {
        return;
    }
    // SAFETY: the acting task's state.
    unsafe {
        let count = (u64::from((*state).exe.long) + 2) & 0xfe;
        let unknown = head(Presence::Unknown, count, 0, tgid());
        atomic::swap((&raw mut (*state).exe).cast(), unknown);
        atomic::store(&raw mut (*state).exe_class, 0);
    }
}

const CLONE_PARENT: u64 = 0x8000;
const CLONE_THREAD: u64 = 0x1_0000;

/// The acting task is about to start `child`.
#[inline(always)]
pub(crate) fn forked(child: Task, flags: u64) {
    let state = storage(&TASK, current(), false);
    if state.is_null() {
        return;
    }
    let copied = storage_from(&TASK, child, state);
    if copied.is_null() {
        return;
    }
    let sibling = flags & (CLONE_THREAD | CLONE_PARENT) != 0;
    // SAFETY: both are map values; the child does not run yet.
    unsafe {
        let mut long = (*state).exe.long & 1;
        if sibling {
            long |= (*state).parent.long & 1;
        } else {
            (*copied).parent_class = (*state).exe_class;
            let into = (&raw mut (*copied).parent).cast();
            copy::<0xff>(into, (&raw const (*state).exe) as u64, EXE_BYTES);
            (*copied).parent.pid = tgid();
        }
        if long != 0 {
            let from = storage(&TASK_LONG, current(), false);
            if from.is_null() {
                return;
            }
            let into = storage_from(&TASK_LONG, child, from);
            if !into.is_null() && !sibling {
                let parent = (&raw mut (*into).parent).cast();
                copy::<0x1fff>(parent, (&raw const (*from).exe) as u64, 4096);
            }
        }
    }
}

const EXE_BYTES: u32 = size_of::<ExePath>() as u32;
