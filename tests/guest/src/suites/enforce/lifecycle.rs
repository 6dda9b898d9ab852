//! What is attached when: only the hooks that a policy names, and nothing once
//! it is removed.

use anyhow::{Context as _, Result, ensure};

use super::Ground;
use super::case::{ACTOR, plain_file};
use crate::actor::Actor;
use crate::bpf::{self, HookNames};
use crate::cli::{self, lsmpc};
use crate::console::Report;

pub(super) fn run(report: &mut Report, ground: &mut Ground) {
    report.test("enforce::lifecycle::examples_are_right", || {
        let mut examples = Vec::new();
        for entry in std::fs::read_dir("/examples")? {
            examples.push(entry?.path());
        }
        ensure!(!examples.is_empty(), "there are no examples");
        for example in examples {
            lsmpc(&["check", &example.to_string_lossy()])?.expect_code(0)?;
        }
        Ok(())
    });
    report.test(
        "enforce::lifecycle::a_policy_with_an_error_is_refused",
        refused,
    );
    report.test("enforce::lifecycle::only_used_hooks_are_attached", || {
        only_used_hooks(ground)
    });
    report.test("enforce::lifecycle::dry_run_says_what_changes", || {
        dry_run(ground)
    });
    report.test("enforce::lifecycle::remove_allows_everything", || {
        remove_allows_everything(ground)
    });
    report.test(
        "enforce::lifecycle::a_refused_policy_changes_nothing",
        || refused_policy(ground),
    );
    for (name, policy) in [
        ("bpf", "deny bpf"),
        ("maps", "deny bpf_map"),
        (
            "programs",
            "deny bpf_prog when prog.type == BPF_PROG_TYPE_LSM",
        ),
    ] {
        report.test(
            &format!("enforce::lifecycle::locked_out_and_in_again::{name}"),
            || locked_out(ground, policy),
        );
    }
}

/// A policy that denies bpf(2) to `lsmpc`, too: what its commands say then, and the way
/// out that needs no bpf(2).
fn locked_out(ground: &mut Ground, policy: &str) -> Result<()> {
    const PINS: &str = "/sys/fs/bpf/lsmpc";
    ground.remove()?;
    let path = cli::policy_file(policy)?;
    lsmpc(&["apply", &path])?
        .expect_code(0)?
        .expect_words(&["LSMP2016"])?;
    let commands = [
        &["status"][..],
        &["remove"],
        &["apply", &path],
        &["apply", "--dry-run", &path],
    ];
    let said = commands.map(lsmpc);
    std::fs::remove_dir_all(PINS)?;
    for (command, said) in commands.iter().zip(said) {
        said?
            .expect_code(2)
            .and_then(|run| run.expect_words(&["not permitted", &format!("rm -r {PINS}")]))
            .with_context(|| command.join(" "))?;
    }
    // A link goes with its last reference, a little later.
    bpf_is_allowed()?;
    bpf::await_no_links()?;
    lsmpc(&["status"])?.expect_code(0)?;
    lsmpc(&["remove"])?.expect_code(0)?;
    ground.apply("audit bpf when cmd == BPF_PROG_LOAD")?;
    lsmpc(&["status"])?.expect_code(0).map(drop)
}

/// Waits until a map can be made.
fn bpf_is_allowed() -> Result<()> {
    let mut actor = Actor::start(ACTOR)?;
    let mut outcome = actor.ask(&["bpf-map", "hash"])?;
    for _ in 0..100 {
        if outcome.done().is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        outcome = actor.ask(&["bpf-map", "hash"])?;
    }
    outcome.done().map(drop)
}

/// A policy with an error is refused.
fn refused() -> Result<()> {
    let path = cli::policy_file("deny with ESRCH task_kill when signal == SIGUSR1")?;
    lsmpc(&["apply", &path])?.expect_code(1).map(drop)
}

