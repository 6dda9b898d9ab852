//! The fields (LANGUAGE §7).
//!
//! Owns their types, descriptions and which list of enumerators each takes.

use super::enumerators as of;
use super::kernel_lists as kernel;
use super::{Enumerator, FieldInfo, FieldType, IdKind};
use crate::field::FieldId as F;

const U32: u64 = u32::MAX as u64;
/// Process ids are positive `int`s.
const PIDS: u64 = i32::MAX as u64;

const PATH: FieldType = FieldType::Path;
const NAME: FieldType = FieldType::Name;
const FLAGS: FieldType = FieldType::Flags;
const BOOL: FieldType = FieldType::Bool;
const ENUM: FieldType = FieldType::Enum { max: Some(U32) };
const BY_NAME: FieldType = FieldType::Enum { max: None };
const PID: FieldType = int(PIDS);
const UID: FieldType = id(IdKind::User);
const GID: FieldType = id(IdKind::Group);

const fn int(max: u64) -> FieldType {
    FieldType::Int { max, id: None }
}

const fn id(kind: IdKind) -> FieldType {
    FieldType::Int {
        max: U32,
        id: Some(kind),
    }
}

const fn enforced(id: F, ty: FieldType, description: &'static str) -> FieldInfo {
    FieldInfo {
        id,
        ty,
        description,
        enumerators: &[],
        since: None,
        lowered: true,
    }
}

const fn known(id: F, ty: FieldType, description: &'static str) -> FieldInfo {
    let mut info = enforced(id, ty, description);
    info.lowered = false;
    info
}

const fn with(mut info: FieldInfo, enumerators: &'static [Enumerator]) -> FieldInfo {
    info.enumerators = enumerators;
    info
}

/// Flags without names: which bit is what is the image's to say.
pub(super) const STICKY: FieldInfo = enforced(F::Sticky, FLAGS, "what sticks to the task");

/// Indexed by field number.
#[rustfmt::skip]
pub(super) const FIELDS: &[FieldInfo] = &[
    enforced(F::Exe, PATH, "path of the running program, as it was when executed"),
    enforced(F::Comm, NAME, "the task's name, at most 15 bytes"),
    enforced(F::Pid, PID, "process id (of the thread group)"),
    enforced(F::Uid, UID, "real user id"),
    enforced(F::Gid, GID, "real group id"),
    enforced(F::Euid, UID, "effective user id"),
    enforced(F::Egid, GID, "effective group id"),
    with(enforced(F::Auid, UID, "login user id, or `unset`"), of::UNSET),
    enforced(F::Cgroup, PATH, "path in the cgroup-v2 tree"),
    with(enforced(F::Caps, FLAGS, "effective capabilities"), of::CAPABILITY_BITS),
    enforced(F::Containerized, BOOL, "the pid namespace is not the initial one"),
    enforced(F::InitialMntns, BOOL, "the mount namespace is the initial one"),
    enforced(F::ParentExe, PATH, "the parent's program, as it was at fork"),
    enforced(F::AncestorExe, PATH, "the program of some ancestor, at any depth"),
    enforced(F::ParentComm, NAME, "the parent's name, as it was at fork"),
    enforced(F::Path, PATH, "path of the object"),
    enforced(F::NewPath, PATH, "the second path: the new name, the new place"),
    enforced(F::Fs, NAME, "type of the file system, as /proc/filesystems spells it"),
    enforced(F::FileUid, UID, "owner of the file"),
    enforced(F::FileGid, GID, "group of the file"),
    enforced(F::FileNlink, int(U32), "number of the file's hard links"),
    with(enforced(F::FileMode, FieldType::Mode, "permission bits of the file"), of::MODE),
    with(enforced(F::FileType, BY_NAME, "type of the file"), of::FILE_TYPE),
    enforced(F::FileRunning, BOOL, "some task executes the file"),
    enforced(F::FileOwned, BOOL, "the file's owner is the task's file system user id"),
    enforced(F::FileIsExe, BOOL, "the file is the one the task executes"),
    with(enforced(F::Access, FLAGS, "what the file is opened for"), of::ACCESS),
    enforced(F::IoctlCmd, int(U32), "number of the ioctl"),
    with(enforced(F::Prot, FLAGS, "protection asked for"), of::PROT),
    with(enforced(F::MmapFlags, FLAGS, "flags of the mapping"), of::MAP),
    with(enforced(F::VmaKind, BY_NAME, "what the mapping is"), of::VMA_KIND),
    enforced(F::VmaStart, int(u64::MAX), "first address of the mapping"),
    enforced(F::VmaEnd, int(u64::MAX), "address behind the mapping"),
    with(enforced(F::Mode, FieldType::Mode, "permission bits asked for"), of::MODE),
    enforced(F::Target, NAME, "what the symbolic link is to hold"),
    enforced(F::OwnerUid, UID, "the new owner; none if unchanged"),
    enforced(F::OwnerGid, GID, "the new group; none if unchanged"),
    enforced(F::Source, NAME, "what is to be mounted, as given"),
    with(enforced(F::MountFlags, FLAGS, "flags of the mount"), of::MOUNT),
    enforced(F::Xattr, NAME, "name of the extended attribute"),
    with(enforced(F::Family, ENUM, "address family of the socket"), of::FAMILIES),
    with(enforced(F::Type, ENUM, "type of the socket"), of::SOCKET_TYPES),
    with(enforced(F::Protocol, ENUM, "protocol of the socket"), of::PROTOCOLS),
    enforced(F::Addr, FieldType::Address, "IPv4 or IPv6 address"),
    enforced(F::Port, int(65_535), "port"),
    enforced(F::UnixPath, PATH, "path of a unix socket; abstract ones begin with `@`"),
    with(enforced(F::Signal, FieldType::Enum { max: Some(64) }, "the signal; 0 only asks whether it could be sent"), of::SIGNALS),
    enforced(F::TargetExe, PATH, "the target task's program"),
    enforced(F::TargetComm, NAME, "the target task's name, at most 15 bytes"),
    enforced(F::TargetUid, UID, "the target task's real user id"),
    enforced(F::TargetPid, PID, "the target task's process id"),
    with(enforced(F::PtraceMode, FLAGS, "how the target is accessed"), of::PTRACE_MODE),
    with(enforced(F::Rlimit, ENUM, "which limit changes"), of::RLIMITS),
    enforced(F::NewUid, UID, "the real user id to be"),
    enforced(F::NewEuid, UID, "the effective user id to be"),
    enforced(F::NewGid, GID, "the real group id to be"),
    enforced(F::NewEgid, GID, "the effective group id to be"),
    with(enforced(F::Cap, FieldType::Enum { max: Some(63) }, "the capability"), of::CAPABILITIES),
    with(enforced(F::Cmd, ENUM, "the command of bpf(2)"), kernel::BPF_COMMANDS),
    with(enforced(F::MapType, ENUM, "type of the BPF map"), kernel::BPF_MAP_TYPES),
    with(enforced(F::ProgType, ENUM, "type of the BPF program"), kernel::BPF_PROG_TYPES),
    enforced(F::Module, NAME, "the module asked for"),
    with(enforced(F::KreadId, BY_NAME, "what the kernel reads or loads"), kernel::KERNEL_READ),
    with(enforced(F::What, BY_NAME, "what lockdown would restrict"), kernel::LOCKDOWN),
    with(enforced(F::SyslogType, ENUM, "what is done to the log"), kernel::SYSLOG),
];
