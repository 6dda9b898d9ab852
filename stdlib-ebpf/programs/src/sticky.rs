//! What sticks to a task: inherited scopes and facts about its ancestors.
//!
//! The bits are part of the task's state, under the epoch of the image that says
//! what they mean. A task has them from its parent, changes them when it executes
//! something, and takes them over from its seed when it is first seen under an image
//! that is newer than it. Only the task itself writes them (its parent before it
//! first runs); seeds are written by the runtime.

use lsmpc_abi::{
    field::FieldId,
    image::{Bits, Masks},
    state::{Seed, Seeds, Sticky, TaskState},
};
use lsmpc_engine::{
    Fault, Source, Work, decide_from,
    sticky::{ALL_UNKNOWN, executed, held, inherited, masks, subject},
};

use crate::{
    atomic,
    exe::{self, Which, fill, is_filled},
    globals::OFF_TASK_GROUP_LEADER,
    image::Image,
    maps::{SEEDS, Slot, TASK},
    settled,
    subject::{Task, current, lsmpc_subject_text, lsmpc_subject_value, storage, storage_from},
};

/// Nothing can be said of the subject.
const NOTHING_KNOWN: Masks = Masks {
    when: ALL_UNKNOWN,
    until: ALL_UNKNOWN,
    program: ALL_UNKNOWN,
};

/// The acting task's bits, if they are of this image.
#[inline(always)]
pub(crate) fn bits(epoch: u32) -> Option<Bits> {
    let state = storage(&TASK, current(), false);
    if state.is_null() || epoch == 0 {
        return None;
    }
    // SAFETY: the acting task's state.
    unsafe {
        let sticky = &raw const (*state).sticky;
        if (&raw const (*sticky).epoch).read_volatile() != epoch {
            return None;
        }
        Some((*sticky).bits)
    }
}

/// Keeps bits in a task's state.
///
/// # Safety
/// `state` must be the acting task's.
#[inline(always)]
unsafe fn keep(state: *mut TaskState, epoch: u32, bits: Bits) {
    settled::forget(current());
    // SAFETY: the caller's. A program that interrupts this one sees no epoch.
    unsafe {
        let sticky: *mut Sticky = &raw mut (*state).sticky;
        (&raw mut (*sticky).epoch).write_volatile(0);
        (&raw mut (*sticky).bits).write_volatile(bits);
        (&raw mut (*sticky).epoch).write_volatile(epoch);
    }
}

/// The acting task's thread group leader.
// VERIFIER: as in `exe::real_parent`.
#[inline(always)]
fn leader() -> Task {
    // SAFETY: a member of the current task.
    unsafe {
        current()
            .byte_add(OFF_TASK_GROUP_LEADER.get() as usize)
            .cast::<Task>()
            .read_volatile()
    }
}

/// The acting task's seeds, or null. Not every thread has its own: the runtime
/// reaches processes.
#[inline(always)]
fn seeds() -> *mut Seeds {
    let own = storage(&SEEDS, current(), false);
    if own.is_null() {
        storage(&SEEDS, leader(), false)
    } else {
        own
    }
}

/// The one of two seeds that is of an image, if one is.
///
/// # Safety
/// `seeds` must be an element of the map.
#[inline(always)]
unsafe fn seed_of(seeds: *mut Seeds, is_wanted: impl Fn(u32) -> bool) -> Option<*mut Seed> {
    // SAFETY: the caller's.
    unsafe {
        let first = &raw mut (*seeds).of[0];
        if is_wanted((*first).sticky.epoch) {
            return Some(first);
        }
        let second = &raw mut (*seeds).of[1];
        is_wanted((*second).sticky.epoch).then_some(second)
    }
}

/// Whether a task whose state begins with `now` has executed nothing since its seed
/// was made.
#[inline(always)]
fn is_same_program(seed: u64, now: u64) -> bool {
    // A state that has been filled in and not changed since counts 2.
    seed == now || (seed == 0 && now >> 8 & 0xfe == 2)
}

/// Makes the acting task's bits those of the image of the slot's epoch. 1 if the
/// subject has to be looked at, as after an exec, until they are complete.
// VERIFIER: a global function, gone through once and not for each caller.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn lsmpc_stick(slot: *mut Slot) -> u64 {
    if slot.is_null() {
        return 0;
    }
    let mut state = storage(&TASK, current(), false);
    if !is_filled(state) {
        fill(slot);
        state = storage(&TASK, current(), false);
        if !is_filled(state) {
            // Nothing sticks for certain, and nothing certainly does not.
            return 0;
        }
    }
    // SAFETY: the slot is claimed by this event; the acting task's state and seed.
    unsafe {
        let epoch = (*slot).epoch;
        if (*state).sticky.epoch == epoch {
            return 0;
        }
        let seeds = seeds();
        let seed = if seeds.is_null() {
            None
        } else {
            seed_of(seeds, |of| of == epoch)
        };
        let Some(seed) = seed else {
            keep(state, epoch, ALL_UNKNOWN);
            return 1;
        };
        keep(state, epoch, (*seed).sticky.bits);
        let now = atomic::load((&raw const (*state).exe).cast());
        u64::from(!is_same_program((*seed).exe, now))
    }
}

/// Changes the acting task's bits by the slot's masks.
#[inline(always)]
fn change(slot: *mut Slot, by: impl FnOnce(Bits, &Masks) -> Bits) {
    let state = storage(&TASK, current(), false);
    if state.is_null() {
        return;
    }
    // SAFETY: the slot is claimed by this event; the acting task's state.
    unsafe {
        let epoch = (*slot).epoch;
        if (*state).sticky.epoch == epoch {
            let bits = by((*state).sticky.bits, &(*slot).masks);
            keep(state, epoch, bits);
        }
    }
}

