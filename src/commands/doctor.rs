//! `lsmpc doctor`: can this machine enforce a policy?

use clap::Args;
use lsmpc_runtime::{Check, CheckState, Diagnosis, Preflight};
use serde_json::{Value, json};

use super::Outcome;
use crate::arguments::FormatArgument;
use crate::failure::Failure;
use crate::machine::PinsArgument;
use crate::output::{Format, Output, Style, Terminal, paint};
use crate::render::text;

/// Say whether this machine can enforce a policy, and what it lacks.
///
/// Changes nothing. Security modules, BTF, bpffs, capabilities, lockdown, the JIT, each
/// hook (the kernel is asked, not its version), fields that the kernel does not tell, and
/// LSM programs of others. With privileges it also tries whether the kernel accepts a
/// program of the kind that is needed; what is told to root only is `unknown` without.
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
        let diagnosis = self.pins.runtime().diagnose();
        let report = &diagnosis.checks;
        let mut output = Output::new();
        match self.format.format {
            Format::Human => output.text(human(report, terminal.stdout))?,
            Format::Json => {
                for check in &report.checks {
                    output.json(&as_json(check, &diagnosis))?;
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

/// One check, with the list that it sums up.
fn as_json(check: &Check, diagnosis: &Diagnosis) -> Value {
    let mut json = json!({
        "check": check.name,
        "state": check.state,
        "found": check.found,
        "reason": check.reason,
        "remedy": check.remedy,
        "code": check.code.map(|code| code.to_string()),
    });
    match check.name {
        "hooks" => {
            let hooks = diagnosis.hooks.iter();
            json["hooks"] = hooks
                .map(|(hook, reason)| {
                    json!({
                        "hook": hook.name(),
                        "available": reason.is_none(),
                        "reason": reason.map(|reason| reason.to_string()),
                    })
                })
                .collect();
        }
        "other LSM programs" => {
            json["programs"] = diagnosis.others.as_ref().map_or(Value::Null, |others| {
                others
                    .iter()
                    .map(|other| {
                        json!({
                            "program_id": other.program_id,
                            "link_id": other.link_id,
                            "name": other.name,
                            "function": other.target,
                            "hook": other.hook(),
                            "shared": other.shares_a_hook(),
                        })
                    })
                    .collect()
            });
        }
        _ => {}
    }
    json
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
            CheckState::Unknown => (Style::Yellow, "unknown"),
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
