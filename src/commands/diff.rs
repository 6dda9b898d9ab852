//! `lsmpc diff`: what do two policies do differently?

use std::path::{Path, PathBuf};

use clap::Args;
use lsmpc_compiler::analysis::diff::{Side, compare};

use super::Outcome;
use crate::arguments::{CompileArguments, FormatArgument};
use crate::failure::Failure;
use crate::output::{Format, Output, Terminal};
use crate::policy::{Input, Policy};
use crate::render::diff::Shown;

/// Say what two policies do differently.
///
/// Compares what they mean, not their text: over every event that can happen, which
/// are denied, allowed, killed or recorded by one and not by the other. Each change
/// comes with an event that shows it and the rules that decide. Tests and asserts are
/// not looked at.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lsmpc diff old.lsmp new.lsmp
  lsmpc diff --format json old.lsmp new.lsmp      one object for each change
  sudo lsmpc apply --dry-run new.lsmp             against what is in force

Exit codes, as those of diff(1): 0 they are equivalent, 1 they differ or that was not decided,
2 trouble: wrong usage, a file cannot be read, a policy has errors.")]
pub(crate) struct Diff {
    /// The one policy, or an image made of it
    #[arg(value_name = "BEFORE")]
    before: PathBuf,

    /// The other
    #[arg(value_name = "AFTER")]
    after: PathBuf,

    #[command(flatten)]
    format: FormatArgument,

    #[command(flatten)]
    compile: CompileArguments,
}

impl Diff {
    pub(crate) fn run(&self, terminal: Terminal) -> Result<Outcome, Failure> {
        let before = self.policy(&self.before)?;
        let after = self.policy(&self.after)?;
        let mut meanings = Vec::new();
        for policy in [&before, &after] {
            match (&policy.hir, policy.outcome(self.compile.deny_warnings)) {
                (Some(hir), Outcome::Done) => meanings.push(hir),
                _ => policy.show_diagnostics(terminal),
            }
        }
        let [one, other] = meanings.as_slice() else {
            return Ok(Outcome::Impossible);
        };
        let comparison = compare(Side::whole(one), Side::whole(other));
        let shown = Shown {
            comparison: &comparison,
            before: &before.sources,
            after: &after.sources,
        };
        let mut output = Output::new();
        match self.format.format {
            Format::Human => output.text(shown.human(terminal.stdout))?,
            Format::Json => {
                for object in shown.json() {
                    output.json(&object)?;
                }
            }
        }
        output.flush()?;
        Ok(if comparison.is_equivalent() {
            Outcome::Done
        } else {
            Outcome::Found
        })
    }

    fn policy(&self, path: &Path) -> Result<Policy, Failure> {
        match Input::read(&[path.to_owned()], &self.compile, false)? {
            Input::Policy(policy) => Ok(*policy),
            Input::Image { bytes, .. } => Policy::of_image(&bytes, &self.compile),
        }
    }
}
