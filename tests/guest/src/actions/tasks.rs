//! The actor's calls on other tasks and on itself as a task.

use serde_json::Value;

use super::{At as _, Done, check, number};

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
        _ => return None,
    })
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
