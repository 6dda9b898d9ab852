//! The actor's calls on itself: other programs in its place, its ids, capabilities,
//! namespaces and confinement.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::process::{Gid, Uid};
use serde_json::{Value, json};

use super::{At as _, Done, Failed, done, nonsense, number};

pub(super) fn act(words: &[&str]) -> Option<Done> {
    Some(match *words {
        ["exec", path, ref arguments @ ..] => exec(path, arguments),
        ["output", path, ref arguments @ ..] => output(path, arguments),
        ["enter", path] => enter(Command::new(path).arg("act")),
        ["enter-memfd", name] => enter_memfd(name),
        ["become", path] => Err(Failed {
            at: "exec",
            errno: Command::new(path)
                .arg("act")
                .exec()
                .raw_os_error()
                .unwrap_or(libc::EIO),
        }),
        ["comm", name] => comm(name),
        ["uids", real, effective, saved] => set_uids(real, effective, saved),
        ["gids", real, effective, saved] => set_gids(real, effective, saved),
        ["drop-capability", number] => drop_capability(number),
        ["chroot", path] => chroot(path),
        ["chdir", path] => done(rustix::process::chdir(path).at("chdir")),
        ["unshare", what] => unshare(what),
        ["landlock", allowed] => landlock(allowed),
        _ => return None,
    })
}

fn comm(name: &str) -> Done {
    let name = CString::new(name).map_err(|_| nonsense("comm"))?;
    done(rustix::thread::set_name(&name).at("comm"))
}

fn chroot(path: &str) -> Done {
    rustix::process::chroot(path).at("chroot")?;
    done(rustix::process::chdir("/").at("chdir"))
}

/// Runs a program to its end; its exit code, or the signal that ended it.
pub(super) fn exec(path: &str, arguments: &[&str]) -> Done {
    let status = Command::new(path).args(arguments).status().at("exec")?;
    Ok(match status.signal() {
        Some(signal) => json!({ "signal": signal }),
        None => json!({ "code": status.code() }),
    })
}

/// Runs a program to its end; what it wrote.
fn output(path: &str, arguments: &[&str]) -> Done {
    let output = Command::new(path).args(arguments).output().at("exec")?;
    Ok(json!({
        "code": output.status.code(),
        "stdout": String::from_utf8_lossy(&output.stdout),
        "stderr": String::from_utf8_lossy(&output.stderr),
    }))
}

pub(super) fn enter(command: &mut Command) -> Done {
    let status = command.status().at("exec")?;
    Ok(match status.signal() {
        Some(signal) => json!({ "signal": signal }),
        None => Value::Null,
    })
}

/// Enters a copy of this program that exists in memory only.
fn enter_memfd(name: &str) -> Done {
    let memory = rustix::fs::memfd_create(name, MemfdFlags::empty()).at("memfd_create")?;
    let mut file = File::from(memory);
    let mut program = File::open("/proc/self/exe").at("open")?;
    std::io::copy(&mut program, &mut file).at("copy")?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    // Executing it needs it closed for writing: reopen it for reading.
    let readable = rustix::fs::open(path.as_str(), OFlags::RDONLY, Mode::empty()).at("open")?;
    drop(file);
    let path = format!("/proc/self/fd/{}", readable.as_raw_fd());
    enter(Command::new(path).arg("act"))
}

fn set_uids(real: &str, effective: &str, saved: &str) -> Done {
    let [real, effective, saved] =
        [number(real)?, number(effective)?, number(saved)?].map(Uid::from_raw);
    done(rustix::thread::set_thread_res_uid(real, effective, saved).at("setresuid"))
}

fn set_gids(real: &str, effective: &str, saved: &str) -> Done {
    let [real, effective, saved] =
        [number(real)?, number(effective)?, number(saved)?].map(Gid::from_raw);
    done(rustix::thread::set_thread_res_gid(real, effective, saved).at("setresgid"))
}

/// Takes a capability, by its number, out of the effective ones.
fn drop_capability(number: &str) -> Done {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let bit = 1_u64
        .checked_shl(self::number(number)?)
        .ok_or(nonsense("capability"))?;
    let mut sets = capabilities(None).at("capget")?;
    sets.effective.remove(CapabilitySet::from_bits_retain(bit));
    done(set_capabilities(None, sets).at("capset"))
}

/// `mount`: this process; `pid`: those that it starts from now on.
fn unshare(what: &str) -> Done {
    let flags = match what {
        "mount" => libc::CLONE_NEWNS,
        "pid" => libc::CLONE_NEWPID,
        _ => return Err(nonsense("unshare")),
    };
    // SAFETY: takes no pointers; this process has one thread.
    if unsafe { libc::unshare(flags) } != 0 {
        return Err(std::io::Error::last_os_error()).at("unshare");
    }
    Ok(Value::Null)
}

/// Confines this process with Landlock: files are read below `allowed` only.
fn landlock(allowed: &str) -> Done {
    const EXECUTE: u64 = 1;
    const READ_FILE: u64 = 1 << 2;
    const RULE_PATH_BENEATH: libc::c_long = 1;
    #[repr(C, packed)]
    struct PathBeneath {
        access: u64,
        parent: i32,
    }
    let handled: u64 = READ_FILE;
    // SAFETY: the kernel reads eight bytes at the address given.
    let ruleset = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const handled,
            size_of::<u64>(),
            0,
        )
    };
    if ruleset < 0 {
        return Err(std::io::Error::last_os_error()).at("landlock_create_ruleset");
    }
    let directory = rustix::fs::open(
        OsStr::from_bytes(allowed.as_bytes()),
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .at("open")?;
    let rule = PathBeneath {
        access: READ_FILE & !EXECUTE,
        parent: directory.as_raw_fd(),
    };
    // SAFETY: the kernel reads one `PathBeneath` at the address given.
    let added = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset,
            RULE_PATH_BENEATH,
            &raw const rule,
            0,
        )
    };
    if added < 0 {
        return Err(std::io::Error::last_os_error()).at("landlock_add_rule");
    }
    rustix::thread::set_no_new_privs(true).at("no_new_privs")?;
    // SAFETY: takes no pointers.
    if unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset, 0) } < 0 {
        return Err(std::io::Error::last_os_error()).at("landlock_restrict_self");
    }
    Ok(Value::Null)
}
