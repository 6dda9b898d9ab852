//! `lsmpc events`: what has been denied and recorded?

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use clap::Args;
use lsmpc_engine::report::{Report, RuleReport};
use lsmpc_runtime::events::{EventItem, EventReader, EventRecord};

use super::Outcome;
use crate::arguments::FormatArgument;
use crate::failure::Failure;
use crate::machine::PinsArgument;
use crate::output::{Format, Output, Style, Terminal, paint};
use crate::render::event::{damaged_json, lost_json, lost_line, record_json, record_line};

/// Print what was denied and recorded.
///
/// Without --follow: what has gathered since somebody last read. A record that
/// was printed is gone from the buffer, and only one reader at a time gets them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo lsmpc events
  sudo lsmpc events --follow
  sudo lsmpc events --follow --format json | jq 'select(.severity == \"critical\")'

Exit codes: 0 done, 2 no policy is in force or somebody else reads.")]
pub(crate) struct Events {
    /// Go on until interrupted
    #[arg(short, long)]
    follow: bool,

    #[command(flatten)]
    format: FormatArgument,

    #[command(flatten)]
    pins: PinsArgument,
}

/// The reports of the policies that decided, by epoch.
type Reports = HashMap<u32, Option<Report<'static>>>;

impl Events {
    pub(crate) fn run(&self, terminal: Terminal) -> Result<Outcome, Failure> {
        let mut reader = self.pins.runtime().events()?;
        let mut reports = Reports::new();
        let mut output = Output::new();
        // What is there, up to now: on a busy machine there is always more.
        let now = SystemTime::now();
        while let Some(item) = reader.next(Some(Duration::ZERO))? {
            self.show(&item, &reader, &mut reports, &mut output, terminal)?;
            if matches!(&item, EventItem::Event(record) if record.time > now) {
                break;
            }
        }
        if let Some(lost) = reader.lost()? {
            self.show(
                &EventItem::Lost(lost),
                &reader,
                &mut reports,
                &mut output,
                terminal,
            )?;
        }
        output.flush()?;
        if !self.follow {
            return Ok(Outcome::Done);
        }
        loop {
            // Whether somebody still reads is only seen by writing, so waiting has
            // an end.
            let Some(item) = reader.next(Some(Duration::from_secs(1)))? else {
                if output.is_closed() {
                    return Err(Failure::Gone);
                }
                continue;
            };
            self.show(&item, &reader, &mut reports, &mut output, terminal)?;
            output.flush()?;
        }
    }

    fn show(
        &self,
        item: &EventItem,
        reader: &EventReader,
        reports: &mut Reports,
        output: &mut Output,
        terminal: Terminal,
    ) -> Result<(), Failure> {
        let color = terminal.stdout;
        match (item, self.format.format) {
            (EventItem::Event(record), format) => {
                let rules = rules(record, reader, reports);
                let rules = rules.as_deref();
                match format {
                    Format::Human => output.line(record_line(record, rules, color)),
                    Format::Json => output.json(&record_json(record, rules)),
                }
            }
            (EventItem::Lost(lost), Format::Human) => output.line(lost_line(lost, color)),
            (EventItem::Lost(lost), Format::Json) => output.json(&lost_json(lost)),
            (EventItem::Damaged(error), Format::Human) => output.line(paint(
                color,
                Style::Yellow,
                format!("a record could not be read: {error}"),
            )),
            (EventItem::Damaged(error), Format::Json) => {
                output.json(&damaged_json(&error.to_string()))
            }
            // Kinds of items that a later runtime may add.
            _ => Ok(()),
        }
    }
}

/// The rules that a record reports; `None` where the policy is not known.
fn rules(
    record: &EventRecord,
    reader: &EventReader,
    reports: &mut Reports,
) -> Option<Vec<RuleReport<'static>>> {
    let report = reports.entry(record.epoch).or_default();
    if report.is_none() {
        *report = reader
            .report(record.epoch)
            .and_then(|bytes| Report::read(&bytes).ok());
    }
    let report = report.as_ref()?;
    let outcome = report.outcomes.get(record.outcome as usize)?;
    outcome
        .rules
        .iter()
        .map(|rule| report.rules.get(*rule as usize).cloned())
        .collect()
}
