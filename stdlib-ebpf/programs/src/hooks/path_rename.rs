//! `path_rename(old_dir, old_dentry, new_dir, new_dentry, flags)`.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext as _, macros::lsm, programs::LsmContext};
use lsmpc_abi::{Presence, field::FieldId, hook::HookId};

use crate::{
    event::{Object, decide_by, functions, verdict},
    file::{self, Entry},
    image::Image,
    maps::Slot,
    read::forget,
};

const RENAME_EXCHANGE: u32 = 2;

struct Rename;

#[inline(always)]
fn old(slot: &Slot) -> Entry {
    Entry {
        directory: slot.arguments[0],
        dentry: slot.arguments[1],
    }
}

#[inline(always)]
fn new(slot: &Slot) -> Entry {
    Entry {
        directory: slot.arguments[2],
        dentry: slot.arguments[3],
    }
}

impl Object for Rename {
    const HOOK: HookId = HookId::PathRename;
    const VALUES: &'static [FieldId] = &file::VALUES;
    const TEXTS: &'static [FieldId] = &[FieldId::NewPath, FieldId::Path, FieldId::Fs];

    #[inline(always)]
    fn value(slot: &mut Slot, field: u8) {
        file::value(slot, &old(slot), field);
    }

    #[inline(always)]
    fn text(slot: &mut Slot, field: u8) -> Presence {
        if field == FieldId::NewPath as u8 {
            file::text(&new(slot), FieldId::Path as u8, slot)
        } else {
            file::text(&old(slot), field, slot)
        }
    }
}

functions!(
    Rename,
    path_rename_value,
    path_rename_text,
    path_rename_record
);

/// The verdict on one of the two files; of the second with names exchanged.
// VERIFIER: apart, and its result without a history, so that the second time is
// gone through once and not for each way that the first can end.
#[inline(never)]
fn judge(ctx: *mut c_void, image: &Image, second: u64) -> i64 {
    let ctx = LsmContext::new(ctx);
    let ret = decide_by::<Rename, 5>(image, &ctx, |slot| {
        if second != 0 {
            let [old_dir, old, new_dir, new, ..] = slot.arguments;
            slot.arguments[0] = new_dir;
            slot.arguments[1] = new;
            slot.arguments[2] = old_dir;
            slot.arguments[3] = old;
        }
    });
    forget(i64::from(ret))
}

/// A file gets another name; of an exchange both files do, and both are judged.
#[lsm(hook = "path_rename")]
fn path_rename(ctx: LsmContext) -> i32 {
    let previous: i32 = ctx.arg(5);
    if previous != 0 {
        return verdict(previous);
    }
    let Some(image) = Image::current() else {
        return 0;
    };
    let flags: u32 = ctx.arg(4);
    let first = judge(ctx.as_ptr(), &image, 0) as i32;
    if flags & RENAME_EXCHANGE == 0 {
        return verdict(first);
    }
    let second = judge(ctx.as_ptr(), &image, 1) as i32;
    // The smaller errno of two denials.
    verdict(match (first, second) {
        (0, ret) | (ret, 0) => ret,
        (first, second) => first.max(second),
    })
}
