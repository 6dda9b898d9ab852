//! `stacking`: what another security module has refused stays refused, and
//! what it allows can still be refused here.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::Suite;
use crate::actor::Actor;
use crate::bpf::{self, Stranger};
use crate::cli::{self, lsmpc};
use crate::console::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "stacking",
    run,
};

fn run(report: &mut Report, _arguments: &[String]) -> Result<()> {
    fs::create_dir_all("/t/inside")?;
    fs::create_dir_all("/t/outside")?;
    for path in ["/t/inside/f", "/t/inside/g", "/t/outside/f"] {
        fs::write(path, "x")?;
    }
    let modules = fs::read_to_string("/sys/kernel/security/lsm")?;
    report.say(&format!("active, in this order: {modules}"));
    if modules.contains("landlock") {
        report.test("stacking::allow_does_not_overturn_landlock", landlock);
        report.test("stacking::default_deny_and_landlock", default_deny);
    } else {
        report.skip("stacking::landlock", "Landlock is not active");
    }
    report.test("stacking::allow_does_not_overturn_permissions", permissions);
    report.test("stacking::doctor_names_programs_of_others", strangers);
    report.test("stacking::remove_leaves_landlock_alone", || {
        cli::remove()?;
        if !modules.contains("landlock") {
            return Ok(());
        }
        let mut actor = confined()?;
        actor
            .ask(&["open", "/t/outside/f", "r"])?
            .refused_with("open", libc::EACCES)
    });
    Ok(())
}

/// An actor that Landlock lets read files below `/t/inside` only.
fn confined() -> Result<Actor> {
    let mut actor = Actor::start("/t/actor")?;
    actor.must(&["landlock", "/t/inside"])?;
    Ok(actor)
}

fn landlock() -> Result<()> {
    cli::apply(
        "exempt when exe != \"/t/actor\"\n\
         default deny file_open\n\
         allow file_open when path in [\"/t/**\", \"/proc/**\", \"/sys/**\", \"/dev/**\"]\n",
    )?;
    let mut free = Actor::start("/t/actor")?;
    free.must(&["open", "/t/outside/f", "r"])?;
    let mut actor = confined()?;
    actor
        .ask(&["open", "/t/outside/f", "r"])?
        .refused_with("open", libc::EACCES)?;
    actor.must(&["open", "/t/inside/f", "r"]).map(drop)
}

fn default_deny() -> Result<()> {
    cli::apply(
        "@id(\"g\") deny file_open when path == \"/t/inside/g\"\n\
         @id(\"o\") deny with ENOENT file_open when path == \"/t/outside/f\"\n",
    )?;
    let mut actor = confined()?;
    actor.must(&["open", "/t/inside/f", "r"])?;
    actor.ask(&["open", "/t/inside/g", "r"])?.refused("open")?;
    // Refused by both: whichever is asked first answers.
    let outcome = actor.ask(&["open", "/t/outside/f", "r"])?;
    ensure!(
        outcome.refused_with("open", libc::EACCES).is_ok()
            || outcome.refused_with("open", libc::ENOENT).is_ok(),
        "{outcome}"
    );
    Ok(())
}

/// What `lsmpc doctor` says of LSM programs that are not lsmpc's.
fn others() -> Result<(Value, Vec<Value>)> {
    let run = lsmpc(&["doctor", "--format", "json"])?.expect_code(0)?;
    for line in run.stdout.lines() {
        let check: Value = serde_json::from_str(line)?;
        if check["check"] == "other LSM programs" {
            let programs = check["programs"].as_array().context("no list")?.clone();
            return Ok((check["state"].clone(), programs));
        }
    }
    anyhow::bail!("nothing about other programs: {}", run.text())
}

fn strangers() -> Result<()> {
    cli::remove()?;
    bpf::await_no_links()?;
    ensure!(
        others()? == (json!("ok"), vec![]),
        "already: {:?}",
        others()?
    );
    let mut lookout = Stranger::load("lookout", "file_open")?;
    lookout.attach()?;
    let mut elsewhere = Stranger::load("elsewhere", "inode_permission")?;
    elsewhere.attach()?;
    let idle = Stranger::load("idle", "task_kill")?;
    let expected = [
        ("lookout", "file_open", true, true),
        ("elsewhere", "inode_permission", true, false),
        ("idle", "task_kill", false, true),
    ];
    let check = || -> Result<()> {
        let (state, programs) = others()?;
        ensure!(state == "warning", "{state}: {programs:?}");
        let seen: Vec<(&str, &str, bool, bool)> = programs
            .iter()
            .map(|program| {
                let text = |key: &str| program[key].as_str().unwrap_or_default();
                let linked = program["link_id"].is_u64();
                let shared = program["shared"] == true;
                (text("name"), text("hook"), linked, shared)
            })
            .collect();
        ensure!(seen == expected, "{programs:?}");
        Ok(())
    };
    check()?;
    // Ours are not among them.
    cli::apply("deny file_open when path == \"/t/inside/g\"\n")?;
    check()?;
    lsmpc(&["doctor"])?.expect_code(0)?.expect_words(&[
        "warning",
        "lookout on file_open",
        "elsewhere on inode_permission",
        "idle on task_kill",
        "not attached",
    ])?;
    let mut actor = Actor::start("/t/actor")?;
    actor.ask(&["open", "/t/inside/g", "r"])?.refused("open")?;
    actor.must(&["open", "/t/inside/f", "r"])?;
    drop((lookout, elsewhere, idle));
    for _ in 0..100 {
        if others()?.1.is_empty() {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    anyhow::bail!("still there: {:?}", others()?)
}

fn permissions() -> Result<()> {
    fs::write("/t/private", "x")?;
    fs::set_permissions("/t/private", fs::Permissions::from_mode(0o600))?;
    cli::apply(
        "exempt when exe != \"/t/actor\"\n\
         default deny file_open\n\
         allow file_open when path == \"/t/private\"\n",
    )?;
    let mut actor = Actor::start("/t/actor")?;
    actor.must(&["open", "/t/private", "r"])?;
    actor.ask(&["open", "/t/inside/f", "r"])?.refused("open")?;
    actor.must(&["uids", "1000", "1000", "1000"])?;
    actor
        .ask(&["open", "/t/private", "r"])?
        .refused_with("open", libc::EACCES)
}
