//! What the record of an event says of its file, read where the verifier still knows the
//! file's type: a load through a typed pointer takes some six instructions, a read at an
//! address a hundred.

use core::ffi::c_void;

use aya_ebpf::programs::LsmContext;
use lsmpc_abi::{Presence, event::EventValue, field::FieldId, hook::HookId};

use crate::{
    exe::PF_KTHREAD,
    file::{access_bits, running_by, type_of},
    globals::{
        self, OFF_BPRM_FILE, OFF_CRED_FSUID, OFF_DENTRY_SB, OFF_FILE_FLAGS, OFF_FILE_INODE,
        OFF_FILE_MODE, OFF_FILE_PATH, OFF_FS_TYPE_NAME, OFF_INODE_GID, OFF_INODE_MODE,
        OFF_INODE_NLINK, OFF_INODE_UID, OFF_INODE_WRITERS, OFF_MM_EXE_FILE, OFF_PATH_DENTRY,
        OFF_SB_TYPE, OFF_TASK_FLAGS, OFF_TASK_MM, OFF_VMA_FILE,
    },
    maps::Slot,
    read::load,
    subject::{Task, credentials, current},
};

/// Something that the kernel has handed out, as the verifier knows it.
type Typed = *const c_void;

/// A file, as the hook found it.
#[repr(C, align(8))]
pub(crate) struct Seen {
    /// Whether the rest is filled in.
    pub(crate) is_there: u32,
    /// `i_mode`.
    mode: u32,
    uid: u32,
    gid: u32,
    nlink: u32,
    /// `i_writecount`.
    writers: u32,
    /// Whether the acting task has the owner's id, and executes the file.
    is_owned: u32,
    is_exe: u32,
    /// `f_mode` and `f_flags`.
    pub(crate) opened: [u32; 2],
    /// Where its file system's name is.
    pub(crate) fs_name: u64,
}

/// Looks at the file that a hook of the kind [`crate::file::Files`] is about.
// VERIFIER: whether there is one is asked of the number: (6.12) takes pointers to be
// non-null unless the kernel's BTF says otherwise, and would remove a test for null.
#[inline(always)]
pub(crate) fn look_at_file(ctx: &LsmContext, hook: u32, slot: *mut Slot) {
    const MPROTECT: u32 = HookId::FileMprotect as u32;
    const EXECUTION: u32 = HookId::BprmCheckSecurity as u32;
    // SAFETY: the slot is claimed by this event.
    if unsafe { (*slot).arguments[0] } == 0 {
        return;
    }
    let first: Typed = ctx.arg(0);
    // SAFETY: the hook's argument.
    let file = unsafe {
        match hook {
            MPROTECT => load(first, OFF_VMA_FILE.get()),
            EXECUTION => load(first, OFF_BPRM_FILE.get()),
            _ => first,
        }
    };
    if !file.is_null() {
        look(slot, file);
    }
}

// VERIFIER: not a global function: those cannot be given a typed pointer.
#[inline(never)]
fn look(slot: *mut Slot, file: Typed) {
    // SAFETY: the hook's file and what it leads to, and the acting task's; the slot is
    // claimed by this event.
    unsafe {
        let seen = &raw mut (*slot).seen;
        let inode: Typed = load(file, OFF_FILE_INODE.get());
        if inode.is_null() {
            return;
        }
        (*seen).mode = u32::from(load::<u16>(inode, OFF_INODE_MODE.get()));
        let owner: u32 = load(inode, OFF_INODE_UID.get());
        (*seen).uid = owner;
        (*seen).gid = load(inode, OFF_INODE_GID.get());
        (*seen).nlink = load(inode, OFF_INODE_NLINK.get());
        (*seen).writers = match OFF_INODE_WRITERS.get() {
            Some(writers) => load(inode, writers),
            None => 0,
        };
        let task = current();
        let acting: u32 = load(credentials(task), OFF_CRED_FSUID.get());
        (*seen).is_owned = u32::from(acting == owner);
        (*seen).is_exe = u32::from(inode == executed(task));
        (*seen).opened = [
            load(file, OFF_FILE_MODE.get()),
            load(file, OFF_FILE_FLAGS.get()),
        ];
        let dentry: Typed = load(file, OFF_FILE_PATH.get() + OFF_PATH_DENTRY.get());
        let block: Typed = load(dentry, OFF_DENTRY_SB.get());
        let kind: Typed = load(block, OFF_SB_TYPE.get());
        (*seen).fs_name = load(kind, OFF_FS_TYPE_NAME.get());
        (*seen).is_there = 1;
    }
}

/// The inode of what the acting task executes, or null.
#[inline(always)]
fn executed(task: Task) -> Typed {
    // SAFETY: what the current task leads to.
    unsafe {
        let flags: u32 = load(task, OFF_TASK_FLAGS.get());
        let mm: Typed = load(task, OFF_TASK_MM.get());
        if mm.is_null() || flags & PF_KTHREAD != 0 {
            return core::ptr::null();
        }
        let file: Typed = load(mm, OFF_MM_EXE_FILE.get());
        if file.is_null() {
            return core::ptr::null();
        }
        load(file, OFF_FILE_INODE.get())
    }
}

/// Scalar fields of FILE, which records of files begin with: in this order, and with
/// numbers that follow one another.
pub(crate) const FILE_VALUES: [FieldId; 8] = [
    FieldId::FileUid,
    FieldId::FileGid,
    FieldId::FileNlink,
    FieldId::FileMode,
    FieldId::FileType,
    FieldId::FileRunning,
    FieldId::FileOwned,
    FieldId::FileIsExe,
];

/// Writes these fields of the file that was seen, and how it is being opened where that
/// is the next; how many they are.
///
/// # Safety
/// `into` must have room for them; the hook must be one of [`crate::file::Files`].
#[inline(always)]
pub(crate) unsafe fn write_values(seen: &Seen, hook: u32, into: *mut EventValue) -> u32 {
    const OPEN: u32 = HookId::FileOpen as u32;
    let mode = u64::from(seen.mode);
    let running = match (globals::executed_is_marked(), OFF_INODE_WRITERS.get()) {
        (true, Some(_)) => Some(running_by(seen.writers, hook)),
        _ => None,
    };
    let values = [
        Some(u64::from(seen.uid)),
        Some(u64::from(seen.gid)),
        Some(u64::from(seen.nlink)),
        Some(mode & 0o7777),
        type_of(mode),
        running,
        Some(u64::from(seen.is_owned)),
        Some(u64::from(seen.is_exe)),
    ];
    let mut number = 0;
    while number < FILE_VALUES.len() {
        // SAFETY: the caller's.
        unsafe { write_value(into.add(number), FILE_VALUES[number] as u8, values[number]) };
        number += 1;
    }
    if hook != OPEN {
        return number as u32;
    }
    // SAFETY: the caller's.
    unsafe {
        let access = access_bits(seen.opened);
        write_value(into.add(number), FieldId::Access as u8, Some(access));
    }
    number as u32 + 1
}

/// Writes a value of a record that is known or unknown.
///
/// # Safety
/// `into` must lie in a record.
#[inline(always)]
pub(crate) unsafe fn write_value(into: *mut EventValue, field: u8, value: Option<u64>) {
    let (presence, value) = match value {
        Some(value) => (Presence::Known, value),
        None => (Presence::Unknown, 0),
    };
    // SAFETY: the caller's; field, presence and six bytes reserved are one word.
    unsafe {
        into.cast::<u64>()
            .write(u64::from(field) | (presence as u64) << 8);
        (*into).value = value;
        (*into).low = 0;
    }
}
