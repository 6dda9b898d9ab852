//! The table image: one policy as bytes.
//!
//! An image is a whole number of pages of [`PAGE_SIZE`] bytes, little-endian,
//! addressed by byte offsets from its start. In the kernel page *n* is element
//! *n* of an inner array map; on the host it is one slice. Nothing smaller than
//! its own alignment straddles a page: every structure below is aligned to its
//! size (or to 16), key records and byte maps are placed so that they stay
//! within one page. Large tables (dense nodes, boundaries, transitions) span
//! pages, because each element is read on its own.
//!
//! # How an event is decided
//!
//! `hooks[hook].root` is a [*ref*](is_terminal). A ref is either *terminal* (the
//! number of an [`Outcome`]) or the offset of a *node*. A node names a field;
//! the field's value becomes a *class* (0 none, 1 unknown, 2.. known values
//! that the policy cannot tell apart), and the class selects the next ref. Per
//! hook the nodes form a reduced, ordered decision diagram: subject fields
//! first (`exe`, then the other cached or cheap ones), then scalar object
//! fields, then names, then paths. So an event that its subject alone decides
//! never resolves a path, and a field that cannot matter any more is not read.
//! Refs always point to larger field positions; a walk is at most
//! [`MAX_STEPS`] nodes.
//!
//! # Header (page 0)
//!
//! | offset | what |
//! |---|---|
//! | 0 | magic [`MAGIC`] |
//! | 8 | u32 [`crate::ABI_VERSION`] |
//! | 12 | u32 number of pages |
//! | 16 | u32 epoch: 0 in files; set by the runtime when it loads the image, larger for each load |
//! | 20 | u32 reserved, 0 |
//! | 24 | u64 seed of the edge hash |
//! | 32 | u32 offset of the edge table, u32 number of buckets − 1 (buckets: a power of two; 0 offset: no table) |
//! | 40 | u32 offset of the outcomes, u32 their number |
//! | 48 | u32 offset of the exe classifier (0: no predicate on exe, parent.exe, target.exe), u32 reserved |
//! | 56 | u32 offset of the report, u32 its length in bytes (see the engine) |
//! | 64 | [u8; 32] SHA-256 of the image with epoch and this field zero |
//! | 96 | u32 end of the tables (first page of the report × PAGE_SIZE): nothing that an event reads lies at or beyond it |
//! | 100 | u32 ref where the subject's diagram starts (0: nothing sticks to tasks) |
//! | 104 | u32 offset of the [`Masks`], u32 their number |
//! | 112.. | reserved, 0 |
//! | 128 | [`HookEntry`]; [`crate::hook::HOOK_SLOTS`] |
//!
//! # Nodes (16-byte aligned)
//!
//! `{ u8 kind, u8 field, u16 0, u32 classifier, u32 a, u32 b }`
//!
//! - [`NODE_DENSE`]: a = number of entries; u32 refs follow at +16, indexed by
//!   class.
//! - [`NODE_HASHED`]: a = the ref of every class without an entry; exceptions
//!   are edges (from = this node's offset, key = class, see below).
//! - [`NODE_BITS`]: u64 mask at +16, u64 want at +24, then four u32 refs at +32:
//!   none, unknown, false, true. True when `value & mask == want`. No
//!   classifier. A value's bits may be unknown one by one: if one of the mask's
//!   is, the ref is that of unknown.
//!
//! A node on `exe`, `parent.exe` or `target.exe` has classifier 0: the class is
//! the one cached in that task's state, made by the header's exe classifier,
//! which all three share.
//!
//! # Classifiers (16-byte aligned)
//!
//! `{ u32 kind, u32 a, u32 b, u32 c }`
//!
//! - [`CLASSIFIER_PATH`]: a = offset of the start state. Reads a string.
//! - [`CLASSIFIER_U64`]: a = number of boundaries n, b = offset of n sorted
//!   u64. Class = 2 + how many boundaries are ≤ the value. n ≤
//!   [`MAX_BOUNDARIES`].
//! - [`CLASSIFIER_U128`]: the same with boundaries of two u64 (high, low); an
//!   IPv4 address is the IPv4-mapped IPv6 one.
//! - [`CLASSIFIER_NAME`]: a = offset of a byte automaton whose accepts are
//!   classes. Reads a string.
//!
//! # Path states (16 bytes, 16-byte aligned)
//!
//! `{ u32 class, u32 default, u32 automaton, u32 flags }`
//!
//! A string is split at every `/`; an absolute path begins with an empty
//! component, `/` is two empty ones, a pathless name (`memfd:x`) is one or more.
//! Starting from the start state each component moves to the next state: if
//! [`STATE_LITERALS`] is set, by the edge (from = state, key = the component)
//! when there is one; else, if `automaton` is not 0, by running it over the
//! component: its accept is the next state's offset; else to `default`. After
//! the last component the state's `class` is the answer. In a state with
//! [`STATE_SINK`] the rest of the string cannot change the class: stop there.
//!
//! # Edge table
//!
//! Buckets of 64 bytes, four entries of 16:
//! `{ u32 from, u32 tag, u32 to, u32 key }`; an unused entry is all zero. For
//! hash `h` (u64, see [`hash_word`]) the two buckets are `h as u32 & mask` and
//! `(h >> 32) as u32 & mask`; tag is `(h >> 16) as u32`. An entry is hit when
//! from and tag agree and the key does:
//! - path edges: `key` is the offset of a key record `{ u16 length, bytes… }`
//!   padded with zeros to a multiple of 8 beyond the 8-byte aligned start of
//!   the bytes: the record starts at an offset ≡ 6 (mod 8), so that the bytes
//!   are 8-byte aligned. Records lie within one page. Length 0..=255.
//! - class edges (of [`NODE_HASHED`]): `key` is the class with [`KEY_CLASS`]
//!   set.
//!
//! The hash of a path edge: start with `hash_start(seed, from, length)`, then
//! [`hash_word`] for each 8 bytes of the component, the last zero-padded, then
//! [`hash_end`]. Of a class edge: `hash_end(hash_word(hash_start(seed, from,
//! u32::MAX), class))`.
//!
//! # Byte automata (16-byte aligned)
//!
//! `{ u32 states, u32 columns, u32 map, u32 transitions, u32 accepts, u32 start,
//! u32 0, u32 0 }`: `map` is the offset of 256 bytes (256-byte aligned) that give
//! each byte's column; `transitions` of `states × columns` u16 next states;
//! `accepts` of `states` u32. State 0 never leaves itself: reaching it ends the
//! walk. The answer is the accept of the state reached at the end.
//!
//! # Outcomes (16 bytes)
//!
//! `{ i32 ret, u32 flags, u32 rate, u32 0 }`: `ret` is 0 or a negative errno not
//! below −4095; flags are [`OUTCOME_KILL`], [`OUTCOME_RECORD`],
//! [`OUTCOME_UNKNOWN`]; `rate` numbers the rate-limit bucket. Outcome 0 is
//! always "allow, silent", so that its ref needs no read. Which rules an outcome
//! reports is in the report.
//!
//! # What sticks to tasks
//!
//! Up to [`STICKY_BITS`] bits stick to a task: one for each inherited scope, one for
//! each test of `ancestor.exe`. The hooks' diagrams ask for them as the field
//! [`Sticky`](crate::field::FieldId::Sticky). What they become when the task forks or
//! executes a program is told by one more diagram, the subject's, which looks at
//! nothing but fields of the subject; its terminal refs are numbers of [`Masks`].

