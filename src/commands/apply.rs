//! `lsmpc apply`: have the kernel enforce a policy.

mod rehearsal;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lsmpc_abi::hook::HookId;
use lsmpc_runtime::{Applied, ApplyOptions, Missing, Unsupported};

use super::Outcome;
use crate::arguments::CompileArguments;
use crate::failure::Failure;
use crate::machine::PinsArgument;
use crate::output::{Format, Output, Style, Terminal, paint};
use crate::policy::Input;
use crate::render::text;
use rehearsal::Rehearsal;

/// Have the kernel enforce a policy, in place of the one in force.
///
/// The change happens at once, for all hooks together, between two events. If
/// anything fails, what was in force stays in force. The policy stays until it is
/// replaced, removed, or the machine reboots; no process has to keep running.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo lsmpc apply --dry-run policy.lsmp      what would change?
  sudo lsmpc apply policy.lsmp
  sudo lsmpc apply policy.img                 an image made by `lsmpc build`

Exit codes: 0 it is in force (or would be, with --dry-run), 1 the policy has errors,
2 the machine cannot enforce it; what was in force still is.")]
pub(crate) struct Apply {
    /// The policy's files, or one image made by `lsmpc build`
    #[arg(required = true, value_name = "POLICY|IMAGE")]
    policy: Vec<PathBuf>,

    /// Check everything and say what would change, but change nothing
    ///
    /// Which hooks would be attached and detached, and what the policy does differently
    /// from the one in force, as `lsmpc diff` shows it.
    #[arg(long)]
    dry_run: bool,

    /// What --dry-run says: for people, or as JSON: one object a line
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        requires = "dry_run"
    )]
    format: Format,

    /// Enforce what this kernel can, and list what it cannot
    #[arg(long)]
    best_effort: bool,

    /// Set up new programs beside those in force, then drop the old ones
    ///
    /// For an upgrade to another version of the table format, or another size of
    /// the event buffer. No moment is without a policy.
    #[arg(long)]
    replace: bool,

    /// Bytes of the event buffer, a power of two, from when it is made (default: 1 MiB)
    #[arg(long, value_name = "BYTES")]
    event_buffer: Option<u32>,

    /// Most records a second for the same outcome, 0 for no limit (default: 64)
    #[arg(long, value_name = "RECORDS")]
    rate: Option<u32>,

    /// How many seconds to wait for the kernel to detach programs
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u64,

    #[command(flatten)]
    pins: PinsArgument,

    #[command(flatten)]
    compile: CompileArguments,
}

impl Apply {
    pub(crate) fn run(&self, terminal: Terminal) -> Result<Outcome, Failure> {
        let input = Input::read(&self.policy, &self.compile, true)?;
        if let Input::Policy(policy) = &input {
            policy.show_diagnostics(terminal);
            match policy.outcome(self.compile.deny_warnings) {
                Outcome::Done => {}
                other => return Ok(other),
            }
        }
        let runtime = self.pins.runtime();
        let mut output = Output::new();
        if self.dry_run {
            let rehearsal = Rehearsal::new(self, &runtime, &input)?;
            match self.format {
                Format::Human => output.text(rehearsal.human(terminal))?,
                Format::Json => {
                    for object in rehearsal.json() {
                        output.json(&object)?;
                    }
                }
            }
        } else {
            let applied = runtime.apply(input.image()?, &self.options(), |_| {})?;
            output.text(told(&applied, terminal.stdout))?;
        }
        output.flush()?;
        Ok(Outcome::Done)
    }

    fn options(&self) -> ApplyOptions {
        let mut options = ApplyOptions::default();
        options.best_effort = self.best_effort;
        options.replace = self.replace;
        options.detach_timeout = Duration::from_secs(self.wait);
        if let Some(bytes) = self.event_buffer {
            options.event_bytes = bytes;
        }
        if let Some(rate) = self.rate {
            options.rate = rate;
        }
        options
    }
}

/// What was done.
fn told(applied: &Applied, color: bool) -> String {
    let mut shown = String::new();
    for left in &applied.recovered {
        shown.push_str(&format!("recovered: {left}\n"));
    }
    for (word, hooks) in [
        ("attached", &applied.attached),
        ("detached", &applied.detached),
        ("still detaching", &applied.detach_pending),
    ] {
        if !hooks.is_empty() {
            shown.push_str(&format!("{word}: {}\n", hooks.join(", ")));
        }
    }
    if applied.older_programs {
        shown.push_str(
            "note: the programs in force are those of another build; --replace renews them\n",
        );
    }
    shown.push_str(&not_enforced(&applied.not_enforced, color));
    let names: Vec<&str> = applied
        .hooks
        .iter()
        .map(|hook: &HookId| hook.name())
        .collect();
    shown.push_str(&format!(
        "{}: policy {} enforced on {} ({})\n",
        paint(color, Style::Green, "in force"),
        applied.epoch,
        text::count(names.len(), "hook"),
        names.join(", ")
    ));
    shown
}

fn not_enforced(left_out: &[Unsupported], color: bool) -> String {
    left_out
        .iter()
        .map(|one| {
            let (what, effect) = match one.what {
                Missing::Hook(hook) => (hook.name().to_owned(), ""),
                Missing::Field(field) => (
                    format!("conditions on `{}`", field.name()),
                    "; it is unknown, and `on_error` decides",
                ),
            };
            format!(
                "{}: {what}: {}{effect}\n",
                paint(color, Style::Yellow, "not enforced"),
                one.reason
            )
        })
        .collect()
}
