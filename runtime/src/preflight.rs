//! Can this machine enforce a policy at all, and if not, why, and what helps?
//!
//! Owns the checks that come before anything is changed. Reads only; the trial
//! loads attach nothing. Must not know what a policy names: whether its hooks are
//! there is `support`'s.

use std::path::Path;

use lsmpc_abi::hook::HookId;

use crate::btf::KernelBtf;
pub use crate::checks::{Check, CheckState, Preflight};
use crate::code::Code;
use crate::gaps::{self, Gaps};
use crate::object::ProgramObject;
use crate::support::kernel_has;
use crate::system::{KernelVersion, System, Trial, Trials};

/// Makes every check. `dir` is the pin directory; `object` has the programs, if it can be
/// read.
#[must_use]
pub(crate) fn full(
    system: &System,
    dir: &Path,
    trials: &dyn Trials,
    object: Option<&ProgramObject>,
) -> Preflight {
    with_types(system, dir, trials, object).0
}

/// Makes every check, and hands out the kernel's types that it read for them.
pub(crate) fn with_types(
    system: &System,
    dir: &Path,
    trials: &dyn Trials,
    object: Option<&ProgramObject>,
) -> (Preflight, Option<KernelBtf>) {
    let mut report = Preflight::default();
    kernel(&mut report, system);
    privilege(&mut report, system);
    active_modules(&mut report, system);
    let types = kernel_types(&mut report, system);
    if let Some(types) = &types {
        structures(&mut report, types, object);
        hooks(&mut report, types);
    }
    bpffs(&mut report, system, dir);
    lockdown(&mut report, system);
    let useless = [Code::NotPrivileged, Code::LockedDown];
    let worth_trying = !report
        .failures()
        .any(|check| check.code.is_some_and(|code| useless.contains(&code)));
    let hook = types.as_ref().and_then(|types| types.function(A_HOOK));
    if let Some(hook) = hook.filter(|_| worth_trying) {
        trampolines(&mut report, trials, hook);
    }
    (report, types)
}

/// A hook that every kernel with the BPF LSM has.
const A_HOOK: &str = "bpf_lsm_file_open";

fn kernel(report: &mut Preflight, system: &System) {
    const NAME: &str = "kernel version";
    let release = system
        .text("/proc/sys/kernel/osrelease")
        .unwrap_or_default();
    let release = release.trim();
    let Some(version) = KernelVersion::parse(release) else {
        report.not_ok(
            NAME,
            Code::KernelTooOld,
            CheckState::Warning,
            [
                "unknown".into(),
                "the release could not be read".into(),
                "mount /proc".into(),
            ],
        );
        return;
    };
    let required = KernelVersion {
        major: 5,
        minor: 17,
    };
    let tested = KernelVersion { major: 6, minor: 1 };
    let state = if version >= tested {
        return report.ok(NAME, release);
    } else if version >= required {
        CheckState::Warning
    } else {
        CheckState::Failed
    };
    report.not_ok(
        NAME,
        Code::KernelTooOld,
        state,
        [
            release.to_owned(),
            "lsmpc is made for 6.1 and later; before 5.17 its programs do not load".into(),
            "boot a kernel of version 6.1 or later".into(),
        ],
    );
}

/// The capabilities that loading, attaching and reading back need.
const CAPABILITIES: &[(&str, u32, &str)] = &[
    ("CAP_SYS_ADMIN", 21, "objects are opened by number with it"),
    ("CAP_PERFMON", 38, "LSM programs follow kernel pointers"),
    ("CAP_BPF", 39, "programs and maps are loaded with it"),
];
const CAP_SYS_ADMIN: u64 = 1 << 21;

fn privilege(report: &mut Preflight, system: &System) {
    const NAME: &str = "privilege";
    let status = system.text("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let Some(effective) = field("CapEff:").and_then(|hex| u64::from_str_radix(hex, 16).ok()) else {
        report.not_ok(
            NAME,
            Code::NotPrivileged,
            CheckState::Warning,
            [
                "unknown".into(),
                "/proc/self/status could not be read".into(),
                "mount /proc".into(),
            ],
        );
        return;
    };
    let missing: Vec<&(&str, u32, &str)> = CAPABILITIES
        .iter()
        .filter(|(name, bit, _)| {
            let held = effective & (1 << bit) != 0;
            // CAP_SYS_ADMIN stands for the two that were split off it.
            !held && (*name == "CAP_SYS_ADMIN" || effective & CAP_SYS_ADMIN == 0)
        })
        .collect();
    if missing.is_empty() {
        return namespace(report, system);
    }
    let names: Vec<&str> = missing.iter().map(|(name, ..)| *name).collect();
    let why: Vec<String> = missing
        .iter()
        .map(|(name, _, why)| format!("{name}: {why}"))
        .collect();
    report.not_ok(
        NAME,
        Code::NotPrivileged,
        CheckState::Failed,
        [
            format!("without {}", names.join(", ")),
            why.join("; "),
            format!(
                "run it as root; in a unit file: AmbientCapabilities={}",
                names.join(" ")
            ),
        ],
    );
}

