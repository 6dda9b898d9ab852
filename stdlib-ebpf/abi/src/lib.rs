//! Layouts and identifiers that the compiler, the runtime and the BPF programs
//! share.
//!
//! Owns: hook and field numbers, the table image's byte layout, the task state
//! kept in the kernel, the event record. It must know nothing of the language,
//! of aya, or of how tables are evaluated. Every number here is part of the ABI:
//! change one and [`ABI_VERSION`] changes with it.
#![no_std]

pub mod catalogue;
pub mod evaluate;
pub mod event;
pub mod field;
pub mod hook;
pub mod image;
pub mod kernel;
pub mod maps;
pub mod state;

/// Version of everything in this crate. Stored in the BPF objects (the
/// `LSMPC_ABI` constant) and in every image; both sides refuse another one.
pub const ABI_VERSION: u32 = 5;

/// A field's value does not apply to the event: class 0 of every classifier.
pub const CLASS_NONE: u32 = 0;
/// A field's value applies but cannot be read: class 1 of every classifier.
pub const CLASS_UNKNOWN: u32 = 1;
/// The first class that stands for known values.
pub const CLASS_FIRST: u32 = 2;

/// Whether a field has a value in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Presence {
    /// Does not apply: every predicate on it is false.
    None = 0,
    /// Applies but cannot be read: every predicate on it is unknown.
    Unknown = 1,
    /// Has a value.
    Known = 2,
}

/// Longest path, in bytes, that is ever matched or recorded (`PATH_MAX` less
/// the terminating NUL). Longer ones are *unknown*, never cut.
pub const PATH_MAX_BYTES: usize = 4095;
/// Longest component of a path (`NAME_MAX`).
pub const NAME_MAX_BYTES: usize = 255;
