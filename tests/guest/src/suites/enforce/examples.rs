//! Policies of the repository's `examples`, as they are shipped: what each is for,
//! by real calls, and the ways round it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::Ground;
use super::case::{ACTOR, plain_file};
use crate::actor::{Actor, Outcome, install};
use crate::cli::Event;
use crate::console::Report;

type Test = fn(&mut Ground) -> Result<()>;

const TESTS: &[(&str, Test)] = &[
    ("running_program_is_not_deleted", not_deleted),
    ("running_from_exec_to_exit", from_exec_to_exit),
    ("running_after_fork", after_fork),
    ("running_until_killed", until_killed),
    ("running_program_is_not_replaced", not_replaced),
    ("process_memory_is_not_written", memory_not_written),
    ("process_memory_through_other_mounts", memory_elsewhere),
    ("process_memory_of_a_debugger", memory_of_a_debugger),
    ("stack_and_heap_stay_data", stack_and_heap),
    ("files_are_traced", files_are_traced),
];

pub(super) fn run(report: &mut Report, ground: &mut Ground) {
    for (name, test) in TESTS {
        report.test(&format!("enforce::examples::{name}"), || test(ground));
    }
}

/// The record of a rule, with this verdict, of the acting program at `exe`.
pub(super) fn record(ground: &mut Ground, id: &str, verdict: &str, exe: &str) -> Result<Event> {
    let event = ground.events()?.of_rule(id)?;
    ensure!(event.text("verdict") == verdict, "verdict: {}", event.0);
    ensure!(event.text("exe") == exe, "exe: {}", event.0);
    Ok(event)
}

/// A program at a path where no test before has had one.
fn fresh_program(path: &str) -> Result<()> {
    let _ = fs::remove_file(path);
    install(path)
}

/// Asks until it succeeds: a task's end is not in the moment in which its parent
/// hears of it.
fn soon(actor: &mut Actor, request: &[&str]) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let outcome = actor.ask(request)?;
        if matches!(outcome, Outcome::Done(_)) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "{request:?}: {outcome}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn not_deleted(ground: &mut Ground) -> Result<()> {
    const PROGRAM: &str = "/t/runs";
    fresh_program(PROGRAM)?;
    let _ = fs::remove_file("/t/runs-too");
    fs::hard_link(PROGRAM, "/t/runs-too")?;
    ground.apply_example("running-programs")?;
    let running = Actor::start(PROGRAM)?;
    let mut actor = Actor::start(ACTOR)?;
    for name in [PROGRAM, "/t/runs-too"] {
        actor.ask(&["unlink", name])?.refused("unlink")?;
        let event = record(ground, "running-deleted", "deny", ACTOR)?;
        ensure!(event.text("path") == name, "path: {}", event.0);
        ensure!(event.get("file.running") == &json!(true), "{}", event.0);
    }
    // Those who may, and a file that nobody runs.
    let mut manager = Actor::start("/usr/bin/dpkg")?;
    manager.must(&["unlink", "/t/runs-too"])?;
    plain_file("/t/runs-not")?;
    actor.must(&["unlink", "/t/runs-not"])?;
    drop(running);
    soon(&mut actor, &["unlink", PROGRAM])
}

fn from_exec_to_exit(ground: &mut Ground) -> Result<()> {
    const FIRST: &str = "/t/runs-first";
    const SECOND: &str = "/t/runs-second";
    fresh_program(FIRST)?;
    fresh_program(SECOND)?;
    ground.apply_example("running-programs")?;
    let mut actor = Actor::start(ACTOR)?;
    let mut running = Actor::start(FIRST)?;
    actor.ask(&["unlink", FIRST])?.refused("unlink")?;
    // At once, with nothing in between: the exec has returned.
    running.become_program(SECOND)?;
    actor.must(&["unlink", FIRST])?;
    actor.ask(&["unlink", SECOND])?.refused("unlink")?;
    drop(running);
    soon(&mut actor, &["unlink", SECOND])
}

fn after_fork(ground: &mut Ground) -> Result<()> {
    const PROGRAM: &str = "/t/runs-forked";
    const STOP: &str = "/t/runs-stop";
    fresh_program(PROGRAM)?;
    let _ = fs::remove_file(STOP);
    ground.apply_example("running-programs")?;
    let mut actor = Actor::start(ACTOR)?;
    let mut parent = Actor::start(PROGRAM)?;
    let child = parent.must(&["fork-until", STOP])?;
    // The parent runs another program; then it is gone, and the child is the last.
    parent.become_program("/t/runs-other")?;
    actor.ask(&["unlink", PROGRAM])?.refused("unlink")?;
    drop(parent);
    ensure!(
        Path::new(&format!("/proc/{child}")).exists(),
        "the child has ended"
    );
    actor.ask(&["unlink", PROGRAM])?.refused("unlink")?;
    fs::write(STOP, "")?;
    soon(&mut actor, &["unlink", PROGRAM])
}

