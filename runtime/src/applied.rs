//! What an apply is told, and what it tells.
//!
//! Owns the types only; what they lead to is [`crate::swap`]'s.

use std::time::Duration;

use lsmpc_abi::hook::HookId;
use lsmpc_abi::{kernel, maps};

use crate::support::Unsupported;

/// How an image is to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApplyOptions {
    /// Enforce what can be, and list what cannot.
    pub best_effort: bool,
    /// Set up new programs and maps beside the old ones, then drop those.
    pub replace: bool,
    /// Bytes of the event buffer, a power of two and whole pages; takes effect
    /// when the maps are made.
    pub event_bytes: u32,
    /// Records a second of one rate-limit bucket; 0: no limit. Takes effect in
    /// programs that are loaded from now on.
    pub rate: u32,
    /// How long to wait for the kernel to detach.
    pub detach_timeout: Duration,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self {
            best_effort: false,
            replace: false,
            event_bytes: maps::EVENT_BYTES,
            rate: kernel::DEFAULT_RATE,
            detach_timeout: Duration::from_secs(10),
        }
    }
}

/// Where an apply has got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The image is whole and of this ABI version.
    ImageChecked,
    /// The machine can enforce it.
    PreflightPassed,
    /// Nobody else is at work.
    Locked,
    /// All maps are there.
    MapsReady,
    /// This many programs are loaded.
    ProgramsLoaded(usize),
    /// All needed programs are attached.
    ProgramsAttached,
    /// The image is in the kernel, read back and compared.
    ImageStored,
    /// What is to stick to the tasks that are there is known.
    TasksSeeded,
    /// The new policy is in force.
    Published,
    /// Hooks that are no longer used are detached.
    Detached,
}

/// What an apply did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// The image's epoch.
    pub epoch: u32,
    /// The image's digest.
    pub digest: [u8; 32],
    /// Bytes of the image.
    pub bytes: usize,
    /// Hooks that are enforced now.
    pub hooks: Vec<HookId>,
    /// Hooks that a program was newly attached to, trackers included.
    pub attached: Vec<String>,
    /// Hooks that a program was taken off.
    pub detached: Vec<String>,
    /// Hooks that the kernel has not finished detaching.
    pub detach_pending: Vec<String>,
    /// Hooks of the policy that are not enforced.
    pub not_enforced: Vec<Unsupported>,
    /// What an interrupted command had left, and was completed or cleared.
    pub recovered: Vec<String>,
    /// Epoch of the policy that was in force before.
    pub previous_epoch: Option<u32>,
    /// The programs in force are from another object than this lsmpc's;
    /// `--replace` renews them.
    pub older_programs: bool,
    /// The kernel refuses writes to the image from now on.
    pub frozen: bool,
}
