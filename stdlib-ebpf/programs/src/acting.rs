//! What a record says of the acting task: nearly all of its header, and its last texts.

use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_get_smp_processor_id,
    bpf_ktime_get_boot_ns,
};
use lsmpc_abi::{ABI_VERSION, Presence, event::EventHeader, field::FieldId, state::TaskState};

use crate::{
    cgroup,
    exe::{self, Which, is_filled},
    globals::{
        OFF_CRED_CAP_EFFECTIVE, OFF_CRED_EGID, OFF_CRED_EUID, OFF_CRED_GID, OFF_CRED_UID,
        OFF_TASK_COMM,
    },
    maps::{Record, Slot, TASK},
    read::load,
    record::{self, next, room},
    subject::{self, Task, credentials, current, lsmpc_subject_text, storage},
};

/// Texts of the subject, after the object's.
pub(crate) const TEXTS: [FieldId; 3] = [FieldId::Exe, FieldId::ParentExe, FieldId::Cgroup];

/// Adds these texts to a record and writes its header, but for what is the record's own.
// VERIFIER: a global function, gone through once and not for each kind.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn lsmpc_acting(record: *mut Record, slot: *mut Slot) -> u64 {
    if record.is_null() || slot.is_null() {
        return 0;
    }
    // SAFETY: record and slot are claimed by this event.
    unsafe {
        let task = current();
        let mut state = storage(&TASK, task, false);
        let is_kept = is_filled(state);
        if !(is_kept && kept(record, state, Which::Own)) {
            from_slot(record, slot, FieldId::Exe);
        }
        if !(is_kept && kept(record, state, Which::Parent)) {
            from_slot(record, slot, FieldId::ParentExe);
        }
        let cgroup = cgroup::place(task).map_or(0, |place| place.number);
        if !kept_cgroup(record, slot, cgroup) {
            from_slot(record, slot, FieldId::Cgroup);
        }
        if !is_kept {
            // It has been filled in meanwhile.
            state = storage(&TASK, task, false);
        }
        head(record, slot, task, state);
        let header = (&raw mut (*record).bytes).cast::<EventHeader>();
        (*header).cgroup = if cgroup == 0 {
            bpf_get_current_cgroup_id()
        } else {
            cgroup
        };
    }
    0
}

/// Adds a program's path as it is kept, unless that is too long for the task's state.
///
/// # Safety
/// The record must be claimed by this event, the state the acting task's.
#[inline(always)]
unsafe fn kept(record: *mut Record, state: *mut TaskState, which: Which) -> bool {
    // SAFETY: the caller's.
    unsafe {
        let field = match which {
            Which::Own => FieldId::Exe,
            Which::Parent => FieldId::ParentExe,
        };
        let Some(into) = room(record) else {
            return false;
        };
        let Some((presence, length)) = exe::copy_kept(state, which, into) else {
            return false;
        };
        record::note(record, next(record), field as u8, presence as u32, length);
    }
    true
}

/// Adds the cgroup's path as it is kept, if it is.
///
/// # Safety
/// Record and slot must be claimed by this event.
#[inline(always)]
unsafe fn kept_cgroup(record: *mut Record, slot: *mut Slot, number: u64) -> bool {
    // SAFETY: the caller's.
    unsafe {
        let Some(into) = room(record) else {
            return false;
        };
        let Some(length) = cgroup::copy_kept(slot, number, into) else {
            return false;
        };
        let known = Presence::Known as u32;
        record::note(record, next(record), FieldId::Cgroup as u8, known, length);
    }
    true
}

/// Adds a text by way of the slot's buffer.
///
/// # Safety
/// Record and slot must be claimed by this event.
#[inline(always)]
unsafe fn from_slot(record: *mut Record, slot: *mut Slot, field: FieldId) {
    lsmpc_subject_text(slot, field as u64);
    // SAFETY: the caller's.
    unsafe { record::text(record, field as u8, &*slot) };
}

/// Writes the header but for the cgroup, size, counts and offsets.
///
/// # Safety
/// Record and slot must be claimed by this event, `task` the acting task, the state null
/// or its own.
#[inline(always)]
unsafe fn head(record: *mut Record, slot: *const Slot, task: Task, state: *const TaskState) {
    // SAFETY: the caller's; members of the current task and of its credentials.
    unsafe {
        let header = (&raw mut (*record).bytes).cast::<EventHeader>();
        (*header).abi = ABI_VERSION as u16;
        (*header).hook = (*slot).hook as u16;
        (*header).time = bpf_ktime_get_boot_ns();
        (*header).epoch = (*slot).epoch;
        (*header).outcome = (*slot).number;
        (*header).ret = (*slot).ret;
        (*header).flags = (*slot).flags;
        let ids = bpf_get_current_pid_tgid();
        (*header).pid = (ids >> 32) as u32;
        (*header).tid = ids as u32;
        (*header).cpu = bpf_get_smp_processor_id();
        let ids = credentials(task);
        (*header).uid = load(ids, OFF_CRED_UID.get());
        (*header).gid = load(ids, OFF_CRED_GID.get());
        (*header).euid = load(ids, OFF_CRED_EUID.get());
        (*header).egid = load(ids, OFF_CRED_EGID.get());
        (*header).caps = load(ids, OFF_CRED_CAP_EFFECTIVE.get());
        (*header).auid = subject::login_uid(task).unwrap_or(u32::MAX);
        (*header).namespaces = subject::namespaces(task);
        let comm: [u64; 2] = [
            load(task, OFF_TASK_COMM.get()),
            load(task, OFF_TASK_COMM.get() + 8),
        ];
        (&raw mut (*header).comm).cast::<[u64; 2]>().write(comm);
        let (mut parent_pid, mut parent_comm) = (0, [0; 2]);
        if !state.is_null() {
            parent_pid = (*state).parent.pid;
            parent_comm = (&raw const (*state).parent_comm).cast::<[u64; 2]>().read();
        }
        (*header).parent_pid = parent_pid;
        (&raw mut (*header).parent_comm)
            .cast::<[u64; 2]>()
            .write(parent_comm);
    }
}

const _: () = {
    use core::mem::{align_of, offset_of};
    assert!(offset_of!(EventHeader, comm).is_multiple_of(align_of::<u64>()));
    assert!(offset_of!(EventHeader, parent_comm).is_multiple_of(align_of::<u64>()));
    assert!(offset_of!(TaskState, parent_comm).is_multiple_of(align_of::<u64>()));
};
