//! x86-64.

use std::ffi::CStr;
use std::io::{Error, Result};

/// The architecture's number in the header of a program.
pub(crate) const ELF_MACHINE: u8 = 62;

/// Instructions that are `exit(0)`.
pub(crate) const EXIT_CODE: &[u8] = &[0x31, 0xff, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05];

/// Whether records of executions hold arguments and environment.
pub(crate) const HAS_ARGUMENTS: bool = true;

/// The calls that open a file and that later architectures have no more.
pub(crate) const OLD_OPEN: &[libc::c_long] = &[libc::SYS_open];

/// The one that removes a file.
pub(crate) const OLD_UNLINK: &[libc::c_long] = &[libc::SYS_unlink];

/// Those that change what others see.
pub(crate) const OLD_CHANGES: &[libc::c_long] = &[
    libc::SYS_rename,
    libc::SYS_unlink,
    libc::SYS_rmdir,
    libc::SYS_mkdir,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_creat,
];

/// QEMU's `isa-debug-exit` device.
pub(crate) struct Exit(());

impl Exit {
    const PORT: u16 = 0xf4;
    const PASSED: u8 = 0x10;
    const FAILED: u8 = 0x11;

    /// Asks for access to the device, at a time when no policy can refuse it.
    pub(crate) fn take() -> Option<Self> {
        // SAFETY: asks for four I/O ports; memory is not touched.
        let result = unsafe { libc::syscall(libc::SYS_ioperm, Self::PORT as libc::c_ulong, 4, 1) };
        (result == 0).then_some(Self(()))
    }

    /// Ends QEMU.
    pub(crate) fn now(self, passed: bool) {
        let code = if passed { Self::PASSED } else { Self::FAILED };
        // SAFETY: the port was granted to this thread by `take`; it ends
        // the machine and has no effect on memory.
        unsafe {
            std::arch::asm!(
                "out dx, al",
                in("dx") Self::PORT,
                in("al") code,
                options(nomem, nostack, preserves_flags),
            );
        }
    }
}

/// Opens a file for reading, by nothing but the system call: a descriptor, or a
/// negative number and `errno`.
pub(crate) fn open(path: &CStr) -> libc::c_long {
    // SAFETY: the kernel reads a string that ends in NUL.
    unsafe { libc::syscall(libc::SYS_open, path.as_ptr(), libc::O_RDONLY) }
}

/// The registers of a task that is stopped under ptrace.
pub(crate) struct Registers(libc::user_regs_struct);

impl Registers {
    /// Reads those of `pid`.
    pub(crate) fn of(pid: i32) -> Result<Self> {
        // SAFETY: all fields of the C structure may be zero.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes one `user_regs_struct`.
        let result = unsafe { libc::ptrace(libc::PTRACE_GETREGS, pid, 0, &raw mut registers) };
        if result != 0 {
            return Err(Error::last_os_error());
        }
        Ok(Self(registers))
    }

    /// Gives them to `pid`.
    pub(crate) fn write(&self, pid: i32) -> Result<()> {
        // SAFETY: the kernel reads one `user_regs_struct`.
        let result = unsafe { libc::ptrace(libc::PTRACE_SETREGS, pid, 0, &raw const self.0) };
        if result != 0 {
            return Err(Error::last_os_error());
        }
        Ok(())
    }

    /// The number of the system call that the task is about to make.
    pub(crate) fn call(&self) -> i64 {
        self.0.orig_rax as i64
    }

    /// The first argument of that call.
    pub(crate) fn first(&self) -> u64 {
        self.0.rdi
    }

    /// What the system call that was just made returned.
    pub(crate) fn result(&self) -> i64 {
        self.0.rax as i64
    }

    pub(crate) fn stack(&self) -> u64 {
        self.0.rsp
    }

    /// Has a task that was interrupted in a system call make another one next.
    pub(crate) fn redirect(&mut self, _pid: i32, call: libc::c_long, arguments: [u64; 4]) {
        // The instruction before the one it will return to is `syscall`.
        self.0.rip -= 2;
        self.0.orig_rax = u64::MAX;
        self.0.rax = call as u64;
        [self.0.rdi, self.0.rsi, self.0.rdx, self.0.r10] = arguments;
    }
}
