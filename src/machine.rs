//! The running machine: where the policy is pinned, and the runtime's errors in
//! this program's form.

use std::path::PathBuf;

use clap::Args;
use lsmpc_compiler::Lacking;
use lsmpc_runtime::{DEFAULT_DIR, Error, Missing, Runtime};

use crate::failure::Failure;

/// Where pins are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Machine")]
pub(crate) struct PinsArgument {
    /// Directory of a bpffs that holds what is in force
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR)]
    pins: PathBuf,
}

impl PinsArgument {
    /// The runtime for it.
    pub(crate) fn runtime(&self) -> Runtime {
        Runtime::new(&self.pins)
    }
}

/// What the running kernel cannot enforce. What it does not tell without privileges is
/// said on standard error.
pub(crate) fn running_kernel() -> Result<Lacking, Failure> {
    let asked = Runtime::default().lacking()?;
    if !asked.untold.is_empty() {
        let names: Vec<String> = asked
            .untold
            .iter()
            .map(|field| format!("`{}`", field.name()))
            .collect();
        eprintln!(
            "note: only root can ask this kernel whether it tells {}",
            names.join(", ")
        );
    }
    let mut lacking = Lacking::default();
    for one in asked.unsupported {
        let reason = one.reason.to_string();
        match one.what {
            Missing::Hook(hook) => lacking.hooks.push((hook, reason)),
            Missing::Field(field) => lacking.fields.push((field, reason)),
        }
    }
    Ok(lacking)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut lines = error.to_string();
        // The first line is the headline, a verifier's log comes below it.
        let rest = lines.find('\n').map(|at| lines.split_off(at));
        let mut failure = Self::new(error.code().to_string(), lines).help(error.help());
        for line in rest.iter().flat_map(|rest| rest.lines()) {
            if !line.is_empty() {
                failure = failure.cause(line);
            }
        }
        failure
    }
}
