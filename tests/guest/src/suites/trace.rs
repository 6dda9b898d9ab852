//! `trace`: runs a program of the image and says when it made which system call
//! that matters, for finding out where a command spends its time or hangs.
//! Arguments: the program and its arguments; `policy:TEXT` stands for a file
//! with that text.

use std::time::Instant;

use anyhow::{Result, bail};

use super::Suite;
use crate::cli;
use crate::console::Report;
use crate::tracing::{Decision, Traced};

pub(crate) const SUITE: Suite = Suite { name: "trace", run };

fn run(report: &mut Report, arguments: &[String]) -> Result<()> {
    let [program, rest @ ..] = arguments else {
        bail!("no program is named: lsmpc.run=trace,PROGRAM[,ARG…]");
    };
    let rest = rest
        .iter()
        .map(|word| match word.strip_prefix("policy:") {
            Some(text) => cli::policy_file(text),
            None => Ok(word.clone()),
        })
        .collect::<Result<Vec<_>>>()?;
    let words: Vec<&str> = rest.iter().map(String::as_str).collect();
    let started = Instant::now();
    let mut traced = Traced::start(program, &words)?;
    let end = traced.run(|call| {
        if call.matters() {
            let milliseconds = started.elapsed().as_millis();
            report.say(&format!(
                "{milliseconds:>7} ms: {} {}",
                call.number, call.first
            ));
        }
        Decision::Go
    })?;
    report.say(&format!("{:>7} ms: {end:?}", started.elapsed().as_millis()));
    report.say(&traced.output()?);
    Ok(())
}
