//! What a program that is about to run is given: its arguments and its environment.
//!
//! The kernel has put them on the new program's stack by the time it asks, but that
//! program's memory is not the acting task's yet, and no helper reads another's. So
//! its page tables are walked here (x86-64), and the pages read where the kernel maps
//! all memory. The memory belongs to the execution under way: nobody else changes it.
//! A page may be swapped out meanwhile: it is looked up again after it was read.

use lsmpc_abi::{
    Presence,
    event::{EventStrings, STRINGS_PART},
};

use crate::{
    globals::{
        self, OFF_BPRM_ARGC, OFF_BPRM_ENVC, OFF_BPRM_EXEC, OFF_BPRM_MM, OFF_BPRM_P, OFF_MM_PGD,
    },
    maps::{LONGEST_TEXT, RECORD_HEAD, RECORD_TEXTS, Record},
    read::{at_most, copy_at_most, read},
};

const PAGE: u64 = 4096;
const PRESENT: u64 = 1;
/// In an entry above the last level: it maps memory itself. The new stack has no such
/// pages.
const LARGE: u64 = 1 << 7;
/// Bits of an entry that are an address, encryption's bit among them.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const FOUR_LEVELS: u32 = 39;

/// Adds what the program is given to a record whose texts end at its `end`; the size
/// of the record.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn lsmpc_strings(record: *mut Record, bprm: u64) -> u64 {
    // SAFETY: null or the record claimed by this event.
    let Some(record) = (unsafe { record.as_mut() }) else {
        return 0;
    };
    const LAST: usize = RECORD_HEAD + RECORD_TEXTS + LONGEST_TEXT;
    let start = at_most::<LAST>(u64::from((record.end + 7) & !7)) as usize;
    // SAFETY: behind `LAST` there is room for the structure and its bytes.
    unsafe {
        let entry = record.bytes.as_mut_ptr().add(start).cast::<EventStrings>();
        let bytes = entry.add(1).cast::<u8>();
        entry.write(EventStrings {
            presence: Presence::Unknown as u32,
            argc: 0,
            envc: 0,
            total: 0,
            head: 0,
            tail: 0,
        });
        let mut size = start + size_of::<EventStrings>();
        if let Some(given) = fetch(bprm, bytes) {
            size += if given.tail == 0 {
                given.head as usize
            } else {
                STRINGS_PART + given.tail as usize
            };
            entry.write(given);
        }
        size as u64
    }
}

/// Copies the strings; what there is to say of them.
///
/// # Safety
/// Two parts must fit behind `into`.
#[inline(always)]
unsafe fn fetch(bprm: u64, into: *mut u8) -> Option<EventStrings> {
    let memory: u64 = read(bprm + OFF_BPRM_MM.get())?;
    // Arguments, environment, and then the name that the program was called by.
    let start: u64 = read(bprm + OFF_BPRM_P.get())?;
    let end: u64 = read(bprm + OFF_BPRM_EXEC.get())?;
    let argc: u32 = read(bprm + OFF_BPRM_ARGC.get())?;
    let envc: u32 = read(bprm + OFF_BPRM_ENVC.get())?;
    if start > end {
        return None;
    }
    let total = end - start;
    let head = at_most::<STRINGS_PART>(total);
    let tail = at_most::<STRINGS_PART>(total - head);
    // SAFETY: the caller's.
    unsafe {
        copy(memory, start, into, head)?;
        copy(memory, end - tail, into.add(STRINGS_PART), tail)?;
    }
    Some(EventStrings {
        presence: Presence::Known as u32,
        argc,
        envc,
        total: total as u32,
        head: head as u32,
        tail: tail as u32,
    })
}

/// Copies at most a part, which lies in two pages at most.
///
/// # Safety
/// A part must fit behind `into`.
#[inline(always)]
unsafe fn copy(memory: u64, from: u64, into: *mut u8, length: u64) -> Option<()> {
    if length == 0 {
        return Some(());
    }
    let in_page = PAGE - from % PAGE;
    let first = at_most::<STRINGS_PART>(if length < in_page { length } else { in_page });
    let second = at_most::<STRINGS_PART>(length.wrapping_sub(first));
    // SAFETY: the caller's, and `first + second` is at most a part.
    unsafe {
        copy_page(memory, from, into, first)?;
        if second != 0 {
            copy_page(memory, from + first, into.add(first as usize), second)?;
        }
    }
    Some(())
}

/// Copies bytes of one page.
///
/// # Safety
/// `length` bytes from `into` on must be writable.
#[inline(always)]
unsafe fn copy_page(memory: u64, from: u64, into: *mut u8, length: u64) -> Option<()> {
    let address = lsmpc_new_memory(memory, from);
    // SAFETY: the caller's.
    let copied = unsafe { copy_at_most::<STRINGS_PART>(into, address, length as u32) };
    (address != 0 && copied && lsmpc_new_memory(memory, from) == address).then_some(())
}

/// Where the kernel sees an address of a program's memory; 0 if it is not there.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn lsmpc_new_memory(memory: u64, address: u64) -> u64 {
    seen_at(memory, address).unwrap_or(0)
}

#[inline(always)]
fn seen_at(memory: u64, address: u64) -> Option<u64> {
    let base: u64 = match globals::page_offset_base() {
        0 => return None,
        symbol => read(symbol)?,
    };
    let top: u32 = match globals::pgdir_shift() {
        0 => FOUR_LEVELS,
        symbol => read(symbol)?,
    };
    let encrypted: u64 = match globals::sme_me_mask() {
        0 => 0,
        symbol => read(symbol)?,
    };
    let place = |entry: u64| base + (entry & ADDRESS & !encrypted);
    let mut table: u64 = read(memory + OFF_MM_PGD.get())?;
    if top != FOUR_LEVELS {
        table = place(entry(table, address >> 48)?);
    }
    table = place(entry(table, address >> 39)?);
    table = place(not_large(entry(table, address >> 30)?)?);
    table = place(not_large(entry(table, address >> 21)?)?);
    Some(place(entry(table, address >> 12)?) + address % PAGE)
}

/// An entry that is present.
#[inline(always)]
fn entry(table: u64, number: u64) -> Option<u64> {
    let entry: u64 = read(table + number % 512 * 8)?;
    (entry & PRESENT != 0).then_some(entry)
}

#[inline(always)]
fn not_large(entry: u64) -> Option<u64> {
    (entry & LARGE == 0).then_some(entry)
}
