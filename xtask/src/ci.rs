//! `cargo xtask ci`: everything a change has to pass, all of it even when some
//! fails, closed by the line that counts tests.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::ebpf::{self, Checked, OBJECT_DIRECTORY};
use crate::progress::note;
use crate::toolchain::Tools;
use crate::{process, repository, test};

/// Everything a change has to pass.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    tools: Tools,
}

pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    let mut failed = Vec::new();
    let mut step = |name: &'static str, result: Result<bool>| {
        match result {
            Ok(true) => return note(&format!("{name}: ok")),
            Ok(false) => note(&format!("{name}: FAILED")),
            Err(error) => note(&format!("{name}: FAILED: {error:#}")),
        }
        failed.push(name);
    };

    step("fmt", formatting());
    let mut clippy = process::cargo();
    clippy.args([
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    step("clippy", process::shown_on_terminal(&mut clippy));
    step("deny", deny());
    let (ebpf, objects) = match ebpf::check(&arguments.tools) {
        Ok(Checked::Same) => (Ok(true), None),
        Ok(Checked::Differ(differences)) => {
            differences.iter().for_each(|difference| note(difference));
            (Ok(false), None)
        }
        Ok(Checked::OtherTools { why, objects }) => {
            note(&why);
            (Ok(true), objects)
        }
        Err(error) => (Err(error), None),
    };
    step("ebpf --check", ebpf);
    if let Some(objects) = objects {
        // SAFETY: no other thread exists yet; those that run guests start later.
        unsafe { std::env::set_var(OBJECT_DIRECTORY, objects) };
    }

    let mut tally = test::tally(&test::Arguments::default())?;
    if !failed.is_empty() {
        println!("failed besides tests: {}", failed.join(", "));
        tally.failed += failed.len();
    }
    println!("{tally}");
    Ok(tally.failed == 0)
}

/// The formatting of both workspaces, and of the fuzzers.
fn formatting() -> Result<bool> {
    let mut all = true;
    let fuzzers = repository::root().join("fuzz/Cargo.toml");
    for manifest in manifests().into_iter().chain([fuzzers]) {
        let mut command = process::cargo();
        command
            .args(["fmt", "--all", "--check", "--manifest-path"])
            .arg(manifest);
        all &= process::shown_on_terminal(&mut command)?;
    }
    Ok(all)
}

/// The repository's workspaces: the main one and that of the hook programs.
fn manifests() -> [PathBuf; 2] {
    [repository::root().to_owned(), repository::programs()].map(|root| root.join("Cargo.toml"))
}

/// Licences, bans and sources of all dependencies; advisories too where their
/// database can be had.
fn deny() -> Result<bool> {
    let deny = || {
        let mut command = Command::new(repository::tool("cargo-deny"));
        command
            .current_dir(repository::root())
            .args(["--log-level", "error"]);
        command
    };
    let mut checks = vec!["licenses", "bans", "sources"];
    if process::quiet(deny().args(["fetch", "db"])).is_ok() {
        checks.push("advisories");
    } else {
        note("the database of advisories is out of reach: advisories are not checked");
    }
    let mut all = true;
    for manifest in manifests() {
        let mut command = deny();
        command
            .arg("--manifest-path")
            .arg(manifest)
            .arg("--config")
            .arg(repository::root().join("deny.toml"))
            .args(["--workspace", "check"])
            .args(&checks);
        all &= process::shown_on_terminal(&mut command)?;
    }
    Ok(all)
}
