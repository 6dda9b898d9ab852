//! The maps, and claiming a slot of scratch memory.

use core::{ffi::c_void, ptr};

use aya_ebpf::{
    bindings::{BPF_F_INNER_MAP, BPF_F_NO_PREALLOC, bpf_map_type::BPF_MAP_TYPE_TASK_STORAGE},
    btf_maps::{Array, ArrayOfMaps, PerCpuArray, RingBuf},
    helpers::generated::bpf_get_smp_processor_id,
    macros::btf_map,
};
use lsmpc_abi::{
    event::{EventHeader, EventStrings, EventText, EventValue, STRINGS_PART},
    image::{Masks, PAGE_SIZE},
    maps::{
        DIRECTORY_ENTRIES, EVENT_BYTES, RATE_ENTRIES, RECORDS_PER_CPU, RateWindow, SETTLED_ENTRIES,
        SLOTS_PER_CPU,
    },
    state::{Counter, ExePath, LongPart, Seeds, TaskState},
};
use lsmpc_engine::{
    Work,
    repeat::{Step, repeat},
};

use crate::{
    atomic,
    cgroup::Climb,
    directory::{Directory, Spelled},
    globals,
    path::Walk,
    seen::Seen,
    settled::Settled,
};

/// A page of an image.
pub(crate) type Page = [u8; PAGE_SIZE];

#[btf_map]
pub(crate) static POLICY: ArrayOfMaps<Array<Page, 1, { BPF_F_INNER_MAP as usize }>, 1> =
    ArrayOfMaps::new();

#[btf_map]
pub(crate) static TASK: TaskStorage<TaskState> = TaskStorage::new();

#[btf_map]
pub(crate) static TASK_LONG_0: TaskStorage<LongPart> = TaskStorage::new();

#[btf_map]
pub(crate) static TASK_LONG_1: TaskStorage<LongPart> = TaskStorage::new();

#[btf_map]
pub(crate) static TASK_LONG_2: TaskStorage<LongPart> = TaskStorage::new();

#[btf_map]
pub(crate) static PARENT_LONG_0: TaskStorage<LongPart> = TaskStorage::new();

#[btf_map]
pub(crate) static PARENT_LONG_1: TaskStorage<LongPart> = TaskStorage::new();

#[btf_map]
pub(crate) static PARENT_LONG_2: TaskStorage<LongPart> = TaskStorage::new();

#[btf_map]
pub(crate) static SEEDS: TaskStorage<Seeds> = TaskStorage::new();

#[btf_map]
static SCRATCH: Array<Slot, { SLOTS_PER_CPU as usize }> = Array::new();

#[btf_map]
static RECORDS: Array<Record, { RECORDS_PER_CPU as usize }> = Array::new();

#[btf_map]
pub(crate) static SETTLED: Array<Settled, { SETTLED_ENTRIES as usize }> = Array::new();

#[btf_map]
pub(crate) static DIRECTORIES: Array<Directory, { DIRECTORY_ENTRIES as usize }> = Array::new();

#[btf_map]
pub(crate) static EVENTS: RingBuf<(), { EVENT_BYTES as usize }> = RingBuf::new();

#[btf_map]
static COUNTERS: PerCpuArray<u64, { Counter::COUNT as usize }> = PerCpuArray::new();

#[btf_map]
pub(crate) static RATE: Array<RateWindow, { RATE_ENTRIES as usize }> = Array::new();

/// Definition of a task storage map.
#[repr(C)]
pub(crate) struct TaskStorage<T> {
    r#type: *const [i32; BPF_MAP_TYPE_TASK_STORAGE as usize],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; BPF_F_NO_PREALLOC as usize],
}

// SAFETY: the fields are placeholders for the loader and never read.
unsafe impl<T> Sync for TaskStorage<T> {}

impl<T> TaskStorage<T> {
    const fn new() -> Self {
        Self {
            r#type: ptr::null(),
            key: ptr::null(),
            value: ptr::null(),
            max_entries: ptr::null(),
            map_flags: ptr::null(),
        }
    }

    /// The map, for a helper.
    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *mut c_void {
        ptr::from_ref(self).cast_mut().cast()
    }
}

/// Most arguments of a hook.
pub(crate) const MAX_ARGUMENTS: usize = 6;
/// A hook's arguments, in the order of its kind.
pub(crate) type Arguments = [u64; MAX_ARGUMENTS];

/// What a decision can rest on.
pub(crate) struct Rests;

impl Rests {
    /// The user and group ids of the subject.
    pub(crate) const IDS: u32 = 1;
    /// Something else.
    pub(crate) const MORE: u32 = 2;
}

/// What an event claims to be evaluated in.
#[repr(C, align(8))]
pub(crate) struct Slot {
    /// 1 while an event has it.
    busy: u64,
    /// Which field's text `work` holds, plus one; 0: none.
    pub(crate) holds: u32,
    /// Whether `target` is filled in: [`crate::exe::fetch`].
    pub(crate) fetched: u32,
    /// The hook's arguments, as numbers.
    pub(crate) arguments: Arguments,
    /// The epoch of the image that decides.
    pub(crate) epoch: u32,
    /// The decision, for the record.
    pub(crate) number: u32,
    pub(crate) ret: i32,
    pub(crate) flags: u32,
    pub(crate) rate: u32,
    /// Number of the hook.
    pub(crate) hook: u32,
    /// Where the evaluation goes on after the subject's diagram; 0: it is the
    /// event's own.
    pub(crate) after: u32,
    /// What the decision rests on, beside the programs: of [`Rests`].
    pub(crate) rests: u32,
    /// What the subject's diagram has come to.
    pub(crate) masks: Masks,
    /// The target's program.
    pub(crate) target: ExePath,
    /// The object, as the hook saw it, for the record.
    pub(crate) seen: Seen,
    pub(crate) spelled: Spelled,
    pub(crate) walk: Walk,
    pub(crate) climb: Climb,
    pub(crate) work: Work,
}

