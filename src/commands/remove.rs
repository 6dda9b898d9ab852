//! `lsmpc remove`: take the policy out of force.

use std::time::Duration;

use clap::Args;

use super::Outcome;
use crate::failure::Failure;
use crate::machine::PinsArgument;
use crate::output::{Output, Terminal};
use crate::render::text;

/// Take the policy out of force and everything of lsmpc out of the kernel.
///
/// That nothing is in force is no error. An interrupted removal is completed by
/// the next one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo lsmpc remove")]
pub(crate) struct Remove {
    /// How many seconds to wait for the kernel to detach the programs
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u64,

    #[command(flatten)]
    pins: PinsArgument,
}

impl Remove {
    pub(crate) fn run(&self, _terminal: Terminal) -> Result<Outcome, Failure> {
        let removed = self.pins.runtime().remove(Duration::from_secs(self.wait))?;
        let mut output = Output::new();
        if removed.was_in_force {
            output.line(format!(
                "removed: {} detached, no policy is in force",
                text::count(removed.detached.len(), "program")
            ))?;
        } else if removed.was_there {
            output.line("removed what an earlier command had left; no policy was in force")?;
        } else {
            output.line("no policy is in force")?;
        }
        output.flush()?;
        Ok(Outcome::Done)
    }
}
