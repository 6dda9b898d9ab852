//! `kill9`: `lsmpc apply` and `lsmpc remove`, killed at one system call after
//! another. Whatever the moment, what is enforced is exactly the old policy or
//! exactly the new one, and the next command puts things right.
//!
//! A kill point is the moment after one of the calls that others can see the
//! effect of (pins, attachments, updates of maps, directories), and the moment
//! before the first; killed anywhere between two of them, a program leaves the
//! same behind. Arguments: `KEEP,OUT-OF` tests so many of so many points
//! (default: all of them).

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use super::Suite;
use crate::actor::{Actor, Outcome};
use crate::bpf;
use crate::cli::{self, LSMPC, lsmpc};
use crate::console::Report;
use crate::machine;
use crate::tracing::{Decision, End, Traced};

pub(crate) const SUITE: Suite = Suite { name: "kill9", run };

const OPEN_A: &str = "deny file_open when path == \"/t/a\"\n";
const OPEN_B: &str = "deny file_open when path == \"/t/b\"\n";
const UNLINK: &str = "deny path_unlink when path == \"/t/u\"\n";

/// What is in force: whether opening a, opening b and removing u are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Enforced {
    a: bool,
    b: bool,
    u: bool,
}

/// A change from one policy to another.
struct Change {
    name: &'static str,
    /// The old policy, none if empty.
    old: String,
    /// The new policy, none if empty.
    new: String,
}

fn changes() -> Vec<Change> {
    let change = |name, old: &[&str], new: &[&str]| Change {
        name,
        old: old.concat(),
        new: new.concat(),
    };
    vec![
        change("swap", &[OPEN_A], &[OPEN_B]),
        change("adds_a_hook", &[OPEN_A], &[OPEN_B, UNLINK]),
        change("drops_a_hook", &[OPEN_A, UNLINK], &[OPEN_B]),
        change("first_apply", &[], &[OPEN_A, UNLINK]),
        change("remove", &[OPEN_A, UNLINK], &[]),
    ]
}

impl Change {
    fn enforced(policy: &str) -> Enforced {
        Enforced {
            a: policy.contains(OPEN_A),
            b: policy.contains(OPEN_B),
            u: policy.contains(UNLINK),
        }
    }

    /// Puts the old policy in force, or none.
    fn set_up(&self) -> Result<()> {
        if self.old.is_empty() {
            cli::remove()?;
            bpf::await_no_links()
        } else {
            cli::apply(&self.old)
        }
    }

    /// The command that makes the change.
    fn command(&self) -> Result<Vec<String>> {
        Ok(if self.new.is_empty() {
            vec!["remove".to_owned()]
        } else {
            vec!["apply".to_owned(), cli::policy_file(&self.new)?]
        })
    }
}

/// Tries what the policies are about.
fn probe(actor: &mut Actor) -> Result<Enforced> {
    if !fs::exists("/t/u")? {
        fs::write("/t/u", "x")?;
    }
    let mut refused = |request: &[&str]| -> Result<bool> {
        match actor.ask(request)? {
            Outcome::Done(_) => Ok(false),
            Outcome::Failed {
                errno: libc::EPERM, ..
            } => Ok(true),
            other => bail!("{}: {other}", request.join(" ")),
        }
    };
    Ok(Enforced {
        a: refused(&["open", "/t/a", "r"])?,
        b: refused(&["open", "/t/b", "r"])?,
        u: refused(&["unlink", "/t/u"])?,
    })
}

/// Runs the command and kills it once it has made so many calls that change
/// something; what it was about to call then, or `None` if it ended before.
fn kill_after(command: &[String], changes: usize) -> Result<Option<i64>> {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let mut traced = Traced::start(LSMPC, &words)?;
    let mut made = 0;
    let mut next = 0;
    let end = traced.run(|call| {
        next = call.number;
        // Killed when it enters the call after: all it asked for is done.
        if made == changes {
            return Decision::Kill;
        }
        made += usize::from(call.changes());
        Decision::Go
    })?;
    Ok((end == End::Killed).then_some(next))
}

