//! Hook numbers. The names are the kernel's
//! (`include/linux/lsm_hook_defs.h`); what each hook offers is the catalogue's.

/// How many hook entries an image's header has room for.
pub const HOOK_SLOTS: usize = 96;

macro_rules! hooks {
    ($($number:literal $variant:ident $name:literal,)*) => {
        /// An LSM hook that a policy can name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum HookId {
            $(#[doc = concat!("`", $name, "`")] $variant = $number,)*
        }

        impl HookId {
            /// Every hook, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The kernel's name of the hook.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The hook of that number.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

hooks! {
    0 FileOpen "file_open",
    1 FileReceive "file_receive",
    2 FileLock "file_lock",
    3 FileIoctl "file_ioctl",
    4 FileTruncate "file_truncate",
    5 PathTruncate "path_truncate",
    6 MmapFile "mmap_file",
    7 FileMprotect "file_mprotect",
    8 BprmCheckSecurity "bprm_check_security",
    9 InodeGetattr "inode_getattr",
    10 PathUnlink "path_unlink",
    11 PathRmdir "path_rmdir",
    12 PathMkdir "path_mkdir",
    13 PathMknod "path_mknod",
    14 PathSymlink "path_symlink",
    15 PathLink "path_link",
    16 PathRename "path_rename",
    17 PathChmod "path_chmod",
    18 PathChown "path_chown",
    19 PathChroot "path_chroot",
    20 SbMount "sb_mount",
    21 SbUmount "sb_umount",
    22 SbRemount "sb_remount",
    23 MoveMount "move_mount",
    24 SbPivotroot "sb_pivotroot",
    25 InodeSetxattr "inode_setxattr",
    26 InodeRemovexattr "inode_removexattr",
    27 SocketCreate "socket_create",
    28 SocketBind "socket_bind",
    29 SocketConnect "socket_connect",
    30 SocketSendmsg "socket_sendmsg",
    31 SocketListen "socket_listen",
    32 SocketAccept "socket_accept",
    33 UnixStreamConnect "unix_stream_connect",
    34 UnixMaySend "unix_may_send",
    35 TaskKill "task_kill",
    36 PtraceAccessCheck "ptrace_access_check",
    37 PtraceTraceme "ptrace_traceme",
    38 TaskSetnice "task_setnice",
    39 TaskSetscheduler "task_setscheduler",
    40 TaskSetrlimit "task_setrlimit",
    41 TaskFixSetuid "task_fix_setuid",
    42 TaskFixSetgid "task_fix_setgid",
    43 Capable "capable",
    44 UsernsCreate "userns_create",
    45 Bpf "bpf",
    46 BpfMap "bpf_map",
    47 BpfMapCreate "bpf_map_create",
    48 BpfProg "bpf_prog",
    49 BpfProgLoad "bpf_prog_load",
    50 BpfTokenCreate "bpf_token_create",
    51 BpfTokenCmd "bpf_token_cmd",
    52 BpfTokenCapable "bpf_token_capable",
    53 PerfEventOpen "perf_event_open",
    54 UringOverrideCreds "uring_override_creds",
    55 UringSqpoll "uring_sqpoll",
    56 UringCmd "uring_cmd",
    57 KeyAlloc "key_alloc",
    58 Settime "settime",
    59 Quotactl "quotactl",
    60 KernelModuleRequest "kernel_module_request",
    61 KernelReadFile "kernel_read_file",
    62 KernelLoadData "kernel_load_data",
    63 LockedDown "locked_down",
    64 Syslog "syslog",
}

impl HookId {
    /// The hook of that kernel name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|hook| hook.name() == name)
    }
}
