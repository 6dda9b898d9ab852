//! The architectures of guests: what tools and Debian call each, and what its
//! machine in QEMU is made of.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::repository;

/// The processor of a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Architecture {
    #[default]
    #[value(name = "x86_64")]
    X86_64,
    Aarch64,
}

impl Architecture {
    /// What the compiler calls it.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Aarch64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// What Debian calls it.
    pub(crate) fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// The program that emulates it.
    pub(crate) fn qemu(self) -> &'static str {
        match self {
            Self::X86_64 => "qemu-system-x86_64",
            Self::Aarch64 => "qemu-system-aarch64",
        }
    }

    /// The package that has this program.
    pub(crate) fn qemu_package(self) -> &'static str {
        match self {
            Self::X86_64 => "qemu-system-x86",
            Self::Aarch64 => "qemu-system-arm",
        }
    }

    /// The machine, with that by which its init ends QEMU with a code.
    pub(crate) fn machine(self) -> &'static [&'static str] {
        match self {
            Self::X86_64 => &[
                "-M",
                "q35",
                "-device",
                "isa-debug-exit,iobase=0xf4,iosize=0x4",
            ],
            Self::Aarch64 => &[
                "-M",
                "virt",
                "-semihosting-config",
                "enable=on,target=native,userspace=on",
            ],
        }
    }

    /// The processor to emulate.
    pub(crate) fn processor(self) -> &'static str {
        match self {
            Self::X86_64 => "max",
            // Emulating pointer authentication as it is specified takes most of the time.
            Self::Aarch64 => "max,pauth-impdef=on",
        }
    }

    /// The kernel's name of the first serial line.
    pub(crate) fn console(self) -> &'static str {
        match self {
            Self::X86_64 => "ttyS0",
            Self::Aarch64 => "ttyAMA0",
        }
    }

    /// Where guests of this architecture keep what is downloaded under `name`.
    pub(crate) fn cache(self, name: &str) -> PathBuf {
        repository::vm_cache().join(match self {
            Self::X86_64 => name.to_owned(),
            Self::Aarch64 => format!("{name}-aarch64"),
        })
    }

    /// The command that gets what guests of this architecture need.
    pub(crate) fn setup(self) -> &'static str {
        match self {
            Self::X86_64 => "cargo xtask setup",
            Self::Aarch64 => "cargo xtask setup --architecture aarch64",
        }
    }

    /// The processor that this program runs on.
    ///
    /// # Errors
    /// Where guests cannot have it.
    pub(crate) fn of_this_machine() -> Result<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Self::X86_64),
            "aarch64" => Ok(Self::Aarch64),
            other => bail!("there are no guests for {other}"),
        }
    }
}
