//! Field numbers. What a field means, its type and its enumerators are the
//! catalogue's. `any_path` has no number: it is derived from `path` and
//! `new_path` when a policy is resolved.

/// One more than the largest field number; a power of two, so that programs can
/// mask an index with `FIELD_SLOTS - 1`.
pub const FIELD_SLOTS: usize = 128;

const STICKY: u8 = 127;

macro_rules! fields {
    ($($number:literal $variant:ident $name:literal,)*) => {
        /// A field of an event, of its subject or its object.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum FieldId {
            $(#[doc = concat!("`", $name, "`")] $variant = $number,)*
            /// What sticks to the subject: inherited scopes and facts about its
            /// ancestors, a bit each ([`crate::state::Sticky`]). No field of the
            /// language.
            Sticky = STICKY,
        }

        impl FieldId {
            /// Every field of the language, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The language's name of the field.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* Self::Sticky => "sticky bits" }
            }

            /// The field of that number.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    STICKY => Some(Self::Sticky),
                    _ => None,
                }
            }
        }
    };
}

fields! {
    0 Exe "exe",
    1 Comm "comm",
    2 Pid "pid",
    3 Uid "uid",
    4 Gid "gid",
    5 Euid "euid",
    6 Egid "egid",
    7 Auid "auid",
    8 Cgroup "cgroup",
    9 Caps "caps",
    10 Containerized "containerized",
    11 InitialMntns "initial_mntns",
    12 ParentExe "parent.exe",
    13 AncestorExe "ancestor.exe",
    14 ParentComm "parent.comm",
    15 Path "path",
    16 NewPath "new_path",
    17 Fs "fs",
    18 FileUid "file.uid",
    19 FileGid "file.gid",
    20 FileNlink "file.nlink",
    21 FileMode "file.mode",
    22 FileType "file.type",
    23 FileRunning "file.running",
    24 FileOwned "file.owned",
    25 FileIsExe "file.is_exe",
    26 Access "access",
    27 IoctlCmd "ioctl.cmd",
    28 Prot "prot",
    29 MmapFlags "mmap.flags",
    30 VmaKind "vma.kind",
    31 VmaStart "vma.start",
    32 VmaEnd "vma.end",
    33 Mode "mode",
    34 Target "target",
    35 OwnerUid "owner.uid",
    36 OwnerGid "owner.gid",
    37 Source "source",
    38 MountFlags "mount.flags",
    39 Xattr "xattr",
    40 Family "family",
    41 Type "type",
    42 Protocol "protocol",
    43 Addr "addr",
    44 Port "port",
    45 UnixPath "unix_path",
    46 Signal "signal",
    47 TargetExe "target.exe",
    48 TargetComm "target.comm",
    49 TargetUid "target.uid",
    50 TargetPid "target.pid",
    51 PtraceMode "ptrace.mode",
    52 Rlimit "rlimit",
    53 NewUid "new.uid",
    54 NewEuid "new.euid",
    55 NewGid "new.gid",
    56 NewEgid "new.egid",
    57 Cap "cap",
    58 Cmd "cmd",
    59 MapType "map.type",
    60 ProgType "prog.type",
    61 Module "module",
    62 KreadId "kread.id",
    63 What "what",
    64 SyslogType "syslog.type",
    65 NewFileRunning "new_file.running",
}

impl FieldId {
    /// The field of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name() == name)
    }

    /// Whether the field belongs to the subject (the acting task) and so exists
    /// in every hook.
    #[must_use]
    pub const fn is_subject(self) -> bool {
        (self as u8) <= (Self::ParentComm as u8) || matches!(self, Self::Sticky)
    }
}
