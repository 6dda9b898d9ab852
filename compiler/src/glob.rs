//! Globs (LANGUAGE §4) as a small syntax tree over bytes.
//!
//! Owns the pattern's parsed form and its parser. It must not know which fields
//! take globs; a *name* glob differs from a path glob only in what a star may
//! cross, which the parser has already written into the tree.

mod display;
pub mod parse;

use std::sync::Arc;

/// A pattern: a sequence of pieces that must match the whole string. Braces are
/// expanded by the parser, so that a source glob may yield several.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Glob {
    /// In order; adjacent literals are merged, and no two adjacent pieces are
    /// both stars.
    pub pieces: Arc<[Piece]>,
}

/// The same globs, sorted and each once.
pub(crate) fn sorted(globs: &Arc<[Glob]>) -> Arc<[Glob]> {
    if globs.is_sorted_by(|one, other| one < other) {
        return Arc::clone(globs);
    }
    let mut globs = globs.to_vec();
    globs.sort_unstable();
    globs.dedup();
    globs.into()
}

/// A piece of a [`Glob`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Piece {
    /// These bytes (never empty).
    Literal(Vec<u8>),
    /// One byte of the set.
    Class(ByteSet),
    /// Any run of bytes other than `/`, also the empty one.
    Star,
    /// Any run of bytes, also the empty one (`**`, and `*` in names).
    DeepStar,
}

/// A set of bytes: bit *b* of word *b / 64*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ByteSet(pub [u64; 4]);

impl ByteSet {
    /// Whether `byte` is in the set.
    #[must_use]
    pub fn contains(&self, byte: u8) -> bool {
        self.0
            .get(usize::from(byte >> 6))
            .is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }

    /// Adds `byte`.
    pub fn insert(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }
}
