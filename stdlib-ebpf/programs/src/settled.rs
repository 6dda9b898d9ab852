//! What a task's subject alone leads to, remembered: the next such event costs a
//! comparison and a bit, or a word where it is not allowed there and then.
//!
//! What it rests on changes only where this is forgotten: the task's program and its
//! parent's, what sticks to the task, and the image, by its epoch. Task storage would
//! be exact, too, but takes as long as all the rest of such an event.
//!
//! Where it rests on the task's ids besides, these are kept, and compared each time: they
//! change in many places.

use core::ffi::c_void;

use lsmpc_abi::{hook::HOOK_SLOTS, maps::SETTLED_ENTRIES};
use lsmpc_engine::bits::bound;

use crate::{
    atomic,
    globals::{OFF_CRED_EGID, OFF_CRED_EUID, OFF_CRED_GID, OFF_CRED_UID, OFF_TASK_CRED},
    maps::SETTLED,
    read::{load, low_half},
    subject::{Task, current},
};

const WORDS: usize = HOOK_SLOTS.div_ceil(64);
/// Hooks of a task for which it is remembered where the subject leads; a power of two.
const GATES: usize = 8;

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
    /// The same for hooks that allow this task while it has the ids below.
    hooks_by_ids: [u64; WORDS],
    /// The ids: of its user and group, and the effective ones.
    ids: [u64; 2],
    /// Where the subject leads, for one hook of those that share a place.
    gates: [Gate; GATES],
}

/// Where the subject leads.
#[repr(C, align(8))]
struct Gate {
    /// One more than the hook's number; 0: not known.
    hook: u64,
    /// The ref, and in the high half the path's classifier, if that is asked for there.
    leads: u64,
}

/// What is remembered: nothing.
pub(crate) const NOTHING: u64 = 0;
/// The hook allows the task whatever the object.
pub(crate) const ALLOWED: u64 = u64::MAX;

/// What an answer rests on: on nothing that is not noticed.
pub(crate) const ALWAYS: u32 = 0;
/// On the task's ids, too.
pub(crate) const WITH_THESE_IDS: u32 = 1;

/// The acting task's ids.
#[inline(always)]
fn ids() -> [u64; 2] {
    // SAFETY: a member of the current task.
    let credentials: *const c_void = unsafe { load(current(), OFF_TASK_CRED.get()) };
    let id = |offset: u64| -> u64 {
        // SAFETY: a member of its credentials.
        unsafe { load::<u32>(credentials, offset).into() }
    };
    [
        id(OFF_CRED_UID.get()) << 32 | id(OFF_CRED_GID.get()),
        id(OFF_CRED_EUID.get()) << 32 | id(OFF_CRED_EGID.get()),
    ]
}

#[inline(always)]
fn entry(task: u64) -> Option<*mut Settled> {
    const { assert!(SETTLED_ENTRIES.is_power_of_two()) };
    SETTLED.get_ptr_mut(low_half(task) >> 6 & (SETTLED_ENTRIES - 1))
}

/// Where the acting task's subject leads at a hook; [`ALLOWED`], or [`NOTHING`].
#[inline(always)]
pub(crate) fn leads(hook: u32, epoch: u32) -> u64 {
    let task = current() as u64;
    let Some(entry) = entry(task) else {
        return NOTHING;
    };
    // SAFETY: an entry of the map; every hook has a bit and a place. Adding nothing orders
    // the loads before it.
    unsafe {
        if atomic::load(&raw const (*entry).task) != task
            || atomic::load(&raw const (*entry).epoch) != u64::from(epoch)
        {
            return NOTHING;
        }
        let bit = |word: *const u64| atomic::load(word) >> (hook % 64) & 1 != 0;
        let leads = if bit(&raw const (*entry).hooks[word_of(hook)]) {
            ALLOWED
        } else if bit(&raw const (*entry).hooks_by_ids[word_of(hook)]) && has_ids(entry) {
            return ALLOWED;
        } else {
            let gate = gate(entry, hook);
            if atomic::load(&raw const (*gate).hook) != u64::from(hook) + 1 {
                return NOTHING;
            }
            atomic::load(&raw const (*gate).leads)
        };
        if atomic::add(&raw mut (*entry).task, 0) == task {
            leads
        } else {
            NOTHING
        }
    }
}

