//! From lsmp sources to a table image.
//!
//! Owns sources, diagnostics, resolution, checking, the reference evaluator,
//! lowering and the image's bytes. It does no I/O beyond the source reader it is
//! given, and knows neither aya nor a terminal.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod automaton;
mod emit;
pub mod glob;
pub mod ir;

pub mod analysis;
mod check;
pub mod code;
pub mod diagnostic;
mod discard;
pub mod event;
pub mod explain;
pub mod format;
pub mod hir;
mod intern;
mod irgen;
pub mod load;
pub mod lower;
pub mod options;
pub mod reference;
pub mod source;
mod suggest;
pub mod tables;
pub mod testing;

pub use analysis::{Analysis, analyse};
pub use options::{Kernel, KernelVersion, Lacking, Options, UserDb};
