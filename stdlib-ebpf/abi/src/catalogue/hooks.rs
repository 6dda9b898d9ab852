//! The hooks (LANGUAGE §7).
//!
//! Owns which object fields a hook has and from which kernel on there is one.

use super::{HookInfo, Since};
use crate::field::FieldId::{self, *};
use crate::hook::HookId;

/// The fields that LANGUAGE §7 calls FILE, and then some.
macro_rules! file {
    ($($more:ident)*) => {
        &[
            Path, Fs, FileUid, FileGid, FileNlink, FileMode, FileType, FileRunning, FileOwned,
            FileIsExe, $($more,)*
        ]
    };
}

/// The fields of a socket, and then some.
macro_rules! socket {
    ($($more:ident)*) => { &[Family, Type, Protocol, $($more,)*] };
}

/// The fields that LANGUAGE §7 calls TARGET, after some.
macro_rules! target {
    ($($first:ident)*) => { &[$($first,)* TargetExe, TargetComm, TargetUid, TargetPid] };
}

const fn all(id: HookId, description: &'static str, fields: &'static [FieldId]) -> HookInfo {
    HookInfo {
        id,
        description,
        fields,
        since: None,
    }
}

/// One that older kernels do not have.
const fn newer(
    id: HookId,
    description: &'static str,
    fields: &'static [FieldId],
    since: Since,
) -> HookInfo {
    let mut info = all(id, description, fields);
    info.since = Some(since);
    info
}

