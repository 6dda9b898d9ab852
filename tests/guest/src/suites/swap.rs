//! `swap`: one policy is exchanged for another, over and over, while tasks on
//! two processors make the calls that the two judge differently.
//!
//! The first swaps are whole runs of the runtime's `apply`. The others are what
//! it does at its commit point and nothing else, so that there can be many: a new
//! array of pages with an epoch of its own, and one update of the slot.
//!
//! Arguments: `SWAPS` (default 10 000), and `VARIANT` for an object that is
//! known to mix two policies: then the suite passes if it is caught.
//!
//! A denies X and Y2 and audits Y1, B denies X and Y1 and audits Y2, once as
//! files that are opened and once as ports that are connected to. So every call
//! leaves a record that says which policy decided. The policies differ in size,
//! and with it in where the tables for ports begin: a decision begun by one and
//! ended by the other meets tables that make no sense there.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::H_EPOCH;
use lsmpc_abi::state::Counter;
use lsmpc_runtime::events::{EventItem, EventReader, EventRecord, Text, Value};
use lsmpc_runtime::{ApplyOptions, Runtime};
use serde_json::json;

use super::Suite;
use crate::actor::Actor;
use crate::bpf;
use crate::cli;
use crate::console::Report;
use crate::machine;

pub(crate) const SUITE: Suite = Suite { name: "swap", run };

/// What is opened and connected to: X, Y1 and Y2, twice.
const OBJECTS: [&str; 6] = ["/t/x", "/t/y1", "/t/y2", "udp:4001", "udp:4002", "udp:4003"];
/// Which of them are X.
const NEVER: [usize; 2] = [0, 3];
const STOP: &str = "/run/swap-stop";
/// How many swaps go through the runtime.
const BY_RUNTIME: u32 = 20;
/// Epochs of the other swaps: none that the runtime gave out.
const FIRST_EPOCH: u32 = 1_000_000;
/// The map whose slot holds the policy in force.
const SLOT: &str = "/sys/fs/bpf/lsmpc/maps/POLICY";

/// How many rules the policies have besides, so that their tables differ.
const FILLERS: [usize; 2] = [5, 400];

/// What each policy refuses.
const DENIED: [[bool; 6]; 2] = [
    [true, false, true, true, false, true],
    [true, true, false, true, true, false],
];

fn policy(which: usize) -> String {
    let mut text = String::new();
    for number in 0..FILLERS[which] {
        text += &format!("deny file_open when path == \"/none/{which}/{number}/*.key\"\n");
    }
    for (object, denied) in OBJECTS.iter().zip(DENIED[which]) {
        let effect = if denied { "deny" } else { "audit" };
        text += &match object.strip_prefix("udp:") {
            Some(port) => format!("{effect} socket_connect when port == {port}\n"),
            None => format!("{effect} file_open when path == \"{object}\"\n"),
        };
    }
    text
}

/// Which of the objects a record is about.
fn object_of(event: &EventRecord) -> Option<usize> {
    let path = event.texts.iter().find_map(|(field, text)| match text {
        Text::Known(path) if *field == FieldId::Path => {
            Some(String::from_utf8_lossy(path).into_owned())
        }
        _ => None,
    });
    let port = event.values.iter().find_map(|(field, value)| match value {
        Value::Number(port) if *field == FieldId::Port => Some(format!("udp:{port}")),
        _ => None,
    });
    let name = path.or(port)?;
    OBJECTS.iter().position(|object| **object == name)
}

/// What records said: how often per epoch, object, return value and outcome.
type Said = BTreeMap<(u32, usize, i32, u32), u64>;

/// What the reader collected.
#[derive(Default)]
struct Read {
    said: Said,
    lost: u64,
    damaged: u64,
}

