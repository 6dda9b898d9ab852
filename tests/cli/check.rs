//! `lsmpc check`: what is said about policies and about what is none.

use std::fs;

use crate::{Place, snapshot};

#[test]
fn check_for_people() {
    let place = Place::new();
    snapshot!("check-good", place.shown(&["check", "good.lsmp"]));
    snapshot!("check-bad", place.shown(&["check", "bad.lsmp"]));
    snapshot!(
        "check-strict",
        place.shown(&["check", "--strict", "good.lsmp"])
    );
    snapshot!(
        "check-deny-warnings",
        place.shown(&["check", "--strict", "--deny-warnings", "good.lsmp"])
    );
    snapshot!(
        "check-stats",
        place.shown(&["check", "--stats", "good.lsmp"])
    );
}

#[test]
fn check_for_programs() {
    let place = Place::new();
    let output = place.run(&["check", "--format", "json", "bad.lsmp"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().count() >= 3);
    for line in text.lines() {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        for key in [
            "code",
            "severity",
            "message",
            "file",
            "line",
            "column",
            "end_line",
            "end_column",
            "labels",
            "help",
        ] {
            assert!(json.get(key).is_some(), "{key}: {line}");
        }
        assert!(json["line"].as_u64() >= Some(1));
    }
    snapshot!("check-json", text);
    let clean = place.run(&["check", "--format", "json", "good.lsmp"]);
    assert_eq!(clean.status.code(), Some(0));
    assert!(clean.stdout.is_empty());
    let stats = place.run(&["check", "--format", "json", "--stats", "good.lsmp"]);
    let json: serde_json::Value = serde_json::from_slice(&stats.stdout).unwrap();
    assert!(json["stats"]["bytes"].as_u64() > Some(0));
}

#[test]
fn several_files_make_one_policy() {
    let place = Place::new();
    place.write("a.lsmp", "deny file_open when path in places\n");
    place.write("b.lsmp", "let places = [\"/etc/a\"]\n");
    assert_eq!(place.code(&["check", "a.lsmp", "b.lsmp"]), 0);
    assert_eq!(place.code(&["check", "a.lsmp"]), 1);
}

#[test]
fn inputs_that_are_no_policies() {
    let place = Place::new();
    fs::create_dir(place.0.path().join("directory")).unwrap();
    place.write("latin1.lsmp", b"# \xe9\ndeny file_open\n");
    place.write("empty.lsmp", "");
    place.write("nul.lsmp", b"deny\0file_open\n");
    place.write("escape.lsmp", b"deny \x1b[31mfile_open # \xe2\x80\xae\n");
    place.write("large.lsmp", vec![b'#'; 16 * 1024 * 1024 + 1]);
    for (name, arguments) in [
        ("large", ["check", "large.lsmp"]),
        ("missing", ["check", "missing.lsmp"]),
        ("directory", ["check", "directory"]),
        ("not-utf8", ["check", "latin1.lsmp"]),
        ("empty", ["check", "empty.lsmp"]),
        ("nul", ["check", "nul.lsmp"]),
        ("escape", ["check", "escape.lsmp"]),
    ] {
        let text = place.shown(&arguments);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
        snapshot!(format!("input-{name}"), text);
    }
}

#[test]
fn colours() {
    let place = Place::new();
    let colored = |arguments: &[&str], variable: Option<&str>| {
        let mut command = place.command(arguments);
        if let Some(variable) = variable {
            command.env(variable, "1");
        }
        command.output().unwrap().stdout.contains(&0x1b)
    };
    assert!(!colored(&["check", "bad.lsmp"], None));
    assert!(colored(&["--color", "always", "check", "bad.lsmp"], None));
    assert!(colored(
        &["check", "bad.lsmp", "--color", "always"],
        Some("NO_COLOR")
    ));
    assert!(!colored(&["--color", "never", "check", "bad.lsmp"], None));
}

#[test]
fn users() {
    let place = Place::new();
    place.write(
        "u.lsmp",
        "deny file_open when uid == user(\"nobody-here\")\n",
    );
    assert_eq!(place.code(&["check", "u.lsmp"]), 1);
    place.write("users", "# ids\nuser nobody-here 7\n");
    assert_eq!(place.code(&["check", "--users", "users", "u.lsmp"]), 0);
}
