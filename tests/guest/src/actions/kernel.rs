//! The actor's calls on the kernel itself: modules, BPF, clocks, keys.

use std::os::fd::{AsRawFd, OwnedFd};

use serde_json::Value;

use super::files::owned;
use super::uring::{Entry, Ring};
use super::{Done, Failed, check, nonsense, number, open, text};

pub(super) fn act(words: &[&str]) -> Option<Done> {
    Some(match *words {
        ["userns"] => userns(),
        ["finit-module", path] => finit_module(path),
        ["init-module"] => init_module(),
        ["bpf-map", kind] => bpf_map(kind),
        ["bpf-map-common"] => bpf_map_common(),
        ["bpf-prog"] => bpf_prog(SOCKET_FILTER),
        ["bpf-prog", "kprobe"] => bpf_prog(KPROBE),
        ["bpf-pin", path] => bpf_pin(path),
        ["perf"] => perf(),
        ["klog", action] => klog(action),
        ["set-clock"] => set_clock(),
        ["quota-sync"] => quota_sync(),
        ["add-key"] => add_key(),
        ["uring", what] => uring(what),
        ["family", family] => family_of(family),
        ["hostname"] => hostname(),
        _ => return None,
    })
}

fn userns() -> Done {
    // SAFETY: no pointers; this process has one thread.
    let result = unsafe { libc::unshare(libc::CLONE_NEWUSER) };
    check(i64::from(result), "unshare")
}

fn finit_module(path: &str) -> Done {
    let file = open(path, "r")?;
    // SAFETY: a string that ends in NUL.
    let result =
        unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) };
    check(result, "finit_module")
}

fn init_module() -> Done {
    let module = [0u8; 128];
    // SAFETY: as many bytes as said, and a string that ends in NUL.
    let result = unsafe {
        libc::syscall(
            libc::SYS_init_module,
            module.as_ptr(),
            module.len(),
            c"".as_ptr(),
        )
    };
    check(result, "init_module")
}

/// Types of programs.
pub(super) const SOCKET_FILTER: u32 = 1;
const KPROBE: u32 = 2;

/// Words of 32 bits that bpf(2) is called with.
pub(super) type Attribute = [u32; 40];

/// Calls bpf(2) for something that has a descriptor.
pub(super) fn bpf(command: i64, attribute: &mut Attribute) -> Result<OwnedFd, Failed> {
    // SAFETY: as many bytes as said.
    let made = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            attribute.as_mut_ptr(),
            size_of_val(attribute),
        )
    };
    check(made, "bpf")?;
    Ok(owned(made))
}

/// What makes a map of one element.
pub(super) fn map_attribute(kind: &str) -> Result<(i64, Attribute), Failed> {
    const MAP_CREATE: i64 = 0;
    let kind = match kind {
        "hash" => 1,
        "array" => 2,
        _ => return Err(nonsense("kind")),
    };
    let mut attribute = [0; 40];
    attribute[..4].copy_from_slice(&[kind, 4, 4, 1]);
    Ok((MAP_CREATE, attribute))
}

/// What loads a program of a type that returns 0.
pub(super) fn program_attribute(kind: u32) -> (i64, Attribute) {
    const PROG_LOAD: i64 = 5;
    static FILTER: [u64; 2] = [0xb7, 0x95];
    let mut attribute = [0; 40];
    attribute[..2].copy_from_slice(&[kind, 2]);
    attribute[2..4].copy_from_slice(&halves(FILTER.as_ptr() as u64));
    attribute[4..6].copy_from_slice(&halves(c"GPL".as_ptr() as u64));
    (PROG_LOAD, attribute)
}

fn bpf_map(kind: &str) -> Done {
    let (command, mut attribute) = map_attribute(kind)?;
    bpf(command, &mut attribute).map(|_| Value::Null)
}

/// The same with attributes that all commands share, which a flag in the command's
/// number announces.
fn bpf_map_common() -> Done {
    const COMMON: i64 = 1 << 16;
    let (command, mut attribute) = map_attribute("hash")?;
    let common = [0u64; 2];
    // SAFETY: both structures are as large as is said, and live.
    let made = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command | COMMON,
            attribute.as_mut_ptr(),
            size_of_val(&attribute),
            common.as_ptr(),
            size_of_val(&common),
        )
    };
    check(made, "bpf")?;
    drop(owned(made));
    Ok(Value::Null)
}

