//! One event: from a hook's arguments to its verdict.

use core::marker::PhantomData;

use aya_ebpf::{helpers::generated::bpf_send_signal, programs::LsmContext};
use lsmpc_abi::{
    Presence,
    field::FieldId,
    hook::HookId,
    image::{
        OUTCOME_ALLOW, OUTCOME_KILL, OUTCOME_RECORD, OUTCOME_UNKNOWN, REF_TERMINAL, is_terminal,
    },
    state::Counter,
};
use lsmpc_engine::{Fault, Source, Work, begin, decide_from, decide_unknown, gate, outcome};

use crate::{
    exe::{self, Which},
    image::Image,
    maps::{Slot, claim_slot, count, release_slot},
    read,
    subject::{self, Task, lsmpc_subject_text, lsmpc_subject_value},
};

const EPERM: i32 = -1;
const SIGKILL: u32 = 9;

/// What the events of a hook are about. Everything is read from the hook's
/// arguments in the slot, where they are plain numbers.
pub(crate) trait Object {
    /// The hook.
    const HOOK: HookId;
    /// The object's scalar fields and addresses, for records.
    const VALUES: &'static [FieldId];
    /// Its string fields, for records.
    const TEXTS: &'static [FieldId];
    /// Whether the first argument is a task, with the fields of TARGET.
    const HAS_TARGET: bool = false;

    /// Writes a scalar field or an address into the work.
    fn value(slot: &mut Slot, field: u8);

    /// Puts a string field into the work's text buffer.
    fn text(slot: &mut Slot, field: u8) -> Presence;
}

/// [`Object`] through global functions, with a name for each hook.
// VERIFIER: they are gone through on their own, once each, and not as a part of
// the loop that calls them.
pub(crate) trait Functions: Object {
    fn call_value(slot: *mut Slot, field: u8);
    fn call_text(slot: *mut Slot, field: u8);
    fn call_record(slot: *mut Slot);
}

