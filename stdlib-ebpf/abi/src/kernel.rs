//! What the programs need to know of the running kernel, and the numbers that
//! they make of it.
//!
//! Every structure offset that a program reads is a `.rodata` constant of the
//! object (u32, [`UNSET`] in the file). The loader resolves [`OFFSETS`] from the
//! running kernel's BTF and overrides each. Where a kernel lacks the member, the fields
//! that are read from it are unknown, or, if it is not for some fields alone, every
//! program that reads it is left out: the verifier would refuse it.

use crate::field::FieldId;

/// Value of an offset that nobody has set.
pub const UNSET: u32 = u32::MAX;

/// One offset: where, in bytes, the last member of `path` lies in `structure`.
/// Members are looked for in anonymous structs and unions too; the names after
/// the first are members of the (embedded) type before. `a|b`: the member that
/// older kernels call `a` and newer ones `b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// The constant's symbol in the object.
    pub global: &'static str,
    /// The structure.
    pub structure: &'static str,
    /// The way to the member.
    pub path: &'static [&'static str],
    /// The fields that are read from it and from nothing else: unknown without it. If
    /// there are none, programs that read it cannot do without.
    pub tells: &'static [FieldId],
}

/// Calls the macro `$with` with the list of all offsets.
#[macro_export]
macro_rules! kernel_offsets {
    ($with:ident) => {
        $with! {
            OFF_FILE_PATH "file" ["f_path"],
            OFF_FILE_INODE "file" ["f_inode"],
            OFF_FILE_FLAGS "file" ["f_flags"],
            OFF_FILE_MODE "file" ["f_mode"],
            OFF_PATH_MNT "path" ["mnt"],
            OFF_PATH_DENTRY "path" ["dentry"],
            OFF_DENTRY_SEQ "dentry" ["d_seq"],
            OFF_DENTRY_PARENT "dentry" ["d_parent"],
            OFF_DENTRY_LEN "dentry" ["d_name", "len"],
            OFF_DENTRY_NAME "dentry" ["d_name", "name"],
            OFF_DENTRY_INLINE "dentry" ["d_iname|d_shortname"],
            OFF_DENTRY_FLAGS "dentry" ["d_flags"],
            OFF_DENTRY_INODE "dentry" ["d_inode"],
            OFF_DENTRY_SB "dentry" ["d_sb"],
            OFF_VFSMOUNT_ROOT "vfsmount" ["mnt_root"],
            OFF_VFSMOUNT_FLAGS "vfsmount" ["mnt_flags"],
            OFF_MOUNT_PARENT "mount" ["mnt_parent"],
            OFF_MOUNT_MOUNTPOINT "mount" ["mnt_mountpoint"],
            OFF_MOUNT_MNT "mount" ["mnt"],
            OFF_MOUNT_NS "mount" ["mnt_ns"],
            OFF_MNT_NS_INUM "mnt_namespace" ["ns", "inum"],
            OFF_SB_MAGIC "super_block" ["s_magic"],
            OFF_SB_FLAGS "super_block" ["s_flags"],
            OFF_SB_TYPE "super_block" ["s_type"],
            OFF_SB_ROOT "super_block" ["s_root"],
            OFF_FS_TYPE_NAME "file_system_type" ["name"],
            OFF_INODE_MODE "inode" ["i_mode"],
            OFF_INODE_UID "inode" ["i_uid"],
            OFF_INODE_GID "inode" ["i_gid"],
            OFF_INODE_NLINK "inode" ["i_nlink"],
            OFF_INODE_INO "inode" ["i_ino"],
            OFF_INODE_WRITERS "inode" ["i_writecount"] tells [FileRunning, NewFileRunning],
            OFF_TASK_MM "task_struct" ["mm"],
            OFF_TASK_FLAGS "task_struct" ["flags"],
            OFF_TASK_CRED "task_struct" ["cred"],
            OFF_TASK_REAL_CRED "task_struct" ["real_cred"],
            OFF_TASK_REAL_PARENT "task_struct" ["real_parent"],
            OFF_TASK_GROUP_LEADER "task_struct" ["group_leader"],
            OFF_TASK_COMM "task_struct" ["comm"],
            OFF_TASK_TGID "task_struct" ["tgid"],
            OFF_TASK_LOGINUID "task_struct" ["loginuid"] tells [Auid],
            OFF_TASK_THREAD_PID "task_struct" ["thread_pid"] tells [Containerized],
            OFF_TASK_NSPROXY "task_struct" ["nsproxy"] tells [InitialMntns],
            OFF_TASK_CGROUPS "task_struct" ["cgroups"] tells [Cgroup],
            OFF_PID_LEVEL "pid" ["level"] tells [Containerized],
            OFF_NSPROXY_MNT "nsproxy" ["mnt_ns"] tells [InitialMntns],
            OFF_CSS_SET_DFL_CGRP "css_set" ["dfl_cgrp"] tells [Cgroup],
            OFF_CGROUP_KN "cgroup" ["kn"] tells [Cgroup],
            OFF_KERNFS_PARENT "kernfs_node" ["parent|__parent"] tells [Cgroup],
            OFF_KERNFS_ID "kernfs_node" ["id"] tells [Cgroup],
            OFF_KERNFS_NAME "kernfs_node" ["name"] tells [Cgroup],
            OFF_MM_EXE_FILE "mm_struct" ["exe_file"],
            OFF_CRED_UID "cred" ["uid"],
            OFF_CRED_EUID "cred" ["euid"],
            OFF_CRED_EGID "cred" ["egid"],
            OFF_CRED_FSUID "cred" ["fsuid"],
            OFF_CRED_CAP_EFFECTIVE "cred" ["cap_effective"],
            OFF_CRED_GID "cred" ["gid"],
            OFF_BPRM_FILE "linux_binprm" ["file"],
            OFF_BPRM_MM "linux_binprm" ["mm"],
            OFF_BPRM_P "linux_binprm" ["p"],
            OFF_BPRM_EXEC "linux_binprm" ["exec"],
            OFF_BPRM_ARGC "linux_binprm" ["argc"],
            OFF_BPRM_ENVC "linux_binprm" ["envc"],
            OFF_MM_PGD "mm_struct" ["pgd"],
            OFF_VMA_START "vm_area_struct" ["vm_start"],
            OFF_VMA_END "vm_area_struct" ["vm_end"],
            OFF_VMA_FLAGS "vm_area_struct" ["vm_flags"],
            OFF_VMA_FILE "vm_area_struct" ["vm_file"],
            OFF_VMA_MM "vm_area_struct" ["vm_mm"],
            OFF_MM_START_BRK "mm_struct" ["start_brk"] tells [VmaKind],
            OFF_MM_BRK "mm_struct" ["brk"] tells [VmaKind],
            OFF_MM_START_STACK "mm_struct" ["start_stack"] tells [VmaKind],
            OFF_SOCKET_TYPE "socket" ["type"],
            OFF_SOCKET_SK "socket" ["sk"],
            OFF_SOCK_FAMILY "sock" ["__sk_common", "skc_family"],
            OFF_SOCK_PROTOCOL "sock" ["sk_protocol"],
            OFF_SOCK_SOCKET "sock" ["sk_socket"],
            OFF_SOCK_PORT "sock" ["__sk_common", "skc_dport"],
            OFF_SOCK_ADDRESS "sock" ["__sk_common", "skc_daddr"],
            OFF_SOCK_ADDRESS6 "sock" ["__sk_common", "skc_v6_daddr"],
            OFF_MSG_NAME "msghdr" ["msg_name"],
            OFF_MSG_NAMELEN "msghdr" ["msg_namelen"],
            OFF_UNIX_ADDR "unix_sock" ["addr"] tells [UnixPath],
            OFF_UNIX_PATH "unix_sock" ["path"] tells [UnixPath],
            OFF_UNIX_PEER "unix_sock" ["peer"] tells [UnixPath],
            OFF_UNIX_ADDR_LEN "unix_address" ["len"] tells [UnixPath],
            OFF_UNIX_ADDR_NAME "unix_address" ["name"] tells [UnixPath],
            OFF_MAP_TYPE "bpf_map" ["map_type"],
            OFF_PROG_TYPE "bpf_prog" ["type"],
        }
    };
}

