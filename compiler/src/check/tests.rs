mod conditions;

use std::path::PathBuf;

use crate::analysis::{Analysis, analyse};
use crate::code::Code;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

use crate::options::{Kernel, Lacking, Options, UserDb};
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
    says(EXAMPLE, &[]);
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

#[test]
fn kernels() {
    let options = |kernel: &str| Options {
        kernel: Some(Kernel::Version(kernel.parse().unwrap())),
        ..options()
    };
    let text = "deny bpf_token_cmd";
    assert_eq!(
        said(text, &options("6.1")),
        [(Code::NotOnKernel, "bpf_token_cmd".to_owned())]
    );
    assert!(said(text, &options("6.9")).is_empty());
    assert!(said("deny file_open", &options("6.1")).is_empty());
    // One that could be read before and can be read since.
    let text = "let busy = file.running\ndeny file_open when busy";
    assert_eq!(
        said(text, &options("6.11")),
        [(Code::NotOnKernel, "busy".to_owned())]
    );
    for other in ["6.10", "6.12"] {
        assert!(said(text, &options(other)).is_empty());
    }
}

#[test]
fn a_kernel_that_was_asked() {
    let options = Options {
        kernel: Some(Kernel::Asked(Lacking {
            hooks: vec![(HookId::Syslog, "because".to_owned())],
            fields: vec![(FieldId::InitialMntns, "as it is".to_owned())],
        })),
        ..options()
    };
    let text = "deny file_open, syslog\n\
                default deny syslog\n\
                audit file_open when initial_mntns\n\
                scope s when not initial_mntns { deny file_open }\n\
                deny file_lock when uid == 1";
    let found = run(text, &options).diagnostics;
    let lines: Vec<(&str, &str)> = found
        .iter()
        .filter(|one| one.code == Code::NotOnKernel)
        .map(|one| {
            let label = one.primary.as_ref().unwrap();
            (one.message.as_str(), label.text.as_str())
        })
        .collect();
    let hook = (
        "rules on `syslog` cannot be enforced on this machine",
        "because",
    );
    let field = (
        "the field `initial_mntns` cannot be read on this machine",
        "as it is",
    );
    assert_eq!(lines, [hook, hook, field, field]);
}

#[test]
fn scopes() {
    says(
        "scope a when uid == 1 { deny file_open }\nscope a when path == \"/x\" { deny file_open }",
        &[(Code::DuplicateScope, "a"), (Code::ObjectField, "path")],
    );
    // A scope's own names are visible in its head, and nowhere else.
    says(
        "scope a when who { let who = uid == 1\ndeny file_open }\ndeny file_open when who",
        &[(Code::UnknownName, "who")],
    );
    says(
        "let p = [1]\nscope a when uid in p { let p = [2]\ndeny file_open }",
        &[(Code::DuplicateLet, "p")],
    );
    // An `allow` needs a default of its own module.
    says(
        "default deny file_open\nscope a when uid == 1 { allow file_open }",
        &[(Code::AllowWithoutDefault, "file_open")],
    );
    says(
        "scope a when uid == 1 inherit until uid == 2 { deny file_open }",
        &[],
    );
}

#[test]
fn bindings() {
    let test = |step: &str, expected: &[(Code, &str)]| {
        let text = format!("deny file_open\ntest \"t\" {{\n  {step}\n}}");
        says(&text, expected);
    };
    test("given exe = \"/*\", uid = user(\"root\"), comm = none", &[]);
    test("given addr = \"10.1.2.3\", file.mode = 0o4755", &[]);
    test(
        "given access = [read, write], file.type = REG, file.owned = true",
        &[],
    );
    test("expect deny with EACCES file_open path = \"/x\"", &[]);
    test("given any_path = \"/x\"", &[(Code::BadBinding, "any_path")]);
    test("given access = read", &[]);
    test("given uid = [1]", &[(Code::BadBinding, "uid = [1]")]);
    test("given uid = \"x\"", &[(Code::TypeMismatch, "\"x\"")]);
    test("given file.type = REGG", &[(Code::UnknownName, "REGG")]);
    test("given inherited = [web]", &[(Code::BadBinding, "web")]);
    test(
        "given addr = \"10.0.0.0/8\"",
        &[(Code::BadBinding, "\"10.0.0.0/8\"")],
    );
    test(
        "expect deny file_open port = 1",
        &[(Code::FieldNotOnHook, "port")],
    );
    test(
        "expect deny with EX file_open",
        &[(Code::UnknownErrno, "EX")],
    );
}

