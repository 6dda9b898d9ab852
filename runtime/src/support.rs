//! Which hooks and fields of a policy this kernel and these programs can enforce.
//!
//! Owns the comparison of an image's hooks with the kernel's BTF and the object's
//! programs. Must not know what to do about a hook that is missing.

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_abi::kernel::Offset;

use crate::arguments;
use crate::btf::KernelBtf;
use crate::code::Code;
use crate::error::Result;
use crate::gaps::Gaps;
use crate::image::CheckedImage;
use crate::object::ProgramObject;
use crate::system::System;
use crate::untold::{self, Untold};

/// Programs that are attached whatever the policy names: they keep track of which
/// program a task runs, and of directories that are gone.
pub const TRACKERS: &[&str] = &["bprm_committed_creds", "inode_free_security", "task_alloc"];

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

/// Why something cannot be enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The kernel does not have the hook.
    NotInKernel,
    /// The kernel calls the hook with other arguments than the programs read.
    OtherArguments,
    /// There is no program for the hook.
    NoProgram,
    /// The kernel's symbol table lacks the symbol that tells the field.
    NoSymbol(&'static str),
    /// The kernel does not say where that symbol is.
    SymbolHidden(&'static str),
    /// The kernel does not mark files that are executed.
    NotMarked,
    /// Whether it does could not be tried.
    MarkNotTried,
    /// A structure of this kernel lacks a member that is read for it.
    NoMember(&'static Offset),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotInKernel => f.write_str("this kernel does not have the hook"),
            Self::OtherArguments => {
                f.write_str("this kernel's hook has other arguments than lsmpc knows")
            }
            Self::NoProgram => f.write_str("this lsmpc has no program for the hook"),
            Self::NoSymbol(name) => write!(f, "this kernel's symbol table has no `{name}`"),
            Self::SymbolHidden(name) => {
                write!(f, "this kernel does not tell the address of `{name}`")
            }
            Self::NotMarked => f.write_str(
                "this kernel lets files be written while they run, so nothing tells that they do",
            ),
            Self::MarkNotTried => f.write_str(
                "whether this kernel marks files that run is tried on the program file of lsmpc, \
                 which cannot be opened for writing",
            ),
            Self::NoMember(offset) => {
                // `a|b`: either of two names.
                let member = offset.path.join(".").replace('|', "` or `");
                write!(
                    f,
                    "this kernel's `struct {}` has no `{member}`",
                    offset.structure
                )
            }
        }
    }
}

/// What can be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// A hook: rules on it are not enforced at all.
    Hook(HookId),
    /// A field: it is unknown in every event, and `on_error` decides where that matters.
    Field(FieldId),
}

/// Something that cannot be enforced here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsupported {
    /// What.
    pub what: Missing,
    /// Why.
    pub reason: Reason,
}

impl Unsupported {
    /// The code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match (self.what, self.reason) {
            (Missing::Hook(_), Reason::NotInKernel) => Code::HookMissing,
            (Missing::Hook(_), _) => Code::NotEnforceable,
            (Missing::Field(_), _) => Code::FieldMissing,
        }
    }

    /// The hook, if it is one that is missing.
    #[must_use]
    pub const fn hook(&self) -> Option<HookId> {
        match self.what {
            Missing::Hook(hook) => Some(hook),
            Missing::Field(_) => None,
        }
    }
}

impl From<Untold> for Unsupported {
    fn from(untold: Untold) -> Self {
        Self {
            what: Missing::Field(untold.field),
            reason: untold.reason,
        }
    }
}

/// What this machine cannot enforce of all that a policy can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// What is known to be missing.
    pub unsupported: Vec<Unsupported>,
    /// What only more privileges could tell.
    pub untold: Vec<FieldId>,
}

/// What of an image cannot be enforced here.
pub(crate) fn of_image(
    image: &CheckedImage,
    kernel: &KernelBtf,
    object: &ProgramObject,
    system: &System,
) -> Result<Vec<Unsupported>> {
    let gaps = Gaps::find(kernel, object)?;
    let program = |name: &str| gaps.program(object, name);
    let mut found = unsupported(&image.header.hooks, kernel, program);
    let fields = untold::untold(system, &gaps, image.fields());
    found.extend(fields.into_iter().map(Unsupported::from));
    Ok(found)
}

/// The hooks among `wanted` that cannot be enforced; `program` says why a hook's cannot
/// be loaded.
pub(crate) fn unsupported(
    wanted: &[HookId],
    kernel: &KernelBtf,
    program: impl Fn(&str) -> Option<Reason>,
) -> Vec<Unsupported> {
    wanted
        .iter()
        .filter_map(|hook| {
            let reason = if !kernel_has(kernel, hook.name()) {
                Reason::NotInKernel
            } else if !as_read(kernel, *hook) {
                Reason::OtherArguments
            } else {
                program(hook.name())?
            };
            Some(Unsupported {
                what: Missing::Hook(*hook),
                reason,
            })
        })
        .collect()
}

/// Whether a hook, and what decides with it, has the arguments that the programs read.
fn as_read(kernel: &KernelBtf, hook: HookId) -> bool {
    std::iter::once(hook.name())
        .chain(companions(&[hook]))
        .all(|name| arguments::as_read(kernel, hook, &format!("bpf_lsm_{name}")))
}

/// Whether programs can be attached to a hook in this kernel.
pub(crate) fn kernel_has(kernel: &KernelBtf, hook: &str) -> bool {
    kernel.function(&format!("bpf_lsm_{hook}")).is_some()
}

/// What a hook's programs are called with in this kernel, as a number; `None` if
/// the kernel does not have it.
pub(crate) fn argument_count(kernel: &KernelBtf, hook: HookId) -> Option<u8> {
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
        let int = blob.int("int", 4);
        let file = blob.structure("file", 8, &[("f_mode", int, 0)]);
        let file = blob.pointer(file);
        blob.function_of("bpf_lsm_file_open", &[file, int]);
        blob.function_of("bpf_lsm_syslog", &[int, int]);
        blob.function_of("bpf_lsm_bpf_map", &[file, int]);
        blob.function_of("bpf_lsm_file_ioctl", &[file, int]);
        blob.function_of("bpf_lsm_file_ioctl_compat", &[int, file]);
        let kernel = KernelBtf::parse(blob.bytes()).unwrap();
        let wanted = [
            HookId::FileOpen,
            HookId::FileIoctl,
            HookId::Syslog,
            HookId::BpfMap,
            HookId::BpfTokenCmd,
        ];
        let found = unsupported(&wanted, &kernel, |name| {
            (name != "file_open").then_some(Reason::NoProgram)
        });
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.hook().unwrap(), one.reason))
            .collect();
        assert_eq!(
            found,
            [
                (HookId::FileIoctl, Reason::OtherArguments),
                (HookId::Syslog, Reason::NoProgram),
                (HookId::BpfMap, Reason::OtherArguments),
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
        assert_eq!(argument_count(&new, HookId::FileIoctl), Some(0));
        assert_eq!(argument_count(&new, HookId::FileLock), None);
    }
}