macro_rules! table {
    ($(
        $global:ident $structure:literal [$($member:literal),+] $(tells [$($field:ident),+])?,
    )*) => {
        /// Every offset that the programs read.
        pub const OFFSETS: &[Offset] = &[
            $(Offset {
                global: stringify!($global),
                structure: $structure,
                path: &[$($member),+],
                tells: &[$($(FieldId::$field),+)?],
            },)*
        ];
    };
}
kernel_offsets!(table);

/// u32 `.rodata` constant: [`crate::ABI_VERSION`] of the object. Checked in the
/// file, never overridden.
pub const GLOBAL_ABI: &str = "LSMPC_ABI";
/// `[u8; HOOK_SLOTS]`: how many arguments each hook has in the running kernel, by
/// its number; [`NO_ARGUMENTS`] where the kernel lacks the hook.
pub const GLOBAL_ARGUMENTS: &str = "HOOK_ARGUMENTS";
/// In [`GLOBAL_ARGUMENTS`]: not known.
pub const NO_ARGUMENTS: u8 = u8::MAX;
/// Entries of the tables of [`RENUMBERED`].
pub const NUMBERS: usize = 64;
/// `[u8; NUMBERS]` each, by the kernel's number of an enumerator: the catalogue's.
/// The kernel changes these numbers from version to version.
pub const RENUMBERED: &[Renumbered] = &[
    Renumbered {
        global: "READING_NUMBERS",
        field: FieldId::KreadId,
        prefix: "READING_",
    },
    Renumbered {
        global: "LOADING_NUMBERS",
        field: FieldId::KreadId,
        prefix: "LOADING_",
    },
    Renumbered {
        global: "LOCKDOWN_NUMBERS",
        field: FieldId::What,
        prefix: "LOCKDOWN_",
    },
];

