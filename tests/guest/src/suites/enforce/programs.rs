//! Which program a task is taken to run: tasks older than the policy, programs
//! deleted or renamed while they run, scripts, programs in memory.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Result, ensure};

use super::Ground;
use super::case::{ACTOR, plain_file, program_file};
use crate::actor::{Actor, install};
use crate::console::Report;

type Test = fn(&mut Ground) -> Result<()>;

const TESTS: &[(&str, Test)] = &[
    ("task_older_than_the_policy", task_older_than_the_policy),
    ("older_task_whose_program_was_deleted", older_and_deleted),
    ("deleted_while_running", deleted_while_running),
    ("renamed_while_running", renamed_while_running),
    ("another_program_at_the_same_path", another_at_the_same_path),
    ("exec_changes_the_program", exec_changes_the_program),
    ("failed_exec_changes_nothing", failed_exec_changes_nothing),
    ("swap_classifies_running_tasks_anew", swap_classifies_anew),
    ("a_script_runs_its_interpreter", script),
    ("a_scripts_interpreter_is_checked_too", script_interpreter),
    ("program_in_memory", program_in_memory),
    ("long_program_path", long_program_path),
    ("symbolic_link_to_a_program", symbolic_link),
];

pub(super) fn run(report: &mut Report, ground: &mut Ground) {
    for (name, test) in TESTS {
        report.test(&format!("enforce::programs::{name}"), || test(ground));
    }
}

/// A policy that denies one program one file.
fn deny_to(exe: &str) -> String {
    format!("@id(\"p\") deny file_open when exe == \"{exe}\" and path == \"/t/p\"\n")
}

/// The record of that policy names this program.
fn record_names(ground: &mut Ground, exe: &str) -> Result<()> {
    let event = ground.events()?.of_rule("p")?;
    ensure!(event.text("exe") == exe, "exe is not {exe:?}: {}", event.0);
    Ok(())
}

fn task_older_than_the_policy(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    ground.remove()?;
    crate::bpf::await_no_links()?;
    let mut older = Actor::start("/t/older")?;
    let mut other = Actor::start(ACTOR)?;
    ground.apply(&deny_to("/t/older"))?;
    older.ask(&["open", "/t/p", "r"])?.refused("open")?;
    record_names(ground, "/t/older")?;
    other.must(&["open", "/t/p", "r"])?;
    // And so are its children.
    older.enter("/t/older")?;
    older.ask(&["open", "/t/p", "r"])?.refused("open")
}

fn older_and_deleted(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    ground.remove()?;
    crate::bpf::await_no_links()?;
    let mut older = Actor::start("/t/older-gone")?;
    fs::remove_file("/t/older-gone")?;
    ground.apply(&deny_to("/t/older-gone"))?;
    older.ask(&["open", "/t/p", "r"])?.refused("open")?;
    record_names(ground, "/t/older-gone")
}

fn deleted_while_running(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    ground.apply(&deny_to("/t/gone"))?;
    let mut actor = Actor::start("/t/gone")?;
    actor.ask(&["open", "/t/p", "r"])?.refused("open")?;
    fs::remove_file("/t/gone")?;
    actor.ask(&["open", "/t/p", "r"])?.refused("open")?;
    record_names(ground, "/t/gone")?;
    record_names(ground, "/t/gone")
}

fn renamed_while_running(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    ground.apply(&deny_to("/t/before"))?;
    let mut actor = Actor::start("/t/before")?;
    fs::rename("/t/before", "/t/after")?;
    actor.ask(&["open", "/t/p", "r"])?.refused("open")?;
    record_names(ground, "/t/before")?;
    // Executed anew it has its new name.
    Actor::start("/t/after")?
        .must(&["open", "/t/p", "r"])
        .map(drop)
}

fn another_at_the_same_path(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    let _ = fs::remove_file("/t/moved");
    ground.apply(&deny_to("/t/moved"))?;
    let mut free = Actor::start("/t/free-one")?;
    fs::rename("/t/free-one", "/t/moved")?;
    free.must(&["open", "/t/p", "r"])?;
    let mut held = Actor::start("/t/moved")?;
    held.ask(&["open", "/t/p", "r"])?.refused("open")
}

fn exec_changes_the_program(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    ground.apply(&deny_to("/t/second"))?;
    let mut actor = Actor::start("/t/first")?;
    actor.must(&["open", "/t/p", "r"])?;
    actor.become_program("/t/second")?;
    actor.ask(&["open", "/t/p", "r"])?.refused("open")?;
    actor.become_program("/t/first")?;
    actor.must(&["open", "/t/p", "r"]).map(drop)
}

