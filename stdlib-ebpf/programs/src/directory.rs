//! Directories whose path has been classified: another file in one costs its name
//! alone, and one below the root of a mount the names on the way down to it.
//!
//! For a directory's inode an entry keeps the state to which the path of the directory
//! leads, seen through one mount, under one image. It holds as long as that path cannot
//! have changed:
//!
//! - A directory, or one above it, gets another name or place under `rename_lock` only,
//!   a mount under `mount_lock`. The entry has what both counted when the path was
//!   walked; they are compared after everything else has been read. They could come
//!   round to the same count, so an entry is not used for long. Above the root of a
//!   mount that is at the root there are no names: only `mount_lock` matters.
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

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_jiffies64;
use lsmpc_abi::{
    field::FieldId,
    image::{OUTCOME_ALLOW, REF_TERMINAL, is_terminal},
    maps::DIRECTORY_ENTRIES,
};
use lsmpc_engine::{How, NAME_WORDS, bits::bound, class_of, follow};

use crate::{
    atomic,
    descend::{self, Descent, child, name},
    event::Pending,
    globals::{
        self, OFF_DENTRY_FLAGS, OFF_DENTRY_INLINE, OFF_DENTRY_INODE, OFF_DENTRY_LEN,
        OFF_DENTRY_NAME, OFF_DENTRY_PARENT, OFF_VFSMOUNT_ROOT,
    },
    image::Image,
    maps::{DIRECTORIES, Slot},
    path::{END, sequence},
    read::{SHORT, copy_short, load, low_half, pointer, unknown},
};

/// The longest path of a directory that is kept: with a name it is not too long.
const LONGEST_PATH: u32 = 3584;
/// The longest path of a mount's root that is kept: with all that is descended and a name
/// it is not too long.
const LONGEST_ROOT: u32 = 3072;
/// `DCACHE_OP_REVALIDATE` (`include/linux/dcache.h`).
const ASKS_AGAIN: u32 = 1 << 2;
/// For how long an entry is used, in ticks: a minute at 250 Hz. Neither lock can be taken
/// 2^31 times meanwhile.
const TICKS: u64 = 15_000;
const HOLDS_PATH: u32 = FieldId::Path as u32 + 1;

/// Both locks' counts, and `mount_lock`'s alone.
const BOTH: u64 = u64::MAX;
const MOUNTS: u64 = u32::MAX as u64;
/// In either count: the lock is held.
const CHANGING: u64 = pair(1, 1);

/// An entry of the map, found by an inode's address.
// INVARIANT: `inode` is 0 while the entry is written, by one task at a time, which counts
// `version` first. Who reads between two looks at both that find the same has read what
// belongs to it.
#[repr(C, align(8))]
pub(crate) struct Directory {
    /// The directory's; 0: nothing is known.
    inode: u64,
    /// 1 while somebody writes here.
    busy: u64,
    /// How often somebody has.
    version: u64,
    /// The `vfsmount` through which it is seen.
    mnt: u64,
    /// The image's epoch and the classifier.
    of: u64,
    /// What `rename_lock` and `mount_lock` counted.
    changes: u64,
    /// The bits of `changes` by which the path can be another.
    matters: u64,
    /// When it was written, in ticks.
    since: u64,
    /// The classifier's state.
    state: u64,
    /// A ref, and a state of which it is known that the evaluation from that ref allows
    /// what leads to it; or [`NOTHING`].
    allowed: u64,
    /// The bits of `changes` by which the path of the mount's root can be another.
    above: u64,
    /// How many names lead to the directory from the root of the mount; 0: they are not
    /// kept.
    levels: u64,
    /// These names, the directory's own first.
    names: [KeptName; KEPT],
}

/// Most names that are kept of a directory.
const KEPT: usize = 8;

/// A name, and what is behind it is 0.
#[repr(C, align(8))]
struct KeptName {
    words: [u64; NAME_WORDS],
    length: u64,
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
    unsafe fn write(entry: *mut Self, known: &Known) -> bool {
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
    unsafe fn renew(entry: *mut Self, version: u32, changes: u64) {
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
    unsafe fn allow(entry: *mut Self, version: u32, allowed: u64) {
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
struct Known {
    inode: u64,
    mnt: u64,
    of: u64,
    changes: u64,
    matters: u64,
    above: u64,
    state: u32,
}

#[inline(always)]
fn entry(inode: u64) -> Option<*mut Directory> {
    const { assert!(DIRECTORY_ENTRIES.is_power_of_two()) };
    // Inodes are some hundred bytes large.
    let half = low_half(inode);
    DIRECTORIES.get_ptr_mut((half >> 6 ^ half >> 15) & (DIRECTORY_ENTRIES - 1))
}

/// The entry of a directory that is known, and its version.
#[inline(always)]
fn find(inode: u64, mnt: u64, of: u64, version: &mut u32) -> Option<*mut Directory> {
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
unsafe fn is_whole(found: *mut Directory, inode: u64, version: u32) -> bool {
    // SAFETY: the caller's. Adding nothing orders the loads before it.
    unsafe {
        atomic::add(&raw mut (*found).version, 0) as u32 == version
            && atomic::load(&raw const (*found).inode) == inode
    }
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

/// Whether the names from `directory` up to `root` are those of an entry.
// VERIFIER: not a global function: those cannot be given a typed pointer.
#[inline(never)]
fn has_names(entry: *mut Directory, directory: *const c_void, root: *const c_void) -> bool {
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
fn keep_names(
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