fn bpf_prog(kind: u32) -> Done {
    let (command, mut attribute) = program_attribute(kind);
    bpf(command, &mut attribute).map(|_| Value::Null)
}

/// Makes a map and pins it.
fn bpf_pin(path: &str) -> Done {
    const OBJ_PIN: i64 = 6;
    let (command, mut attribute) = map_attribute("hash")?;
    let map = bpf(command, &mut attribute)?;
    let path = text(path)?;
    let mut attribute: Attribute = [0; 40];
    attribute[..2].copy_from_slice(&halves(path.as_ptr() as u64));
    attribute[2] = map.as_raw_fd() as u32;
    // SAFETY: as many bytes as said.
    let pinned = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            OBJ_PIN,
            attribute.as_mut_ptr(),
            size_of_val(&attribute),
        )
    };
    check(pinned, "bpf-pin")
}

/// The two halves of an address, as they stand in an attribute.
fn halves(address: u64) -> [u32; 2] {
    [address as u32, (address >> 32) as u32]
}

/// A software event of this task.
fn perf() -> Done {
    let mut attribute = [0u32; 32];
    attribute[..4].copy_from_slice(&[1, 128, 0, 0]);
    // SAFETY: the attribute says its own size.
    let event =
        unsafe { libc::syscall(libc::SYS_perf_event_open, attribute.as_ptr(), 0, -1, -1, 0) };
    check(event, "perf_event_open")?;
    drop(owned(event));
    Ok(Value::Null)
}

fn klog(action: &str) -> Done {
    let action: i32 = number(action)?;
    // SAFETY: the actions that tests use take no memory.
    let result = unsafe { libc::klogctl(action, std::ptr::null_mut(), 0) };
    check(i64::from(result), "syslog")
}

/// Sets the clock to what it is.
fn set_clock() -> Done {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a live structure.
    let result = unsafe {
        libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now);
        libc::clock_settime(libc::CLOCK_REALTIME, &raw const now)
    };
    check(i64::from(result), "clock_settime")
}

fn quota_sync() -> Done {
    const Q_SYNC_USERS: i32 = 0x80_0001_i32 << 8;
    // SAFETY: without a device there is no memory.
    let result = unsafe {
        libc::syscall(
            libc::SYS_quotactl,
            Q_SYNC_USERS,
            std::ptr::null::<u8>(),
            0,
            std::ptr::null::<u8>(),
        )
    };
    check(result, "quotactl")
}

fn add_key() -> Done {
    const PROCESS_KEYRING: i32 = -2;
    // SAFETY: strings that end in NUL, and one byte.
    let result = unsafe {
        libc::syscall(
            libc::SYS_add_key,
            c"user".as_ptr(),
            c"lsmpc-test".as_ptr(),
            c"x".as_ptr(),
            1,
            PROCESS_KEYRING,
        )
    };
    check(result, "add_key")
}

/// Makes a socket of a family, which may ask for a module.
fn family_of(family: &str) -> Done {
    let family: i32 = number(family)?;
    // SAFETY: no memory.
    let socket = unsafe { libc::socket(family, libc::SOCK_DGRAM, 0) };
    check(i64::from(socket), "socket")?;
    drop(owned(i64::from(socket)));
    Ok(Value::Null)
}

/// Sets the host's name to what it is.
fn hostname() -> Done {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = text(name.trim())?;
    // SAFETY: so many bytes.
    let result = unsafe { libc::sethostname(name.as_ptr(), name.as_bytes().len()) };
    check(i64::from(result), "sethostname")
}

/// `sqpoll`: a ring with a polling thread. `personality`: a request with other
/// credentials. `command`: a command to /dev/null.
fn uring(what: &str) -> Done {
    const NOP: u8 = 0;
    const URING_CMD: u8 = 46;
    let ring = Ring::new(if what == "sqpoll" { Ring::SQPOLL } else { 0 })?;
    if what == "sqpoll" {
        return Ok(Value::Null);
    }
    let null = open("/dev/null", "rw")?;
    ring.submit(&Entry {
        opcode: if what == "command" { URING_CMD } else { NOP },
        file: null.as_raw_fd(),
        personality: if what == "personality" {
            ring.personality()?
        } else {
            0
        },
        ..Entry::default()
    })
    .map(|_| Value::Null)
}