#[test]
fn lets_are_typed_where_they_are_used() {
    says(
        "let x = [\"/a\", 5]\ndeny file_open when path in x or uid in x",
        &[(Code::TypeMismatch, "\"/a\""), (Code::TypeMismatch, "5")],
    );
    says(
        "let s = [CHR, SIGKILL]\ndeny file_open when file.type in s",
        &[(Code::TypeMismatch, "SIGKILL")],
    );
    says(
        "let a = b\nlet b = 80\ndeny socket_bind when port == a",
        &[],
    );
    says(
        "let a = SIGKIL\ndeny file_open",
        &[(Code::UnusedLet, "a"), (Code::UnknownName, "SIGKIL")],
    );
    says(
        "let c = port == 1\ndeny file_open when c",
        &[(Code::FieldNotOnHook, "c")],
    );
    says(
        "let c = uid == 1\ndeny file_open when uid == c or uid in c",
        &[(Code::NotAValue, "c"), (Code::NotAValue, "c")],
    );
    says(
        "let v = 1\ndeny file_open when v or uid in v",
        &[(Code::NotACondition, "v"), (Code::WrongOperator, "v")],
    );
}

#[test]
fn long_chains_of_lets() {
    let mut text = String::from("let l0 = uid == 0\n");
    for number in 1..20_000 {
        text.push_str(&format!("let l{number} = l{}\n", number - 1));
    }
    text.push_str("deny file_open when l19999");
    says(&text, &[]);
    // Each `not` nests one deeper.
    let text = text.replace("= l", "= not l");
    let codes: Vec<Code> = said(&text, &options())
        .iter()
        .map(|(code, _)| *code)
        .collect();
    assert_eq!(codes, [Code::ConditionTooLarge]);
}

#[test]
fn silence_is_for_one_rule() {
    says(
        "@silence(\"LSMP2013\") deny file_open when path == \"/a/*\"\n\
         deny file_open when path == \"/b/*\"",
        &[(Code::ChildrenOnly, "*")],
    );
}

#[test]
fn silence_of_one_rule_is_not_that_of_another() {
    // The set is looked at once for each rule that wants to hear of it.
    says(
        "let s = [\"/a/*\"]\n\
         @silence(\"LSMP2013\") deny file_open when path in s\n\
         deny file_open when path in s",
        &[(Code::ChildrenOnly, "*")],
    );
}

#[test]
fn what_cannot_be_read_is_not_held_against_the_rest() {
    // The use of `s` and the default may be in the statement that is broken.
    says(
        "let s = [1]\nallow socket_bind\ndefault deny socket_bind when uid in s",
        &[(Code::UnexpectedToken, "when")],
    );
    says(
        "default deny file_opne\nallow file_open",
        &[(Code::UnknownHook, "file_opne")],
    );
    // The name may be in the file that is missing.
    says(
        "include \"x\"\ndeny file_open when path in s",
        &[(Code::IncludeNotFound, "\"x\"")],
    );
}

#[test]
fn values_in_quotes() {
    let help = |condition: &str| help(&format!("deny file_open when {condition}"));
    assert_eq!(
        help("file.mode == \"0755\""),
        "write it without quotes: `0o755`"
    );
    assert_eq!(help("uid == \"007\""), "write it without quotes: `7`");
    assert_eq!(
        help("file.owned == \"true\""),
        "write it without quotes: `true`"
    );
    assert_eq!(
        help("access has 5"),
        "write the name of a flag, such as `read`"
    );
    assert_eq!(
        help("file.type == 1"),
        "its values go by name only: write one of REG, DIR, LNK, FIFO, SOCK, CHR, BLK"
    );
}

