//! `cargo xtask bench`: counts instructions in guests whose clock is their instruction
//! count, and writes the tables and pictures of `docs/performance.md`.
//!
//! With `--native` it times the engine alone, on this machine ([`native`]).
//!
//! The suite says what a row means; here is only what it is given ([`material`]), how
//! rows are shown ([`rows`], [`plot`]), and which of them are compared ([`claims`]).

mod claims;
mod material;
mod native;
mod plot;
mod rows;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::kernels::Kernel;
use crate::progress::{Step, note};
use crate::table::Place;
use crate::vm::{self, Accelerator, Spec};
use crate::{ebpf, image, kernels, process, qemu, repository};
use material::Material;
use rows::Rows;

const SUITE: &str = "bench";
/// What makes counts repeatable: no self-tests that take the processor away,
/// addresses that do not change, and no going on after an oops.
const APPEND: &str = "cryptomgr.notests=1 norandmaps oops=panic";
/// As [`vm::DEFAULT_LSM`], which is what Debian's kernels start with, without AppArmor.
const WITHOUT_APPARMOR: &str = "lockdown,capability,landlock,bpf";
/// Tables of 100 000 rules are in the archive, on the root file system and in a map.
const MEMORY_MIB: u32 = 3072;

/// Count instructions in a deterministic guest and write the tables.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Kernels: 6.1, 6.12, newest, or another series of Debian's archive
    #[arg(long, value_delimiter = ',', default_value = "6.12,newest")]
    kernel: Vec<String>,
    /// Run only rows whose test's name contains this; leaves the document alone
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Write rows and ratios to this file, one JSON value a line
    #[arg(long, value_name = "FILE", visible_alias = "json")]
    out: Option<PathBuf>,
    /// Leave the document alone
    #[arg(long)]
    no_write: bool,
    /// Time the engine in this machine's own kernel instead; as root
    #[arg(long, conflicts_with_all = ["kernel", "only", "timeout"])]
    native: bool,
    /// Seconds until a guest is given up
    #[arg(long, default_value_t = 3600)]
    timeout: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    if arguments.native {
        let out = native::run(!arguments.no_write)?;
        if let Some(path) = &arguments.out {
            vm::write_json_lines(path, &out)?;
        }
        return Ok(true);
    }
    let qemu = qemu_version()?;
    let names: Vec<&str> = arguments.kernel.iter().map(String::as_str).collect();
    let kernels = kernels::ensure_all(&names)?;
    let material = material::make()?;
    let image = image::build(&material.extras)?;
    let mut out = Vec::new();
    for kernel in kernels {
        let Some(rows) = count(arguments, &kernel, &image)? else {
            return Ok(false);
        };
        let heading = heading(&kernel, &qemu, &material);
        let ratios = claims::table(&rows);
        let tables = format!("{heading}\n\n{ratios}\n{}", rows.tables());
        println!("{tables}");
        out.push(json!({
            "kernel": kernel.version,
            "package": kernel.package,
            "qemu": qemu,
            "apparmor_parser": material.parser,
            "command": format!("cargo xtask bench --kernel {}", kernel.name),
            "append": APPEND,
            "lsm": vm::DEFAULT_LSM,
        }));
        out.extend(rows.values());
        out.extend(claims::values(&rows));
        if arguments.only.is_none() && !arguments.no_write {
            let picture = format!("performance-{}.svg", kernel.name);
            let title = format!("Linux {}", kernel.version);
            plot::write(
                &rows,
                &title,
                &repository::root().join("docs").join(&picture),
            )?;
            let shown = format!(
                "{heading}\n\n![Cost of an open against the number of rules]({picture})\n\n\
                 {ratios}\n{}",
                rows.tables().trim_end()
            );
            let place = Place::named(&format!("bench {}", kernel.name));
            if let Err(error) = place.write(&format!("{shown}\n")) {
                note(&format!("{error:#}"));
            }
        }
    }
    if let Some(path) = &arguments.out {
        vm::write_json_lines(path, &out)?;
    }
    Ok(true)
}

/// With what the numbers were made.
fn heading(kernel: &Kernel, qemu: &str, material: &Material) -> String {
    format!(
        "Linux {} ({}), {qemu}, profiles by apparmor_parser {}; `cargo xtask bench --kernel {}`.",
        kernel.version, kernel.package, material.parser, kernel.name
    )
}

fn qemu_version() -> Result<String> {
    let said = process::text(Command::new(qemu::for_x86_64()?).arg("--version"))?;
    let words = said.split_whitespace();
    let version = words.skip_while(|word| *word != "version").nth(1);
    Ok(format!("QEMU {}", version.context("QEMU says no version")?))
}

/// The rows of a kernel's guests; nothing if one of them failed, which has been said.
fn count(arguments: &Arguments, kernel: &Kernel, image: &Path) -> Result<Option<Rows>> {
    let mut spec = Spec::new(kernel.clone(), image.to_owned(), SUITE);
    spec.accelerator = Accelerator::CountedEmulation;
    spec.append = APPEND.to_owned();
    spec.memory_mib = MEMORY_MIB;
    spec.timeout = Duration::from_secs(arguments.timeout);
    spec.only = arguments.only.clone();
    spec.environment = ebpf::guest_environment();
    let Some(all) = run_one(&spec, "counting instructions")? else {
        return Ok(None);
    };
    spec.lsm = WITHOUT_APPARMOR.to_owned();
    spec.arguments = vec!["bare".to_owned()];
    let Some(bare) = run_one(&spec, "counting without AppArmor")? else {
        return Ok(None);
    };
    let rows = Rows::new(&all, &bare);
    if rows.is_empty() {
        bail!("the suite {SUITE} handed out no row");
    }
    Ok(Some(rows))
}

fn run_one(spec: &Spec, what: &str) -> Result<Option<Vec<Value>>> {
    let step = Step::start(format!("{what} on Linux {}", spec.kernel.name));
    let outcome = vm::run_guest(spec, |line| {
        if line.contains("LSMPC-GUEST: ") {
            step.line(line);
        }
    })?;
    step.done(if outcome.passed() { "done" } else { "FAILED" });
    if outcome.passed() {
        return Ok(Some(outcome.json));
    }
    let why = outcome
        .broken
        .as_deref()
        .unwrap_or("a row could not be measured");
    eprintln!(
        "{}\n\nxtask: {why}; above is the end of the console",
        outcome.last_lines()
    );
    Ok(None)
}
