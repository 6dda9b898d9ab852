//! One event: from a hook's arguments to its verdict.

use core::{ffi::c_void, marker::PhantomData};

use aya_ebpf::{EbpfContext as _, helpers::generated::bpf_send_signal, programs::LsmContext};
use lsmpc_abi::{
    Presence,
    field::FieldId,
    hook::HookId,
    image::{
        OUTCOME_ALLOW, OUTCOME_KILL, OUTCOME_RECORD, OUTCOME_UNKNOWN, REF_TERMINAL, is_terminal,
    },
    state::Counter,
};
use lsmpc_engine::{
    Begun, Fault, Memory, Source, Work, begin, decide_from, decide_unknown, outcome,
};

use crate::{
    directory::{self, Spelling, lsmpc_remember},
    exe::{self, Which},
    gate::{self, EXE, PARENT_EXE, TARGET_EXE, by_subject, cached_class},
    globals::{self, OFF_BPRM_FILE, OFF_FILE_PATH, OFF_PATH_DENTRY, OFF_PATH_MNT},
    image::Image,
    kind::{Functions, Kind},
    maps::{Arguments, Page, Rests, Slot, claim_slot, count, release_slot},
    read::{self, load, unknown},
    settled,
    sticky::{self, lsmpc_stick},
    subject::{Task, lsmpc_subject_text, lsmpc_subject_value},
};

const EPERM: i32 = -1;
const SIGKILL: u32 = 9;

const PATH: u8 = FieldId::Path as u8;
pub(crate) const LAST_SUBJECT: u8 = FieldId::ParentComm as u8;
const STICKY: u8 = FieldId::Sticky as u8;
const UID: u8 = FieldId::Uid as u8;
const GID: u8 = FieldId::Gid as u8;
const EUID: u8 = FieldId::Euid as u8;
const EGID: u8 = FieldId::Egid as u8;

