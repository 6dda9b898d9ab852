//! Hooks on other tasks, on ids and on privileges.

use serde_json::json;

use super::case::{ACTOR, Case, TARGET};

const CAP_SYS_ADMIN: &[&str] = &["hostname"];
const CAP_SYS_CHROOT: &[&str] = &["chroot-only", "/"];

pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    traced(&mut all);
    scheduled(&mut all);
    ids(&mut all);
    privileges(&mut all);
    all
}

/// The fields of TARGET, tested in the same way at each hook.
fn every_target_field(
    hook: &'static str,
    call: &'static str,
    request: &'static [&'static str],
    all: &mut Vec<Case>,
) {
    let new =
        |field: &str, hit: &str, miss: &str| Case::of_child(hook, field, hit, miss, call, request);
    all.push(
        new(
            "target.exe",
            &format!("target.exe == \"{TARGET}\""),
            "target.exe == \"/t/targe\"",
        )
        .shows("target.exe", TARGET),
    );
    all.push(
        new(
            "target.comm",
            "target.comm == \"targ*\"",
            "target.comm == \"arget\"",
        )
        .shows("target.comm", "target"),
    );
    all.push(new("target.uid", "target.uid == 0", "target.uid == 1").shows("target.uid", json!(0)));
    all.push(new("target.pid", "target.pid > 1", "target.pid == 1"));
}

fn traced(all: &mut Vec<Case>) {
    const SEIZE: &[&str] = &["seize", "{target}"];
    const PEEK: &[&str] = &["peek", "{target}"];
    every_target_field("ptrace_access_check", "ptrace", SEIZE, all);
    all.push(
        Case::of_child(
            "ptrace_access_check",
            "ptrace.mode-attach",
            "ptrace.mode has PTRACE_MODE_ATTACH",
            "ptrace.mode has PTRACE_MODE_READ",
            "ptrace",
            SEIZE,
        )
        .shows("ptrace.mode", json!(["PTRACE_MODE_ATTACH"])),
    );
    all.push(
        Case::of_child(
            "ptrace_access_check",
            "ptrace.mode-read",
            "ptrace.mode has PTRACE_MODE_READ",
            "ptrace.mode has PTRACE_MODE_ATTACH",
            "readlink",
            PEEK,
        )
        .with_errno(libc::EACCES),
    );
    // The tracer is the actor, which has forked the child.
    let traceme = |field: &str, hit: &str, miss: &str| {
        Case::of_child("ptrace_traceme", field, hit, miss, "ptrace", &["traceme"])
    };
    all.push(
        traceme(
            "target.exe",
            &format!("target.exe == \"{ACTOR}\""),
            &format!("target.exe == \"{TARGET}\""),
        )
        .shows("target.exe", ACTOR),
    );
    all.push(
        traceme(
            "target.comm",
            "target.comm == \"actor\"",
            "target.comm == \"target\"",
        )
        .shows("target.comm", "actor"),
    );
    all.push(traceme("target.uid", "target.uid == 0", "target.uid != 0"));
    all.push(traceme("target.pid", "target.pid > 1", "target.pid < 2"));
}

fn scheduled(all: &mut Vec<Case>) {
    const NICE: &[&str] = &["nice", "{target}", "0"];
    const SCHEDULER: &[&str] = &["scheduler", "{target}"];
    const RLIMIT: &[&str] = &["rlimit", "{target}", "7"];
    every_target_field("task_setnice", "setpriority", NICE, all);
    every_target_field("task_setscheduler", "sched_setscheduler", SCHEDULER, all);
    every_target_field("task_setrlimit", "prlimit", RLIMIT, all);
    all.push(
        Case::of_child(
            "task_setrlimit",
            "rlimit",
            "rlimit == RLIMIT_NOFILE",
            "rlimit in [RLIMIT_CPU, RLIMIT_AS]",
            "prlimit",
            RLIMIT,
        )
        .shows("rlimit", "RLIMIT_NOFILE"),
    );
}

fn ids(all: &mut Vec<Case>) {
    for (hook, call, request, [real, effective]) in [
        (
            "task_fix_setuid",
            "setresuid",
            &["setuid", "1234"] as &[_],
            ["new.uid", "new.euid"],
        ),
        (
            "task_fix_setgid",
            "setresgid",
            &["setgid", "1234"],
            ["new.gid", "new.egid"],
        ),
    ] {
        for field in [real, effective] {
            all.push(
                Case::of_child(
                    hook,
                    field,
                    &format!("{field} == 1234"),
                    &format!("{field} in [0, 1235]"),
                    call,
                    request,
                )
                .shows(field, 1234),
            );
        }
    }
}

fn privileges(all: &mut Vec<Case>) {
    all.push(
        Case::of_child(
            "capable",
            "cap",
            "cap == CAP_SYS_CHROOT",
            "cap == CAP_SYS_ADMIN",
            "chroot",
            CAP_SYS_CHROOT,
        )
        .shows("cap", "CAP_SYS_CHROOT"),
    );
    all.push(
        Case::of_child(
            "capable",
            "cap-admin",
            "cap in [CAP_SYS_ADMIN, CAP_SYS_BOOT]",
            "cap == CAP_SYS_CHROOT",
            "sethostname",
            CAP_SYS_ADMIN,
        )
        .shows("cap", "CAP_SYS_ADMIN"),
    );
    all.push(Case::of_child(
        "userns_create",
        "subject",
        "uid == 0",
        "uid == 1",
        "unshare",
        &["userns"],
    ));
}
