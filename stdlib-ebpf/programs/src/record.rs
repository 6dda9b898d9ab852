//! Event records.

use core::{ffi::c_void, marker::PhantomData, ptr};

use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_ringbuf_output};
use lsmpc_abi::maps::RATE_ENTRIES;
use lsmpc_abi::{
    Presence,
    catalogue::{self, FieldType, HookInfo},
    event::{EventHeader, EventText, EventValue, MAX_TEXTS, MAX_VALUES},
    field::FieldId,
    hook::{HOOK_SLOTS, HookId},
    state::Counter,
};
use lsmpc_engine::{
    bits::bound,
    repeat::{Step, repeat},
};

use crate::{
    acting::{self, lsmpc_acting},
    atomic, event,
    file::FS_NAME,
    globals,
    kind::Kind,
    maps::{
        EVENTS, LONGEST_TEXT, RATE, RECORD_HEAD, RECORD_STRINGS, RECORD_TEXTS, Record, Slot,
        claim_record, count, release_record,
    },
    read::{SHORT, at_most, copy, copy_short, copy_string},
    seen::{FILE_VALUES, write_values},
    strings::lsmpc_strings,
};

const SECOND: u64 = 1_000_000_000;

/// Emits the record of a decided event, unless its rate limit is used up or there
/// is no room. The verdict does not depend on it.
#[inline(always)]
pub(crate) fn emit<K: Kind>(slot: &mut Slot) {
    if !within_rate(slot.rate) {
        count(Counter::LostRate);
        return;
    }
    let Some(record) = claim_record() else {
        count(Counter::LostBusy);
        return;
    };
    let texts_end = fill::<K>(record, slot);
    let (mut size, mut strings) = (texts_end, 0);
    if K::EXECUTES && slot.hook == HookId::BprmCheckSecurity as u32 {
        size = lsmpc_strings(record, slot.arguments[1]) as u32;
        strings = (texts_end + 7) & !7;
    }
    // SAFETY: the record is claimed by this event.
    unsafe {
        let header = (&raw mut (*record).bytes).cast::<EventHeader>();
        (*header).size = size;
        (*header).strings = strings;
    }
    // SAFETY: `size` bytes of the record are there, all of them initialised: a
    // map value begins as zeros.
    let result = unsafe {
        let bytes = (&raw mut (*record).bytes).cast::<c_void>();
        let size = at_most::<BYTES>(u64::from(size));
        bpf_ringbuf_output(ptr::from_ref(&EVENTS).cast_mut().cast(), bytes, size, 0)
    };
    release_record(record);
    count(if result == 0 {
        Counter::Emitted
    } else {
        Counter::LostFull
    });
}

const BYTES: usize = RECORD_HEAD + RECORD_TEXTS + LONGEST_TEXT + RECORD_STRINGS;

/// Whether the bucket still has room in this second.
#[inline(always)]
fn within_rate(bucket: u32) -> bool {
    let limit = globals::rate();
    if limit == 0 {
        return true;
    }
    let Some(window) = RATE.get_ptr_mut(bucket & (RATE_ENTRIES - 1)) else {
        return true;
    };
    // SAFETY: a map value; its words are only used atomically. Two CPUs that
    // begin a window at once may let a few records too many through.
    unsafe {
        let start = &raw mut (*window).start;
        let used = &raw mut (*window).count;
        let now = bpf_ktime_get_ns();
        if now.wrapping_sub(atomic::load(start)) >= SECOND {
            atomic::store(start, now);
            atomic::store(used, 0);
        }
        atomic::add(used, 1) < u64::from(limit)
    }
}

/// Rows of [`FIELDS`]: a power of two, for the mask.
const ROWS: usize = HOOK_SLOTS.next_power_of_two();
/// Entries of a row's lists: the same.
const VALUES: usize = MAX_VALUES.next_power_of_two();
const TEXTS: usize = MAX_TEXTS.next_power_of_two();

/// What the records of a hook hold, as field numbers.
#[derive(Clone, Copy)]
struct Fields {
    value_count: u8,
    text_count: u8,
    values: [u8; VALUES],
    texts: [u8; TEXTS],
}

/// By hook number: what the catalogue says that the object has, then the subject's.
static FIELDS: [Fields; ROWS] = {
    let empty = Fields {
        value_count: 0,
        text_count: 0,
        values: [0; VALUES],
        texts: [0; TEXTS],
    };
    let mut table = [empty; ROWS];
    let mut hook = 0;
    while hook < catalogue::hooks().len() {
        table[hook] = fields_of(&catalogue::hooks()[hook], empty);
        hook += 1;
    }
    table
};

