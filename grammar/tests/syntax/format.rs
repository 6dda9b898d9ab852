//! The formatter: what it makes of comments and blank lines.

use std::fs;
use std::path::{Path, PathBuf};

use lsmpc_syntax::{SyntaxCode, format};

use crate::scatter::check;
use crate::{parsed, snapshot};

/// Every source below `folder`.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "lsmp") {
            found.push(path);
        }
    }
}

/// The workspace's policies, those aside that are no text or do not parse.
#[test]
fn every_source() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["tests/corpus", "../tests/corpus", "../examples"] {
        sources(&here.join(folder), &mut found);
    }
    assert!(!found.is_empty());
    for path in found {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        if parsed(&text).errors.is_empty() {
            println!("{}", path.display());
            check(&text);
            check(&text.replace('\n', "\r\n"));
        } else {
            assert!(format(&text).is_err());
        }
    }
}

#[test]
fn first_look_keeps_its_comment() {
    let source = include_str!("../corpus/ok/first-look.lsmp");
    snapshot!("format_first_look", check(source));
}

#[test]
fn comments_in_all_places() {
    let source = include_str!("../corpus/ok/comments.lsmp");
    snapshot!("format_comments", check(source));
}

#[test]
fn nothing_gives_nothing() {
    assert_eq!(check(""), "");
    assert_eq!(check("\u{feff}\r\n\n  \t\n"), "");
}

#[test]
fn comments_alone() {
    assert_eq!(check("\n\n# a  \r\n\r\n\r\n  # b"), "# a\n\n# b\n");
}

#[test]
fn literals_stay_as_written() {
    let source = r#"let a = [1_000, 0x00FF, 0o0644, "\x41", r"a\b", user(r"x")]"#;
    assert_eq!(check(source), format!("{source}\n"));
    assert_eq!(check("include r\"a\"\n"), "include r\"a\"\n");
}

#[test]
fn blank_lines() {
    assert_eq!(
        check("\n\ndeny a\n\n\n\ndeny b\ndeny c\n\n# d\n\n\n# e\n\ndeny f\n\n\n"),
        "deny a\n\ndeny b\ndeny c\n\n# d\n\n# e\n\ndeny f\n"
    );
    assert_eq!(
        check("scope s when a {\n\n  deny b\n\n\n  # c\n\n}"),
        "scope s when a {\n  deny b\n\n  # c\n}\n"
    );
    assert_eq!(
        check("test \"t\" {\n\n\n given a = 1\n\n expect deny b\n\n}"),
        "test \"t\" {\n  given a = 1\n\n  expect deny b\n}\n"
    );
}

#[test]
fn a_comment_keeps_its_line_or_its_end() {
    assert_eq!(
        check("deny a # x\n# y\ndeny b"),
        "deny a # x\n# y\ndeny b\n"
    );
    // Out of what is never broken: before it, or behind it.
    assert_eq!(check("deny # x\na"), "deny a # x\n");
    assert_eq!(check("deny\n# x\na"), "# x\ndeny a\n");
    assert_eq!(check("deny b\n\ndeny\n# x\na"), "deny b\n\n# x\ndeny a\n");
}

#[test]
fn operators_at_the_ends_of_lines() {
    assert_eq!(
        check("exempt when a or # of a\n  # of b\n  b or # of b\n  c # of c"),
        "exempt\n  when a # of a\n    # of b\n    or b # of b\n    or c # of c\n"
    );
}

#[test]
fn a_set_with_comments_is_broken() {
    assert_eq!(
        check("let s = [ # of s\n  1, 2, # two\n\n\n  # three\n  3\n  # no more\n]"),
        "let s = [ # of s\n  1,\n  2, # two\n\n  # three\n  3,\n  # no more\n]\n"
    );
    assert_eq!(
        check("let s = [\n\n # none\n\n]"),
        "let s = [\n  # none\n]\n"
    );
}

#[test]
fn bodies_of_comments() {
    assert_eq!(
        check("scope s when a { # x\n\n# y\n}"),
        "scope s when a { # x\n  # y\n}\n"
    );
    assert_eq!(
        check("scope s when a # x\n{ deny b }"),
        "scope s when a { # x\n  deny b\n}\n"
    );
    assert_eq!(check("test \"t\"\n# x\n{ }"), "test \"t\" {\n  # x\n}\n");
}

#[test]
fn errors_are_given_back() {
    let errors = format("deny a\ndeny when b").unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].code, SyntaxCode::UnexpectedToken);
}

#[test]
fn lines_fit_where_they_can_be_broken() {
    let hooks = vec!["path_symlink"; 20].join(",");
    let fields = [
        "uid == 1000",
        "exe == \"/usr/sbin/nginx\"",
        "a in [1, 2, 3..5]",
    ];
    let chain = |word: &str, count| fields.repeat(count).join(word);
    let source = format!(
        "@id(\"one\") @severity(\"high\") deny {hooks} when ({}) and not ({}) unless {} \
         let s = [{hooks}] test \"t\" {{ given a = [{hooks}], b = 1 expect deny x {} }}",
        chain(" or ", 3),
        chain(" and ", 4),
        chain(" or ", 1),
        "path = \"/etc/passwd\" ".repeat(9),
    );
    let formatted = check(&source);
    for line in formatted.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    snapshot!("format_long", formatted);
}

#[test]
fn a_line_may_be_full() {
    let fits = format!("deny file_open when exe == \"/{}\"", "x".repeat(70));
    assert_eq!(fits.len(), 100);
    assert_eq!(check(&fits), format!("{fits}\n"));
    assert_eq!(
        check(&fits.replace("/x", "/xx")),
        format!("deny file_open\n  when exe == \"/{}\"\n", "x".repeat(71))
    );
}

/// With time that grew with the square of the text, this would not end.
#[test]
fn large_sources_end() {
    let deep = format!("{}b{}", "(a or ".repeat(250), ")".repeat(250));
    for (head, part, tail) in [
        ("", "deny a\n\n", ""),
        ("", "deny a # x\n", ""),
        ("", "# x\n", "deny a"),
        ("deny", "# x\n", "a"),
        ("", "\n", "deny a"),
        ("deny a", ", a", ""),
        ("deny a", ", # x\na", ""),
        ("let s = [", "1, ", "]"),
        ("let s = [", "1,# x\n", "]"),
        ("exempt when a", " or (b and c)", ""),
        ("exempt when a", " and (b # x\n or c)", ""),
        ("scope s when a {", "@id(\"x\") deny b\n", "}"),
        ("test \"t\" {", "given a = 1 ", "}"),
        ("test \"t\" { given a = 1", " b = [1]", "}"),
        ("deny a when a", &format!(" and {deep}"), ""),
    ] {
        let source = format!("{head}{}{tail}", part.repeat(200_000 / part.len()));
        format(&source).unwrap();
    }
}
