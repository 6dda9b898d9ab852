//! `events`: more records than anybody reads. What is lost is counted and
//! shown, verdicts never change, and a reader can come back.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::Suite;
use crate::actor::Actor;
use crate::cli::{self, Event, Events, lsmpc};
use crate::console::Report;
use crate::machine;

pub(crate) const SUITE: Suite = Suite {
    name: "events",
    run,
};

/// As many rules as it takes to fill the ring buffer in spite of the limit on
/// each rule's rate.
const RULES: usize = 400;

fn run(report: &mut Report, _arguments: &[String]) -> Result<()> {
    fs::create_dir_all("/t/many")?;
    fs::write("/t/secret", "x")?;
    report.test("events::one_rule_is_limited_and_counted", || {
        let row = one_rule()?;
        report_row(&row)
    });
    report.test("events::full_buffer_changes_no_verdict", || {
        let row = full_buffer()?;
        report_row(&row)
    });
    report.test("events::reader_comes_back", reader_comes_back);
    report.test("events::human_output_names_the_rule", human_output);
    report.test("events::other_forms_are_noticed", other_forms);
    report.say(&format!(
        "{} records and notices were of the documented form",
        cli::valid_records()
    ));
    report.test("events::remove", || {
        cli::remove()?;
        crate::bpf::await_no_links()
    });
    Ok(())
}

fn report_row(row: &Value) -> Result<()> {
    crate::console::line(&format!("json {row}"));
    Ok(())
}

/// Every number under a key that speaks of loss, anywhere in a value.
fn lost_in(value: &Value) -> u64 {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| {
                if key.contains("lost") && value.is_u64() {
                    value.as_u64().unwrap_or(0)
                } else if key.contains("lost") && value.is_object() {
                    value
                        .as_object()
                        .into_iter()
                        .flat_map(serde_json::Map::values)
                        .filter_map(Value::as_u64)
                        .sum()
                } else {
                    lost_in(value)
                }
            })
            .sum(),
        Value::Array(values) => values.iter().map(lost_in).sum(),
        _ => 0,
    }
}

/// What `lsmpc status` counts as lost.
fn lost_by_status() -> Result<u64> {
    let status = lsmpc(&["status", "--format", "json"])?.expect_code(0)?;
    let value: Value =
        serde_json::from_str(status.stdout.trim()).context("status is not one JSON value")?;
    Ok(lost_in(&value))
}

/// A record, not a notice of loss.
fn is_record(event: &Event) -> bool {
    !event.get("hook").is_null()
}

fn one_rule() -> Result<Value> {
    const TIMES: usize = 20_000;
    cli::apply("@id(\"one\") audit file_open when path == \"/t/secret\"\n")?;
    let lost_before = lost_by_status()?;
    let mut events = Events::follow()?;
    let mut actor = Actor::start("/t/actor")?;
    let done = actor.must(&["flood", &TIMES.to_string(), "/t/secret"])?;
    ensure!(
        done[0]["opened"] == json!(TIMES),
        "an audited path was refused: {done}"
    );
    let seen = events.settle(Duration::from_millis(800))?;
    let records = seen.iter().filter(|event| is_record(event)).count();
    let said_lost: u64 = seen
        .iter()
        .filter(|event| !is_record(event))
        .map(|event| lost_in(&event.0))
        .sum();
    let lost = lost_by_status()? - lost_before;
    ensure!(
        records as u64 + lost == TIMES as u64,
        "{records} records and {lost} lost are not {TIMES}"
    );
    ensure!(records > 0, "no record at all");
    Ok(json!({
        "suite": "events",
        "kernel": machine::release(),
        "test": "one_rule",
        "events": TIMES,
        "records": records,
        "lost": lost,
        "lost_as_said_by_the_reader": said_lost,
    }))
}

