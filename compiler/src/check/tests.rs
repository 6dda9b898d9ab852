use std::path::PathBuf;

use crate::analysis::{Analysis, analyse};
use crate::code::Code;
use crate::options::{KernelVersion, Options, UserDb};
use crate::source::MemoryReader;

pub(crate) fn options() -> Options {
    let mut users = UserDb::default();
    users.add_user("root", 0);
    users.add_user("www-data", 33);
    users.add_group("adm", 4);
    Options {
        users,
        ..Options::default()
    }
}

fn run(text: &str, options: &Options) -> Analysis {
    let reader = MemoryReader::default().file("/p.lsmp", text);
    analyse(&[PathBuf::from("/p.lsmp")], &reader, options)
}

/// Each diagnostic as its code and the text it is about.
fn said(text: &str, options: &Options) -> Vec<(Code, String)> {
    let analysis = run(text, options);
    analysis
        .diagnostics
        .iter()
        .map(|diagnostic| {
            let span = diagnostic.primary.as_ref().unwrap().span;
            let text = analysis.sources.snippet(span).unwrap();
            (diagnostic.code, text.to_owned())
        })
        .collect()
}

fn says(text: &str, expected: &[(Code, &str)]) {
    let said = said(text, &options());
    let said: Vec<(Code, &str)> = said
        .iter()
        .map(|(code, text)| (*code, text.as_str()))
        .collect();
    assert_eq!(said, expected, "{text}");
}

fn help(text: &str) -> String {
    let analysis = run(text, &options());
    analysis.diagnostics[0].help.clone().unwrap()
}

/// The example that the language reference begins with.
const EXAMPLE: &str = r#"
deny file_open when exe == "/tmp/**" or exe == "/dev/shm/**"

let secrets = ["/etc/shadow", "/etc/gshadow", "/home/*/.ssh/id_*"]
let keepers = ["/usr/bin/passwd", "/usr/sbin/sshd", "/usr/bin/ssh"]

@id("secrets") @severity("high") @message("private key or password file")
deny file_open, path_unlink, path_rename, path_link
  when any_path in secrets
  unless exe in keepers

scope web when exe == "/usr/sbin/nginx" inherit {
  default deny socket_connect, bprm_check_security
  allow socket_connect when addr == "10.0.0.0/8" and port in [443, 5432..5433]
}

audit ptrace_access_check when target.uid == 0

exempt when exe == "/usr/sbin/sshd"

assert deny file_open when path == "/etc/shadow" and exe == "/usr/bin/cat"

test "a scratch binary is stopped" {
  given exe = "/tmp/x", uid = 1000
  expect deny file_open path = "/etc/passwd"
}
"#;

#[test]
fn the_example_of_the_language_is_understood() {
    says(
        EXAMPLE,
        &[
            (Code::NotEnforceable, "path_link"),
            (Code::NotEnforceable, "scope web"),
            (Code::NotEnforceable, "ptrace_access_check"),
            (Code::NotEnforceable, "assert"),
            (Code::NotEnforceable, "test"),
        ],
    );
}

#[test]
fn suggestions() {
    assert_eq!(help("deny file_opne"), "did you mean `file_open`?");
    assert_eq!(
        help("deny execve"),
        "the hook for that is `bprm_check_security`"
    );
    assert_eq!(
        help("deny file_open when pth == \"/x\""),
        "did you mean `path`?"
    );
    assert_eq!(
        help("deny task_kill when signal == SIGKIL"),
        "did you mean `SIGKILL`?"
    );
    assert_eq!(
        help("deny socket_connect when addr == \"10.1.2.3/8\""),
        "the block is `\"10.0.0.0/8\"`"
    );
    assert_eq!(
        help("deny file_open when file.mode == 4755"),
        "modes are written in octal: `0o4755`"
    );
    assert_eq!(
        help("deny file_open when path == \"/tmp/\""),
        "write `\"/tmp/**\"` for everything below, or `\"/tmp\"` for the directory itself"
    );
    assert_eq!(
        help("deny file_open when uid == \"root\""),
        "write a number, or `user(\"root\")`"
    );
}

#[test]
fn types() {
    let mismatch = |condition: &str, marked: &str| {
        says(
            &format!("deny socket_connect, socket_bind when {condition}"),
            &[(Code::TypeMismatch, marked)],
        );
    };
    mismatch("unix_path == 5", "5");
    mismatch("port == \"80\"", "\"80\"");
    mismatch("port in [80, \"443\"]", "\"443\"");
}
