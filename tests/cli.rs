//! The command line as users meet it: the built binary, its output, its exit
//! codes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A directory to run in, with policies in it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("good.lsmp", GOOD);
        place.write("bad.lsmp", BAD);
        place.write("events.jsonl", EVENTS);
        place
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lsmpc"));
        command
            .current_dir(self.0.path())
            .env_remove("NO_COLOR")
            .args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Exit code, standard output, standard error: for snapshots.
    fn shown(&self, arguments: &[&str]) -> String {
        shown(&self.run(arguments))
    }

    fn code(&self, arguments: &[&str]) -> i32 {
        self.run(arguments).status.code().unwrap()
    }
}

fn shown(output: &Output) -> String {
    let mut text = format!("exit code: {}\n", output.status.code().unwrap());
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let part = String::from_utf8(bytes.clone()).unwrap();
        if !part.is_empty() {
            text.push_str(&format!("----- {name}\n{part}"));
        }
    }
    text
}

/// Snapshots lie in /snapshots/cli.
macro_rules! snapshot {
    ($name:expr, $text:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../snapshots/cli");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!($name, $text));
    }};
}

const GOOD: &str = r#"let secrets = ["/etc/shadow", "/etc/gshadow"]

@id("secrets") @severity("high") @message("password hashes")
deny file_open, path_unlink, path_rename
  when any_path in secrets
  unless exe == "/usr/bin/passwd"

audit task_kill when signal == SIGKILL

exempt when uid == 4242
"#;

const BAD: &str = r#"let unused = 5
deny file_open when pth == "/etc/shadow"
deny file_opn
deny path_rename when path == "/etc/x" and port == 1
"#;

const EVENTS: &str = r#"{"hook":"file_open","exe":"/usr/bin/cat","uid":0,"path":"/etc/shadow","access":["read"]}
{"hook":"file_open","exe":"/usr/bin/passwd","uid":0,"path":"/etc/shadow","access":["read"]}

{"hook":"path_rename","exe":"/usr/bin/mv","uid":0,"path":"/tmp/x","new_path":"/etc/shadow"}
{"hook":"task_kill","exe":"/usr/bin/kill","uid":0,"signal":"SIGKILL"}
{"hook":"task_kill","exe":"/usr/bin/kill","uid":4242,"signal":9}
{"hook":"file_open","exe":"/usr/bin/cat","uid":0}
{"hook":"file_open","exe":"bytes:2f746d702fff","uid":0,"path":"/etc/gshadow"}
"#;

/// Names of the subcommands.
const COMMANDS: &[&str] = &[
    "check",
    "build",
    "eval",
    "apply",
    "status",
    "events",
    "show",
    "remove",
    "hooks",
    "explain",
    "doctor",
    "completions",
];

