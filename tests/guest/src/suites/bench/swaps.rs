//! Exchanging one policy for another, by the guest's clock: what is waited for counts,
//! too.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use lsmpc_runtime::{ApplyOptions, Runtime, Step};
use serde_json::json;

use super::{Row, apply_image, count, image, remove, test};
use crate::bpf;
use crate::console::Report;

const GROUP: &str = "swap";
const SLOT: &str = "/sys/fs/bpf/lsmpc/maps/POLICY";
/// Swaps of which the median is taken.
const TIMES: usize = 21;
/// The time between two of the kernel's ticks, with which grace periods end.
const TICK: Duration = Duration::from_millis(4);
const RULES: [u64; 2] = [1, 10_000];

pub(super) fn run(report: &mut Report) {
    for rules in RULES {
        let Some(image) = image(&format!("open-{rules}")) else {
            continue;
        };
        test(report, &format!("bench::swap::{rules}"), |report| {
            first_and_next(report, &image, rules)?;
            swaps(report, &fs::read(&image)?, rules)?;
            remove()
        });
    }
}

/// Waits, the processor in use, so that of all the times that something is measured each
/// begins at another moment between two ticks: how long a grace period takes depends on it.
fn spread(time: usize) -> Duration {
    let wait = TICK.mul_f64(time as f64 / TIMES as f64);
    let start = Instant::now();
    while start.elapsed() < wait {
        std::hint::spin_loop();
    }
    start.elapsed()
}

/// How long something took.
#[derive(Clone, Copy)]
struct Took {
    all: Duration,
    /// While this process had the processor.
    busy: Option<Duration>,
}

impl Took {
    /// The same without what was spent in between, the processor in use.
    fn without(self, spent: Duration) -> Self {
        Self {
            all: self.all.saturating_sub(spent),
            busy: self.busy.map(|busy| busy.saturating_sub(spent)),
        }
    }
}

/// A moment, by both clocks.
#[derive(Clone, Copy)]
struct Moment {
    at: Instant,
    busy: Duration,
}

impl Moment {
    fn now() -> Self {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: a structure to be filled.
        unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
        Self {
            at: Instant::now(),
            busy: Duration::new(time.tv_sec as u64, time.tv_nsec as u32),
        }
    }

    fn until(self, end: Self) -> Took {
        Took {
            all: end.at - self.at,
            busy: Some(end.busy.saturating_sub(self.busy)),
        }
    }
}

/// The median by each clock.
fn median(times: &[Took]) -> Result<Took> {
    let middle = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    };
    Ok(Took {
        all: middle(times.iter().map(|took| took.all).collect()).context("no time")?,
        busy: middle(times.iter().filter_map(|took| took.busy).collect()),
    })
}

fn say(
    report: &mut Report,
    name: &str,
    series: &'static str,
    rules: u64,
    took: Took,
) -> Result<()> {
    let microseconds = |time: Duration| (time.as_secs_f64() * 10_000_000.0).round() / 10.0;
    let counted = json!({
        "microseconds": microseconds(took.all),
        "without_waiting": took.busy.map(microseconds),
    });
    Row::of(GROUP, name, series, rules).say(report, counted)
}

/// `lsmpc apply` as a process, on a machine without programs and once they are there.
fn first_and_next(report: &mut Report, image: &str, rules: u64) -> Result<()> {
    let count = count(rules, "rule");
    for (name, series) in [
        ("`lsmpc apply`, nothing loaded before", "first"),
        ("`lsmpc apply`, again", "again"),
    ] {
        let start = Instant::now();
        apply_image(image)?;
        let took = Took {
            all: start.elapsed(),
            busy: None,
        };
        say(report, &format!("{name} ({count})"), series, rules, took)?;
    }
    Ok(())
}

fn swaps(report: &mut Report, image: &[u8], rules: u64) -> Result<()> {
    let count = count(rules, "rule");
    let runtime = Runtime::default();
    let mut whole = Vec::new();
    let mut commit = Vec::new();
    for time in 0..TIMES {
        let start = Moment::now();
        let mut stored = start;
        let mut published = start;
        let mut spent = Duration::ZERO;
        runtime.apply(image, &ApplyOptions::default(), |step| match step {
            Step::ImageStored => {
                spent = spread(time);
                stored = Moment::now();
            }
            Step::Published => published = Moment::now(),
            _ => {}
        })?;
        whole.push(start.until(Moment::now()).without(spent));
        commit.push(stored.until(published));
    }
    let slot = bpf::Map::pinned(SLOT)?;
    let mut bare = Vec::new();
    for time in 0..TIMES {
        let table = bpf::Map::of_pages(image)?;
        spread(time);
        let start = Moment::now();
        slot.set_map(0, &table)?;
        bare.push(start.until(Moment::now()));
    }
    let name = format!("a bare update of the map ({count})");
    say(report, &name, "bare", rules, median(&bare)?)?;
    let name = format!("a swap, from the tables stored to the policy in force ({count})");
    say(report, &name, "commit", rules, median(&commit)?)?;
    let name = format!("a swap as a whole, with checking and storing ({count})");
    say(report, &name, "whole", rules, median(&whole)?)
}
