//! Paths, walked from a dentry up to the root of its mount namespace.
//!
//! `bpf_d_path` is not used: it is not there for every hook and kernel, stops at
//! the task's root directory (which a chroot changes), and marks deleted files.
//! The walk reads the kernel's structures without taking references. It runs
//! inside an RCU read-side critical section, which dentries, their names and
//! mounts outlive, and notices changes by sequence counts: each dentry's own for
//! its name and parent, `rename_lock` and `mount_lock` for the whole path.

use lsmpc_engine::{
    bits::bound,
    repeat::{Step, repeat},
};

use crate::{
    globals::{
        self, OFF_DENTRY_FLAGS, OFF_DENTRY_INODE, OFF_DENTRY_LEN, OFF_DENTRY_NAME,
        OFF_DENTRY_PARENT, OFF_DENTRY_SB, OFF_DENTRY_SEQ, OFF_FS_TYPE_NAME, OFF_INODE_INO,
        OFF_MNT_NS_INUM, OFF_MOUNT_MNT, OFF_MOUNT_MOUNTPOINT, OFF_MOUNT_NS, OFF_MOUNT_PARENT,
        OFF_SB_FLAGS, OFF_SB_MAGIC, OFF_SB_TYPE, OFF_VFSMOUNT_FLAGS, OFF_VFSMOUNT_ROOT,
    },
    maps::Slot,
    read::{cast, copy, copy_string, load, pointer, read},
};

/// Most dentries and mounts of one path: 2047 components of one byte, and some
/// for mounts and for repeats.
const STEPS: u32 = 2048 + 64;
/// How often a path that changed under the walk is walked again.
const TRIES: u32 = 32;
/// The text ends here; it is written from its end to its start.
pub(crate) const END: u32 = 4096;

/// Bytes read of each dentry at once: up to and with a name that is kept inside.
const PREFIX: usize = 96;
/// Longest name that is copied from there.
const SHORT: u32 = 40;

const RUNNING: u32 = 0;
const DONE: u32 = 1;
const UNKNOWN: u32 = 2;
/// In no tree.
const PATHLESS: u32 = 3;

const SB_KERNMOUNT: u64 = 1 << 22;
const SB_NOUSER: u64 = 1 << 31;

/// A flag of the kernel's own mounts.
const MNT_INTERNAL: u32 = 0x4000;
/// Errors instead of pointers are above this.
const LAST_POINTER: u64 = 4096u64.wrapping_neg();
/// The number of every mount namespace that a task can be in is above this. That of
/// one that only holds mounts which are mounted nowhere is this, or 0 (before 6.18).
const LAST_ANONYMOUS: u32 = 0xefff_fff7;

const TMPFS_MAGIC: u64 = 0x0102_1994;
const HUGETLBFS_MAGIC: u64 = 0x9584_58f6;
const ANON_INODE_FS_MAGIC: u64 = 0x0904_1934;
const PIPEFS_MAGIC: u64 = 0x5049_5045;
const SOCKFS_MAGIC: u64 = 0x534f_434b;
const PID_FS_MAGIC: u64 = 0x5049_4446;

/// What a walk carries from step to step.
#[repr(C, align(8))]
pub(crate) struct Walk {
    /// What is asked for.
    pub(crate) first_dentry: u64,
    pub(crate) first_mnt: u64,
    dentry: u64,
    /// The `vfsmount` that the dentry is seen through.
    mnt: u64,
    /// Its root.
    root: u64,
    /// First bytes of the dentry, or another short buffer.
    prefix: [u8; PREFIX],
    /// For who checks a text.
    pub(crate) scratch: [u32; 2],
    /// Where the text begins so far.
    pub(crate) position: u32,
    status: u32,
    /// Whether a mount has been left.
    crossed: u32,
    /// Where the text of the first mount's root ends: before the '/' of what is in it.
    pub(crate) root_end: u32,
    /// `rename_lock` and `mount_lock` before the walk.
    pub(crate) renames: u32,
    pub(crate) mounts: u32,
    /// All flags that the dentries on the way have.
    pub(crate) flags: u32,
}

/// Puts the path of `dentry`, seen through the mount `mnt`, into the slot's text
/// buffer; whether it is known.
#[inline(always)]
pub(crate) fn resolve(slot: *mut Slot, dentry: u64, mnt: u64) -> bool {
    if dentry == 0 || mnt == 0 {
        return false;
    }
    // SAFETY: the slot is claimed by this event.
    unsafe {
        (*slot).walk.first_dentry = dentry;
        (*slot).walk.first_mnt = mnt;
    }
    lsmpc_walk(slot) != 0
}

