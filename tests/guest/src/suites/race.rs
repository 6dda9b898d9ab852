//! `race`: tasks on one processor that interrupt each other inside the hook
//! programs, and never get each other's verdict.
//!
//! Arguments: `SECONDS` (default 60), and `VARIANT` for an object that is
//! known to mix them up: then the suite passes if it is caught.
//!
//! Two tasks open a denied and an allowed path of the same length in turn. A
//! third and a fourth, of real-time priority, wake up at odd moments and open
//! the other kind, so that with full preemption they run while one of the
//! first two is between reading its path and matching it.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use super::Suite;
use crate::actor::Actor;
use crate::cli;
use crate::console::Report;
use crate::machine;

pub(crate) const SUITE: Suite = Suite { name: "race", run };

// Names too long to lie in their dentries: such paths take a slot.
const DENIED: &str =
    "/t/some/directory/of/files/denied-file-with-a-name-that-does-not-lie-in-its-dentry-0";
const ALLOWED: &str =
    "/t/some/directory/of/files/allowed-file-with-a-name-that-does-not-lie-in-its-dentry0";
const STOP: &str = "/run/race-stop";

fn run(report: &mut Report, arguments: &[String]) -> Result<()> {
    let seconds: u64 = arguments.first().map_or(Ok(60), |word| word.parse())?;
    let variant = arguments.get(1).map(String::as_str);
    fs::create_dir_all("/t/some/directory/of/files")?;
    fs::write(DENIED, "x")?;
    fs::write(ALLOWED, "x")?;
    cli::apply_with(
        variant,
        &format!("@quiet(true) deny file_open when path == \"{DENIED}\"\n"),
    )?;
    let started = Instant::now();
    let mut total = Totals::default();
    while started.elapsed().as_secs() < seconds {
        total.add(&burst(Duration::from_secs(seconds.min(5)))?)?;
        if variant.is_some() && total.wrong() > 0 {
            break;
        }
    }
    let elapsed = started.elapsed().as_secs();
    report.say(&format!(
        "{elapsed} s: {} opens of a denied path, {} of them let through; {} of an allowed path, {} of them refused",
        total.denied, total.let_through, total.allowed, total.refused
    ));
    report.json(&json!({
        "suite": "race",
        "kernel": machine::release(),
        "variant": variant,
        "seconds": elapsed,
        "denied": total.denied,
        "let_through": total.let_through,
        "allowed": total.allowed,
        "refused": total.refused,
    }))?;
    match variant {
        None => report.test("race::no_task_gets_anothers_verdict", || {
            ensure!(total.denied > 1000 && total.allowed > 1000, "too few opens");
            ensure!(total.wrong() == 0, "{} wrong verdicts", total.wrong());
            Ok(())
        }),
        Some(_) => report.test("race::the_broken_variant_is_caught", || {
            ensure!(total.wrong() > 0, "no wrong verdict in {elapsed} s");
            Ok(())
        }),
    }
    cli::remove()
}

#[derive(Default)]
struct Totals {
    denied: u64,
    let_through: u64,
    allowed: u64,
    refused: u64,
}

impl Totals {
    fn wrong(&self) -> u64 {
        self.let_through + self.refused
    }

    fn add(&mut self, tallies: &[Value]) -> Result<()> {
        for tally in tallies.iter().filter_map(Value::as_array).flatten() {
            let count = |key: &str| tally[key].as_u64().unwrap_or(0);
            if count("other") > 0 {
                bail!("an open failed for another reason: {tally}");
            }
            if tally["path"] == DENIED {
                self.denied += count("opened") + count("refused");
                self.let_through += count("opened");
            } else {
                self.allowed += count("opened") + count("refused");
                self.refused += count("refused");
            }
        }
        Ok(())
    }
}

/// Runs the tasks for a while; what each counted.
fn burst(time: Duration) -> Result<Vec<Value>> {
    let _ = fs::remove_file(STOP);
    let mut actors = Vec::new();
    for (name, paths) in [
        ("/t/denied", [DENIED, DENIED]),
        ("/t/mixed", [ALLOWED, DENIED]),
    ] {
        let mut actor = Actor::start(name)?;
        actor.tell(&["loop", STOP, paths[0], paths[1]])?;
        actors.push(actor);
    }
    for (name, microseconds, path) in [
        ("/t/urgent", "370", ALLOWED),
        ("/t/pressing", "530", DENIED),
    ] {
        let mut actor = Actor::start(name)?;
        actor.tell(&["pulse", STOP, microseconds, path])?;
        actors.push(actor);
    }
    std::thread::sleep(time);
    fs::write(STOP, "")?;
    actors
        .iter_mut()
        .map(|actor| actor.answer()?.done())
        .collect()
}
