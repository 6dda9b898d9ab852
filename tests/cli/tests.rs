//! `lsmpc test` and `lsmpc why`: results and explanations.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::{Place, shown, snapshot};

const TESTED: &str = r#"let secrets = ["/etc/shadow", "/etc/gshadow"]

@id("secrets")
deny file_open
  when path in secrets and access has read
  unless exe == "/usr/bin/passwd"

@id("scratch")
deny file_open when exe == "/tmp/**"

on_error deny file_open

scope web when exe == "/usr/sbin/nginx" {
  @id("dns")
  allow socket_connect when port == 53
  default deny socket_connect
}

test "secrets are read by passwd" {
  given exe = "/usr/bin/passwd", access = [read]
  expect quiet file_open path = "/etc/shadow"
  expect deny file_open path = "/etc/shadow", exe = "/usr/bin/cat"
}
"#;

const FAILING: &str = r#"
test "scratch <programs> & \"others\"" {
  given exe = "/tmp/x"
  expect deny file_open path = "/etc/passwd"
  given exe = "/var/tmp/x"
  expect deny file_open path = "/etc/passwd"
}

test "what is open" {
  expect allow socket_connect exe = "/usr/sbin/nginx"
}
"#;

fn place() -> Place {
    let place = Place::new();
    place.write("tested.lsmp", TESTED);
    place.write("failing.lsmp", format!("{TESTED}{FAILING}"));
    place.write(
        "events",
        r#"{"hook":"file_open","exe":"/usr/bin/cat","path":"/etc/shadow","access":["read"]}
{"hook":"file_open","exe":"/usr/bin/cat"}
{"hook":"socket_connect","exe":"/usr/sbin/nginx","port":443}
{"hook":"task_kill"}
"#,
    );
    place
}

#[test]
fn results() {
    let place = place();
    snapshot!("test-ok", place.shown(&["test", "tested.lsmp"]));
    snapshot!("test-failing", place.shown(&["test", "failing.lsmp"]));
    let filtered = place.shown(&["test", "failing.lsmp", "--filter", "passwd"]);
    snapshot!("test-filter", filtered);
    snapshot!("test-none", place.shown(&["test", "good.lsmp"]));
    snapshot!("test-bad", place.shown(&["test", "bad.lsmp"]));
    assert_eq!(place.code(&["test", "missing.lsmp"]), 2);
    assert_eq!(place.code(&["test"]), 2);
}

#[test]
fn results_for_programs() {
    let place = place();
    let json = place.run(&["test", "--format", "json", "failing.lsmp"]);
    assert_eq!(json.status.code(), Some(1));
    let lines: Vec<serde_json::Value> = String::from_utf8(json.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["ok"], true);
    assert_eq!(lines[1]["test"], "scratch <programs> & \"others\"");
    assert_eq!(lines[1]["failures"][0]["code"], "LSMP2021");
    assert_eq!(lines[1]["expectations"], 2);
    assert_eq!(lines[3]["failed"], 2);
    let junit = place.run(&["test", "--format", "junit", "failing.lsmp"]);
    snapshot!("test-junit", shown(&junit));
    let text = String::from_utf8(junit.stdout).unwrap();
    let report = quick_junit::Report::deserialize_from_str(&text).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (3, 2, 0));
    let cases = &report.test_suites[0].test_cases;
    assert_eq!(cases[1].name.as_str(), "scratch <programs> & \"others\"");
    let bad = place.run(&["test", "--format", "json", "bad.lsmp"]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(String::from_utf8(bad.stdout).unwrap().contains("LSMP1001"));
}