// VERIFIER: a global function, gone through once and not for each caller.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn lsmpc_walk(slot: *mut Slot) -> u64 {
    if slot.is_null() {
        return 0;
    }
    // SAFETY: the slot is claimed by this event.
    unsafe {
        (*slot).walk.status = UNKNOWN;
        repeat(TRIES, &mut Try { slot });
        if (*slot).walk.status != DONE {
            return 0;
        }
        (*slot).work.start = (*slot).walk.position;
        (*slot).work.end = END;
        (*slot).work.note_at = (*slot).walk.root_end + 1;
    }
    1
}

/// The state of a lock of the kernel that counts its changes; odd: changing. Of a
/// lock whose address is not known always 0.
#[inline(always)]
pub(crate) fn sequence(address: u64) -> u32 {
    if address == 0 {
        return 0;
    }
    let seqcount = globals::seqcount_type();
    if seqcount != 0 {
        // SAFETY: the count is its first member.
        let count = unsafe { load(cast(address, seqcount), 0) };
        // 0 may also be what cannot be read.
        if count != 0 {
            return count;
        }
    }
    read(address).unwrap_or(1)
}

/// One try at a whole path.
struct Try {
    slot: *mut Slot,
}

impl Step for Try {
    #[inline(always)]
    fn step(&mut self) -> bool {
        let renames = sequence(globals::rename_lock());
        if renames & 1 != 0 {
            return true;
        }
        // SAFETY: the slot is claimed by this event.
        let walk = unsafe { &mut (*self.slot).walk };
        walk.dentry = walk.first_dentry;
        walk.mnt = walk.first_mnt;
        walk.root = pointer(walk.mnt + OFF_VFSMOUNT_ROOT.get());
        walk.position = END;
        walk.crossed = 0;
        walk.root_end = END;
        walk.flags = 0;
        walk.renames = renames;
        walk.mounts = sequence(globals::mount_lock());
        walk.status = RUNNING;
        if walk.root == 0 {
            walk.status = UNKNOWN;
            return false;
        }
        repeat(STEPS, &mut Ascend { slot: self.slot });
        // SAFETY: as above.
        let walk = unsafe { &mut (*self.slot).walk };
        if walk.status == RUNNING || (walk.status == DONE && !is_placed(walk.mnt)) {
            walk.status = UNKNOWN;
        }
        // Here and not in the loop: no more than eight calls may be nested.
        if walk.status == PATHLESS {
            walk.status = if pathless(self.slot) != 0 {
                DONE
            } else {
                UNKNOWN
            };
        }
        // SAFETY: as above.
        let walk = unsafe { &mut (*self.slot).walk };
        let changed = sequence(globals::rename_lock()) != renames
            || (walk.crossed != 0
                && (walk.mounts & 1 != 0 || sequence(globals::mount_lock()) != walk.mounts));
        if changed {
            walk.status = UNKNOWN;
        }
        changed
    }
}

/// One step up: a component, or from a mount's root to its mount point.
struct Ascend {
    slot: *mut Slot,
}

impl Step for Ascend {
    #[inline(always)]
    fn step(&mut self) -> bool {
        // SAFETY: the slot is claimed by this event.
        let slot = unsafe { &mut *self.slot };
        let walk = &mut slot.walk;
        let dentry = walk.dentry;
        if dentry == walk.root {
            return cross(slot);
        }
        walk.status = UNKNOWN;
        let prefix = walk.prefix.as_mut_ptr();
        // SAFETY: `PREFIX` bytes are there.
        if !unsafe { copy::<0xff>(prefix, dentry, PREFIX as u32) } {
            return false;
        }
        let Some(flags) = field::<u32>(prefix, OFF_DENTRY_FLAGS.get()) else {
            return false;
        };
        // VERIFIER: (6.1) the chain of calls has no more room on the stack to keep this.
        walk.flags |= flags;
        let (Some(sequence), Some(parent), Some(length), Some(name)) = (
            field::<u32>(prefix, OFF_DENTRY_SEQ.get()),
            field::<u64>(prefix, OFF_DENTRY_PARENT.get()),
            field::<u32>(prefix, OFF_DENTRY_LEN.get()),
            field::<u64>(prefix, OFF_DENTRY_NAME.get()),
        ) else {
            return false;
        };
        if parent == dentry {
            // The root of a file system, but not of the mount: a file that is in
            // no tree, or a tree that is not connected.
            if walk.position == END {
                walk.status = PATHLESS;
            }
            return false;
        }
        let position = walk.position;
        if length > 255 || length == 0 || position < length + 2 || position > END {
            return false;
        }
        let inline = name.wrapping_sub(dentry);
        if length <= SHORT && inline <= (PREFIX as u32 - SHORT).into() && position >= SHORT + 8 {
            // SAFETY: the name ends inside the prefix, and a word before its
            // start is in both buffers.
            unsafe {
                let from = prefix.add(bound::<0x3f>(inline) as usize + length as usize);
                let into = slot.work.text.as_mut_ptr();
                let into = into.add(bound::<0xfff>(u64::from(position - SHORT)) as usize);
                short_name(into.add(SHORT as usize), from, length);
            }
        } else {
            let start = bound::<0xfff>(u64::from(position - length)) as usize;
            // SAFETY: at most 4095 + 255 bytes into the buffer.
            if !unsafe { copy::<0xff>(slot.work.text.as_mut_ptr().add(start), name, length) } {
                return false;
            }
        }
        walk.status = RUNNING;
        // Names and parents change under `rename_lock` only. Where its address is
        // not known, the dentry's own count at least keeps the two together.
        if globals::rename_lock() == 0
            && (sequence & 1 != 0 || read::<u32>(dentry + OFF_DENTRY_SEQ.get()) != Some(sequence))
        {
            // The same dentry again.
            return true;
        }
        let start = bound::<0xfff>(u64::from(position - length - 1)) as usize;
        // SAFETY: at most 4095.
        unsafe { *slot.work.text.as_mut_ptr().add(start) = b'/' };
        walk.position = position - length - 1;
        walk.dentry = parent;
        true
    }
}

