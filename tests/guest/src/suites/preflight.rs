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
    fs::write("/t/b", "x")?;
    if arguments.iter().any(|argument| argument == "no-bpf") {
        report.test("preflight::bpf_is_not_among_the_modules", without_bpf);
        return Ok(());
    }
    report.test("preflight::user_without_capabilities", unprivileged);
    report.test("preflight::bpffs_is_not_mounted", without_bpffs);
    report.test("preflight::securityfs_is_not_mounted", without_securityfs);
    report.test("preflight::checking_needs_nothing", checking);
    report.test("preflight::doctor_asks_the_kernel", doctor);
    report.test("preflight::hook_that_this_kernel_lacks", missing_hook);
    report.test("preflight::field_that_this_kernel_hides", missing_field);
    report.test("preflight::members_that_this_kernel_lacks", missing_members);
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
    let doctor = as_user(&["doctor", "--format", "json"])?;
    ensure!(doctor["code"] == 1, "exit code: {doctor}");
    let mut unknown = Vec::new();
    for line in doctor["stdout"].as_str().unwrap_or_default().lines() {
        let check: Value = serde_json::from_str(line)?;
        if check["state"] == "unknown" {
            ensure!(check["remedy"] == "run it as root", "{check}");
            unknown.push(check["check"].as_str().unwrap_or_default().to_owned());
        }
    }
    ensure!(
        unknown == ["fields", "other LSM programs"],
        "not told to a user: {unknown:?}"
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

/// The rules of `LACKING` that are refused, by line and what they ask for.
fn refused_rules(output: &str) -> Result<Vec<(u64, String)>> {
    let mut rules = Vec::new();
    for line in output.lines() {
        let value: Value = serde_json::from_str(line)?;
        ensure!(value["code"] == "LSMP1007", "another finding: {value}");
        let message = value["message"].as_str().unwrap_or_default();
        let what = message.split('`').nth(1).unwrap_or_default().to_owned();
        rules.push((value["line"].as_u64().unwrap_or(0), what));
    }
    Ok(rules)
}

/// Rules on hooks that not every kernel has, and one that every kernel has.
const LACKING: &str = "deny file_open when path == \"/t/a\"\n\
     deny bpf_token_create\n\
     audit file_open, file_truncate when path == \"/t/b\"\n";

/// What `lsmpc doctor` says of hooks is what the kernel has, and nothing is amiss here.
fn doctor() -> Result<()> {
    let run = lsmpc(&["doctor", "--format", "json"])?.expect_code(0)?;
    let names = bpf::HookNames::read()?;
    let mut listed = 0;
    for line in run.stdout.lines() {
        let check: Value = serde_json::from_str(line)?;
        let state = check["state"].as_str().unwrap_or_default();
        ensure!(state == "ok", "{check}");
        for hook in check["hooks"].as_array().into_iter().flatten() {
            let name = hook["hook"].as_str().unwrap_or_default();
            ensure!(hook["available"] == names.knows(name), "{hook}");
            listed += 1;
        }
    }
    ensure!(listed > 60, "{listed} hooks: {}", run.stdout);
    Ok(())
}

/// What the kernel lacks is said of each rule, and is not left out in silence.
fn missing_hook() -> Result<()> {
    let path = cli::policy_file(LACKING)?;
    let names = bpf::HookNames::read()?;
    let missing: Vec<(u64, String)> = [(2, "bpf_token_create"), (3, "file_truncate")]
        .into_iter()
        .filter(|(_, hook)| !names.knows(hook))
        .map(|(line, hook)| (line, hook.to_owned()))
        .collect();
    let check = lsmpc(&["check", "--kernel", "running", "--format", "json", &path])?;
    let said = refused_rules(&check.stdout)?;
    ensure!(said == missing, "not {missing:?}: {said:?}");
    let denied = || -> Result<()> {
        Actor::start("/t/actor")?
            .ask(&["open", "/t/a", "r"])?
            .refused("open")
    };
    if missing.is_empty() {
        check.expect_code(0)?;
        lsmpc(&["apply", &path])?.expect_code(0)?;
        denied()?;
        return cli::remove();
    }
    check.expect_code(1)?;
    let hooks: Vec<&str> = missing.iter().map(|(_, hook)| hook.as_str()).collect();
    let words = [hooks.as_slice(), &["--best-effort"]].concat();
    for arguments in [&["apply", &path][..], &["apply", "--dry-run", &path]] {
        lsmpc(arguments)?.expect_code(2)?.expect_words(&words)?;
    }
    ensure!(bpf::lsm_links()?.is_empty(), "links were made");
    let rehearsed = lsmpc(&[
        "apply",
        "--dry-run",
        "--best-effort",
        "--format",
        "json",
        &path,
    ])?
    .expect_code(0)?;
    let first: Value = serde_json::from_str(rehearsed.stdout.lines().next().unwrap_or("null"))?;
    let listed: Vec<&str> = first["not_enforced"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["hook"].as_str())
        .collect();
    ensure!(
        listed.len() == hooks.len() && hooks.iter().all(|hook| listed.contains(hook)),
        "not {hooks:?}: {first}"
    );
    let words = [hooks.as_slice(), &["not enforced"]].concat();
    lsmpc(&["apply", "--best-effort", &path])?
        .expect_code(0)?
        .expect_words(&words)?;
    lsmpc(&["status"])?.expect_words(&words)?;
    denied()?;
    cli::remove()
}

/// A field that the kernel does not tell is one, too.
fn missing_field() -> Result<()> {
    const HIDE: &str = "/proc/sys/kernel/kptr_restrict";
    let path = cli::policy_file(
        "let elsewhere = not initial_mntns\n\
         deny file_open when path == \"/t/a\"\n\
         on_error allow file_open\n\
         deny file_open when path == \"/t/b\" and elsewhere\n",
    )?;
    let before = fs::read_to_string(HIDE)?;
    lsmpc(&["check", "--kernel", "running", &path])?.expect_code(0)?;
    fs::write(HIDE, "2")?;
    let hidden = (|| -> Result<()> {
        let check = lsmpc(&["check", "--kernel", "running", "--format", "json", &path])?;
        let said = refused_rules(&check.stdout)?;
        ensure!(said == [(4, "initial_mntns".to_owned())], "{said:?}");
        lsmpc(&["apply", &path])?.expect_code(2)?.expect_words(&[
            "LSMP4033",
            "initial_mntns",
            "init_nsproxy",
            "--best-effort",
        ])?;
        ensure!(bpf::lsm_links()?.is_empty(), "links were made");
        lsmpc(&["apply", "--best-effort", &path])?
            .expect_code(0)?
            .expect_words(&["not enforced", "initial_mntns", "on_error"])?;
        let mut actor = Actor::start("/t/actor")?;
        actor.ask(&["open", "/t/a", "r"])?.refused("open")?;
        // Unknown, and so allowed.
        actor.must(&["open", "/t/b", "r"])?;
        cli::remove()
    })();
    fs::write(HIDE, before.trim())?;
    hidden?;
    lsmpc(&["apply", &path])?.expect_code(0)?;
    cli::remove()
}

const TYPES: &str = "/sys/kernel/btf/vmlinux";

/// The kernel's types with other names for some members.
fn renamed(members: &[&str]) -> Result<Vec<u8>> {
    let mut types = fs::read(TYPES)?;
    for member in members {
        let name = format!("\0{member}\0").into_bytes();
        let places: Vec<usize> = types
            .windows(name.len())
            .enumerate()
            .filter(|(_, bytes)| *bytes == name)
            .map(|(at, _)| at)
            .collect();
        ensure!(!places.is_empty(), "no member is called {member}");
        for at in places {
            types[at + 1] = b'_';
        }
    }
    Ok(types)
}

/// Without some member of a structure, the fields that are read from it are unknown and
/// hooks whose programs need it are left out. Everything else is enforced.
fn missing_members() -> Result<()> {
    fs::write("/t/types", renamed(&["loginuid", "map_type"])?)?;
    rustix::mount::mount_bind("/t/types", TYPES)?;
    let lacking = lacking_members();
    rustix::mount::unmount(TYPES, UnmountFlags::empty())?;
    lacking
}

fn lacking_members() -> Result<()> {
    let path = cli::policy_file(
        "deny file_open when path == \"/t/a\"\n\
         deny bpf_map when uid == 12345\n\
         on_error deny file_open\n\
         deny file_open when path == \"/t/b\" and auid == 12345\n",
    )?;
    let check = lsmpc(&["check", "--kernel", "running", "--format", "json", &path])?;
    let said = refused_rules(&check.stdout)?;
    ensure!(
        said == [(2, "bpf_map".to_owned()), (4, "auid".to_owned())],
        "{said:?}"
    );
    let words = ["bpf_map", "map_type", "auid", "loginuid"];
    lsmpc(&["apply", &path])?
        .expect_code(2)?
        .expect_words(&words)?;
    ensure!(bpf::lsm_links()?.is_empty(), "links were made");
    lsmpc(&["doctor"])?.expect_words(&words)?;
    lsmpc(&["apply", "--best-effort", &path])?
        .expect_code(0)?
        .expect_words(&["not enforced", "bpf_map", "auid"])?;
    let attached = bpf::policy_hooks(&bpf::HookNames::read()?)?;
    ensure!(attached == ["file_open"], "attached: {attached:?}");
    let mut actor = Actor::start("/t/actor")?;
    actor.ask(&["open", "/t/a", "r"])?.refused("open")?;
    // Unknown, and so denied.
    actor.ask(&["open", "/t/b", "r"])?.refused("open")?;
    cli::remove()
}
