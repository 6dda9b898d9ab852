//! From the root of a mount down to a directory or a file, component by component.
//!
//! Owns classifying and spelling out what lies below a root, and the names of dentries that
//! are read through typed pointers. Must not know what is kept of a directory, nor whether
//! anything changes meanwhile: who descends compares the counts of `rename_lock` before and
//! after.

use core::ffi::c_void;

use lsmpc_engine::{
    Child, How, NAME_WORDS, Name,
    bits::bound,
    child_state,
    repeat::{Step, repeat},
};

use crate::{
    globals::{
        OFF_DENTRY_FLAGS, OFF_DENTRY_INLINE, OFF_DENTRY_LEN, OFF_DENTRY_NAME, OFF_DENTRY_PARENT,
    },
    image::Image,
    maps::{Page, Slot},
    read::load,
};

/// Most levels that are descended.
const LEVELS: u32 = 16;
/// The longest name that is read: one less than lies inside a dentry.
const LONGEST_NAME: u32 = 8 * NAME_WORDS as u32 - 1;

/// A descent that is under way.
// VERIFIER: no count of levels: one that is known to it makes each a case of its own.
pub(crate) struct Descent<'m> {
    image: &'m Image,
    header: &'m Page,
    /// Where it shall end.
    directory: *const c_void,
    /// How far it has come.
    at: *const c_void,
    /// The classifier's state there.
    state: u32,
    /// All flags that the dentries on the way have.
    flags: u32,
}

impl<'m> Descent<'m> {
    /// One from `root`, where the classifier's state is `state`, to `directory`.
    ///
    /// # Safety
    /// `directory` and `root` must be typed pointers to dentries.
    #[inline(always)]
    pub(crate) unsafe fn new(
        image: &'m Image,
        header: &'m Page,
        directory: *const c_void,
        root: *const c_void,
        state: u32,
    ) -> Self {
        Self {
            image,
            header,
            directory,
            at: root,
            state,
            // SAFETY: the caller's.
            flags: unsafe { load(directory, OFF_DENTRY_FLAGS.get()) },
        }
    }

    /// The state at the directory, and the flags of all dentries on the way; `None` if
    /// that is too far below, or not below.
    #[inline(always)]
    pub(crate) fn state(mut self) -> Option<(u32, u32)> {
        repeat(LEVELS, &mut self);
        (self.at == self.directory).then_some((self.state, self.flags))
    }
}

impl Step for Descent<'_> {
    #[inline(always)]
    fn step(&mut self) -> bool {
        let at = self.at;
        if at == self.directory {
            return false;
        }
        let dentry = below(at, self.directory);
        if dentry.is_null() {
            return false;
        }
        // SAFETY: a dentry.
        self.flags |= unsafe { load::<u32>(dentry, OFF_DENTRY_FLAGS.get()) };
        let child = child(self.image, self.header, self.state, dentry);
        if child.how == How::Unclear {
            return false;
        }
        self.state = child.state;
        self.at = if child.how == How::Last {
            self.directory
        } else {
            dentry
        };
        true
    }
}

/// The dentry right below `at` on the way to `last`, or null if there is none.
#[inline(always)]
fn below(at: *const c_void, last: *const c_void) -> *const c_void {
    let mut dentry = last;
    let mut level = 0;
    loop {
        // SAFETY: a dentry's parent is a dentry.
        let parent: *const c_void = unsafe { load(dentry, OFF_DENTRY_PARENT.get()) };
        if parent == at {
            return dentry;
        }
        level += 1;
        if level == LEVELS || parent == dentry {
            return core::ptr::null();
        }
        dentry = parent;
    }
}

/// Spells out the names from a root to a dentry.
struct Spelling {
    slot: *mut Slot,
    /// Where it shall end.
    last: *const c_void,
    /// How far it has come.
    at: *const c_void,
}

impl Step for Spelling {
    #[inline(always)]
    fn step(&mut self) -> bool {
        let at = self.at;
        if at == self.last {
            return false;
        }
        let dentry = below(at, self.last);
        if dentry.is_null() {
            return false;
        }
        let name = name(dentry);
        if name.length == 0 {
            return false;
        }
        // SAFETY: the slot is claimed by this event, and has fewer than 2048 bytes so far.
        unsafe { append(self.slot, &name) };
        self.at = dentry;
        true
    }
}

/// Adds a name to the path in the slot's text buffer.
///
/// # Safety
/// The slot must be claimed by this event. Of what is there less than 2048 bytes are kept.
#[inline(always)]
pub(crate) unsafe fn append(slot: *mut Slot, name: &Name) {
    // SAFETY: the caller's.
    let work = unsafe { &mut (*slot).work };
    let start = bound::<0x7ff>(u64::from(work.end)) as usize;
    let [first, second, third, fourth] = name.words;
    // SAFETY: less than 2048 bytes and a name into the buffer. What comes after the
    // name is overwritten by the next one.
    unsafe {
        let into = work.text.as_mut_ptr().add(start);
        *into = b'/';
        // VERIFIER: LLVM would split unaligned accesses into bytes.
        core::arch::asm!(
            "*(u64 *)({0} + 1) = {1}",
            "*(u64 *)({0} + 9) = {2}",
            "*(u64 *)({0} + 17) = {3}",
            "*(u64 *)({0} + 25) = {4}",
            in(reg) into, in(reg) first, in(reg) second, in(reg) third, in(reg) fourth,
            options(nostack),
        );
    }
    work.end = start as u32 + 1 + name.length;
}

/// Puts the names from `root` down to `last` into the slot's text buffer, as a path; whether
/// that could be done.
///
/// # Safety
/// `last` and `root` must be typed pointers to dentries, and the slot claimed by this event.
#[inline(always)]
pub(crate) unsafe fn spell(slot: *mut Slot, last: *const c_void, root: *const c_void) -> bool {
    // SAFETY: the caller's.
    unsafe {
        (*slot).work.start = 0;
        (*slot).work.end = 0;
    }
    let mut spelling = Spelling {
        slot,
        last,
        at: root,
    };
    repeat(LEVELS + 1, &mut spelling);
    spelling.at == last
}

/// Where the name of a dentry leads from the state of its directory.
// VERIFIER: one copy, as the stack goes. Not a global function: those cannot be given a
// typed pointer.
#[inline(never)]
pub(crate) fn child(image: &Image, header: &Page, state: u32, dentry: *const c_void) -> Child {
    let name = name(dentry);
    if name.length == 0 {
        return Child {
            state,
            how: How::Unclear,
        };
    }
    child_state(image, header, state, &name)
}

/// The name of a dentry, if it lies inside it; else an empty one.
// VERIFIER: not an `Option`: LLVM would keep words that were never written.
#[inline(always)]
pub(crate) fn name(dentry: *const c_void) -> Name {
    // SAFETY: a dentry, loaded through a typed pointer.
    unsafe {
        let length: u32 = load(dentry, OFF_DENTRY_LEN.get());
        let at: *const c_void = load(dentry, OFF_DENTRY_NAME.get());
        let inside = dentry.byte_add(OFF_DENTRY_INLINE.get() as usize);
        let length = if length > LONGEST_NAME || at != inside {
            0
        } else {
            length
        };
        let word = |number: u32| -> u64 {
            let before = 8 * number;
            if length <= before {
                return 0;
            }
            let left = length - before;
            let value: u64 = load(inside, u64::from(before));
            if left < 8 {
                value & ((1 << (left * 8)) - 1)
            } else {
                value
            }
        };
        const { assert!(NAME_WORDS == 4) };
        Name {
            words: [word(0), word(1), word(2), word(3)],
            length,
        }
    }
}