/// From a mount's root to the mount point, or to the end.
#[inline(always)]
fn cross(slot: &mut Slot) -> bool {
    let walk = &mut slot.walk;
    walk.status = UNKNOWN;
    if walk.crossed == 0 {
        walk.root_end = walk.position;
    }
    let mount = walk.mnt.wrapping_sub(OFF_MOUNT_MNT.get());
    let parent = pointer(mount + OFF_MOUNT_PARENT.get());
    if parent == 0 {
        return false;
    }
    if parent == mount {
        if walk.position >= END {
            slot.work.text[END as usize - 1] = b'/';
            walk.position = END - 1;
        }
        walk.status = DONE;
        return false;
    }
    walk.crossed = 1;
    walk.dentry = pointer(mount + OFF_MOUNT_MOUNTPOINT.get());
    walk.mnt = parent + OFF_MOUNT_MNT.get();
    walk.root = pointer(walk.mnt + OFF_VFSMOUNT_ROOT.get());
    if walk.dentry == 0 || walk.root == 0 {
        return false;
    }
    walk.status = RUNNING;
    true
}

/// Whether a tree's topmost mount is the root of a mount namespace, or of the kernel's
/// own: overlays and message queues have such. If not, the path is that of a place which
/// no task can name: the mount is a copy that has not been mounted (open_tree, fsmount),
/// or one that has been taken away while it was in use.
#[inline(always)]
fn is_placed(mnt: u64) -> bool {
    let at = mnt.wrapping_sub(OFF_MOUNT_MNT.get()) + OFF_MOUNT_NS.get();
    let namespace = pointer(at);
    if namespace > LAST_POINTER {
        return true;
    }
    if namespace == 0 {
        return read::<u32>(mnt + OFF_VFSMOUNT_FLAGS.get()).unwrap_or(0) & MNT_INTERNAL != 0;
    }
    let number = read::<u32>(namespace + OFF_MNT_NS_INUM.get()).unwrap_or(0);
    // A namespace ends after its mounts have left it: it was still there.
    number > LAST_ANONYMOUS && pointer(at) == namespace
}

/// Copies a name of up to [`SHORT`] bytes by words, its last one first. What comes
/// before the name is overwritten; what comes after it is not.
///
/// # Safety
/// `SHORT` bytes before `into` must be writable, and before `from` readable.
#[inline(always)]
unsafe fn short_name(into: *mut u8, from: *const u8, length: u32) {
    macro_rules! word {
        ($offset:literal) => {
            if length <= $offset - 8 {
                return;
            }
            // VERIFIER: LLVM would split unaligned accesses into bytes.
            // SAFETY: the caller's.
            unsafe {
                core::arch::asm!(
                    "{0} = *(u64 *)({1} - {3})",
                    "*(u64 *)({2} - {3}) = {0}",
                    out(reg) _, in(reg) from, in(reg) into, const $offset,
                    options(nostack),
                );
            }
        };
    }
    word!(8);
    word!(16);
    word!(24);
    word!(32);
    word!(40);
}