fn read_events(mut reader: EventReader, stop: &AtomicBool) -> Result<Read> {
    let mut read = Read::default();
    loop {
        match reader.next(Some(Duration::from_millis(200)))? {
            Some(EventItem::Event(event)) => {
                let object = object_of(&event).unwrap_or(OBJECTS.len());
                *read
                    .said
                    .entry((event.epoch, object, event.ret, event.outcome))
                    .or_default() += 1;
            }
            Some(EventItem::Lost(lost)) => read.lost += lost.full + lost.rate + lost.busy,
            Some(_) => read.damaged += 1,
            None if stop.load(Ordering::Relaxed) => return Ok(read),
            None => {}
        }
    }
}

/// What a whole run showed.
struct Observed {
    swaps: u32,
    seconds: u64,
    /// Per object: allowed, refused.
    calls: [(u64, u64); 6],
    read: Read,
    /// Which policy each epoch was.
    epochs: BTreeMap<u32, usize>,
    faults: u64,
    links_changed: bool,
}

fn observe(swaps: u32, variant: Option<&str>, report: &mut Report) -> Result<Observed> {
    let mut runtime = Runtime::default();
    if let Some(variant) = variant {
        runtime = runtime.with_object(cli::variant(variant));
    }
    let mut options = ApplyOptions::default();
    options.rate = 0;
    options.event_bytes = 1 << 23;
    let images = [cli::build(&policy(0))?, cli::build(&policy(1))?];
    let mut epochs = BTreeMap::new();
    let first = runtime.apply(&images[0], &options, |_| {})?;
    epochs.insert(first.epoch, 0);
    let links = bpf::lsm_links()?;
    let faults = runtime.counters()?.get(Counter::Fault);

    let stop = Arc::new(AtomicBool::new(false));
    let reader = runtime.events()?;
    let reading = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || read_events(reader, &stop))
    };
    let _ = fs::remove_file(STOP);
    let mut loads = Vec::new();
    for name in ["/t/load-one", "/t/load-two"] {
        let mut load = Actor::start(name)?;
        let words: Vec<&str> = ["loop", STOP].into_iter().chain(OBJECTS).collect();
        load.tell(&words)?;
        loads.push(load);
    }
    let started = Instant::now();
    let slot = bpf::Map::pinned(SLOT)?;
    let mut done = 0;
    for swap in 1..=swaps {
        let which = swap as usize % 2;
        if swap <= BY_RUNTIME {
            let applied = runtime.apply(&images[which], &options, |_| {})?;
            epochs.insert(applied.epoch, which);
        } else {
            let epoch = FIRST_EPOCH + swap;
            let mut image = images[which].clone();
            image[H_EPOCH..H_EPOCH + 4].copy_from_slice(&epoch.to_le_bytes());
            epochs.insert(epoch, which);
            slot.set_map(0, &bpf::Map::of_pages(&image)?)?;
        }
        done = swap;
        if swap % 2000 == 0 || swap == BY_RUNTIME {
            report.say(&format!(
                "{swap} swaps in {} s",
                started.elapsed().as_secs()
            ));
        }
        // A variant need only be caught.
        if variant.is_some() && swap % 100 == 0 && runtime.counters()?.get(Counter::Fault) > faults
        {
            break;
        }
    }
    fs::write(STOP, "")?;
    let mut calls = [(0, 0); 6];
    for load in &mut loads {
        let tallies = load.answer()?.done()?;
        for (all, tally) in calls
            .iter_mut()
            .zip(tallies.as_array().into_iter().flatten())
        {
            ensure!(tally["other"] == 0, "a call failed otherwise: {tally}");
            all.0 += tally["opened"].as_u64().unwrap_or(0);
            all.1 += tally["refused"].as_u64().unwrap_or(0);
        }
    }
    stop.store(true, Ordering::Relaxed);
    let read = reading
        .join()
        .ok()
        .context("the reader of events panicked")??;
    let observed = Observed {
        swaps: done,
        seconds: started.elapsed().as_secs(),
        calls,
        read,
        epochs,
        faults: runtime.counters()?.get(Counter::Fault) - faults,
        links_changed: bpf::lsm_links()? != links,
    };
    report.say(&format!(
        "{} swaps in {} s; {} records, {} lost; allowed and refused:",
        observed.swaps,
        observed.seconds,
        observed.read.said.values().sum::<u64>(),
        observed.read.lost,
    ));
    for (object, (allowed, refused)) in OBJECTS.iter().zip(observed.calls) {
        report.say(&format!("  {object:<9} {allowed:>8} {refused:>8}"));
    }
    Ok(observed)
}

