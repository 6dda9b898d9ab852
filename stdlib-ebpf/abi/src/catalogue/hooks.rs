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

const fn enforced(id: HookId, description: &'static str, fields: &'static [FieldId]) -> HookInfo {
    HookInfo {
        id,
        description,
        fields,
        since: None,
        lowered: true,
    }
}

/// One that older kernels do not have.
const fn newer(
    id: HookId,
    description: &'static str,
    fields: &'static [FieldId],
    since: Since,
) -> HookInfo {
    let mut info = enforced(id, description, fields);
    info.since = Some(since);
    info
}

/// Indexed by hook number.
#[rustfmt::skip]
pub(super) const HOOKS: &[HookInfo] = &[
    enforced(HookId::FileOpen, "a file is opened", file![Access]),
    enforced(HookId::FileReceive, "a file descriptor arrives over a socket", file![]),
    enforced(HookId::FileLock, "a file is locked", file![]),
    enforced(HookId::FileIoctl, "ioctl(2) on a file", file![IoctlCmd]),
    newer(HookId::FileTruncate, "an open file is truncated", file![], (6, 2)),
    enforced(HookId::PathTruncate, "a file is truncated by its path", file![]),
    enforced(HookId::MmapFile, "memory is mapped, from a file or without one", file![Prot MmapFlags]),
    enforced(HookId::FileMprotect, "a mapping's protection changes", file![Prot VmaKind VmaStart VmaEnd]),
    enforced(HookId::BprmCheckSecurity, "a program, or a script's interpreter, is about to run", file![]),
    enforced(HookId::InodeGetattr, "a file's attributes are read", file![]),
    enforced(HookId::PathUnlink, "a file's name is removed", file![]),
    enforced(HookId::PathRmdir, "a directory is removed", file![]),
    enforced(HookId::PathMkdir, "a directory is made", &[Path, Mode]),
    enforced(HookId::PathMknod, "a file, device, fifo or socket is made", &[Path, Mode, FileType]),
    enforced(HookId::PathSymlink, "a symbolic link is made", &[Path, Target]),
    enforced(HookId::PathLink, "a file gets another name", file![NewPath]),
    enforced(HookId::PathRename, "a file is renamed", file![NewPath]),
    enforced(HookId::PathChmod, "a file's permission bits change", file![Mode]),
    enforced(HookId::PathChown, "a file's owner or group changes", file![OwnerUid OwnerGid]),
    enforced(HookId::PathChroot, "a task's root directory changes", file![]),
    enforced(
        HookId::SbMount,
        "something is mounted",
        &[
            Path, FileUid, FileGid, FileNlink, FileMode, FileType, FileRunning, FileOwned,
            FileIsExe, Source, Fs, MountFlags,
        ],
    ),
    enforced(HookId::SbUmount, "a file system is unmounted", &[Path, Fs]),
    enforced(HookId::SbRemount, "a file system's options change", &[Path, Fs]),
    enforced(HookId::MoveMount, "a mount is moved", &[Path, NewPath]),
    enforced(HookId::SbPivotroot, "the root file system is exchanged", &[Path, NewPath]),
    enforced(
        HookId::InodeSetxattr,
        "an extended attribute is set",
        &[
            Fs, FileUid, FileGid, FileNlink, FileMode, FileType, FileRunning, FileOwned,
            FileIsExe, Xattr,
        ],
    ),
    enforced(
        HookId::InodeRemovexattr,
        "an extended attribute is removed",
        &[
            Fs, FileUid, FileGid, FileNlink, FileMode, FileType, FileRunning, FileOwned,
            FileIsExe, Xattr,
        ],
    ),
    enforced(HookId::SocketCreate, "a socket is made", socket![]),
    enforced(HookId::SocketBind, "a socket is bound to an address", socket![Addr Port UnixPath]),
    enforced(HookId::SocketConnect, "a socket connects to an address", socket![Addr Port UnixPath]),
    enforced(HookId::SocketSendmsg, "a message is sent", socket![Addr Port UnixPath]),
    enforced(HookId::SocketListen, "a socket begins to listen", socket![]),
    enforced(HookId::SocketAccept, "a connection is accepted", socket![]),
    enforced(HookId::UnixStreamConnect, "a unix stream socket connects", &[UnixPath, Type]),
    enforced(HookId::UnixMaySend, "a unix datagram is sent", &[UnixPath, Type]),
    enforced(HookId::TaskKill, "a signal is sent", target![Signal]),
    enforced(HookId::PtraceAccessCheck, "a task inspects or traces another", target![PtraceMode]),
    enforced(HookId::PtraceTraceme, "a task asks its parent to trace it", target![]),
    enforced(HookId::TaskSetnice, "a task's nice value changes", target![]),
    enforced(HookId::TaskSetscheduler, "a task's scheduling changes", target![]),
    enforced(HookId::TaskSetrlimit, "a task's resource limit changes", target![Rlimit]),
    enforced(HookId::TaskFixSetuid, "a task changes its user ids", &[NewUid, NewEuid]),
    enforced(HookId::TaskFixSetgid, "a task changes its group ids", &[NewGid, NewEgid]),
    enforced(HookId::Capable, "a capability is used", &[Cap]),
    enforced(HookId::UsernsCreate, "a user namespace is made", &[]),
    enforced(HookId::Bpf, "bpf(2) is called", &[Cmd]),
    enforced(HookId::BpfMap, "a BPF map's descriptor is handed out", &[MapType]),
    newer(HookId::BpfMapCreate, "a BPF map is made", &[MapType], (6, 9)),
    enforced(HookId::BpfProg, "a BPF program's descriptor is handed out", &[ProgType]),
    newer(HookId::BpfProgLoad, "a BPF program is loaded", &[ProgType], (6, 9)),
    newer(HookId::BpfTokenCreate, "a BPF token is made", &[Path], (6, 9)),
    newer(HookId::BpfTokenCmd, "a BPF token is used for a command", &[Cmd], (6, 9)),
    newer(HookId::BpfTokenCapable, "a BPF token is used for a capability", &[Cap], (6, 9)),
    enforced(HookId::PerfEventOpen, "a performance event is opened", &[]),
    enforced(HookId::UringOverrideCreds, "an io_uring takes other credentials", &[]),
    enforced(HookId::UringSqpoll, "an io_uring gets a polling thread", &[]),
    enforced(HookId::UringCmd, "an io_uring passes a command to a file", &[]),
    enforced(HookId::KeyAlloc, "a key is made", &[]),
    enforced(HookId::Settime, "the clock is set", &[]),
    enforced(HookId::Quotactl, "quotas are changed or read", &[]),
    enforced(HookId::KernelModuleRequest, "the kernel asks for a module", &[Module]),
    enforced(HookId::KernelReadFile, "the kernel reads a file for its own use", file![KreadId]),
    enforced(HookId::KernelLoadData, "the kernel loads data that is no file", &[KreadId]),
    enforced(HookId::LockedDown, "something that lockdown restricts is tried", &[What]),
    enforced(HookId::Syslog, "the kernel's log is read or changed", &[SyslogType]),
];
