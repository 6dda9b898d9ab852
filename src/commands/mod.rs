//! The subcommands, one file each.

pub(crate) mod apply;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod hooks;
pub(crate) mod remove;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod why;

use std::process::ExitCode;

use crate::arguments::Command;
use crate::failure::Failure;
use crate::output::Terminal;

/// How a command that was carried out ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well: 0.
    Done,
    /// It found what it looks for: errors in a policy, bad events: 1.
    Found,
    /// It could not be done, and that has been said: 2.
    Impossible,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Found => Self::from(1),
            Outcome::Impossible => Self::from(2),
        }
    }
}

/// Runs one.
pub(crate) fn run(command: &Command, terminal: Terminal) -> Result<Outcome, Failure> {
    match command {
        Command::Check(command) => command.run(terminal),
        Command::Fmt(command) => command.run(terminal),
        Command::Build(command) => command.run(terminal),
        Command::Test(command) => command.run(terminal),
        Command::Eval(command) => command.run(terminal),
        Command::Why(command) => command.run(terminal),
        Command::Diff(command) => command.run(terminal),
        Command::Apply(command) => command.run(terminal),
        Command::Status(command) => command.run(terminal),
        Command::Events(command) => command.run(terminal),
        Command::Show(command) => command.run(terminal),
        Command::Remove(command) => command.run(terminal),
        Command::Hooks(command) => command.run(terminal),
        Command::Explain(command) => command.run(terminal),
        Command::Doctor(command) => command.run(terminal),
        Command::Completions(command) => command.run(),
    }
}
