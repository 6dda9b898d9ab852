//! `preflight`: machines on which nothing can be enforced, and what the tool
//! says there. With the argument `no-bpf` the guest was started without BPF
//! among the security modules.

use std::fs;

use anyhow::{Result, ensure};
use rustix::mount::UnmountFlags;
use serde_json::Value;

use super::Suite;
use crate::actor::Actor;
use crate::bpf;
use crate::cli::{self, lsmpc};
use crate::console::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "preflight",
    run,
};

const POLICY: &str = "deny file_open when path == \"/t/a\"\n";

fn run(report: &mut Report, arguments: &[String]) -> Result<()> {
    fs::create_dir_all("/t")?;
    fs::write("/t/a", "x")?;
    if arguments.iter().any(|argument| argument == "no-bpf") {
        report.test("preflight::bpf_is_not_among_the_modules", without_bpf);
        return Ok(());
    }
    report.test("preflight::user_without_capabilities", unprivileged);
    report.test("preflight::bpffs_is_not_mounted", without_bpffs);
    report.test("preflight::securityfs_is_not_mounted", without_securityfs);
    report.test("preflight::checking_needs_nothing", checking);
    report.test("preflight::hook_that_this_kernel_lacks", missing_hook);
    Ok(())
}

fn without_bpf() -> Result<()> {
    let path = cli::policy_file(POLICY)?;
    lsmpc(&["apply", &path])?
        .expect_code(2)?
        .expect_words(&["bpf", "lsm=", "command line"])?;
    ensure!(bpf::lsm_links()?.is_empty(), "links were made");
    ensure!(
        !fs::exists("/sys/fs/bpf/lsmpc")?,
        "a pin directory was left"
    );
    lsmpc(&["check", &path])?.expect_code(0)?;
    lsmpc(&["status"])?.expect_words(&["bpf"])?;
    Ok(())
}

/// Runs the tool as a user without any privilege.
fn as_user(arguments: &[&str]) -> Result<Value> {
    let mut actor = Actor::start("/t/actor")?;
    actor.must(&["gids", "1000", "1000", "1000"])?;
    actor.must(&["uids", "1000", "1000", "1000"])?;
    let words: Vec<&str> = ["output", cli::LSMPC]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    actor.must(&words)
}

fn unprivileged() -> Result<()> {
    let path = cli::policy_file(POLICY)?;
    let apply = as_user(&["apply", &path])?;
    ensure!(apply["code"] == 2, "exit code: {apply}");
    ensure!(
        apply["stderr"]
            .as_str()
            .unwrap_or_default()
            .contains("CAP_"),
        "no capability is named: {apply}"
    );
    let check = as_user(&["check", &path])?;
    ensure!(check["code"] == 0, "check: {check}");
    for command in ["status", "events", "remove"] {
        let run = as_user(&[command])?;
        ensure!(
            run["code"] != Value::Null && run["code"] != 101,
            "{command}: {run}"
        );
    }
    Ok(())
}

fn mount(kind: &str, path: &str) -> std::io::Result<()> {
    let flags = rustix::mount::MountFlags::empty();
    Ok(rustix::mount::mount(kind, path, kind, flags, c"")?)
}

fn without_bpffs() -> Result<()> {
    rustix::mount::unmount("/sys/fs/bpf", UnmountFlags::empty())?;
    let path = cli::policy_file(POLICY)?;
    let run = lsmpc(&["apply", &path])?;
    let again = mount("bpf", "/sys/fs/bpf");
    if run.code == Some(0) {
        // It mounted one itself: then it enforces.
        Actor::start("/t/actor")?
            .ask(&["open", "/t/a", "r"])?
            .refused("open")?;
        return cli::remove();
    }
    again?;
    run.expect_code(2)?
        .expect_words(&["bpffs", "mount"])
        .map(drop)
}

fn without_securityfs() -> Result<()> {
    rustix::mount::unmount("/sys/kernel/security", UnmountFlags::empty())?;
    let path = cli::policy_file(POLICY)?;
    let run = lsmpc(&["apply", &path])?;
    mount("securityfs", "/sys/kernel/security")?;
    if run.code != Some(0) {
        return run.expect_code(2)?.expect_words(&["security"]).map(drop);
    }
    Actor::start("/t/actor")?
        .ask(&["open", "/t/a", "r"])?
        .refused("open")?;
    cli::remove()
}

fn checking() -> Result<()> {
    for (text, code) in [
        (POLICY, 0),
        ("deny file_open when path == 1\n", 1),
        ("deny no_such_hook\n", 1),
    ] {
        let path = cli::policy_file(text)?;
        lsmpc(&["check", &path])?.expect_code(code)?;
    }
    lsmpc(&["apply"])?.expect_code(2)?;
    lsmpc(&["no-such-command"])?.expect_code(2).map(drop)
}

fn missing_hook() -> Result<()> {
    let path = cli::policy_file("deny bpf_token_create\n")?;
    let run = lsmpc(&["apply", &path])?;
    let lacks = crate::machine::release().starts_with("6.1.");
    if run.code == Some(0) && !lacks {
        return cli::remove();
    }
    ensure!(
        run.code.is_some_and(|code| code == 1 || code == 2),
        "accepted: {run:?}"
    );
    run.expect_words(&["bpf_token_create"])?;
    ensure!(bpf::lsm_links()?.is_empty(), "links were made");
    Ok(())
}
