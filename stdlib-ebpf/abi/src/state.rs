//! What the programs keep in the kernel beside the image: per-task state.

use crate::image::Bits;

/// Longest program path kept inside [`TaskState`]; longer ones are kept in
/// [`LONG_PARTS`] parts, each in a map of its own.
pub const INLINE_EXE: usize = 232;
/// Parts of a long path.
pub const LONG_PARTS: usize = 3;
/// Bytes of each part but the last. Newer kernels allocate task storage without
/// waiting, which fails for elements of more than a few KiB.
pub const LONG_PART: usize = 1368;

/// A program path as it was when executed.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ExePath {
    /// [`crate::Presence`] as a number.
    pub presence: u8,
    /// Bit 0: the bytes are in the maps of long paths and not here. The other bits count the
    /// changes, so that a reader on another CPU sees that one came between.
    pub long: u8,
    /// Length in bytes.
    pub length: u16,
    /// Process id that executed it (the parent's, for a parent path).
    pub pid: u32,
    /// The path, without NUL.
    pub bytes: [u8; INLINE_EXE],
}

/// Value of the task-storage map `TASK`. Written by the task itself only (by its
/// parent before it first runs).
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct TaskState {
    /// `epoch << 32 | class` of the program path; valid while the epoch is that
    /// of the image in force. One word, so that another task that reads it (as
    /// a target) never sees a class of another epoch.
    pub exe_class: u64,
    /// The same for the parent's program path, as it was at fork.
    pub parent_class: u64,
    /// The task's program.
    pub exe: ExePath,
    /// The parent's program at fork.
    pub parent: ExePath,
    /// The parent's name at fork, NUL-padded.
    pub parent_comm: [u8; 16],
    /// What sticks to the task.
    pub sticky: Sticky,
}

/// The bits that stick to a task under one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Sticky {
    /// The image's epoch; 0: the bits are no image's. Written last.
    pub epoch: u32,
    /// Reserved, 0.
    pub reserved: u32,
    /// The bits.
    pub bits: Bits,
}

/// Value of the task-storage map `SEEDS`: what shall stick to a task that was there
/// before an image was. Written by the runtime before it puts the image in force,
/// and by a parent that has them for its child; taken over by the task itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Seeds {
    /// For the image in force, which the task may not have seen yet, and for the
    /// next, in any order.
    pub of: [Seed; 2],
}

/// What shall stick to a task under one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Seed {
    /// The bits, and the image's epoch; 0: this says nothing.
    pub sticky: Sticky,
    /// What the task's program adds to its children's.
    pub program: Bits,
    /// The first word of [`TaskState::exe`] when this was made, 0 if there was none:
    /// by it an exec since then is noticed.
    pub exe: u64,
}

/// Value of the task-storage maps of long paths: a part of one, present only where
/// that path is longer than [`INLINE_EXE`].
#[repr(C)]
pub struct LongPart {
    /// Bytes of the path, without NUL.
    pub bytes: [u8; LONG_PART],
}

const _: () = assert!(LONG_PARTS * LONG_PART >= crate::PATH_MAX_BYTES);
const _: () = assert!(core::mem::size_of::<TaskState>() == 56 + 2 * (8 + INLINE_EXE));

/// Counters, one u64 each, in the per-CPU array `COUNTERS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Counter {
    /// Records written to the ring buffer.
    Emitted = 0,
    /// Records lost because the ring buffer was full.
    LostFull = 1,
    /// Records withheld by the per-rule rate limit.
    LostRate = 2,
    /// Records lost because no scratch slot was free.
    LostBusy = 3,
    /// Events in which an unknown mattered.
    Unknown = 4,
    /// Events denied because the tables could not be read (never with a valid
    /// image).
    Fault = 5,
    /// Events for which no scratch slot was free: their object fields were
    /// unknown.
    NoSlot = 6,
}

impl Counter {
    /// How many there are.
    pub const COUNT: u32 = 8;
}
