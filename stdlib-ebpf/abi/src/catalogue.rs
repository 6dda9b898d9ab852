//! The catalogue: what every hook offers and what every field means, as data.
//!
//! Owns the one table that the checker, the documentation and the editors' lists
//! come from, and that the programs are tested against: fields of hooks, types
//! of fields, enumerators with the kernel's numbers (x86-64 and asm-generic),
//! and from which kernel on there is what. It must not know how any of it is
//! checked or read.

mod enumerators;
mod errno;
mod fields;
mod hooks;
mod kernel_lists;

use crate::field::FieldId;
use crate::hook::HookId;

pub use errno::ERRNOS;

/// A kernel version: major, minor.
pub type Since = (u16, u16);

/// The oldest kernel that is supported at all.
pub const OLDEST_KERNEL: Since = (6, 1);

/// Whose numbers an integer field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdKind {
    /// Users: `user("…")` is a value of it.
    User,
    /// Groups: `group("…")` is a value of it.
    Group,
}

/// The type of a field (LANGUAGE §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// A path; literals are globs.
    Path,
    /// A string; literals are globs.
    Name,
    /// An IPv4 or IPv6 address; literals are addresses and blocks.
    Address,
    /// An integer.
    Int {
        /// The largest value.
        max: u64,
        /// Set if the values are ids.
        id: Option<IdKind>,
    },
    /// One of several values.
    Enum {
        /// The largest number; `None`: by name only.
        max: Option<u64>,
    },
    /// Any of several bits.
    Flags,
    /// Permission bits, up to 0o7777.
    Mode,
    /// True or false.
    Bool,
}

impl FieldType {
    /// What the language calls the type.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Name => "name",
            Self::Address => "address",
            Self::Int { .. } => "int",
            Self::Enum { .. } => "enum",
            Self::Flags => "flags",
            Self::Mode => "mode",
            Self::Bool => "bool",
        }
    }
}

/// A name for a value, spelled as in the kernel's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enumerator {
    /// The name.
    pub name: &'static str,
    /// The kernel's number; of a field that goes by name only, this crate's.
    pub value: u64,
}

/// What a field means.
#[derive(Debug, Clone, Copy)]
pub struct FieldInfo {
    /// Which field.
    pub id: FieldId,
    /// Its type.
    pub ty: FieldType,
    /// One line.
    pub description: &'static str,
    /// Names for its values. Where a value has several, the first is preferred.
    pub enumerators: &'static [Enumerator],
    /// The first kernel on which it can be read, if that is not the oldest.
    pub since: Option<Since>,
    /// Kernels in between on which it cannot.
    pub gaps: &'static [Since],
}

/// What a hook offers.
#[derive(Debug, Clone, Copy)]
pub struct HookInfo {
    /// Which hook.
    pub id: HookId,
    /// One line.
    pub description: &'static str,
    /// Its object fields. The subject fields come with every hook.
    pub fields: &'static [FieldId],
    /// The first kernel that has it, if that is not the oldest.
    pub since: Option<Since>,
}

/// What a field means.
#[must_use]
pub const fn field(id: FieldId) -> &'static FieldInfo {
    if matches!(id, FieldId::Sticky) {
        return &fields::STICKY;
    }
    // Tests hold that the table is indexed by field number.
    &fields::FIELDS[id as usize]
}

/// What a hook offers.
#[must_use]
pub const fn hook(id: HookId) -> &'static HookInfo {
    // Tests hold that the table is indexed by hook number.
    &hooks::HOOKS[id as usize]
}

/// What would go wrong if the hook returned that errno; `None` if it may.
#[must_use]
pub fn errno_hazard(hook: HookId, errno: u16) -> Option<&'static str> {
    // kernel/signal.c, kill_pid_info: ESRCH is taken for a task that was
    // unhashed meanwhile, and the call starts over, in the kernel.
    const ESRCH: u16 = 3;
    (hook == HookId::TaskKill && errno == ESRCH).then_some("the kernel would try again without end")
}

/// All fields of the language, in the order of their numbers.
#[must_use]
pub const fn fields() -> &'static [FieldInfo] {
    fields::FIELDS
}

/// All hooks, in the order of their numbers.
#[must_use]
pub const fn hooks() -> &'static [HookInfo] {
    hooks::HOOKS
}

impl HookInfo {
    /// Whether the hook has the field, of the subject or of the object.
    #[must_use]
    pub fn has(&self, field: FieldId) -> bool {
        field.is_subject() || self.fields.contains(&field)
    }
}

impl FieldInfo {
    /// The enumerator of that name.
    #[must_use]
    pub fn enumerator(&self, name: &str) -> Option<&'static Enumerator> {
        self.enumerators.iter().find(|known| known.name == name)
    }

    /// The preferred name of a value.
    #[must_use]
    pub fn name_of(&self, value: u64) -> Option<&'static str> {
        let known = self.enumerators.iter().find(|known| known.value == value);
        known.map(|known| known.name)
    }
}

/// Whether some field has an enumerator of that name.
#[must_use]
pub fn is_enumerator(name: &str) -> bool {
    fields()
        .iter()
        .any(|field| field.enumerator(name).is_some())
}

/// The number of an errno's name.
#[must_use]
pub fn errno(name: &str) -> Option<u16> {
    let known = ERRNOS.iter().find(|(known, _)| *known == name);
    known.map(|(_, number)| *number)
}

/// The preferred name of an errno.
#[must_use]
pub fn errno_name(number: u16) -> Option<&'static str> {
    let known = ERRNOS.iter().find(|(_, known)| *known == number);
    known.map(|(name, _)| *name)
}

#[cfg(test)]
mod tests;
