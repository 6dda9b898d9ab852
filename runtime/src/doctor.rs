//! What there is to know of a machine beyond what `apply` asks of it.
//!
//! Owns checks that keep nobody from applying a policy: they say what a policy may find
//! there. Must not know what a policy names.

use std::io;
use std::path::Path;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

use crate::code::Code;
use crate::gaps::Gaps;
use crate::object::ProgramObject;
use crate::others::OtherProgram;
use crate::preflight::{self, CheckState, Preflight};
use crate::support::{self, Reason};
use crate::system::{KernelVersion, System, Trials};
use crate::untold;

/// All that can be said of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// What `apply` asks, and what else there is to know.
    pub checks: Preflight,
    /// Each hook of the language, with what speaks against it here. Empty where the
    /// kernel could not be asked.
    pub hooks: Vec<(HookId, Option<Reason>)>,
    /// LSM programs that others brought in; `None` where that is not told.
    pub others: Option<Vec<OtherProgram>>,
}

/// What comes from outside of the files of a machine.
pub(crate) struct Asked<'a> {
    pub(crate) trials: &'a dyn Trials,
    /// The programs, if they can be read.
    pub(crate) object: Option<&'a ProgramObject>,
    pub(crate) others: io::Result<Vec<OtherProgram>>,
    /// Whether what is hidden is hidden from everybody.
    pub(crate) privileged: bool,
    /// As [`std::env::consts::ARCH`].
    pub(crate) architecture: &'a str,
}

/// Makes every check. `dir` is the pin directory.
pub(crate) fn diagnose(system: &System, dir: &Path, asked: Asked<'_>) -> Diagnosis {
    let (mut checks, kernel) = preflight::with_types(system, dir, asked.trials, asked.object);
    let gaps = match (&kernel, asked.object) {
        (Some(kernel), Some(object)) => Gaps::find(kernel, object).unwrap_or_default(),
        _ => Gaps::default(),
    };
    let hooks = kernel.as_ref().map_or_else(Vec::new, |kernel| {
        let unsupported = support::unsupported(HookId::ALL, kernel, |name| match asked.object {
            Some(object) => gaps.program(object, name),
            None => Some(Reason::NoProgram),
        });
        HookId::ALL
            .iter()
            .map(|hook| {
                let found = unsupported.iter().find(|one| one.hook() == Some(*hook));
                (*hook, found.map(|one| one.reason))
            })
            .collect()
    });
    hooks_otherwise(&mut checks, &hooks);
    architecture(&mut checks, system, asked.architecture);
    jit(&mut checks, system);
    fields(&mut checks, system, &gaps, asked.privileged);
    command_line(&mut checks, system);
    let others = other_programs(&mut checks, asked.others);
    Diagnosis {
        checks,
        hooks,
        others,
    }
}

/// Hooks that are there, but cannot be used.
fn hooks_otherwise(report: &mut Preflight, hooks: &[(HookId, Option<Reason>)]) {
    let found: Vec<String> = hooks
        .iter()
        .filter_map(|(hook, reason)| {
            let reason = reason.filter(|reason| *reason != Reason::NotInKernel)?;
            Some(format!("{}: {reason}", hook.name()))
        })
        .collect();
    if !found.is_empty() {
        report.not_ok(
            "hooks as known",
            Code::NotEnforceable,
            CheckState::Warning,
            [
                found.join("; "),
                "rules on them are refused here".into(),
                "use an lsmpc that knows this kernel".into(),
            ],
        );
    }
}

/// Where this is built, tested and known to fall short.
fn architecture(report: &mut Preflight, system: &System, architecture: &str) {
    const NAME: &str = "architecture";
    let release = system
        .text("/proc/sys/kernel/osrelease")
        .unwrap_or_default();
    let attaches = KernelVersion { major: 6, minor: 4 };
    let old = KernelVersion::parse(&release).is_some_and(|version| version < attaches);
    let reason = match architecture {
        "x86_64" => return report.ok(NAME, architecture),
        "aarch64" if old => "before Linux 6.4 kernels of this architecture attach no LSM programs",
        "aarch64" => "tested under emulation only; records of executions are without arguments",
        _ => "nothing of lsmpc was made for it: numbers of flags and signals may differ",
    };
    report.note(
        NAME,
        CheckState::Warning,
        [
            architecture.into(),
            reason.into(),
            "try each rule by what it is to refuse before you rely on it".into(),
        ],
    );
}

