//! `bench`: what programs and policies cost, in a guest in which one nanosecond is one
//! instruction.
//!
//! Argument `bare`: only what nothing costs, for a guest that starts without AppArmor.
//!
//! What `cargo xtask bench` has compiled is under `/material`; where something is not
//! there, its rows are left out. Each row is JSON with `group`, `row` and what was
//! counted; `series` and `rules` tell rows apart that are one curve. A set-up is measured
//! until two samples agree, after the caches of the guest's kernel have warmed up.

mod apparmor;
mod calls;
mod opens;
mod records;
mod reference;
mod swaps;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value, json};

use super::Suite;
use crate::actor::Actor;
use crate::bpf;
use crate::cli;
use crate::console::Report;

pub(crate) const SUITE: Suite = Suite { name: "bench", run };

/// Batches of rounds in a sample.
const BATCHES: u64 = 64;
/// Instructions that a batch is about to take: far fewer than between two ticks of the
/// kernel's clock.
const BATCH: u64 = 100_000;
/// Samples that may disagree before a set-up is given up.
const MOST_SAMPLES: usize = 60;
/// The path that is opened: 39 bytes, 5 components.
const PATH: &str = "/bench/directory/with-a-few/names/afile";
/// Its directory.
const DIRECTORY: &str = "/bench/directory/with-a-few/names";
/// A program beside it.
const PROGRAM: &str = "/bench/directory/with-a-few/names/tiny";
/// The actor that opens it.
const OPENER: &str = "/usr/bin/opener";
const OPEN: &[&str] = &["open", PATH];

/// One row.
struct Row<'a> {
    group: &'static str,
    name: &'a str,
    /// The curve that it is a point of, and how many rules there are.
    series: Option<(&'static str, u64)>,
}

impl<'a> Row<'a> {
    const fn new(group: &'static str, name: &'a str) -> Self {
        Self {
            group,
            name,
            series: None,
        }
    }

    const fn of(group: &'static str, name: &'a str, series: &'static str, rules: u64) -> Self {
        Self {
            group,
            name,
            series: Some((series, rules)),
        }
    }

    /// Says what was counted.
    fn say(&self, report: &mut Report, counted: Value) -> Result<()> {
        let mut row = Map::new();
        row.insert("group".into(), json!(self.group));
        row.insert("row".into(), json!(self.name));
        if let Some((series, rules)) = self.series {
            row.insert("series".into(), json!(series));
            row.insert("rules".into(), json!(rules));
        }
        if let Value::Object(counted) = counted {
            row.extend(counted);
        }
        report.json(&row)
    }

    /// Says instructions, and how many more they are than those of `nothing`.
    fn cost(&self, report: &mut Report, instructions: u64, nothing: u64) -> Result<()> {
        let over = instructions as i64 - nothing as i64;
        self.say(
            report,
            json!({ "instructions": instructions, "over_nothing": over }),
        )
    }
}

/// The task that makes the measured calls.
struct Bench {
    actor: Actor,
}

fn run(report: &mut Report, arguments: &[String]) -> Result<()> {
    ensure!(PATH.len() == 39 && PATH.split('/').count() == 6);
    fs::create_dir_all(DIRECTORY)?;
    fs::write(PATH, "x")?;
    fs::write(opens::SPARE, "x")?;
    fs::write(PROGRAM, super::enforce::tiny_program())?;
    fs::set_permissions(PROGRAM, fs::Permissions::from_mode(0o755))?;
    fs::write(opens::RENAMED[0], "x")?;
    let mut bench = Bench {
        actor: Actor::start(OPENER)?,
    };
    if arguments.first().is_some_and(|word| word == "bare") {
        opens::bare(report, &mut bench);
        return Ok(());
    }
    opens::run(report, &mut bench);
    apparmor::run(report, &mut bench);
    calls::run(report, &mut bench);
    swaps::run(report);
    records::run(report, &mut bench);
    Ok(())
}

/// As [`Report::test`], for what says rows itself.
fn test(report: &mut Report, name: &str, body: impl FnOnce(&mut Report) -> Result<()>) {
    if report.wants(name) {
        let result = body(report);
        report.test(name, || result);
    }
}

/// Takes whatever policy is in force out of force.
fn remove() -> Result<()> {
    cli::remove()?;
    bpf::await_no_links()
}

/// An image that the host has compiled.
fn image(name: &str) -> Option<String> {
    let path = format!("/material/policies/{name}.img");
    fs::exists(&path).is_ok_and(|there| there).then_some(path)
}

/// Puts an image in force.
fn apply_image(path: &str) -> Result<()> {
    cli::lsmpc(&["apply", path])?.expect_code(0)?;
    Ok(())
}

/// A number of things, for people.
fn count(number: u64, what: &str) -> String {
    let digits = match (number / 1000, number % 1000) {
        (0, rest) => rest.to_string(),
        (thousands, rest) => format!("{thousands} {rest:03}"),
    };
    let s = if number == 1 { "" } else { "s" };
    format!("{digits} {what}{s}")
}

impl Bench {
    /// Instructions of one round of calls, once two samples agree.
    fn settled(&mut self, calls: &[&str]) -> Result<u64> {
        self.settled_by("wall", calls)
    }

    /// The same by another clock.
    fn settled_by(&mut self, clock: &str, calls: &[&str]) -> Result<u64> {
        let one = self.sample(clock, 1, calls)?;
        let rounds = (BATCH / one.max(1)).max(1);
        let mut last = None;
        let mut seen = Vec::new();
        for _ in 0..MOST_SAMPLES {
            let one = self.sample(clock, rounds, calls)?;
            if last.is_some_and(|last| agree(last, one)) {
                return Ok(one);
            }
            last = Some(one);
            seen.push(one);
        }
        bail!("no two samples agree: {seen:?}");
    }

    /// Instructions of one round, from batches of so many.
    fn sample(&mut self, clock: &str, rounds: u64, calls: &[&str]) -> Result<u64> {
        let [batches, rounds] = [BATCHES, rounds].map(|number| number.to_string());
        let mut words = vec!["measure", clock, &batches, &rounds];
        words.extend(calls);
        let one = self.actor.must(&words)?.as_f64().context("no number")?;
        Ok(one.round() as u64)
    }
}

/// Whether two samples are the same. What sleeps and wakes up does not come out the same
/// each time.
fn agree(one: u64, other: u64) -> bool {
    one.abs_diff(other) <= (one / 2000).max(1)
}
