//! What becomes of a task's state when the task forks or executes a program.

use aya_ebpf::helpers::generated::bpf_get_current_comm;
use lsmpc_abi::{Presence, image::Bits};
use lsmpc_engine::repeat::{Step, repeat};

use crate::{
    atomic,
    exe::{EXE_BYTES, Which, file_path, fill, head, is_filled, store},
    long,
    maps::{Slot, TASK},
    read::copy,
    settled, sticky,
    subject::{Task, current, storage, storage_from, tgid},
};

/// How often the state of a task that has executed a program is asked for. It is
/// refused (on 6.1, with preempt=full) while a task that was interrupted on this
/// CPU is inside task storage: by then the scheduler has let it go on.
const PATIENCE: u32 = 1 << 20;

/// The acting task has begun to execute `file`.
#[inline(always)]
pub(crate) fn executed(slot: *mut Slot, file: u64) {
    if !is_filled(storage(&TASK, current(), false)) {
        fill(slot);
    }
    let presence = file_path(slot, file);
    repeat(PATIENCE, &mut Executed { slot, presence });
}

struct Executed {
    slot: *mut Slot,
    presence: Presence,
}

impl Step for Executed {
    #[inline(always)]
    fn step(&mut self) -> bool {
        let state = storage(&TASK, current(), true);
        if state.is_null() {
            return true;
        }
        store(self.slot, state, Which::Own, self.presence, tgid());
        false
    }
}

/// The acting task has begun to execute something, and there is no buffer to find
/// out what: its old program must not stay.
#[inline(always)]
pub(crate) fn executed_unknown() {
    repeat(PATIENCE, &mut ExecutedUnknown);
}

struct ExecutedUnknown;

impl Step for ExecutedUnknown {
    #[inline(always)]
    fn step(&mut self) -> bool {
        let state = storage(&TASK, current(), true);
        if state.is_null() {
            return true;
        }
        settled::forget(current());
        // SAFETY: the acting task's state.
        unsafe {
            let count = (u64::from((*state).exe.long) + 2) & 0xfe;
            let unknown = head(Presence::Unknown, count, 0, tgid());
            atomic::swap((&raw mut (*state).exe).cast(), unknown);
            atomic::store(&raw mut (*state).exe_class, 0);
            sticky::forget(state);
        }
        false
    }
}

const CLONE_PARENT: u64 = 0x8000;
const CLONE_THREAD: u64 = 0x1_0000;

/// The acting task is about to start `child`, under the image of that epoch;
/// `program`: what its program adds to what sticks to the child.
#[inline(always)]
pub(crate) fn forked(child: Task, flags: u64, epoch: u32, program: Bits) {
    // A task that is gone may have had the child's address.
    settled::forget(child);
    let state = storage(&TASK, current(), false);
    if !is_filled(state) {
        return;
    }
    let copied = storage_from(&TASK, child, state);
    if copied.is_null() {
        return;
    }
    let sibling = flags & (CLONE_THREAD | CLONE_PARENT) != 0;
    // SAFETY: both are map values; the child does not run yet.
    unsafe {
        sticky::fork(child, copied, epoch, (!sibling).then_some(program));
        let own = (*state).exe.long & 1 != 0;
        let parents = (*state).parent.long & 1 != 0;
        if own {
            long::inherit(child, Which::Own, Which::Own);
        }
        if sibling {
            if parents {
                long::inherit(child, Which::Parent, Which::Parent);
            }
            return;
        }
        (*copied).parent_class = (*state).exe_class;
        let into = (&raw mut (*copied).parent).cast();
        copy::<0xff>(into, (&raw const (*state).exe) as u64, EXE_BYTES);
        (*copied).parent.pid = tgid();
        bpf_get_current_comm((&raw mut (*copied).parent_comm).cast(), 16);
        if own {
            long::inherit(child, Which::Own, Which::Parent);
        }
    }
}
