//! Directories whose path has been classified: another file in one costs its name
//! alone, and one below the root of a mount the names on the way down to it.
//!
//! For a directory's inode an entry keeps the state to which the path of the directory
//! leads, seen through one mount, under one image. It holds as long as that path cannot
//! have changed:
//!
//! - A directory, or one above it, gets another name or place under `rename_lock` only,
//!   a mount under `mount_lock`. The entry has what both counted when the path was
//!   walked; they are compared, and they must count the same before and after everything
//!   is read. They could come round to the same count, so an entry is not used for long.
//!   Above the root of a mount that is at the root there are no names: only `mount_lock`
//!   matters. Where something else was renamed, the names may still be the same (`names`).
//! - A directory has one dentry at a time, and its inode has one place. File systems
//!   whose names change behind the kernel's back ask again at every look-up
//!   (`d_revalidate`): nothing is kept of those.
//! - An inode's memory can be used again: when it is given back, its entry is emptied.
//!   Who writes an entry holds a file in the directory, which keeps the directory; only
//!   a rename can part the two, and then the entry's counts are old.
//!
//! It is asked where a hook hands over typed pointers (`event::place`), about names that
//! lie inside their dentry. Where an event does not end with leave, its path is written
//! down for the record, and the answer believed if nothing has changed until then.

mod entry;
mod names;
mod spelled;

use core::ffi::c_void;

use lsmpc_abi::image::{OUTCOME_ALLOW, REF_TERMINAL, is_terminal};
use lsmpc_engine::{How, class_of, follow};

use self::{
    entry::{BOTH, CHANGING, Known, MOUNTS, changes, entry, find, is_whole, pair},
    names::{ASKS_AGAIN, has_names, keep_names},
    spelled::HOLDS_PATH,
};
pub(crate) use self::{
    entry::{Directory, NOTHING},
    spelled::{Spelled, Spelling, is_as_then, keep_spelled, spell},
};
use crate::{
    atomic,
    descend::{Descent, child},
    event::Pending,
    globals::{self, OFF_DENTRY_INODE, OFF_DENTRY_PARENT, OFF_VFSMOUNT_ROOT},
    image::Image,
    maps::Slot,
    path::END,
    read::{load, pointer, unknown},
};

/// The longest path of a directory that is kept: with a name it is not too long.
const LONGEST_PATH: u32 = 3584;
/// The longest path of a mount's root that is kept: with all that is descended and a name
/// it is not too long.
const LONGEST_ROOT: u32 = 3072;
/// [`ask`]: the directory is not known.
pub(crate) const NOT_KNOWN: u32 = 0;
/// It is, but the answer is not to be had from it.
pub(crate) const KNOWN: u32 = 1;
/// The event is allowed.
pub(crate) const ALLOWS: u32 = 2;
/// The evaluation comes to an end with the path: [`Pending::end`].
pub(crate) const ENDS: u32 = 3;
/// The same, and the entry of the directory has told it: [`Pending::version`].
pub(crate) const ENDS_AS_KNOWN: u32 = 4;

/// How the state of a directory was found.
struct By;

impl By {
    /// By an entry, and no lock has counted anything since.
    const COUNTS: u64 = 0;
    /// By an entry, and the names that it keeps.
    const NAMES: u64 = 1;
    /// By the names on the way down.
    const DESCENT: u64 = 2;
    /// The same, and there are no names above the root of the mount.
    const DESCENT_FROM_TOP: u64 = 3;
    /// The same, and the names can change unseen.
    const DESCENT_ONCE: u64 = 4;
    const NOTHING: u64 = 5;
}