/// Waits until the hooks attached are these.
fn attached(names: &HookNames, wanted: &[&str]) -> Result<()> {
    let mut found = Vec::new();
    for _ in 0..60 {
        found = bpf::policy_hooks(names)?;
        if found == wanted {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    anyhow::bail!("attached are {found:?}, not {wanted:?}")
}

fn only_used_hooks(ground: &mut Ground) -> Result<()> {
    let names = HookNames::read()?;
    ensure!(bpf::lsm_links()?.is_empty(), "links before the first apply");
    plain_file("/t/one")?;
    ground.apply("deny file_open when path == \"/t/one\"")?;
    attached(&names, &["file_open"])?;
    let first = bpf::lsm_links()?;
    ground.apply(
        "deny file_open when path == \"/t/one\"\n\
         deny socket_connect, task_kill when exe == \"/t/nobody\"\n",
    )?;
    attached(&names, &["file_open", "socket_connect", "task_kill"])?;
    let second = bpf::lsm_links()?;
    ensure!(
        first.iter().all(|link| second.contains(link)),
        "a hook that was in place was attached anew"
    );
    Actor::start(ACTOR)?
        .ask(&["open", "/t/one", "r"])?
        .refused("open")?;
    ground.apply("deny task_kill when exe == \"/t/nobody\"")?;
    attached(&names, &["task_kill"])?;
    Actor::start(ACTOR)?
        .must(&["open", "/t/one", "r"])
        .map(drop)
}

/// A rehearsal compares with what is in force, by the sources that the kernel holds,
/// and with nothing where nothing is.
fn dry_run(ground: &mut Ground) -> Result<()> {
    let old = "@id(\"one\") deny file_open when path == \"/t/one\"\n";
    let new = format!("{old}@id(\"two\") deny task_kill when exe == \"/t/nobody\"\n");
    let (old_file, new_file) = (cli::policy_file(old)?, cli::policy_file(&new)?);
    let rehearse = |file: &str| lsmpc(&["apply", "--dry-run", file])?.expect_code(0);
    ground.remove()?;
    bpf::await_no_links()?;
    rehearse(&old_file)?.expect_words(&[
        "would attach: ",
        "no policy is in force",
        "after:  denied with EPERM, recorded: one",
        "1 change on 1 hook",
    ])?;
    ensure!(bpf::lsm_links()?.is_empty(), "a rehearsal attached");
    plain_file("/t/one")?;
    ground.apply(old)?;
    rehearse(&old_file)?.expect_words(&["would keep: ", "equivalent", "ok: "])?;
    let links = bpf::lsm_links()?;
    let shown = rehearse(&new_file)?.expect_words(&[
        "would attach: task_kill",
        "compared with the policy in force",
        "now denied",
        "exe = \"/t/nobody\"",
        "before: allowed, silent",
        "after:  denied with EPERM, recorded: two",
        "nothing on file_open",
    ])?;
    ensure!(!shown.stdout.contains("one ("), "{}", shown.text());
    let json = lsmpc(&["apply", "--dry-run", "--format", "json", &new_file])?.expect_code(0)?;
    let objects: Vec<serde_json::Value> = json
        .stdout
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let [machine, change, summary] = objects.as_slice() else {
        anyhow::bail!("{}", json.text());
    };
    ensure!(
        machine["in_force"] == true
            && machine["attach"] == serde_json::json!(["task_kill"])
            && change["hook"] == "task_kill"
            && change["event"]["exe"] == "/t/nobody"
            && summary["equivalent"] == false,
        "{}",
        json.text()
    );
    ensure!(bpf::lsm_links()? == links, "a rehearsal changed links");
    // It is said, and nothing else.
    Actor::start(ACTOR)?
        .ask(&["open", "/t/one", "r"])?
        .refused("open")?;
    ground.remove()?;
    bpf::await_no_links()
}

fn remove_allows_everything(ground: &mut Ground) -> Result<()> {
    plain_file("/t/one")?;
    ground.apply("deny file_open when path == \"/t/one\"")?;
    let mut actor = Actor::start(ACTOR)?;
    actor.ask(&["open", "/t/one", "r"])?.refused("open")?;
    lsmpc(&["status"])?.expect_code(0)?;
    let shown = lsmpc(&["show"])?.expect_code(0)?;
    ensure!(shown.stdout.contains("/t/one"), "show: {}", shown.text());
    // Its own record, explained by the policy that the kernel holds.
    let is_it = |event: &cli::Event| event.get("path") == "/t/one";
    let record = ground.events()?.wait("the denial", is_it)?;
    let why = lsmpc(&["why", "--event", &record.0.to_string()])?.expect_code(0)?;
    ensure!(
        why.stdout.contains("true: `path` is \"/t/one\"")
            && why.stdout.contains("verdict: denied with EPERM"),
        "why: {}",
        why.text()
    );
    ground.remove()?;
    bpf::await_no_links()?;
    actor.must(&["open", "/t/one", "r"])?;
    // Nothing to remove is not an accident.
    let again = lsmpc(&["remove"])?;
    ensure!(again.code.is_some_and(|code| code <= 2), "{}", again.text());
    Ok(())
}

fn refused_policy(ground: &mut Ground) -> Result<()> {
    plain_file("/t/one")?;
    ground.apply("deny file_open when path == \"/t/one\"")?;
    let before = bpf::lsm_links()?;
    for wrong in [
        "deny file_open when pth == \"/t/two\"",
        "allow file_open when path == \"/t/one\"",
        "deny file_open when path == \"/t/../one\"",
        "deny file_open when",
        "test \"t\" { expect deny file_open path = \"/x\", exe = \"/y\", uid = 0 }",
    ] {
        let path = cli::policy_file(wrong)?;
        lsmpc(&["apply", &path])?.expect_code(1)?;
    }
    lsmpc(&["apply", "/t/no-such-file"])?.expect_words(&["/t/no-such-file"])?;
    Actor::start(ACTOR)?
        .ask(&["open", "/t/one", "r"])?
        .refused("open")?;
    ensure!(bpf::lsm_links()? == before, "links changed");
    Ok(())
}
