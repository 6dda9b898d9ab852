//! Hooks about the kernel itself: privileges, modules, BPF, lockdown.

use crate::{
    kind::{as_given, programs},
    maps::Arguments,
    plain::Plain,
};

programs! {
    /// A task's user ids change; the first argument are its credentials to be.
    task_fix_setuid = "lsm/task_fix_setuid", TaskFixSetuid(1) => Plain, as_given;
    /// A task's group ids change.
    task_fix_setgid = "lsm/task_fix_setgid", TaskFixSetgid(1) => Plain, as_given;
    /// A capability is asked for. Often: several times in some system calls.
    capable = "lsm/capable", Capable(3) => Plain, third;
    /// A user namespace is being made.
    userns_create = "lsm/userns_create", UsernsCreate(0) => Plain, as_given;
    /// bpf(2).
    bpf = "lsm/bpf", Bpf(1) => Plain, as_given;
    /// A descriptor of a BPF map is given out.
    bpf_map = "lsm/bpf_map", BpfMap(1) => Plain, as_given;
    /// A BPF map is being made.
    bpf_map_create = "lsm/bpf_map_create", BpfMapCreate(1) => Plain, as_given;
    /// A descriptor of a BPF program is given out.
    bpf_prog = "lsm/bpf_prog", BpfProg(1) => Plain, as_given;
    /// A BPF program is being loaded.
    bpf_prog_load = "lsm/bpf_prog_load", BpfProgLoad(1) => Plain, as_given;
    /// A BPF token stands in for a command's privilege.
    bpf_token_cmd = "lsm/bpf_token_cmd", BpfTokenCmd(2) => Plain, second;
    /// A BPF token stands in for a capability.
    bpf_token_capable = "lsm/bpf_token_capable", BpfTokenCapable(2) => Plain, second;
    /// A performance event is being opened.
    perf_event_open = "lsm/perf_event_open", PerfEventOpen(0) => Plain, as_given;
    /// An io_uring request is to run with other credentials.
    uring_override_creds = "lsm/uring_override_creds", UringOverrideCreds(0) => Plain, as_given;
    /// An io_uring gets a thread that polls.
    uring_sqpoll = "lsm/uring_sqpoll", UringSqpoll(0) => Plain, as_given;
    /// An io_uring passes a command to a file.
    uring_cmd = "lsm/uring_cmd", UringCmd(0) => Plain, as_given;
    /// A key is being made.
    key_alloc = "lsm/key_alloc", KeyAlloc(0) => Plain, as_given;
    /// The clock is being set.
    settime = "lsm/settime", Settime(0) => Plain, as_given;
    /// Quotas.
    quotactl = "lsm/quotactl", Quotactl(0) => Plain, as_given;
    /// The kernel asks user space for a module.
    kernel_module_request = "lsm/kernel_module_request", KernelModuleRequest(1) => Plain, as_given;
    /// The kernel loads something that is no file.
    kernel_load_data = "lsm/kernel_load_data", KernelLoadData(1) => Plain, as_given;
    /// Something that lockdown restricts.
    locked_down = "lsm/locked_down", LockedDown(1) => Plain, as_given;
    /// The kernel's log.
    syslog = "lsm/syslog", Syslog(1) => Plain, as_given;
}

/// From (…, number).
#[inline(always)]
fn second(arguments: &mut Arguments) {
    arguments[0] = arguments[1];
}

/// From (…, …, number).
#[inline(always)]
fn third(arguments: &mut Arguments) {
    arguments[0] = arguments[2];
}
