//! Random policies, events and damaged images, and what has to hold of them.
//!
//! Owns the generators that tests of several crates share, and the functions that the
//! fuzzers in `fuzz/` and the test that replays their corpora call. It is no part of
//! what is shipped, and must not know the kernel.

#![allow(clippy::panic, reason = "a crate for tests")]

pub mod choices;
pub mod collisions;
pub mod damage;
pub mod events;
pub mod limits;
pub mod near;
pub mod policies;
pub mod sources;
pub mod targets;

pub use choices::Choices;
