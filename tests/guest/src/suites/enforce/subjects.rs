//! Every field of the subject, at every hook.

use anyhow::{Context as _, Result};

use super::case::{ACTOR, Case};
use super::{Ground, HOOKS, round};
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

fn all() -> Vec<(&'static str, Prepare)> {
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
        ("parent.exe", |name| {
            let (hit, miss) = ("parent.exe == \"/t/child\"", "parent.exe == \"/t/actor\"");
            child(name, &[], hit, miss)
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
            .map(|hook| Case::new(hook, subject.name, &subject.hit, &subject.miss))
            .collect();
        round(report, ground, &mut subject.actor, subject.exe, &cases);
    }
}
