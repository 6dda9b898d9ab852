//! `mmap_file(file, reqprot, prot, flags)`.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use lsmpc_abi::{Presence, field::FieldId, hook::HookId};

use crate::{
    event::{Object, decide, functions},
    file::{self, OpenFile},
    maps::Slot,
};

const PROT: u8 = FieldId::Prot as u8;
const FLAGS: u8 = FieldId::MmapFlags as u8;

struct Mmap;

impl Object for Mmap {
    const HOOK: HookId = HookId::MmapFile;
    const VALUES: &'static [FieldId] = &[
        FieldId::Prot,
        FieldId::MmapFlags,
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
        let [file, _, prot, flags, ..] = slot.arguments;
        match field {
            PROT => slot.work.set_scalar(prot),
            FLAGS => slot.work.set_scalar(flags),
            // An anonymous mapping.
            _ if file == 0 => slot.work.set_presence(Presence::None),
            _ => file::value(slot, &OpenFile(file), field),
        }
    }

    #[inline(always)]
    fn text(slot: &mut Slot, field: u8) -> Presence {
        let file = slot.arguments[0];
        if file == 0 {
            return Presence::None;
        }
        file::text(&OpenFile(file), field, slot)
    }
}

functions!(Mmap, mmap_file_value, mmap_file_text, mmap_file_record);

/// Memory is being mapped, from a file or not.
#[lsm(hook = "mmap_file")]
fn mmap_file(ctx: LsmContext) -> i32 {
    decide::<Mmap, 4>(&ctx)
}
