//! Hooks about open files.

use crate::{
    file::Files,
    globals::{OFF_BPRM_FILE, OFF_VMA_FILE},
    kind::{as_given, programs},
    maps::Arguments,
    read::pointer,
};

programs! {
    /// Every open of a file, also by the kernel for a task.
    file_open = "lsm/file_open", FileOpen(1) => Files, as_given;
    /// A descriptor has arrived over a unix socket.
    file_receive = "lsm/file_receive", FileReceive(1) => Files, as_given;
    /// flock(2), or fcntl(2) with a lock.
    file_lock = "lsm/file_lock", FileLock(1) => Files, as_given;
    /// ioctl(2); its number is the second argument.
    file_ioctl = "lsm/file_ioctl", FileIoctl(2) => Files, as_given;
    /// ioctl(2) of a 32-bit task, where the kernel has a hook of its own for it.
    file_ioctl_compat = "lsm/file_ioctl_compat", FileIoctl(2) => Files, as_given;
    /// An open file is being cut.
    file_truncate = "lsm/file_truncate", FileTruncate(1) => Files, as_given;
    /// Memory is being mapped, from a file or not.
    mmap_file = "lsm/mmap_file", MmapFile(4) => Files, mapping;
    /// The protection of a mapping changes.
    file_mprotect = "lsm/file_mprotect", FileMprotect(3) => Files, protection;
    /// A program is about to be executed; again for a script's interpreter.
    bprm_check_security = "lsm/bprm_check_security", BprmCheckSecurity(1) => Files, program;
    /// The kernel reads a file for its own use; what for is the second argument.
    kernel_read_file = "lsm/kernel_read_file", KernelReadFile(2) => Files, as_given;
}

/// From (file, protection asked for, protection, flags).
#[inline(always)]
fn mapping(arguments: &mut Arguments) {
    arguments[1] = arguments[2];
    arguments[2] = arguments[3];
}

/// From (vma, protection asked for, protection).
#[inline(always)]
fn protection(arguments: &mut Arguments) {
    let [vma, _, protection, ..] = *arguments;
    arguments[0] = pointer(vma + OFF_VMA_FILE.get());
    arguments[1] = protection;
    arguments[2] = vma;
}

/// From (bprm), which stays for the record.
#[inline(always)]
fn program(arguments: &mut Arguments) {
    let bprm = arguments[0];
    arguments[0] = pointer(bprm + OFF_BPRM_FILE.get());
    arguments[1] = bprm;
}
