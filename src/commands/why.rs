//! `lsmpc why`: what led to a verdict?

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use lsmpc_abi::field::FieldId;
use lsmpc_compiler::event::Event;
use lsmpc_compiler::explain::explain;
use serde_json::Value as Json;

use super::Outcome;
use crate::arguments::{CompileArguments, FormatArgument};
use crate::failure::Failure;
use crate::machine::PinsArgument;
use crate::output::{Format, Output, Terminal};
use crate::policy::{Input, Policy};
use crate::render::why::{self, Shown};

/// Explain what a policy says to an event.
///
/// Shows, on the source, which scopes hold, which rules match, and of every part of
/// their conditions whether it is true, false or unknown. Rules that do not match
/// are listed with the part that keeps them from it, the nearest first. Tests are
/// not run.
#[derive(Debug, Args)]
#[command(after_help = r#"Examples:
  lsmpc why policy.lsmp --event '{"hook":"file_open","exe":"/tmp/x","path":"/etc/passwd"}'
  sudo lsmpc events --format json | head -1 | sudo lsmpc why --event -

Without a POLICY the one in force is asked, by its sources as the kernel holds them.
An event is what `lsmpc eval` reads or `lsmpc events --format json` prints.

Exit codes: 0 explained, 1 the policy has errors, 2 the event is none, a file cannot be
read, or no policy is in force."#)]
pub(crate) struct Why {
    /// The policy's files, or one image; none: what is in force
    #[arg(value_name = "POLICY|IMAGE")]
    policy: Vec<PathBuf>,

    /// The event: a JSON object, a file of them, or `-` for standard input
    #[arg(long, value_name = "JSON|FILE|-")]
    event: String,

    /// List every rule that does not match, not only the nearest
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    format: FormatArgument,

    #[command(flatten)]
    pins: PinsArgument,

    #[command(flatten)]
    compile: CompileArguments,
}

impl Why {
    pub(crate) fn run(&self, terminal: Terminal) -> Result<Outcome, Failure> {
        let policy = self.policy()?;
        match policy.outcome(self.compile.deny_warnings) {
            Outcome::Done => {}
            other => {
                policy.show_diagnostics(terminal);
                return Ok(other);
            }
        }
        let Some(hir) = &policy.hir else {
            return Err(
                Failure::new("LSMP9001", "a policy without errors has no meaning")
                    .help("please report it, with the policy if you can"),
            );
        };
        let mut output = Output::new();
        for (number, event) in events(&self.text()?).into_iter().enumerate() {
            let event = event.map_err(|error| no_event(&error))?;
            let explanation = explain(hir, &event).map_err(|error| no_event(&error.to_string()))?;
            match self.format.format {
                Format::Human => {
                    let shown = Shown {
                        event: &event,
                        explanation: &explanation,
                        sources: &policy.sources,
                        all: self.all,
                    };
                    if number > 0 {
                        output.line("")?;
                    }
                    output.text(shown.human(terminal.stdout))?;
                }
                Format::Json => output.json(&why::json(&event, &explanation, &policy.sources))?,
            }
        }
        output.flush()?;
        Ok(Outcome::Done)
    }

    fn policy(&self) -> Result<Policy, Failure> {
        if self.policy.is_empty() {
            let image = self.pins.runtime().read_image()?;
            return Policy::of_image(&image, &self.compile);
        }
        match Input::read(&self.policy, &self.compile, false)? {
            Input::Policy(policy) => Ok(*policy),
            Input::Image { bytes, .. } => Policy::of_image(&bytes, &self.compile),
        }
    }

    /// The text that holds the events.
    fn text(&self) -> Result<String, Failure> {
        if self.event.trim_start().starts_with('{') {
            return Ok(self.event.clone());
        }
        let mut text = String::new();
        let read = if self.event == "-" {
            std::io::stdin().lock().read_to_string(&mut text).map(drop)
        } else {
            std::fs::read_to_string(Path::new(&self.event)).map(|read| text = read)
        };
        read.map_err(|error| {
            Failure::new("LSMP4901", format!("cannot read {}: {error}", self.event))
                .help("--event takes a JSON object, a file of them, or `-` for standard input")
        })?;
        Ok(text)
    }
}

fn no_event(error: &str) -> Failure {
    Failure::new("LSMP4908", format!("not an event: {error}"))
        .help("write a JSON object such as {\"hook\":\"file_open\",\"exe\":\"/tmp/x\"}")
}

/// The events in a text: one JSON object after the other. What says only that
/// records were lost is no event and is passed over.
fn events(text: &str) -> Vec<Result<Event, String>> {
    let mut found = Vec::new();
    for json in serde_json::Deserializer::from_str(text).into_iter::<Json>() {
        match json {
            Ok(json) if json.get("lost").is_some() => {}
            Ok(json) => found.push(Event::from_json_line(&of_record(json).to_string())),
            Err(error) => found.push(Err(format!("not JSON: {error}"))),
        }
    }
    if found.is_empty() {
        found.push(Err("there is none".to_owned()));
    }
    found
}

/// A record of `lsmpc events` as the event that it is about; anything else as it
/// is. What a record does not know is unknown; bits without a name, which no policy
/// can ask for, are left out.
fn of_record(json: Json) -> Json {
    let Json::Object(mut record) = json else {
        return json;
    };
    let Some(Json::Object(fields)) = record.remove("fields") else {
        return Json::Object(record);
    };
    let mut event = serde_json::Map::new();
    for (key, value) in record {
        let taken = FieldId::from_name(&key).is_some() || key == "hook" || key == "inherited";
        if taken && !value.is_null() {
            event.insert(key, value);
        }
    }
    for (key, mut value) in fields {
        if let Json::Array(flags) = &mut value {
            flags.retain(|flag| !flag.as_str().is_some_and(|flag| flag.starts_with("0x")));
        }
        event.insert(key, value);
    }
    Json::Object(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_become_events() {
        let record = r#"{"time":"2026-03-01T09:14:07Z","hook":"file_open","verdict":"deny",
            "errno":"EPERM","unknown":false,"rules":null,"pid":4711,"parent_pid":null,"uid":0,
            "comm":"cat","exe":"/usr/bin/cat","parent.exe":null,
            "fields":{"path":"/etc/shadow","access":["read","0x100"],"fs":null},
            "cgroup":null,"cgroup_id":2817,"cpu":1,"epoch":4}
            {"lost":{"full":1,"rate":0,"busy":0}}"#;
        let events = events(record);
        assert_eq!(events.len(), 1);
        let line = events[0].as_ref().unwrap().to_json_line();
        assert_eq!(
            line,
            r#"{"hook":"file_open","exe":"/usr/bin/cat","comm":"cat","pid":4711,"uid":0,"path":"/etc/shadow","fs":null,"access":["read"]}"#
        );
    }

    #[test]
    fn events_stay_as_they_are() {
        let text = "{\"hook\":\"file_open\",\"exe\":null}\n{\"hook\":5}";
        let events = events(text);
        assert_eq!(
            events[0].as_ref().unwrap().to_json_line(),
            text.lines().next().unwrap()
        );
        assert!(events[1].is_err());
        assert!(super::events("").first().unwrap().is_err());
    }
}
