//! `lsmpc eval`: what does a policy do with these events?

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use lsmpc_compiler::event::error_line;

use super::Outcome;
use crate::arguments::CompileArguments;
use crate::evaluator::{Engine, Evaluator};
use crate::failure::Failure;
use crate::output::{Output, Terminal};
use crate::policy::Input;

/// Evaluate a policy on events.
///
/// Reads events and writes answers as JSON Lines, one answer for each event, in
/// their order. A line that is not an event is answered by {"error": …}.
#[derive(Debug, Args)]
#[command(after_help = r#"Examples:
  lsmpc eval policy.lsmp --events events.jsonl
  echo '{"hook":"file_open","exe":"/tmp/x","path":"/etc/passwd"}' |
    lsmpc eval policy.lsmp --events -
  lsmpc eval policy.img --events events.jsonl

A field that an event leaves out is unknown, one that is null does not apply.

Exit codes: 0 all events answered, 1 the policy has errors or a line is no event,
2 a file cannot be read."#)]
pub(crate) struct Eval {
    /// The policy's files, or one image made by `lsmpc build`
    #[arg(required = true, value_name = "POLICY|IMAGE")]
    policy: Vec<PathBuf>,

    /// The events, one JSON object a line; `-` for standard input
    #[arg(long, value_name = "FILE")]
    events: PathBuf,

    /// What evaluates
    #[arg(long, value_enum, default_value_t)]
    engine: Engine,

    #[command(flatten)]
    compile: CompileArguments,
}

impl Eval {
    pub(crate) fn run(&self, terminal: Terminal) -> Result<Outcome, Failure> {
        let input = Input::read(&self.policy, &self.compile, false)?;
        if let (Engine::Reference, Input::Image { path, .. }) = (self.engine, &input) {
            return Err(Failure::new(
                "LSMP4905",
                format!(
                    "{} is an image; --engine reference needs the policy's sources",
                    path.display()
                ),
            )
            .help("give the .lsmp files, or leave out --engine reference"));
        }
        if let Input::Policy(policy) = &input {
            policy.show_diagnostics(terminal);
            match policy.outcome(self.compile.deny_warnings) {
                Outcome::Done => {}
                other => return Ok(other),
            }
        }
        let mut evaluator = Evaluator::new(&input, self.engine)?;
        if self.events == Path::new("-") {
            evaluate(&mut evaluator, io::stdin().lock(), "standard input")
        } else {
            let shown = self.events.display().to_string();
            let file = File::open(&self.events).map_err(|error| unreadable(&shown, &error))?;
            evaluate(&mut evaluator, BufReader::new(file), &shown)
        }
    }
}

/// Answers every line of `events`, called `name`.
fn evaluate(
    evaluator: &mut Evaluator<'_>,
    mut events: impl BufRead,
    name: &str,
) -> Result<Outcome, Failure> {
    let mut output = Output::new();
    let mut outcome = Outcome::Done;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = events
            .read_until(b'\n', &mut line)
            .map_err(|error| unreadable(name, &error))?;
        if read == 0 {
            break;
        }
        let text = str::from_utf8(&line).map(str::trim);
        if text == Ok("") {
            continue;
        }
        let answer = match text {
            Ok(text) => evaluator.answer(text),
            Err(_) => Err("the line is not UTF-8".to_owned()),
        };
        match answer {
            Ok(answer) => output.line(answer)?,
            Err(error) => {
                outcome = Outcome::Found;
                output.line(error_line(&error))?;
            }
        }
    }
    output.flush()?;
    Ok(outcome)
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    Failure::new("LSMP4901", format!("cannot read {name}: {error}"))
        .help("--events takes a file of JSON objects, one a line, or `-` for standard input")
}
