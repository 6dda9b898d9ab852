//! `locks`: two commands at once, and pins that are not what the command
//! expects. All are explained, and nothing is changed.

use std::fs;

use anyhow::{Result, ensure};

use super::Suite;
use crate::actor::Actor;
use crate::bpf;
use crate::cli::{self, Events, LSMPC, lsmpc};
use crate::console::Report;
use crate::tracing::{Decision, End, Traced};

pub(crate) const SUITE: Suite = Suite { name: "locks", run };

const PINS: &str = "/sys/fs/bpf/lsmpc";
const POLICY: &str = "deny file_open when path == \"/t/a\"\n";
const OTHER: &str = "deny file_open when path == \"/t/b\"\n";

fn run(report: &mut Report, _arguments: &[String]) -> Result<()> {
    fs::create_dir_all("/t")?;
    fs::write("/t/a", "x")?;
    fs::write("/t/b", "x")?;
    report.test("locks::second_apply_is_refused", second_apply);
    report.test("locks::remove_during_apply_is_refused", remove_during_apply);
    report.test("locks::second_reader_is_refused", second_reader);
    report.test("locks::another_abi_is_explained", another_abi);
    report.test("locks::foreign_directory_is_explained", foreign_directory);
    report.test("locks::half_removed_pins_are_explained", half_removed);
    report.test(
        "locks::missing_control_map_is_explained",
        missing_control_map,
    );
    report.test("locks::interrupted_remove_is_completed", interrupted_remove);
    Ok(())
}

/// `POLICY` and nothing else is in force.
fn policy_holds() -> Result<()> {
    let mut actor = Actor::start("/t/actor")?;
    actor.ask(&["open", "/t/a", "r"])?.refused("open")?;
    actor.must(&["open", "/t/b", "r"]).map(drop)
}

/// An apply of `OTHER` that has the lock and goes no further.
fn stopped_apply() -> Result<Traced> {
    let path = cli::policy_file(OTHER)?;
    let mut traced = Traced::start(LSMPC, &["apply", &path])?;
    let mut locked = false;
    let end = traced.run(|call| {
        if locked && call.number == libc::SYS_bpf {
            return Decision::Stay;
        }
        locked |= call.number == libc::SYS_flock;
        Decision::Go
    })?;
    ensure!(end == End::Stayed, "apply never took its lock: {end:?}");
    Ok(traced)
}

fn second_apply() -> Result<()> {
    cli::apply(POLICY)?;
    let mut first = stopped_apply()?;
    let path = cli::policy_file(OTHER)?;
    lsmpc(&["apply", &path])?
        .expect_code(2)?
        .expect_words(&["another lsmpc", "wait"])?;
    policy_holds()?;
    first.kill()?;
    policy_holds()?;
    lsmpc(&["apply", &path])?.expect_code(0)?;
    cli::apply(POLICY)
}

fn remove_during_apply() -> Result<()> {
    cli::apply(POLICY)?;
    let mut first = stopped_apply()?;
    lsmpc(&["remove"])?.expect_code(2)?;
    policy_holds()?;
    first.kill()
}

fn second_reader() -> Result<()> {
    cli::apply(POLICY)?;
    let mut first = Events::follow()?;
    // The first one reads once it shows a record.
    Actor::start("/t/actor")?
        .ask(&["open", "/t/a", "r"])?
        .refused("open")?;
    first.wait("the first reader", |event| event.text("path") == "/t/a")?;
    lsmpc(&["events"])?
        .expect_code(2)?
        .expect_words(&["events"])?;
    drop(first);
    lsmpc(&["events"])?.expect_code(0).map(drop)
}

fn another_abi() -> Result<()> {
    cli::apply(POLICY)?;
    let links = bpf::lsm_links()?;
    let meta = format!("{PINS}/meta");
    // The version stands at byte 12, whatever the version.
    bpf::patch_pinned_array(&meta, 256, 12, &77u32.to_le_bytes())?;
    let path = cli::policy_file(OTHER)?;
    lsmpc(&["apply", &path])?
        .expect_code(2)?
        .expect_words(&["77"])?;
    let status = lsmpc(&["status"])?;
    ensure!(status.text().contains("77"), "status: {}", status.text());
    ensure!(bpf::lsm_links()? == links, "links changed");
    policy_holds()?;
    // It can still be taken away.
    cli::remove()?;
    bpf::await_no_links()
}

fn foreign_directory() -> Result<()> {
    cli::apply(POLICY)?;
    let links = bpf::lsm_links()?;
    let foreign = format!("{PINS}/mine");
    fs::create_dir(&foreign)?;
    let path = cli::policy_file(OTHER)?;
    lsmpc(&["apply", &path])?
        .expect_code(2)?
        .expect_words(&[&foreign])?;
    ensure!(bpf::lsm_links()? == links, "links changed");
    policy_holds()?;
    // Removing takes away what is lsmpc's, says what is not, and leaves it.
    lsmpc(&["remove"])?.expect_code(2)?.expect_words(&[PINS])?;
    ensure!(fs::exists(&foreign)?, "somebody else's directory is gone");
    fs::remove_dir(&foreign)?;
    cli::remove()?;
    bpf::await_no_links()?;
    lsmpc(&["apply", &path])?.expect_code(0)?;
    Ok(())
}

fn half_removed() -> Result<()> {
    cli::apply(POLICY)?;
    fs::remove_file(format!("{PINS}/links/file_open"))?;
    let status = lsmpc(&["status"])?;
    ensure!(
        status.text().contains("file_open"),
        "status does not name the hook: {}",
        status.text()
    );
    // The next apply attaches it again.
    cli::apply(POLICY)?;
    policy_holds()?;
    cli::remove()?;
    bpf::await_no_links()
}

fn missing_control_map() -> Result<()> {
    cli::apply(POLICY)?;
    fs::remove_file(format!("{PINS}/meta"))?;
    let status = lsmpc(&["status"])?;
    ensure!(
        status.text().contains("meta"),
        "status does not say what is missing: {}",
        status.text()
    );
    policy_holds()?;
    cli::remove()?;
    bpf::await_no_links()
}

fn interrupted_remove() -> Result<()> {
    cli::apply(POLICY)?;
    let mut traced = Traced::start(LSMPC, &["remove"])?;
    let mut unlinked = 0;
    let end = traced.run(|call| {
        unlinked += u32::from(call.unlinks());
        if unlinked == 3 {
            Decision::Kill
        } else {
            Decision::Go
        }
    })?;
    ensure!(end == End::Killed, "remove unlinked too little: {end:?}");
    let status = lsmpc(&["status"])?;
    ensure!(!status.text().is_empty(), "status says nothing");
    lsmpc(&["remove"])?.expect_code(0)?;
    bpf::await_no_links()?;
    cli::apply(POLICY)?;
    policy_holds()?;
    cli::remove()
}