use crate::hook::HOOK_SLOTS;

/// Bytes of a page: the value size of the kernel's inner array maps.
pub const PAGE_SIZE: usize = 4096;
/// log2 of [`PAGE_SIZE`].
pub const PAGE_SHIFT: u32 = 12;
/// First bytes of an image.
pub const MAGIC: [u8; 8] = *b"LSMPIMG\0";
/// Most pages an image may have (256 MiB).
pub const MAX_PAGES: u32 = 65_536;

/// Offset of the ABI version in the header.
pub const H_ABI: usize = 8;
/// Offset of the page count.
pub const H_PAGES: usize = 12;
/// Offset of the epoch.
pub const H_EPOCH: usize = 16;
/// Offset of the hash seed.
pub const H_SEED: usize = 24;
/// Offset of the edge table's offset.
pub const H_EDGES: usize = 32;
/// Offset of the edge table's bucket mask.
pub const H_EDGE_MASK: usize = 36;
/// Offset of the outcome table's offset.
pub const H_OUTCOMES: usize = 40;
/// Offset of the number of outcomes.
pub const H_OUTCOME_COUNT: usize = 44;
/// Offset of the exe classifier's offset.
pub const H_EXE_CLASSIFIER: usize = 48;
/// Offset of the report's offset.
pub const H_REPORT: usize = 56;
/// Offset of the report's length.
pub const H_REPORT_LEN: usize = 60;
/// Offset of the digest.
pub const H_DIGEST: usize = 64;
/// Offset of the end of the tables.
pub const H_TABLES_END: usize = 96;
/// Offset of the ref where the subject's diagram starts.
pub const H_SUBJECT: usize = 100;
/// Offset of the masks' offset.
pub const H_MASKS: usize = 104;
/// Offset of the number of masks.
pub const H_MASK_COUNT: usize = 108;
/// Offset of the hook entries.
pub const H_HOOKS: usize = 128;

