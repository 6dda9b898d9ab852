//! The names that lead to a directory from the root of its mount, kept in its entry: while
//! they are the same, so is the state, whatever has been renamed.

use core::ffi::c_void;

use lsmpc_engine::NAME_WORDS;

use super::entry::{Directory, changes};
use crate::{
    atomic,
    descend::name,
    globals::{
        OFF_DENTRY_FLAGS, OFF_DENTRY_INLINE, OFF_DENTRY_INODE, OFF_DENTRY_LEN, OFF_DENTRY_NAME,
        OFF_DENTRY_PARENT,
    },
    read::load,
};

/// `DCACHE_OP_REVALIDATE` (`include/linux/dcache.h`).
pub(super) const ASKS_AGAIN: u32 = 1 << 2;

/// Most names that are kept of a directory.
pub(super) const KEPT: usize = 8;

/// A name, and what is behind it is 0.
#[repr(C, align(8))]
pub(crate) struct KeptName {
    words: [u64; NAME_WORDS],
    length: u64,
}

/// Whether the names from `directory` up to `root` are those of an entry.
// VERIFIER: not a global function: those cannot be given a typed pointer.
#[inline(never)]
pub(super) fn has_names(
    entry: *mut Directory,
    directory: *const c_void,
    root: *const c_void,
) -> bool {
    let mut at = directory;
    let mut level = 0;
    // SAFETY: an entry of the map, and dentries.
    unsafe {
        while level < KEPT {
            let kept = &raw const (*entry).names[level];
            if !is_named(at, kept) {
                return false;
            }
            level += 1;
            at = load(at, OFF_DENTRY_PARENT.get());
            if at == root {
                return atomic::load(&raw const (*entry).levels) == level as u64;
            }
        }
    }
    false
}

/// Whether a dentry has a name that is kept, inside it, and is not one that is asked again.
///
/// # Safety
/// `dentry` must be a typed pointer to one, and `kept` in an entry.
#[inline(always)]
unsafe fn is_named(dentry: *const c_void, kept: *const KeptName) -> bool {
    // SAFETY: the caller's.
    unsafe {
        let length: u32 = load(dentry, OFF_DENTRY_LEN.get());
        let at: *const c_void = load(dentry, OFF_DENTRY_NAME.get());
        let inside = dentry.byte_add(OFF_DENTRY_INLINE.get() as usize);
        if atomic::load(&raw const (*kept).length) != u64::from(length)
            || at != inside
            || load::<u32>(dentry, OFF_DENTRY_FLAGS.get()) & ASKS_AGAIN != 0
        {
            return false;
        }
        let mut word = 0;
        while word < NAME_WORDS {
            let before = 8 * word as u32;
            if length <= before {
                break;
            }
            let mut value: u64 = load(inside, u64::from(before));
            if length < before + 8 {
                value &= (1 << ((length - before) * 8)) - 1;
            }
            if atomic::load(&raw const (*kept).words[word]) != value {
                return false;
            }
            word += 1;
        }
    }
    true
}

/// Keeps the names from `directory` up to `root` in its entry, if nothing has changed since
/// that was written.
// VERIFIER: not a global function: those cannot be given a typed pointer.
#[inline(never)]
pub(super) fn keep_names(
    entry: *mut Directory,
    directory: *const c_void,
    root: *const c_void,
    mnt: u64,
    of: u64,
) -> u64 {
    let mut at = directory;
    let mut level = 0;
    let mut levels = 0;
    // SAFETY: an entry of the map, and dentries. Swapping orders everything around it.
    unsafe {
        if atomic::swap(&raw mut (*entry).busy, 1) != 0 {
            return 0;
        }
        let inode = atomic::swap(&raw mut (*entry).inode, 0);
        let is_same = load::<*const c_void>(directory, OFF_DENTRY_INODE.get()) as u64 == inode
            && atomic::load(&raw const (*entry).mnt) == mnt
            && atomic::load(&raw const (*entry).of) == of;
        if is_same {
            atomic::add(&raw mut (*entry).version, 1);
            atomic::store(&raw mut (*entry).levels, 0);
            while level < KEPT {
                let name = name(at);
                if name.length == 0 {
                    break;
                }
                let kept = &raw mut (*entry).names[level];
                atomic::store(&raw mut (*kept).length, u64::from(name.length));
                atomic::store(&raw mut (*kept).words[0], name.words[0]);
                atomic::store(&raw mut (*kept).words[1], name.words[1]);
                atomic::store(&raw mut (*kept).words[2], name.words[2]);
                atomic::store(&raw mut (*kept).words[3], name.words[3]);
                level += 1;
                at = load(at, OFF_DENTRY_PARENT.get());
                if at == root {
                    levels = level as u64;
                    break;
                }
            }
            if changes() == atomic::load(&raw const (*entry).changes) {
                atomic::store(&raw mut (*entry).levels, levels);
            }
        }
        atomic::swap(&raw mut (*entry).inode, inode);
        atomic::swap(&raw mut (*entry).busy, 0);
    }
    0
}
