//! How far the subject alone leads, before anything is looked at.
//!
//! Owns what is taken for the subject there: classes of programs that are kept, and what
//! sticks to the task. Must not know the object, nor claim a slot.

use core::cell::Cell;

use lsmpc_abi::{
    field::FieldId,
    image::{OUTCOME_ALLOW, REF_TERMINAL},
};
use lsmpc_engine::gate;

use crate::{
    exe::{self, Which},
    image::Image,
    settled, sticky,
    subject::{self, Task},
};

pub(crate) const EXE: u8 = FieldId::Exe as u8;
pub(crate) const PARENT_EXE: u8 = FieldId::ParentExe as u8;
pub(crate) const TARGET_EXE: u8 = FieldId::TargetExe as u8;
/// The image is invalid.
pub(crate) const FAULT: u64 = u64::MAX;

/// Goes on from the ref `start` as far as the subject alone leads; the high half is the
/// classifier if the path is asked for there. [`FAULT`] if the image is invalid.
// VERIFIER: one copy for all hooks, as the object's size goes.
#[inline(never)]
pub(crate) fn by_subject(image: &Image, hook: u32, epoch: u32, start: u32, target: Task) -> u64 {
    // The same for all further events of the task: nothing else was looked at, and nothing
    // was not to be had.
    let is_settled = Cell::new(true);
    let end = gate(
        image,
        start,
        |field| {
            let class = cached_class(field, epoch, target);
            if field == TARGET_EXE || (class.is_none() && is_kept(field)) {
                is_settled.set(false);
            }
            class
        },
        || {
            let bits = sticky::bits(epoch);
            if bits.is_none() {
                is_settled.set(false);
            }
            bits
        },
    );
    match end {
        Ok(end) => {
            let leads = u64::from(end.path_classifier) << 32 | u64::from(end.reference);
            if is_settled.get() {
                if end.reference == REF_TERMINAL | OUTCOME_ALLOW {
                    settled::allow(hook, epoch, settled::ALWAYS);
                } else {
                    settled::lead(hook, epoch, leads);
                }
            }
            leads
        }
        Err(_) => FAULT,
    }
}

/// Whether the class of a field is kept in a task's state.
#[inline(always)]
const fn is_kept(field: u8) -> bool {
    matches!(field, EXE | PARENT_EXE | TARGET_EXE)
}

/// `target` is null where there is none.
#[inline(always)]
pub(crate) fn cached_class(field: u8, epoch: u32, target: Task) -> Option<u32> {
    let (task, which) = match field {
        EXE => (subject::current(), Which::Own),
        PARENT_EXE => (subject::current(), Which::Parent),
        TARGET_EXE if !target.is_null() => (target, Which::Own),
        _ => return None,
    };
    exe::cached_class(task, which, epoch)
}