fn until_killed(ground: &mut Ground) -> Result<()> {
    const PROGRAM: &str = "/t/runs-killed";
    fresh_program(PROGRAM)?;
    ground.apply_example("running-programs")?;
    let mut actor = Actor::start(ACTOR)?;
    let first = Actor::start(PROGRAM)?;
    let second = Actor::start(PROGRAM)?;
    for running in [first, second] {
        actor.ask(&["unlink", PROGRAM])?.refused("unlink")?;
        let signal = libc::SIGKILL.to_string();
        actor.must(&["kill", &running.pid().to_string(), &signal])?;
        // Waits for its end.
        drop(running);
    }
    soon(&mut actor, &["unlink", PROGRAM])
}

fn not_replaced(ground: &mut Ground) -> Result<()> {
    const PROGRAM: &str = "/t/runs-here";
    fresh_program(PROGRAM)?;
    plain_file("/t/runs-new")?;
    plain_file("/t/runs-old")?;
    ground.apply_example("running-programs")?;
    let _running = Actor::start(PROGRAM)?;
    let mut actor = Actor::start(ACTOR)?;
    for [file, new_file] in [[false, true], [true, false]] {
        let request = if file {
            ["rename", PROGRAM, "/t/runs-old"]
        } else {
            ["rename", "/t/runs-new", PROGRAM]
        };
        actor.ask(&request)?.refused("rename")?;
        let event = record(ground, "running-replaced", "deny", ACTOR)?;
        ensure!(event.get("file.running") == &json!(file), "{}", event.0);
        ensure!(
            event.get("new_file.running") == &json!(new_file),
            "{}",
            event.0
        );
    }
    for [one, other] in [["/t/runs-new", PROGRAM], [PROGRAM, "/t/runs-new"]] {
        actor.ask(&["exchange", one, other])?.refused("rename")?;
    }
    // A name that is free, and one of a file that nobody runs.
    actor
        .ask(&["rename", PROGRAM, "/t/runs-free"])?
        .refused("rename")?;
    actor.must(&["rename", "/t/runs-new", "/t/runs-old"])?;
    actor.must(&["rename", "/t/runs-old", "/t/runs-new"])?;
    // An update, as package managers do it.
    let mut manager = Actor::start("/usr/bin/dpkg")?;
    manager.must(&["rename", "/t/runs-new", PROGRAM]).map(drop)
}

fn memory_not_written(ground: &mut Ground) -> Result<()> {
    ground.apply_example("process-memory")?;
    let mut actor = Actor::start(ACTOR)?;
    let (own, target) = (actor.pid(), ground.target.pid());
    for [named, found] in [
        ["/proc/self/mem".to_owned(), format!("/proc/{own}/mem")],
        [
            "/proc/thread-self/mem".to_owned(),
            format!("/proc/{own}/task/{own}/mem"),
        ],
        [format!("/proc/{target}/mem"), format!("/proc/{target}/mem")],
        [
            format!("/proc/{target}/task/{target}/mem"),
            format!("/proc/{target}/task/{target}/mem"),
        ],
        // What a rule about names would not see.
        [
            format!("/proc/{own}/root/proc/{target}/mem"),
            format!("/proc/{target}/mem"),
        ],
    ] {
        for flags in ["w", "rw"] {
            actor.ask(&["open", &named, flags])?.refused("open")?;
            let event = record(ground, "memory-write", "deny", ACTOR)?;
            ensure!(event.text("path") == found, "{named}: {}", event.0);
            ensure!(event.text("fs") == "proc", "{}", event.0);
        }
        actor.must(&["open", &named, "r"])?;
    }
    actor
        .must(&["write", "/proc/self/oom_score_adj", "7"])
        .map(drop)
}

