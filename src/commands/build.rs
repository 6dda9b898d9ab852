//! `lsmpc build`: from a policy to an image file.

use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Outcome;
use crate::arguments::CompileArguments;
use crate::failure::Failure;
use crate::output::{Output, Terminal};
use crate::policy::Policy;
use crate::render::text;
use crate::replace::replace;

/// Compile a policy into an image file.
///
/// The image holds the tables that the kernel's programs read, and the policy's
/// source text. The same sources give the same bytes, whenever and wherever they
/// are compiled (names of users and groups are resolved here: see --users).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lsmpc build policy.lsmp -o policy.img
  lsmpc eval policy.img --events events.jsonl
  sudo lsmpc apply policy.img")]
pub(crate) struct Build {
    /// The policy's files
    #[arg(required = true, value_name = "POLICY")]
    policy: Vec<PathBuf>,

    /// Where to write the image; `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    compile: CompileArguments,
}

impl Build {
    pub(crate) fn run(&self, terminal: Terminal) -> Result<Outcome, Failure> {
        // What it consists of is not taken apart again: the process ends soon.
        let policy = ManuallyDrop::new(Policy::compile_and_test(&self.policy, &self.compile)?);
        let outcome = policy.outcome(self.compile.deny_warnings);
        policy.show_diagnostics(terminal);
        let (Outcome::Done, Some(image)) = (outcome, policy.image()) else {
            return Ok(outcome);
        };
        if self.output == Path::new("-") {
            let mut output = Output::new();
            output.bytes(image)?;
            output.flush()?;
            return Ok(Outcome::Done);
        }
        replace(&self.output, image).map_err(|error| {
            let path = self.output.display();
            Failure::new("LSMP4904", format!("cannot write {path}: {error}"))
                .help("name a file in a directory that you may write to")
        })?;
        eprintln!(
            "wrote {} ({})",
            self.output.display(),
            text::bytes(image.len())
        );
        Ok(Outcome::Done)
    }
}
