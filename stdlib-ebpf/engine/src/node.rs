//! Nodes of the decision diagram.

use lsmpc_abi::{
    Presence,
    image::{Bits, NODE_DENSE, NODE_HASHED},
};

use crate::{
    Fault,
    bits::{bound, page_u32, page_u64},
    edges::class_edge,
    memory::{Memory, page_of, u32_at},
};

/// A node's first 12 bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) kind: u8,
    pub(crate) field: u8,
    pub(crate) classifier: u32,
    pub(crate) argument: u32,
}

impl Node {
    #[inline(always)]
    pub(crate) fn read<M: Memory>(memory: &M, offset: u32) -> Result<Self, Fault> {
        let page = page_of(memory, offset)?;
        let base = bound::<0xff0>(u64::from(offset)) as u32;
        let first = page_u32(page, base);
        Ok(Self {
            kind: first as u8,
            field: (first >> 8) as u8,
            classifier: page_u32(page, base + 4),
            argument: page_u32(page, base + 8),
        })
    }
}

/// Where a dense or hashed node leads for a class.
#[inline(always)]
pub(crate) fn follow<M: Memory>(
    memory: &M,
    offset: u32,
    kind: u8,
    argument: u32,
    class: u32,
) -> Result<u32, Fault> {
    match kind {
        NODE_DENSE => {
            if class >= argument {
                return Err(Fault::Class);
            }
            u32_at(
                memory,
                offset.wrapping_add(16).wrapping_add(class.wrapping_mul(4)),
            )
        }
        NODE_HASHED => Ok(class_edge(memory, offset, class)?.unwrap_or(argument)),
        _ => Err(Fault::Node),
    }
}

/// Mask and wanted bits of a bits node.
#[inline(always)]
pub(crate) fn bits_test<M: Memory>(memory: &M, offset: u32) -> Result<(u64, u64), Fault> {
    // A node is aligned to 16: its parts may lie in different pages.
    let test = offset.wrapping_add(16);
    let page = page_of(memory, test)?;
    let base = bound::<0xff0>(u64::from(test)) as u32;
    Ok((page_u64(page, base), page_u64(page, base + 8)))
}

/// What a bits node is answered: 0 none, 1 unknown, 2 false, 3 true.
#[inline(always)]
pub(crate) fn answer(presence: u32, bits: Bits, mask: u64, want: u64) -> u32 {
    if presence == Presence::None as u32 {
        0
    } else if presence != Presence::Known as u32 || bits.unknown & mask != 0 {
        1
    } else {
        2 + u32::from(bits.set & mask == want)
    }
}

/// Where a bits node leads: 0 none, 1 unknown, 2 false, 3 true.
#[inline(always)]
pub(crate) fn bits_ref<M: Memory>(memory: &M, offset: u32, answer: u32) -> Result<u32, Fault> {
    u32_at(memory, offset.wrapping_add(32 + answer * 4))
}
