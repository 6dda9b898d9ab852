//! AArch64.

use std::ffi::CStr;
use std::io::{Error, Result};

/// The architecture's number in the header of a program.
pub(crate) const ELF_MACHINE: u8 = 183;

/// Instructions that are `exit(0)`.
pub(crate) const EXIT_CODE: &[u8] = &[
    0x00, 0x00, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4,
];

/// Whether records of executions hold arguments and environment.
pub(crate) const HAS_ARGUMENTS: bool = false;

/// No call that opens a file besides those that all architectures have.
pub(crate) const OLD_OPEN: &[libc::c_long] = &[];

/// None that removes a file.
pub(crate) const OLD_UNLINK: &[libc::c_long] = &[];

/// None that changes what others see.
pub(crate) const OLD_CHANGES: &[libc::c_long] = &[];

/// Semihosting: an instruction by which a program asks QEMU for something.
pub(crate) struct Exit(());

impl Exit {
    /// The operation that ends QEMU with a code of the program's choice.
    const EXIT_EXTENDED: u64 = 0x20;
    /// The reason that goes with it: the application is done.
    const APPLICATION_EXIT: u64 = 0x2_0026;
    const PASSED: u64 = 33;
    const FAILED: u64 = 35;

    /// It is there for every program, so there is nothing to ask for.
    pub(crate) fn take() -> Option<Self> {
        Some(Self(()))
    }

    /// Ends QEMU.
    pub(crate) fn now(self, passed: bool) {
        let code = if passed { Self::PASSED } else { Self::FAILED };
        let block = [Self::APPLICATION_EXIT, code];
        // SAFETY: QEMU reads the two words of the block and ends the machine.
        unsafe {
            std::arch::asm!(
                "hlt #0xf000",
                inout("x0") Self::EXIT_EXTENDED => _,
                in("x1") block.as_ptr(),
                options(nostack),
            );
        }
    }
}

/// Opens a file for reading, by nothing but the system call: a descriptor, or a
/// negative number and `errno`.
pub(crate) fn open(path: &CStr) -> libc::c_long {
    // SAFETY: the kernel reads a string that ends in NUL.
    unsafe {
        libc::syscall(
            libc::SYS_openat,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::O_RDONLY,
        )
    }
}

/// The registers of a task that is stopped under ptrace.
pub(crate) struct Registers(libc::user_regs_struct);

impl Registers {
    /// `NT_PRSTATUS`: the set of general registers.
    const SET: usize = 1;
    /// The instruction `svc #0`, which makes a system call.
    const SVC: u32 = 0xd400_0001;

    /// Reads those of `pid`.
    pub(crate) fn of(pid: i32) -> Result<Self> {
        // SAFETY: all fields of the C structure may be zero.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        let mut place = libc::iovec {
            iov_base: (&raw mut registers).cast(),
            iov_len: size_of_val(&registers),
        };
        // SAFETY: the kernel writes as many bytes as `place` says are there.
        let result =
            unsafe { libc::ptrace(libc::PTRACE_GETREGSET, pid, Self::SET, &raw mut place) };
        if result != 0 {
            return Err(Error::last_os_error());
        }
        Ok(Self(registers))
    }

    /// Gives them to `pid`.
    pub(crate) fn write(&self, pid: i32) -> Result<()> {
        let place = libc::iovec {
            iov_base: (&raw const self.0).cast_mut().cast(),
            iov_len: size_of_val(&self.0),
        };
        // SAFETY: the kernel reads as many bytes as `place` says are there.
        let result =
            unsafe { libc::ptrace(libc::PTRACE_SETREGSET, pid, Self::SET, &raw const place) };
        if result != 0 {
            return Err(Error::last_os_error());
        }
        Ok(())
    }

    /// The number of the system call that the task is about to make.
    pub(crate) fn call(&self) -> i64 {
        self.0.regs[8] as i64
    }

    /// The first argument of that call.
    pub(crate) fn first(&self) -> u64 {
        self.0.regs[0]
    }

    /// What the system call that was just made returned.
    pub(crate) fn result(&self) -> i64 {
        self.0.regs[0] as i64
    }

    pub(crate) fn stack(&self) -> u64 {
        self.0.sp
    }

    /// Has a task that was interrupted in a system call make another one next.
    pub(crate) fn redirect(&mut self, pid: i32, call: libc::c_long, arguments: [u64; 4]) {
        // A call that is to be repeated has the counter back at its `svc` already.
        // SAFETY: reads a word of the stopped task and none of this process.
        let word = unsafe { libc::ptrace(libc::PTRACE_PEEKTEXT, pid, self.0.pc, 0) };
        if word as u32 != Self::SVC {
            self.0.pc -= 4;
        }
        self.0.regs[8] = call as u64;
        self.0.regs[..4].copy_from_slice(&arguments);
    }
}