fn full_buffer() -> Result<Value> {
    let mut policy = String::from("@id(\"secret\") deny file_open when path == \"/t/secret\"\n");
    let mut paths = Vec::new();
    for number in 0..RULES {
        let path = format!("/t/many/a-file-with-a-rather-long-name-to-fill-the-buffer-{number}");
        fs::write(&path, "x")?;
        policy += &format!("@id(\"r{number}\") audit file_open when path == \"{path}\"\n");
        paths.push(path);
    }
    cli::apply(&policy)?;
    let lost_before = lost_by_status()?;
    let mut actor = Actor::start("/t/actor")?;
    let mut denied = 0u64;
    let mut words = vec!["flood", "1", "/t/secret"];
    words.extend(paths.iter().map(String::as_str));
    for _ in 0..60 {
        let done = actor.must(&words)?;
        denied += done[0]["refused"].as_u64().unwrap_or(0);
        ensure!(done[0]["opened"] == 0, "the secret was opened: {}", done[0]);
        for tally in done.as_array().into_iter().flatten().skip(1) {
            ensure!(tally["opened"] == 1, "an audited path was refused: {tally}");
        }
    }
    let lost = lost_by_status()? - lost_before;
    ensure!(lost > 0, "the buffer never filled");
    let shown = lsmpc(&["events", "--format", "json"])?.expect_code(0)?;
    let mut records = 0;
    for line in shown.stdout.lines() {
        records += usize::from(is_record(&Event::read(line)?));
    }
    ensure!(records > 0, "nothing was left in the buffer");
    // There is room again.
    let again = actor.must(&["flood", "1", "/t/secret"])?;
    ensure!(again[0]["refused"] == 1, "the secret was opened: {again}");
    Ok(json!({
        "suite": "events",
        "kernel": machine::release(),
        "test": "full_buffer",
        "denied": denied,
        "records": records,
        "lost": lost,
    }))
}

fn reader_comes_back() -> Result<()> {
    cli::apply(
        "@id(\"one\") audit file_open when path == \"/t/secret\"\n\
         @id(\"two\") audit file_open when path == \"/t/many\"\n",
    )?;
    let mut actor = Actor::start("/t/actor")?;
    let mut first = Events::follow()?;
    actor.must(&["open", "/t/secret", "r"])?;
    first.of_rule("one")?;
    // Killed, not asked to stop.
    drop(first);
    actor.must(&["open", "/t/many", "r"])?;
    let mut second = Events::follow()?;
    let event = second.of_rule("two")?;
    ensure!(event.text("path") == "/t/many", "{}", event.0);
    // A reader goes on over a swap.
    cli::apply("@id(\"three\") audit file_open when path == \"/t/secret\"\n")?;
    actor.must(&["open", "/t/secret", "r"])?;
    let event = second.of_rule("three")?;
    ensure!(!event.has_rule("one"), "{}", event.0);
    Ok(())
}

/// The check that every record goes through is one that fails.
fn other_forms() -> Result<()> {
    cli::apply("@id(\"form\") audit file_open when path == \"/t/secret\"\n")?;
    let mut events = Events::follow()?;
    let mut actor = Actor::start("/t/actor")?;
    actor.must(&["open", "/t/secret", "r"])?;
    let good = events.of_rule("form")?.0;
    Event::read(&good.to_string())?;
    for (key, bad) in [
        ("time", json!("yesterday")),
        ("verdict", json!("maybe")),
        ("hook", json!("file_opened")),
        ("pid", json!(-1)),
        ("fields", json!([])),
        ("rules", json!(["form"])),
        ("argv", json!(["a file that is opened has no arguments"])),
    ] {
        let mut event = good.clone();
        event[key] = bad;
        ensure!(
            Event::read(&event.to_string()).is_err(),
            "{key}: {event} is of the documented form"
        );
    }
    Ok(())
}

fn human_output() -> Result<()> {
    cli::apply("@id(\"seen\") deny file_open when path == \"/t/secret\"\n")?;
    lsmpc(&["events"])?.expect_code(0)?;
    Actor::start("/t/actor")?
        .ask(&["open", "/t/secret", "r"])?
        .refused("open")?;
    lsmpc(&["events"])?
        .expect_code(0)?
        .expect_words(&["seen", "/t/secret", "file_open", "/t/actor"])
        .map(drop)
}