/// A member of the dentry's first bytes.
// VERIFIER: offsets are known to it, the test for the end is decided when loading.
#[inline(always)]
fn field<T: Copy>(prefix: *const u8, offset: u64) -> Option<T> {
    if offset > (PREFIX - size_of::<T>()) as u64 {
        return None;
    }
    // SAFETY: inside the buffer; members are aligned in it as in the kernel.
    Some(unsafe { prefix.add(offset as usize).cast::<T>().read() })
}

/// Writes the name of a file that is in no tree, as the kernel shows it but
/// without a mark of deletion; 1 if it has one.
#[inline(never)]
fn pathless(slot: *mut Slot) -> u64 {
    // SAFETY: the slot is claimed by this event.
    let slot = unsafe { &mut *slot };
    let dentry = slot.walk.dentry;
    let block = pointer(dentry + OFF_DENTRY_SB.get());
    let flags = pointer(block + OFF_SB_FLAGS.get());
    if block == 0 || flags & (SB_KERNMOUNT | SB_NOUSER) == 0 {
        return 0;
    }
    let magic = pointer(block + OFF_SB_MAGIC.get());
    let mut end = Backwards { slot };
    match magic {
        // memfd:NAME, SYSV0000002a, dev/zero, …
        TMPFS_MAGIC | HUGETLBFS_MAGIC => end.dentry_name(dentry),
        ANON_INODE_FS_MAGIC => {
            let known = end.dentry_name(dentry);
            end.literal(b"anon_inode:");
            known
        }
        PID_FS_MAGIC => {
            end.literal(b"anon_inode:[pidfd]");
            1
        }
        _ => {
            let inode = pointer(dentry + OFF_DENTRY_INODE.get());
            if inode == 0 {
                return 0;
            }
            end.literal(b"]");
            end.number(pointer(inode + OFF_INODE_INO.get()));
            end.literal(b":[");
            match magic {
                PIPEFS_MAGIC => {
                    end.literal(b"pipe");
                    1
                }
                SOCKFS_MAGIC => {
                    end.literal(b"socket");
                    1
                }
                _ => {
                    let kind = pointer(block + OFF_SB_TYPE.get());
                    end.string(pointer(kind + OFF_FS_TYPE_NAME.get()))
                }
            }
        }
    }
}

/// Writes a text from its end to its start.
struct Backwards<'s> {
    slot: &'s mut Slot,
}

impl Backwards<'_> {
    /// Makes room for `length` bytes, less than 256; where they go.
    #[inline(always)]
    fn room(&mut self, length: u32) -> *mut u8 {
        let start = self.slot.walk.position.wrapping_sub(length);
        self.slot.walk.position = start;
        let start = bound::<0xfff>(u64::from(start)) as usize;
        // SAFETY: inside the buffer.
        unsafe { self.slot.work.text.as_mut_ptr().add(start) }
    }

    #[inline(always)]
    fn literal<const N: usize>(&mut self, text: &[u8; N]) {
        let into = self.room(N as u32);
        let mut at = 0;
        while at < N {
            // SAFETY: at most 4095 + N bytes into the buffer, and N is small.
            unsafe { *into.add(at) = text[at] };
            at += 1;
        }
    }

    #[inline(always)]
    fn number(&mut self, number: u64) {
        let mut left = number;
        let mut digits = 0;
        while digits < 20 {
            let into = self.room(1);
            // SAFETY: one byte of the buffer.
            unsafe { *into = b'0' + (left % 10) as u8 };
            left /= 10;
            if left == 0 {
                break;
            }
            digits += 1;
        }
    }

    #[inline(always)]
    fn dentry_name(&mut self, dentry: u64) -> u64 {
        let Some(length) = read::<u32>(dentry + OFF_DENTRY_LEN.get()) else {
            return 0;
        };
        let name = pointer(dentry + OFF_DENTRY_NAME.get());
        if length == 0 || length > 255 || name == 0 {
            return 0;
        }
        let into = self.room(length);
        // SAFETY: at most 4095 + 255 bytes into the buffer.
        if !unsafe { copy::<0xff>(into, name, length) } {
            return 0;
        }
        // SAFETY: the first of the bytes that were just written.
        u64::from(unsafe { *into } != b'/')
    }

    #[inline(always)]
    fn string(&mut self, address: u64) -> u64 {
        let prefix = self.slot.walk.prefix.as_mut_ptr();
        // SAFETY: the buffer has more than 64 bytes.
        let Some(length) = (unsafe { copy_string(prefix, address, 64) }) else {
            return 0;
        };
        let length = length & 0x3f;
        let into = self.room(length);
        // SAFETY: at most 4095 + 63 bytes into the buffer.
        u64::from(unsafe { copy::<0x3f>(into, prefix as u64, length) })
    }
}