/// Puts a string field of the object into the work, unless it is there already.
#[inline(always)]
pub(crate) fn text<K: Kind>(slot: &mut Slot, field: u8) {
    put_text(slot, field, K::text);
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
struct Event<K> {
    slot: *mut Slot,
    /// The image's.
    epoch: u32,
    /// The target, where there is one.
    target: Task,
    kind: PhantomData<K>,
}

impl<K> Event<K> {
    /// Notes what the decision rests on.
    #[inline(always)]
    fn note(&mut self, on: u32) {
        // SAFETY: the slot is claimed by this event.
        unsafe { (*self.slot).rests |= on };
    }
}

impl<K: Functions> Source for Event<K> {
    #[inline(always)]
    fn work(&mut self) -> &mut Work {
        // SAFETY: the slot is claimed by this event, and no other reference to
        // its work is in use.
        unsafe { &mut (*self.slot).work }
    }

    #[inline(always)]
    fn value(&mut self, field: u8) {
        let is_id = matches!(field, UID | GID | EUID | EGID);
        self.note(if is_id { Rests::IDS } else { Rests::MORE });
        if field <= LAST_SUBJECT || field == STICKY {
            lsmpc_subject_value(self.slot, u64::from(field));
        } else {
            K::call_value(self.slot, field);
        }
    }

    #[inline(always)]
    fn text(&mut self, field: u8) {
        if field != EXE && field != PARENT_EXE {
            self.note(Rests::MORE);
        }
        if field <= LAST_SUBJECT {
            lsmpc_subject_text(self.slot, u64::from(field));
            return;
        }
        if K::HAS_TARGET && field == TARGET_EXE {
            exe::fetch(self.slot, self.target);
        }
        K::call_text(self.slot, field);
    }

    #[inline(always)]
    fn cached_class(&mut self, field: u8) -> Option<u32> {
        cached_class(field, self.epoch, self.target)
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

    #[inline(always)]
    fn settled<M: Memory>(&mut self, memory: &M, number: u32) -> Result<Option<u32>, Fault> {
        sticky::settle(self.slot, memory, number)
    }
}

/// The verdict on an event. `arrange` puts the arguments in the kind's order.
#[inline(always)]
pub(crate) fn decide<K: Functions, const ARGUMENTS: usize>(
    ctx: &LsmContext,
    hook: HookId,
    arrange: impl Fn(&mut Arguments),
) -> i32 {
    // A denial by another module stands.
    let previous = previous(ctx, hook);
    if previous != 0 {
        return verdict(previous);
    }
    match Image::current() {
        Some(image) => decide_by::<K, ARGUMENTS>(&image, ctx, hook, arrange),
        None => 0,
    }
}

/// What the modules before this one say: the kernel passes it after the hook's
/// own arguments, of which there are more or fewer from kernel to kernel.
// VERIFIER: the number is known to it, only one of the loads is gone through. Each
// is from the context at an offset of its own: LLVM would compute an address.
// VERIFIER: in Linux 6.19.14 (6.1, 6.12.117 and 7.3.4 have it right) the range of
// this argument is what was known of the register before it was loaded, narrowed to
// what a hook can return: loaded into one that holds -1, it is a denial, and all that
// follows is dropped as dead. What the difference of two pointers is, is not known.
#[inline(always)]
pub(crate) fn previous(ctx: &LsmContext, hook: HookId) -> i32 {
    macro_rules! argument {
        ($offset:literal) => {{
            let value: u64;
            // SAFETY: the verifier accepts it only where there is such an argument.
            unsafe {
                core::arch::asm!(
                    "{0} = r10",
                    "{0} -= r10",
                    "{0} = *(u64 *)({1} + {2})",
                    out(reg) value, in(reg) ctx.as_ptr(), const $offset,
                    options(readonly, nostack),
                );
            }
            value as i32
        }};
    }
    match globals::arguments_of(hook) {
        0 => argument!(0),
        1 => argument!(8),
        2 => argument!(16),
        3 => argument!(24),
        4 => argument!(32),
        5 => argument!(40),
        6 => argument!(48),
        // No hook has more.
        _ => EPERM,
    }
}

/// The verdict of one image.
#[inline(always)]
pub(crate) fn decide_by<K: Functions, const ARGUMENTS: usize>(
    image: &Image,
    ctx: &LsmContext,
    hook: HookId,
    arrange: impl Fn(&mut Arguments),
) -> i32 {
    verdict(enter::<K, ARGUMENTS>(image, ctx, hook, arrange))
}

/// What becomes of an event that the tables cannot decide.
#[inline(always)]
fn fault() -> i32 {
    count(Counter::Fault);
    EPERM
}

#[inline(always)]
fn enter<K: Functions, const ARGUMENTS: usize>(
    image: &Image,
    ctx: &LsmContext,
    hook: HookId,
    arrange: impl Fn(&mut Arguments),
) -> i32 {
    let target: Task = if K::HAS_TARGET {
        ctx.arg(0)
    } else {
        core::ptr::null_mut()
    };
    let Ok(Begun {
        header,
        epoch,
        start,
    }) = begin(image, hook as u16)
    else {
        return fault();
    };
    if start == REF_TERMINAL | OUTCOME_ALLOW {
        return 0;
    }
    let mut gated = settled::leads(hook as u32, epoch);
    if gated == settled::ALLOWED {
        return 0;
    }
    if gated == settled::NOTHING {
        gated = by_subject(image, hook as u32, epoch, start, target);
        if gated == gate::FAULT {
            return fault();
        }
    }
    // VERIFIER: else it goes through what follows once for each of the two ways here.
    let gated = unknown(gated);
    let start = gated as u32;
    if start == REF_TERMINAL | OUTCOME_ALLOW {
        return 0;
    }
    let mut event = Pending {
        header,
        // VERIFIER: no two are the same byte throughout: LLVM would call a function that
        // fills them by bytes.
        changes: u64::MAX,
        allowed: directory::NOTHING,
        version: 1,
        answer: 0,
        epoch,
        classifier: (gated >> 32) as u32,
        start,
        end: 0,
    };
    let located = if event.classifier == 0 {
        None
    } else {
        place(ctx, hook)
    };
    if let Some((dentry, mnt)) = located {
        event.answer = directory::ask(image, &mut event, dentry, mnt);
        if event.answer == directory::ALLOWS {
            return 0;
        }
    }
    if has_place(hook) {
        // VERIFIER: else it goes through all that follows once for each answer.
        event.answer = unknown(event.answer.into()) as u32;
        event.end = unknown(event.end.into()) as u32;
    }
    let slot = admit(hook as u32, epoch);
    if slot.is_null() {
        return without_slot(image, event.start);
    }
    // SAFETY: claimed; a slot has room for the arguments of every hook.
    unsafe {
        if ARGUMENTS == 1 && has_place(hook) {
            (*slot).arguments[0] = ctx.arg::<*const c_void>(0) as u64;
        } else {
            read::arguments::<ARGUMENTS>(ctx, (&raw mut (*slot).arguments).cast());
        }
        arrange(&mut (*slot).arguments);
    }
    let has_place = has_place(hook);
    if event.end != 0
        && let Some((dentry, mnt)) = place(ctx, hook)
    {
        let mut spelled = directory::spell(slot, &event, dentry, mnt);
        if spelled == Spelling::Not {
            K::call_text(slot, PATH);
            // SAFETY: claimed.
            if unsafe { directory::is_as_then(&*slot, event.changes) } {
                spelled = Spelling::New;
            }
        }
        if spelled != Spelling::Not {
            event.start = event.end;
        }
        if spelled == Spelling::New && event.answer == directory::ENDS_AS_KNOWN {
            directory::keep_spelled(slot, &event, dentry);
        }
    }
    let ret = evaluate::<K>(image, slot, event.start, target);
    if has_place && ret == 0 && event.answer == directory::NOT_KNOWN {
        lsmpc_remember(slot);
    }
    // SAFETY: claimed.
    if !K::HAS_TARGET && ret == 0 && unsafe { (*slot).flags == 0 && (*slot).rests == Rests::IDS } {
        settled::allow(hook as u32, epoch, settled::WITH_THESE_IDS);
    }
    // SAFETY: claimed.
    // VERIFIER: here and not where it is decided: no more than eight calls may be
    // nested.
    if unsafe { (*slot).flags } & OUTCOME_RECORD != 0 {
        if K::HAS_TARGET {
            exe::fetch(slot, target);
        }
        K::look(ctx, hook as u32, slot);
        K::call_record(slot);
    }
    release_slot(slot);
    ret
}

/// Whether [`place`] has one.
#[inline(always)]
const fn has_place(hook: HookId) -> bool {
    matches!(
        hook,
        HookId::FileOpen | HookId::InodeGetattr | HookId::BprmCheckSecurity
    )
}

/// The dentry of what a hook's path is that of, and the mount, as typed pointers.
#[inline(always)]
fn place(ctx: &LsmContext, hook: HookId) -> Option<(*const c_void, *const c_void)> {
    if !has_place(hook) {
        return None;
    }
    let first: *const c_void = ctx.arg(0);
    // SAFETY: the hook's argument, and what it leads to.
    unsafe {
        let (holder, path) = match hook {
            HookId::InodeGetattr => (first, 0),
            HookId::BprmCheckSecurity => {
                let file = load(first, OFF_BPRM_FILE.get());
                (file, OFF_FILE_PATH.get())
            }
            _ => (first, OFF_FILE_PATH.get()),
        };
        let dentry = load(holder, path + OFF_PATH_DENTRY.get());
        let mnt = load(holder, path + OFF_PATH_MNT.get());
        Some((dentry, mnt))
    }
}

/// An event that has to be looked at.
pub(crate) struct Pending<'m> {
    /// The image's first page.
    pub(crate) header: &'m Page,
    /// Of a path that is known: what both locks counted then.
    pub(crate) changes: u64,
    /// What the entry of its directory says is allowed.
    pub(crate) allowed: u64,
    /// That entry's.
    pub(crate) version: u32,
    /// What [`directory::ask`] said.
    pub(crate) answer: u32,
    /// The image's.
    pub(crate) epoch: u32,
    /// The path classifier of the node that asks for the path; 0: it asks for another field.
    pub(crate) classifier: u32,
    /// From where on it is to be decided.
    pub(crate) start: u32,
    /// Where that ends, if the path that is known is all there is to it; else 0.
    pub(crate) end: u32,
}

/// Claims a slot; null where none is free.
// VERIFIER: one copy for all hooks, as the object's size goes.
#[inline(never)]
fn admit(hook: u32, epoch: u32) -> *mut Slot {
    let Some(slot) = claim_slot() else {
        return core::ptr::null_mut();
    };
    // SAFETY: claimed.
    unsafe {
        (*slot).hook = hook;
        (*slot).epoch = epoch;
        (*slot).flags = 0;
        (*slot).rests = 0;
    }
    slot
}

/// The verdict where no slot is free.
// VERIFIER: one copy for all hooks, as the object's size goes.
#[inline(never)]
fn without_slot(image: &Image, start: u32) -> i32 {
    decide_without(image, start).unwrap_or_else(|_| fault())
}

/// Decides an event from the ref `start` on.
// VERIFIER: one copy for all hooks of a kind, as the object's size goes.
#[inline(never)]
fn evaluate<K: Functions>(image: &Image, slot: *mut Slot, start: u32, target: Task) -> i32 {
    let mut event = Event::<K> {
        slot,
        // SAFETY: the slot is claimed by this event.
        epoch: unsafe { (*slot).epoch },
        target,
        kind: PhantomData,
    };
    let decided =
        with_subject(image, slot, start).and_then(|start| decide_from(image, start, &mut event));
    #[cfg(feature = "variant-two-lookups")]
    let (image, decided) = &again(image, &mut event, decided);
    #[cfg(feature = "variant-two-lookups")]
    let decided = *decided;
    match decided.and_then(|number| conclude::<K>(image, &event, number)) {
        Ok(ret) => ret,
        Err(_) => fault(),
    }
}

/// Where the evaluation starts: at the subject's diagram, if the image is newer than
/// what sticks to the acting task.
#[inline(always)]
fn with_subject(image: &Image, slot: *mut Slot, start: u32) -> Result<u32, Fault> {
    let subject = lsmpc_engine::sticky::subject(image)?;
    if subject == 0 || is_terminal(start) || lsmpc_stick(slot) == 0 {
        return Ok(start);
    }
    // SAFETY: the slot is claimed by this event.
    unsafe { (*slot).after = start };
    Ok(subject)
}

/// What the broken variant does: the decision is one image's, its outcome the one
/// of whatever image is in force by then.
#[cfg(feature = "variant-two-lookups")]
#[inline(always)]
fn again<K: Kind>(
    image: &Image,
    event: &mut Event<K>,
    decided: Result<u32, Fault>,
) -> (Image, Result<u32, Fault>) {
    let Some(other) = Image::current() else {
        return (*image, decided);
    };
    // SAFETY: the slot is claimed by this event.
    let hook = unsafe { (*event.slot).hook };
    match begin(&other, hook as u16) {
        Ok(begun) => event.epoch = begun.epoch,
        Err(fault) => return (other, Err(fault)),
    }
    (other, decided)
}

/// Whatever was not looked at is unknown.
#[inline(always)]
fn decide_without(image: &Image, start: u32) -> Result<i32, Fault> {
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

/// Does what the outcome says, but for the record, and notes that; the verdict.
#[inline(always)]
fn conclude<K: Kind>(image: &Image, event: &Event<K>, number: u32) -> Result<i32, Fault> {
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
    let slot = event.slot;
    // SAFETY: the slot is claimed by this event.
    unsafe {
        (*slot).epoch = event.epoch;
        (*slot).number = number;
        (*slot).ret = outcome.ret;
        (*slot).flags = outcome.flags;
        (*slot).rate = outcome.rate;
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
