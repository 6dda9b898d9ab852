//! Names and sizes of the object's maps. All are defined with BTF.

use crate::state::LONG_PARTS;

/// ARRAY_OF_MAPS, one slot: the image in force. The inner map is an ARRAY of
/// u32 → `[u8; PAGE_SIZE]` with `BPF_F_INNER_MAP`.
pub const POLICY: &str = "POLICY";
/// Task storage of [`crate::state::TaskState`].
pub const TASK: &str = "TASK";
/// Task storage of [`crate::state::LongPart`]: the parts of the program's path.
pub const TASK_LONG: [&str; LONG_PARTS] = ["TASK_LONG_0", "TASK_LONG_1", "TASK_LONG_2"];
/// The same, for the parent's path.
pub const PARENT_LONG: [&str; LONG_PARTS] = ["PARENT_LONG_0", "PARENT_LONG_1", "PARENT_LONG_2"];
/// Task storage of [`crate::state::Seeds`].
pub const SEEDS: &str = "SEEDS";
/// ARRAY of scratch slots: set its entries to the number of possible CPUs times
/// [`SLOTS_PER_CPU`].
pub const SCRATCH: &str = "SCRATCH";
/// ARRAY of buffers for records: set its entries to the number of possible CPUs
/// times [`RECORDS_PER_CPU`].
pub const RECORDS: &str = "RECORDS";
/// ARRAY of what tasks need not be asked again; the programs' own.
pub const SETTLED: &str = "SETTLED";
/// ARRAY of what is known of directories; the programs' own.
pub const DIRECTORIES: &str = "DIRECTORIES";
/// RINGBUF of event records ([`crate::event`]).
pub const EVENTS: &str = "EVENTS";
/// PERCPU_ARRAY of u64, indexed by [`crate::state::Counter`].
pub const COUNTERS: &str = "COUNTERS";
/// ARRAY of [`RateWindow`], indexed by an outcome's rate.
pub const RATE: &str = "RATE";

/// All of them.
pub const ALL: &[&str] = &[
    POLICY,
    TASK,
    TASK_LONG[0],
    TASK_LONG[1],
    TASK_LONG[2],
    PARENT_LONG[0],
    PARENT_LONG[1],
    PARENT_LONG[2],
    SEEDS,
    SCRATCH,
    RECORDS,
    SETTLED,
    DIRECTORIES,
    EVENTS,
    COUNTERS,
    RATE,
];

/// Events that can be under way on one CPU at once and still have a buffer.
pub const SLOTS_PER_CPU: u32 = 8;
/// Records that can be under construction on one CPU at once.
pub const RECORDS_PER_CPU: u32 = 2;
/// Entries of [`SETTLED`]; a power of two. Tasks that share one cost each other time.
pub const SETTLED_ENTRIES: u32 = 4096;
/// Entries of [`DIRECTORIES`]; a power of two.
pub const DIRECTORY_ENTRIES: u32 = 4096;
/// Entries of [`RATE`]; a power of two.
pub const RATE_ENTRIES: u32 = 4096;
/// Default bytes of [`EVENTS`].
pub const EVENT_BYTES: u32 = 1 << 20;

/// One rate-limit bucket.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct RateWindow {
    /// When the window began, `CLOCK_MONOTONIC`, ns.
    pub start: u64,
    /// Records in it.
    pub count: u64,
}
