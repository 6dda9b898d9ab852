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

const fn known(
    id: HookId,
    description: &'static str,
    fields: &'static [FieldId],
    since: Option<Since>,
) -> HookInfo {
    HookInfo {
        id,
        description,
        fields,
        since,
        lowered: false,
    }
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

/// Indexed by hook number.
#[rustfmt::skip]
pub(super) const HOOKS: &[HookInfo] = &[
    enforced(HookId::FileOpen, "a file is opened", file![Access]),
    known(HookId::FileReceive, "a file descriptor arrives over a socket", file![], None),
    known(HookId::FileLock, "a file is locked", file![], None),
    known(HookId::FileIoctl, "ioctl(2) on a file", file![IoctlCmd], None),
    known(HookId::FileTruncate, "an open file is truncated", file![], Some((6, 2))),
    known(HookId::PathTruncate, "a file is truncated by its path", file![], None),
    enforced(HookId::MmapFile, "memory is mapped, from a file or without one", file![Prot MmapFlags]),
    known(HookId::FileMprotect, "a mapping's protection changes", file![Prot VmaKind VmaStart VmaEnd], None),
    enforced(HookId::BprmCheckSecurity, "a program, or a script's interpreter, is about to run", file![]),
    known(HookId::InodeGetattr, "a file's attributes are read", file![], None),
    enforced(HookId::PathUnlink, "a file's name is removed", file![]),
    known(HookId::PathRmdir, "a directory is removed", file![], None),
    known(HookId::PathMkdir, "a directory is made", &[Path, Mode], None),
    known(HookId::PathMknod, "a file, device, fifo or socket is made", &[Path, Mode, FileType], None),
    known(HookId::PathSymlink, "a symbolic link is made", &[Path, Target], None),
    known(HookId::PathLink, "a file gets another name", file![NewPath], None),
    enforced(HookId::PathRename, "a file is renamed", file![NewPath]),
    known(HookId::PathChmod, "a file's permission bits change", file![Mode], None),
    known(HookId::PathChown, "a file's owner or group changes", file![OwnerUid OwnerGid], None),
    known(HookId::PathChroot, "a task's root directory changes", file![], None),
    known(
        HookId::SbMount,
        "something is mounted",
        &[
            Path, FileUid, FileGid, FileNlink, FileMode, FileType, FileRunning, FileOwned,
            FileIsExe, Source, Fs, MountFlags,
        ],
        None,
    ),
    known(HookId::SbUmount, "a file system is unmounted", &[Path, Fs], None),
    known(HookId::SbRemount, "a file system's options change", &[Path, Fs], None),
    known(HookId::MoveMount, "a mount is moved", &[Path, NewPath], None),
    known(HookId::SbPivotroot, "the root file system is exchanged", &[Path, NewPath], None),
    known(
        HookId::InodeSetxattr,
        "an extended attribute is set",
        &[
            Fs, FileUid, FileGid, FileNlink, FileMode, FileType, FileRunning, FileOwned,
            FileIsExe, Xattr,
        ],
        None,
    ),
    known(
        HookId::InodeRemovexattr,
        "an extended attribute is removed",
        &[
            Fs, FileUid, FileGid, FileNlink, FileMode, FileType, FileRunning, FileOwned,
            FileIsExe, Xattr,
        ],
        None,
    ),
    known(HookId::SocketCreate, "a socket is made", socket![], None),
    enforced(HookId::SocketBind, "a socket is bound to an address", socket![Addr Port UnixPath]),
    enforced(HookId::SocketConnect, "a socket connects to an address", socket![Addr Port UnixPath]),
    known(HookId::SocketSendmsg, "a message is sent", socket![Addr Port UnixPath], None),
    known(HookId::SocketListen, "a socket begins to listen", socket![], None),
    known(HookId::SocketAccept, "a connection is accepted", socket![], None),
    known(HookId::UnixStreamConnect, "a unix stream socket connects", &[UnixPath, Type], None),
    known(HookId::UnixMaySend, "a unix datagram is sent", &[UnixPath, Type], None),
    enforced(HookId::TaskKill, "a signal is sent", target![Signal]),
    known(HookId::PtraceAccessCheck, "a task inspects or traces another", target![PtraceMode], None),
    known(HookId::PtraceTraceme, "a task asks its parent to trace it", target![], None),
    known(HookId::TaskSetnice, "a task's nice value changes", target![], None),
    known(HookId::TaskSetscheduler, "a task's scheduling changes", target![], None),
    known(HookId::TaskSetrlimit, "a task's resource limit changes", target![Rlimit], None),
    known(HookId::TaskFixSetuid, "a task changes its user ids", &[NewUid, NewEuid], None),
    known(HookId::TaskFixSetgid, "a task changes its group ids", &[NewGid, NewEgid], None),
    known(HookId::Capable, "a capability is used", &[Cap], None),
    known(HookId::UsernsCreate, "a user namespace is made", &[], None),
    known(HookId::Bpf, "bpf(2) is called", &[Cmd], None),
    known(HookId::BpfMap, "a BPF map's descriptor is handed out", &[MapType], None),
    known(HookId::BpfMapCreate, "a BPF map is made", &[MapType], Some((6, 9))),
    known(HookId::BpfProg, "a BPF program's descriptor is handed out", &[ProgType], None),
    known(HookId::BpfProgLoad, "a BPF program is loaded", &[ProgType], Some((6, 9))),
    known(HookId::BpfTokenCreate, "a BPF token is made", &[Path], Some((6, 9))),
    known(HookId::BpfTokenCmd, "a BPF token is used for a command", &[Cmd], Some((6, 9))),
    known(HookId::BpfTokenCapable, "a BPF token is used for a capability", &[Cap], Some((6, 9))),
    known(HookId::PerfEventOpen, "a performance event is opened", &[], None),
    known(HookId::UringOverrideCreds, "an io_uring takes other credentials", &[], None),
    known(HookId::UringSqpoll, "an io_uring gets a polling thread", &[], None),
    known(HookId::UringCmd, "an io_uring passes a command to a file", &[], None),
    known(HookId::KeyAlloc, "a key is made", &[], None),
    known(HookId::Settime, "the clock is set", &[], None),
    known(HookId::Quotactl, "quotas are changed or read", &[], None),
    known(HookId::KernelModuleRequest, "the kernel asks for a module", &[Module], None),
    known(HookId::KernelReadFile, "the kernel reads a file for its own use", file![KreadId], None),
    known(HookId::KernelLoadData, "the kernel loads data that is no file", &[KreadId], None),
    known(HookId::LockedDown, "something that lockdown restricts is tried", &[What], None),
    known(HookId::Syslog, "the kernel's log is read or changed", &[SyslogType], None),
];
