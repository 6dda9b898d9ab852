//! The actor's other ways to a file's descriptor: by handle, through /proc, by
//! io_uring, from other processes.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::Mode;
use serde_json::Value;

use super::files::owned;
use super::uring::{Entry, Ring};
use super::{At, Done, Failed, check, done, nonsense, number, open, text};
use crate::architecture::Registers;
use crate::passing;

pub(super) fn act(words: &[&str]) -> Option<Done> {
    Some(match *words {
        ["open-bytes", path] => open_bytes(path),
        ["open-by-handle", path] => by_handle(path),
        ["reopen", path] => reopen(path),
        ["uring-open", path, how] => uring_open(path, how),
        ["inject-open", pid, path] => inject_open(pid, path),
        ["receive-from", path] => done(received(path)),
        ["steal", pid, descriptor] => steal(pid, descriptor),
        _ => return None,
    })
}

/// Opens a path that is given in hexadecimal digits.
fn open_bytes(digits: &str) -> Done {
    let byte = |at| {
        digits
            .get(at..at + 2)
            .and_then(|two| u8::from_str_radix(two, 16).ok())
    };
    let path: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    let path = path.ok_or(nonsense("digits"))?;
    done(rustix::fs::open(path, super::open_flags("r"), Mode::empty()).at("open"))
}

/// Asks for a file's handle and opens that.
fn by_handle(path: &str) -> Done {
    #[repr(C, align(8))]
    struct Handle {
        size: u32,
        kind: i32,
        bytes: [u8; 128],
    }
    let mut handle = Handle {
        size: 128,
        kind: 0,
        bytes: [0; 128],
    };
    let mount = open("/srv", "rd")?;
    let path = text(path)?;
    let mut id = 0;
    // SAFETY: as many bytes as `size` says, and live words.
    unsafe {
        let named = libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            path.as_ptr(),
            &raw mut handle,
            &raw mut id,
            0,
        );
        check(named, "name_to_handle_at")?;
        let file = libc::syscall(
            libc::SYS_open_by_handle_at,
            mount.as_raw_fd(),
            &raw mut handle,
            libc::O_RDONLY,
        );
        check(file, "open_by_handle_at")?;
        drop(owned(file));
    }
    Ok(Value::Null)
}

/// Opens a path as a place only, and that anew for reading.
fn reopen(path: &str) -> Done {
    let place = open(path, "p").map_err(|failed| Failed {
        at: "open-place",
        ..failed
    })?;
    open(&format!("/proc/self/fd/{}", place.as_raw_fd()), "r").map(|_| Value::Null)
}

/// Opens a file by a request of io_uring. `how`: `now`, by a `worker` thread, or by a
/// `poll`ing one.
fn uring_open(path: &str, how: &str) -> Done {
    const OPENAT: u8 = 18;
    let (flags, ring) = match how {
        "now" => (0, 0),
        "worker" => (Ring::ASYNC, 0),
        "poll" => (0, Ring::SQPOLL),
        _ => return Err(nonsense("how")),
    };
    let path = text(path)?;
    let file = Ring::new(ring)?.submit(&Entry {
        opcode: OPENAT,
        flags,
        file: libc::AT_FDCWD,
        address: path.as_ptr() as u64,
        operation_flags: libc::O_RDONLY as u32,
        ..Entry::default()
    })?;
    drop(owned(i64::from(file)));
    Ok(Value::Null)
}

/// Has another process, which waits in a system call, open a file. It is of no use
/// afterwards.
fn inject_open(pid: &str, path: &str) -> Done {
    let pid: i32 = number(pid)?;
    let ptrace = |request, address: u64, data: u64| {
        // SAFETY: `data` is null, a number or a live structure of the request's kind.
        check(
            unsafe { libc::ptrace(request, pid, address, data) },
            "ptrace",
        )
    };
    let wait = || {
        let mut status = 0;
        // SAFETY: a live word.
        check(
            unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) }.into(),
            "waitpid",
        )
    };
    ptrace(libc::PTRACE_SEIZE, 0, 0)?;
    ptrace(libc::PTRACE_INTERRUPT, 0, 0)?;
    wait()?;
    let mut registers = Registers::of(pid).at("registers")?;
    // Far below what the stack holds, the red zone included.
    let at = (registers.stack() - 4096) & !7;
    let mut bytes = path.as_bytes().to_vec();
    bytes.resize((bytes.len() + 1).next_multiple_of(8), 0);
    for (place, word) in (at..).step_by(8).zip(bytes.chunks_exact(8)) {
        let word = word
            .try_into()
            .map(u64::from_ne_bytes)
            .map_err(|_| nonsense("word"))?;
        ptrace(libc::PTRACE_POKEDATA, place, word)?;
    }
    let arguments = [libc::AT_FDCWD as u64, at, libc::O_RDONLY as u64, 0];
    registers.redirect(pid, libc::SYS_openat, arguments);
    registers.write(pid).at("registers")?;
    ptrace(libc::PTRACE_SINGLESTEP, 0, 0)?;
    wait()?;
    let result = Registers::of(pid).at("registers")?.result();
    if result < 0 {
        return Err(Failed {
            at: "injected-open",
            errno: -result as i32,
        });
    }
    Ok(Value::Null)
}

/// Receives a descriptor over the unix socket at `path`. The kernel delivers a message
/// without the descriptor that may not be received: errno is EBADF then.
pub(super) fn received(path: &str) -> Result<OwnedFd, Failed> {
    let socket = UnixStream::connect(path).at("connect")?;
    passing::receive(&socket).at("recvmsg")?.ok_or(Failed {
        at: "receive",
        errno: libc::EBADF,
    })
}

/// Takes a copy of another process' descriptor.
fn steal(pid: &str, descriptor: &str) -> Done {
    let (pid, descriptor): (i32, i32) = (number(pid)?, number(descriptor)?);
    // SAFETY: no memory.
    unsafe {
        let process = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        check(process, "pidfd_open")?;
        let process = owned(process);
        let taken = libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), descriptor, 0);
        check(taken, "pidfd_getfd")?;
        drop(owned(taken));
    }
    Ok(Value::Null)
}
