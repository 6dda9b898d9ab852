//! `lsmpc diff`: what two policies do differently.

use serde_json::Value;

use crate::{Place, snapshot};

const BEFORE: &str = r#"let secrets = ["/etc/shadow", "/etc/gshadow"]

@id("secrets")
deny file_open, path_rename
  when any_path in secrets
  unless exe == "/usr/bin/passwd"

kill task_kill when signal == SIGKILL and target.exe == "/usr/sbin/sshd"

on_error allow socket_connect
deny socket_connect when port == 25

audit kernel_module_request

scope web when exe == "/usr/sbin/nginx" inherit until exe == "/usr/bin/su" {
  default deny bprm_check_security
  @id("su")
  allow bprm_check_security when path == "/usr/bin/su"
}
"#;

const AFTER: &str = r#"audit kernel_module_request

deny socket_connect when port == 25

deny task_kill when target.exe == "/usr/sbin/sshd" and signal == SIGKILL

@id("secrets") @quiet(true)
deny with EACCES file_open, path_rename
  when any_path in ["/etc/gshadow", "/etc/shadow"]
  unless exe in ["/usr/bin/passwd", "/usr/bin/chage"]

scope web when exe == "/usr/sbin/nginx" inherit until exe in ["/usr/bin/su", "/usr/bin/sudo"] {
  default deny bprm_check_security
  @id("su")
  allow bprm_check_security when path == "/usr/bin/su"
}
"#;

/// The first, in other words.
const SAME: &str = r#"scope web when exe == "/usr/sbin/nginx" inherit until exe == "/usr/bin/su" {
  allow bprm_check_security when path == "/usr/bin/su"
  default deny bprm_check_security
}
audit kernel_module_request when uid < 10
audit kernel_module_request when uid >= 10
on_error allow socket_connect
deny socket_connect when port < 26 and port > 24
kill task_kill when not (signal != SIGKILL or target.exe != "/usr/sbin/sshd")
deny file_open when path == "/etc/{g,}shadow" and exe != "/usr/bin/passwd"
deny path_rename when path == "/etc/{g,}shadow" unless exe == "/usr/bin/passwd"
deny path_rename when new_path == "/etc/{g,}shadow" unless exe == "/usr/bin/passwd"
"#;

/// Bits of two fields. Policies that each know eleven pairs can be built, and together
/// they tell four million combinations apart.
const PAIRS: [(&str, &str); 22] = [
    ("CHOWN", "RDONLY"),
    ("DAC_OVERRIDE", "NOSUID"),
    ("DAC_READ_SEARCH", "NODEV"),
    ("FOWNER", "NOEXEC"),
    ("FSETID", "SYNCHRONOUS"),
    ("KILL", "REMOUNT"),
    ("SETGID", "MANDLOCK"),
    ("SETUID", "DIRSYNC"),
    ("SETPCAP", "NOSYMFOLLOW"),
    ("LINUX_IMMUTABLE", "NOATIME"),
    ("NET_BIND_SERVICE", "NODIRATIME"),
    ("NET_BROADCAST", "BIND"),
    ("NET_ADMIN", "MOVE"),
    ("NET_RAW", "REC"),
    ("IPC_LOCK", "SILENT"),
    ("IPC_OWNER", "POSIXACL"),
    ("SYS_MODULE", "UNBINDABLE"),
    ("SYS_RAWIO", "PRIVATE"),
    ("SYS_CHROOT", "SLAVE"),
    ("SYS_PTRACE", "SHARED"),
    ("SYS_PACCT", "RELATIME"),
    ("SYS_ADMIN", "I_VERSION"),
];

fn too_much(pairs: &[(&str, &str)]) -> String {
    pairs
        .iter()
        .map(|(cap, flag)| {
            format!("deny sb_mount when caps has CAP_{cap} and mount.flags has MS_{flag}\n")
        })
        .collect()
}

fn place() -> Place {
    let place = Place::new();
    place.write("before.lsmp", BEFORE);
    place.write("after.lsmp", AFTER);
    place.write("same.lsmp", SAME);
    place.write("empty.lsmp", "# nothing\n");
    place
}

