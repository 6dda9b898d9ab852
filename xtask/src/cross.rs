//! Building for another architecture than this machine's, on Debian: with the
//! compiler that builds the hook programs, Debian's standard library for the
//! other architecture, and Debian's cross linker.
//!
//! The library has to be of the compiler's own version. It is unpacked under
//! `target/cross` and never installed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::apt::{Suite, View, missing};
use crate::architecture::Architecture;
use crate::progress::Step;
use crate::{process, repository};

/// Debian's compiler, and the package that it is of.
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const RUSTC_PACKAGE: &str = "rustc-web";
/// The standard library that goes with it.
const LIBRARY_PACKAGE: &str = "libstd-rust-web-dev";

/// The packages of the linker and of the C library that it links.
pub(crate) fn packages(architecture: Architecture) -> &'static [&'static str] {
    match architecture {
        Architecture::X86_64 => &["gcc-x86-64-linux-gnu", "libc6-dev-amd64-cross"],
        Architecture::Aarch64 => &["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
    }
}

/// A cargo that builds for `architecture`, and the flags it has to give the
/// compiler.
///
/// # Errors
/// Where a package is missing, or the archive has no standard library of the
/// compiler's version.
pub(crate) fn cargo(architecture: Architecture) -> Result<(Command, Vec<String>)> {
    let needed = [packages(architecture), &[RUSTC_PACKAGE]].concat();
    let missing = missing(&needed);
    if !missing.is_empty() {
        bail!(
            "building for {} needs Debian's {}: run `{}`",
            architecture.target(),
            missing.join(", "),
            architecture.setup(),
        );
    }
    let sysroot = sysroot(architecture)?;
    let mut cargo = process::other_cargo(Path::new(CARGO));
    cargo
        .current_dir(repository::root())
        .env("RUSTC", RUSTC)
        .env_remove("RUSTC_WRAPPER");
    let linker = match architecture {
        Architecture::X86_64 => "x86_64-linux-gnu-gcc",
        Architecture::Aarch64 => "aarch64-linux-gnu-gcc",
    };
    let flags = vec![
        format!("--sysroot={}", sysroot.display()),
        format!("-Clinker={linker}"),
    ];
    Ok((cargo, flags))
}

/// A directory that has the compiler's standard libraries, this machine's and
/// the other architecture's.
fn sysroot(architecture: Architecture) -> Result<PathBuf> {
    let version =
        process::text(Command::new("dpkg-query").args(["-W", "-f", "${Version}", RUSTC_PACKAGE]))?;
    let root = repository::target().join("cross").join(&version);
    let libraries = root.join("lib/rustlib");
    let target = architecture.target();
    if libraries.join(target).is_dir() {
        return Ok(root);
    }
    let step = Step::start(format!("fetching Debian's Rust library for {target}"));
    let view = View::detached(
        &architecture.cache("apt-rust"),
        architecture.debian(),
        &[
            Suite::Main("bookworm"),
            Suite::Security("bookworm-security"),
            Suite::Main("trixie"),
            Suite::Security("trixie-security"),
        ],
    )?;
    view.update()?;
    let package = view.download(LIBRARY_PACKAGE, &version).with_context(|| {
        format!("the Rust library for {target} has to be of {RUSTC_PACKAGE} {version}")
    })?;
    fs::create_dir_all(&libraries).with_context(|| format!("creating {}", libraries.display()))?;
    let unpacked = root.join("unpacked");
    process::quiet(
        Command::new("dpkg-deb")
            .arg("-x")
            .arg(&package)
            .arg(&unpacked),
    )?;
    let this = Architecture::of_this_machine()?.target();
    let installed = Path::new("/usr/lib/rustlib").join(this);
    if !libraries.join(this).exists() {
        symlink(&installed, libraries.join(this))?;
    }
    fs::rename(
        unpacked.join("usr/lib/rustlib").join(target),
        libraries.join(target),
    )
    .with_context(|| format!("{LIBRARY_PACKAGE} {version} holds no library for {target}"))?;
    fs::remove_dir_all(&unpacked)?;
    fs::remove_file(&package)?;
    step.done(&version);
    Ok(root)
}
