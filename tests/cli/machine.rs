//! Commands that need a kernel, where there is none to use.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{Place, shown, snapshot};

#[test]
fn machines_without_a_policy() {
    let place = Place::new();
    let pins = place.0.path().join("pins");
    let pins = pins.to_str().unwrap();
    let run = |arguments: &[&str]| {
        let output = place.run(&[arguments, &["--pins", pins]].concat());
        let text = shown(&output).replace(pins, "PINS");
        (output.status.code().unwrap(), text)
    };
    // Whatever this machine is, a plain directory is no bpffs.
    for arguments in [
        &["apply", "good.lsmp"][..],
        &["apply", "--dry-run", "good.lsmp"],
    ] {
        let (code, text) = run(arguments);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains("LSMP40") && text.contains("help:"), "{text}");
        assert!(!Path::new(pins).exists(), "something was left");
    }
    snapshot!("events-nothing-applied", run(&["events"]).1);
    snapshot!("show-nothing-applied", run(&["show"]).1);
    snapshot!("remove-nothing-applied", run(&["remove"]).1);
    let (code, text) = run(&["status"]);
    assert_eq!(code, 0);
    assert!(text.contains("no policy is in force"), "{text}");
    let status = place.run(&["status", "--format", "json", "--pins", pins]);
    let json: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(json["in_force"], false);
    let doctor = place.run(&["doctor", "--format", "json", "--pins", pins]);
    assert_eq!(doctor.status.code(), Some(1));
    let mut seen = Vec::new();
    for line in String::from_utf8(doctor.stdout).unwrap().lines() {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        let state = json["state"].as_str().unwrap();
        assert!(["ok", "warning", "unknown", "failed"].contains(&state));
        seen.push(json["check"].as_str().unwrap().to_owned());
    }
    for check in [
        "BPF LSM",
        "kernel types (BTF)",
        "bpffs",
        "privilege",
        "kernel lockdown",
        "architecture",
        "BPF JIT",
        "fields",
        "kernel command line",
        "other LSM programs",
    ] {
        assert!(seen.iter().any(|name| name == check), "{check}: {seen:?}");
    }
    // What is wrong with the policy comes first, and alone.
    let (code, text) = run(&["apply", "bad.lsmp"]);
    assert_eq!(code, 1);
    assert!(
        text.contains("LSMP1002") && !text.contains("LSMP4"),
        "{text}"
    );
    let (code, text) = run(&["apply", "nowhere.lsmp"]);
    assert_eq!(code, 2);
    assert!(text.contains("nowhere.lsmp"), "{text}");
}

/// What only root is told is said to be so, and is no error.
#[test]
fn doctor_without_privileges() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lsmpc"));
    command
        .args(["doctor", "--format", "json"])
        .current_dir("/");
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(65_534).gid(65_534);
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: nobody else can run the program where it lies: {error}");
            return;
        }
    };
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.is_empty());
    let checks: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let others = checks
        .iter()
        .find(|one| one["check"] == "other LSM programs");
    let others = others.unwrap();
    assert_eq!(others["state"], "unknown");
    assert_eq!(others["found"], "not told without privileges");
    assert_eq!(others["remedy"], "run it as root");
    assert_eq!(others["code"], Value::Null);
    assert_eq!(others["programs"], Value::Null);
    let privilege = checks.iter().find(|one| one["check"] == "privilege");
    assert_eq!(privilege.unwrap()["code"], "LSMP4001");
}
