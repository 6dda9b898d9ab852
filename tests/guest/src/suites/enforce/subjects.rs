//! Every field of the subject, at every hook.

use anyhow::{Context as _, Result};

use serde_json::json;

use super::case::{ACTOR, Case, plain_file};
use super::{Ground, HOOKS, round, shows};
use crate::actor::Actor;
use crate::console::Report;

/// One field of the subject.
struct SubjectField {
    name: &'static str,
    hit: String,
    miss: String,
    /// The program that acts.
    exe: &'static str,
    actor: Actor,
}

type Prepared = Result<SubjectField>;
type Prepare = fn(&'static str) -> Prepared;

/// The actor, after it was asked for something, with conditions on it.
fn field(name: &'static str, requests: &[&[&str]], hit: &str, miss: &str) -> Prepared {
    let mut actor = Actor::start(ACTOR)?;
    for request in requests {
        actor.must(request)?;
    }
    let pid = actor.pid();
    let fill = |text: &str| text.replace("{pid}", &pid.to_string());
    Ok(SubjectField {
        name,
        hit: fill(hit),
        miss: fill(miss),
        exe: ACTOR,
        actor,
    })
}

/// A program whose parent runs the same program under the same name, and so
/// do the children that it forks to execute something.
fn child(name: &'static str, requests: &[&[&str]], hit: &str, miss: &str) -> Prepared {
    let mut field = field(name, &[], hit, miss)?;
    for _ in 0..2 {
        field.actor.enter("/t/child")?;
        for request in requests {
            field.actor.must(request)?;
        }
    }
    field.exe = "/t/child";
    Ok(field)
}

/// Puts an actor into a cgroup, made if it is not there.
fn move_to(actor: &Actor, cgroup: &str) -> Result<()> {
    let directory = format!("/sys/fs/cgroup{cgroup}");
    std::fs::create_dir_all(&directory).with_context(|| format!("creating {directory}"))?;
    let members = format!("{directory}/cgroup.procs");
    std::fs::write(&members, actor.pid().to_string()).with_context(|| format!("writing {members}"))
}

/// An actor in a cgroup, with conditions on it.
fn member(name: &'static str, cgroup: &str, hit: &str, miss: &str) -> Prepared {
    let field = field(name, &[], hit, miss)?;
    move_to(&field.actor, cgroup)?;
    Ok(field)
}

fn all() -> Vec<(&'static str, Prepare)> {
    ids().into_iter().chain(surroundings()).collect()
}

/// The fields that are tried, each with what tells its cases apart.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    all().into_iter().map(|(name, _)| name)
}

/// What the task is in, and what it comes from.
fn surroundings() -> Vec<(&'static str, Prepare)> {
    vec![
        ("cgroup", |name| {
            let (hit, miss) = ("cgroup == \"/a.slice/b\"", "cgroup == \"/a.slice\"");
            member(name, "/a.slice/b", hit, miss)
        }),
        ("cgroup-glob", |name| {
            let (hit, miss) = ("cgroup == \"/a.slice/*\"", "cgroup == \"/a.slice/b/**\"");
            member(name, "/a.slice/b", hit, miss)
        }),
        ("cgroup-root", |name| {
            field(name, &[], "cgroup == \"/\"", "cgroup == \"/?*\"")
        }),
        ("containerized", |name| {
            field(name, &[], "not containerized", "containerized")
        }),
        ("initial_mntns", |name| {
            field(name, &[], "initial_mntns", "not initial_mntns")
        }),
        ("initial_mntns-left", |name| {
            let requests: &[&[&str]] = &[&["unshare", "mount"]];
            field(name, requests, "initial_mntns == false", "initial_mntns")
        }),
        ("parent.exe", |name| {
            let (hit, miss) = ("parent.exe == \"/t/child\"", "parent.exe == \"/t/actor\"");
            child(name, &[], hit, miss)
        }),
        ("parent.comm", |name| {
            let (hit, miss) = ("parent.comm == \"father\"", "parent.comm == \"child\"");
            child(name, &[&["comm", "father"]], hit, miss)
        }),
    ]
}

