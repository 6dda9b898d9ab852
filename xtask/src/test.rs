//! `cargo xtask test`: the host's tests, then the suites in guests, and one
//! closing line that counts them all.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::{Condvar, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::architecture::Architecture;
use crate::console::Verdict;
use crate::kernels::{self, Kernel};
use crate::progress::{Step, note};
use crate::suites::{ROWS, Row};
use crate::tally::Tally;
use crate::vm::{self, Outcome, Spec};
use crate::{ebpf, image, matrix, process, qemu};

/// Run the host's tests, then the suites in guests.
#[derive(Args, Default)]
pub(crate) struct Arguments {
    /// Leave out the guests
    #[arg(long, conflicts_with_all = ["guests_only", "kernels", "suites"])]
    host_only: bool,
    /// Leave out the host's tests
    #[arg(long)]
    guests_only: bool,
    /// Only guests with this kernel; may be repeated
    #[arg(long = "kernel", value_name = "NAME")]
    kernels: Vec<String>,
    /// Only this suite; may be repeated
    #[arg(long = "suite", value_name = "NAME")]
    suites: Vec<String>,
    /// Only guest tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// The processor of the guests
    #[arg(
        long,
        value_enum,
        default_value = "x86_64",
        conflicts_with = "write_kernels"
    )]
    architecture: Architecture,
    /// Processors that guests may use at the same time
    #[arg(long, value_name = "N")]
    jobs: Option<u32>,
    /// Write what was seen on which kernel to docs/kernels.md; a run of all guests
    /// writes it to target/kernels.md
    #[arg(long, conflicts_with_all = ["host_only", "only"])]
    write_kernels: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    let tally = tally(arguments)?;
    println!("{tally}");
    Ok(tally.failed == 0)
}

/// Runs what is asked for and counts it, without the closing line.
pub(crate) fn tally(arguments: &Arguments) -> Result<Tally> {
    let mut tally = Tally::default();
    if !arguments.guests_only && !filtered(arguments) {
        tally += host()?;
    }
    if !arguments.host_only {
        tally += guests(arguments)?;
    }
    Ok(tally)
}

/// Whether only a part of the guests is asked for.
fn filtered(arguments: &Arguments) -> bool {
    !arguments.kernels.is_empty()
        || !arguments.suites.is_empty()
        || arguments.only.is_some()
        || arguments.architecture != Architecture::default()
}

/// `cargo test` for the workspace, its output passed on.
fn host() -> Result<Tally> {
    note("running the host's tests");
    let mut command = process::cargo();
    command
        .args(["test", "--workspace", "--no-fail-fast"])
        .stdout(Stdio::piped());
    let mut child = command.spawn().context("starting cargo test")?;
    let mut tally = Tally::default();
    let stdout = child
        .stdout
        .take()
        .context("cargo test has no standard output")?;
    for line in BufReader::new(stdout).lines() {
        let line = line.context("reading what cargo test says")?;
        println!("{line}");
        if let Some(counted) = Tally::of_harness_line(&line) {
            tally += counted;
        }
    }
    let status = child.wait().context("waiting for cargo test")?;
    if !status.success() && tally.failed == 0 {
        eprintln!("xtask: cargo test failed ({status}) outside of a test");
        tally.failed += 1;
    }
    Ok(tally)
}

/// A guest to run, and how many processors it takes.
struct Job {
    title: String,
    spec: Spec,
}

fn guests(arguments: &Arguments) -> Result<Tally> {
    let jobs = jobs(arguments)?;
    let processors = std::thread::available_parallelism().map_or(1, |number| number.get() as u32);
    let slots = Slots::new(arguments.jobs.unwrap_or(processors).max(1));
    let step = Step::start(format!("running {} guests", jobs.len()));
    let tally = Mutex::new(Tally::default());
    let seen = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for job in &jobs {
            let taken = slots.take(job.spec.smp);
            let (tally, seen, step, slots) = (&tally, &seen, &step, &slots);
            scope.spawn(move || {
                let outcome = vm::run_guest(&job.spec, |_| {});
                slots.give_back(taken);
                let counted = say(step, &job.title, &outcome);
                if let Ok(outcome) = outcome {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.extend(outcome.json);
                }
                *tally.lock().unwrap_or_else(PoisonError::into_inner) += counted;
            });
        }
    });
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    step.done(&tally.to_string().replace(',', " and"));
    let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    if arguments.write_kernels {
        matrix::write(&seen, "docs/kernels.md")?;
    } else if !filtered(arguments)
        && let Err(error) = matrix::write(&seen, "target/kernels.md")
    {
        note(&format!("no table of kernels: {error:#}"));
    }
    Ok(tally)
}

