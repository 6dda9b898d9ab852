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
pub mod glob;
pub mod ir;
