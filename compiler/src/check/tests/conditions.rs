//! What conditions may say, how large they may be, and which never vary.

use super::{help, options, run, said, says};
use crate::code::Code;

#[test]
fn conditions_are_as_large_and_deep_as_they_may_be() {
    let refuses = |rule: &str, lets: &str| {
        let said = said(&format!("{rule}\n{lets}"), &options());
        let codes: Vec<Code> = said.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, [Code::ConditionTooLarge], "{rule}");
    };
    // Parts: `l0` has one, `l14` has 2^15 - 1, `rest` one less, the first rule 2^16.
    let mut lets = String::from("let l0 = uid == 0\n");
    for number in 1..15 {
        let before = number - 1;
        lets.push_str(&format!("let l{number} = l{before} or l{before}\n"));
    }
    lets.push_str("let rest = l13 or l12 or l12\n");
    says(&format!("deny file_open when l14 or rest\n{lets}"), &[]);
    refuses("deny file_open when not (l14 or rest)", &lets);

    // Depth: the comparison is one, and so is every `not`.
    let mut lets = String::from("let l0 = uid == 0\n");
    for number in 1..510 {
        lets.push_str(&format!("let l{number} = not l{}\n", number - 1));
    }
    says(&format!("deny file_open when not l509\n{lets}"), &[]);
    refuses("deny file_open when not not l509", &lets);
    refuses("deny file_open when not not not not l509", &lets);
}

#[test]
fn conditions_that_never_vary() {
    let hears = |condition: &str, value: bool| {
        let hook = if condition.contains("port") {
            "socket_connect"
        } else {
            "file_open"
        };
        let said = run(&format!("deny {hook} when {condition}"), &options()).diagnostics;
        let said: Vec<&str> = said.iter().map(|said| said.message.as_str()).collect();
        assert_eq!(said, [format!("this is always {value}")], "{condition}");
    };
    hears("port <= 65535", true);
    hears("port > 65535", false);
    hears("port in [0..79, 80..65535]", true);
    hears("file.mode <= 0o7777", true);
    hears("file.mode in [0o0..0o7777]", true);
    hears("file.owned in [true, false]", true);
    hears("uid == 1 or not uid == 1", true);
    hears("uid == 1 and not uid == 1", false);
    hears("not uid == 1 and not not uid == 1", false);
    hears(
        "(uid == 1 or gid == 2) and not (uid == 1 or gid == 2)",
        false,
    );
    hears(
        "(uid == 1 and gid == 2) or not (uid == 1 and gid == 2)",
        true,
    );
    for condition in [
        "port <= 65534",
        "port in [0..79, 81..65535]",
        "file.mode <= 0o777",
        "(uid == 1 or gid == 2) and not (uid == 1 or gid == 3)",
        "(uid == 1 or gid == 2 or gid == 3) and not (uid == 1 or gid == 2)",
        "(uid == 1 or gid == 2) and not (uid == 1 and gid == 2)",
    ] {
        let hook = if condition.contains("port") {
            "socket_connect"
        } else {
            "file_open"
        };
        says(&format!("deny {hook} when {condition}"), &[]);
    }
    // With very many operands that would take long.
    let of = |others: u64| {
        let others: Vec<String> = (0..others).map(|gid| format!("gid == {gid}")).collect();
        format!("uid == 1 or not uid == 1 or {}", others.join(" or "))
    };
    hears(&of(62), true);
    says(&format!("deny file_open when {}", of(63)), &[]);
}

#[test]
fn lets_are_suggested_where_they_are_visible() {
    let used = "or path in secrets\nlet secrets = [\"/a\"]";
    assert_eq!(
        help(&format!("deny file_open when path in secrts {used}")),
        "did you mean `secrets`?"
    );
    let inner = "scope s when uid == 1 {\n deny file_open when path in secrts or path in secrets\n \
                 let secrets = [\"/a\"]\n}";
    assert_eq!(help(inner), "did you mean `secrets`?");
    assert_eq!(
        help("deny file_open when whoo or who\nlet who = uid == 1"),
        "did you mean `who`?"
    );
}

#[test]
fn names_in_sets_that_nothing_uses() {
    says(
        "deny file_open\nlet s = [SIGKIL, [1]]",
        &[
            (Code::UnusedLet, "s"),
            (Code::UnknownName, "SIGKIL"),
            (Code::NestedSet, "[1]"),
        ],
    );
    says(
        "let s = [t]\nlet t = s\ndeny file_open when uid in s",
        &[(Code::RecursiveLet, "s")],
    );
}

#[test]
fn flags_may_be_named_by_lets() {
    says(
        "let r = read\nlet b = S_ISUID\ndeny file_open when access has r and file.mode has b",
        &[],
    );
}

#[test]
fn names_of_tasks_are_fifteen_bytes() {
    says("deny file_open when comm == \"0123456789abcde\"", &[]);
}

#[test]
fn both_paths_of_a_rename() {
    says(
        "deny path_rename when path == \"/a\" and new_path == \"/b\"\n\
         deny path_rename when path == \"/a\" and any_path == \"/b\"",
        &[],
    );
    says(
        "deny path_rename when path == \"/a\"",
        &[(Code::PathAlone, "path")],
    );
}
