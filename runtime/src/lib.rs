//! Brings a table image into the kernel, keeps it there, and tells what happens.
//!
//! Owns everything between the bytes that the compiler makes and the running
//! kernel: [`preflight`] checks, loading and attaching the shipped programs, the
//! swap of one image for another, what is pinned, and the events. It must not
//! know the language: it never sees a syntax tree, and what an image's tables
//! mean is the engine's to say.
//!
//! The way in is [`Runtime`].
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod applied;
mod arguments;
mod attach;
pub mod btf;
mod checks;
mod code;
mod control;
mod doctor;
mod error;
mod evaluator;
pub mod events;
mod gaps;
mod image;
mod lock;
mod object;
mod offsets;
mod others;
mod parallel;
mod pins;
pub mod preflight;
mod process;
mod seeds;
mod status;
mod store;
mod support;
mod swap;
mod sys;
mod system;
mod teardown;
mod untold;

use std::path::{Path, PathBuf};
use std::time::Duration;

use btf::KernelBtf;
use gaps::Gaps;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

pub use applied::{Applied, ApplyOptions, Step};
pub use code::Code;
pub use doctor::Diagnosis;
pub use error::{Error, Result};
pub use evaluator::KernelEngine;
pub use image::Header;
pub use lsmpc_engine::image::digest;
pub use others::OtherProgram;
pub use pins::State;
pub use preflight::{Check, CheckState, Preflight};
pub use status::{Counters, Holder, HookStatus, MapStatus, PolicyStatus, Status};
pub use support::{Lacking, Missing, Reason, TRACKERS, Unsupported};
pub use system::{KernelVersion, RunningKernel, System, Trial, Trials};
pub use teardown::Removed;

/// The pin directory, unless another is named.
pub const DEFAULT_DIR: &str = "/sys/fs/bpf/lsmpc";

/// A place where a policy is, or can be, in force.
#[derive(Debug, Clone)]
pub struct Runtime {
    layout: pins::Layout,
    system: System,
    object: Option<PathBuf>,
}

impl Default for Runtime {
    fn default() -> Self {
        Self::new(DEFAULT_DIR)
    }
}