/// The acting task has executed something: its bits change by the slot's masks.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn lsmpc_executed(slot: *mut Slot) -> u64 {
    if !slot.is_null() {
        change(slot, executed);
    }
    0
}

/// The slot's masks have been true of the acting task.
#[inline(always)]
fn has_held(slot: *mut Slot) {
    change(slot, held);
}

/// The subject of an image: whether anything sticks to tasks under it.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    image: Image,
    pub(crate) epoch: u32,
    root: u32,
}

impl Subject {
    /// That of the image in force. Looks the slot up.
    #[inline(always)]
    pub(crate) fn current() -> Option<Self> {
        let image = Image::current()?;
        let epoch = lsmpc_engine::begin(&image, 0).ok()?.epoch;
        let root = subject(&image).ok()?;
        Some(Self { image, epoch, root })
    }

    /// Whether anything sticks.
    #[inline(always)]
    pub(crate) fn is_there(&self) -> bool {
        self.root != 0
    }

    /// The acting task is about to execute something.
    #[inline(always)]
    pub(crate) fn before_exec(&self, slot: *mut Slot) {
        // SAFETY: the slot is claimed by this event.
        unsafe { (*slot).epoch = self.epoch };
        lsmpc_stick(slot);
    }

    /// It has done so.
    #[inline(always)]
    pub(crate) fn after_exec(&self, slot: *mut Slot) {
        self.look(slot);
        lsmpc_executed(slot);
    }

    /// The acting task is about to fork: what its program adds to a child's bits.
    #[inline(always)]
    pub(crate) fn fork(&self, slot: *mut Slot) -> Bits {
        // SAFETY: the slot is claimed by this event.
        unsafe { (*slot).epoch = self.epoch };
        let stale = lsmpc_stick(slot) != 0;
        self.look(slot);
        if stale {
            lsmpc_executed(slot);
        } else {
            has_held(slot);
        }
        // SAFETY: as above.
        unsafe { (*slot).masks.program }
    }

    /// Looks at the acting task: its masks.
    #[inline(always)]
    fn look(&self, slot: *mut Slot) {
        let mut looking = Looking {
            slot,
            epoch: self.epoch,
        };
        let found = decide_from(&self.image, self.root, &mut looking)
            .and_then(|number| masks(&self.image, number));
        // SAFETY: the slot is claimed by this event.
        unsafe { (*slot).masks = found.unwrap_or(NOTHING_KNOWN) };
    }
}

/// An event's way through the subject's diagram: notes what it has come to.
#[inline(always)]
pub(crate) fn settle<M: lsmpc_engine::Memory>(
    slot: *mut Slot,
    memory: &M,
    number: u32,
) -> Result<Option<u32>, Fault> {
    // SAFETY: the slot is claimed by this event.
    unsafe {
        let after = (*slot).after;
        if after == 0 {
            return Ok(None);
        }
        (*slot).after = 0;
        (*slot).masks = masks(memory, number)?;
        lsmpc_executed(slot);
        Ok(Some(after))
    }
}

/// The acting task as the subject of nothing.
struct Looking {
    slot: *mut Slot,
    epoch: u32,
}

impl Source for Looking {
    #[inline(always)]
    fn work(&mut self) -> &mut Work {
        // SAFETY: the slot is claimed by this event, and no other reference to
        // its work is in use.
        unsafe { &mut (*self.slot).work }
    }

    #[inline(always)]
    fn value(&mut self, field: u8) {
        lsmpc_subject_value(self.slot, u64::from(field));
    }

    #[inline(always)]
    fn text(&mut self, field: u8) {
        lsmpc_subject_text(self.slot, u64::from(field));
    }

    #[inline(always)]
    fn cached_class(&mut self, field: u8) -> Option<u32> {
        exe::cached_class(current(), which(field)?, self.epoch)
    }

    #[inline(always)]
    fn keep_class(&mut self, field: u8, class: u32) {
        if let Some(which) = which(field) {
            exe::keep_class(which, self.epoch, class);
        }
    }
}

#[inline(always)]
fn which(field: u8) -> Option<Which> {
    const EXE: u8 = FieldId::Exe as u8;
    const PARENT_EXE: u8 = FieldId::ParentExe as u8;
    match field {
        EXE => Some(Which::Own),
        PARENT_EXE => Some(Which::Parent),
        _ => None,
    }
}

/// Gives the acting task's bits to a child: those of the image with that epoch, and
/// those of one that is coming. `program`: what the program adds, unless the child is
/// the acting task's sibling.
///
/// # Safety
/// `copied` must be the child's state, a copy of the acting task's.
#[inline(always)]
pub(crate) unsafe fn fork(child: Task, copied: *mut TaskState, epoch: u32, program: Option<Bits>) {
    // SAFETY: the caller's.
    unsafe {
        if (*copied).sticky.epoch == epoch
            && let Some(program) = program
        {
            (*copied).sticky.bits = inherited((*copied).sticky.bits, program);
        }
        let seeds = seeds();
        if seeds.is_null() || seed_of(seeds, |of| of > epoch).is_none() {
            return;
        }
        let given = storage_from(&SEEDS, child, seeds);
        if given.is_null() || program.is_none() {
            return;
        }
        if let Some(seed) = seed_of(given, |of| of > epoch) {
            (*seed).sticky.bits = inherited((*seed).sticky.bits, (*seed).program);
        }
    }
}

/// The acting task has begun to execute something that is not known.
///
/// # Safety
/// `state` must be the acting task's.
#[inline(always)]
pub(crate) unsafe fn forget(state: *mut TaskState) {
    // SAFETY: the caller's.
    unsafe { (&raw mut (*state).sticky.bits).write_volatile(ALL_UNKNOWN) };
}
