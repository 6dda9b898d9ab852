use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;
use crate::btf::tests::Blob;

pub(crate) struct Fake {
    everyday: Trial,
    lsm: Trial,
}

impl Trials for Fake {
    fn everyday(&self) -> Trial {
        self.everyday
    }

    fn lsm(&self, _hook: u32) -> Trial {
        self.lsm
    }
}

pub(crate) const GOOD: Fake = Fake {
    everyday: Trial::Loads,
    lsm: Trial::Loads,
};
pub(crate) const DIR: &str = "/sys/fs/bpf/lsmpc";

pub(crate) fn machine() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let put = |path: &str, bytes: &[u8]| put(root.path(), path, bytes);
    put("/proc/sys/kernel/osrelease", b"6.12.1-x\n");
    put(
        "/proc/self/status",
        b"Name:\tx\nCapEff:\t000001ffffffffff\n",
    );
    put("/proc/self/uid_map", b"         0          0 4294967295\n");
    put(
        "/proc/self/mountinfo",
        b"1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / /sys/fs/bpf rw - bpf bpf rw\n",
    );
    put("/sys/kernel/security/lsm", b"lockdown,capability,bpf");
    put(
        "/sys/kernel/security/lockdown",
        b"[none] integrity confidentiality\n",
    );
    put("/sys/kernel/btf/vmlinux", &kernel_types(""));
    root
}

/// Every structure of the ABI's table, with the members that it names but one, and two
/// hooks.
pub(crate) fn kernel_types(lacking: &str) -> Vec<u8> {
    let mut members: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for offset in lsmpc_abi::kernel::OFFSETS {
        let [first, rest @ ..] = offset.path else {
            panic!("an empty path");
        };
        let inner = members.entry(offset.structure).or_default();
        // Of a member with several names, the newest.
        let newest = |name: &'static str| name.rsplit('|').next().unwrap_or(name);
        let rest = rest.iter().map(|name| newest(name));
        inner.entry(newest(first)).or_default().extend(rest);
    }
    let mut blob = Blob::default();
    let int = blob.int("int", 4);
    let mut structures = BTreeMap::new();
    for (structure, fields) in members {
        let mut found = Vec::new();
        for (field, inner) in fields {
            if format!("{structure}.{field}") == lacking {
                continue;
            }
            let inner: Vec<_> = inner.iter().map(|name| (*name, int, 32)).collect();
            let ty = if inner.is_empty() {
                int
            } else {
                blob.structure("", 8, &inner)
            };
            found.push((field, ty, 64));
        }
        structures.insert(structure, blob.structure(structure, 64, &found));
    }
    let mut pointer = |structure: &str| blob.pointer(structures[structure]);
    let (file, map) = (pointer("file"), pointer("bpf_map"));
    blob.function_of("bpf_lsm_file_open", &[file]);
    blob.function_of("bpf_lsm_bpf_map", &[map, int]);
    blob.bytes()
}

pub(crate) fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn checked(system: &System, trials: &Fake) -> Preflight {
    full(system, Path::new(DIR), trials, Some(&object()))
}

/// The programs.
pub(crate) fn object() -> ProgramObject {
    ProgramObject::open(None).unwrap()
}

fn only_failure(root: &Path, trials: &Fake) -> Check {
    let report = checked(&System::at(root), trials);
    let failures: Vec<_> = report.failures().cloned().collect();
    assert_eq!(failures.len(), 1, "{report:#?}");
    failures[0].clone()
}

#[test]
fn a_good_machine_passes() {
    let root = machine();
    let report = checked(&System::at(root.path()), &GOOD);
    assert!(report.passed(), "{report:#?}");
    assert_eq!(report.checks.len(), 9);
}

#[test]
fn an_inactive_bpf_lsm_gets_the_exact_line() {
    let root = machine();
    put(
        root.path(),
        "/sys/kernel/security/lsm",
        b"lockdown,capability,yama,apparmor\n",
    );
    let check = only_failure(root.path(), &GOOD);
    assert_eq!(check.code, Some(Code::BpfLsmInactive));
    assert!(check.remedy.ends_with("lsm=lockdown,yama,apparmor,bpf"));
}