#[test]
fn differences() {
    let place = place();
    snapshot!("diff", place.shown(&["diff", "before.lsmp", "after.lsmp"]));
    let same = place.shown(&["diff", "before.lsmp", "same.lsmp"]);
    snapshot!("diff-same", same);
    let bad = place.shown(&["diff", "before.lsmp", "bad.lsmp"]);
    snapshot!("diff-bad", bad);
    snapshot!("diff-scopes", {
        place.write(
            "one.lsmp",
            "scope a when uid == 1 inherit { deny file_open when exe == \"/x\" }",
        );
        place.write(
            "two.lsmp",
            "scope a when uid == 1 { deny file_open when exe == \"/x\" }\n\
             deny file_open when ancestor.exe == \"/bin/sh\"",
        );
        place.shown(&["diff", "one.lsmp", "two.lsmp"])
    });
    assert_eq!(place.code(&["diff", "before.lsmp", "before.lsmp"]), 0);
    assert_eq!(place.code(&["diff", "empty.lsmp", "empty.lsmp"]), 0);
    assert_eq!(place.code(&["diff", "empty.lsmp", "before.lsmp"]), 1);
    assert_eq!(place.code(&["diff", "before.lsmp"]), 2);
    assert_eq!(place.code(&["diff", "before.lsmp", "nowhere.lsmp"]), 2);
}

#[test]
fn what_is_too_much_is_no_guess() {
    let place = place();
    place.write("one.lsmp", too_much(&PAIRS[..11]));
    place.write("two.lsmp", too_much(&PAIRS[11..]));
    let output = place.run(&["diff", "one.lsmp", "two.lsmp"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}{errors}");
    assert!(text.contains("not decided on sb_mount: "), "{text}");
    let reason = "the conditions on `sb_mount` combine in too many ways";
    assert!(text.contains(reason), "{text}");
    assert!(!text.contains("equivalent"), "{text}");
    // What is written alike is the same, however large.
    assert_eq!(place.code(&["diff", "one.lsmp", "one.lsmp"]), 0);
}

/// Every change is what `eval` says of its event.
#[test]
fn examples_are_answered_so() {
    let place = place();
    let arguments = ["diff", "--format", "json", "before.lsmp", "after.lsmp"];
    let output = place.run(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let lines = String::from_utf8(output.stdout).unwrap();
    snapshot!("diff-json", &lines);
    let objects: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let changes: Vec<&Value> = objects
        .iter()
        .filter(|object| object["event"].is_object())
        .collect();
    assert!(changes.len() > 4, "{lines}");
    let events: String = changes
        .iter()
        .map(|change| format!("{}\n", change["event"]))
        .collect();
    place.write("examples.jsonl", events);
    for (file, side) in [("before.lsmp", "before"), ("after.lsmp", "after")] {
        for engine in ["tables", "reference"] {
            let arguments = [
                "eval",
                file,
                "--events",
                "examples.jsonl",
                "--engine",
                engine,
            ];
            let answers = place.run(&arguments);
            let answers = String::from_utf8(answers.stdout).unwrap();
            assert_eq!(answers.lines().count(), changes.len());
            for (answer, change) in answers.lines().zip(&changes) {
                let answer: Value = serde_json::from_str(answer).unwrap();
                let said = &change[side];
                for key in ["verdict", "errno", "record"] {
                    assert_eq!(answer[key], said[key], "{change}");
                }
                assert_eq!(answer["unknown"], said["on_error"], "{change}");
                let rules = said["rules"].as_array().unwrap().iter();
                let mut ids: Vec<&Value> = rules.map(|rule| &rule["id"]).collect();
                ids.sort_by_key(|id| id.as_str());
                let listed = answer["rules"].as_array().unwrap();
                assert_eq!(listed.iter().collect::<Vec<_>>(), ids, "{change}");
            }
        }
    }
}

#[test]
fn images_are_compared_by_their_sources() {
    let place = place();
    let build = ["build", "before.lsmp", "-o", "before.img"];
    assert_eq!(place.code(&build), 0);
    assert_eq!(place.code(&["diff", "before.img", "same.lsmp"]), 0);
    assert_eq!(place.code(&["diff", "before.img", "after.lsmp"]), 1);
}
