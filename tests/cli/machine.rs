//! Commands that need a kernel, where there is none to use.

use std::path::Path;

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
    for line in String::from_utf8(doctor.stdout).unwrap().lines() {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(json["check"].is_string() && json["state"].is_string());
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
