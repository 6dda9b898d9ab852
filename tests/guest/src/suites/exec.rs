//! `exec`: runs a program of the image, for `cargo xtask vm --program`.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Suite;
use crate::console::Report;

pub(crate) const SUITE: Suite = Suite { name: "exec", run };

fn run(report: &mut Report, arguments: &[String]) -> Result<()> {
    let [program, rest @ ..] = arguments else {
        bail!("no program is named: lsmpc.run=exec,PROGRAM[,ARG…]");
    };
    report.test("exec", || {
        let status = Command::new(program)
            .args(rest)
            .status()
            .with_context(|| format!("starting {program}"))?;
        if !status.success() {
            bail!("{program}: {status}");
        }
        Ok(())
    });
    Ok(())
}
