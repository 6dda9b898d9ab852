//! The BPF LSM programs, one for each hook.
//!
//! Owns: claiming scratch, reading field values out of the kernel, the task
//! state, event records. It must know nothing of the language; what an event's
//! values mean is decided by the image through `lsmpc_engine`.
#![no_std]
#![no_main]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

mod acting;
mod atomic;
mod cgroup;
mod descend;
mod directory;
mod event;
mod exe;
mod file;
mod gate;
mod globals;
mod hooks;
mod image;
mod kind;
mod lifecycle;
mod long;
mod maps;
mod path;
mod place;
mod plain;
mod read;
mod record;
mod seen;
mod settled;
mod socket;
mod sticky;
mod strings;
mod subject;
mod target;

/// The kernel grants GPL-only helpers by this.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