/// Indexed by hook number.
#[rustfmt::skip]
pub(super) const HOOKS: &[HookInfo] = &[
    all(HookId::FileOpen, "a file is opened", file![Access]),
    all(HookId::FileReceive, "a file descriptor arrives over a socket", file![]),
    all(HookId::FileLock, "a file is locked", file![]),
    all(HookId::FileIoctl, "ioctl(2) on a file", file![IoctlCmd]),
    newer(HookId::FileTruncate, "an open file is truncated", file![], (6, 2)),
    all(HookId::PathTruncate, "a file is truncated by its path", file![]),
    all(HookId::MmapFile, "memory is mapped, from a file or without one", file![Prot MmapFlags]),
    all(HookId::FileMprotect, "a mapping's protection changes", file![Prot VmaKind VmaStart VmaEnd]),
    all(HookId::BprmCheckSecurity, "a program, or a script's interpreter, is about to run", file![]),
    all(HookId::InodeGetattr, "a file's attributes are read", file![]),
    all(HookId::PathUnlink, "a file's name is removed", file![]),
    all(HookId::PathRmdir, "a directory is removed", file![]),
    all(HookId::PathMkdir, "a directory is made", &[Path, Mode]),
    all(HookId::PathMknod, "a file, device, fifo or socket is made", &[Path, Mode, FileType]),
    all(HookId::PathSymlink, "a symbolic link is made", &[Path, Target]),
    all(HookId::PathLink, "a file gets another name", file![NewPath]),
    all(HookId::PathRename, "a file is renamed", file![NewPath NewFileRunning]),
    all(HookId::PathChmod, "a file's permission bits change", file![Mode]),
    all(HookId::PathChown, "a file's owner or group changes", file![OwnerUid OwnerGid]),
    all(HookId::PathChroot, "a task's root directory changes", file![]),
    all(
        HookId::SbMount,
        "something is mounted",
        &[
            Path, FileUid, FileGid, FileNlink, FileMode, FileType, FileRunning, FileOwned,
            FileIsExe, Source, Fs, MountFlags,
        ],
    ),
    all(HookId::SbUmount, "a file system is unmounted", &[Path, Fs]),
    all(HookId::SbRemount, "a file system's options change", &[Path, Fs]),
    all(HookId::MoveMount, "a mount is moved", &[Path, NewPath]),
    all(HookId::SbPivotroot, "the root file system is exchanged", &[Path, NewPath]),
    all(
        HookId::InodeSetxattr,
        "an extended attribute is set",
        &[
            Fs, FileUid, FileGid, FileNlink, FileMode, FileType, FileRunning, FileOwned,
            FileIsExe, Xattr,
        ],
    ),
    all(
        HookId::InodeRemovexattr,
        "an extended attribute is removed",
        &[
            Fs, FileUid, FileGid, FileNlink, FileMode, FileType, FileRunning, FileOwned,
            FileIsExe, Xattr,
        ],
    ),
    all(HookId::SocketCreate, "a socket is made", socket![]),
    all(HookId::SocketBind, "a socket is bound to an address", socket![Addr Port UnixPath]),
    all(HookId::SocketConnect, "a socket connects to an address", socket![Addr Port UnixPath]),
    all(HookId::SocketSendmsg, "a message is sent", socket![Addr Port UnixPath]),
    all(HookId::SocketListen, "a socket begins to listen", socket![]),
    all(HookId::SocketAccept, "a connection is accepted", socket![]),
    all(HookId::UnixStreamConnect, "a unix stream socket connects", &[UnixPath, Type]),
    all(HookId::UnixMaySend, "a unix datagram is sent", &[UnixPath, Type]),
    all(HookId::TaskKill, "a signal is sent", target![Signal]),
    all(HookId::PtraceAccessCheck, "a task inspects or traces another", target![PtraceMode]),
    all(HookId::PtraceTraceme, "a task asks its parent to trace it", target![]),
    all(HookId::TaskSetnice, "a task's nice value changes", target![]),
    all(HookId::TaskSetscheduler, "a task's scheduling changes", target![]),
    all(HookId::TaskSetrlimit, "a task's resource limit changes", target![Rlimit]),
    all(HookId::TaskFixSetuid, "a task changes its user ids", &[NewUid, NewEuid]),
    all(HookId::TaskFixSetgid, "a task changes its group ids", &[NewGid, NewEgid]),
    all(HookId::Capable, "a capability is used", &[Cap]),
    all(HookId::UsernsCreate, "a user namespace is made", &[]),
    all(HookId::Bpf, "bpf(2) is called", &[Cmd]),
    all(HookId::BpfMap, "a BPF map's descriptor is handed out", &[MapType]),
    newer(HookId::BpfMapCreate, "a BPF map is made", &[MapType], (6, 9)),
    all(HookId::BpfProg, "a BPF program's descriptor is handed out", &[ProgType]),
    newer(HookId::BpfProgLoad, "a BPF program is loaded", &[ProgType], (6, 9)),
    newer(HookId::BpfTokenCreate, "a BPF token is made", &[Path], (6, 9)),
    newer(HookId::BpfTokenCmd, "a BPF token is used for a command", &[Cmd], (6, 9)),
    newer(HookId::BpfTokenCapable, "a BPF token is used for a capability", &[Cap], (6, 9)),
    all(HookId::PerfEventOpen, "a performance event is opened", &[]),
    all(HookId::UringOverrideCreds, "an io_uring takes other credentials", &[]),
    all(HookId::UringSqpoll, "an io_uring gets a polling thread", &[]),
    all(HookId::UringCmd, "an io_uring passes a command to a file", &[]),
    all(HookId::KeyAlloc, "a key is made", &[]),
    all(HookId::Settime, "the clock is set", &[]),
    all(HookId::Quotactl, "quotas are changed or read", &[]),
    all(HookId::KernelModuleRequest, "the kernel asks for a module", &[Module]),
    all(HookId::KernelReadFile, "the kernel reads a file for its own use", file![KreadId]),
    all(HookId::KernelLoadData, "the kernel loads data that is no file", &[KreadId]),
    all(HookId::LockedDown, "something that lockdown restricts is tried", &[What]),
    all(HookId::Syslog, "the kernel's log is read or changed", &[SyslogType]),
];