fn failed_exec_changes_nothing(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    program_file("/t/no-exec")?;
    plain_file("/t/no-format")?;
    fs::set_permissions("/t/no-format", fs::Permissions::from_mode(0o755))?;
    ground.apply(&format!(
        "{}deny bprm_check_security when path == \"/t/no-exec\"\n",
        deny_to("/t/first")
    ))?;
    let mut actor = Actor::start("/t/first")?;
    for (program, errno) in [
        ("/t/no-exec", libc::EPERM),
        // Not a program: the C library looks for a shell then.
        ("/t/no-format", libc::ENOENT),
        ("/t/none", libc::ENOENT),
    ] {
        actor
            .ask(&["become", program])?
            .refused_with("exec", errno)?;
        actor.ask(&["open", "/t/p", "r"])?.refused("open")?;
    }
    Ok(())
}

fn swap_classifies_anew(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    ground.apply(&deny_to("/t/uno"))?;
    let mut one = Actor::start("/t/uno")?;
    let mut two = Actor::start("/t/due")?;
    for _ in 0..2 {
        one.ask(&["open", "/t/p", "r"])?.refused("open")?;
        two.must(&["open", "/t/p", "r"])?;
        ground.apply(&deny_to("/t/due"))?;
        one.must(&["open", "/t/p", "r"])?;
        two.ask(&["open", "/t/p", "r"])?.refused("open")?;
        ground.apply(&deny_to("/t/uno"))?;
    }
    Ok(())
}

/// Writes a script whose one request is to open a file.
fn write_script(path: &str, interpreter: &str) -> Result<()> {
    install(interpreter)?;
    fs::write(
        path,
        format!("#!{interpreter}\n[\"open\",\"/t/p\",\"r\"]\n"),
    )?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn script(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    write_script("/t/one.act", "/t/interpreter")?;
    let mut actor = Actor::start(ACTOR)?;
    ground.apply(&deny_to("/t/interpreter"))?;
    let output = actor.must(&["output", "/t/one.act"])?;
    ensure!(
        output["stdout"]
            .as_str()
            .unwrap_or_default()
            .contains("\"errno\":1"),
        "the script was not refused: {output}"
    );
    record_names(ground, "/t/interpreter")?;
    ground.apply(&deny_to("/t/one.act"))?;
    let output = actor.must(&["output", "/t/one.act"])?;
    ensure!(
        output["stdout"]
            .as_str()
            .unwrap_or_default()
            .contains("\"errno\":0"),
        "the script was taken for its own program: {output}"
    );
    Ok(())
}

fn script_interpreter(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    write_script("/t/two.act", "/t/interpreter")?;
    let mut actor = Actor::start(ACTOR)?;
    for program in ["/t/interpreter", "/t/two.act"] {
        ground.apply(&format!(
            "deny bprm_check_security when path == \"{program}\""
        ))?;
        actor.ask(&["output", "/t/two.act"])?.refused("exec")?;
    }
    ground.apply("deny bprm_check_security when path == \"/t/two\"")?;
    actor.must(&["output", "/t/two.act"]).map(drop)
}

fn program_in_memory(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    ground.apply(&format!(
        "{}@id(\"m\") audit bprm_check_security when path == \"memfd:*\"\n",
        deny_to("memfd:hidden")
    ))?;
    let mut actor = Actor::start(ACTOR)?;
    actor.enter_memory("hidden")?;
    actor.ask(&["open", "/t/p", "r"])?.refused("open")?;
    record_names(ground, "memfd:hidden")?;
    let event = ground.events()?.of_rule("m")?;
    ensure!(event.text("path") == "memfd:hidden", "path: {}", event.0);
    actor.leave()?;
    actor.enter_memory("shown")?;
    actor.must(&["open", "/t/p", "r"]).map(drop)
}

fn long_program_path(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    // Longer than what is kept beside the task's other state.
    let directory = format!(
        "/t/{}/{}/{}",
        "a".repeat(200),
        "b".repeat(200),
        "c".repeat(200)
    );
    let program = format!("{directory}/program");
    ground.apply(&deny_to(&program))?;
    let mut actor = Actor::start(&program)?;
    actor.ask(&["open", "/t/p", "r"])?.refused("open")?;
    record_names(ground, &program)?;
    actor.enter(&format!("{directory}/other"))?;
    actor.must(&["open", "/t/p", "r"])?;
    actor.enter(&program)?;
    actor.ask(&["open", "/t/p", "r"])?.refused("open")
}

fn symbolic_link(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    install("/t/real")?;
    let _ = fs::remove_file("/t/link");
    std::os::unix::fs::symlink("/t/real", "/t/link")?;
    ground.apply(&deny_to("/t/real"))?;
    let mut actor = Actor::start("/t/link")?;
    actor.ask(&["open", "/t/p", "r"])?.refused("open")?;
    let _ = fs::remove_file("/t/link-to-p");
    std::os::unix::fs::symlink("/t/p", "/t/link-to-p")?;
    actor.ask(&["open", "/t/link-to-p", "r"])?.refused("open")
}
