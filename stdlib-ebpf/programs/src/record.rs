//! Event records.

use core::{ffi::c_void, ptr};

use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid,
    bpf_get_current_uid_gid, bpf_get_smp_processor_id, bpf_ktime_get_boot_ns, bpf_ktime_get_ns,
    bpf_ringbuf_output,
};
use lsmpc_abi::maps::RATE_ENTRIES;
use lsmpc_abi::{
    ABI_VERSION, Presence,
    event::{EventHeader, EventText, EventValue},
    field::FieldId,
    state::Counter,
};
use lsmpc_engine::bits::bound;

use crate::{
    atomic,
    event::{self, Object},
    exe,
    globals::{self, OFF_CRED_EGID, OFF_CRED_EUID},
    maps::{
        EVENTS, RATE, RECORD_HEAD, RECORD_TEXTS, Record, Slot, claim_record, count, release_record,
    },
    read::{at_most, copy},
    subject,
};

const SECOND: u64 = 1_000_000_000;

/// Emits the record of a decided event, unless its rate limit is used up or there
/// is no room. The verdict does not depend on it.
#[inline(always)]
pub(crate) fn emit<O: Object>(slot: &mut Slot) {
    if !within_rate(slot.rate) {
        count(Counter::LostRate);
        return;
    }
    let Some(record) = claim_record() else {
        count(Counter::LostBusy);
        return;
    };
    let size = fill::<O>(record, slot);
    head::<O>(record, size, slot);
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

const BYTES: usize = RECORD_HEAD + RECORD_TEXTS + 4096;

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

/// Offset of the first text entry of a record of this hook.
const fn texts_at<O: Object>() -> usize {
    size_of::<EventHeader>() + O::VALUES.len() * size_of::<EventValue>()
}

/// String fields of the subject, after the hook's own.
const SUBJECT: [FieldId; 3] = [FieldId::Exe, FieldId::ParentExe, FieldId::Cgroup];

/// How many texts a record of this hook has.
const fn texts<O: Object>() -> usize {
    O::TEXTS.len() + SUBJECT.len()
}

/// Offset of the texts' bytes.
const fn bytes_at<O: Object>() -> usize {
    (texts_at::<O>() + texts::<O>() * size_of::<EventText>()).next_multiple_of(8)
}

/// Puts values and texts into the record; its size.
#[inline(always)]
fn fill<O: Object>(record: *mut Record, slot: &mut Slot) -> u32 {
    // SAFETY: the record is claimed by this event; offsets are constants of the
    // hook, all within the fixed part.
    unsafe {
        (*record).used = 0;
        let base = (&raw mut (*record).bytes).cast::<u8>();
        let mut at = 0;
        while at < texts::<O>() {
            let field = match at.checked_sub(O::TEXTS.len()) {
                None => {
                    event::text::<O>(slot, O::TEXTS[at] as u8);
                    O::TEXTS[at]
                }
                Some(of_subject) => {
                    subject::lsmpc_subject_text(slot, SUBJECT[of_subject] as u64);
                    SUBJECT[of_subject]
                }
            };
            let entry = base.add(texts_at::<O>() + at * size_of::<EventText>());
            text::<O>(record, entry.cast(), field as u8, slot);
            at += 1;
        }
        let mut at = 0;
        while at < O::VALUES.len() {
            let field = O::VALUES[at];
            O::value(slot, field as u8);
            let known = slot.work.presence == Presence::Known as u32;
            let (first, second) = match (known, field) {
                (false, _) => (0, 0),
                (true, FieldId::Addr) => (slot.work.high, slot.work.low),
                (true, _) => (slot.work.low, 0),
            };
            let entry: *mut EventValue = base
                .add(size_of::<EventHeader>() + at * size_of::<EventValue>())
                .cast();
            (*entry).field = field as u8;
            (*entry).presence = slot.work.presence as u8;
            (*entry).value = first;
            (*entry).low = second;
            at += 1;
        }
        bytes_at::<O>() as u32 + (*record).used
    }
}

/// Adds the text in the slot's buffer to the record.
///
/// # Safety
/// `entry` must lie in the record.
#[inline(always)]
unsafe fn text<O: Object>(record: *mut Record, entry: *mut EventText, field: u8, slot: &Slot) {
    // SAFETY: the caller's; the record and the slot are claimed by this event.
    unsafe {
        let work = &slot.work;
        let mut presence = work.presence;
        let mut length = 0;
        let used = (*record).used;
        if presence == Presence::Known as u32 {
            length = work.end.wrapping_sub(work.start) & 0xfff;
            let start = bound::<0xfff>(u64::from(work.start)) as usize;
            let from = work.text.as_ptr().add(start) as u64;
            let into = (&raw mut (*record).bytes)
                .cast::<u8>()
                .add(bytes_at::<O>())
                .add(bound::<0x1fff>(u64::from(used)) as usize);
            if used >= RECORD_TEXTS as u32 || !copy::<0xfff>(into, from, length) {
                presence = Presence::Unknown as u32;
                length = 0;
            }
        }
        (*record).used = used + length;
        (*entry).field = field;
        (*entry).presence = presence as u8;
        (*entry).reserved = 0;
        (*entry).start = bytes_at::<O>() as u32 + used;
        (*entry).length = length;
    }
}

/// Writes the header.
#[inline(always)]
fn head<O: Object>(record: *mut Record, size: u32, slot: &Slot) {
    // SAFETY: the record is claimed by this event; helpers take no memory but the
    // 16 bytes of the name.
    unsafe {
        let header = (&raw mut (*record).bytes).cast::<EventHeader>();
        (*header).size = size;
        (*header).abi = ABI_VERSION as u16;
        (*header).hook = O::HOOK as u16;
        (*header).time = bpf_ktime_get_boot_ns();
        (*header).epoch = slot.epoch;
        (*header).outcome = slot.number;
        (*header).ret = slot.ret;
        (*header).flags = slot.flags;
        let ids = bpf_get_current_pid_tgid();
        (*header).pid = (ids >> 32) as u32;
        (*header).tid = ids as u32;
        let ids = bpf_get_current_uid_gid();
        (*header).uid = ids as u32;
        (*header).gid = (ids >> 32) as u32;
        (*header).euid = subject::credential(OFF_CRED_EUID.get()).unwrap_or(u32::MAX);
        (*header).egid = subject::credential(OFF_CRED_EGID.get()).unwrap_or(u32::MAX);
        (*header).parent_pid = exe::parent_pid();
        (*header).cpu = bpf_get_smp_processor_id();
        bpf_get_current_comm((&raw mut (*header).comm).cast(), 16);
        (*header).cgroup = bpf_get_current_cgroup_id();
        (*header).caps = subject::capabilities().unwrap_or(0);
        exe::copy_parent_comm((&raw mut (*header).parent_comm).cast());
        (*header).auid = subject::login_uid().unwrap_or(u32::MAX);
        (*header).namespaces = subject::namespaces();
        (*header).value_count = O::VALUES.len() as u16;
        (*header).text_count = texts::<O>() as u16;
        (*header).reserved = 0;
    }
}