#[test]
fn a_missing_securityfs_is_told_apart() {
    let root = machine();
    fs::remove_file(root.path().join("sys/kernel/security/lsm")).unwrap();
    let check = only_failure(root.path(), &GOOD);
    assert_eq!(check.code, Some(Code::MountMissing));
}

#[test]
fn missing_capabilities_are_named() {
    let root = machine();
    put(
        root.path(),
        "/proc/self/status",
        b"CapEff:\t0000008000000000\n",
    );
    let check = only_failure(root.path(), &GOOD);
    assert_eq!(check.found, "without CAP_SYS_ADMIN, CAP_PERFMON");
    put(
        root.path(),
        "/proc/self/status",
        b"CapEff:\t0000000000200000\n",
    );
    assert!(checked(&System::at(root.path()), &GOOD).passed());
}

#[test]
fn a_user_namespace_is_recognised() {
    let root = machine();
    put(root.path(), "/proc/self/uid_map", b"0 100000 65536\n");
    let check = only_failure(root.path(), &GOOD);
    assert_eq!(check.found, "in a user namespace");
}

#[test]
fn bpffs_lockdown_types_and_age_are_checked() {
    let root = machine();
    put(
        root.path(),
        "/proc/self/mountinfo",
        b"1 0 0:1 / / rw - ext4 x rw\n",
    );
    let check = only_failure(root.path(), &GOOD);
    assert_eq!(check.remedy, "mount -t bpf bpf /sys/fs/bpf");

    let root = machine();
    put(
        root.path(),
        "/sys/kernel/security/lockdown",
        b"none integrity [confidentiality]\n",
    );
    assert_eq!(
        only_failure(root.path(), &GOOD).code,
        Some(Code::LockedDown)
    );

    let root = machine();
    fs::remove_file(root.path().join("sys/kernel/btf/vmlinux")).unwrap();
    assert_eq!(
        only_failure(root.path(), &GOOD).code,
        Some(Code::NoKernelTypes)
    );

    let root = machine();
    put(root.path(), "/proc/sys/kernel/osrelease", b"5.10.0\n");
    assert_eq!(
        only_failure(root.path(), &GOOD).code,
        Some(Code::KernelTooOld)
    );
    put(root.path(), "/proc/sys/kernel/osrelease", b"5.19.0\n");
    let report = checked(&System::at(root.path()), &GOOD);
    assert!(report.passed());
    assert_eq!(report.checks[0].state, CheckState::Warning);
}

#[test]
fn refused_trampolines_are_told_from_a_refused_bpf() {
    let root = machine();
    let refused = Fake {
        everyday: Trial::Loads,
        lsm: Trial::RefusedSilently,
    };
    let check = only_failure(root.path(), &refused);
    assert_eq!(check.code, Some(Code::TrampolinesRefused));
    let sandbox = Fake {
        everyday: Trial::Fails(libc::EPERM),
        lsm: Trial::RefusedSilently,
    };
    let check = only_failure(root.path(), &sandbox);
    assert_eq!(check.code, Some(Code::NotPrivileged));
    let invalid = Fake {
        everyday: Trial::Loads,
        lsm: Trial::Fails(libc::EINVAL),
    };
    let check = only_failure(root.path(), &invalid);
    assert_eq!(check.code, Some(Code::ProgramRefused));
}

#[test]
fn a_changed_structure_is_named() {
    let root = machine();
    let lack = |member| {
        put(
            root.path(),
            "/sys/kernel/btf/vmlinux",
            &kernel_types(member),
        )
    };
    lack("task_struct.mm");
    let check = only_failure(root.path(), &GOOD);
    assert_eq!(check.code, Some(Code::OffsetUnresolved));
    assert_eq!(check.found, "not found: task_struct.mm");
    // What not every policy needs keeps nobody from applying one.
    for member in ["bpf_map.map_type", "task_struct.loginuid"] {
        lack(member);
        let report = checked(&System::at(root.path()), &GOOD);
        assert!(report.passed());
        let check = report
            .checks
            .iter()
            .find(|one| one.state == CheckState::Warning);
        assert_eq!(check.unwrap().found, format!("not found: {member}"));
    }
}
