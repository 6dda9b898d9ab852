//! The actor's calls on BPF tokens: making one in a user namespace of its own, using
//! it, passing it on.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::ptr::null;

use serde_json::Value;

use super::files::owned;
use super::kernel::{SOCKET_FILTER, bpf, map_attribute, program_attribute};
use super::mounts::{FSCONFIG_CREATE, FSCONFIG_SET_STRING, MOVE_MOUNT_F_EMPTY_PATH};
use super::{Actor, At, Done, Failed, check, descriptors, nonsense, open, text};
use crate::passing;

const TOKEN_CREATE: i64 = 36;
/// In the flags of a map or program: a token stands in for privileges.
const BY_TOKEN: u32 = 1 << 16;

impl Actor {
    /// Requests about tokens. The last descriptor that is held is the token.
    pub(super) fn token(&mut self, words: &[&str]) -> Done {
        match *words {
            // Makes one from a new bpffs at `path`, and then what the other words say.
            ["at", path, ref then @ ..] => {
                self.held.push(made(path)?);
                if then.is_empty() {
                    return Ok(Value::Null);
                }
                self.token(then)
            }
            ["map"] => map(self.last_held()?),
            ["program"] => program(self.last_held()?),
            ["offer", socket] => offer(self.last_held()?, socket),
            ["receive", socket] => {
                self.held.push(descriptors::received(socket)?);
                Ok(Value::Null)
            }
            _ => Err(nonsense("token")),
        }
    }

    fn last_held(&self) -> Result<&OwnedFd, Failed> {
        self.held.last().ok_or(nonsense("token"))
    }
}

/// A token that delegates everything. This process gets namespaces of its own; a child
/// that stays outside, where it is privileged, says what the file system delegates.
fn made(path: &str) -> Result<OwnedFd, Failed> {
    let (inside, outside) = UnixStream::pair().at("socketpair")?;
    // SAFETY: this process has one thread.
    let delegate = unsafe { libc::fork() };
    check(i64::from(delegate), "fork")?;
    if delegate == 0 {
        drop(inside);
        let errno = delegated(&outside).err().map_or(0, |failed| failed.errno);
        // SAFETY: ends the child without what the parent would do at its end.
        unsafe { libc::_exit(errno) }
    }
    drop(outside);
    let token = made_inside(path, inside);
    let mut status = 0;
    // SAFETY: a live word.
    unsafe { libc::waitpid(delegate, &raw mut status, 0) };
    match libc::WEXITSTATUS(status) {
        0 => token,
        errno => Err(Failed {
            at: "delegate",
            errno,
        }),
    }
}

/// What the privileged process does to the file system that is being made.
fn delegated(inside: &UnixStream) -> Result<(), Failed> {
    let context = passing::receive(inside)
        .at("receive")?
        .ok_or(nonsense("receive"))?;
    let configure =
        |command: libc::c_uint, key: *const libc::c_char, value: *const libc::c_char| {
            // SAFETY: strings that end in NUL, or null.
            let done = unsafe {
                libc::syscall(
                    libc::SYS_fsconfig,
                    context.as_raw_fd(),
                    command,
                    key,
                    value,
                    0,
                )
            };
            check(done, "fsconfig")
        };
    for what in [
        c"delegate_cmds",
        c"delegate_maps",
        c"delegate_progs",
        c"delegate_attachs",
    ] {
        configure(FSCONFIG_SET_STRING, what.as_ptr(), c"any".as_ptr())?;
    }
    configure(FSCONFIG_CREATE, null(), null())?;
    let mut inside = inside;
    inside.write_all(b"x").at("write")
}

/// The part of the process that is to have the token.
fn made_inside(path: &str, mut outside: UnixStream) -> Result<OwnedFd, Failed> {
    // SAFETY: no pointers; this process has one thread.
    let unshared = unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) };
    check(i64::from(unshared), "unshare")?;
    std::fs::write("/proc/self/uid_map", "0 0 1").at("uid_map")?;
    // SAFETY: a string that ends in NUL.
    let context = unsafe { libc::syscall(libc::SYS_fsopen, c"bpf".as_ptr(), 0) };
    check(context, "fsopen")?;
    let context = owned(context);
    passing::send(&outside, &context).at("send")?;
    let mut answer = [0];
    outside.read_exact(&mut answer).at("delegate")?;
    mount(&context, path)?;
    let root = open(path, "rd")?;
    let mut attribute = [0; 40];
    attribute[1] = root.as_raw_fd() as u32;
    bpf(TOKEN_CREATE, &mut attribute)
}

/// Mounts the file system that has been made.
fn mount(context: &OwnedFd, path: &str) -> Done {
    let path = text(path)?;
    // SAFETY: strings that end in NUL.
    unsafe {
        let mount = libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), 0, 0);
        check(mount, "fsmount")?;
        let mount = owned(mount);
        let moved = libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            path.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        );
        check(moved, "move_mount")
    }
}

/// Makes a map by right of a token.
fn map(token: &OwnedFd) -> Done {
    const FLAGS: usize = 4;
    const TOKEN: usize = 19;
    let (command, mut attribute) = map_attribute("hash")?;
    attribute[FLAGS] = BY_TOKEN;
    attribute[TOKEN] = token.as_raw_fd() as u32;
    bpf(command, &mut attribute).map(|_| Value::Null)
}

/// Loads a program by right of a token.
fn program(token: &OwnedFd) -> Done {
    const FLAGS: usize = 11;
    const TOKEN: usize = 36;
    let (command, mut attribute) = program_attribute(SOCKET_FILTER);
    attribute[FLAGS] = BY_TOKEN;
    attribute[TOKEN] = token.as_raw_fd() as u32;
    bpf(command, &mut attribute).map(|_| Value::Null)
}

/// Has a child pass the token to whoever comes to the unix socket at `socket`.
fn offer(token: &OwnedFd, socket: &str) -> Done {
    let listener = UnixListener::bind(socket).at("bind")?;
    // SAFETY: this process has one thread.
    let child = unsafe { libc::fork() };
    check(i64::from(child), "fork")?;
    if child == 0 {
        let passed = listener
            .accept()
            .and_then(|(socket, _)| passing::send(&socket, token));
        // SAFETY: ends the child without what the parent would do at its end.
        unsafe { libc::_exit(i32::from(passed.is_err())) }
    }
    Ok(Value::Null)
}
