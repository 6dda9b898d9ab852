//! The event record, as the ring buffer `EVENTS` carries it.
//!
//! A record is an [`EventHeader`], then `value_count` [`EventValue`]s, then
//! `text_count` [`EventText`]s, then the texts' bytes; offsets count from the
//! record's start. The record of an execution has an [`EventStrings`] and its bytes
//! behind these.

/// Most values of a record.
pub const MAX_VALUES: usize = 24;
/// Most texts of a record.
pub const MAX_TEXTS: usize = 8;

/// The fixed part.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct EventHeader {
    /// Bytes of the whole record.
    pub size: u32,
    /// [`crate::ABI_VERSION`].
    pub abi: u16,
    /// [`crate::hook::HookId`] as a number.
    pub hook: u16,
    /// `CLOCK_BOOTTIME`, ns.
    pub time: u64,
    /// Epoch of the image that decided.
    pub epoch: u32,
    /// Number of the outcome in that image.
    pub outcome: u32,
    /// What the hook returned: 0 or a negative errno.
    pub ret: i32,
    /// `OUTCOME_*` flags of [`crate::image`].
    pub flags: u32,
    /// Process id (thread group), initial namespace.
    pub pid: u32,
    /// Thread id, initial namespace.
    pub tid: u32,
    /// Real user id, initial namespace.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Effective group id.
    pub egid: u32,
    /// Process id of the parent at fork, 0 if not known.
    pub parent_pid: u32,
    /// CPU.
    pub cpu: u32,
    /// The task's name, NUL-padded.
    pub comm: [u8; 16],
    /// cgroup-v2 id.
    pub cgroup: u64,
    /// Effective capabilities.
    pub caps: u64,
    /// The parent's name at fork, NUL-padded; empty if not known.
    pub parent_comm: [u8; 16],
    /// Login user id; `u32::MAX`: unset.
    pub auid: u32,
    /// Bits of [`crate::kernel::namespaces`].
    pub namespaces: u32,
    /// Number of [`EventValue`]s.
    pub value_count: u16,
    /// Number of [`EventText`]s.
    pub text_count: u16,
    /// Offset of the [`EventStrings`]; 0: there is none.
    pub strings: u32,
}

/// A scalar field of the object.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct EventValue {
    /// [`crate::field::FieldId`] as a number.
    pub field: u8,
    /// [`crate::Presence`] as a number.
    pub presence: u8,
    /// Reserved, 0.
    pub reserved: [u8; 6],
    /// The value; of an address the high half.
    pub value: u64,
    /// The low half of an address, else 0.
    pub low: u64,
}

/// A string field of subject or object.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct EventText {
    /// [`crate::field::FieldId`] as a number.
    pub field: u8,
    /// [`crate::Presence`] as a number.
    pub presence: u8,
    /// Reserved, 0.
    pub reserved: u16,
    /// Offset of the first byte.
    pub start: u32,
    /// Length in bytes.
    pub length: u32,
}

/// Bytes from the start of a program's strings that a record holds, at most, and
/// as many from their end.
pub const STRINGS_PART: usize = 2048;

/// What a program that is about to run is given: its arguments, then its environment,
/// each string with its NUL, one after another. Of more than two parts the middle is
/// left out.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct EventStrings {
    /// [`crate::Presence`] as a number.
    pub presence: u32,
    /// Number of arguments.
    pub argc: u32,
    /// Number of strings of the environment.
    pub envc: u32,
    /// Bytes of all of them.
    pub total: u32,
    /// Bytes of the first part, which follow this.
    pub head: u32,
    /// Bytes of the last part, [`STRINGS_PART`] behind the start of the first.
    pub tail: u32,
}
