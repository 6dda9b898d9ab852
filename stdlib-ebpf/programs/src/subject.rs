//! The acting task: its ids, names, capabilities and namespaces; and a task's
//! storage.

use core::{ffi::c_void, ptr};

use aya_ebpf::{
    bindings::BPF_LOCAL_STORAGE_GET_F_CREATE,
    helpers::generated::{
        bpf_get_current_pid_tgid, bpf_get_current_task_btf, bpf_get_current_uid_gid,
        bpf_task_storage_get,
    },
};
use lsmpc_abi::{Presence, field::FieldId, kernel::namespaces as names};
use lsmpc_engine::Work;

use crate::{
    cgroup, event,
    exe::{self, Which},
    globals::{
        self, OFF_CRED_CAP_EFFECTIVE, OFF_CRED_EGID, OFF_CRED_EUID, OFF_NSPROXY_MNT, OFF_PID_LEVEL,
        OFF_TASK_COMM, OFF_TASK_CRED, OFF_TASK_LOGINUID, OFF_TASK_NSPROXY, OFF_TASK_THREAD_PID,
    },
    maps::{Slot, TaskStorage},
    read::{copy_string, load, read},
    sticky,
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
    const AUID: u8 = FieldId::Auid as u8;
    const CAPS: u8 = FieldId::Caps as u8;
    const CONTAINERIZED: u8 = FieldId::Containerized as u8;
    const INITIAL_MNTNS: u8 = FieldId::InitialMntns as u8;
    const STICKY: u8 = FieldId::Sticky as u8;
    // SAFETY: null or the slot claimed by this event; no other reference is used.
    let Some(slot) = (unsafe { slot.as_mut() }) else {
        return 0;
    };
    if field as u8 == STICKY {
        match sticky::bits(slot.epoch) {
            Some(bits) => slot.work.set_bits(bits),
            None => slot.work.set_presence(Presence::Unknown),
        }
        return 0;
    }
    // SAFETY: no arguments.
    let ids = unsafe { bpf_get_current_uid_gid() };
    let value = match field as u8 {
        PID => Some(tgid().into()),
        UID => Some((ids as u32).into()),
        GID => Some(ids >> 32),
        EUID => Some(credential::<u32>(OFF_CRED_EUID.get()).into()),
        EGID => Some(credential::<u32>(OFF_CRED_EGID.get()).into()),
        AUID => login_uid(current()).map(u64::from),
        CAPS => Some(capabilities()),
        CONTAINERIZED => is_containerized(current()).map(u64::from),
        INITIAL_MNTNS => is_in_initial_mntns(current()).map(u64::from),
        _ => None,
    };
    answer(&mut slot.work, value);
    0
}

/// Puts a string field of the subject into the work, unless it is there already.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn lsmpc_subject_text(slot: *mut Slot, field: u64) -> u64 {
    const COMM: u8 = FieldId::Comm as u8;
    const CGROUP: u8 = FieldId::Cgroup as u8;
    const EXE: u8 = FieldId::Exe as u8;
    const PARENT_EXE: u8 = FieldId::ParentExe as u8;
    const PARENT_COMM: u8 = FieldId::ParentComm as u8;
    // SAFETY: null or the slot claimed by this event; no other reference is used.
    if let Some(slot) = unsafe { slot.as_mut() } {
        event::put_text(slot, field as u8, |slot, field| match field {
            EXE => exe::path(slot, Which::Own),
            PARENT_EXE => exe::path(slot, Which::Parent),
            COMM => comm(slot, current() as u64),
            PARENT_COMM => exe::parent_comm(slot),
            CGROUP => cgroup::path(slot),
            _ => Presence::Unknown,
        });
    }
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

/// The effective credentials of the current task, as the verifier knows them.
#[inline(always)]
pub(crate) fn credentials(task: Task) -> *const c_void {
    // SAFETY: a member of the current task.
    unsafe { load(task, OFF_TASK_CRED.get()) }
}

/// A member of them.
#[inline(always)]
pub(crate) fn credential<T: Copy>(offset: u64) -> T {
    // SAFETY: a member of the current task's credentials.
    unsafe { load(credentials(current()), offset) }
}

/// The login user id of the current task; `u32::MAX`: unset.
#[inline(always)]
pub(crate) fn login_uid(task: Task) -> Option<u32> {
    let offset = OFF_TASK_LOGINUID.get()?;
    // SAFETY: a member of the current task.
    Some(unsafe { load(task, offset) })
}

/// The effective capabilities: one word, or two halves, the lower one first.
#[inline(always)]
fn capabilities() -> u64 {
    credential(OFF_CRED_CAP_EFFECTIVE.get())
}

/// Whether the pid namespace is not the initial one.
#[inline(always)]
fn is_containerized(task: Task) -> Option<bool> {
    let (to_pid, to_level) = (OFF_TASK_THREAD_PID.get()?, OFF_PID_LEVEL.get()?);
    // SAFETY: what the current task leads to.
    unsafe {
        let pid: *const c_void = load(task, to_pid);
        (!pid.is_null()).then(|| load::<u32>(pid, to_level) != 0)
    }
}

/// Whether the mount namespace is the initial one.
#[inline(always)]
fn is_in_initial_mntns(task: Task) -> Option<bool> {
    let first = globals::init_nsproxy();
    let (to_proxy, to_namespace) = (OFF_TASK_NSPROXY.get()?, OFF_NSPROXY_MNT.get()?);
    // SAFETY: a member of the current task.
    let proxy: *const c_void = unsafe { load(task, to_proxy) };
    if first == 0 || proxy.is_null() {
        return None;
    }
    if proxy as u64 == first {
        return Some(true);
    }
    let initial: u64 = read(first + to_namespace)?;
    // SAFETY: what the current task leads to.
    let own: u64 = unsafe { load(proxy, to_namespace) };
    Some(own == initial)
}

/// The namespaces of the current task, for records.
#[inline(always)]
pub(crate) fn namespaces(task: Task) -> u32 {
    let bits = |known: Option<bool>, set: u32, unknown: u32| match known {
        Some(true) => set,
        Some(false) => 0,
        None => unknown,
    };
    bits(
        is_containerized(task),
        names::CONTAINERIZED,
        names::CONTAINERIZED_UNKNOWN,
    ) | bits(
        is_in_initial_mntns(task),
        names::INITIAL_MNTNS,
        names::INITIAL_MNTNS_UNKNOWN,
    )
}

/// Puts a task's name into the slot's text buffer.
#[inline(always)]
pub(crate) fn comm(slot: *mut Slot, task: u64) -> Presence {
    name(slot, task + OFF_TASK_COMM.get())
}

/// Puts the name at an address into the slot's text buffer.
#[inline(always)]
pub(crate) fn name(slot: *mut Slot, address: u64) -> Presence {
    // SAFETY: the slot is claimed by this event; 16 bytes are there.
    unsafe {
        let work = &mut (*slot).work;
        match copy_string(work.text.as_mut_ptr(), address, 16) {
            Some(length) => {
                work.start = 0;
                work.end = length;
                Presence::Known
            }
            None => Presence::Unknown,
        }
    }
}
