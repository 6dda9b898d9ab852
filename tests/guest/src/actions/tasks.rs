//! The actor's calls on other tasks and on itself as a task.

use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::Value;

use super::{At as _, Done, check, nonsense, number};

pub(super) fn act(words: &[&str]) -> Option<Done> {
    Some(match *words {
        ["seize", pid] => seize(pid),
        ["peek", pid] => peek(pid),
        ["traceme"] => traceme(),
        ["nice", pid, value] => nice(pid, value),
        ["scheduler", pid] => scheduler(pid),
        ["rlimit", pid, which] => rlimit(pid, which),
        ["setuid", uid] => setuid(uid),
        ["setgid", gid] => setgid(gid),
        ["fork-until", stop] => fork_until(stop),
        ["run", path, environment, ref arguments @ ..] => run(path, environment, arguments),
        _ => return None,
    })
}

/// Forks a child that does nothing until a file exists; its process id.
fn fork_until(stop: &str) -> Done {
    // SAFETY: this process has one thread.
    match unsafe { libc::fork() } {
        -1 => check(-1, "fork"),
        0 => {
            while !std::path::Path::new(stop).exists() {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            // SAFETY: ends the child without what the parent would do at its end.
            unsafe { libc::_exit(0) }
        }
        child => Ok(child.into()),
    }
}

/// Runs a program to its end with these arguments, of which the first is its name,
/// and nothing but this environment, a string on each line.
fn run(path: &str, environment: &str, arguments: &[&str]) -> Done {
    let (name, arguments) = arguments.split_first().ok_or(nonsense("name"))?;
    let status = Command::new(path)
        .arg0(name)
        .args(arguments)
        .env_clear()
        .envs(environment.lines().filter_map(|line| line.split_once('=')))
        .status()
        .at("exec")?;
    Ok(status.code().into())
}

/// Begins to trace a task. The caller is a child that ends, which ends it.
fn seize(pid: &str) -> Done {
    let pid: i32 = number(pid)?;
    // SAFETY: no memory.
    let result = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) };
    check(result, "ptrace")
}

/// Looks at another task's memory map.
fn peek(pid: &str) -> Done {
    let pid: i32 = number(pid)?;
    std::fs::read_link(format!("/proc/{pid}/exe"))
        .at("readlink")
        .map(|_| Value::Null)
}

fn traceme() -> Done {
    // SAFETY: no memory.
    let result = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
    check(result, "ptrace")
}

fn nice(pid: &str, value: &str) -> Done {
    let (pid, value): (u32, i32) = (number(pid)?, number(value)?);
    // SAFETY: no memory.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, pid, value) };
    check(i64::from(result), "setpriority")
}

fn scheduler(pid: &str) -> Done {
    let pid: i32 = number(pid)?;
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: a live structure.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            pid,
            libc::SCHED_OTHER,
            &raw const parameters,
        )
    };
    check(result, "sched_setscheduler")
}

/// Sets a limit of a task to what it is.
fn rlimit(pid: &str, which: &str) -> Done {
    let (pid, which): (i32, u32) = (number(pid)?, number(which)?);
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: live structures.
    unsafe {
        let old = libc::prlimit(pid, which, std::ptr::null(), &raw mut limit);
        check(i64::from(old), "prlimit-get")?;
        let new = libc::prlimit(pid, which, &raw const limit, std::ptr::null_mut());
        check(i64::from(new), "prlimit")
    }
}

fn setuid(uid: &str) -> Done {
    let uid: u32 = number(uid)?;
    // SAFETY: no memory.
    let result = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, u32::MAX) };
    check(result, "setresuid")
}

fn setgid(gid: &str) -> Done {
    let gid: u32 = number(gid)?;
    // SAFETY: no memory.
    let result = unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, u32::MAX) };
    check(result, "setresgid")
}