/// Capabilities count in the initial user namespace only.
fn namespace(report: &mut Preflight, system: &System) {
    const NAME: &str = "privilege";
    let map = system.text("/proc/self/uid_map").unwrap_or_default();
    let words: Vec<&str> = map.split_whitespace().collect();
    if words.is_empty() || words == ["0", "0", "4294967295"] {
        return report.ok(NAME, "CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN are held");
    }
    report.not_ok(
        NAME,
        Code::NotPrivileged,
        CheckState::Failed,
        [
            "in a user namespace".into(),
            "capabilities of a user namespace do not reach BPF".into(),
            "run it outside of the container, or in one without user namespace".into(),
        ],
    );
}

fn active_modules(report: &mut Preflight, system: &System) {
    const NAME: &str = "BPF LSM";
    let Ok(active) = system.text("/sys/kernel/security/lsm") else {
        report.not_ok(
            NAME,
            Code::MountMissing,
            CheckState::Failed,
            [
                "/sys/kernel/security/lsm cannot be read".into(),
                "whether the BPF LSM is active is read there".into(),
                "mount -t securityfs securityfs /sys/kernel/security".into(),
            ],
        );
        return;
    };
    let active = active.trim();
    if active.split(',').any(|name| name == "bpf") {
        return report.ok(NAME, format!("active: {active}"));
    }
    // What `lsm=` cannot name is in the list in any case.
    let listed: Vec<&str> = active
        .split(',')
        .filter(|name| !name.is_empty() && *name != "capability")
        .chain(["bpf"])
        .collect();
    report.not_ok(
        NAME,
        Code::BpfLsmInactive,
        CheckState::Failed,
        [
            format!("active: {active}"),
            "LSM programs run only where `bpf` is among the active security modules".into(),
            format!(
                "add this to the kernel command line and reboot: lsm={}",
                listed.join(",")
            ),
        ],
    );
}

fn kernel_types(report: &mut Preflight, system: &System) -> Option<KernelBtf> {
    const NAME: &str = "kernel types (BTF)";
    let problem = match system.bytes("/sys/kernel/btf/vmlinux") {
        Ok(bytes) => match KernelBtf::parse(bytes) {
            Ok(btf) if btf.function(A_HOOK).is_some() => {
                report.ok(NAME, "/sys/kernel/btf/vmlinux");
                return Some(btf);
            }
            Ok(_) => {
                report.not_ok(
                    NAME,
                    Code::BpfLsmInactive,
                    CheckState::Failed,
                    [
                        format!("no function {A_HOOK}"),
                        "this kernel was built without the BPF LSM".into(),
                        "boot a kernel built with CONFIG_BPF_LSM=y".into(),
                    ],
                );
                return None;
            }
            Err(error) => format!("damaged: {error}"),
        },
        Err(error) => format!("/sys/kernel/btf/vmlinux: {error}"),
    };
    report.not_ok(
        NAME,
        Code::NoKernelTypes,
        CheckState::Failed,
        [
            problem,
            "programs are attached to hooks, and find members of structures, by BTF".into(),
            "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y".into(),
        ],
    );
    None
}

/// The members that the programs read.
fn structures(report: &mut Preflight, types: &KernelBtf, object: Option<&ProgramObject>) {
    const NAME: &str = "kernel structures";
    let found = object.and_then(|object| Gaps::find(types, object).ok());
    let Some(gaps) = found else {
        return report.not_ok(
            NAME,
            Code::ObjectInvalid,
            CheckState::Failed,
            [
                "the programs cannot be read".into(),
                "what they read of this kernel is not known".into(),
                "install lsmpc again, or leave out the option that names an object".into(),
            ],
        );
    };
    let fatal = gaps.fatal();
    if !fatal.is_empty() {
        return report.not_ok(
            NAME,
            Code::OffsetUnresolved,
            CheckState::Failed,
            [
                format!("not found: {}", fatal.join(", ")),
                "every policy needs programs that read these members; a guessed place would be \
                 another one"
                    .into(),
                "use an lsmpc that knows this kernel".into(),
            ],
        );
    }
    if gaps.missing.is_empty() {
        return report.ok(NAME, "as the programs need them");
    }
    let missing: Vec<String> = gaps.missing.iter().map(|one| gaps::member(one)).collect();
    report.not_ok(
        NAME,
        Code::OffsetUnresolved,
        CheckState::Warning,
        [
            format!("not found: {}", missing.join(", ")),
            "fields that are read from these members are unknown, and hooks whose programs \
             cannot do without them are left out"
                .into(),
            "`lsmpc check --kernel running` shows the rules that this concerns".into(),
        ],
    );
}

