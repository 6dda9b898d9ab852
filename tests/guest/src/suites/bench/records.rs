//! Records: what one costs over an open without, beside a program that only puts as many
//! bytes into a ring buffer; and what a flood of denials does to others.

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use aya::maps::{MapData, RingBuf};
use lsmpc_runtime::{ApplyOptions, Runtime};
use serde_json::json;

use super::reference::Reference;
use super::{BATCHES, Bench, OPEN, PATH, Row, agree, remove, test};
use crate::actor::Actor;
use crate::cli;
use crate::console::Report;

const GROUP: &str = "record";
const FLOOD: &str = "flood";
const EVENTS: &str = "/sys/fs/bpf/lsmpc/maps/EVENTS";
const SECRET: &str = "/bench/directory/with-a-few/names/secret";
const STOP: &str = "/run/bench-stop";
/// Opens in a batch. The ring buffers have room for the records of all batches.
const ROUNDS: u64 = 8;

pub(super) fn run(report: &mut Report, bench: &mut Bench) {
    test(report, "bench::record", |report| records(report, bench));
    test(report, "bench::flood", |report| {
        flood(report, bench)?;
        remove()
    });
}

/// Takes everything out of a ring buffer: how many records there were, and the bytes of
/// the largest.
fn drain(ring: &mut RingBuf<MapData>) -> (u64, usize) {
    let (mut records, mut largest) = (0, 0);
    while let Some(record) = ring.next() {
        records += 1;
        largest = largest.max(record.len());
    }
    (records, largest)
}

/// Instructions of an open that leaves a record, with room for each of them.
fn recorded(bench: &mut Bench, ring: &mut RingBuf<MapData>) -> Result<(u64, usize)> {
    let mut last = None;
    for _ in 0..super::MOST_SAMPLES {
        drain(ring);
        let one = bench.sample("wall", ROUNDS, OPEN)?;
        let (records, bytes) = drain(ring);
        let opens = ROUNDS * BATCHES;
        ensure!(records >= opens, "{opens} opens left {records} records");
        if last.is_some_and(|last| agree(last, one)) {
            return Ok((one, bytes));
        }
        last = Some(one);
    }
    bail!("no two samples agree");
}

fn records(report: &mut Report, bench: &mut Bench) -> Result<()> {
    let nothing = bench.settled(OPEN)?;
    Row::of(GROUP, "nothing attached", "nothing", 0).cost(report, nothing, nothing)?;

    let mut options = ApplyOptions::default();
    options.rate = 0;
    options.event_bytes = 1 << 23;
    let silent = format!("@quiet(true) deny file_open when path == \"{SECRET}\"\n");
    Runtime::default().apply(&cli::build(&silent)?, &options, |_| {})?;
    let decided = bench.settled(OPEN)?;
    let name = "a path rule about a file beside it, no record";
    Row::of(GROUP, name, "decided", 1).cost(report, decided, nothing)?;

    let audit = format!("audit file_open when path == \"{PATH}\"\n");
    Runtime::default().apply(&cli::build(&audit)?, &options, |_| {})?;
    let map = aya::maps::Map::from_map_data(MapData::from_pin(EVENTS)?)?;
    let mut ring: RingBuf<MapData> = map.try_into()?;
    let (one, bytes) = recorded(bench, &mut ring)?;
    let name = format!("an audit rule about it, a record of {bytes} bytes");
    Row::of(GROUP, &name, "audit", 1).cost(report, one, nothing)?;
    drop(ring);
    remove()?;

    let mut program = Reference::record(u32::try_from(bytes)?)?;
    let mut ring = program.records()?;
    let (one, bytes) = recorded(bench, &mut ring)?;
    let name = format!("a program that puts {bytes} bytes into a ring buffer");
    Row::of(GROUP, &name, "bare", 0).cost(report, one, nothing)?;
    drop(ring);
    program.detach()
}

/// What another program's open costs, by the time that it has the processor.
fn flood(report: &mut Report, bench: &mut Bench) -> Result<()> {
    fs::write(SECRET, "x")?;
    cli::apply(&format!("deny file_open when path == \"{SECRET}\"\n"))?;
    let before = bench.settled_by("own", OPEN)?;
    let say = |report: &mut Report, name, series, instructions: u64| {
        let over = instructions as i64 - before as i64;
        Row::of(FLOOD, name, series, 1).say(
            report,
            json!({ "instructions": instructions, "over_before": over }),
        )
    };
    say(report, "another's open, before", "before", before)?;
    let denied = bench.settled_by("own", &["open-refused", SECRET])?;
    say(report, "a denied open", "denied", denied)?;
    let _ = fs::remove_file(STOP);
    let mut flooding = Actor::start("/usr/bin/flooding")?;
    flooding.tell(&["loop", STOP, SECRET])?;
    let during = bench.settled_by("own", OPEN).context("during the flood");
    fs::write(STOP, "")?;
    let refused = flooding.answer()?.done()?[0]["refused"].as_u64();
    ensure!(
        refused.is_some_and(|refused| refused > 100),
        "only {refused:?} opens were denied meanwhile"
    );
    say(
        report,
        "another's open, during a flood of denials",
        "during",
        during?,
    )
}