/// Defines the global functions of a hook.
macro_rules! functions {
    ($object:ty, $value:ident, $text:ident, $record:ident) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $value(slot: *mut $crate::maps::Slot, field: u64) -> u64 {
            // SAFETY: null or the slot claimed by this event.
            if let Some(slot) = unsafe { slot.as_mut() } {
                <$object as $crate::event::Object>::value(slot, field as u8);
            }
            0
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $text(slot: *mut $crate::maps::Slot, field: u64) -> u64 {
            // SAFETY: null or the slot claimed by this event.
            if let Some(slot) = unsafe { slot.as_mut() } {
                $crate::event::text::<$object>(slot, field as u8);
            }
            0
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $record(slot: *mut $crate::maps::Slot) -> u64 {
            // SAFETY: null or the slot claimed by this event.
            if let Some(slot) = unsafe { slot.as_mut() } {
                $crate::record::emit::<$object>(slot);
            }
            0
        }

        impl $crate::event::Functions for $object {
            #[inline(always)]
            fn call_value(slot: *mut $crate::maps::Slot, field: u8) {
                $value(slot, u64::from(field));
            }

            #[inline(always)]
            fn call_text(slot: *mut $crate::maps::Slot, field: u8) {
                $text(slot, u64::from(field));
            }

            #[inline(always)]
            fn call_record(slot: *mut $crate::maps::Slot) {
                $record(slot);
            }
        }
    };
}
pub(crate) use functions;

const EXE: u8 = FieldId::Exe as u8;
const PARENT_EXE: u8 = FieldId::ParentExe as u8;
const TARGET_EXE: u8 = FieldId::TargetExe as u8;
const LAST_SUBJECT: u8 = FieldId::ParentComm as u8;

/// Puts a string field of the object into the work, unless it is there already.
#[inline(always)]
pub(crate) fn text<O: Object>(slot: &mut Slot, field: u8) {
    put_text(slot, field, O::text);
}

/// Puts a string field into the work, unless it is there already.
#[inline(always)]
pub(crate) fn put_text(slot: &mut Slot, field: u8, text: impl FnOnce(&mut Slot, u8) -> Presence) {
    let holds = u32::from(field) + 1;
    if slot.holds == holds {
        slot.work.set_presence(Presence::Known);
        return;
    }
    slot.holds = 0;
    let presence = text(slot, field);
    slot.work.set_presence(presence);
    if presence == Presence::Known {
        slot.holds = holds;
    }
}

/// An event under way.
struct Event<O> {
    slot: *mut Slot,
    /// The image's.
    epoch: u32,
    /// The target, where there is one.
    target: Task,
    object: PhantomData<O>,
}

impl<O: Functions> Source for Event<O> {
    #[inline(always)]
    fn work(&mut self) -> &mut Work {
        // SAFETY: the slot is claimed by this event, and no other reference to
        // its work is in use.
        unsafe { &mut (*self.slot).work }
    }

    #[inline(always)]
    fn value(&mut self, field: u8) {
        if field <= LAST_SUBJECT {
            lsmpc_subject_value(self.slot, u64::from(field));
        } else {
            O::call_value(self.slot, field);
        }
    }

    #[inline(always)]
    fn text(&mut self, field: u8) {
        if field <= LAST_SUBJECT {
            lsmpc_subject_text(self.slot, u64::from(field));
            return;
        }
        if O::HAS_TARGET && field == TARGET_EXE {
            exe::fetch(self.slot, self.target);
        }
        O::call_text(self.slot, field);
    }

    #[inline(always)]
    fn cached_class(&mut self, field: u8) -> Option<u32> {
        cached_class::<O>(field, self.epoch, self.target)
    }

    #[inline(always)]
    fn keep_class(&mut self, field: u8, class: u32) {
        match field {
            EXE => exe::keep_class(Which::Own, self.epoch, class),
            PARENT_EXE => exe::keep_class(Which::Parent, self.epoch, class),
            // Only a task itself writes its state.
            _ => {}
        }
    }
}

#[inline(always)]
fn cached_class<O: Object>(field: u8, epoch: u32, target: Task) -> Option<u32> {
    let (task, which) = match field {
        EXE => (subject::current(), Which::Own),
        PARENT_EXE => (subject::current(), Which::Parent),
        TARGET_EXE if O::HAS_TARGET => (target, Which::Own),
        _ => return None,
    };
    exe::cached_class(task, which, epoch)
}

/// The verdict on an event whose hook has `ARGUMENTS` arguments and then the
/// previous verdict.
#[inline(always)]
pub(crate) fn decide<O: Functions, const ARGUMENTS: usize>(ctx: &LsmContext) -> i32 {
    // A denial by another module stands.
    let previous: i32 = ctx.arg(ARGUMENTS);
    if previous != 0 {
        return verdict(previous);
    }
    match Image::current() {
        Some(image) => decide_by::<O, ARGUMENTS>(&image, ctx, |_| {}),
        None => 0,
    }
}

/// The verdict of one image. `arrange` may change the arguments.
#[inline(always)]
pub(crate) fn decide_by<O: Functions, const ARGUMENTS: usize>(
    image: &Image,
    ctx: &LsmContext,
    arrange: impl Fn(&mut Slot),
) -> i32 {
    let begun = begin(image, O::HOOK as u16);
    if let Ok((_, start)) = begun
        && start == REF_TERMINAL | OUTCOME_ALLOW
    {
        return 0;
    }
    let ret = match evaluate::<O, ARGUMENTS>(image, begun, ctx, arrange) {
        Ok(ret) => ret,
        Err(_) => {
            count(Counter::Fault);
            EPERM
        }
    };
    verdict(ret)
}

#[inline(always)]
fn evaluate<O: Functions, const ARGUMENTS: usize>(
    image: &Image,
    begun: Result<(u32, u32), Fault>,
    ctx: &LsmContext,
    arrange: impl Fn(&mut Slot),
) -> Result<i32, Fault> {
    let target: Task = if O::HAS_TARGET {
        ctx.arg(0)
    } else {
        core::ptr::null_mut()
    };
    let (epoch, start) = begun?;
    // What the subject alone decides needs no buffer.
    let start = gate(image, start, |field| {
        cached_class::<O>(field, epoch, target)
    })?;
    if start == REF_TERMINAL | OUTCOME_ALLOW {
        return Ok(0);
    }
    let Some(slot) = claim_slot() else {
        return without_slot(image, start);
    };
    // SAFETY: claimed; a slot has room for the arguments of every hook.
    unsafe {
        read::arguments::<ARGUMENTS>(ctx, (&raw mut (*slot).arguments).cast());
        arrange(&mut *slot);
    }
    let mut event = Event::<O> {
        slot,
        epoch,
        target,
        object: PhantomData,
    };
    let decided = decide_from(image, start, &mut event);
    #[cfg(feature = "variant-two-lookups")]
    let (image, decided) = &again(image, &mut event, decided);
    #[cfg(feature = "variant-two-lookups")]
    let decided = *decided;
    let ret = decided.and_then(|number| conclude::<O>(image, &event, number));
    release_slot(slot);
    ret
}

/// What the broken variant does: the decision is one image's, its outcome the one
/// of whatever image is in force by then.
#[cfg(feature = "variant-two-lookups")]
#[inline(always)]
fn again<O: Object>(
    image: &Image,
    event: &mut Event<O>,
    decided: Result<u32, Fault>,
) -> (Image, Result<u32, Fault>) {
    let Some(other) = Image::current() else {
        return (*image, decided);
    };
    match begin(&other, O::HOOK as u16) {
        Ok((epoch, _)) => event.epoch = epoch,
        Err(fault) => return (other, Err(fault)),
    }
    (other, decided)
}

/// The verdict where no buffer is free: whatever was not looked at is unknown.
#[inline(always)]
fn without_slot(image: &Image, start: u32) -> Result<i32, Fault> {
    let number = if is_terminal(start) {
        start & !REF_TERMINAL
    } else {
        decide_unknown(image, start)?
    };
    let outcome = outcome(image, number)?;
    if outcome.flags & OUTCOME_UNKNOWN != 0 {
        count(Counter::Unknown);
    }
    if outcome.flags & OUTCOME_KILL != 0 {
        kill();
    }
    if outcome.flags & OUTCOME_RECORD != 0 {
        count(Counter::LostBusy);
    }
    Ok(outcome.ret)
}

/// Does what the outcome says; the verdict.
#[inline(always)]
fn conclude<O: Functions>(image: &Image, event: &Event<O>, number: u32) -> Result<i32, Fault> {
    if number == OUTCOME_ALLOW {
        return Ok(0);
    }
    let outcome = outcome(image, number)?;
    if outcome.flags & OUTCOME_UNKNOWN != 0 {
        count(Counter::Unknown);
    }
    if outcome.flags & OUTCOME_KILL != 0 {
        kill();
    }
    if outcome.flags & OUTCOME_RECORD != 0 {
        let slot = event.slot;
        // SAFETY: the slot is claimed by this event.
        unsafe {
            (*slot).epoch = event.epoch;
            (*slot).number = number;
            (*slot).ret = outcome.ret;
            (*slot).flags = outcome.flags;
            (*slot).rate = outcome.rate;
        }
        if O::HAS_TARGET {
            exe::fetch(slot, event.target);
        }
        O::call_record(slot);
    }
    Ok(outcome.ret)
}

#[inline(always)]
fn kill() {
    // SAFETY: no memory.
    unsafe { bpf_send_signal(SIGKILL) };
}

/// What a hook may return: 0 or a negative errno.
// VERIFIER: (6.12) wants the range proven, and does not follow a negation.
#[inline(always)]
pub(crate) fn verdict(ret: i32) -> i32 {
    let mut bounded = i64::from(ret);
    // SAFETY: arithmetic on one register.
    unsafe {
        core::arch::asm!(
            "if {0} s> 0 goto +1",
            "if {0} s> -4096 goto +1",
            "{0} = -1",
            inout(reg) bounded,
            options(pure, nomem, nostack),
        );
    }
    bounded as i32
}
