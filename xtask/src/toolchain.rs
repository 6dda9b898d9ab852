//! The compiler, linker and strip that build the hook programs.
//!
//! On Debian these are the packages that `cargo xtask setup` installs and a
//! bpf-linker built from source. Elsewhere a nightly with rust-src and a
//! bpf-linker of the same LLVM can be named.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::{process, repository};

/// The bpf-linker that is built.
pub(crate) const BPF_LINKER: &str = "0.13.0";
/// The LLVM that both the compiler and the linker have.
pub(crate) const LLVM: &str = "22";

/// Which tools build the hook programs, where not Debian's.
#[derive(Args, Clone, Default)]
pub(crate) struct Tools {
    /// A compiler with rust-src that may use unstable options
    #[arg(long, value_name = "FILE", env = "LSMPC_BPF_RUSTC")]
    rustc: Option<PathBuf>,
    /// The cargo that goes with it
    #[arg(long, value_name = "FILE", env = "LSMPC_BPF_CARGO")]
    cargo: Option<PathBuf>,
    /// A bpf-linker of the same LLVM
    #[arg(long, value_name = "FILE", env = "LSMPC_BPF_LINKER")]
    linker: Option<PathBuf>,
    /// A strip of that LLVM
    #[arg(long, value_name = "FILE", env = "LSMPC_BPF_STRIP")]
    strip: Option<PathBuf>,
}

/// Tools that were found.
pub(crate) struct Toolchain {
    pub(crate) rustc: PathBuf,
    pub(crate) cargo: PathBuf,
    pub(crate) linker: PathBuf,
    pub(crate) strip: PathBuf,
    /// Where the compiler has core's source.
    pub(crate) rust_source: PathBuf,
    pub(crate) versions: Versions,
}

/// What the bytes of an object depend on besides its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Versions {
    pub(crate) rustc: String,
    pub(crate) llvm: String,
    pub(crate) bpf_linker: String,
    pub(crate) strip: String,
}

impl Tools {
    /// Finds every tool, or says which is missing and how to get it.
    pub(crate) fn find(&self) -> Result<Toolchain> {
        let rustc = named(&self.rustc, "the compiler", "/usr/bin/rustc")?;
        let cargo = named(&self.cargo, "cargo", "/usr/bin/cargo")?;
        let built = repository::tool("bpf-linker");
        let linker = named(&self.linker, "bpf-linker", &built)?;
        let strip = named(
            &self.strip,
            "llvm-strip",
            format!("/usr/bin/llvm-strip-{LLVM}"),
        )?;

        let mut ask = Command::new(&rustc);
        ask.env_remove("LD_LIBRARY_PATH")
            .env_remove("RUSTUP_TOOLCHAIN");
        let said = process::text(ask.arg("-vV"))?;
        let mut ask = Command::new(&rustc);
        ask.env_remove("LD_LIBRARY_PATH")
            .env_remove("RUSTUP_TOOLCHAIN");
        let sysroot = process::text(ask.args(["--print", "sysroot"]))?;
        let rust_source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
        if !rust_source.join("library/core").is_dir() {
            bail!(
                "{} has no rust-src ({} is missing): run `cargo xtask setup`, or name \
                 another with --rustc",
                rustc.display(),
                rust_source.display()
            );
        }
        let line = |key: &str| {
            said.lines()
                .find_map(|line| line.strip_prefix(key))
                .unwrap_or("")
                .trim()
                .to_owned()
        };
        let versions = Versions {
            rustc: format!("{} ({})", line("release:"), line("commit-hash:")),
            llvm: line("LLVM version:"),
            bpf_linker: version_of(&linker)?,
            strip: version_of(&strip)?,
        };
        Ok(Toolchain {
            rustc,
            cargo,
            linker,
            strip,
            rust_source,
            versions,
        })
    }
}

fn named(given: &Option<PathBuf>, what: &str, default: impl Into<PathBuf>) -> Result<PathBuf> {
    let path = given.clone().unwrap_or_else(|| default.into());
    if !path.is_file() {
        bail!(
            "{what} for BPF objects is missing ({}): run `cargo xtask setup`, or name one \
             (see `cargo xtask ebpf --help`)",
            path.display()
        );
    }
    Ok(path)
}

/// The first number with dots that a program gives as its version.
fn version_of(program: &Path) -> Result<String> {
    let said = process::text(Command::new(program).arg("--version"))?;
    let number = |word: &&str| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit());
    let version = said.split_whitespace().find(number);
    version
        .map(str::to_owned)
        .with_context(|| format!("{} says no version", program.display()))
}
