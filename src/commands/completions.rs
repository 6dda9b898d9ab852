//! `lsmpc completions`: completion scripts for shells.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Outcome;
use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::output::Output;

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lsmpc completions bash > /etc/bash_completion.d/lsmpc
  lsmpc completions zsh > /usr/share/zsh/site-functions/_lsmpc
  lsmpc completions fish > ~/.config/fish/completions/lsmpc.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<Outcome, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "lsmpc", &mut script);
        let mut output = Output::new();
        output.bytes(&script)?;
        output.flush()?;
        Ok(Outcome::Done)
    }
}