#[test]
fn annotations_belong_to_the_rule_behind_them() {
    let warned = |text: &str| {
        let said = said(text, &options());
        said.iter()
            .any(|(code, _)| *code == Code::MisleadingAnnotation)
    };
    for text in [
        "deny file_open @id(\"a\")\naudit task_kill",
        "deny file_open\n@id(\"a\")\n\naudit task_kill",
        "deny file_open\n  @id(\"a\")\naudit task_kill",
        "deny file_open @id(\"a\") @tag(\"b\")\n\n\naudit task_kill",
        "deny file_open @id(\"a\") @silence(\"LSMP2013\")\naudit task_kill",
        "deny file_open @id(\"a\") @tag(\"LSMP2015\")\naudit task_kill",
    ] {
        assert!(warned(text), "{text}");
    }
    for text in [
        "deny file_open @id(\"a\") audit task_kill",
        "deny file_open\n@id(\"a\")\naudit task_kill",
        "deny file_open\n\n@id(\"a\")\n\naudit task_kill",
        "deny file_open\n@id(\"a\")\n# why\naudit task_kill",
        "default deny file_open @id(\"a\")\naudit task_kill",
        "deny file_open @id(\"a\") @silence(\"LSMP2015\")\naudit task_kill",
    ] {
        assert!(!warned(text), "{text}");
    }
}

#[test]
fn spans_inside_strings_count_escapes() {
    says(
        r#"deny file_open when path == "/\x41\\[/[z-a]""#,
        &[(Code::BadGlob, "z-a")],
    );
    says(
        r#"deny file_open when path == r"/ü\[/[z-a]""#,
        &[(Code::BadGlob, "z-a")],
    );
}

#[test]
fn fields_that_no_hook_of_the_rule_has_are_explained() {
    let analysis = run("deny file_open, socket_connect when port == 1", &options());
    let said = &analysis.diagnostics[0];
    assert_eq!(said.message, "`file_open` has no field `port`");
    assert!(said.notes[0].starts_with("beside subject fields `file_open` has path, any_path,"));
    assert_eq!(said.secondary.len(), 1);
}

#[test]
fn nothing_panics_on_odd_policies() {
    for text in [
        "deny file_open when path == \"\\xff\\xfe[\"",
        "deny file_open when addr == \"\"",
        "deny file_open when path in [[[]]]",
        "let a = [a]\ndeny file_open when uid in a",
        "let a = a\ndeny file_open when a",
        "@id(5) @quiet(\"x\") @tag(true) deny file_open",
        "default deny nothing\nallow nothing",
        "scope s when s inherit until s { }",
        "test \"\" { given inherited = 5 expect allow nothing }",
    ] {
        assert!(run(text, &options()).has_errors(), "{text}");
    }
}

#[test]
fn kernels_that_are_too_old() {
    let options = Options {
        kernel: Some(Kernel::Version("5.15".parse().unwrap())),
        ..options()
    };
    let said = run("deny file_open", &options).diagnostics;
    assert_eq!(said[0].message, "kernel 5.15 is too old for any policy");
    assert_eq!(said[0].help.as_deref(), Some("ask for 6.1 or later"));
}

#[test]
fn there_is_an_end_to_what_is_said() {
    let errors = run(&"deny file_opne\n".repeat(1200), &options());
    assert_eq!(errors.diagnostics.len(), 1001);
    assert_eq!(
        errors.diagnostics[0].message,
        "200 more errors are not shown"
    );
    let text = "deny file_open, file_open\n".repeat(1200);
    let warnings = run(&format!("{text}deny file_opne"), &options());
    assert_eq!(warnings.diagnostics.len(), 1001);
    assert!(warnings.has_errors());
}
