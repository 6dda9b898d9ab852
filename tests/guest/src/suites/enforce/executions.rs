//! What the record of an execution tells of arguments and environment.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::Ground;
use super::case::{ACTOR, program_file};
use crate::actor::Actor;
use crate::architecture::HAS_ARGUMENTS;
use crate::cli::{Event, lsmpc};
use crate::console::Report;

type Test = fn(&mut Ground) -> Result<()>;

const TESTS: &[(&str, Test)] = &[
    ("arguments_and_environment", arguments_and_environment),
    ("strings_across_pages", across_pages),
    ("long_arguments_are_cut", long_arguments),
    ("long_environment_is_cut", long_environment),
    ("denied_and_killed", denied_and_killed),
    ("scripts", scripts),
    ("other_programs", other_programs),
    ("for_people", for_people),
];

const PROGRAM: &str = "/t/executed";
/// Bytes from the start of the strings that a record holds, and from their end.
const PART: usize = 2048;

pub(super) fn run(report: &mut Report, ground: &mut Ground) {
    for (name, test) in TESTS {
        let name = format!("enforce::executions::{name}");
        if HAS_ARGUMENTS {
            report.test(&name, || test(ground));
        } else {
            report.skip(&name, "page tables are read as x86-64 has them");
        }
    }
    if !HAS_ARGUMENTS {
        report.test("enforce::executions::without_arguments", || {
            without_arguments(ground)
        });
    }
}

/// The request to run a program with these strings.
fn request<'a>(path: &'a str, environment: &'a str, arguments: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["run", path, environment];
    words.extend(arguments);
    words
}

/// The record of the execution of `path`.
fn executed(ground: &mut Ground, path: &str) -> Result<Event> {
    ground.events()?.wait(path, |event| {
        event.text("hook") == "bprm_check_security" && event.text("path") == path
    })
}

/// A record tells exactly this.
fn tells(event: &Event, argv: Value, envp: Value) -> Result<()> {
    for (key, value) in [("argv", argv), ("envp", envp)] {
        ensure!(event.0[key] == value, "{key} is not {value}: {}", event.0);
        ensure!(
            event.0[format!("{key}_cut")] == json!(false),
            "{key} is cut: {}",
            event.0
        );
    }
    Ok(())
}

fn begin(ground: &mut Ground) -> Result<Actor> {
    program_file(PROGRAM)?;
    ground.apply_example("executions")?;
    Actor::start(ACTOR)
}

fn arguments_and_environment(ground: &mut Ground) -> Result<()> {
    let mut actor = begin(ground)?;
    actor.must(&request(
        PROGRAM,
        "LD_PRELOAD=/tmp/x.so\nEMPTY=",
        &["another name", "", "-c", "rm -rf \"$HOME\"\n"],
    ))?;
    let event = executed(ground, PROGRAM)?;
    ensure!(event.has_rule("execution"), "{}", event.0);
    ensure!(event.text("verdict") == "allow", "{}", event.0);
    ensure!(event.text("exe") == ACTOR, "{}", event.0);
    // The actor's standard library puts the environment in the order of the names.
    tells(
        &event,
        json!(["another name", "", "-c", "rm -rf \"$HOME\"\n"]),
        json!(["EMPTY=", "LD_PRELOAD=/tmp/x.so"]),
    )?;
    actor.must(&request(PROGRAM, "", &["x"]))?;
    tells(&executed(ground, PROGRAM)?, json!(["x"]), json!([]))
}

/// Strings of many lengths: somewhere among them a page of the stack begins.
fn across_pages(ground: &mut Ground) -> Result<()> {
    let mut actor = begin(ground)?;
    for length in (1..PART).step_by(130) {
        let argument: String = (0..length)
            .map(|at| char::from(b'a' + (at % 23) as u8))
            .collect();
        let value: String = (0..length)
            .map(|at| char::from(b'A' + (at % 25) as u8))
            .collect();
        let variable = format!("V={value}");
        actor.must(&request(PROGRAM, &variable, &["n", &argument]))?;
        let event = executed(ground, PROGRAM)?;
        // With what else there is, the longest are a little more than fits.
        if 2 * length + 8 <= 2 * PART {
            tells(&event, json!(["n", argument]), json!([variable]))
                .with_context(|| format!("{length} bytes"))?;
        }
    }
    Ok(())
}

fn long_arguments(ground: &mut Ground) -> Result<()> {
    let mut actor = begin(ground)?;
    let long = "x".repeat(3 * 4096);
    actor.must(&request(PROGRAM, "A=1\nB=2", &["n", &long, "last"]))?;
    let event = executed(ground, PROGRAM)?;
    ensure!(event.0["argv_cut"] == json!(true), "{}", event.0);
    ensure!(
        event.0["argv"] == json!(["n", "x".repeat(PART - 2)]),
        "{}",
        event.0
    );
    // Behind any number of arguments, the environment is seen.
    ensure!(event.0["envp"] == json!(["A=1", "B=2"]), "{}", event.0);
    ensure!(event.0["envp_cut"] == json!(false), "{}", event.0);
    Ok(())
}