fn ids() -> Vec<(&'static str, Prepare)> {
    vec![
        ("exe", |name| {
            field(name, &[], "exe == \"/t/actor\"", "exe == \"/t/acto\"")
        }),
        ("exe-glob", |name| {
            field(name, &[], "exe == \"/t/*\"", "exe == \"/*\"")
        }),
        ("comm", |name| {
            let requests: &[&[&str]] = &[&["comm", "worker/1"]];
            field(name, requests, "comm == \"worker/1\"", "comm == \"worker\"")
        }),
        ("comm-glob", |name| {
            let requests: &[&[&str]] = &[&["comm", "worker/1"]];
            field(name, requests, "comm == \"work*\"", "comm == \"work?\"")
        }),
        ("pid", |name| {
            // What it forks to execute something has a larger one.
            field(name, &[], "pid in [{pid}..4000000]", "pid < {pid}")
        }),
        ("uid", |name| {
            let requests: &[&[&str]] = &[&["uids", "1234", "0", "0"]];
            field(name, requests, "uid == 1234", "uid == 0")
        }),
        ("euid", |name| {
            let requests: &[&[&str]] = &[&["uids", "0", "1234", "0"]];
            field(name, requests, "euid == 1234", "uid == 1234")
        }),
        ("gid", |name| {
            let requests: &[&[&str]] = &[&["gids", "1234", "0", "0"]];
            field(name, requests, "gid == 1234", "gid in [0..1233]")
        }),
        ("egid", |name| {
            let requests: &[&[&str]] = &[&["gids", "0", "1234", "0"]];
            field(name, requests, "egid == 1234", "gid == 1234")
        }),
        ("auid", |name| {
            let requests: &[&[&str]] = &[&["write", "/proc/self/loginuid", "1234"]];
            field(name, requests, "auid == 1234", "auid == unset")
        }),
        ("auid-unset", |name| {
            field(name, &[], "auid == unset", "auid < 4294967295")
        }),
        ("caps", |name| {
            // CAP_SYS_MODULE.
            let requests: &[&[&str]] = &[&["drop-capability", "16"]];
            let (hit, miss) = (
                "caps has CAP_SYS_ADMIN and not caps has CAP_SYS_MODULE",
                "caps has [CAP_SYS_ADMIN, CAP_SYS_MODULE]",
            );
            field(name, requests, hit, miss)
        }),
    ]
}

pub(super) fn run(report: &mut Report, ground: &mut Ground) {
    for (name, prepare) in all() {
        let mut subject = match prepare(name).with_context(|| format!("preparing {name}")) {
            Ok(subject) => subject,
            Err(error) => {
                report.fail(&format!("enforce::subject::{name}"), &format!("{error:#}"));
                continue;
            }
        };
        let cases: Vec<Case> = HOOKS
            .iter()
            // The kernel asks for CAP_SYSLOG first, which goes with the effective user.
            .filter(|hook| (**hook, name) != ("syslog", "euid"))
            .map(|hook| Case::new(hook, subject.name, &subject.hit, &subject.miss))
            .collect();
        round(report, ground, &mut subject.actor, subject.exe, &cases);
    }
    report.test("enforce::subject::cgroup_made_later", || later(ground));
    report.test("enforce::subject::cgroup_at_depth", || deep(ground));
    report.test("enforce::subject::in_a_container", || contained(ground));
    report.test("enforce::subject::ids_that_change", || changing_ids(ground));
}

/// What the ids have allowed is not remembered for other ids.
fn changing_ids(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    let allowed: &[&str] = &["uids", "0", "0", "0"];
    for (rule, denied) in [
        ("uid == 1234", ["uids", "1234", "0", "0"]),
        ("euid == 1234", ["uids", "0", "1234", "0"]),
        ("uid == 1234 or euid == 1234", ["uids", "0", "1234", "0"]),
    ] {
        ground.apply(&format!("deny file_open when {rule}"))?;
        let mut actor = Actor::start(ACTOR)?;
        for _ in 0..20 {
            actor.must(&["open", "/t/p", "r"])?;
            actor.must(&["open", "/t/p", "r"])?;
            actor.must(&denied)?;
            actor.ask(&["open", "/t/p", "r"])?.refused("open")?;
            actor.must(allowed)?;
        }
    }
    Ok(())
}

/// Cgroups made after the policy was applied are judged by their paths.
fn later(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    ground.apply("@id(\"c\") deny file_open when cgroup == \"/late/**\" and path == \"/t/p\"")?;
    let mut actor = Actor::start(ACTOR)?;
    actor.must(&["open", "/t/p", "r"])?;
    move_to(&actor, "/late")?;
    actor.must(&["open", "/t/p", "r"])?;
    move_to(&actor, "/late/one")?;
    actor.ask(&["open", "/t/p", "r"])?.refused("open")?;
    let event = ground.events()?.of_rule("c")?;
    shows(&event, "cgroup", &json!("/late/one"))?;
    shows(&event, "parent.comm", &json!("init"))?;
    shows(&event, "initial_mntns", &json!(true))?;
    // A child is where its parent is.
    actor.enter("/t/child")?;
    actor.ask(&["open", "/t/p", "r"])?.refused("open")?;
    actor.leave()?;
    move_to(&actor, "/")?;
    actor.must(&["open", "/t/p", "r"]).map(drop)
}

fn deep(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    let path = "/deep".repeat(30);
    ground.apply(&format!(
        "deny file_open when cgroup == \"{path}\" and path == \"/t/p\""
    ))?;
    let mut actor = Actor::start(ACTOR)?;
    move_to(&actor, &"/deep".repeat(29))?;
    actor.must(&["open", "/t/p", "r"])?;
    move_to(&actor, &path)?;
    actor.ask(&["open", "/t/p", "r"])?.refused("open")
}

fn contained(ground: &mut Ground) -> Result<()> {
    plain_file("/t/p")?;
    ground.apply("@id(\"c\") deny file_open when containerized and path == \"/t/p\"")?;
    let mut actor = Actor::start(ACTOR)?;
    actor.must(&["unshare", "pid"])?;
    actor.must(&["open", "/t/p", "r"])?;
    actor.enter("/t/child")?;
    actor.ask(&["open", "/t/p", "r"])?.refused("open")?;
    let event = ground.events()?.of_rule("c")?;
    shows(&event, "containerized", &json!(true))
}