/// Bytes of a [`HookEntry`].
pub const HOOK_ENTRY_SIZE: usize = 32;

/// One hook's entry in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct HookEntry {
    /// Where evaluation starts.
    pub root: u32,
    /// Bit 0: the policy names this hook (a program must be attached).
    pub flags: u32,
    /// The fields that some node of this hook reads: bit *n* is field *n*.
    pub needs: [u64; 2],
    /// Most nodes that one event can pass.
    pub worst_steps: u32,
    /// Reserved, 0.
    pub reserved: u32,
}

/// [`HookEntry::flags`]: the policy names this hook.
pub const HOOK_USED: u32 = 1;

/// Top bit of a ref: it is terminal.
pub const REF_TERMINAL: u32 = 1 << 31;

/// Whether a ref is terminal; its low 31 bits are then an outcome's number.
#[must_use]
pub const fn is_terminal(reference: u32) -> bool {
    reference & REF_TERMINAL != 0
}

/// Most nodes that one event passes, over all hooks.
pub const MAX_STEPS: u32 = 96;

/// Dense node.
pub const NODE_DENSE: u8 = 1;
/// Hashed node.
pub const NODE_HASHED: u8 = 2;
/// Mask test.
pub const NODE_BITS: u8 = 3;

/// Path classifier.
pub const CLASSIFIER_PATH: u32 = 1;
/// Intervals of u64.
pub const CLASSIFIER_U64: u32 = 2;
/// Intervals of u128.
pub const CLASSIFIER_U128: u32 = 3;
/// Byte automaton over a name.
pub const CLASSIFIER_NAME: u32 = 4;

/// Most boundaries of one interval classifier (a binary search of 20 steps).
pub const MAX_BOUNDARIES: u32 = (1 << 20) - 1;

/// Bytes of a path state.
pub const STATE_SIZE: u32 = 16;
/// The state has literal edges.
pub const STATE_LITERALS: u32 = 1;
/// The class is final.
pub const STATE_SINK: u32 = 2;

/// Bytes of an edge bucket.
pub const BUCKET_SIZE: u32 = 64;
/// Entries of a bucket.
pub const BUCKET_ENTRIES: u32 = 4;
/// Bytes of an edge entry.
pub const EDGE_SIZE: u32 = 16;
/// Marks an edge entry's key as a class.
pub const KEY_CLASS: u32 = 1 << 31;

/// Bytes of an outcome.
pub const OUTCOME_SIZE: u32 = 16;
/// The acting task is killed.
pub const OUTCOME_KILL: u32 = 1;
/// A record is emitted.
pub const OUTCOME_RECORD: u32 = 2;
/// `on_error` decided in some module, or an unknown mattered.
pub const OUTCOME_UNKNOWN: u32 = 4;
/// Most bits that stick to a task.
pub const STICKY_BITS: u32 = 64;

/// Bits each of which is set, not set, or not known to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(C)]
pub struct Bits {
    /// Those that are set.
    pub set: u64,
    /// Those of which it is not known; none of them is in `set`.
    pub unknown: u64,
}

/// What an outcome of the subject's diagram says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(C)]
pub struct Masks {
    /// Scopes whose own conditions hold.
    pub when: Bits,
    /// Scopes that an exec of this subject ends.
    pub until: Bits,
    /// Tests of `ancestor.exe` that the subject's program passes: true for its
    /// children.
    pub program: Bits,
}

/// Bytes of [`Masks`] (16-byte aligned).
pub const MASKS_SIZE: u32 = 48;

/// Outcome 0: allow, silent.
pub const OUTCOME_ALLOW: u32 = 0;

const _: () = assert!(H_HOOKS + HOOK_SLOTS * HOOK_ENTRY_SIZE <= PAGE_SIZE);
const _: () = assert!(core::mem::size_of::<HookEntry>() == HOOK_ENTRY_SIZE);
const _: () = assert!(1 << PAGE_SHIFT == PAGE_SIZE);
const _: () = assert!(core::mem::size_of::<Masks>() == MASKS_SIZE as usize);

const HASH_MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Starts an edge's hash.
#[inline(always)]
#[must_use]
pub const fn hash_start(seed: u64, from: u32, length: u32) -> u64 {
    seed ^ (((from as u64) << 32) | length as u64).wrapping_mul(HASH_MULTIPLIER)
}

/// Mixes in eight bytes of a key.
#[inline(always)]
#[must_use]
pub const fn hash_word(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(HASH_MULTIPLIER);
    mixed ^ (mixed >> 29)
}

/// Finishes an edge's hash.
#[inline(always)]
#[must_use]
pub const fn hash_end(hash: u64) -> u64 {
    let mixed = hash.wrapping_mul(HASH_MULTIPLIER);
    mixed ^ (mixed >> 32)
}
