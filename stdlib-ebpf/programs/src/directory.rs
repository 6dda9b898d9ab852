//! Directories whose path has been classified: another file in one costs its name
//! alone.
//!
//! For a directory's inode an entry keeps the state to which the path of the directory
//! leads, seen through one mount, under one image. It holds as long as that path cannot
//! have changed:
//!
//! - A directory, or one above it, gets another name or place under `rename_lock` only,
//!   a mount under `mount_lock`. The entry has what both counted when the path was
//!   walked; they are compared after everything else has been read. They could come
//!   round to the same count, so an entry is not used for long.
//! - A directory has one dentry at a time, and its inode has one place. File systems
//!   whose names change behind the kernel's back ask again at every look-up
//!   (`d_revalidate`): nothing is kept of those.
//! - An inode's memory can be used again: when it is given back, its entry is emptied.
//!   Who writes an entry holds a file in the directory, which keeps the directory; only
//!   a rename can part the two, and then the entry's counts are old.
//!
//! It is asked at `file_open` only, with names that lie inside their dentry, and believed
//! only where it allows: whatever has to be denied or recorded takes the long way.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_jiffies64;
use lsmpc_abi::{
    field::FieldId,
    image::{OUTCOME_ALLOW, REF_TERMINAL},
    maps::DIRECTORY_ENTRIES,
};
use lsmpc_engine::{NAME_WORDS, Name, child_state, class_of, follow};

use crate::{
    atomic,
    file::{Located as _, OpenFile},
    globals::{
        self, OFF_DENTRY_INLINE, OFF_DENTRY_INODE, OFF_DENTRY_LEN, OFF_DENTRY_NAME,
        OFF_DENTRY_PARENT, OFF_FILE_PATH, OFF_PATH_DENTRY, OFF_PATH_MNT, OFF_VFSMOUNT_ROOT,
    },
    image::Image,
    maps::{DIRECTORIES, Page, Slot},
    path::{END, sequence},
    read::{load, low_half, pointer},
};

/// The longest name that is asked for: one less than lies inside a dentry.
const LONGEST_NAME: u32 = 8 * NAME_WORDS as u32 - 1;
/// The longest path of a directory that is kept: with a name it is not too long.
const LONGEST_PATH: u32 = 3584;
/// `DCACHE_OP_REVALIDATE` (`include/linux/dcache.h`).
const ASKS_AGAIN: u32 = 1 << 2;
/// For how long an entry is used, in ticks: a minute at 250 Hz. Neither lock can be taken
/// 2^31 times meanwhile.
const TICKS: u64 = 15_000;
const HOLDS_PATH: u32 = FieldId::Path as u32 + 1;

/// An entry of the map, found by an inode's address.
// INVARIANT: `inode` is 0 while the entry is written, by one task at a time. Who reads
// between two looks at `inode` that both find the same one has read what belongs to it.
#[repr(C, align(8))]
pub(crate) struct Directory {
    /// The directory's; 0: nothing is known.
    inode: u64,
    /// 1 while somebody writes here.
    busy: u64,
    /// The `vfsmount` through which it is seen.
    mnt: u64,
    /// The image's epoch and the classifier.
    of: u64,
    /// What `rename_lock` and `mount_lock` counted.
    changes: u64,
    /// When it was written, in ticks.
    since: u64,
    /// The classifier's state.
    state: u64,
}

#[inline(always)]
fn entry(inode: u64) -> Option<*mut Directory> {
    const { assert!(DIRECTORY_ENTRIES.is_power_of_two()) };
    // Inodes are some hundred bytes large.
    let half = low_half(inode);
    DIRECTORIES.get_ptr_mut((half >> 6 ^ half >> 15) & (DIRECTORY_ENTRIES - 1))
}

#[inline(always)]
const fn pair(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

#[inline(always)]
fn ticks() -> u64 {
    // SAFETY: no arguments.
    unsafe { bpf_jiffies64() }
}

/// Both locks' counts.
#[inline(always)]
fn changes() -> u64 {
    let renames = sequence(globals::rename_lock());
    pair(renames, sequence(globals::mount_lock()))
}

/// [`ask`]: the directory is not known.
pub(crate) const NOT_KNOWN: u64 = 0;
/// It is, but the answer is not to be had from it.
pub(crate) const KNOWN: u64 = 1;
/// The file may be opened.
pub(crate) const ALLOWS: u64 = 2;

/// What is asked of a file.
pub(crate) struct Question<'m> {
    /// The image's first page.
    pub(crate) header: &'m Page,
    /// Its epoch.
    pub(crate) epoch: u32,
    /// The path classifier of the node that asks.
    pub(crate) classifier: u32,
    /// Its ref.
    pub(crate) start: u32,
}