#[test]
fn a_policy_with_a_failing_test_is_refused() {
    let place = place();
    for command in [
        &["check", "failing.lsmp"][..],
        &["build", "failing.lsmp", "-o", "out.img"],
        &["apply", "--dry-run", "failing.lsmp"],
    ] {
        let output = place.run(command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let said = shown(&output);
        assert!(said.contains("LSMP2021"), "{said}");
    }
    assert!(!place.0.path().join("out.img").exists());
    assert_eq!(place.code(&["check", "tested.lsmp"]), 0);
    // What is looked at to find out why needs no tests to pass.
    let eval = ["eval", "failing.lsmp", "--events", "events"];
    assert_eq!(place.code(&eval), 0);
}

#[test]
fn explanations() {
    let place = place();
    let why = ["why", "failing.lsmp", "--event", "events"];
    let text = place.shown(&why);
    snapshot!("why", text);
    let json = place.run(&[&why[..], &["--format", "json"]].concat());
    let lines: Vec<serde_json::Value> = String::from_utf8(json.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["answer"]["verdict"], "deny");
    let rule = &lines[0]["modules"][0]["rules"][0];
    assert_eq!(rule["id"], "secrets");
    assert_eq!(rule["matches"], "true");
    assert_eq!(rule["when"]["parts"][1]["fields"][0]["value"][0], "read");
    assert_eq!(rule["unless"]["truth"], "false");
    assert_eq!(lines[1]["modules"][0]["doubt"]["on_error"], "deny");
    assert_eq!(lines[2]["modules"][0]["scope"], "web");
    assert_eq!(lines[2]["modules"][0]["default"]["decides"], true);
}

#[test]
fn explanations_of_images_and_records() {
    let place = place();
    assert_eq!(place.code(&["build", "tested.lsmp", "-o", "tested.img"]), 0);
    let event =
        r#"{"hook":"file_open","exe":"/usr/bin/cat","path":"/etc/shadow","access":["read"]}"#;
    let of_source = place.shown(&["why", "tested.lsmp", "--event", event]);
    let of_image = place.shown(&["why", "tested.img", "--event", event]);
    assert_eq!(of_source, of_image);

    let mut child = place
        .command(&["why", "tested.lsmp", "--event", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(
            br#"{"time":"2026-03-01T09:14:07.512933Z","hook":"file_open","verdict":"deny",
                "errno":"EPERM","unknown":false,"rules":null,"exe":"/usr/bin/cat","cgroup_id":1,
                "fields":{"path":"/etc/shadow","access":["read"]},"epoch":4}
                {"lost":{"full":1,"rate":0,"busy":0}}"#,
        )
        .unwrap();
    drop(input);
    assert_eq!(shown(&child.wait_with_output().unwrap()), of_source);
}

#[test]
fn explanations_that_cannot_be_given() {
    let place = place();
    snapshot!(
        "why-no-event",
        place.shown(&["why", "tested.lsmp", "--event", "{\"hook\":\"file_opn\"}"])
    );
    assert_eq!(place.code(&["why", "tested.lsmp", "--event", "{"]), 2);
    assert_eq!(place.code(&["why", "tested.lsmp", "--event", "missing"]), 2);
    assert_eq!(place.code(&["why", "tested.lsmp"]), 2);
    assert_eq!(place.code(&["why", "bad.lsmp", "--event", "{}"]), 1);
    // Rules that do not match are listed, a few of them or all.
    let mut policy = String::new();
    for number in 0..9 {
        policy.push_str(&format!("deny file_open when path == \"/{number}\"\n"));
    }
    place.write("many.lsmp", policy);
    let event = "{\"hook\":\"file_open\",\"path\":\"/x\"}";
    let few = place.shown(&["why", "many.lsmp", "--event", event]);
    assert!(few.contains("and 4 more: --all lists them"), "{few}");
    let all = place.shown(&["why", "many.lsmp", "--all", "--event", event]);
    assert!(
        all.contains("many.lsmp:9") && !all.contains("more"),
        "{all}"
    );
}

#[test]
fn examples_are_tested() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let place = Place::new();
    let mut examples = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "lsmp") {
            continue;
        }
        examples += 1;
        let output = place.run(&["test", "--deny-warnings", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
        // Something that happens, and something that comes near and does not.
        let text = fs::read_to_string(&path).unwrap();
        let expects = |words: &[&str]| {
            text.lines()
                .filter_map(|line| line.trim_start().strip_prefix("expect "))
                .filter(|line| words.iter().any(|word| line.starts_with(word)))
                .count()
        };
        assert!(
            expects(&["deny", "kill", "audit"]) >= 3,
            "{}",
            path.display()
        );
        assert!(expects(&["quiet", "allow"]) >= 3, "{}", path.display());
    }
    assert!(examples >= 15);
}