/// The rows of the table that are asked for, each on each of its kernels.
fn jobs(arguments: &Arguments) -> Result<Vec<Job>> {
    qemu::for_architecture(arguments.architecture)?;
    let wanted = |list: &[String], name: &str| list.is_empty() || list.iter().any(|it| it == name);
    let rows: Vec<&Row> = ROWS
        .iter()
        .filter(|row| wanted(&arguments.suites, row.suite))
        .collect();
    if rows.is_empty() {
        bail!(
            "the table of suites has no row for {}",
            arguments.suites.join(", ")
        );
    }
    let mut kernels = BTreeMap::<&str, Kernel>::new();
    // A kernel outside the table is one that every row can be tried on.
    let named: Vec<&str> = arguments.kernels.iter().map(String::as_str).collect();
    let mut pairs = Vec::new();
    for row in rows {
        let names: Vec<&str> = if named.is_empty() {
            row.kernels.to_vec()
        } else {
            let tested =
                |name: &&str| row.kernels.contains(name) || !kernels::TESTED.contains(name);
            named.iter().copied().filter(tested).collect()
        };
        for name in names {
            if !kernels.contains_key(name) {
                let kernel = kernels::ensure_all_for(arguments.architecture, &[name])?.pop();
                kernels.insert(name, kernel.context("no kernel was resolved")?);
            }
            pairs.push((row, name));
        }
    }
    // One image for all: each kernel finds its modules under its own name.
    let suites = pairs.iter().map(|(row, _)| row.suite);
    let mut extras = image::tests_of(arguments.architecture, suites)?;
    extras.extend(
        kernels
            .values()
            .flat_map(|kernel| kernel.modules.iter().cloned()),
    );
    let image = image::build_for(arguments.architecture, &extras)?;
    let mut jobs = Vec::new();
    for (row, name) in pairs {
        let Some(kernel) = kernels.get(name) else {
            continue;
        };
        let mut spec = Spec::new(kernel.clone(), image.clone(), row.suite);
        spec.arguments = row.arguments.iter().map(|&word| word.to_owned()).collect();
        spec.smp = row.smp;
        spec.append = row.append.to_owned();
        spec.lsm = row.lsm.to_owned();
        spec.timeout = row.timeout;
        spec.only = arguments.only.clone();
        spec.environment = ebpf::guest_environment();
        let title = format!("{name} {}", row.title());
        jobs.push(Job { title, spec });
    }
    if jobs.is_empty() {
        bail!("no suite runs on {}", arguments.kernels.join(", "));
    }
    Ok(jobs)
}

/// Says what came of one guest, and counts it.
fn say(step: &Step, title: &str, outcome: &Result<Outcome>) -> Tally {
    let mut tally = Tally::default();
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            step.line(&format!("guest {title}: FAILED to start: {error:#}"));
            tally.failed += 1;
            return tally;
        }
    };
    for test in &outcome.tests {
        match &test.verdict {
            Verdict::Ok => tally.passed += 1,
            Verdict::Failed(reason) => {
                tally.failed += 1;
                step.line(&format!(
                    "guest {title}: test {} FAILED: {reason}",
                    test.name
                ));
            }
            Verdict::Skipped(reason) => {
                tally.skipped += 1;
                step.line(&format!(
                    "guest {title}: test {} skipped: {reason}",
                    test.name
                ));
            }
        }
    }
    if let Some(why) = &outcome.broken {
        tally.failed += 1;
        step.line(&format!(
            "guest {title}: FAILED: {why}; the end of its console:"
        ));
        step.line(&outcome.last_lines());
    }
    let seconds = outcome.elapsed.as_secs_f64();
    let ok = if outcome.passed() { "ok" } else { "FAILED" };
    step.line(&format!(
        "guest {title}: {ok} ({} ok, {} failed, {} skipped, {seconds:.1} s)",
        tally.passed, tally.failed, tally.skipped
    ));
    tally
}

/// Processors that guests share.
struct Slots {
    all: u32,
    free: Mutex<u32>,
    given_back: Condvar,
}

impl Slots {
    fn new(all: u32) -> Self {
        Self {
            all,
            free: Mutex::new(all),
            given_back: Condvar::new(),
        }
    }

    /// Waits until `wanted` are free, or all of them when there are fewer.
    fn take(&self, wanted: u32) -> u32 {
        let wanted = wanted.min(self.all);
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .given_back
            .wait_while(free, |free| *free < wanted)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= wanted;
        wanted
    }

    fn give_back(&self, taken: u32) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += taken;
        self.given_back.notify_all();
    }
}
