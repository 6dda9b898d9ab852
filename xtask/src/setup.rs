//! `cargo xtask setup`: gets what building the hook programs and booting
//! guests needs. Does nothing where all is there.

use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::apt::{Installer, Suite, View, missing};
use crate::architecture::Architecture;
use crate::progress::{Step, note};
use crate::toolchain::{BPF_LINKER, LLVM};
use crate::{cross, kernels, process, qemu, repository};

/// The cargo-deny that is built.
const CARGO_DENY: &str = "0.20.2";

/// The cargo-fuzz that is built.
const CARGO_FUZZ: &str = "0.13.2";

/// For BPF objects.
const PACKAGES: &[&str] = &[
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "llvm-22",
    "llvm-22-dev",
    "libpolly-22-dev",
    "libzstd-dev",
    "zlib1g-dev",
];

/// Install what building the hook programs and booting guests needs.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Leave out cargo-deny, which only `cargo xtask ci` uses
    #[arg(long)]
    no_deny: bool,
    /// Leave out QEMU and the guests' kernels
    #[arg(long)]
    no_guests: bool,
    /// Guests of this architecture are to be built and booted, too
    #[arg(
        long,
        value_enum,
        default_value = "x86_64",
        conflicts_with = "no_guests"
    )]
    architecture: Architecture,
}

pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    let installer = Installer::find();
    install_packages(&installer, PACKAGES)?;
    if !arguments.no_guests {
        install_qemu(&installer, Architecture::X86_64)?;
        kernels::ensure_all(kernels::TESTED)?;
    }
    let other = arguments.architecture;
    if other != Architecture::X86_64 {
        install_packages(&installer, cross::packages(other))?;
        install_qemu(&installer, other)?;
    }
    build_bpf_linker()?;
    if !arguments.no_deny {
        build_cargo_deny()?;
    }
    note("everything is there");
    Ok(true)
}

fn install_packages(installer: &Installer, packages: &[&str]) -> Result<()> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    let step = Step::start(format!("installing {names}"));
    let by_hand = format!("apt-get install --no-install-recommends {names}");
    installer.apt_get(None, &["update"], &by_hand)?;
    let arguments: Vec<&str> = ["install", "-y", "--no-install-recommends"]
        .into_iter()
        .chain(missing)
        .collect();
    installer.apt_get(None, &arguments, &by_hand)?;
    step.done("installed");
    Ok(())
}

/// Bookworm's own QEMU crashes newer kernels, so there it comes from backports.
fn install_qemu(installer: &Installer, architecture: Architecture) -> Result<()> {
    if qemu::for_architecture(architecture).is_ok() {
        return Ok(());
    }
    let package = architecture.qemu_package();
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let bookworm = release
        .lines()
        .any(|line| line == "VERSION_CODENAME=bookworm");
    let step = Step::start("installing QEMU 10 or newer");
    if bookworm {
        let by_hand = &format!("apt-get install -t bookworm-backports {package}");
        let view = View::of_this_machine(
            &repository::vm_cache().join("apt-qemu"),
            &[
                Suite::Main("bookworm"),
                Suite::Main("bookworm-updates"),
                Suite::Security("bookworm-security"),
                Suite::Main("bookworm-backports"),
            ],
        )?;
        installer.apt_get(Some(&view), &["update"], by_hand)?;
        let backports = [
            "install",
            "-y",
            "--no-install-recommends",
            "-t",
            "bookworm-backports",
        ];
        let arguments = [&backports[..], &[package]].concat();
        installer.apt_get(Some(&view), &arguments, by_hand)?;
    } else {
        let by_hand = &format!("apt-get install {package}");
        installer.apt_get(None, &["update"], by_hand)?;
        let arguments = ["install", "-y", "--no-install-recommends", package];
        installer.apt_get(None, &arguments, by_hand)?;
    }
    let path = qemu::for_architecture(architecture)?;
    step.done(&path.display().to_string());
    Ok(())
}

fn build_bpf_linker() -> Result<()> {
    let tool = repository::tool("bpf-linker");
    let said = process::text(Command::new(&tool).arg("--version"));
    if said.is_ok_and(|said| said.contains(BPF_LINKER)) {
        return Ok(());
    }
    let step = Step::start(format!(
        "building bpf-linker {BPF_LINKER}, about two minutes"
    ));
    let prefix = format!("/usr/lib/llvm-{LLVM}");
    let mut cargo = install("bpf-linker", BPF_LINKER);
    cargo
        .args([
            "--no-default-features",
            "--features",
            &format!("llvm-{LLVM}"),
        ])
        .env("LLVM_PREFIX", &prefix)
        .env("LLVM_SYS_221_PREFIX", &prefix);
    process::quiet(&mut cargo).context(
        "bpf-linker could not be built: is crates.io within reach, and is llvm-22-dev installed?",
    )?;
    step.done("built");
    Ok(())
}

fn build_cargo_deny() -> Result<()> {
    if repository::tool("cargo-deny").is_file() {
        return Ok(());
    }
    let step = Step::start("building cargo-deny, about two minutes");
    let mut cargo = install("cargo-deny", CARGO_DENY);
    // It runs once for a second or two: not worth optimising.
    cargo.arg("--debug").env("CARGO_PROFILE_DEV_DEBUG", "false");
    process::quiet(&mut cargo)
        .context("cargo-deny could not be built: is crates.io within reach?")?;
    step.done("built");
    Ok(())
}

/// cargo-fuzz, which only `cargo xtask fuzz` uses.
pub(crate) fn ensure_cargo_fuzz() -> Result<()> {
    if repository::tool("cargo-fuzz").is_file() {
        return Ok(());
    }
    let step = Step::start(format!(
        "building cargo-fuzz {CARGO_FUZZ}, about two minutes"
    ));
    let mut cargo = install("cargo-fuzz", CARGO_FUZZ);
    cargo.arg("--debug").env("CARGO_PROFILE_DEV_DEBUG", "false");
    process::quiet(&mut cargo)
        .context("cargo-fuzz could not be built: is crates.io within reach?")?;
    step.done("built");
    Ok(())
}

/// `cargo install` into `target/tools`, with its own build directory kept
/// there as well.
fn install(package: &str, version: &str) -> Command {
    let mut cargo = process::cargo();
    cargo
        .args([
            "install",
            package,
            "--version",
            version,
            "--locked",
            "--force",
        ])
        .arg("--root")
        .arg(repository::tools())
        .arg("--target-dir")
        .arg(repository::tools().join("build"));
    cargo
}
