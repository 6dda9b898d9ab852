//! The codes `LSMP4xxx`: what can go wrong between an image and the kernel.
//!
//! Owns the numbers, their titles and the pages `lsmpc explain` shows. Must not
//! know how any of these is detected.

use std::fmt;

macro_rules! codes {
    ($($number:literal $variant:ident $title:literal $page:literal,)*) => {
        /// A kind of problem, numbered. Numbers are never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The number after `LSMP`.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$variant => $number,)* }
            }

            /// One line: what it is.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// The page of `lsmpc explain`.
            #[must_use]
            pub const fn page(self) -> &'static str {
                match self { $(Self::$variant => $page,)* }
            }
        }
    };
}

codes! {
    4001 NotPrivileged "a capability is missing"
        "Loading LSM programs needs CAP_BPF and CAP_PERFMON; reading back what is in force goes by \
         object number, which needs CAP_SYS_ADMIN. Run the command as root, or give the service \
         these three capabilities. In a container they must be held in the initial user namespace.",
    4002 BpfLsmInactive "the BPF LSM is not active"
        "The kernel runs LSM programs only if `bpf` is among the active security modules, which is \
         decided when it boots. Add `bpf` to the list of the kernel parameter `lsm=` and reboot. \
         The parameter replaces the built-in list, so it has to name every module that is to stay.",
    4003 NoKernelTypes "the kernel has no BTF"
        "/sys/kernel/btf/vmlinux describes the kernel's structures. Without it a program cannot be \
         attached to a hook nor find any field. It needs CONFIG_DEBUG_INFO_BTF=y.",
    4004 NoBpffs "no bpffs is mounted"
        "Links, maps and programs are pinned in a bpffs, so that enforcement outlives the command. \
         Mount one: `mount -t bpf bpf /sys/fs/bpf`.",
    4005 LockedDown "the kernel is locked down for confidentiality"
        "With lockdown=confidentiality the kernel refuses to programs the helper that reads its \
         memory. Boot with lockdown=integrity or none.",
    4006 TrampolinesRefused "this machine refuses BPF trampolines"
        "Programs of other types load, LSM programs get EPERM without a word from the verifier. \
         Some virtualised or locked-down hosts refuse the trampolines that LSM programs are \
         entered through. No privilege inside the machine changes that: use another kernel or \
         host, or `lsmpc check` and `lsmpc eval`, which need no kernel.",
    4007 KernelTooOld "the kernel is too old"
        "lsmpc is made for kernels from 6.1 on; below 5.17 the programs cannot be verified at all.",
    4008 HookMissing "this kernel does not have a hook"
        "The policy names a hook that the running kernel was built without, or got later. `check \
         --kernel running` shows each such rule. Drop them, or `apply --best-effort`, \
         which lists what is not enforced.",
    4009 OffsetUnresolved "a kernel structure is not as expected"
        "A member that the programs read is not in this kernel's BTF. A guessed offset would read \
         something else and decide by it, so the fields that are read from it are unknown, and \
         programs that cannot do without it are not loaded: rules that need either are refused, as \
         those on a hook that the kernel lacks. If programs that every policy needs are among \
         them, nothing can be applied.",
    4010 ImageAbi "the image is of another ABI version"
        "The image was compiled for another version of the programs. Compile the policy again with \
         the lsmpc that applies it.",
    4011 ObjectAbi "the programs are of another ABI version"
        "The object file with the hook programs was built for another version of the table format. \
         Use the object shipped with this lsmpc.",
    4012 PinnedAbi "another lsmpc's programs are in force"
        "What is pinned was put there by an lsmpc with another table format. `lsmpc apply --replace` \
         sets up its own programs beside the old ones, puts the policy in force there, and only \
         then takes the old ones away, so no moment is without a policy. `lsmpc remove` takes the \
         old ones away.",
    4013 ImageInvalid "the image is damaged"
        "The bytes are not a table image, or not one whose parts fit together. Compile it again. \
         Nothing was changed.",
    4014 ProgramRefused "the kernel refused a program"
        "The verifier or another check of the kernel refused one of the hook programs. The last \
         lines of its log are shown. Nothing was changed. Please report it with the kernel's version.",
    4015 AttachFailed "a program could not be attached"
        "The program was loaded, but the kernel did not attach it to its hook. Nothing was changed.",
    4016 MapFailed "a map could not be made or opened"
        "The kernel refused to create, fill, pin or open a map. Where it says that memory is short, \
         the policy is too large for the memory cgroup of the command.",
    4017 PinnedShape "a pinned map is not the one expected"
        "A map under the pin directory has another type or size than these programs use. It belongs \
         to something else or to another build. `lsmpc apply --replace` puts new ones in its place.",
    4018 ForeignPin "something foreign is in the pin directory"
        "The pin directory holds something that lsmpc did not put there. It is left alone: move it \
         away, or choose another directory.",
    4019 ApplyBusy "another apply or remove is at work"
        "Only one command changes what is in force at a time. Wait for the process named, then try again.",
    4020 ReaderBusy "somebody else reads the events"
        "The ring buffer hands each event to one reader. Two readers would each see part of them. \
         Stop the process named, or read its output.",
    4021 NothingApplied "no policy is in force"
        "Nothing is pinned, or no image is published. `lsmpc apply` puts a policy in force.",
    4022 HalfRemoved "an earlier remove did not finish"
        "`lsmpc remove` was interrupted: the policy is no longer in force, but some pins are left. \
         Run `lsmpc remove` again; `lsmpc apply` also clears them away before it starts.",
    4023 ReadBackDiffers "the kernel's copy of the image differs"
        "What was read back from the kernel is not what was written. It was not published. If it \
         happens again, the memory is at fault.",
    4024 PublishFailed "the image could not be published"
        "The kernel refused the one update that puts an image in force. The old policy stays.",
    4025 DetachPending "a hook is not detached yet"
        "The kernel detaches programs in the background, and has not finished in the time given. \
         The pins are gone, so it will; `lsmpc status` shows when.",
    4026 PinsUnreadable "the pins are not a state that lsmpc leaves"
        "Some pins are missing in a way that no interrupted command explains; somebody removed files \
         by hand. `lsmpc remove` takes the rest away, then apply again.",
    4027 ObjectInvalid "the object with the programs is damaged"
        "The hook programs could not be read. Install lsmpc again; if an object was given by option, \
         it is not one of lsmpc's.",
    4028 SystemFailed "the system refused an operation"
        "An operation outside of BPF failed; the message names it.",
    4029 NotEnforceable "part of the policy cannot be enforced here"
        "This kernel lacks something that the policy needs. lsmpc does not enforce part of a policy \
         unless told so: `apply --best-effort` does, and lists what is left out.",
    4030 EventsDamaged "an event record could not be read"
        "A record in the ring buffer is not in the format of this version. It is skipped and counted.",
    4031 MountMissing "a file system that is needed is not mounted"
        "securityfs tells which security modules are active. Mount it: \
         `mount -t securityfs securityfs /sys/kernel/security`.",
    4032 DirectoryUnsuitable "the pin directory cannot be used"
        "Pins live in one directory of a bpffs, not deeper than one can create, and without a dot \
         in its name.",
    4033 FieldMissing "this kernel does not tell a field"
        "The policy asks for a field that is unknown in every event on this machine: `initial_mntns` \
         needs the address of `init_nsproxy`, which root reads in /proc/kallsyms; `file.running` a \
         kernel that keeps running programs from being written (Linux 6.11 does not). \
         `check --kernel running` shows each such rule. Drop the conditions, or `apply \
         --best-effort`, which lists what is unknown; `on_error` decides such rules.",
}

impl Code {
    /// The code of that number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.number() == number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LSMP{}", self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_texts_are_there() {
        for pair in Code::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number());
        }
        for code in Code::ALL {
            assert!((4000..5000).contains(&code.number()));
            assert!(!code.title().ends_with('.'));
            assert!(code.page().ends_with('.') || code.page().contains('`'));
            assert_eq!(Code::from_number(code.number()), Some(*code));
        }
    }
}