fn jit(report: &mut Preflight, system: &System) {
    const NAME: &str = "BPF JIT";
    const SETTING: &str = "/proc/sys/net/core/bpf_jit_enable";
    match system.text(SETTING) {
        Ok(text) if text.trim() == "0" => report.note(
            NAME,
            CheckState::Warning,
            [
                "off".into(),
                "LSM programs are entered through code that the JIT makes".into(),
                "sysctl net.core.bpf_jit_enable=1".into(),
            ],
        ),
        Ok(text) => report.ok(NAME, format!("net.core.bpf_jit_enable is {}", text.trim())),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            report.untold(NAME, "net.core.bpf_jit_enable");
        }
        Err(error) => report.note(
            NAME,
            CheckState::Unknown,
            [
                format!("{SETTING}: {error}"),
                "LSM programs are entered through code that the JIT makes".into(),
                "boot a kernel built with CONFIG_BPF_JIT=y, and mount /proc".into(),
            ],
        ),
    }
}

/// Fields that this kernel does not tell.
fn fields(report: &mut Preflight, system: &System, gaps: &Gaps, privileged: bool) {
    const NAME: &str = "fields";
    let found = untold::untold(system, gaps, FieldId::ALL);
    if found.is_empty() {
        return report.ok(NAME, "all can be read");
    }
    let certain = privileged || found.iter().all(|one| one.certain);
    let names: Vec<&str> = found.iter().map(|one| one.field.name()).collect();
    if !certain {
        let what = format!("whether these can be read: {}", names.join(", "));
        return report.untold(NAME, &what);
    }
    let mut reasons: Vec<String> = found.iter().map(|one| one.reason.to_string()).collect();
    reasons.dedup();
    let hidden = found
        .iter()
        .any(|one| matches!(one.reason, Reason::SymbolHidden(_)));
    report.not_ok(
        NAME,
        Code::FieldMissing,
        CheckState::Warning,
        [
            format!("not told: {}", names.join(", ")),
            reasons.join("; "),
            if hidden {
                "sysctl kernel.kptr_restrict=1".into()
            } else {
                "leave conditions on them out; `lsmpc check --kernel running` shows the rules"
                    .into()
            },
        ],
    );
}

/// Words of the kernel command line that decide about security modules.
fn command_line(report: &mut Preflight, system: &System) {
    const NAME: &str = "kernel command line";
    const WORDS: &[&str] = &["lsm=", "security=", "lockdown=", "sysctl."];
    let Ok(text) = system.text("/proc/cmdline") else {
        return report.untold(NAME, "/proc/cmdline");
    };
    let words: Vec<&str> = text
        .split_whitespace()
        .filter(|word| WORDS.iter().any(|known| word.starts_with(known)))
        .collect();
    let listed = words
        .iter()
        .rev()
        .find_map(|word| word.strip_prefix("lsm="));
    if let Some(listed) = listed
        && !listed.split(',').any(|name| name == "bpf")
    {
        return report.not_ok(
            NAME,
            Code::BpfLsmInactive,
            CheckState::Warning,
            [
                words.join(" "),
                "`lsm=` replaces the built-in list of modules, and `bpf` is not in it".into(),
                format!("write this there and reboot: lsm={listed},bpf"),
            ],
        );
    }
    let found = if words.is_empty() {
        "nothing about security modules; the built-in list counts".to_owned()
    } else {
        words.join(" ")
    };
    report.ok(NAME, found);
}

/// What others brought in.
fn other_programs(
    report: &mut Preflight,
    others: io::Result<Vec<OtherProgram>>,
) -> Option<Vec<OtherProgram>> {
    const NAME: &str = "other LSM programs";
    let others = match others {
        Ok(others) => others,
        Err(_) => {
            report.untold(NAME, "which BPF programs are attached");
            return None;
        }
    };
    let shared = others.iter().filter(|other| other.shares_a_hook()).count();
    let shown: Vec<String> = others.iter().map(shown).collect();
    if shared != 0 {
        report.note(
            NAME,
            CheckState::Warning,
            [
                shown.join("; "),
                "they are asked at the same hooks as lsmpc's: what either refuses is refused, \
                 and what it refuses first the other does not see"
                    .into(),
                "nothing, if they are meant to be there; `bpftool link` and `bpftool prog` \
                 tell more"
                    .into(),
            ],
        );
    } else if others.is_empty() {
        report.ok(NAME, "none");
    } else {
        report.ok(NAME, format!("at other hooks: {}", shown.join("; ")));
    }
    Some(others)
}

fn shown(other: &OtherProgram) -> String {
    let on = other.hook().or(other.target.as_deref()).unwrap_or("?");
    let by = other.link_id.map_or_else(
        || "no link: for cgroups, or not attached".to_owned(),
        |link| format!("link {link}"),
    );
    format!(
        "{} on {on} (program {}, {by})",
        other.name, other.program_id
    )
}

#[cfg(test)]
#[path = "doctor_tests.rs"]
mod tests;