impl Runtime {
    /// For a pin directory.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            layout: pins::Layout::new(dir),
            system: System::default(),
            object: None,
        }
    }

    /// Takes the programs from a file instead of those that are built in.
    #[must_use]
    pub fn with_object(mut self, path: impl Into<PathBuf>) -> Self {
        self.object = Some(path.into());
        self
    }

    /// The pin directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.layout.dir()
    }

    /// Checks whether this machine can enforce a policy. Changes nothing.
    #[must_use]
    pub fn preflight(&self) -> Preflight {
        let object = object::ProgramObject::open(self.object.as_deref()).ok();
        preflight::full(
            &self.system,
            self.layout.dir(),
            &RunningKernel,
            object.as_ref(),
        )
    }

    /// Demands that this machine can enforce a policy. Changes nothing.
    ///
    /// # Errors
    ///
    /// When it cannot, or a policy in force does not let this process at the pins.
    pub fn require(&self) -> Result<()> {
        let checks = self.preflight();
        if checks.passed() {
            return Ok(());
        }
        Err(swap::failed(&self.layout, checks))
    }

    /// All those checks, and all else that there is to know of this machine. Changes nothing.
    #[must_use]
    pub fn diagnose(&self) -> Diagnosis {
        let object = object::ProgramObject::open(self.object.as_deref()).ok();
        let asked = doctor::Asked {
            trials: &RunningKernel,
            object: object.as_ref(),
            others: self.others(),
            privileged: rustix::process::geteuid().is_root(),
            architecture: std::env::consts::ARCH,
        };
        doctor::diagnose(&self.system, self.layout.dir(), asked)
    }

    fn others(&self) -> std::io::Result<Vec<OtherProgram>> {
        let kernel = swap::kernel_types(&self.system).ok();
        let function = |id: u32| Some(kernel.as_ref()?.name(id)?.to_owned());
        // Without pins that can be read, none is ours.
        let found = swap::survey(&self.layout).unwrap_or_default();
        others::others(&found, &function)
    }

    /// What of an image this kernel and these programs cannot enforce.
    ///
    /// # Errors
    ///
    /// When it is no image, the kernel's types or the programs cannot be read, or a
    /// structure is not as every program needs it.
    pub fn unsupported(&self, image: &[u8]) -> Result<Vec<Unsupported>> {
        let image = image::CheckedImage::new(image)?;
        let (kernel, object) = self.kernel_and_programs()?;
        support::of_image(&image, &kernel, &object, &self.system)
    }

    /// What this kernel and these programs cannot enforce of the whole language. Needs
    /// no privileges; what only those who have some are told is said to be so.
    ///
    /// # Errors
    ///
    /// When the kernel's types or the programs cannot be read, or a structure is not as
    /// every program needs it.
    pub fn lacking(&self) -> Result<Lacking> {
        let (kernel, object) = self.kernel_and_programs()?;
        let gaps = Gaps::find(&kernel, &object)?;
        let mut lacking = Lacking {
            unsupported: support::unsupported(HookId::ALL, &kernel, |hook| {
                gaps.program(&object, hook)
            }),
            untold: Vec::new(),
        };
        let privileged = rustix::process::geteuid().is_root();
        for one in untold::untold(&self.system, &gaps, FieldId::ALL) {
            if one.certain || privileged {
                lacking.unsupported.push(one.into());
            } else {
                lacking.untold.push(one.field);
            }
        }
        Ok(lacking)
    }

    fn kernel_and_programs(&self) -> Result<(KernelBtf, object::ProgramObject)> {
        let object = object::ProgramObject::open(self.object.as_deref())?;
        let kernel = swap::kernel_types(&self.system)?;
        let members = Gaps::find(&kernel, &object)?.fatal();
        if !members.is_empty() {
            return Err(Error::Offsets { members });
        }
        Ok((kernel, object))
    }

    /// The programs that have to be attached to enforce `hooks` on this kernel.
    ///
    /// # Errors
    ///
    /// When the kernel's types or the programs cannot be read.
    pub fn programs(&self, hooks: &[HookId]) -> Result<Vec<String>> {
        let object = object::ProgramObject::open(self.object.as_deref())?;
        let kernel = swap::kernel_types(&self.system)?;
        Ok(support::programs(hooks, &kernel, |name| {
            object.has_program(name)
        }))
    }

    /// Puts an image in force in place of what is in force now.
    ///
    /// # Errors
    ///
    /// When it cannot; then nothing was changed.
    pub fn apply(
        &self,
        image: &[u8],
        options: &ApplyOptions,
        mut observe: impl FnMut(Step),
    ) -> Result<Applied> {
        swap::apply(
            &self.layout,
            &self.system,
            self.object.as_deref(),
            image,
            options,
            &mut observe,
        )
    }

    /// Tells what is in force. Changes nothing.
    ///
    /// # Errors
    ///
    /// When the pins cannot be looked at. A strange state is no error: it is
    /// [`Status::state`].
    pub fn status(&self) -> Result<Status> {
        status::status(&self.layout, &self.system, self.object.as_deref())
    }

    /// Reads the image in force back from the kernel, epoch and all.
    ///
    /// # Errors
    ///
    /// When none is in force or it cannot be read.
    pub fn read_image(&self) -> Result<Vec<u8>> {
        status::read_image(&self.layout)
    }

    /// Takes the policy out of force and everything away. That nothing was there
    /// is no error.
    ///
    /// # Errors
    ///
    /// When something cannot be removed, or the kernel has not detached in time.
    pub fn remove(&self, timeout: Duration) -> Result<Removed> {
        teardown::remove(&self.layout, timeout)
    }

    /// The programs' counters.
    ///
    /// # Errors
    ///
    /// When nothing is applied or they cannot be read.
    pub fn counters(&self) -> Result<Counters> {
        status::counters(&self.layout, &self.system)
    }

    /// Opens the events for reading. There is one reader at a time.
    ///
    /// # Errors
    ///
    /// When nothing is applied or another process reads.
    pub fn events(&self) -> Result<events::EventReader> {
        events::EventReader::open(&self.layout, &self.system)
    }
}
