//! `task_kill(p, info, sig, cred)`.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use lsmpc_abi::{Presence, field::FieldId, hook::HookId};

use crate::{
    event::{Object, decide, functions},
    exe,
    globals::{OFF_CRED_UID, OFF_TASK_REAL_CRED, OFF_TASK_TGID},
    maps::Slot,
    read::{pointer, read},
    subject,
};

const SIGNAL: u8 = FieldId::Signal as u8;
const TARGET_EXE: u8 = FieldId::TargetExe as u8;
const TARGET_COMM: u8 = FieldId::TargetComm as u8;
const TARGET_UID: u8 = FieldId::TargetUid as u8;
const TARGET_PID: u8 = FieldId::TargetPid as u8;

struct Kill;

impl Object for Kill {
    const HOOK: HookId = HookId::TaskKill;
    const VALUES: &'static [FieldId] = &[FieldId::Signal, FieldId::TargetUid, FieldId::TargetPid];
    const TEXTS: &'static [FieldId] = &[FieldId::TargetExe, FieldId::TargetComm];
    const HAS_TARGET: bool = true;

    #[inline(always)]
    fn value(slot: &mut Slot, field: u8) {
        let [task, _, signal, ..] = slot.arguments;
        let value: Option<u32> = match field {
            SIGNAL => Some(signal as u32),
            TARGET_UID => read(pointer(task + OFF_TASK_REAL_CRED.get()) + OFF_CRED_UID.get()),
            TARGET_PID => read(task + OFF_TASK_TGID.get()),
            _ => None,
        };
        subject::answer(&mut slot.work, value.map(u64::from));
    }

    #[inline(always)]
    fn text(slot: &mut Slot, field: u8) -> Presence {
        let task = slot.arguments[0];
        match field {
            TARGET_EXE => exe::target_path(slot, task),
            TARGET_COMM => subject::comm(slot, task),
            _ => Presence::Unknown,
        }
    }
}

functions!(Kill, task_kill_value, task_kill_text, task_kill_record);

/// A signal is being sent to a task.
#[lsm(hook = "task_kill")]
fn task_kill(ctx: LsmContext) -> i32 {
    decide::<Kill, 4>(&ctx)
}