/// Whether an entry is the acting task's, and has its ids.
// VERIFIER: one copy for all hooks, as the object's size goes.
#[inline(never)]
fn has_ids(entry: *mut Settled) -> bool {
    let task = current() as u64;
    let [real, effective] = ids();
    // SAFETY: an entry of the map. Adding nothing orders the loads before it.
    unsafe {
        atomic::load(&raw const (*entry).ids[0]) == real
            && atomic::load(&raw const (*entry).ids[1]) == effective
            && atomic::add(&raw mut (*entry).task, 0) == task
    }
}

/// Remembers that it may: `rests` is [`ALWAYS`] or [`WITH_THESE_IDS`].
#[inline(always)]
pub(crate) fn allow(hook: u32, epoch: u32, rests: u32) {
    keep(hook, epoch, rests, ALLOWED);
}

/// Remembers where the subject leads; that rests on nothing that is not noticed.
#[inline(always)]
pub(crate) fn lead(hook: u32, epoch: u32, leads: u64) {
    keep(hook, epoch, ALWAYS, leads);
}

#[inline(never)]
fn keep(hook: u32, epoch: u32, rests: u32, leads: u64) {
    let task = current() as u64;
    let Some(entry) = entry(task) else {
        return;
    };
    // SAFETY: an entry of the map; every hook has a bit and a place. Swapping orders
    // everything around it.
    unsafe {
        if atomic::swap(&raw mut (*entry).busy, 1) != 0 {
            return;
        }
        let ids = ids();
        let is_own = atomic::load(&raw const (*entry).task) == task;
        let is_new = !is_own || atomic::load(&raw const (*entry).epoch) != u64::from(epoch);
        if is_new {
            atomic::swap(&raw mut (*entry).task, 0);
            clear(&raw mut (*entry).hooks);
            let mut place = 0;
            while place < GATES {
                atomic::store(&raw mut (*entry).gates[place].hook, 0);
                place += 1;
            }
            atomic::store(&raw mut (*entry).epoch, u64::from(epoch));
        }
        let had_others = atomic::load(&raw const (*entry).ids[0]) != ids[0]
            || atomic::load(&raw const (*entry).ids[1]) != ids[1];
        if is_new || (had_others && rests == WITH_THESE_IDS) {
            atomic::swap(&raw mut (*entry).task, 0);
            clear(&raw mut (*entry).hooks_by_ids);
            atomic::store(&raw mut (*entry).ids[0], ids[0]);
            atomic::store(&raw mut (*entry).ids[1], ids[1]);
        }
        if leads == ALLOWED {
            let word = if rests == WITH_THESE_IDS {
                &raw mut (*entry).hooks_by_ids[word_of(hook)]
            } else {
                &raw mut (*entry).hooks[word_of(hook)]
            };
            atomic::store(word, atomic::load(word) | 1 << (hook % 64));
        } else {
            atomic::swap(&raw mut (*entry).task, 0);
            let gate = gate(entry, hook);
            atomic::store(&raw mut (*gate).hook, u64::from(hook) + 1);
            atomic::store(&raw mut (*gate).leads, leads);
        }
        atomic::swap(&raw mut (*entry).task, task);
        atomic::swap(&raw mut (*entry).busy, 0);
    }
}

/// Empties a set of hooks.
///
/// # Safety
/// `hooks` must be an entry's.
#[inline(always)]
unsafe fn clear(hooks: *mut [u64; WORDS]) {
    let mut word = 0;
    while word < WORDS {
        // SAFETY: the caller's.
        unsafe { atomic::store(&raw mut (*hooks)[word], 0) };
        word += 1;
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

/// The place for a hook.
///
/// # Safety
/// `entry` must be an entry of the map.
#[inline(always)]
unsafe fn gate(entry: *mut Settled, hook: u32) -> *mut Gate {
    const { assert!(GATES.is_power_of_two()) };
    let place = bound::<{ GATES as u64 - 1 }>(u64::from(hook)) as usize;
    // SAFETY: the caller's.
    unsafe { (&raw mut (*entry).gates).cast::<Gate>().add(place) }
}
