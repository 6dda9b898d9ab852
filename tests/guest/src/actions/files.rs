//! The actor's calls on files: names, attributes, locks, mappings.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};

use serde_json::Value;

use super::{Done, check, nonsense, number, open, text};

pub(super) fn act(words: &[&str]) -> Option<Done> {
    Some(match *words {
        ["mkdir", path, mode] => mode_call(path, mode, "mkdir", |path, mode| {
            // SAFETY: `path` ends in NUL.
            i64::from(unsafe { libc::mkdir(path.as_ptr(), mode) })
        }),
        ["chmod", path, mode] => mode_call(path, mode, "chmod", |path, mode| {
            // SAFETY: as above.
            i64::from(unsafe { libc::chmod(path.as_ptr(), mode) })
        }),
        ["mknod", path, mode] => mode_call(path, mode, "mknod", |path, mode| {
            // SAFETY: as above.
            i64::from(unsafe { libc::mknod(path.as_ptr(), mode, 0) })
        }),
        ["chown", path, uid, gid] => chown(path, uid, gid),
        ["rmdir", path] => path_call(path, "rmdir", |path| {
            // SAFETY: the path ends in NUL.
            unsafe { libc::rmdir(path) }
        }),
        ["truncate", path] => path_call(path, "truncate", |path| {
            // SAFETY: the path ends in NUL.
            unsafe { libc::truncate(path, 3) }
        }),
        ["chroot-only", path] => path_call(path, "chroot", |path| {
            // SAFETY: the path ends in NUL.
            unsafe { libc::chroot(path) }
        }),
        ["symlink", target, path] => two_paths(target, path, "symlink", |target, path| {
            // SAFETY: both end in NUL.
            unsafe { libc::symlink(target, path) }
        }),
        ["link", from, to] => two_paths(from, to, "link", |from, to| {
            // SAFETY: both end in NUL.
            unsafe { libc::link(from, to) }
        }),
        ["ftruncate", path] => on_open(path, "rw", "ftruncate", |file| {
            // SAFETY: an open descriptor.
            i64::from(unsafe { libc::ftruncate(file, 3) })
        }),
        ["flock", path] => on_open(path, "r", "flock", |file| {
            // SAFETY: an open descriptor.
            i64::from(unsafe { libc::flock(file, libc::LOCK_SH) })
        }),
        ["setlk", path] => setlk(path),
        ["ioctl", path, request] => ioctl(path, request),
        ["receive", path] => receive(path),
        ["queue", name] => queue(name),
        ["mprotect", path] => mprotect_file(path),
        ["mprotect-of", kind] => mprotect(kind),
        ["setxattr", path, name] => setxattr(path, name),
        ["removexattr", path, name] => two_paths(path, name, "removexattr", |path, name| {
            // SAFETY: both end in NUL.
            unsafe { libc::removexattr(path, name) }
        }),
        _ => return None,
    })
}

fn path_call(
    path: &str,
    at: &'static str,
    call: impl Fn(*const libc::c_char) -> libc::c_int,
) -> Done {
    let path = text(path)?;
    check(i64::from(call(path.as_ptr())), at)
}

fn two_paths(
    one: &str,
    other: &str,
    at: &'static str,
    call: impl Fn(*const libc::c_char, *const libc::c_char) -> libc::c_int,
) -> Done {
    let (one, other) = (text(one)?, text(other)?);
    check(i64::from(call(one.as_ptr(), other.as_ptr())), at)
}

/// A call with a mode, in octal digits.
fn mode_call(
    path: &str,
    mode: &str,
    at: &'static str,
    call: impl Fn(CString, libc::mode_t) -> i64,
) -> Done {
    let mode = u32::from_str_radix(mode, 8).map_err(|_| nonsense("mode"))?;
    // SAFETY: has no errors.
    unsafe { libc::umask(0) };
    check(call(text(path)?, mode), at)
}

fn on_open(path: &str, flags: &str, at: &'static str, call: impl Fn(i32) -> i64) -> Done {
    let file = open(path, flags)?;
    check(call(file.as_raw_fd()), at)
}

/// `-` leaves an id as it is.
fn chown(path: &str, uid: &str, gid: &str) -> Done {
    let id = |word: &str| {
        if word == "-" {
            Ok(u32::MAX)
        } else {
            number(word)
        }
    };
    let (path, uid, gid) = (text(path)?, id(uid)?, id(gid)?);
    // SAFETY: `path` ends in NUL.
    check(
        i64::from(unsafe { libc::chown(path.as_ptr(), uid, gid) }),
        "chown",
    )
}

