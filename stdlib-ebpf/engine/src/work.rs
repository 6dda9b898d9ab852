//! Everything that an evaluation carries from step to step.

use lsmpc_abi::{Presence, image::Bits};

/// Bytes of the text buffer: 4096 for the text, and slack so that loads of eight
/// bytes past a text's end stay inside.
pub const TEXT_BYTES: usize = 4096 + 264;

/// Words of a component: 255 bytes.
pub(crate) const KEY_WORDS: usize = 32;

/// The state of an evaluation. In BPF a part of a scratch slot.
///
/// A [`crate::Source`] writes the value that it is asked for: `presence`, and
/// `low` (of an address `high` too), or the text in `text[start..end]`, with
/// `start <= end <= 4096`. Everything else belongs to the engine. Any content is
/// allowed at the start.
#[derive(Debug, Clone)]
#[repr(C, align(8))]
pub struct Work {
    /// The text.
    pub text: [u8; TEXT_BYTES],
    /// A [`Presence`] as a number, of the value asked for last.
    pub presence: u32,
    /// Reserved.
    pub reserved: u32,
    /// High half of an address; of flags, the bits that are not known.
    pub high: u64,
    /// An integer, or the low half of an address.
    pub low: u64,
    /// First byte of the text.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,

    /// The component at hand, zero-padded.
    pub(crate) key: [u64; KEY_WORDS],
    /// Its hash, as an edge of `state`.
    pub(crate) hash: u64,
    /// The image's hash seed.
    pub(crate) seed: u64,
    /// Offset of the edge table.
    pub(crate) edges: u32,
    /// Its bucket mask.
    pub(crate) edge_mask: u32,

    /// What the next step does.
    pub(crate) mode: u32,
    /// The ref where the evaluation stands.
    pub(crate) reference: u32,
    /// Nodes passed.
    pub(crate) nodes: u32,
    /// A [`crate::Fault`]'s number, 0 for none.
    pub(crate) fault: u32,
    /// The node's field.
    pub(crate) field: u32,
    /// Its value's class, when it is found.
    pub(crate) class: u32,
    /// Whether the class is one to be kept by the source.
    pub(crate) keep: u32,

    /// The path classifier whose last but one state is to be noted, or 0.
    pub(crate) noting: u32,
    /// The first path classifier that the path has gone through, or 0.
    pub directory_of: u32,
    /// Its state before the path's last component: what [`crate::child_state`] goes on
    /// from for another name in the same directory.
    pub directory: u32,
    /// For a source that wants the state before another component, too: where that one
    /// begins in the text.
    pub note_at: u32,
    /// The state there, or 0.
    pub noted: u32,

    /// First byte of the component at hand; beyond `end`: none is left.
    pub(crate) position: u32,
    /// The component's length.
    pub(crate) length: u32,
    /// Offset of the path state.
    pub(crate) state: u32,
    /// Where it leads without an edge.
    pub(crate) default: u32,
    /// Its byte automaton.
    pub(crate) automaton: u32,
    /// The first entry of the two buckets not tried yet.
    pub(crate) candidate: u32,

    /// The byte automaton's columns.
    pub(crate) columns: u32,
    /// Offset of its map.
    pub(crate) map: u32,
    /// Offset of its transitions.
    pub(crate) transitions: u32,
    /// Offset of its accepts.
    pub(crate) accepts: u32,
    /// Its state.
    pub(crate) byte_state: u32,
    /// The next byte that it reads.
    pub(crate) byte: u32,
    /// Where it ends.
    pub(crate) byte_end: u32,

    /// Offset of the boundaries.
    pub(crate) boundaries: u32,
    /// 1 if they are two words each.
    pub(crate) wide: u32,
    /// As many boundaries are certainly not above the value.
    pub(crate) least: u32,
    /// At most as many are not.
    pub(crate) most: u32,
}

impl Work {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            text: [0; TEXT_BYTES],
            presence: 0,
            reserved: 0,
            high: 0,
            low: 0,
            start: 0,
            end: 0,
            key: [0; KEY_WORDS],
            hash: 0,
            seed: 0,
            edges: 0,
            edge_mask: 0,
            mode: 0,
            reference: 0,
            nodes: 0,
            fault: 0,
            field: 0,
            class: 0,
            keep: 0,
            noting: 0,
            directory_of: 0,
            directory: 0,
            note_at: 0,
            noted: 0,
            position: 0,
            length: 0,
            state: 0,
            default: 0,
            automaton: 0,
            candidate: 0,
            columns: 0,
            map: 0,
            transitions: 0,
            accepts: 0,
            byte_state: 0,
            byte: 0,
            byte_end: 0,
            boundaries: 0,
            wide: 0,
            least: 0,
            most: 0,
        }
    }

    /// A value that does not apply, or cannot be read.
    #[inline(always)]
    pub fn set_presence(&mut self, presence: Presence) {
        self.presence = presence as u32;
    }

    /// A known integer.
    #[inline(always)]
    pub fn set_scalar(&mut self, value: u64) {
        self.presence = Presence::Known as u32;
        self.high = 0;
        self.low = value;
    }

    /// Flags, of which some may not be known.
    #[inline(always)]
    pub fn set_bits(&mut self, bits: Bits) {
        self.presence = Presence::Known as u32;
        self.high = bits.unknown;
        self.low = bits.set;
    }

    /// A known address.
    #[inline(always)]
    pub fn set_wide(&mut self, high: u64, low: u64) {
        self.presence = Presence::Known as u32;
        self.high = high;
        self.low = low;
    }

    /// A known text, at `text[start..end]`.
    #[inline(always)]
    pub fn set_text(&mut self, start: u32, end: u32) {
        self.presence = Presence::Known as u32;
        self.start = start;
        self.end = end;
    }
}

impl Default for Work {
    fn default() -> Self {
        Self::new()
    }
}
