//! Names in a directory whose state is known: one component at a time, without a text.

use lsmpc_abi::image::{
    H_EDGE_MASK, H_EDGES, H_SEED, NODE_DENSE, PAGE_SHIFT, PAGE_SIZE, STATE_LITERALS, STATE_SINK,
};

use crate::{
    Fault, automaton,
    bits::{bound, page_u32, page_u64},
    edges::{Place, hash_words, hit, record_equals},
    memory::{Memory, page_of},
    node,
};

/// Words of a [`Name`].
pub const NAME_WORDS: usize = 4;

/// A short name: at most `8 * NAME_WORDS` bytes, zero-padded.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    /// Its bytes, eight to a word, in the order of memory.
    pub words: [u64; NAME_WORDS],
    /// How many.
    pub length: u32,
}

impl Name {
    #[inline(always)]
    fn word(&self, word: u32) -> u64 {
        self.words.get(word as usize).copied().unwrap_or(0)
    }
}

/// Where a name leads from the state of its directory.
// VERIFIER: not an enumeration, nor a `Result`: of one LLVM copies what was never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child {
    /// The state.
    pub state: u32,
    /// How that is to be understood.
    pub how: How,
}

/// What [`child_state`] has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum How {
    /// The state that the name leads to.
    Next = 0,
    /// The same, and all that is below leads to it, too.
    Last = 1,
    /// Nothing: it takes more than one look, two literals have one tag; or the image is
    /// invalid.
    Unclear = 2,
}

/// Where a name leads from the state of its directory. `header` is the image's first page.
#[inline(always)]
pub fn child_state<M: Memory>(
    memory: &M,
    header: &[u8; PAGE_SIZE],
    state: u32,
    name: &Name,
) -> Child {
    let next = |state| Child {
        state,
        how: How::Next,
    };
    let unclear = Child {
        state,
        how: How::Unclear,
    };
    let Ok(page) = page_of(memory, state) else {
        return unclear;
    };
    let base = bound::<0xff0>(u64::from(state)) as u32;
    let flags = page_u32(page, base + 12);
    if flags & STATE_SINK != 0 {
        return Child {
            state,
            how: How::Last,
        };
    }
    let default = page_u32(page, base + 4);
    let byte_automaton = page_u32(page, base + 8);
    let edges = page_u32(header, H_EDGES as u32);
    if flags & STATE_LITERALS != 0 && edges != 0 {
        let seed = page_u64(header, H_SEED as u32);
        let word = |word| name.word(word);
        let place = Place {
            edges,
            mask: page_u32(header, H_EDGE_MASK as u32),
            from: state,
            hash: hash_words::<NAME_WORDS>(seed, state, name.length, word),
        };
        match hit(memory, &place, 0) {
            Ok(Some(hit)) => {
                let same = record_equals::<NAME_WORDS, _>(memory, hit.record, name.length, word);
                return if same == Ok(true) {
                    next(hit.to)
                } else {
                    unclear
                };
            }
            Ok(None) => {}
            Err(_) => return unclear,
        }
    }
    if byte_automaton != 0 {
        return automaton::accept_of(memory, byte_automaton, name).map_or(unclear, next);
    }
    next(default)
}

/// The class of a path that ends in a state.
///
/// # Errors
/// A [`Fault`], if the image is invalid.
#[inline(always)]
pub fn class_of<M: Memory>(memory: &M, state: u32) -> Result<u32, Fault> {
    let page = page_of(memory, state)?;
    let base = bound::<0xff0>(u64::from(state)) as u32;
    Ok(page_u32(page, base))
}

/// Where the node at a ref leads for a class.
///
/// # Errors
/// A [`Fault`], if the image is invalid.
#[inline(always)]
pub fn follow<M: Memory>(memory: &M, reference: u32, class: u32) -> Result<u32, Fault> {
    let page = page_of(memory, reference)?;
    let base = bound::<0xff0>(u64::from(reference)) as u32;
    let kind = page_u32(page, base) as u8;
    let argument = page_u32(page, base + 8);
    let entry = reference
        .wrapping_add(16)
        .wrapping_add(class.wrapping_mul(4));
    // One look-up less where the entry is beside its node.
    if kind == NODE_DENSE && class < argument && entry >> PAGE_SHIFT == reference >> PAGE_SHIFT {
        return Ok(page_u32(page, entry));
    }
    node::follow(memory, reference, kind, argument, class)
}