/// What an image says of `dentry`, seen through `mnt`, by its name in a directory that is
/// known, or by all names below the root of its mount, if that is.
// VERIFIER: not a global function: those cannot be given a typed pointer.
#[inline(never)]
pub(crate) fn ask(
    image: &Image,
    event: &mut Pending<'_>,
    dentry: *const c_void,
    mnt: *const c_void,
) -> u32 {
    let of = pair(event.epoch, event.classifier);
    // Whatever is read between two looks that find the same belongs together.
    event.changes = changes();
    // SAFETY: typed pointers, and what they lead to.
    let (mnt, root, parent, inode) = unsafe {
        let root: *const c_void = load(mnt, OFF_VFSMOUNT_ROOT.get());
        let parent: *const c_void = load(dentry, OFF_DENTRY_PARENT.get());
        if dentry == root || dentry == parent {
            return NOT_KNOWN;
        }
        let inode: *const c_void = load(parent, OFF_DENTRY_INODE.get());
        (mnt as u64, root, parent, inode as u64)
    };
    let mut state = 0;
    let mut found_by = By::NOTHING;
    if let Some(found) = find(inode, mnt, of, &mut event.version) {
        // SAFETY: an entry of the map, and dentries.
        unsafe {
            state = atomic::load(&raw const (*found).state) as u32;
            event.allowed = atomic::load(&raw const (*found).allowed);
            let changed = atomic::load(&raw const (*found).changes) ^ event.changes;
            if changed & atomic::load(&raw const (*found).matters) == 0 {
                found_by = By::COUNTS;
            } else if changed & atomic::load(&raw const (*found).above) == 0
                && has_names(found, parent, root)
            {
                found_by = By::NAMES;
            }
            if !is_whole(found, inode, event.version) {
                found_by = By::NOTHING;
            }
        }
    }
    if found_by == By::NOTHING {
        event.allowed = NOTHING;
        // SAFETY: the root of a mount has an inode.
        let top = unsafe { load::<*const c_void>(root, OFF_DENTRY_INODE.get()) } as u64;
        let Some(found) = find(top, mnt, of, &mut event.version) else {
            return NOT_KNOWN;
        };
        // SAFETY: an entry of the map, and dentries.
        unsafe {
            let first = atomic::load(&raw const (*found).state) as u32;
            let changed = atomic::load(&raw const (*found).changes) ^ event.changes;
            let matters = atomic::load(&raw const (*found).matters);
            if !is_whole(found, top, event.version) || changed & matters != 0 {
                return NOT_KNOWN;
            }
            let descent = Descent::new(image, event.header, parent, root, first);
            let Some((last, flags)) = descent.state() else {
                return NOT_KNOWN;
            };
            state = last;
            found_by = if flags & ASKS_AGAIN != 0 {
                By::DESCENT_ONCE
            } else if matters == MOUNTS {
                By::DESCENT_FROM_TOP
            } else {
                By::DESCENT
            };
        }
    }
    // VERIFIER: from here on it is the same how it was found.
    let found_by = unknown(found_by);
    event.allowed = unknown(event.allowed);
    let child = child(image, event.header, state, dentry);
    if event.changes & CHANGING != 0 || changes() != event.changes {
        return NOT_KNOWN;
    }
    if found_by > By::COUNTS
        && found_by != By::DESCENT_ONCE
        && let Some(entry) = entry(inode)
    {
        // SAFETY: an entry of the map.
        unsafe {
            if found_by == By::NAMES {
                Directory::renew(entry, event.version, event.changes);
            } else {
                let is_from_top = found_by == By::DESCENT_FROM_TOP;
                let known = Known {
                    inode,
                    mnt,
                    of,
                    changes: event.changes,
                    matters: BOTH,
                    above: if is_from_top { MOUNTS } else { BOTH },
                    state,
                };
                // Who comes again after a change will come again after others.
                if Directory::write(entry, &known) {
                    keep_names(entry, parent, root, mnt, of);
                }
            }
        }
    }
    if child.how == How::Unclear {
        return KNOWN;
    }
    let leads = pair(event.start, child.state);
    if leads == event.allowed {
        return ALLOWS;
    }
    const ALLOWED: u32 = REF_TERMINAL | OUTCOME_ALLOW;
    match class_of(image, child.state).and_then(|class| follow(image, event.start, class)) {
        Ok(ALLOWED) => {
            if event.allowed == NOTHING
                && found_by <= By::NAMES
                && let Some(entry) = entry(inode)
            {
                // SAFETY: an entry of the map.
                unsafe { Directory::allow(entry, event.version, leads) };
            }
            ALLOWS
        }
        Ok(end) if is_terminal(end) => {
            event.end = end;
            if found_by <= By::NAMES {
                ENDS_AS_KNOWN
            } else {
                ENDS
            }
        }
        _ => KNOWN,
    }
}

/// Keeps what the event has found out about its file's directory, and about the root of
/// the mount.
// VERIFIER: a global function, gone through on its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn lsmpc_remember(slot: *mut Slot) -> u64 {
    // SAFETY: null or the slot claimed by this event.
    let Some(slot) = (unsafe { slot.as_mut() }) else {
        return 0;
    };
    let (walk, work) = (&slot.walk, &slot.work);
    let walked = pair(walk.renames, walk.mounts);
    let is_usable = slot.holds == HOLDS_PATH
        && work.directory_of != 0
        && walk.flags & ASKS_AGAIN == 0
        && globals::rename_lock() != 0
        && globals::mount_lock() != 0
        && walked & CHANGING == 0;
    if !is_usable {
        return 0;
    }
    let (dentry, mnt) = (walk.first_dentry, walk.first_mnt);
    let parent = pointer(dentry + OFF_DENTRY_PARENT.get());
    let inode = pointer(parent + OFF_DENTRY_INODE.get());
    let root = pointer(mnt + OFF_VFSMOUNT_ROOT.get());
    let top = pointer(root + OFF_DENTRY_INODE.get());
    if parent == 0 || parent == dentry || root == 0 || root == dentry || changes() != walked {
        return 0;
    }
    let mut known = Known {
        inode,
        mnt,
        of: pair(slot.epoch, work.directory_of),
        changes: walked,
        matters: BOTH,
        above: BOTH,
        state: work.directory,
    };
    if inode != 0
        && END.wrapping_sub(walk.position) <= LONGEST_PATH
        && let Some(entry) = entry(inode)
    {
        // SAFETY: an entry of the map.
        unsafe { Directory::write(entry, &known) };
    }
    if top != 0
        && work.noted != 0
        && walk.root_end.wrapping_sub(walk.position) <= LONGEST_ROOT
        && let Some(entry) = entry(top)
    {
        known.inode = top;
        known.state = work.noted;
        if walk.root_end == walk.position {
            known.matters = MOUNTS;
        }
        // SAFETY: an entry of the map.
        unsafe { Directory::write(entry, &known) };
    }
    0
}

/// An inode is gone.
#[inline(always)]
pub(crate) fn forget(inode: u64) {
    if let Some(known) = entry(inode) {
        // SAFETY: an entry of the map.
        unsafe {
            if atomic::load(&raw const (*known).inode) == inode {
                atomic::swap(&raw mut (*known).inode, 0);
            }
        }
    }
}