/// Which hooks there are. That some are missing concerns only policies that name
/// them.
fn hooks(report: &mut Preflight, types: &KernelBtf) {
    let missing: Vec<&str> = HookId::ALL
        .iter()
        .map(|hook| hook.name())
        .filter(|name| !kernel_has(types, name))
        .collect();
    let all = HookId::ALL.len();
    let found = if missing.is_empty() {
        format!("all {all}")
    } else {
        let there = all - missing.len();
        format!(
            "{there} of {all}; not in this kernel: {}",
            missing.join(", ")
        )
    };
    report.ok("hooks", found);
}

fn bpffs(report: &mut Preflight, system: &System, dir: &Path) {
    const NAME: &str = "bpffs";
    let kind = system.file_system_of(dir).ok().flatten();
    if kind.as_deref() == Some("bpf") {
        return report.ok(NAME, format!("{} is in a bpffs", dir.display()));
    }
    let standard = dir.starts_with("/sys/fs/bpf");
    report.not_ok(
        NAME,
        Code::NoBpffs,
        CheckState::Failed,
        [
            format!(
                "{} is in a file system of type {}",
                dir.display(),
                kind.as_deref().unwrap_or("unknown")
            ),
            "enforcement outlives the command by pins, which only a bpffs holds".into(),
            if standard {
                "mount -t bpf bpf /sys/fs/bpf".into()
            } else {
                "name a directory inside a bpffs".into()
            },
        ],
    );
}

fn lockdown(report: &mut Preflight, system: &System) {
    const NAME: &str = "kernel lockdown";
    let Ok(text) = system.text("/sys/kernel/security/lockdown") else {
        return report.ok(NAME, "not built in, or not readable");
    };
    let level = text
        .split_whitespace()
        .find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
        .unwrap_or("none");
    if level != "confidentiality" {
        return report.ok(NAME, level);
    }
    report.not_ok(
        NAME,
        Code::LockedDown,
        CheckState::Failed,
        [
            level.into(),
            "programs may not read kernel memory at this level".into(),
            "boot with lockdown=integrity".into(),
        ],
    );
}

fn trampolines(report: &mut Preflight, trials: &dyn Trials, hook: u32) {
    const NAME: &str = "LSM programs load";
    let lsm = trials.lsm(hook);
    if lsm == Trial::Loads {
        return report.ok(NAME, "a trial program was accepted");
    }
    let everyday = trials.everyday();
    let (code, [found, reason, remedy]) = match (lsm, everyday) {
        (Trial::RefusedSilently, Trial::Loads) => (
            Code::TrampolinesRefused,
            [
                "EPERM without a verifier log, while a socket filter loads".into(),
                "this host refuses the trampolines that LSM programs are entered through".into(),
                "use another kernel or host; `lsmpc check` and `lsmpc eval` work without one"
                    .into(),
            ],
        ),
        (_, Trial::RefusedSilently | Trial::Fails(libc::EPERM)) => (
            Code::NotPrivileged,
            [
                "no BPF program may be loaded (EPERM)".to_owned(),
                "a seccomp filter, a BPF token policy or another security module refuses bpf(2)"
                    .into(),
                "run it outside of the sandbox".into(),
            ],
        ),
        (Trial::Fails(number), _) => (
            Code::ProgramRefused,
            [
                format!(
                    "a trial program was refused: {}",
                    std::io::Error::from_raw_os_error(number)
                ),
                "LSM programs are what enforces a policy".into(),
                "check that the kernel was built with CONFIG_BPF_LSM=y and CONFIG_BPF_JIT=y".into(),
            ],
        ),
        (Trial::RefusedSilently | Trial::Loads, _) => (
            Code::ProgramRefused,
            [
                "a trial program was refused (EPERM)".to_owned(),
                "LSM programs are what enforces a policy".into(),
                "see whether another security module forbids bpf(2)".into(),
            ],
        ),
    };
    report.not_ok(NAME, code, CheckState::Failed, [found, reason, remedy]);
}

#[cfg(test)]
#[path = "preflight_tests.rs"]
pub(crate) mod tests;