fn long_environment(ground: &mut Ground) -> Result<()> {
    let mut actor = begin(ground)?;
    let middle = "x".repeat(3 * 4096);
    let environment = format!("A=1\nM={middle}\nZ=2");
    actor.must(&request(PROGRAM, &environment, &["n", "-v"]))?;
    let event = executed(ground, PROGRAM)?;
    ensure!(event.0["argv"] == json!(["n", "-v"]), "{}", event.0);
    ensure!(event.0["argv_cut"] == json!(false), "{}", event.0);
    ensure!(event.0["envp"] == json!(["A=1", "Z=2"]), "{}", event.0);
    ensure!(event.0["envp_cut"] == json!(true), "{}", event.0);
    Ok(())
}

fn denied_and_killed(ground: &mut Ground) -> Result<()> {
    program_file(PROGRAM)?;
    ground.apply(&format!(
        "deny bprm_check_security when path == \"{PROGRAM}\" and comm != \"doomed\"\n\
         kill bprm_check_security when path == \"{PROGRAM}\" and comm == \"doomed\"\n"
    ))?;
    let mut actor = Actor::start(ACTOR)?;
    let asked = request(PROGRAM, "A=1", &["n", "--denied"]);
    actor.ask(&asked)?.refused("exec")?;
    let event = executed(ground, PROGRAM)?;
    ensure!(event.text("verdict") == "deny", "{}", event.0);
    tells(&event, json!(["n", "--denied"]), json!(["A=1"]))?;
    actor.must(&["comm", "doomed"])?;
    // What is killed is the child that was to become the program.
    let _ = actor.ask(&request(PROGRAM, "A=1", &["n", "--killed"]))?;
    let event = executed(ground, PROGRAM)?;
    ensure!(event.text("verdict") == "kill", "{}", event.0);
    tells(&event, json!(["n", "--killed"]), json!(["A=1"]))
}

/// A script is asked about, and then its interpreter, with what it is told.
fn scripts(ground: &mut Ground) -> Result<()> {
    let mut actor = begin(ground)?;
    const SCRIPT: &str = "/t/executed.act";
    fs::write(SCRIPT, format!("#!{ACTOR} one two\n"))?;
    fs::set_permissions(SCRIPT, fs::Permissions::from_mode(0o755))?;
    actor.ask(&request(SCRIPT, "A=1", &["n", "-v"]))?;
    tells(
        &executed(ground, SCRIPT)?,
        json!(["n", "-v"]),
        json!(["A=1"]),
    )?;
    // The actor was started before.
    let event = ground.events()?.wait("the interpreter", |event| {
        event.text("path") == ACTOR && event.0["envp"] == json!(["A=1"])
    })?;
    tells(
        &event,
        json!([ACTOR, "one two", SCRIPT, "-v"]),
        json!(["A=1"]),
    )
}

/// The other rules of the example: programs without a name, and privileged ones.
fn other_programs(ground: &mut Ground) -> Result<()> {
    let mut actor = begin(ground)?;
    actor.enter_memory("hidden")?;
    let event = ground.events()?.of_rule("nameless")?;
    ensure!(event.text("path") == "memfd:hidden", "{}", event.0);
    ensure!(event.0["argv"][1] == json!("act"), "{}", event.0);
    actor.leave()?;
    const PRIVILEGED: &str = "/t/executed-privileged";
    program_file(PRIVILEGED)?;
    fs::set_permissions(PRIVILEGED, fs::Permissions::from_mode(0o4755))?;
    actor.must(&["uids", "1000", "1000", "1000"])?;
    actor.must(&request(PRIVILEGED, "LD_AUDIT=x", &["su", "-"]))?;
    let event = ground.events()?.of_rule("privileged")?;
    ensure!(event.get("uid") == &json!(1000), "{}", event.0);
    tells(&event, json!(["su", "-"]), json!(["LD_AUDIT=x"]))
}

/// What cannot be read is missing, and all else is as it should be.
fn without_arguments(ground: &mut Ground) -> Result<()> {
    let mut actor = begin(ground)?;
    actor.must(&request(PROGRAM, "A=1", &["n", "-v"]))?;
    let event = executed(ground, PROGRAM)?;
    ensure!(event.has_rule("execution"), "{}", event.0);
    ensure!(event.text("exe") == ACTOR, "{}", event.0);
    for key in ["argv", "envp"] {
        ensure!(event.get(key).is_null(), "{key}: {}", event.0);
    }
    Ok(())
}

fn for_people(ground: &mut Ground) -> Result<()> {
    program_file(PROGRAM)?;
    ground.remove()?;
    lsmpc(&["apply", "/examples/executions.lsmp"])?.expect_code(0)?;
    Actor::start(ACTOR)?.must(&request(PROGRAM, "A=1\nB=2", &["n", "two words"]))?;
    lsmpc(&["events"])?
        .expect_code(0)?
        .expect_words(&["argv=[n,\"two words\"] envp=(2)"])?;
    Ok(())
}