/// Whether an image allows to open `file`, by its name in a directory that is known.
// VERIFIER: not a global function: those cannot be given a typed pointer.
#[inline(never)]
pub(crate) fn ask(image: &Image, question: &Question<'_>, file: *const c_void) -> u64 {
    let of = pair(question.epoch, question.classifier);
    // SAFETY: the hook's file and what it leads to.
    let (dentry, mnt, inode) = unsafe {
        let path = OFF_FILE_PATH.get();
        let dentry: *const c_void = load(file, path + OFF_PATH_DENTRY.get());
        let mnt: *const c_void = load(file, path + OFF_PATH_MNT.get());
        let root: *const c_void = load(mnt, OFF_VFSMOUNT_ROOT.get());
        let parent: *const c_void = load(dentry, OFF_DENTRY_PARENT.get());
        if dentry == root || dentry == parent {
            return NOT_KNOWN;
        }
        let inode: *const c_void = load(parent, OFF_DENTRY_INODE.get());
        (dentry, mnt as u64, inode as u64)
    };
    let Some(known) = entry(inode) else {
        return NOT_KNOWN;
    };
    // SAFETY: an entry of the map.
    let state = unsafe {
        if inode == 0
            || atomic::load(&raw const (*known).inode) != inode
            || atomic::load(&raw const (*known).mnt) != mnt
            || atomic::load(&raw const (*known).of) != of
            || ticks().wrapping_sub(atomic::load(&raw const (*known).since)) > TICKS
        {
            return NOT_KNOWN;
        }
        atomic::load(&raw const (*known).state) as u32
    };
    let name = name(dentry);
    // SAFETY: as above. Adding nothing orders the loads before it.
    unsafe {
        let changes_then = atomic::load(&raw const (*known).changes);
        if atomic::add(&raw mut (*known).inode, 0) != inode || changes_then != changes() {
            return NOT_KNOWN;
        }
    }
    let Some(name) = name else {
        return KNOWN;
    };
    match child_state(image, question.header, state, &name) {
        Ok(Some(next)) => answer(image, question.start, next),
        _ => KNOWN,
    }
}

/// The answer for a path that ends in `state`.
#[inline(always)]
fn answer(image: &Image, start: u32, state: u32) -> u64 {
    const ALLOWED: u32 = REF_TERMINAL | OUTCOME_ALLOW;
    match class_of(image, state).and_then(|class| follow(image, start, class)) {
        Ok(ALLOWED) => ALLOWS,
        _ => KNOWN,
    }
}

/// The name of a dentry, if it lies inside it.
#[inline(always)]
fn name(dentry: *const c_void) -> Option<Name> {
    // SAFETY: a dentry, loaded through a typed pointer.
    unsafe {
        let length: u32 = load(dentry, OFF_DENTRY_LEN.get());
        let name: *const c_void = load(dentry, OFF_DENTRY_NAME.get());
        let inside = dentry.byte_add(OFF_DENTRY_INLINE.get() as usize);
        if length == 0 || length > LONGEST_NAME || name != inside {
            return None;
        }
        let mut words = [0; NAME_WORDS];
        let mut word = 0;
        while word < NAME_WORDS {
            let before = 8 * word as u32;
            if length > before {
                let left = length - before;
                let value: u64 = load(inside, u64::from(before));
                words[word] = if left < 8 {
                    value & ((1 << (left * 8)) - 1)
                } else {
                    value
                };
            }
            word += 1;
        }
        Some(Name { words, length })
    }
}

/// Keeps what the event has found out about its file's directory.
// VERIFIER: a global function, gone through on its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn lsmpc_remember(slot: *mut Slot) -> u64 {
    // SAFETY: null or the slot claimed by this event.
    let Some(slot) = (unsafe { slot.as_mut() }) else {
        return 0;
    };
    let (walk, work) = (&slot.walk, &slot.work);
    let is_usable = slot.holds == HOLDS_PATH
        && work.directory_of != 0
        && walk.flags & ASKS_AGAIN == 0
        && END.wrapping_sub(walk.position) <= LONGEST_PATH
        && globals::rename_lock() != 0
        && globals::mount_lock() != 0
        && (walk.renames | walk.mounts) & 1 == 0;
    if !is_usable {
        return 0;
    }
    let (dentry, mnt) = OpenFile(slot.arguments[0]).place();
    let parent = pointer(dentry + OFF_DENTRY_PARENT.get());
    let inode = pointer(parent + OFF_DENTRY_INODE.get());
    let root = pointer(mnt + OFF_VFSMOUNT_ROOT.get());
    if parent == 0 || parent == dentry || root == 0 || root == dentry || inode == 0 {
        return 0;
    }
    let Some(known) = entry(inode) else {
        return 0;
    };
    // SAFETY: an entry of the map. Swapping orders everything around it.
    unsafe {
        if atomic::swap(&raw mut (*known).busy, 1) != 0 {
            return 0;
        }
        atomic::swap(&raw mut (*known).inode, 0);
        atomic::store(&raw mut (*known).mnt, mnt);
        atomic::store(&raw mut (*known).of, pair(slot.epoch, work.directory_of));
        let walked = pair(walk.renames, walk.mounts);
        atomic::store(&raw mut (*known).changes, walked);
        atomic::store(&raw mut (*known).since, ticks());
        atomic::store(&raw mut (*known).state, u64::from(work.directory));
        if changes() == walked {
            atomic::swap(&raw mut (*known).inode, inode);
        }
        atomic::swap(&raw mut (*known).busy, 0);
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
