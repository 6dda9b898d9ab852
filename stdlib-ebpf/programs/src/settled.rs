//! What a task's subject alone allows, remembered: the next such event costs a
//! comparison and a bit.
//!
//! What it rests on changes only where this is forgotten: the task's program and its
//! parent's, what sticks to the task, and the image, by its epoch. Task storage would
//! be exact, too, but takes as long as all the rest of such an event.

use lsmpc_abi::{hook::HOOK_SLOTS, maps::SETTLED_ENTRIES};

use crate::{
    atomic,
    maps::SETTLED,
    read::low_half,
    subject::{Task, current},
};

const WORDS: usize = HOOK_SLOTS.div_ceil(64);

/// An entry of the map, found by a task's address. Tasks can share one.
// INVARIANT: while `task` is a task's address, only that task writes its own bits;
// another one that takes the entry empties `task` first. Who reads bits between two
// looks at `task` that both find its own address has read its own bits.
#[repr(C, align(8))]
pub(crate) struct Settled {
    /// The task's address; 0: nothing is settled.
    task: u64,
    /// 1 while a task writes here.
    busy: u64,
    /// The epoch of the image that allows the hooks.
    epoch: u64,
    /// A bit for each hook, by its number.
    hooks: [u64; WORDS],
}

#[inline(always)]
fn entry(task: u64) -> Option<*mut Settled> {
    const { assert!(SETTLED_ENTRIES.is_power_of_two()) };
    SETTLED.get_ptr_mut(low_half(task) >> 6 & (SETTLED_ENTRIES - 1))
}

/// Whether the acting task may do what `hook` asks about, whatever the object.
#[inline(always)]
pub(crate) fn is_allowed(hook: u32, epoch: u32) -> bool {
    let task = current() as u64;
    let Some(entry) = entry(task) else {
        return false;
    };
    // SAFETY: an entry of the map; every hook has a bit. Adding nothing orders the
    // loads before it.
    unsafe {
        (&raw const (*entry).task).read_volatile() == task
            && (&raw const (*entry).epoch).read_volatile() == u64::from(epoch)
            && (&raw const (*entry).hooks[word_of(hook)]).read_volatile() >> (hook % 64) & 1 != 0
            && atomic::add(&raw mut (*entry).task, 0) == task
    }
}

/// Remembers that it may.
#[inline(always)]
pub(crate) fn allow(hook: u32, epoch: u32) {
    let task = current() as u64;
    let Some(entry) = entry(task) else {
        return;
    };
    // SAFETY: an entry of the map; every hook has a bit. Swapping orders everything
    // around it.
    unsafe {
        if atomic::swap(&raw mut (*entry).busy, 1) != 0 {
            return;
        }
        let is_own = atomic::load(&raw const (*entry).task) == task;
        if !is_own || atomic::load(&raw const (*entry).epoch) != u64::from(epoch) {
            atomic::swap(&raw mut (*entry).task, 0);
            let mut word = 0;
            while word < WORDS {
                atomic::store(&raw mut (*entry).hooks[word], 0);
                word += 1;
            }
            atomic::store(&raw mut (*entry).epoch, u64::from(epoch));
        }
        let word = &raw mut (*entry).hooks[word_of(hook)];
        atomic::store(word, atomic::load(word) | 1 << (hook % 64));
        atomic::swap(&raw mut (*entry).task, task);
        atomic::swap(&raw mut (*entry).busy, 0);
    }
}

/// Something that it rests on changes for a task: the acting one, or one that does not
/// run yet.
#[inline(always)]
pub(crate) fn forget(task: Task) {
    let task = task as u64;
    if let Some(entry) = entry(task) {
        // SAFETY: an entry of the map.
        unsafe {
            if atomic::load(&raw const (*entry).task) == task {
                atomic::swap(&raw mut (*entry).task, 0);
            }
        }
    }
}

/// The word with a hook's bit.
#[inline(always)]
fn word_of(hook: u32) -> usize {
    const { assert!(WORDS == 2) };
    usize::from(hook >= 64)
}
