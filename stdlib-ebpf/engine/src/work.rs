//! The buffer for one text and what the loops over it carry.

/// Bytes of the text buffer: 4096 for the text, and slack so that loads of eight
/// bytes past a text's end stay inside.
pub const TEXT_BYTES: usize = 4096 + 264;

/// Words of a component: 255 bytes.
pub(crate) const KEY_WORDS: usize = 32;

/// A text and the state of matching it. In BPF a part of a scratch slot.
///
/// Who fills in the text sets `start` and `end`, with `start <= end <= 4096`.
/// Everything else belongs to the engine. Any content is allowed at the start.
#[derive(Debug, Clone)]
#[repr(C, align(8))]
pub struct Work {
    /// The text's bytes are `text[start..end]`.
    pub text: [u8; TEXT_BYTES],
    /// The component at hand, zero-padded.
    pub(crate) key: [u64; KEY_WORDS],
    /// The image's hash seed.
    pub(crate) seed: u64,
    /// First byte of the text.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,
    /// First byte of the component at hand; beyond `end`: none is left.
    pub(crate) position: u32,
    /// How far the component's end has been searched for.
    pub(crate) scanned: u32,
    /// The component's length.
    pub(crate) length: u32,
    /// Offset of the path state, or number of the automaton's state.
    pub(crate) state: u32,
    /// The answer.
    pub(crate) class: u32,
    /// A [`crate::Fault`]'s number, 0 for none.
    pub(crate) fault: u32,
    /// Offset of the edge table.
    pub(crate) edges: u32,
    /// Its bucket mask.
    pub(crate) edge_mask: u32,
}

impl Work {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            text: [0; TEXT_BYTES],
            key: [0; KEY_WORDS],
            seed: 0,
            start: 0,
            end: 0,
            position: 0,
            scanned: 0,
            length: 0,
            state: 0,
            class: 0,
            fault: 0,
            edges: 0,
            edge_mask: 0,
        }
    }
}

impl Default for Work {
    fn default() -> Self {
        Self::new()
    }
}
