//! A name in a directory whose state is known: the last component alone.

use lsmpc_abi::{
    field::FieldId,
    image::{
        H_EDGE_MASK, H_EDGES, H_SEED, NODE_BITS, STATE_LITERALS, STATE_SINK, hash_end, hash_start,
        hash_word, is_terminal,
    },
};

use crate::{
    Fault,
    bits::{bound, page_u16, page_u32, page_u64},
    edges::{Place, hit},
    memory::{Memory, page_of},
    node::{self, Node},
};

/// A node that asks for the path.
#[derive(Debug, Clone, Copy)]
pub struct PathNode {
    /// The offset of its classifier.
    pub classifier: u32,
    offset: u32,
    node: Node,
}

impl PathNode {
    /// Where the node leads for a class.
    ///
    /// # Errors
    /// A [`Fault`], if the image is invalid.
    #[inline(always)]
    pub fn follow<M: Memory>(&self, memory: &M, class: u32) -> Result<u32, Fault> {
        node::follow(
            memory,
            self.offset,
            self.node.kind,
            self.node.argument,
            class,
        )
    }
}

/// The node at a ref, if it is one that asks for the path.
///
/// # Errors
/// A [`Fault`], if the image is invalid.
#[inline(always)]
pub fn path_node<M: Memory>(memory: &M, reference: u32) -> Result<Option<PathNode>, Fault> {
    if is_terminal(reference) {
        return Ok(None);
    }
    let node = Node::read(memory, reference)?;
    let is_path = node.kind != NODE_BITS && node.field == FieldId::Path as u8;
    Ok((is_path && node.classifier != 0).then_some(PathNode {
        classifier: node.classifier,
        offset: reference,
        node,
    }))
}

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

/// The class that a path classifier gives a name in a directory whose path leads to
/// `state`; `None` where it takes more than one look: a component with wildcards, or
/// two literals with one tag.
///
/// # Errors
/// A [`Fault`], if the image is invalid.
#[inline(always)]
pub fn child_class<M: Memory>(memory: &M, state: u32, name: &Name) -> Result<Option<u32>, Fault> {
    let page = page_of(memory, state)?;
    let base = bound::<0xff0>(u64::from(state)) as u32;
    let flags = page_u32(page, base + 12);
    if flags & STATE_SINK != 0 {
        return Ok(Some(page_u32(page, base)));
    }
    let default = page_u32(page, base + 4);
    let automaton = page_u32(page, base + 8);
    if flags & STATE_LITERALS != 0 {
        let header = page_of(memory, 0)?;
        let edges = page_u32(header, H_EDGES as u32);
        if edges != 0 {
            let place = Place {
                edges,
                mask: page_u32(header, H_EDGE_MASK as u32),
                from: state,
                hash: hash(page_u64(header, H_SEED as u32), state, name),
            };
            if let Some(hit) = hit(memory, &place, 0)? {
                if !key_equals(memory, hit.record, name)? {
                    return Ok(None);
                }
                return class_of(memory, hit.to);
            }
        }
    }
    if automaton != 0 {
        return Ok(None);
    }
    class_of(memory, default)
}

/// The class of a path that ends in a state.
#[inline(always)]
fn class_of<M: Memory>(memory: &M, state: u32) -> Result<Option<u32>, Fault> {
    let page = page_of(memory, state)?;
    let base = bound::<0xff0>(u64::from(state)) as u32;
    Ok(Some(page_u32(page, base)))
}

#[inline(always)]
fn hash(seed: u64, state: u32, name: &Name) -> u64 {
    let words = name.length.div_ceil(8) as usize;
    let mut hash = hash_start(seed, state, name.length);
    for (word, value) in name.words.into_iter().enumerate() {
        if word >= words {
            break;
        }
        hash = hash_word(hash, value);
    }
    hash_end(hash)
}

/// Whether the key record is the name.
#[inline(always)]
fn key_equals<M: Memory>(memory: &M, record: u32, name: &Name) -> Result<bool, Fault> {
    let page = page_of(memory, record)?;
    if page_u16(page, record) != name.length {
        return Ok(false);
    }
    let bytes = record.wrapping_add(2);
    let words = name.length.div_ceil(8) as usize;
    for (word, value) in name.words.into_iter().enumerate() {
        if word >= words {
            break;
        }
        if page_u64(page, bytes.wrapping_add(word as u32 * 8)) != value {
            return Ok(false);
        }
    }
    Ok(true)
}