fn memory_elsewhere(ground: &mut Ground) -> Result<()> {
    ground.apply_example("process-memory")?;
    let mut actor = Actor::start(ACTOR)?;
    let target = ground.target.pid();
    for directory in ["/t/proc-bound", "/t/proc-new", "/t/proc-one"] {
        fs::create_dir_all(directory)?;
    }
    plain_file("/t/memory-bound")?;
    actor.must(&["private"])?;
    let one = format!("/proc/{target}");
    let memory = format!("{one}/mem");
    actor.must(&["mount", "/proc", "/t/proc-bound", "-", "bind"])?;
    actor.must(&["mount", "proc", "/t/proc-new", "proc", "-"])?;
    actor.must(&["mount", &one, "/t/proc-one", "-", "bind"])?;
    actor.must(&["mount", &memory, "/t/memory-bound", "-", "bind"])?;
    for path in [
        format!("/t/proc-bound/{target}/mem"),
        format!("/t/proc-new/{target}/mem"),
        "/t/proc-one/mem".to_owned(),
        "/t/proc-bound/self/mem".to_owned(),
    ] {
        actor.ask(&["open", &path, "w"])?.refused("open")?;
        record(ground, "memory-write", "deny", ACTOR)?;
        actor.must(&["open", &path, "r"])?;
    }
    actor
        .ask(&["open", "/t/memory-bound", "w"])?
        .refused("open")?;
    let event = record(ground, "memory-write-renamed", "deny", ACTOR)?;
    ensure!(event.text("path") == "/t/memory-bound", "{}", event.0);
    Ok(())
}

fn memory_of_a_debugger(ground: &mut Ground) -> Result<()> {
    const DEBUGGER: &str = "/usr/bin/gdb";
    ground.apply_example("process-memory")?;
    let path = format!("/proc/{}/mem", ground.target.pid());
    Actor::start(DEBUGGER)?.must(&["open", &path, "rw"])?;
    let event = record(ground, "memory-write-debugger", "allow", DEBUGGER)?;
    ensure!(event.text("path") == path, "path: {}", event.0);
    Ok(())
}

fn stack_and_heap(ground: &mut Ground) -> Result<()> {
    ground.apply_example("stack-heap-code")?;
    let mut actor = Actor::start(ACTOR)?;
    for (kind, id, name) in [
        ("stack", "stack-code", "STACK"),
        ("heap", "heap-code", "HEAP"),
    ] {
        actor
            .ask(&["mprotect-of", kind])?
            .refused_with("mprotect", libc::EPERM)?;
        let event = record(ground, id, "deny", ACTOR)?;
        ensure!(event.text("vma.kind") == name, "{}", event.0);
        ensure!(
            event.get("prot") == &json!(["PROT_READ", "PROT_WRITE", "PROT_EXEC"]),
            "{}",
            event.0
        );
        // It is the program that counts.
        Actor::start("/usr/bin/sbcl")?.must(&["mprotect-of", kind])?;
    }
    actor.must(&["mprotect-of", "anon"]).map(drop)
}

fn files_are_traced(ground: &mut Ground) -> Result<()> {
    const SECRET: &str = "/etc/traced";
    plain_file(SECRET)?;
    fs::create_dir_all("/usr/lib")?;
    plain_file("/usr/lib/traced.so")?;
    plain_file("/t/traced.so")?;
    let _ = fs::remove_file("/t/traced-link");
    std::os::unix::fs::symlink(SECRET, "/t/traced-link")?;
    let mut actor = Actor::start(ACTOR)?;
    ground.apply_example("file-trace")?;
    actor.must(&["chdir", "/etc"])?;
    for name in [SECRET, "/t/traced-link", "traced"] {
        actor.must(&["open", name, "r"])?;
        let event = record(ground, "opened", "allow", ACTOR)?;
        ensure!(event.text("hook") == "file_open", "{}", event.0);
        ensure!(event.text("path") == SECRET, "{name}: {}", event.0);
        ensure!(event.get("access") == &json!(["read"]), "{}", event.0);
        ensure!(event.get("file.mode") == &json!(0o666), "{}", event.0);
        ensure!(
            event.get("pid") == &json!(actor.pid()),
            "the actor is {}: {}",
            actor.pid(),
            event.0
        );
    }
    for path in ["/usr/lib/traced.so", "/t/traced.so"] {
        actor.must(&["mmap", path, "rx", "private"])?;
    }
    let event = record(ground, "mapped", "allow", ACTOR)?;
    ensure!(event.text("hook") == "mmap_file", "{}", event.0);
    ensure!(event.text("path") == "/t/traced.so", "{}", event.0);
    ensure!(
        event.get("prot") == &json!(["PROT_READ", "PROT_EXEC"]),
        "{}",
        event.0
    );
    Ok(())
}
