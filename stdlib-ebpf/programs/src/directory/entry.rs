//! One directory that is known: an entry of the map, written by one task while others read.

use aya_ebpf::helpers::generated::bpf_jiffies64;
use lsmpc_abi::maps::DIRECTORY_ENTRIES;

use super::names::{KEPT, KeptName};
use crate::{atomic, globals, maps::DIRECTORIES, path::sequence, read::low_half};

/// For how long an entry is used, in ticks: a minute at 250 Hz. Neither lock can be taken
/// 2^31 times meanwhile.
const TICKS: u64 = 15_000;

/// Both locks' counts, and `mount_lock`'s alone.
pub(super) const BOTH: u64 = u64::MAX;
pub(super) const MOUNTS: u64 = u32::MAX as u64;
/// In either count: the lock is held.
pub(super) const CHANGING: u64 = pair(1, 1);

/// An entry of the map, found by an inode's address.
// INVARIANT: `inode` is 0 while the entry is written, by one task at a time, which counts
// `version` first. Who reads between two looks at both that find the same has read what
// belongs to it.
#[repr(C, align(8))]
pub(crate) struct Directory {
    /// The directory's; 0: nothing is known.
    pub(super) inode: u64,
    /// 1 while somebody writes here.
    pub(super) busy: u64,
    /// How often somebody has.
    pub(super) version: u64,
    /// The `vfsmount` through which it is seen.
    pub(super) mnt: u64,
    /// The image's epoch and the classifier.
    pub(super) of: u64,
    /// What `rename_lock` and `mount_lock` counted.
    pub(super) changes: u64,
    /// The bits of `changes` by which the path can be another.
    pub(super) matters: u64,
    /// When it was written, in ticks.
    since: u64,
    /// The classifier's state.
    pub(super) state: u64,
    /// A ref, and a state of which it is known that the evaluation from that ref allows
    /// what leads to it; or [`NOTHING`].
    pub(super) allowed: u64,
    /// The bits of `changes` by which the path of the mount's root can be another.
    pub(super) above: u64,
    /// How many names lead to the directory from the root of the mount; 0: they are not
    /// kept.
    pub(super) levels: u64,
    /// These names, the directory's own first.
    pub(super) names: [KeptName; KEPT],
}

/// Nothing is known to be allowed: a state that there is not.
pub(crate) const NOTHING: u64 = pair(0, u32::MAX);

impl Directory {
    /// Writes an entry, unless somebody else does; whether it has been the same directory's.
    ///
    /// # Safety
    /// `entry` must be an entry of the map, the one of `known`'s inode.
    // Swapping orders everything around it.
    #[inline(always)]
    pub(super) unsafe fn write(entry: *mut Self, known: &Known) -> bool {
        // SAFETY: the caller's.
        unsafe {
            if atomic::swap(&raw mut (*entry).busy, 1) != 0 {
                return false;
            }
            let before = atomic::swap(&raw mut (*entry).inode, 0);
            atomic::add(&raw mut (*entry).version, 1);
            atomic::store(&raw mut (*entry).mnt, known.mnt);
            atomic::store(&raw mut (*entry).of, known.of);
            atomic::store(&raw mut (*entry).changes, known.changes);
            atomic::store(&raw mut (*entry).matters, known.matters);
            atomic::store(&raw mut (*entry).since, ticks());
            atomic::store(&raw mut (*entry).state, u64::from(known.state));
            atomic::store(&raw mut (*entry).allowed, NOTHING);
            atomic::store(&raw mut (*entry).above, known.above);
            atomic::store(&raw mut (*entry).levels, 0);
            atomic::swap(&raw mut (*entry).inode, known.inode);
            atomic::swap(&raw mut (*entry).busy, 0);
            before == known.inode
        }
    }

    /// Writes down that the path is still the same at other counts, if the entry has not been
    /// written since its `version` was read.
    ///
    /// # Safety
    /// `entry` must be an entry of the map.
    #[inline(always)]
    pub(super) unsafe fn renew(entry: *mut Self, version: u32, changes: u64) {
        // SAFETY: the caller's.
        unsafe {
            if atomic::swap(&raw mut (*entry).busy, 1) != 0 {
                return;
            }
            if atomic::load(&raw const (*entry).version) as u32 == version {
                atomic::store(&raw mut (*entry).changes, changes);
                atomic::store(&raw mut (*entry).since, ticks());
            }
            atomic::swap(&raw mut (*entry).busy, 0);
        }
    }

    /// Writes down what is allowed, if the entry has not been written since it was noted.
    ///
    /// # Safety
    /// `entry` must be an entry of the map.
    #[inline(always)]
    pub(super) unsafe fn allow(entry: *mut Self, version: u32, allowed: u64) {
        // SAFETY: the caller's.
        unsafe {
            if atomic::swap(&raw mut (*entry).busy, 1) != 0 {
                return;
            }
            if atomic::load(&raw const (*entry).version) as u32 == version {
                atomic::store(&raw mut (*entry).allowed, allowed);
            }
            atomic::swap(&raw mut (*entry).busy, 0);
        }
    }
}

/// What an entry is written from.
pub(super) struct Known {
    pub(super) inode: u64,
    pub(super) mnt: u64,
    pub(super) of: u64,
    pub(super) changes: u64,
    pub(super) matters: u64,
    pub(super) above: u64,
    pub(super) state: u32,
}

#[inline(always)]
pub(super) fn entry(inode: u64) -> Option<*mut Directory> {
    const { assert!(DIRECTORY_ENTRIES.is_power_of_two()) };
    // Inodes are some hundred bytes large.
    let half = low_half(inode);
    DIRECTORIES.get_ptr_mut((half >> 6 ^ half >> 15) & (DIRECTORY_ENTRIES - 1))
}

/// The entry of a directory that is known, and its version.
#[inline(always)]
pub(super) fn find(inode: u64, mnt: u64, of: u64, version: &mut u32) -> Option<*mut Directory> {
    let found = entry(inode)?;
    // SAFETY: an entry of the map. Adding nothing orders the loads after it.
    let is_it = unsafe {
        *version = atomic::add(&raw mut (*found).version, 0) as u32;
        inode != 0
            && atomic::load(&raw const (*found).inode) == inode
            && atomic::load(&raw const (*found).mnt) == mnt
            && atomic::load(&raw const (*found).of) == of
            && ticks().wrapping_sub(atomic::load(&raw const (*found).since)) <= TICKS
    };
    is_it.then_some(found)
}

/// Whether what has been read of an entry that was found belongs together.
///
/// # Safety
/// `found` must be an entry of the map.
#[inline(always)]
pub(super) unsafe fn is_whole(found: *mut Directory, inode: u64, version: u32) -> bool {
    // SAFETY: the caller's. Adding nothing orders the loads before it.
    unsafe {
        atomic::add(&raw mut (*found).version, 0) as u32 == version
            && atomic::load(&raw const (*found).inode) == inode
    }
}

#[inline(always)]
pub(super) const fn pair(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

#[inline(always)]
fn ticks() -> u64 {
    // SAFETY: no arguments.
    unsafe { bpf_jiffies64() }
}

/// Both locks' counts.
#[inline(always)]
pub(super) fn changes() -> u64 {
    let renames = sequence(globals::rename_lock());
    pair(renames, sequence(globals::mount_lock()))
}
