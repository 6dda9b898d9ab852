//! `lsmpc doctor`: can this machine enforce a policy?

use clap::Args;
use lsmpc_runtime::{CheckState, Preflight};
use serde_json::json;

use super::Outcome;
use crate::arguments::FormatArgument;
use crate::failure::Failure;
use crate::machine::PinsArgument;
use crate::output::{Format, Output, Style, Terminal, paint};
use crate::render::text;

/// Say whether this machine can enforce a policy, and what it lacks.
///
/// Changes nothing. With privileges it also tries whether the kernel accepts a
/// program of the kind that is needed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo lsmpc doctor
  sudo lsmpc doctor --format json

Exit codes: 0 it can, 1 something is missing.")]
pub(crate) struct Doctor {
    #[command(flatten)]
    format: FormatArgument,

    #[command(flatten)]
    pins: PinsArgument,
}

impl Doctor {
    pub(crate) fn run(&self, terminal: Terminal) -> Result<Outcome, Failure> {
        let report = self.pins.runtime().preflight();
        let mut output = Output::new();
        match self.format.format {
            Format::Human => output.text(human(&report, terminal.stdout))?,
            Format::Json => {
                for check in &report.checks {
                    output.json(&json!({
                        "check": check.name,
                        "state": check.state,
                        "found": check.found,
                        "reason": check.reason,
                        "remedy": check.remedy,
                        "code": check.code.map(|code| code.to_string()),
                    }))?;
                }
            }
        }
        output.flush()?;
        Ok(if report.passed() {
            Outcome::Done
        } else {
            Outcome::Found
        })
    }
}

/// One line a check, and below those that did not pass why and what to do.
pub(crate) fn human(report: &Preflight, color: bool) -> String {
    let width = report
        .checks
        .iter()
        .map(|check| check.name.len())
        .max()
        .unwrap_or(0);
    let mut shown = String::new();
    for check in &report.checks {
        let (style, word) = match check.state {
            CheckState::Ok => (Style::Green, "ok     "),
            CheckState::Warning => (Style::Yellow, "warning"),
            CheckState::Failed => (Style::Red, "missing"),
        };
        shown.push_str(&format!(
            "{}  {:width$}  {}",
            paint(color, style, word),
            check.name,
            text::harmless(&check.found),
        ));
        if let Some(code) = check.code {
            shown.push_str(&format!(" [{code}]"));
        }
        shown.push('\n');
        for words in [&check.reason, &check.remedy] {
            if !words.is_empty() {
                shown.push_str(&text::wrapped(words, 9, 96));
                shown.push('\n');
            }
        }
    }
    shown
}
