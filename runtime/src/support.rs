//! Which hooks of a policy this kernel and these programs can enforce.
//!
//! Owns the comparison of an image's hooks with the kernel's BTF and the object's
//! programs. Must not know what to do about a hook that is missing.

use lsmpc_abi::hook::HookId;

use crate::btf::KernelBtf;
use crate::code::Code;

/// Programs that are attached whatever the policy names: they keep track of which
/// program a task runs.
pub const TRACKERS: &[&str] = &["bprm_committed_creds", "task_alloc"];

/// Hooks that some kernels have beside another one for the same thing; the second
/// name's program decides as the first one's does.
const COMPANIONS: &[(HookId, &str)] = &[(HookId::FileIoctl, "file_ioctl_compat")];

/// The second programs of these hooks.
pub(crate) fn companions(hooks: &[HookId]) -> impl Iterator<Item = &'static str> {
    COMPANIONS
        .iter()
        .filter(|(hook, _)| hooks.contains(hook))
        .map(|(_, companion)| *companion)
}

/// The programs that enforce these hooks on this kernel.
pub(crate) fn programs(
    hooks: &[HookId],
    kernel: &KernelBtf,
    has_program: impl Fn(&str) -> bool,
) -> Vec<String> {
    let companions = companions(hooks).filter(|name| kernel_has(kernel, name) && has_program(name));
    TRACKERS
        .iter()
        .copied()
        .chain(hooks.iter().map(|hook| hook.name()))
        .chain(companions)
        .map(str::to_owned)
        .collect()
}

/// Why a hook cannot be enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The kernel does not have it.
    NotInKernel,
    /// There is no program for it.
    NoProgram,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotInKernel => "this kernel does not have the hook",
            Self::NoProgram => "this lsmpc has no program for the hook",
        })
    }
}

/// A hook that cannot be enforced here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsupported {
    /// The hook.
    pub hook: HookId,
    /// Why.
    pub reason: Reason,
}

impl Unsupported {
    /// The code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self.reason {
            Reason::NotInKernel => Code::HookMissing,
            Reason::NoProgram => Code::NotEnforceable,
        }
    }
}

/// The hooks among `wanted` that cannot be enforced.
pub(crate) fn unsupported(
    wanted: &[HookId],
    kernel: &KernelBtf,
    has_program: impl Fn(&str) -> bool,
) -> Vec<Unsupported> {
    wanted
        .iter()
        .filter_map(|hook| {
            let reason = if !kernel_has(kernel, hook.name()) {
                Reason::NotInKernel
            } else if !has_program(hook.name()) {
                Reason::NoProgram
            } else {
                return None;
            };
            Some(Unsupported {
                hook: *hook,
                reason,
            })
        })
        .collect()
}

/// Whether programs can be attached to a hook in this kernel.
pub(crate) fn kernel_has(kernel: &KernelBtf, hook: &str) -> bool {
    kernel.function(&format!("bpf_lsm_{hook}")).is_some()
}

/// What a hook's programs are called with in this kernel, as a number; `None` if
/// the kernel does not have it.
pub(crate) fn arguments(kernel: &KernelBtf, hook: HookId) -> Option<u8> {
    let parameters = kernel.parameters(&format!("bpf_lsm_{}", hook.name()))?;
    u8::try_from(parameters.len()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::tests::Blob;

    #[test]
    fn kernel_and_object_are_both_asked() {
        let mut blob = Blob::default();
        blob.function("bpf_lsm_file_open");
        blob.function("bpf_lsm_syslog");
        let kernel = KernelBtf::parse(blob.bytes()).unwrap();
        let wanted = [HookId::FileOpen, HookId::Syslog, HookId::BpfTokenCmd];
        let found = unsupported(&wanted, &kernel, |name| name == "file_open");
        let found: Vec<_> = found.iter().map(|one| (one.hook, one.reason)).collect();
        assert_eq!(
            found,
            [
                (HookId::Syslog, Reason::NoProgram),
                (HookId::BpfTokenCmd, Reason::NotInKernel)
            ]
        );
    }
    #[test]
    fn a_second_program_only_where_the_kernel_has_the_hook() {
        let mut blob = Blob::default();
        blob.function("bpf_lsm_file_ioctl");
        let old = KernelBtf::parse(blob.bytes()).unwrap();
        let mut blob = Blob::default();
        blob.function("bpf_lsm_file_ioctl");
        blob.function("bpf_lsm_file_ioctl_compat");
        let new = KernelBtf::parse(blob.bytes()).unwrap();
        let names = |kernel, hook| {
            let mut names = programs(&[hook], kernel, |_| true);
            names.retain(|name| !TRACKERS.contains(&name.as_str()));
            names
        };
        assert_eq!(names(&old, HookId::FileIoctl), ["file_ioctl"]);
        assert_eq!(
            names(&new, HookId::FileIoctl),
            ["file_ioctl", "file_ioctl_compat"]
        );
        assert_eq!(names(&new, HookId::FileLock), ["file_lock"]);
        assert_eq!(arguments(&new, HookId::FileIoctl), Some(0));
        assert_eq!(arguments(&new, HookId::FileLock), None);
    }
}
