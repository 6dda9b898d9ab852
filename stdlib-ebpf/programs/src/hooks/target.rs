//! Hooks about other tasks.

use crate::{
    kind::{as_given, programs},
    maps::Arguments,
    target::Targets,
};

programs! {
    /// A signal is being sent to a task.
    task_kill = "lsm/task_kill", TaskKill(3) => Targets, third;
    /// A task looks into another one, or begins to trace it.
    ptrace_access_check = "lsm/ptrace_access_check", PtraceAccessCheck(2) => Targets, as_given;
    /// A task asks its parent to trace it.
    ptrace_traceme = "lsm/ptrace_traceme", PtraceTraceme(1) => Targets, as_given;
    /// A task's nice value changes.
    task_setnice = "lsm/task_setnice", TaskSetnice(1) => Targets, as_given;
    /// A task's scheduling changes.
    task_setscheduler = "lsm/task_setscheduler", TaskSetscheduler(1) => Targets, as_given;
    /// A resource limit of a task changes; which one is the second argument.
    task_setrlimit = "lsm/task_setrlimit", TaskSetrlimit(2) => Targets, as_given;
}

/// From (task, …, signal).
#[inline(always)]
fn third(arguments: &mut Arguments) {
    arguments[1] = arguments[2];
}
