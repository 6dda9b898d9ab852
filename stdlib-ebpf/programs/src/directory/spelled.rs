//! Paths of files for records, from the names of dentries, and from what a slot has kept of
//! the last directory.

use core::ffi::c_void;

use lsmpc_abi::field::FieldId;
use lsmpc_engine::bits::bound;

use super::{
    ENDS_AS_KNOWN,
    entry::{MOUNTS, changes, find, is_whole, pair},
};
use crate::{
    atomic,
    descend::{self, name},
    event::Pending,
    globals::{self, OFF_DENTRY_INODE, OFF_DENTRY_LEN, OFF_DENTRY_PARENT, OFF_VFSMOUNT_ROOT},
    maps::Slot,
    path::sequence,
    read::{SHORT, copy_short, load},
};

/// [`Slot::holds`]: the path of the object.
pub(super) const HOLDS_PATH: u32 = FieldId::Path as u32 + 1;

/// The path of a directory, in a slot, from the last record that had it.
// INVARIANT: it belongs to one version of the directory's entry: as long as that holds, so
// does the path. No entry has the same version for two directories.
#[repr(C, align(8))]
pub(crate) struct Spelled {
    /// The directory's; 0: there is none.
    inode: u64,
    /// What both locks counted.
    changes: u64,
    version: u32,
    length: u32,
    text: [u8; SHORT],
}

impl Spelled {
    /// Whether it is that of the directory that the event's entry is about.
    #[inline(always)]
    fn is_of(&self, inode: u64, event: &Pending<'_>) -> bool {
        self.inode == inode && self.version == event.version && self.changes == event.changes
    }
}

/// Whether a path has been spelled out.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Spelling {
    /// It has not.
    Not = 0,
    /// Name by name.
    New = 1,
    /// From that of its directory, which the slot has had.
    Kept = 2,
}

/// Puts the path of `dentry`, seen through `mnt`, into the slot's text buffer, as it was
/// when the event was answered. There must be no name above the
/// root of the mount, or the directory must have been spelled out before.
// VERIFIER: not a global function: those cannot be given a typed pointer.
#[inline(never)]
pub(crate) fn spell(
    slot: *mut Slot,
    event: &Pending<'_>,
    dentry: *const c_void,
    mnt: *const c_void,
) -> Spelling {
    // SAFETY: typed pointers, and an entry of the map; the slot is claimed by this event.
    unsafe {
        let parent: *const c_void = load(dentry, OFF_DENTRY_PARENT.get());
        let inode: *const c_void = load(parent, OFF_DENTRY_INODE.get());
        let is_spelled =
            event.answer == ENDS_AS_KNOWN && (*slot).spelled.is_of(inode as u64, event);
        if is_spelled {
            let name = name(dentry);
            if name.length == 0 {
                return Spelling::Not;
            }
            copy_short(
                (&raw mut (*slot).work.text).cast(),
                (&raw const (*slot).spelled.text).cast(),
            );
            (*slot).work.start = 0;
            (*slot).work.end = (*slot).spelled.length;
            descend::append(slot, &name);
            // The directory's path is that of then; the name must be, too.
            if sequence(globals::rename_lock()) != (event.changes >> 32) as u32 {
                return Spelling::Not;
            }
        } else {
            let of = pair(event.epoch, event.classifier);
            let root: *const c_void = load(mnt, OFF_VFSMOUNT_ROOT.get());
            let top = load::<*const c_void>(root, OFF_DENTRY_INODE.get()) as u64;
            let mut version = 0;
            let Some(found) = find(top, mnt as u64, of, &mut version) else {
                return Spelling::Not;
            };
            let then = atomic::load(&raw const (*found).changes);
            let matters = atomic::load(&raw const (*found).matters);
            if matters != MOUNTS || (then ^ event.changes) & MOUNTS != 0 {
                return Spelling::Not;
            }
            if !descend::spell(slot, dentry, root)
                || !is_whole(found, top, version)
                || changes() != event.changes
            {
                return Spelling::Not;
            }
        }
        (*slot).holds = HOLDS_PATH;
        if is_spelled {
            Spelling::Kept
        } else {
            Spelling::New
        }
    }
}

/// Keeps the path of a directory that is spelled out in the slot's text buffer, but for
/// the name of `dentry`.
// VERIFIER: not a global function: those cannot be given a typed pointer.
#[inline(never)]
pub(crate) fn keep_spelled(slot: *mut Slot, event: &Pending<'_>, dentry: *const c_void) {
    // SAFETY: typed pointers; the slot is claimed by this event.
    unsafe {
        let parent: *const c_void = load(dentry, OFF_DENTRY_PARENT.get());
        let inode: *const c_void = load(parent, OFF_DENTRY_INODE.get());
        let spelled = &raw mut (*slot).spelled;
        let name: u32 = load(dentry, OFF_DENTRY_LEN.get());
        let (start, end) = ((*slot).work.start, (*slot).work.end);
        let length = end.wrapping_sub(start).wrapping_sub(name).wrapping_sub(1);
        if length > SHORT as u32 || (*spelled).is_of(inode as u64, event) {
            return;
        }
        let start = bound::<0xfff>(u64::from(start)) as usize;
        let from = (&raw const (*slot).work.text).cast::<u8>().add(start);
        copy_short((&raw mut (*spelled).text).cast(), from);
        (*spelled).inode = inode as u64;
        (*spelled).changes = event.changes;
        (*spelled).version = event.version;
        (*spelled).length = length;
    }
}

/// Whether the slot holds the path of its file, as it was when the locks counted `changes`.
#[inline(always)]
pub(crate) fn is_as_then(slot: &Slot, changes: u64) -> bool {
    slot.holds == HOLDS_PATH && pair(slot.walk.renames, slot.walk.mounts) == changes
}
