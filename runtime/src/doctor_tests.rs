use std::fs;

use super::*;
use crate::preflight::Check;
use crate::preflight::tests::{DIR, GOOD, kernel_types, machine, object, put};

fn program(link: Option<u32>, hook: &str) -> OtherProgram {
    OtherProgram {
        link_id: link,
        program_id: 7,
        name: "guard".into(),
        target: Some(format!("bpf_lsm_{hook}")),
    }
}

/// The diagnosis of a machine where others have brought in these programs.
fn diagnosed(root: &Path, others: io::Result<Vec<OtherProgram>>, privileged: bool) -> Diagnosis {
    let asked = Asked {
        trials: &GOOD,
        object: Some(&object()),
        others,
        privileged,
        architecture: "x86_64",
    };
    diagnose(&System::at(root), Path::new(DIR), asked)
}

fn check<'d>(diagnosis: &'d Diagnosis, name: &str) -> &'d Check {
    let mut checks = diagnosis.checks.checks.iter();
    checks.find(|check| check.name == name).unwrap()
}

fn whole() -> tempfile::TempDir {
    let root = machine();
    put(root.path(), "/proc/sys/net/core/bpf_jit_enable", b"1\n");
    put(root.path(), "/proc/cmdline", b"quiet lsm=lockdown,bpf ro\n");
    put(
        root.path(),
        "/proc/kallsyms",
        b"ffffffff82345678 D init_nsproxy\n",
    );
    root
}

#[test]
fn a_good_machine_has_nothing_to_say() {
    let root = whole();
    let found = diagnosed(root.path(), Ok(Vec::new()), true);
    for name in ["architecture", "BPF JIT", "other LSM programs"] {
        assert_eq!(check(&found, name).state, CheckState::Ok, "{name}");
    }
    assert_eq!(
        check(&found, "kernel command line").found,
        "lsm=lockdown,bpf"
    );
    assert!(found.checks.passed());
    assert_eq!(found.hooks.len(), HookId::ALL.len());
    for (hook, why) in found.hooks {
        let there = [HookId::FileOpen, HookId::BpfMap].contains(&hook);
        assert_eq!(why, (!there).then_some(Reason::NotInKernel), "{hook:?}");
    }
    assert_eq!(found.others, Some(Vec::new()));
}

#[test]
fn what_a_missing_member_takes_away_is_named() {
    let root = whole();
    let lack = |member| {
        put(
            root.path(),
            "/sys/kernel/btf/vmlinux",
            &kernel_types(member),
        )
    };
    lack("bpf_map.map_type");
    let found = diagnosed(root.path(), Ok(Vec::new()), true);
    let hooks = check(&found, "hooks as known");
    assert_eq!(hooks.state, CheckState::Warning);
    assert_eq!(
        hooks.found,
        "bpf_map: this kernel's `struct bpf_map` has no `map_type`"
    );
    lack("kernfs_node.__parent");
    let found = diagnosed(root.path(), Ok(Vec::new()), true);
    let fields = check(&found, "fields");
    assert!(fields.found.contains("cgroup"), "{}", fields.found);
    assert!(
        fields
            .reason
            .contains("this kernel's `struct kernfs_node` has no `parent` or `__parent`"),
        "{}",
        fields.reason
    );
}

#[test]
fn hooks_that_lsmpc_does_not_know_are_named() {
    let mut report = Preflight::default();
    hooks_otherwise(
        &mut report,
        &[
            (HookId::FileOpen, None),
            (HookId::Syslog, Some(Reason::NotInKernel)),
        ],
    );
    assert_eq!(report.checks, []);
    hooks_otherwise(&mut report, &[(HookId::Bpf, Some(Reason::OtherArguments))]);
    assert_eq!(report.checks[0].state, CheckState::Warning);
    assert!(
        report.checks[0]
            .found
            .starts_with("bpf: this kernel's hook")
    );
}

#[test]
fn others_at_the_same_hooks_are_named() {
    let root = whole();
    let others = vec![
        program(Some(3), "file_open"),
        program(None, "sb_free_security"),
    ];
    let found = diagnosed(root.path(), Ok(others.clone()), true);
    let said = check(&found, "other LSM programs");
    assert_eq!(said.state, CheckState::Warning);
    assert_eq!(
        said.found,
        "guard on file_open (program 7, link 3); \
         guard on sb_free_security (program 7, no link: for cgroups, or not attached)"
    );
    assert!(found.checks.passed());
    assert_eq!(found.others, Some(others));
    let elsewhere = vec![program(Some(3), "inode_permission")];
    let found = diagnosed(root.path(), Ok(elsewhere), true);
    assert_eq!(check(&found, "other LSM programs").state, CheckState::Ok);
}

#[test]
fn what_is_not_told_is_no_error() {
    let root = whole();
    put(root.path(), "/proc/kallsyms", b"0 D init_nsproxy\n");
    let refused = Err(io::Error::from_raw_os_error(libc::EPERM));
    let found = diagnosed(root.path(), refused, false);
    assert_eq!(found.others, None);
    for name in ["other LSM programs", "fields"] {
        let check = check(&found, name);
        assert_eq!(check.state, CheckState::Unknown, "{name}");
        assert_eq!(check.remedy, "run it as root", "{name}");
    }
    assert!(found.checks.passed());
    // To root they are hidden for good.
    let found = diagnosed(root.path(), Ok(Vec::new()), true);
    let fields = check(&found, "fields");
    assert_eq!(fields.code, Some(Code::FieldMissing));
    assert_eq!(fields.remedy, "sysctl kernel.kptr_restrict=1");
}

#[test]
fn settings_that_are_in_the_way() {
    let root = whole();
    put(root.path(), "/proc/sys/net/core/bpf_jit_enable", b"0\n");
    put(root.path(), "/proc/cmdline", b"lsm=yama,apparmor\n");
    let found = diagnosed(root.path(), Ok(Vec::new()), true);
    let jit = check(&found, "BPF JIT");
    assert_eq!(jit.state, CheckState::Warning);
    assert_eq!(jit.remedy, "sysctl net.core.bpf_jit_enable=1");
    let line = check(&found, "kernel command line");
    assert!(line.remedy.ends_with("lsm=yama,apparmor,bpf"), "{line:?}");
    fs::remove_file(root.path().join("proc/sys/net/core/bpf_jit_enable")).unwrap();
    let found = diagnosed(root.path(), Ok(Vec::new()), true);
    assert_eq!(check(&found, "BPF JIT").state, CheckState::Unknown);
}

#[test]
fn other_architectures_are_said_to_be_less_tried() {
    let root = whole();
    let said = |release: &[u8], name: &str| {
        put(root.path(), "/proc/sys/kernel/osrelease", release);
        let mut report = Preflight::default();
        architecture(&mut report, &System::at(root.path()), name);
        report.checks.remove(0)
    };
    assert_eq!(said(b"6.12.1\n", "x86_64").state, CheckState::Ok);
    let new = said(b"6.12.1\n", "aarch64");
    assert_eq!(new.state, CheckState::Warning);
    assert!(new.reason.contains("emulation") && new.reason.contains("arguments"));
    assert!(said(b"6.1.5\n", "aarch64").reason.contains("6.4"));
    assert_eq!(said(b"6.12.1\n", "riscv64").state, CheckState::Warning);
}