#[test]
fn help_pages() {
    let place = Place::new();
    snapshot!("help", place.shown(&["--help"]));
    for command in COMMANDS {
        snapshot!(format!("help-{command}"), place.shown(&[command, "--help"]));
    }
}

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
    for (name, arguments) in [
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
fn images() {
    let place = Place::new();
    snapshot!(
        "build",
        place.shown(&["build", "good.lsmp", "-o", "one.img"])
    );
    assert_eq!(place.code(&["build", "good.lsmp", "-o", "two.img"]), 0);
    let image = place.read("one.img");
    assert_eq!(image, place.read("two.img"), "the same bytes each time");
    assert!(image.starts_with(b"LSMPIMG\0") && image.len().is_multiple_of(4096));
    let stdout = place.run(&["build", "good.lsmp", "-o", "-"]).stdout;
    assert_eq!(image, stdout);

    // Another directory, the same bytes.
    let elsewhere = Place::new();
    assert_eq!(elsewhere.code(&["build", "good.lsmp", "-o", "one.img"]), 0);
    assert_eq!(image, elsewhere.read("one.img"));

    // The sources come back.
    let source = place.run(&["show", "--image", "one.img"]);
    assert!(String::from_utf8(source.stdout).unwrap().contains(GOOD));
    snapshot!(
        "show-tables",
        place.shown(&["show", "--image", "one.img", "--tables"])
    );

    // An errant policy leaves no file behind.
    assert_eq!(place.code(&["build", "bad.lsmp", "-o", "bad.img"]), 1);
    assert!(!place.0.path().join("bad.img").exists());
    assert_eq!(
        place.code(&["build", "good.lsmp", "-o", "nowhere/x.img"]),
        2
    );
}

#[test]
fn damaged_images() {
    let place = Place::new();
    assert_eq!(place.code(&["build", "good.lsmp", "-o", "good.img"]), 0);
    let image = place.read("good.img");
    place.write("short.img", &image[..4000]);
    place.write("cut.img", &image[..image.len() - 4096]);
    let mut flipped = image.clone();
    let last = flipped.len() - 1;
    flipped[last / 2] ^= 1;
    place.write("flipped.img", flipped);
    let mut version = image;
    version[8] = 99;
    place.write("version.img", version);
    for name in ["short", "cut", "flipped", "version"] {
        let file = format!("{name}.img");
        let text = place.shown(&["eval", &file, "--events", "events.jsonl"]);
        assert!(text.starts_with("exit code: 2"), "{text}");
        snapshot!(format!("image-{name}"), text);
    }
}

#[test]
fn hooks() {
    let place = Place::new();
    snapshot!("hooks", place.shown(&["hooks"]));
    snapshot!("hooks-enforced", place.shown(&["hooks", "--enforced"]));
    snapshot!("hooks-one", place.shown(&["hooks", "path_rename"]));
    snapshot!("hooks-unknown", place.shown(&["hooks", "rename"]));
    let output = place.run(&["hooks", "--format", "json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let hooks: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(hooks.len(), lsmpc_abi::hook::HookId::ALL.len());
    let open = hooks
        .iter()
        .find(|hook| hook["hook"] == "file_open")
        .unwrap();
    assert_eq!(open["enforced"], true);
    assert!(
        open["fields"]
            .as_array()
            .unwrap()
            .iter()
            .any(|field| field["name"] == "access" && field["enumerators"]["read"].is_u64())
    );
}

#[test]
fn explain() {
    let place = Place::new();
    snapshot!("explain-language", place.shown(&["explain", "LSMP1001"]));
    snapshot!("explain-machine", place.shown(&["explain", "lsmp4002"]));
    snapshot!("explain-own", place.shown(&["explain", "4905"]));
    snapshot!("explain-unknown", place.shown(&["explain", "LSMP0"]));
    snapshot!("explain-list", place.shown(&["explain", "--list"]));
}

#[test]
fn completions() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = place.run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.contains("lsmpc") && text.contains("explain"),
            "{shell}"
        );
    }
}

#[test]
fn usage() {
    let place = Place::new();
    assert_eq!(place.code(&[]), 2);
    assert_eq!(place.code(&["frobnicate"]), 2);
    assert_eq!(place.code(&["check"]), 2);
    assert_eq!(place.code(&["check", "--kernel", "six", "good.lsmp"]), 2);
    assert_eq!(place.code(&["--version"]), 0);
    place.write("users", "usr root 0\n");
    snapshot!(
        "users-bad",
        place.shown(&["check", "--users", "users", "good.lsmp"])
    );
    snapshot!(
        "users-missing",
        place.shown(&["check", "--users", "none", "good.lsmp"])
    );
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

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let place = Place::new();
    for arguments in [
        &["hooks", "--format", "json"][..],
        &["completions", "bash"],
        &["explain", "--list"],
        &["eval", "good.lsmp", "--events", "events.jsonl"],
    ] {
        let mut child = place
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
    }
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
    assert!(policies.len() >= 6);
    for policy in policies {
        let shown = policy.to_str().unwrap();
        let output = place.run(&[
            "check", "--strict", "--kernel", "6.1", "--format", "json", shown,
        ]);
        assert_eq!(output.status.code(), Some(0), "{shown}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.is_empty(), "{shown}: {said}");

        let name = policy.file_stem().unwrap().to_str().unwrap();
        let events = examples.join("events").join(format!("{name}.jsonl"));
        let events = events.to_str().unwrap();
        let tables = place.shown(&["eval", shown, "--events", events]);
        let reference = place.shown(&["eval", "--engine", "reference", shown, "--events", events]);
        assert_eq!(tables, reference, "{name}");
        assert!(!tables.contains("\"unknown\":true"), "{name}: {tables}");
        snapshot!(format!("example-{name}"), tables);
    }
}

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
