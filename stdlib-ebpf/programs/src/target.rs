//! The kind of object that is another task.

use lsmpc_abi::{Presence, field::FieldId};

use crate::{
    exe,
    globals::{OFF_CRED_UID, OFF_TASK_REAL_CRED, OFF_TASK_TGID},
    kind::{Kind, functions},
    maps::Slot,
    read::{pointer, read},
    subject,
};

const SIGNAL: u8 = FieldId::Signal as u8;
const PTRACE_MODE: u8 = FieldId::PtraceMode as u8;
const RLIMIT: u8 = FieldId::Rlimit as u8;
const TARGET_EXE: u8 = FieldId::TargetExe as u8;
const TARGET_COMM: u8 = FieldId::TargetComm as u8;
const TARGET_UID: u8 = FieldId::TargetUid as u8;
const TARGET_PID: u8 = FieldId::TargetPid as u8;

/// `PTRACE_MODE_READ | PTRACE_MODE_ATTACH`: the others say whose credentials count.
const MODES: u64 = 3;

/// Hooks about another task. Arguments: the task; what is done to it.
pub(crate) struct Targets;

impl Kind for Targets {
    const HAS_TARGET: bool = true;

    #[inline(always)]
    fn value(slot: &mut Slot, field: u8) {
        let [task, argument, ..] = slot.arguments;
        let value: Option<u32> = match field {
            SIGNAL | RLIMIT => Some(argument as u32),
            PTRACE_MODE => Some((argument & MODES) as u32),
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

functions!(
    Targets,
    lsmpc_target_value,
    lsmpc_target_text,
    lsmpc_target_record
);
