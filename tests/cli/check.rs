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

const LACKING: &str = "\
let busy = file.running
@id(\"a\") deny file_open, file_truncate when path == \"/etc/shadow\"
deny bpf_token_create
default audit bpf_prog_load
@id(\"b\") audit file_open when busy
scope s when initial_mntns { deny file_open, file_truncate when path == \"/etc/x\" }
";

#[test]
fn what_a_kernel_lacks_is_said_of_each_rule() {
    let place = Place::new();
    place.write("p.lsmp", LACKING);
    let on = |kernel: &'static str, format: &'static str| {
        ["check", "--kernel", kernel, "--format", format, "p.lsmp"]
    };
    snapshot!("kernel", place.shown(&on("6.1", "human")));
    snapshot!("kernel-field", place.shown(&on("6.11", "human")));
    let json = place.run(&on("6.1", "json"));
    assert_eq!(json.status.code(), Some(1));
    let lines: Vec<(u64, String)> = String::from_utf8(json.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|found: &serde_json::Value| found["code"] == "LSMP1007")
        .map(|found| {
            let reason = found["label"].as_str().unwrap().to_owned();
            (found["line"].as_u64().unwrap(), reason)
        })
        .collect();
    let from = |kernel: &str| format!("only from kernel {kernel} on");
    assert_eq!(
        lines,
        [
            (2, from("6.2")),
            (3, from("6.9")),
            (4, from("6.9")),
            (6, from("6.2"))
        ]
    );
    let sarif = place.run(&on("6.1", "sarif"));
    let sarif: serde_json::Value = serde_json::from_slice(&sarif.stdout).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let lines: Vec<u64> = results
        .iter()
        .filter(|result| result["ruleId"] == "LSMP1007")
        .map(|result| {
            let place = &result["locations"][0]["physicalLocation"];
            place["region"]["startLine"].as_u64().unwrap()
        })
        .collect();
    assert_eq!(lines, [2, 3, 4, 6]);
    assert_eq!(place.code(&on("6.12", "human")), 0);
}

/// The kernel that this runs on says itself what it lacks; there may be none to ask.
#[test]
fn the_running_kernel_is_asked() {
    let place = Place::new();
    place.write("p.lsmp", LACKING);
    let output = place.run(&["check", "--kernel", "running", "--format", "json", "p.lsmp"]);
    let told = String::from_utf8(output.stderr).unwrap();
    match output.status.code() {
        Some(2) => assert!(told.contains("LSMP40") && told.contains("help:"), "{told}"),
        Some(0) => assert!(output.stdout.is_empty()),
        other => {
            assert_eq!(other, Some(1), "{told}");
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(!text.is_empty());
            for line in text.lines() {
                let found: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(found["code"], "LSMP1007", "{line}");
                assert!(
                    found["message"]
                        .as_str()
                        .unwrap()
                        .ends_with("on this machine")
                );
            }
        }
    }
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
