//! The edge table: two buckets of four entries for each hash.

use lsmpc_abi::image::{
    BUCKET_ENTRIES, BUCKET_SIZE, EDGE_SIZE, H_EDGE_MASK, H_EDGES, H_SEED, KEY_CLASS, PAGE_SIZE,
    hash_end, hash_start, hash_word,
};

use crate::{
    Fault,
    bits::{bound, page_u16, page_u32, page_u64},
    memory::{Memory, page_of},
    work::{KEY_WORDS, Work},
};

/// No such edge. Not an offset of anything: pages end well below.
pub(crate) const MISS: u64 = 1 << 32;
/// The table could not be read.
pub(crate) const BROKEN: u64 = 1 << 33;

/// Where the edge of a class leads, from the hashed node at `from`.
#[inline(always)]
pub(crate) fn class_edge<M: Memory>(
    memory: &M,
    from: u32,
    class: u32,
) -> Result<Option<u32>, Fault> {
    let header = page_of(memory, 0)?;
    let edges = page_u32(header, H_EDGES as u32);
    if edges == 0 {
        return Ok(None);
    }
    let mask = page_u32(header, H_EDGE_MASK as u32);
    let seed = page_u64(header, H_SEED as u32);
    let hash = hash_end(hash_word(
        hash_start(seed, from, u32::MAX),
        u64::from(class),
    ));
    let mut bucket = 0;
    while bucket < 2 {
        let (page, base) = bucket_of(memory, edges, mask, hash, bucket)?;
        let mut entry = 0;
        while entry < BUCKET_ENTRIES {
            let at = base + entry * EDGE_SIZE;
            if is_hit(page, at, from, hash) && page_u32(page, at + 12) == class | KEY_CLASS {
                return Ok(Some(page_u32(page, at + 8)));
            }
            entry += 1;
        }
        bucket += 1;
    }
    Ok(None)
}

/// Where the literal edge of the component in `work.key` leads from the path
/// state at `from`: an offset, [`MISS`] or [`BROKEN`].
#[inline(always)]
pub(crate) fn path_edge<M: Memory>(memory: &M, work: &Work, from: u32, hash: u64) -> u64 {
    let mut bucket = 0;
    while bucket < 2 {
        let Ok((page, base)) = bucket_of(memory, work.edges, work.edge_mask, hash, bucket) else {
            return BROKEN;
        };
        let mut entry = 0;
        while entry < BUCKET_ENTRIES {
            let at = base + entry * EDGE_SIZE;
            if is_hit(page, at, from, hash) {
                match key_equals(memory, work, page_u32(page, at + 12)) {
                    0 => {}
                    1 => return u64::from(page_u32(page, at + 8)),
                    _ => return BROKEN,
                }
            }
            entry += 1;
        }
        bucket += 1;
    }
    MISS
}

#[inline(always)]
fn bucket_of<M: Memory>(
    memory: &M,
    edges: u32,
    mask: u32,
    hash: u64,
    bucket: u32,
) -> Result<(&[u8; PAGE_SIZE], u32), Fault> {
    let half = if bucket == 0 { hash } else { hash >> 32 };
    let offset = edges.wrapping_add((half as u32 & mask).wrapping_mul(BUCKET_SIZE));
    let page = page_of(memory, offset)?;
    Ok((page, bound::<0xfc0>(u64::from(offset)) as u32))
}

#[inline(always)]
fn is_hit(page: &[u8; PAGE_SIZE], at: u32, from: u32, hash: u64) -> bool {
    page_u32(page, at) == from && page_u32(page, at + 4) == (hash >> 16) as u32
}

/// Whether the key record is the component in `work.key`: 0 no, 1 yes, 2 the
/// record could not be read.
#[inline(never)]
fn key_equals<M: Memory>(memory: &M, work: &Work, record: u32) -> u64 {
    let Ok(page) = page_of(memory, record) else {
        return 2;
    };
    let length = work.length;
    if page_u16(page, record) != length {
        return 0;
    }
    let bytes = record.wrapping_add(2);
    let words = length.div_ceil(8);
    let mut word = 0;
    while word < KEY_WORDS as u32 {
        if word >= words {
            return 1;
        }
        if page_u64(page, bytes.wrapping_add(word * 8)) != key_word(work, word) {
            return 0;
        }
        word += 1;
    }
    1
}

#[inline(always)]
fn key_word(work: &Work, word: u32) -> u64 {
    let at = bound::<31>(u64::from(word)) as usize;
    #[cfg(target_arch = "bpf")]
    {
        // SAFETY: `at` is below `KEY_WORDS`.
        unsafe { *work.key.get_unchecked(at) }
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        work.key.get(at).copied().unwrap_or(0)
    }
}

/// Hashes the component that starts at `work.position` with `work.length` (at
/// most 255) and leaves it, zero-padded, in `work.key`.
#[inline(always)]
pub(crate) fn hash_component(work: &mut Work, from: u32) -> u64 {
    let length = work.length;
    let base = work.position;
    let words = length.div_ceil(8);
    let mut hash = hash_start(work.seed, from, length);
    let mut word = 0;
    while word < KEY_WORDS as u32 {
        if word >= words {
            break;
        }
        let mut value = crate::bits::text_u64(&work.text, base, word);
        let left = length - word * 8;
        if left < 8 {
            value &= (1 << (left * 8)) - 1;
        }
        if let Some(slot) = work.key.get_mut(word as usize) {
            *slot = value;
        }
        hash = hash_word(hash, value);
        word += 1;
    }
    hash_end(hash)
}
