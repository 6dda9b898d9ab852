//! `lsmpc eval`: answers, engines, examples.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::{Place, shown, snapshot};

#[test]
fn eval_answers_in_order() {
    let place = Place::new();
    let tables = place.shown(&["eval", "good.lsmp", "--events", "events.jsonl"]);
    snapshot!("eval", &tables);
    let reference = place.shown(&[
        "eval",
        "--engine",
        "reference",
        "good.lsmp",
        "--events",
        "events.jsonl",
    ]);
    assert_eq!(tables, reference);
    assert_eq!(place.code(&["build", "good.lsmp", "-o", "good.img"]), 0);
    let image = place.shown(&["eval", "good.img", "--events", "events.jsonl"]);
    assert_eq!(tables, image);
}

#[test]
fn eval_from_standard_input_goes_on_after_bad_lines() {
    let place = Place::new();
    let mut child = place
        .command(&["eval", "good.lsmp", "--events", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(
            b"nonsense\n{\"hook\":\"file_opn\"}\n{\"hook\":\"file_open\",\"pth\":1}\n\xff\n\
              {\"hook\":\"file_open\",\"path\":7}\n[]\n  \n\
              {\"hook\":\"file_open\",\"exe\":\"/x\",\"uid\":1,\"path\":\"/etc/shadow\"}",
        )
        .unwrap();
    drop(input);
    snapshot!("eval-bad-lines", shown(&child.wait_with_output().unwrap()));
}

const SCOPES: &str = r#"default deny socket_connect
on_error allow file_open
@id("https") allow socket_connect when port == 443
scope web when exe == "/usr/sbin/nginx" {
  default deny socket_connect, bprm_check_security
  on_error allow bprm_check_security
  @id("inside") allow socket_connect when addr == "10.0.0.0/8"
  @id("shadow") deny file_open when path == "/etc/shadow"
}
"#;

const SCOPE_EVENTS: &str = r#"{"hook":"socket_connect","exe":"/usr/sbin/nginx","port":443,"addr":"10.1.1.1"}
{"hook":"socket_connect","exe":"/usr/sbin/nginx","port":443,"addr":"11.1.1.1"}
{"hook":"socket_connect","exe":"/usr/sbin/nginx","port":80,"addr":"11.1.1.1"}
{"hook":"socket_connect","exe":"/usr/bin/curl","port":443,"addr":"11.1.1.1"}
{"hook":"socket_connect","port":443,"addr":"11.1.1.1"}
{"hook":"bprm_check_security","exe":"/usr/sbin/nginx","path":"/bin/sh"}
{"hook":"bprm_check_security","path":"/bin/sh"}
{"hook":"file_open","exe":"/usr/sbin/nginx"}
{"hook":"file_open","exe":"/usr/sbin/nginx","path":"/etc/shadow"}
{"hook":"file_open","exe":"/usr/bin/cat","path":"/etc/shadow"}
"#;

#[test]
fn eval_of_scopes() {
    let place = Place::new();
    place.write("scopes.lsmp", SCOPES);
    place.write("scopes.jsonl", SCOPE_EVENTS);
    let events = ["--events", "scopes.jsonl"];
    let tables = place.shown(&[&["eval", "scopes.lsmp"][..], &events].concat());
    snapshot!("eval-scopes", &tables);
    let reference = ["eval", "--engine", "reference", "scopes.lsmp"];
    assert_eq!(tables, place.shown(&[&reference[..], &events].concat()));
    assert!(
        place
            .shown(&["check", "scopes.lsmp"])
            .contains("ok: 5 rules, 1 scope, 3 hooks")
    );
}

#[test]
fn eval_refuses() {
    let place = Place::new();
    assert_eq!(place.code(&["build", "good.lsmp", "-o", "good.img"]), 0);
    snapshot!(
        "eval-reference-image",
        place.shown(&[
            "eval",
            "--engine",
            "reference",
            "good.img",
            "--events",
            "events.jsonl"
        ])
    );
    snapshot!(
        "eval-no-events",
        place.shown(&["eval", "good.lsmp", "--events", "missing.jsonl"])
    );
    snapshot!(
        "eval-image-and-policy",
        place.shown(&["eval", "good.img", "good.lsmp", "--events", "events.jsonl"])
    );
    snapshot!(
        "eval-bad-policy",
        place.shown(&["eval", "bad.lsmp", "--events", "events.jsonl"])
    );
}

#[test]
fn examples_are_clean_and_answer_as_recorded() {
    let place = Place::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut policies: Vec<PathBuf> = fs::read_dir(&examples)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "lsmp")
        })
        .collect();
    policies.sort();
    assert!(policies.len() >= 15);
    let mut recorded = 0;
    for policy in policies {
        let shown = policy.to_str().unwrap();
        // Older kernels have no BPF tokens.
        let kernel = if shown.ends_with("bpf-tokens.lsmp") {
            "6.9"
        } else {
            "6.1"
        };
        let output = place.run(&[
            "check", "--strict", "--kernel", kernel, "--format", "json", shown,
        ]);
        assert_eq!(output.status.code(), Some(0), "{shown}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.is_empty(), "{shown}: {said}");

        let name = policy.file_stem().unwrap().to_str().unwrap();
        let events = examples.join("events").join(format!("{name}.jsonl"));
        if !events.exists() {
            continue;
        }
        recorded += 1;
        let events = events.to_str().unwrap();
        let tables = place.shown(&["eval", shown, "--events", events]);
        let reference = place.shown(&["eval", "--engine", "reference", shown, "--events", events]);
        assert_eq!(tables, reference, "{name}");
        assert!(!tables.contains("\"unknown\":true"), "{name}: {tables}");
        snapshot!(format!("example-{name}"), tables);
    }
    assert!(recorded >= 9);
}
