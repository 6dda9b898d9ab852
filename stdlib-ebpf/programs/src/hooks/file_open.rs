//! `file_open(file)`.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use lsmpc_abi::{Presence, field::FieldId, hook::HookId, kernel::access};

use crate::{
    event::{Object, decide, functions},
    file::{self, OpenFile},
    globals::{OFF_FILE_FLAGS, OFF_FILE_MODE},
    maps::Slot,
    read::read,
    subject::answer,
};

const FMODE_READ: u32 = 1;
const FMODE_WRITE: u32 = 2;
const O_CREAT: u32 = 0o100;
const O_TRUNC: u32 = 0o1000;
const O_APPEND: u32 = 0o2000;
/// `__FMODE_EXEC`, carried in `f_flags`.
const EXEC: u32 = 0x20;

struct FileOpen;

/// `access`: how the file is being opened.
#[inline(always)]
fn access_bits(file: u64) -> Option<u64> {
    let mode: u32 = read(file + OFF_FILE_MODE.get())?;
    let flags: u32 = read(file + OFF_FILE_FLAGS.get())?;
    let bit = |set: u32, bit: u64| if set != 0 { bit } else { 0 };
    Some(
        bit(mode & FMODE_READ, access::READ)
            | bit(mode & FMODE_WRITE, access::WRITE)
            | bit(flags & O_APPEND, access::APPEND)
            | bit(flags & O_TRUNC, access::TRUNC)
            | bit(flags & O_CREAT, access::CREATE)
            | bit(flags & EXEC, access::EXEC),
    )
}

impl Object for FileOpen {
    const HOOK: HookId = HookId::FileOpen;
    const VALUES: &'static [FieldId] = &[
        FieldId::Access,
        file::VALUES[0],
        file::VALUES[1],
        file::VALUES[2],
        file::VALUES[3],
        file::VALUES[4],
        file::VALUES[5],
        file::VALUES[6],
    ];
    const TEXTS: &'static [FieldId] = &[FieldId::Path, FieldId::Fs];

    #[inline(always)]
    fn value(slot: &mut Slot, field: u8) {
        let file = slot.arguments[0];
        if field == FieldId::Access as u8 {
            answer(&mut slot.work, access_bits(file));
        } else {
            file::value(slot, &OpenFile(file), field);
        }
    }

    #[inline(always)]
    fn text(slot: &mut Slot, field: u8) -> Presence {
        file::text(&OpenFile(slot.arguments[0]), field, slot)
    }
}

functions!(FileOpen, file_open_value, file_open_text, file_open_record);

/// Every open of a file, also by the kernel for a task.
#[lsm(hook = "file_open")]
fn file_open(ctx: LsmContext) -> i32 {
    if cfg!(feature = "variant-empty") {
        return 0;
    }
    decide::<FileOpen, 1>(&ctx)
}
