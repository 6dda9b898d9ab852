//! The actor's calls on the kernel itself: modules, BPF, clocks, keys, io_uring.

use std::os::fd::AsRawFd;

use serde_json::Value;

use super::files::owned;
use super::{Done, check, nonsense, number, open, text};

pub(super) fn act(words: &[&str]) -> Option<Done> {
    Some(match *words {
        ["userns"] => userns(),
        ["finit-module", path] => finit_module(path),
        ["init-module"] => init_module(),
        ["bpf-map", kind] => bpf_map(kind),
        ["bpf-prog"] => bpf_prog(),
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

/// Calls bpf(2) with words of 32 bits.
fn bpf(command: i64, attribute: &mut [u32; 32]) -> Done {
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
    drop(owned(made));
    Ok(Value::Null)
}

/// Makes a map of one element.
fn bpf_map(kind: &str) -> Done {
    let kind = match kind {
        "hash" => 1,
        "array" => 2,
        _ => return Err(nonsense("kind")),
    };
    let mut attribute = [0; 32];
    attribute[..4].copy_from_slice(&[kind, 4, 4, 1]);
    bpf(0, &mut attribute)
}

/// Loads a socket filter that returns 0.
fn bpf_prog() -> Done {
    const FILTER: [u64; 2] = [0xb7, 0x95];
    let halves = |address: u64| [address as u32, (address >> 32) as u32];
    let mut attribute = [0; 32];
    attribute[..2].copy_from_slice(&[1, 2]);
    attribute[2..4].copy_from_slice(&halves(FILTER.as_ptr() as u64));
    attribute[4..6].copy_from_slice(&halves(c"GPL".as_ptr() as u64));
    bpf(5, &mut attribute)
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
    const SETUP_SQPOLL: u32 = 1 << 1;
    let mut parameters = [0u32; 30];
    if what == "sqpoll" {
        parameters[2] = SETUP_SQPOLL;
    }
    // SAFETY: `struct io_uring_params` has 120 bytes.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, parameters.as_mut_ptr()) };
    check(ring, "io_uring_setup")?;
    let ring = owned(ring);
    if what == "sqpoll" {
        return Ok(Value::Null);
    }
    let mut personality = 0;
    if what == "personality" {
        const REGISTER_PERSONALITY: u32 = 9;
        // SAFETY: no memory.
        personality = unsafe {
            libc::syscall(
                libc::SYS_io_uring_register,
                ring.as_raw_fd(),
                REGISTER_PERSONALITY,
                std::ptr::null::<u8>(),
                0,
            )
        };
        check(personality, "io_uring_register")?;
    }
    submit(&ring, &parameters, what == "command", personality as u16)
}

/// Submits one request and takes its result.
fn submit(
    ring: &std::os::fd::OwnedFd,
    parameters: &[u32; 30],
    command: bool,
    personality: u16,
) -> Done {
    const NOP: u8 = 0;
    const URING_CMD: u8 = 46;
    const RINGS: usize = 4096;
    const SQES_AT: libc::off_t = 0x1000_0000;
    const GETEVENTS: u32 = 1;
    let map = |length: usize, at: libc::off_t| {
        // SAFETY: a new mapping at an address of the kernel's choice.
        unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                ring.as_raw_fd(),
                at,
            )
        }
    };
    let (rings, entries) = (map(RINGS, 0), map(RINGS, SQES_AT));
    if rings == libc::MAP_FAILED || entries == libc::MAP_FAILED {
        return check(-1, "mmap");
    }
    let null = open("/dev/null", "rw")?;
    // `struct io_sqring_offsets` begins at word 10, `io_cqring_offsets` at 20.
    let [sq_tail, sq_array] = [parameters[11], parameters[16]].map(|at| at as usize);
    let cqes = parameters[25] as usize;
    // SAFETY: offsets that the kernel gave, inside the mappings; nothing else uses
    // the ring.
    let result = unsafe {
        let entry = entries.cast::<u8>();
        entry.write_bytes(0, 64);
        entry.write(if command { URING_CMD } else { NOP });
        entry.add(4).cast::<i32>().write(null.as_raw_fd());
        entry.add(42).cast::<u16>().write(personality);
        rings.cast::<u8>().add(sq_array).cast::<u32>().write(0);
        let tail = rings.cast::<u8>().add(sq_tail).cast::<u32>();
        tail.write_volatile(tail.read() + 1);
        let entered = libc::syscall(
            libc::SYS_io_uring_enter,
            ring.as_raw_fd(),
            1,
            1,
            GETEVENTS,
            std::ptr::null::<u8>(),
            0,
        );
        check(entered, "io_uring_enter")?;
        rings
            .cast::<u8>()
            .add(cqes + 8)
            .cast::<i32>()
            .read_volatile()
    };
    if result < 0 {
        return Err(super::Failed {
            at: "io_uring",
            errno: -result,
        });
    }
    Ok(Value::Null)
}
