//! `lsmpc test`: do the policy's tests hold?

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Outcome;
use crate::arguments::CompileArguments;
use crate::failure::Failure;
use crate::output::{Output, Terminal};
use crate::policy::Policy;
use crate::render::{json_diagnostic, test};

/// Run a policy's tests.
///
/// Needs no kernel and no privileges. Every event of a test is answered by the
/// policy's meaning and by its tables, which have to agree. `check`, `build` and
/// `apply` run all tests, too, and refuse a policy of which one fails.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lsmpc test policy.lsmp
  lsmpc test policy.lsmp --filter scratch
  lsmpc test policy.lsmp --format junit > report.xml

Exit codes: 0 all tests passed, 1 one failed or the policy has errors, 2 a file cannot
be read.")]
pub(crate) struct Test {
    /// The policy's files
    #[arg(required = true, value_name = "POLICY")]
    policy: Vec<PathBuf>,

    /// Only tests whose name contains TEXT
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// For people, as JSON (one object a line), or as a JUnit report
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: TestFormat,

    #[command(flatten)]
    compile: CompileArguments,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum TestFormat {
    // For people.
    #[default]
    Human,
    // One JSON object a line.
    Json,
    // XML as JUnit writes it.
    Junit,
}

impl Test {
    pub(crate) fn run(&self, terminal: Terminal) -> Result<Outcome, Failure> {
        let policy = Policy::compile(&self.policy, &self.compile)?;
        let mut output = Output::new();
        if self.format == TestFormat::Json {
            for diagnostic in &policy.diagnostics {
                output.json(&json_diagnostic(diagnostic, &policy.sources))?;
            }
        } else {
            policy.show_diagnostics(terminal);
        }
        match policy.outcome(self.compile.deny_warnings) {
            Outcome::Done => {}
            other => {
                output.flush()?;
                return Ok(other);
            }
        }
        let mut tests = policy.run_tests()?;
        let all = tests.len();
        if let Some(wanted) = &self.filter {
            tests.retain(|test| test.name.contains(wanted));
        }
        let results = test::Results {
            filtered: all - tests.len(),
            tests: &tests,
            sources: &policy.sources,
        };
        match self.format {
            TestFormat::Human => output.text(results.human(terminal.stdout))?,
            TestFormat::Json => {
                for line in results.json() {
                    output.json(&line)?;
                }
            }
            TestFormat::Junit => output.text(results.junit()?)?,
        }
        output.flush()?;
        Ok(if results.failed() == 0 {
            Outcome::Done
        } else {
            Outcome::Found
        })
    }
}
