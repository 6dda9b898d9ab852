//! The actor's other ways to run a program's code: by descriptor, from memory, from a
//! thread, and as the dynamic linker does it.

use std::ffi::CString;
use std::fs::File;
use std::io::{Error, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr::null;

use super::{At, Done, Failed, open, text};

pub(super) fn act(words: &[&str]) -> Option<Done> {
    Some(match *words {
        ["exec-descriptor", path] => exec_descriptor(path),
        ["exec-memory", path] => exec_memory(path),
        ["exec-copy", path, to] => exec_copy(path, to),
        ["exec-by-thread", path] => exec_by_thread(path),
        ["load", path] => load(path, Loaded::Mapped),
        ["load-copy", path] => load(path, Loaded::Copied),
        _ => return None,
    })
}

/// Runs code in a child that becomes a program; says how the child ended.
fn child(mut become_it: impl FnMut() -> Error + Send + Sync + 'static) -> Done {
    let mut command = Command::new("/");
    // SAFETY: this process has one thread, so that its child may do anything.
    unsafe { command.pre_exec(move || Err(become_it())) };
    super::itself::enter(&mut command)
}

/// execveat(2) of a descriptor.
fn become_descriptor(file: RawFd) -> Error {
    let arguments = [c"program".as_ptr(), null()];
    // SAFETY: strings that end in NUL, lists that end in null.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file,
            c"".as_ptr(),
            arguments.as_ptr(),
            [null::<u8>()].as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    Error::last_os_error()
}

fn exec_descriptor(path: &str) -> Done {
    let file = open(path, "p")?;
    child(move || become_descriptor(file.as_raw_fd()))
}

/// Copies a program into memory and executes that.
fn exec_memory(path: &str) -> Done {
    let mut program = File::from(open(path, "r")?);
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let mut memory = File::from(rustix::fs::memfd_create("copy", flags).at("memfd_create")?);
    std::io::copy(&mut program, &mut memory).at("copy")?;
    // A program must not be open for writing.
    let again = open(&format!("/proc/self/fd/{}", memory.as_raw_fd()), "r")?;
    drop(memory);
    child(move || become_descriptor(again.as_raw_fd()))
}

/// Copies a program to another name and executes that.
fn exec_copy(path: &str, to: &str) -> Done {
    drop(open(path, "r")?);
    std::fs::copy(path, to).at("copy")?;
    super::itself::exec(to, &[])
}

/// Has a thread that is not the first execute a program.
fn exec_by_thread(path: &str) -> Done {
    let path = text(path)?;
    child(move || {
        let path = path.clone();
        let thread = std::thread::spawn(move || become_program(&path));
        thread.join().unwrap_or_else(|_| Error::other("panicked"))
    })
}

fn become_program(path: &CString) -> Error {
    let arguments = [path.as_ptr(), null()];
    // SAFETY: strings that end in NUL, lists that end in null.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), [null()].as_ptr()) };
    Error::last_os_error()
}

/// How a loader brings a program's code into memory.
#[derive(Clone, Copy)]
enum Loaded {
    Mapped,
    Copied,
}

/// Runs the shortest program there is as a dynamic linker would: opens it, brings it
/// into memory and jumps into it, all without exec.
fn load(path: &str, how: Loaded) -> Done {
    // Its code runs at any address.
    const ENTRY: usize = 0x78;
    const LENGTH: usize = 4096;
    let mut file = File::from(open(path, "r")?);
    child(move || {
        let (flags, descriptor) = match how {
            Loaded::Mapped => (0, file.as_raw_fd()),
            Loaded::Copied => (libc::MAP_ANONYMOUS, -1),
        };
        let executable = libc::PROT_READ | libc::PROT_EXEC;
        let first = match how {
            Loaded::Mapped => executable,
            Loaded::Copied => libc::PROT_READ | libc::PROT_WRITE,
        };
        // SAFETY: a new mapping where nothing is; the program's code, which ends the
        // process, is at its entry.
        unsafe {
            let at = libc::mmap(
                std::ptr::null_mut(),
                LENGTH,
                first,
                libc::MAP_PRIVATE | flags,
                descriptor,
                0,
            );
            if at == libc::MAP_FAILED {
                return Error::last_os_error();
            }
            if let Loaded::Copied = how {
                let memory = std::slice::from_raw_parts_mut(at.cast::<u8>(), LENGTH);
                if let Err(error) = file.read(memory) {
                    return error;
                }
                if libc::mprotect(at, LENGTH, executable) != 0 {
                    return Error::last_os_error();
                }
            }
            std::mem::transmute::<usize, extern "C" fn() -> !>(at as usize + ENTRY)()
        }
    })
    .map_err(|failed| Failed {
        at: "load",
        ..failed
    })
}
