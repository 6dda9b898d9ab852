//! `path_rename(old_dir, old_dentry, new_dir, new_dentry, flags)`.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use lsmpc_abi::hook::HookId;

use crate::{
    event::{decide_by, previous, verdict},
    image::Image,
    maps::Arguments,
    place::{Places, two_entries},
    read::forget,
};

const HOOK: HookId = HookId::PathRename;
const RENAME_EXCHANGE: u32 = 2;

/// The verdict on one of the two files; of the second with names exchanged.
// VERIFIER: its result without a history, so that the second time is gone through
// once and not for each way that the first can end.
#[inline(always)]
fn judge(ctx: &LsmContext, image: &Image, arrange: impl Fn(&mut Arguments)) -> i32 {
    forget(decide_by::<Places, 4>(image, ctx, HOOK, arrange))
}

/// The second file is the first.
#[inline(always)]
fn exchanged(arguments: &mut Arguments) {
    two_entries(arguments);
    let [mnt, dentry, other_mnt, other, ..] = *arguments;
    arguments[0] = other_mnt;
    arguments[1] = other;
    arguments[2] = mnt;
    arguments[3] = dentry;
}

/// A file gets another name; of an exchange both files do, and both are judged.
#[lsm(hook = "path_rename")]
fn path_rename(ctx: LsmContext) -> i32 {
    let previous = previous(&ctx, HOOK);
    if previous != 0 {
        return verdict(previous);
    }
    let Some(image) = Image::current() else {
        return 0;
    };
    let flags: u32 = ctx.arg(4);
    let first = judge(&ctx, &image, two_entries);
    if flags & RENAME_EXCHANGE == 0 {
        return verdict(first);
    }
    let second = judge(&ctx, &image, exchanged);
    // The smaller errno of two denials.
    verdict(match (first, second) {
        (0, ret) | (ret, 0) => ret,
        (first, second) => first.max(second),
    })
}