/// A lock of fcntl(2).
fn setlk(path: &str) -> Done {
    on_open(path, "r", "fcntl", |file| {
        let lock = libc::flock {
            l_type: libc::F_RDLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 1,
            l_pid: 0,
        };
        // SAFETY: an open descriptor and a live structure.
        i64::from(unsafe { libc::fcntl(file, libc::F_SETLK, &raw const lock) })
    })
}

fn ioctl(path: &str, request: &str) -> Done {
    let request: u64 = number(request)?;
    on_open(path, "r", "ioctl", |file| {
        let mut answer = [0u64; 8];
        // SAFETY: the requests of tests write at most 64 bytes.
        i64::from(unsafe { libc::ioctl(file, request as _, answer.as_mut_ptr()) })
    })
}

/// A descriptor, received from this process itself by pidfd_getfd(2).
fn receive(path: &str) -> Done {
    let file = open(path, "r")?;
    // SAFETY: no memory.
    let process = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0) };
    check(process, "pidfd_open")?;
    let process = owned(process);
    // SAFETY: no memory.
    let received = unsafe {
        libc::syscall(
            libc::SYS_pidfd_getfd,
            process.as_raw_fd(),
            file.as_raw_fd(),
            0,
        )
    };
    check(received, "pidfd_getfd")?;
    drop(owned(received));
    Ok(Value::Null)
}

/// A descriptor that a call has just made.
pub(super) fn owned(descriptor: i64) -> OwnedFd {
    use std::os::fd::FromRawFd;
    // SAFETY: the caller's: it is nobody else's.
    unsafe { OwnedFd::from_raw_fd(descriptor as i32) }
}

const PAGE: usize = 4096;

/// Makes a readable mapping of a file executable.
fn mprotect_file(path: &str) -> Done {
    let file = open(path, "r")?;
    mapped(libc::MAP_PRIVATE, file.as_raw_fd(), |address| {
        // SAFETY: the mapping.
        unsafe { libc::mprotect(address, PAGE, libc::PROT_READ | libc::PROT_EXEC) }
    })
}

fn mapped(flags: i32, file: i32, call: impl Fn(*mut libc::c_void) -> libc::c_int) -> Done {
    // SAFETY: a new mapping at an address of the kernel's choice.
    let address =
        unsafe { libc::mmap(std::ptr::null_mut(), PAGE, libc::PROT_READ, flags, file, 0) };
    if address == libc::MAP_FAILED {
        return check(-1, "mmap");
    }
    let result = check(i64::from(call(address)), "mprotect");
    // SAFETY: the mapping, which nothing refers to.
    unsafe { libc::munmap(address, PAGE) };
    result
}

/// Makes a page of stack, heap or other memory executable, and takes that back.
fn mprotect(kind: &str) -> Done {
    let change = |address: *mut libc::c_void| {
        let rest = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a page of this process, which keeps all that it had.
        let result = unsafe { libc::mprotect(address, PAGE, rest | libc::PROT_EXEC) };
        if result == 0 {
            // SAFETY: as above.
            unsafe { libc::mprotect(address, PAGE, rest) };
        }
        result
    };
    match kind {
        "anon" => mapped(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, change),
        "stack" => {
            let local = 0u8;
            let page = (&raw const local) as usize & !(PAGE - 1);
            check(i64::from(change(page as *mut libc::c_void)), "mprotect")
        }
        "heap" => {
            // SAFETY: only grows the heap.
            let end = unsafe { libc::sbrk(2 * PAGE as libc::intptr_t) } as usize;
            let page = (end + PAGE) & !(PAGE - 1);
            check(i64::from(change(page as *mut libc::c_void)), "mprotect")
        }
        _ => Err(nonsense("kind")),
    }
}

/// Makes a message queue, and takes its name away.
fn queue(name: &str) -> Done {
    let name = text(name)?;
    let flags = libc::O_CREAT | libc::O_RDWR;
    // SAFETY: a string that ends in NUL; no attributes.
    unsafe {
        let queue = libc::syscall(
            libc::SYS_mq_open,
            name.as_ptr(),
            flags,
            0o600,
            std::ptr::null::<libc::mq_attr>(),
        );
        check(queue, "mq_open")?;
        drop(owned(queue));
        check(
            libc::syscall(libc::SYS_mq_unlink, name.as_ptr()),
            "mq_unlink",
        )
    }
}

fn setxattr(path: &str, name: &str) -> Done {
    let (path, name) = (text(path)?, text(name)?);
    // SAFETY: both end in NUL; one byte of value.
    let result =
        unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), c"x".as_ptr().cast(), 1, 0) };
    check(i64::from(result), "setxattr")
}
