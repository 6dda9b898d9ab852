//! Finds the QEMU that boots guests.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::architecture::Architecture;
use crate::process;

/// Names a QEMU other than the one in `PATH`.
const VARIABLE: &str = "LSMPC_QEMU";
/// TCG of earlier versions crashes kernels from 6.12 on.
const OLDEST: u32 = 10;

/// A QEMU for x86-64 that is new enough.
pub(crate) fn for_x86_64() -> Result<PathBuf> {
    for_architecture(Architecture::X86_64)
}

/// The same for an architecture.
pub(crate) fn for_architecture(architecture: Architecture) -> Result<PathBuf> {
    let program = architecture.qemu();
    let setup = architecture.setup();
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let path = named
        .or_else(|| process::in_path(program))
        .with_context(|| {
            format!(
                "there is no {program} (package {}): run `{setup}` or set {VARIABLE}",
                architecture.qemu_package()
            )
        })?;
    let said = process::text(Command::new(&path).arg("--version"))?;
    match major_version(&said) {
        Some(major) if major >= OLDEST => Ok(path),
        _ => bail!(
            "{} is too old, {OLDEST} is the oldest whose emulation runs these kernels \
             ({}): run `{setup}` or set {VARIABLE}",
            path.display(),
            said.lines().next().unwrap_or("it says no version"),
        ),
    }
}

fn major_version(said: &str) -> Option<u32> {
    let (_, rest) = said.split_once("version ")?;
    rest.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major_version;

    #[test]
    fn qemu_version_is_read() {
        assert_eq!(
            major_version("QEMU emulator version 10.0.2 (Debian 1:10.0.2)"),
            Some(10)
        );
        assert_eq!(major_version("nonsense"), None);
    }
}
