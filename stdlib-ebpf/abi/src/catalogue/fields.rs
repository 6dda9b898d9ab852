//! The fields (LANGUAGE §7).
//!
//! Owns their types, descriptions and which list of enumerators each takes.

use super::enumerators as of;
use super::kernel_lists as kernel;
use super::{Enumerator, FieldInfo, FieldType, IdKind, Since};
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

const fn plain(id: F, ty: FieldType, description: &'static str) -> FieldInfo {
    FieldInfo {
        id,
        ty,
        description,
        enumerators: &[],
        since: None,
        gaps: &[],
    }
}

const fn with(mut info: FieldInfo, enumerators: &'static [Enumerator]) -> FieldInfo {
    info.enumerators = enumerators;
    info
}

/// A field that one kernel in between cannot tell.
const fn without(mut info: FieldInfo, gaps: &'static [Since]) -> FieldInfo {
    info.gaps = gaps;
    info
}

/// Linux 6.11 let files be written that are executed, so that no inode tells whether it
/// is. (The first releases of 6.12 did, too.)
const UNMARKED: &[Since] = &[(6, 11)];

/// Flags without names: which bit is what is the image's to say.
pub(super) const STICKY: FieldInfo = plain(F::Sticky, FLAGS, "what sticks to the task");

/// Indexed by field number.
#[rustfmt::skip]
pub(super) const FIELDS: &[FieldInfo] = &[
    plain(F::Exe, PATH, "path of the running program, as it was when executed"),
    plain(F::Comm, NAME, "the task's name, at most 15 bytes"),
    plain(F::Pid, PID, "process id (of the thread group)"),
    plain(F::Uid, UID, "real user id"),
    plain(F::Gid, GID, "real group id"),
    plain(F::Euid, UID, "effective user id"),
    plain(F::Egid, GID, "effective group id"),
    with(plain(F::Auid, UID, "login user id, or `unset`"), of::UNSET),
    plain(F::Cgroup, PATH, "path in the cgroup-v2 tree"),
    with(plain(F::Caps, FLAGS, "effective capabilities"), of::CAPABILITY_BITS),
    plain(F::Containerized, BOOL, "the pid namespace is not the initial one"),
    plain(F::InitialMntns, BOOL, "the mount namespace is the initial one"),
    plain(F::ParentExe, PATH, "the parent's program, as it was at fork"),
    plain(F::AncestorExe, PATH, "the program of some ancestor, at any depth"),
    plain(F::ParentComm, NAME, "the parent's name, as it was at fork"),
    plain(F::Path, PATH, "path of the object"),
    plain(F::NewPath, PATH, "the second path: the new name, the new place"),
    plain(F::Fs, NAME, "type of the file system, as /proc/filesystems spells it"),
    plain(F::FileUid, UID, "owner of the file"),
    plain(F::FileGid, GID, "group of the file"),
    plain(F::FileNlink, int(U32), "number of the file's hard links"),
    with(plain(F::FileMode, FieldType::Mode, "permission bits of the file"), of::MODE),
    with(plain(F::FileType, BY_NAME, "type of the file"), of::FILE_TYPE),
    without(plain(F::FileRunning, BOOL, "some task executes the file"), UNMARKED),
    plain(F::FileOwned, BOOL, "the file's owner is the task's file system user id"),
    plain(F::FileIsExe, BOOL, "the file is the one the task executes"),
    with(plain(F::Access, FLAGS, "what the file is opened for"), of::ACCESS),
    plain(F::IoctlCmd, int(U32), "number of the ioctl"),
    with(plain(F::Prot, FLAGS, "protection asked for"), of::PROT),
    with(plain(F::MmapFlags, FLAGS, "flags of the mapping"), of::MAP),
    with(plain(F::VmaKind, BY_NAME, "what the mapping is"), of::VMA_KIND),
    plain(F::VmaStart, int(u64::MAX), "first address of the mapping"),
    plain(F::VmaEnd, int(u64::MAX), "address behind the mapping"),
    with(plain(F::Mode, FieldType::Mode, "permission bits asked for"), of::MODE),
    plain(F::Target, NAME, "what the symbolic link is to hold"),
    plain(F::OwnerUid, UID, "the new owner; none if unchanged"),
    plain(F::OwnerGid, GID, "the new group; none if unchanged"),
    plain(F::Source, NAME, "what is to be mounted, as given"),
    with(plain(F::MountFlags, FLAGS, "flags of the mount"), of::MOUNT),
    plain(F::Xattr, NAME, "name of the extended attribute"),
    with(plain(F::Family, ENUM, "address family of the socket"), of::FAMILIES),
    with(plain(F::Type, ENUM, "type of the socket"), of::SOCKET_TYPES),
    with(plain(F::Protocol, ENUM, "protocol of the socket"), of::PROTOCOLS),
    plain(F::Addr, FieldType::Address, "IPv4 or IPv6 address"),
    plain(F::Port, int(65_535), "port"),
    plain(F::UnixPath, PATH, "path of a unix socket; abstract ones begin with `@`"),
    with(plain(F::Signal, FieldType::Enum { max: Some(64) }, "the signal; 0 only asks whether it could be sent"), of::SIGNALS),
    plain(F::TargetExe, PATH, "the target task's program"),
    plain(F::TargetComm, NAME, "the target task's name, at most 15 bytes"),
    plain(F::TargetUid, UID, "the target task's real user id"),
    plain(F::TargetPid, PID, "the target task's process id"),
    with(plain(F::PtraceMode, FLAGS, "how the target is accessed"), of::PTRACE_MODE),
    with(plain(F::Rlimit, ENUM, "which limit changes"), of::RLIMITS),
    plain(F::NewUid, UID, "the real user id to be"),
    plain(F::NewEuid, UID, "the effective user id to be"),
    plain(F::NewGid, GID, "the real group id to be"),
    plain(F::NewEgid, GID, "the effective group id to be"),
    with(plain(F::Cap, FieldType::Enum { max: Some(63) }, "the capability"), of::CAPABILITIES),
    with(plain(F::Cmd, ENUM, "the command of bpf(2)"), kernel::BPF_COMMANDS),
    with(plain(F::MapType, ENUM, "type of the BPF map"), kernel::BPF_MAP_TYPES),
    with(plain(F::ProgType, ENUM, "type of the BPF program"), kernel::BPF_PROG_TYPES),
    plain(F::Module, NAME, "the module asked for"),
    with(plain(F::KreadId, BY_NAME, "what the kernel reads or loads"), kernel::KERNEL_READ),
    with(plain(F::What, BY_NAME, "what lockdown would restrict"), kernel::LOCKDOWN),
    with(plain(F::SyslogType, ENUM, "what is done to the log"), kernel::SYSLOG),
    without(plain(F::NewFileRunning, BOOL, "some task executes the file that has the new name so far; none if there is no such file"), UNMARKED),
];