/// Bytes of a record's fixed part, at most.
pub(crate) const RECORD_HEAD: usize = size_of::<EventHeader>()
    + lsmpc_abi::event::MAX_VALUES * size_of::<EventValue>()
    + lsmpc_abi::event::MAX_TEXTS * size_of::<EventText>();
/// A text is added to a record while its texts are shorter than this: two
/// longest paths fit, and one more text of any length.
pub(crate) const RECORD_TEXTS: usize = 8192;
/// Bytes of that last text.
pub(crate) const LONGEST_TEXT: usize = 4096;
/// Bytes of what a program is given, behind the texts.
// VERIFIER: a part is copied in two steps, each of which it takes to be a part long;
// (6.1) the second even a byte less than two.
pub(crate) const RECORD_STRINGS: usize = 8 + size_of::<EventStrings>() + 4 * STRINGS_PART;

/// Where a record is put together.
#[repr(C, align(8))]
pub(crate) struct Record {
    /// 1 while an event has it.
    busy: u64,
    /// Bytes so far.
    pub(crate) end: u32,
    /// Where the next entry goes.
    pub(crate) at: u32,
    /// Its number among those of its sort.
    pub(crate) number: u32,
    reserved: u32,
    pub(crate) bytes: [u8; RECORD_HEAD + RECORD_TEXTS + LONGEST_TEXT + RECORD_STRINGS],
}

/// No slot: slots are numbered from 1.
const NO_SLOT: u64 = 0;

/// Claims one of this CPU's slots.
///
/// A task can be preempted inside a program, and another one on the same CPU
/// can then run the same program: a buffer of the CPU is not private. It stays
/// on its CPU, though, so that the slots of one CPU are enough.
#[inline(always)]
pub(crate) fn claim_slot() -> Option<*mut Slot> {
    let number = lsmpc_claim_slot();
    if number == NO_SLOT {
        count(Counter::NoSlot);
        return None;
    }
    SCRATCH.get_ptr_mut(number as u32 - 1)
}

/// The same for what cannot do without: tried until tasks that were interrupted
/// with a slot have had time to go on.
#[inline(always)]
pub(crate) fn claim_slot_patiently() -> Option<*mut Slot> {
    let mut claim = Claim { number: NO_SLOT };
    repeat(PATIENCE, &mut claim);
    if claim.number == NO_SLOT {
        count(Counter::NoSlot);
        return None;
    }
    SCRATCH.get_ptr_mut(claim.number as u32 - 1)
}

const PATIENCE: u32 = 1 << 20;

struct Claim {
    number: u64,
}

impl Step for Claim {
    #[inline(always)]
    fn step(&mut self) -> bool {
        self.number = lsmpc_claim_slot();
        self.number == NO_SLOT
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn lsmpc_claim_slot() -> u64 {
    let first = first_of_cpu(SLOTS_PER_CPU);
    let mut number = 0;
    while number < SLOTS_PER_CPU {
        let Some(slot) = SCRATCH.get_ptr_mut(first + number) else {
            return NO_SLOT;
        };
        // SAFETY: `slot` points to a map value.
        unsafe {
            if claim(&raw mut (*slot).busy) {
                (*slot).holds = 0;
                (*slot).fetched = 0;
                (*slot).seen.is_there = 0;
                (*slot).after = 0;
                return u64::from(first + number) + 1;
            }
        }
        number += 1;
    }
    NO_SLOT
}

/// Gives a claimed slot back.
#[inline(always)]
pub(crate) fn release_slot(slot: *mut Slot) {
    // SAFETY: `slot` points to a map value, claimed by this event.
    unsafe { release(&raw mut (*slot).busy) };
}

/// Claims one of this CPU's record buffers.
#[inline(always)]
pub(crate) fn claim_record() -> Option<*mut Record> {
    let first = first_of_cpu(RECORDS_PER_CPU);
    let mut number = 0;
    while number < RECORDS_PER_CPU {
        let record = RECORDS.get_ptr_mut(first + number)?;
        // SAFETY: `record` points to a map value.
        if unsafe { claim(&raw mut (*record).busy) } {
            return Some(record);
        }
        number += 1;
    }
    None
}

/// Gives a claimed record buffer back.
#[inline(always)]
pub(crate) fn release_record(record: *mut Record) {
    // SAFETY: claimed by this event.
    unsafe { release(&raw mut (*record).busy) };
}

#[inline(always)]
fn first_of_cpu(per_cpu: u32) -> u32 {
    // SAFETY: no arguments.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let count = globals::cpus();
    if cpu < count {
        cpu * per_cpu
    } else {
        u32::MAX - per_cpu
    }
}

/// # Safety
/// `busy` must be a map value's word.
#[inline(always)]
unsafe fn claim(busy: *mut u64) -> bool {
    if cfg!(feature = "variant-percpu-scratch") {
        return true;
    }
    // SAFETY: the caller's; the word is aligned and only used atomically.
    unsafe { atomic::swap(busy, 1) == 0 }
}

/// # Safety
/// `busy` must be a map value's word, and claimed.
#[inline(always)]
unsafe fn release(busy: *mut u64) {
    // SAFETY: as in `claim`.
    unsafe { atomic::swap(busy, 0) };
}

/// Adds one to a counter.
#[inline(always)]
pub(crate) fn count(counter: Counter) {
    if let Some(value) = COUNTERS.get_ptr_mut(counter as u32) {
        // SAFETY: `value` points to this CPU's word of the map. Atomic, because a
        // program on the same CPU can come in between.
        unsafe { atomic::add(value, 1) };
    }
}