/// Everything that no single policy explains.
fn unexplained(observed: &Observed) -> Vec<String> {
    let mut problems = Vec::new();
    for never in NEVER {
        let (allowed, _) = observed.calls[never];
        if allowed > 0 {
            problems.push(format!("{} was allowed {allowed} times", OBJECTS[never]));
        }
    }
    if observed.faults > 0 {
        problems.push(format!(
            "{} events met tables that made no sense",
            observed.faults
        ));
    }
    if observed.read.damaged > 0 {
        problems.push(format!("{} records made no sense", observed.read.damaged));
    }
    // The outcome that each policy has for each object, as first seen.
    let mut outcomes = BTreeMap::new();
    for (&(epoch, object, ret, outcome), &times) in &observed.read.said {
        let name = OBJECTS.get(object).copied().unwrap_or("another object");
        let Some(&which) = observed.epochs.get(&epoch) else {
            problems.push(format!("{times} records are of the unknown epoch {epoch}"));
            continue;
        };
        let expected = DENIED[which]
            .get(object)
            .map(|&denied| if denied { -libc::EPERM } else { 0 });
        if expected != Some(ret) {
            problems.push(format!(
                "{times} times policy {which} returned {ret} for {name}"
            ));
        }
        let known = *outcomes.entry((which, object)).or_insert(outcome);
        if known != outcome {
            problems.push(format!(
                "policy {which} decided {name} by outcomes {known} and {outcome}"
            ));
        }
    }
    problems
}

fn run(report: &mut Report, arguments: &[String]) -> Result<()> {
    let swaps: u32 = arguments.first().map_or(Ok(10_000), |word| word.parse())?;
    let variant = arguments.get(1).map(String::as_str);
    fs::create_dir_all("/t")?;
    for path in OBJECTS.iter().filter(|object| object.starts_with('/')) {
        fs::write(path, "x")?;
    }
    let observed = observe(swaps, variant, report)?;
    let problems = unexplained(&observed);
    report.json(&json!({
        "suite": "swap",
        "kernel": machine::release(),
        "variant": variant,
        "swaps": observed.swaps,
        "seconds": observed.seconds,
        "allowed": observed.calls.map(|(allowed, _)| allowed),
        "refused": observed.calls.map(|(_, refused)| refused),
        "records": observed.read.said.values().sum::<u64>(),
        "lost": observed.read.lost,
        "unexplained": problems.len(),
    }))?;
    for problem in problems.iter().take(5) {
        report.say(problem);
    }
    if variant.is_some() {
        report.test("swap::the_broken_variant_is_caught", || {
            ensure!(!problems.is_empty(), "nothing was seen in {swaps} swaps");
            Ok(())
        });
    } else {
        report.test("swap::every_event_is_explained_by_one_policy", || {
            ensure!(problems.is_empty(), "{}", problems.join("; "));
            Ok(())
        });
        report.test("swap::load_was_real", || {
            for (number, calls) in observed.calls.iter().enumerate() {
                ensure!(
                    calls.1 > 0 && (calls.0 > 0) != NEVER.contains(&number),
                    "{}: {calls:?}",
                    OBJECTS[number]
                );
            }
            ensure!(!observed.read.said.is_empty(), "no records");
            Ok(())
        });
        report.test("swap::links_are_the_same", || {
            ensure!(!observed.links_changed, "programs were attached anew");
            Ok(())
        });
    }
    cli::remove()
}
