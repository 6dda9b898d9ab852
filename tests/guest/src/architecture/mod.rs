//! What differs by processor: the way to end QEMU with a code, the registers
//! of a stopped task, and the system calls that only some have.
//!
//! Each architecture is one file with the same items; nothing else in the
//! suites asks which one it runs on.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::{
    ELF_MACHINE, EXIT_CODE, Exit, HAS_ARGUMENTS, OLD_CHANGES, OLD_OPEN, OLD_UNLINK, Registers, open,
};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{
    ELF_MACHINE, EXIT_CODE, Exit, HAS_ARGUMENTS, OLD_CHANGES, OLD_OPEN, OLD_UNLINK, Registers, open,
};
