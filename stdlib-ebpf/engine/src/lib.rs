//! Evaluates a table image: from an event's field values to the number of an
//! outcome. The same source runs on the host and, inlined into the hook
//! programs, in BPF.
//!
//! Owns: the walk over nodes, classifiers, path states, edges and byte automata
//! of [`lsmpc_abi::image`]. It must know nothing of where field values come from
//! (see [`Source`]) nor of where pages are kept (see [`Memory`]).
//!
//! An image is not trusted: whatever its bytes, evaluation ends after a bounded
//! number of steps with an outcome's number or a [`Fault`], and never reads
//! outside a page. Offsets are reduced to their page and alignment instead of
//! being checked, so that both builds give the same answer for any bytes.
//!
//! # Written for two machines
//!
//! In BPF a loop is a call of `bpf_loop` with a callback ([`repeat`]). An
//! evaluation is one such loop (`machine`), and what it carries lives in
//! [`Work`], a part of a map value: its contents are unknown to the verifier, so
//! that a second round looks like the first and verification converges. Every
//! index read from there is bounded again ([`bits`]) where it is used.
#![no_std]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

#[cfg(any(test, feature = "host"))]
extern crate std;

mod automaton;
pub mod bits;
mod child;
mod decide;
mod edges;
#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "host")]
pub mod image;
mod interval;
mod machine;
mod memory;
mod node;
pub mod repeat;
#[cfg(feature = "host")]
pub mod report;
pub mod sticky;
mod text;
mod work;

pub use child::{Child, How, NAME_WORDS, Name, child_state, class_of, follow};
pub use decide::{
    Begun, Gated, Outcome, Source, begin, decide, decide_from, decide_unknown, gate, outcome, root,
};
pub use memory::{Memory, u32_at, u64_at};
pub use work::{TEXT_BYTES, Work};

/// Why an image could not be evaluated. The event is denied and counted; a
/// valid image never causes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Fault {
    /// An offset lies beyond the last page.
    Page = 1,
    /// A node of unknown kind, or one that does not suit its classifier.
    Node = 2,
    /// A classifier of unknown kind.
    Classifier = 3,
    /// A class without an entry in a dense node.
    Class = 4,
    /// More nodes or components than an event may pass.
    Steps = 5,
    /// An outcome's number beyond the table, or a return value out of range.
    Outcome = 6,
    /// A text that does not lie in the buffer, or no buffer for it.
    Text = 7,
}

impl Fault {
    /// The fault of that number.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Page),
            2 => Some(Self::Node),
            3 => Some(Self::Classifier),
            4 => Some(Self::Class),
            5 => Some(Self::Steps),
            6 => Some(Self::Outcome),
            7 => Some(Self::Text),
            _ => None,
        }
    }
}
