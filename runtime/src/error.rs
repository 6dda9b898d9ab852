//! The crate's error type.
//!
//! Owns what each failure says: what happened ([`std::fmt::Display`]) and what to
//! do ([`Error::help`]). Must not know who shows it.

use std::io;
use std::path::PathBuf;

use lsmpc_abi::hook::HookId;

use crate::code::Code;
use crate::preflight::Preflight;
use crate::support::{Missing, Unsupported};

/// What a function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The machine cannot run the programs; the checks say why.
    #[error("this machine cannot enforce a policy: {}", .0.summary())]
    Preflight(Box<Preflight>),
    /// Kernel types could not be read.
    #[error("the kernel's types could not be read from {path}: {reason}")]
    KernelTypes {
        /// Where they were looked for.
        path: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// Members that every policy needs are not in this kernel's BTF.
    #[error("this kernel's structures are not as expected: {} not found", members.join(", "))]
    Offsets {
        /// As `struct.member`.
        members: Vec<String>,
    },
    /// Some hooks or fields of the policy cannot be had.
    #[error("this kernel cannot enforce {}", unsupported_list(.0))]
    NotEnforceable(Vec<Unsupported>),
    /// The image's ABI version is another one.
    #[error("the image is of ABI version {found}; this lsmpc's programs are of {expected}")]
    ImageAbi {
        /// The image's.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// The image is damaged.
    #[error("the image is damaged: {reason}")]
    ImageInvalid {
        /// What was found.
        reason: String,
    },
    /// The object's ABI version is another one.
    #[error("the hook programs are of ABI version {found}; this lsmpc is of {expected}")]
    ObjectAbi {
        /// The object's.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// The object is damaged.
    #[error("the hook programs cannot be used: {reason}")]
    ObjectInvalid {
        /// What was found.
        reason: String,
    },
    /// What is pinned is of another ABI version.
    #[error("{} holds programs of ABI version {found}; this lsmpc is of {expected}", dir.display())]
    PinnedAbi {
        /// The pin directory.
        dir: PathBuf,
        /// What is pinned there.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// A pinned map has another shape.
    #[error("the pinned map {} is not as expected: {reason}", path.display())]
    PinnedShape {
        /// Its pin.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// Something else is in the pin directory.
    #[error("{} was not put there by lsmpc", path.display())]
    ForeignPin {
        /// What was found.
        path: PathBuf,
    },
    /// The pins are in a state that lsmpc does not leave.
    #[error("the pins under {} are incomplete: {reason}", dir.display())]
    PinsUnreadable {
        /// The pin directory.
        dir: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// bpf(2) is refused, perhaps by the policy in force.
    #[error("the pins under {} may not be looked at: {source}", dir.display())]
    PinsRefused {
        /// The directory.
        dir: PathBuf,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// An earlier remove did not finish.
    #[error("an earlier `lsmpc remove` of {} did not finish; no policy is in force", dir.display())]
    HalfRemoved {
        /// The pin directory.
        dir: PathBuf,
    },
    /// The kernel refused a program.
    #[error("the kernel refused the program for {hook}: {source}{}", log_tail(log))]
    ProgramRefused {
        /// Kernel name of the hook.
        hook: String,
        /// The error of the system call.
        source: io::Error,
        /// The verifier's log, or its last lines.
        log: String,
    },
    /// Every LSM program is refused while other types load.
    #[error("this machine refuses LSM programs as such (EPERM, no word from the verifier)")]
    TrampolinesRefused,
    /// A program could not be attached.
    #[error("the program for {hook} could not be attached: {source}")]
    Attach {
        /// Kernel name of the hook.
        hook: String,
        /// The error of the system call.
        source: io::Error,
    },
    /// A map operation failed.
    #[error("{operation} the map {map}: {source}")]
    Map {
        /// "creating", "filling" and the like.
        operation: &'static str,
        /// The map's name.
        map: String,
        /// The error of the system call.
        source: io::Error,
    },
    /// Read back other bytes than written.
    #[error("page {page} of the image reads back different from what was written")]
    ReadBack {
        /// The first that differs.
        page: u32,
    },
    /// Publishing failed.
    #[error("the image could not be put in force: {source}")]
    Publish {
        /// The error of the system call.
        source: io::Error,
    },
    /// Links are still there after the time given.
    #[error("not detached after {seconds} s: {}", hooks.join(", "))]
    DetachPending {
        /// Kernel names of the hooks.
        hooks: Vec<String>,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Another process holds the lock.
    #[error("another lsmpc command is changing {}{}", dir.display(), holder_text(*holder))]
    ApplyBusy {
        /// The pin directory.
        dir: PathBuf,
        /// The holder's process id, if it can be seen.
        holder: Option<u32>,
    },
    /// Another process reads the events.
    #[error("the events of {} are being read by somebody else{}", dir.display(), holder_text(*holder))]
    ReaderBusy {
        /// The pin directory.
        dir: PathBuf,
        /// The holder's process id, if it can be seen.
        holder: Option<u32>,
    },
    /// There is no policy.
    #[error("no policy is in force under {}", dir.display())]
    NothingApplied {
        /// The pin directory.
        dir: PathBuf,
    },
    /// The directory cannot hold pins.
    #[error("{} cannot hold the pins: {reason}", dir.display())]
    Directory {
        /// The pin directory.
        dir: PathBuf,
        /// Why.
        reason: String,
    },
    /// Anything else the system refused.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: String,
        /// The error.
        source: io::Error,
    },
}

impl Error {
    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Preflight(preflight) => preflight.first_code().unwrap_or(Code::SystemFailed),
            Self::KernelTypes { .. } => Code::NoKernelTypes,
            Self::Offsets { .. } => Code::OffsetUnresolved,
            Self::NotEnforceable(list) => match list.as_slice() {
                [one] => one.code(),
                _ => Code::NotEnforceable,
            },
            Self::ImageAbi { .. } => Code::ImageAbi,
            Self::ImageInvalid { .. } => Code::ImageInvalid,
            Self::ObjectAbi { .. } => Code::ObjectAbi,
            Self::ObjectInvalid { .. } => Code::ObjectInvalid,
            Self::PinnedAbi { .. } => Code::PinnedAbi,
            Self::PinnedShape { .. } => Code::PinnedShape,
            Self::ForeignPin { .. } => Code::ForeignPin,
            Self::PinsUnreadable { .. } => Code::PinsUnreadable,
            Self::PinsRefused { .. } => Code::SystemFailed,
            Self::HalfRemoved { .. } => Code::HalfRemoved,
            Self::ProgramRefused { .. } => Code::ProgramRefused,
            Self::TrampolinesRefused => Code::TrampolinesRefused,
            Self::Attach { .. } => Code::AttachFailed,
            Self::Map { .. } => Code::MapFailed,
            Self::ReadBack { .. } => Code::ReadBackDiffers,
            Self::Publish { .. } => Code::PublishFailed,
            Self::DetachPending { .. } => Code::DetachPending,
            Self::ApplyBusy { .. } => Code::ApplyBusy,
            Self::ReaderBusy { .. } => Code::ReaderBusy,
            Self::NothingApplied { .. } => Code::NothingApplied,
            Self::Directory { .. } => Code::DirectoryUnsuitable,
            Self::System { .. } => Code::SystemFailed,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Preflight(preflight) => preflight.remedies(),
            Self::KernelTypes { .. } => "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y".into(),
            Self::Offsets { .. } => {
                "this kernel is not supported by this version; `lsmpc doctor` shows what it lacks"
                    .into()
            }
            Self::NotEnforceable(_) => {
                "`lsmpc check --kernel running` shows the rules; drop them, or apply with --best-effort, \
                 which enforces the rest and lists what is left out".into()
            }
            Self::ImageAbi { .. } => "compile the policy again with this lsmpc".into(),
            Self::ImageInvalid { .. } => "compile the policy again; nothing was changed".into(),
            Self::ObjectAbi { .. } | Self::ObjectInvalid { .. } => {
                "install lsmpc again, or leave out the option that names an object".into()
            }
            Self::PinnedAbi { .. } => {
                "`lsmpc apply --replace` swaps programs and policy without a gap; `lsmpc remove` takes the old ones away".into()
            }
            Self::PinnedShape { .. } => {
                "`lsmpc apply --replace` sets up new maps and swaps without a gap".into()
            }
            Self::ForeignPin { path } => format!(
                "move {} away, or choose another pin directory",
                path.display()
            ),
            Self::PinsUnreadable { .. } => {
                "`lsmpc remove` takes away what is left; then apply again".into()
            }
            Self::PinsRefused { dir, .. } => format!(
                "run it as root (CAP_BPF and CAP_SYS_ADMIN); if it is the policy in force that \
                 denies bpf(2) to lsmpc, `rm -r {}` takes that policy away",
                dir.display()
            ),
            Self::HalfRemoved { .. } => "run `lsmpc remove` again, or `lsmpc apply` anew".into(),
            Self::ProgramRefused { .. } => {
                "nothing was changed; report it with the output of `lsmpc doctor`".into()
            }
            Self::TrampolinesRefused => {
                "use another kernel or host; `lsmpc check` and `lsmpc eval` work without one".into()
            }
            Self::Attach { .. } => {
                "nothing was changed; `lsmpc doctor` shows what this machine lacks".into()
            }
            Self::Map { source, .. } => match source.raw_os_error() {
                Some(libc::ENOMEM) => {
                    "memory is short: raise the memory limit of the service or make the policy smaller".into()
                }
                Some(libc::EPERM) => "run it as root (CAP_BPF and CAP_SYS_ADMIN)".into(),
                _ => "nothing was changed; `lsmpc doctor` shows what this machine lacks".into(),
            },
            Self::ReadBack { .. } => "it was not published; try again, and test the memory".into(),
            Self::Publish { .. } => "the policy that was in force stays in force".into(),
            Self::DetachPending { .. } => {
                "the kernel finishes on its own; `lsmpc status` shows when".into()
            }
            Self::ApplyBusy { .. } => "wait until it is done, then try again".into(),
            Self::ReaderBusy { .. } => "stop that process, or read its output".into(),
            Self::NothingApplied { .. } => "`lsmpc apply` puts a policy in force".into(),
            Self::Directory { .. } => {
                "name a directory inside a bpffs, such as /sys/fs/bpf/lsmpc".into()
            }
            Self::System { source, .. } => match source.raw_os_error() {
                Some(libc::EPERM) => {
                    "run it as root; `lsmpc doctor` shows what else this machine lacks".into()
                }
                _ => "`lsmpc doctor` shows what this machine lacks".into(),
            },
        }
    }

    pub(crate) fn system(what: impl Into<String>, source: io::Error) -> Self {
        Self::System {
            what: what.into(),
            source,
        }
    }

    pub(crate) fn map(operation: &'static str, map: impl Into<String>, source: io::Error) -> Self {
        Self::Map {
            operation,
            map: map.into(),
            source,
        }
    }
}

/// The name of a hook for messages.
pub(crate) fn hook_name(hook: HookId) -> &'static str {
    hook.name()
}

fn holder_text(holder: Option<u32>) -> String {
    holder.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

fn unsupported_list(list: &[Unsupported]) -> String {
    list.iter()
        .map(|one| match one.what {
            Missing::Hook(hook) => format!("{} ({})", hook_name(hook), one.reason),
            Missing::Field(field) => format!("`{}` ({})", field.name(), one.reason),
        })
        .collect::<Vec<_>>()
        .join(", ")
}

fn log_tail(log: &str) -> String {
    const LINES: usize = 12;
    let lines: Vec<&str> = log.trim_end().lines().collect();
    if lines.is_empty() {
        return String::new();
    }
    let tail = lines
        .get(lines.len().saturating_sub(LINES)..)
        .unwrap_or(&[]);
    format!("\n{}", tail.join("\n"))
}