/// How many calls the command makes that change something, that take part in
/// it, and in all.
fn count_calls(change: &Change) -> Result<[usize; 3]> {
    let command = change.command()?;
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let mut traced = Traced::start(LSMPC, &words)?;
    let mut calls = [0; 3];
    let end = traced.run(|call| {
        calls[0] += usize::from(call.changes());
        calls[1] += usize::from(call.matters());
        calls[2] += 1;
        Decision::Go
    })?;
    ensure!(
        end == End::Exited(0),
        "under trace it ended with {end:?}: {}",
        traced.output()?
    );
    Ok(calls)
}

/// How often which of the two was found in force.
#[derive(Default)]
struct Found {
    old: usize,
    new: usize,
}

fn one_point(change: &Change, actor: &mut Actor, point: usize, found: &mut Found) -> Result<bool> {
    let (old, new) = (Change::enforced(&change.old), Change::enforced(&change.new));
    change.set_up().context("setting up")?;
    let before = probe(actor)?;
    ensure!(before == old, "before: {before:?}, not {old:?}");
    let Some(call) = kill_after(&change.command()?, point)? else {
        return Ok(false);
    };
    let after = probe(actor)?;
    if after == old {
        found.old += 1;
    } else if after == new {
        found.new += 1;
    } else {
        bail!("killed before system call {call}: {after:?} is neither {old:?} nor {new:?}");
    }
    // It stays so: nothing is left that changes it later.
    let status = lsmpc(&["status"])?;
    ensure!(
        status.code.is_some_and(|code| code <= 2) && !status.text().is_empty(),
        "status after the kill: {status:?}"
    );
    let later = probe(actor)?;
    ensure!(later == after, "{after:?} became {later:?}");
    if point % 4 == 3 || change.new.is_empty() {
        cli::remove()
            .with_context(|| format!("killed before system call {call}: {}", status.text()))?;
        bpf::await_no_links()?;
        let gone = probe(actor)?;
        ensure!(gone == Change::enforced(""), "after remove: {gone:?}");
    } else {
        cli::apply(&change.new)
            .with_context(|| format!("killed before system call {call}: {}", status.text()))?;
        let recovered = probe(actor)?;
        ensure!(recovered == new, "recovered: {recovered:?}, not {new:?}");
    }
    Ok(true)
}

fn one_change(
    report: &mut Report,
    change: &Change,
    actor: &mut Actor,
    (keep, out_of): (usize, usize),
) -> Result<()> {
    let started = Instant::now();
    change.set_up()?;
    let [changes, calls, all] = count_calls(change)?;
    let mut found = Found::default();
    let mut tested = 0;
    for point in 0..=changes {
        if point * keep % out_of >= keep {
            continue;
        }
        let went_on = one_point(change, actor, point, &mut found)
            .with_context(|| format!("kill point {point} of {changes}"))?;
        if !went_on {
            break;
        }
        tested += 1;
    }
    ensure!(found.old > 0, "the old policy was never found in force");
    report.say(&format!(
        "{}: {all} system calls, {changes} of them change something; killed at {tested} points: {} times the old policy in force, {} times the new one; {} s",
        change.name,
        found.old,
        found.new,
        started.elapsed().as_secs(),
    ));
    report.json(&json!({
        "suite": "kill9",
        "kernel": machine::release(),
        "change": change.name,
        "points": tested,
        "calls": all,
        "calls_that_take_part": calls,
        "calls_that_change": changes,
        "old": found.old,
        "new": found.new,
    }))
}

fn run(report: &mut Report, arguments: &[String]) -> Result<()> {
    let share = match arguments {
        [] => (1, 1),
        [keep, out_of] => (keep.parse()?, out_of.parse()?),
        _ => bail!("arguments: KEEP,OUT-OF"),
    };
    fs::create_dir_all("/t")?;
    for path in ["/t/a", "/t/b", "/t/u"] {
        fs::write(path, "x")?;
    }
    let mut actor = Actor::start("/t/actor")?;
    for change in changes() {
        let result = one_change(report, &change, &mut actor, share);
        report.test(&format!("kill9::{}", change.name), || result);
    }
    report.test("kill9::nothing_is_left", || {
        cli::remove()?;
        bpf::await_no_links()
    });
    Ok(())
}
