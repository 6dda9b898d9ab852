//! What the requested kernel cannot enforce.
//!
//! Owns the questions whether a hook is there and a field can be read, and what is
//! said where not. Must not know how a kernel is asked.

use lsmpc_abi::catalogue::{self, OLDEST_KERNEL, Since};
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_syntax::Span;

use super::Checker;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::hir::FieldRef;
use crate::options::{Kernel, KernelVersion};

/// Something that the kernel cannot do: what, why, and what helps.
pub(super) struct Lack {
    message: String,
    reason: String,
    help: &'static str,
}

impl Lack {
    /// The same at a place.
    pub(super) fn at(self, span: Span) -> Diagnostic {
        Diagnostic::new(Code::NotOnKernel, self.message, span, self.reason).help(self.help)
    }
}

fn version((major, minor): Since) -> KernelVersion {
    KernelVersion { major, minor }
}

impl Checker<'_> {
    /// Reports a kernel that nothing is enforced on.
    pub(super) fn kernel(&mut self) {
        let oldest = version(OLDEST_KERNEL);
        if let Some(Kernel::Version(kernel)) = &self.options.kernel
            && *kernel < oldest
        {
            self.report(
                Diagnostic::placeless(
                    Code::NotOnKernel,
                    format!("kernel {kernel} is too old for any policy"),
                )
                .help(format!("ask for {oldest} or later")),
            );
        }
    }

    /// Why the requested kernel cannot enforce rules on a hook, if so.
    pub(super) fn hook_lack(&self, hook: HookId) -> Option<Lack> {
        let name = hook.name();
        match self.options.kernel.as_ref()? {
            Kernel::Version(kernel) => {
                let since = version(catalogue::hook(hook).since?);
                (*kernel < since).then(|| Lack {
                    message: format!("kernel {kernel} has no hook `{name}`"),
                    reason: format!("only from kernel {since} on"),
                    help: "leave the hook out for that kernel, or ask for a newer one",
                })
            }
            Kernel::Asked(lacking) => {
                let (_, reason) = lacking.hooks.iter().find(|(known, _)| *known == hook)?;
                Some(Lack {
                    message: format!("rules on `{name}` cannot be enforced on this machine"),
                    reason: reason.clone(),
                    help: "leave the hook out here; `apply --best-effort` enforces the rest",
                })
            }
        }
    }

    /// Why a field cannot be read on the requested kernel, if so.
    pub(super) fn field_lack(&self, field: FieldRef) -> Option<Lack> {
        let (id, name) = (field.field(), field.name());
        match self.options.kernel.as_ref()? {
            Kernel::Version(kernel) => {
                let reason = missing_on(id, *kernel)?;
                Some(Lack {
                    message: format!("on kernel {kernel} the field `{name}` cannot be read"),
                    reason,
                    help: "leave the condition out for that kernel, or ask for a newer one",
                })
            }
            Kernel::Asked(lacking) => {
                let (_, reason) = lacking.fields.iter().find(|(known, _)| *known == id)?;
                Some(Lack {
                    message: format!("the field `{name}` cannot be read on this machine"),
                    reason: reason.clone(),
                    help: "leave the condition out here; with `apply --best-effort` it is \
                           unknown, and `on_error` decides",
                })
            }
        }
    }
}

/// Why kernels of a version do not tell a field.
fn missing_on(field: FieldId, kernel: KernelVersion) -> Option<String> {
    let info = catalogue::field(field);
    if let Some(since) = info.since.map(version)
        && kernel < since
    {
        return Some(format!("only from kernel {since} on"));
    }
    info.gaps
        .iter()
        .any(|gap| version(*gap) == kernel)
        .then(|| "kernels before and after it tell, this one does not".to_owned())
}
