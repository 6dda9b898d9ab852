//! The acting task: its ids and its name; and a task's storage.

use core::{ffi::c_void, ptr};

use aya_ebpf::{
    bindings::BPF_LOCAL_STORAGE_GET_F_CREATE,
    helpers::generated::{
        bpf_get_current_pid_tgid, bpf_get_current_task_btf, bpf_get_current_uid_gid,
        bpf_task_storage_get,
    },
};
use lsmpc_abi::{Presence, field::FieldId};
use lsmpc_engine::Work;

use crate::{
    globals::{OFF_CRED_EGID, OFF_CRED_EUID, OFF_TASK_COMM, OFF_TASK_CRED},
    maps::{Slot, TaskStorage},
    read::{copy_string, pointer, read},
};

/// A task, as the verifier knows it: usable for task storage.
pub(crate) type Task = *mut c_void;

/// The acting task.
#[inline(always)]
pub(crate) fn current() -> Task {
    // SAFETY: no arguments.
    unsafe { bpf_get_current_task_btf() }.cast()
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
pub(crate) fn storage_from<T>(map: &TaskStorage<T>, task: Task, value: *mut T) -> *mut T {
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
