//! The command line as users meet it: the built binary, its output, its exit
//! codes.

mod check;
mod diff;
mod eval;
mod fmt;
mod hooks;
mod images;
mod machine;
mod sarif;
mod tests;

use std::fs;
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
        settings.set_snapshot_path("../../snapshots/cli");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!($name, $text));
    }};
}

pub(crate) use snapshot;

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
    "fmt",
    "build",
    "test",
    "eval",
    "why",
    "diff",
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
fn hooks() {
    let place = Place::new();
    snapshot!("hooks", place.shown(&["hooks"]));
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
    assert_eq!(open["kernel"], "6.1");
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
