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

/// Entries that a hash may be found in.
pub(crate) const CANDIDATES: u32 = 2 * BUCKET_ENTRIES;

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

/// An entry whose `from` and tag agree.
pub(crate) struct Hit {
    /// One more than its number.
    pub(crate) next: u32,
    /// Where it leads.
    pub(crate) to: u32,
    /// Its key record.
    pub(crate) record: u32,
}

/// The next such entry for the component at hand, from number `work.candidate`
/// on.
#[inline(always)]
pub(crate) fn path_edge<M: Memory>(memory: &M, work: &Work) -> Result<Option<Hit>, Fault> {
    let place = Place {
        edges: work.edges,
        mask: work.edge_mask,
        from: work.state,
        hash: work.hash,
    };
    hit(memory, &place, work.candidate)
}

/// Where an edge is to be found.
pub(crate) struct Place {
    /// Offset of the edge table.
    pub(crate) edges: u32,
    /// Its bucket mask.
    pub(crate) mask: u32,
    /// The state that the edge leaves.
    pub(crate) from: u32,
    /// The component's hash, as an edge of that state.
    pub(crate) hash: u64,
}

/// The next entry whose `from` and tag agree, from number `first` on.
#[inline(always)]
pub(crate) fn hit<M: Memory>(memory: &M, place: &Place, first: u32) -> Result<Option<Hit>, Fault> {
    let mut bucket = 0;
    while bucket < 2 {
        let (page, base) = bucket_of(memory, place.edges, place.mask, place.hash, bucket)?;
        let mut entry = 0;
        while entry < BUCKET_ENTRIES {
            let number = bucket * BUCKET_ENTRIES + entry;
            let at = base + entry * EDGE_SIZE;
            if is_hit(page, at, place.from, place.hash) && number >= first {
                return Ok(Some(Hit {
                    next: number + 1,
                    to: page_u32(page, at + 8),
                    record: page_u32(page, at + 12),
                }));
            }
            entry += 1;
        }
        bucket += 1;
    }
    Ok(None)
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
    let tag = (hash >> 16) as u32;
    page_u64(page, at) == u64::from(from) | u64::from(tag) << 32
}

/// Whether the key record is the component in `work.key`.
#[inline(always)]
pub(crate) fn key_equals<M: Memory>(memory: &M, work: &Work, record: u32) -> Result<bool, Fault> {
    let words = |word| key_word(work, word);
    record_equals::<KEY_WORDS, _>(memory, record, work.length, words)
}

/// Whether a key record is a component of `length` bytes, of which there are `MOST`
/// words, zero-padded.
#[inline(always)]
pub(crate) fn record_equals<const MOST: usize, M: Memory>(
    memory: &M,
    record: u32,
    length: u32,
    component: impl Fn(u32) -> u64,
) -> Result<bool, Fault> {
    let page = page_of(memory, record)?;
    if page_u16(page, record) != length {
        return Ok(false);
    }
    let bytes = record.wrapping_add(2);
    let words = length.div_ceil(8);
    let mut word = 0;
    while word < MOST as u32 {
        if word >= words {
            break;
        }
        if page_u64(page, bytes.wrapping_add(word * 8)) != component(word) {
            return Ok(false);
        }
        word += 1;
    }
    Ok(true)
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

/// The hash of a component as an edge of the state `from`.
#[inline(always)]
pub(crate) fn hash_words<const MOST: usize>(
    seed: u64,
    from: u32,
    length: u32,
    mut component: impl FnMut(u32) -> u64,
) -> u64 {
    let words = length.div_ceil(8);
    let mut hash = hash_start(seed, from, length);
    let mut word = 0;
    while word < MOST as u32 {
        if word >= words {
            break;
        }
        hash = hash_word(hash, component(word));
        word += 1;
    }
    hash_end(hash)
}

/// Hashes the component that starts at `work.position` with `work.length` (at
/// most 255) and leaves it, zero-padded, in `work.key`.
#[inline(always)]
pub(crate) fn hash_component(work: &mut Work) {
    let length = work.length;
    let base = work.position;
    let (text, key) = (&work.text, &mut work.key);
    work.hash = hash_words::<KEY_WORDS>(work.seed, work.state, length, |word| {
        let mut value = crate::bits::text_u64(text, base, word);
        let left = length - word * 8;
        if left < 8 {
            value &= (1 << (left * 8)) - 1;
        }
        if let Some(slot) = key.get_mut(word as usize) {
            *slot = value;
        }
        value
    });
}
