//! Runs other programs, with errors that name the program and show what it
//! said.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// How many lines of a failed program's output an error shows.
const SHOWN_LINES: usize = 40;

/// Runs `command` with its output kept back; an error shows the end of it.
pub(crate) fn quiet(command: &mut Command) -> Result<()> {
    text(command).map(drop)
}

/// Runs `command` and returns its standard output.
pub(crate) fn text(command: &mut Command) -> Result<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {}", name(command)))?;
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    if !status.success() {
        let said = format!("{stdout}{}", String::from_utf8_lossy(&stderr));
        bail!(
            "{} failed ({status}):\n{}",
            shown(command),
            last_lines(&said)
        );
    }
    Ok(stdout)
}

/// Runs `command` on this terminal; whether it succeeded.
pub(crate) fn shown_on_terminal(command: &mut Command) -> Result<bool> {
    let status = command
        .status()
        .with_context(|| format!("starting {}", name(command)))?;
    Ok(status.success())
}

/// A command line, for messages.
pub(crate) fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

/// The program of this name in `PATH`.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}

/// This toolchain's cargo, free of what the cargo that runs us has set.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(crate::repository::root());
    forget_outer_cargo(&mut command);
    command
}

/// Another toolchain's cargo: also free of rustup's choice of toolchain, and of what the
/// environment says of profiles, which would be seen in what it builds.
pub(crate) fn other_cargo(cargo: &Path) -> Command {
    let mut command = Command::new(cargo);
    forget_outer_cargo(&mut command);
    for variable in [
        "RUSTUP_TOOLCHAIN",
        "LD_LIBRARY_PATH",
        "CARGO",
        "RUSTC",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTDOC",
    ] {
        command.env_remove(variable);
    }
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PROFILE_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Removes the variables that describe the package cargo is running.
fn forget_outer_cargo(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let about_this_run = text.starts_with("CARGO_PKG_")
            || text.starts_with("CARGO_MANIFEST_")
            || matches!(
                &*text,
                "CARGO_BIN_NAME" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "OUT_DIR"
            );
        if about_this_run {
            command.env_remove(&name);
        }
    }
}