/// A table from the kernel's numbers to the catalogue's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renumbered {
    /// The constant's symbol in the object.
    pub global: &'static str,
    /// Whose enumerators.
    pub field: FieldId,
    /// How those of this table begin, in the catalogue and in the kernel.
    pub prefix: &'static str,
}

/// u32: 1 if this kernel keeps files that are executed from being written, which is
/// how the programs know them; else `file.running` is unknown.
pub const GLOBAL_EXECUTED: &str = "EXECUTED_IS_MARKED";
/// u32: number of possible CPUs; 0 (unset) is refused by the verifier.
pub const GLOBAL_CPUS: &str = "CPU_COUNT";
/// A u64 constant: the address of a symbol of the kernel, 0 if it has none or hides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol {
    /// The constant's symbol in the object.
    pub global: &'static str,
    /// The kernel's symbol.
    pub name: &'static str,
}

/// Every symbol whose address the programs use. Without `page_offset_base` they cannot
/// read what a program that is about to run is given; without `pgdir_shift` page tables
/// have four levels, and without `sme_me_mask` no bit of their entries marks encryption.
pub const SYMBOLS: [Symbol; 6] = [
    symbol("RENAME_LOCK_ADDR", "rename_lock"),
    symbol("MOUNT_LOCK_ADDR", "mount_lock"),
    symbol("INIT_NSPROXY_ADDR", "init_nsproxy"),
    symbol("PAGE_OFFSET_BASE_ADDR", "page_offset_base"),
    symbol("PGDIR_SHIFT_ADDR", "pgdir_shift"),
    symbol("SME_ME_MASK_ADDR", "sme_me_mask"),
];

/// A kernel function that makes a typed pointer of an address (Linux 6.2): what is read
/// through it costs a load, and no helper call.
pub const CAST: &str = "bpf_rdonly_cast";
/// A call of [`CAST`] in the object, as a little-endian word: to the kernel's function 0.
/// The loader puts in the function's number, or [`NO_CALL`].
pub const CALL_OF_CAST: u64 = 0x2085;
/// An instruction that does nothing in the place of a call: `r0 = 0`.
pub const NO_CALL: u64 = 0xb7;
/// u32: the number of `struct seqcount` in the kernel's BTF, if the kernel has [`CAST`];
/// else 0.
pub const GLOBAL_SEQCOUNT: &str = "SEQCOUNT_TYPE";

const fn symbol(global: &'static str, name: &'static str) -> Symbol {
    Symbol { global, name }
}

/// u32: records a second of one rate-limit bucket, 0 for no limit.
pub const GLOBAL_RATE: &str = "RATE_PER_SECOND";
/// Default of [`GLOBAL_RATE`].
pub const DEFAULT_RATE: u32 = 64;

/// Bits of [`crate::event::EventHeader::namespaces`].
pub mod namespaces {
    /// `containerized`.
    pub const CONTAINERIZED: u32 = 1;
    /// Whether it is, could not be read.
    pub const CONTAINERIZED_UNKNOWN: u32 = 2;
    /// `initial_mntns`.
    pub const INITIAL_MNTNS: u32 = 4;
    /// Whether it is, could not be read.
    pub const INITIAL_MNTNS_UNKNOWN: u32 = 8;
}

/// Bits of `access`.
pub mod access {
    /// Opened for reading.
    pub const READ: u64 = 1;
    /// Opened for writing.
    pub const WRITE: u64 = 2;
    /// `O_APPEND`.
    pub const APPEND: u64 = 4;
    /// `O_TRUNC`.
    pub const TRUNC: u64 = 8;
    /// `O_CREAT`.
    pub const CREATE: u64 = 16;
    /// Opened to be executed.
    pub const EXEC: u64 = 32;
}

/// Numbers of `file.type`.
pub mod file_type {
    /// Regular file.
    pub const REG: u64 = 1;
    /// Directory.
    pub const DIR: u64 = 2;
    /// Symbolic link.
    pub const LNK: u64 = 3;
    /// FIFO or pipe.
    pub const FIFO: u64 = 4;
    /// Socket.
    pub const SOCK: u64 = 5;
    /// Character device.
    pub const CHR: u64 = 6;
    /// Block device.
    pub const BLK: u64 = 7;
}

/// Numbers of `vma.kind`.
pub mod vma_kind {
    /// A thread's or the process's stack.
    pub const STACK: u64 = 1;
    /// What brk(2) gave.
    pub const HEAP: u64 = 2;
    /// A file.
    pub const FILE: u64 = 3;
    /// Other memory.
    pub const ANON: u64 = 4;
}