const fn fields_of(hook: &HookInfo, mut row: Fields) -> Fields {
    let mut at = 0;
    while at < hook.fields.len() {
        let field = catalogue::field(hook.fields[at]);
        match field.ty {
            FieldType::Path | FieldType::Name => row = with_text(row, field.id),
            _ => {
                row.values[row.value_count as usize] = field.id as u8;
                row.value_count += 1;
            }
        }
        at += 1;
    }
    let mut at = 0;
    while at < acting::TEXTS.len() {
        row = with_text(row, acting::TEXTS[at]);
        at += 1;
    }
    assert!(row.value_count as usize <= MAX_VALUES && row.text_count as usize <= MAX_TEXTS);
    assert!(has_file(&row) == contains(hook.fields, FILE_VALUES[0]));
    let is_open = matches!(hook.id, HookId::FileOpen);
    assert!(!is_open || row.values[FILE_VALUES.len()] == FieldId::Access as u8);
    row
}

const fn contains(fields: &[FieldId], field: FieldId) -> bool {
    let mut at = 0;
    while at < fields.len() {
        if fields[at] as u8 == field as u8 {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether the values begin with [`FILE_VALUES`].
const fn has_file(row: &Fields) -> bool {
    let mut at = 0;
    while at < FILE_VALUES.len() {
        if row.values[at] != FILE_VALUES[at] as u8 {
            return false;
        }
        at += 1;
    }
    true
}

const fn with_text(mut row: Fields, field: FieldId) -> Fields {
    row.texts[row.text_count as usize] = field as u8;
    row.text_count += 1;
    row
}

#[inline(always)]
fn fields(slot: &Slot) -> &'static Fields {
    let row = bound::<{ ROWS as u64 - 1 }>(u64::from(slot.hook)) as usize;
    // SAFETY: there are so many rows.
    unsafe { &*(&raw const FIELDS).cast::<Fields>().add(row) }
}

/// Puts everything into the record but its size and the strings; where the texts end.
#[inline(always)]
fn fill<K: Kind>(record: *mut Record, slot: &mut Slot) -> u32 {
    let row = fields(slot);
    let (values, texts) = (u32::from(row.value_count), u32::from(row.text_count));
    let values_at = size_of::<EventHeader>() as u32;
    let texts_at = values_at + values * size_of::<EventValue>() as u32;
    let bytes_at = (texts_at + texts * size_of::<EventText>() as u32 + 7) & !7;
    // SAFETY: the record is claimed by this event.
    unsafe {
        let header = (&raw mut (*record).bytes).cast::<EventHeader>();
        (*header).value_count = values as u16;
        (*header).text_count = texts as u16;
        (*record).end = bytes_at;
        (*record).at = texts_at;
        (*record).number = 0;
        if !(K::IS_SEEN && file_texts::<K>(record, slot, row)) {
            repeat(
                texts - acting::TEXTS.len() as u32,
                &mut Texts::<K> {
                    record,
                    slot,
                    kind: PhantomData,
                },
            );
        }
        lsmpc_acting(record, slot);
        (*record).at = values_at;
        (*record).number = 0;
        let mut done = 0;
        let has_file = row.values[0] == FILE_VALUES[0] as u8;
        if K::IS_SEEN && slot.seen.is_there != 0 && has_file {
            done = write_values(&slot.seen, slot.hook, header.add(1).cast());
            (*record).at = values_at + done * size_of::<EventValue>() as u32;
            (*record).number = done;
        }
        if values > done {
            repeat(
                values - done,
                &mut Values::<K> {
                    record,
                    slot,
                    kind: PhantomData,
                },
            );
        }
        (*record).end
    }
}

/// Adds the texts of a file that was seen, if these are the object's.
///
/// # Safety
/// The record must be claimed by this event.
#[inline(always)]
unsafe fn file_texts<K: Kind>(record: *mut Record, slot: &mut Slot, row: &Fields) -> bool {
    const PATH: u8 = FieldId::Path as u8;
    const FS: u8 = FieldId::Fs as u8;
    const COUNT: u8 = 2 + acting::TEXTS.len() as u8;
    if slot.seen.is_there == 0 || (row.text_count, row.texts[0], row.texts[1]) != (COUNT, PATH, FS)
    {
        return false;
    }
    event::text::<K>(slot, PATH);
    // SAFETY: the caller's; behind a text's start there are more bytes than these.
    unsafe {
        text(record, PATH, slot);
        let length = room(record).and_then(|into| copy_string(into, slot.seen.fs_name, FS_NAME));
        let (presence, length) = match length {
            Some(length) if length < FS_NAME - 1 => (Presence::Known, length),
            _ => (Presence::Unknown, 0),
        };
        note(record, next(record), FS, presence as u32, length);
    }
    true
}

/// Where the next entry of the record goes.
///
/// # Safety
/// The record must be claimed by this event.
#[inline(always)]
pub(crate) unsafe fn next<T>(record: *mut Record) -> *mut T {
    // SAFETY: the caller's; the entry lies in the fixed part.
    unsafe {
        let at = at_most::<{ RECORD_HEAD }>(u64::from((*record).at)) as usize;
        (*record).at += size_of::<T>() as u32;
        (*record).number += 1;
        (&raw mut (*record).bytes).cast::<u8>().add(at).cast()
    }
}

/// Where the next text's bytes go, if there is room for one.
///
/// # Safety
/// The record must be claimed by this event.
#[inline(always)]
pub(crate) unsafe fn room(record: *mut Record) -> Option<*mut u8> {
    // SAFETY: the caller's; behind these there are `LONGEST_TEXT` bytes.
    unsafe {
        let end = (*record).end;
        let at = at_most::<{ RECORD_HEAD + RECORD_TEXTS }>(u64::from(end)) as usize;
        let into = (&raw mut (*record).bytes).cast::<u8>().add(at);
        (end < (RECORD_HEAD + RECORD_TEXTS) as u32).then_some(into)
    }
}

/// One text of a record after the other.
struct Texts<K> {
    record: *mut Record,
    slot: *mut Slot,
    kind: PhantomData<K>,
}

impl<K: Kind> Step for Texts<K> {
    #[inline(always)]
    fn step(&mut self) -> bool {
        let record = self.record;
        // SAFETY: record and slot are claimed by this event.
        unsafe {
            let slot = &mut *self.slot;
            let number = bound::<{ TEXTS as u64 - 1 }>(u64::from((*record).number)) as usize;
            let field = *fields(slot).texts.as_ptr().add(number);
            event::text::<K>(slot, field);
            text(record, field, slot);
        }
        true
    }
}

/// One value of a record after the other.
struct Values<K> {
    record: *mut Record,
    slot: *mut Slot,
    kind: PhantomData<K>,
}

impl<K: Kind> Step for Values<K> {
    #[inline(always)]
    fn step(&mut self) -> bool {
        const ADDR: u8 = FieldId::Addr as u8;
        let record = self.record;
        // SAFETY: record and slot are claimed by this event.
        unsafe {
            let slot = &mut *self.slot;
            let number = bound::<{ VALUES as u64 - 1 }>(u64::from((*record).number)) as usize;
            let field = *fields(slot).values.as_ptr().add(number);
            K::value(slot, field);
            let known = slot.work.presence == Presence::Known as u32;
            let (first, second) = match (known, field) {
                (false, _) => (0, 0),
                (true, ADDR) => (slot.work.high, slot.work.low),
                (true, _) => (slot.work.low, 0),
            };
            let entry: *mut EventValue = next(record);
            (*entry).field = field;
            (*entry).presence = slot.work.presence as u8;
            (*entry).reserved = [0; 6];
            (*entry).value = first;
            (*entry).low = second;
        }
        true
    }
}

/// Adds the text in the slot's buffer to the record.
///
/// # Safety
/// The record must be claimed by this event.
#[inline(always)]
pub(crate) unsafe fn text(record: *mut Record, field: u8, slot: &Slot) {
    const { assert!(lsmpc_engine::TEXT_BYTES >= 0xfff + SHORT) };
    // SAFETY: the caller's; the slot is claimed by this event.
    unsafe {
        let work = &slot.work;
        let mut presence = work.presence;
        let mut length = 0;
        if presence == Presence::Known as u32 {
            length = work.end.wrapping_sub(work.start) & 0xfff;
            let start = bound::<0xfff>(u64::from(work.start)) as usize;
            let from = work.text.as_ptr().add(start);
            let copied = match room(record) {
                None => false,
                Some(into) if length as usize <= SHORT => {
                    copy_short(into, from);
                    true
                }
                Some(into) => copy::<0xfff>(into, from as u64, length),
            };
            if !copied {
                presence = Presence::Unknown as u32;
                length = 0;
            }
        }
        note(record, next(record), field, presence, length);
    }
}

/// Notes a text whose bytes are there.
///
/// # Safety
/// The record must be claimed by this event, and `entry` lie in it.
#[inline(always)]
pub(crate) unsafe fn note(
    record: *mut Record,
    entry: *mut EventText,
    field: u8,
    presence: u32,
    length: u32,
) {
    // SAFETY: the caller's; field, presence and what is reserved are one word.
    unsafe {
        let start = (*record).end;
        (*record).end = start + length;
        entry
            .cast::<u32>()
            .write(u32::from(field) | (presence & 0xff) << 8);
        (*entry).start = start;
        (*entry).length = length;
    }
}
