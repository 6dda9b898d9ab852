//! `lsmpc`: check, build and enforce BPF LSM policies.
//!
//! Owns arguments, exit codes and everything that is shown to people. What a
//! policy means is the compiler's, what the kernel is told the runtime's.

mod arguments;
mod codes;
mod commands;
mod evaluator;
mod failure;
mod machine;
mod output;
mod policy;
mod render;
mod replace;
mod sources;
mod time;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;
use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let terminal = output::Terminal::detect(arguments.color);
    match commands::run(&arguments.command, terminal) {
        Ok(outcome) => outcome.into(),
        // Whoever read our output has gone: there is nobody to tell.
        Err(Failure::Gone) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.show(terminal);
            ExitCode::from(2)
        }
    }
}
