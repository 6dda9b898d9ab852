//! The canonical layout.

use lsmpc_syntax::{print, print_string};

use crate::{good, snapshot};

/// What `source` is printed as.
#[track_caller]
fn printed(source: &str) -> String {
    print(&good(source))
}

#[test]
fn words_for_symbols() {
    assert_eq!(
        printed("deny bpf when !a&&b||c"),
        "deny bpf when not a and b or c\n"
    );
}

#[test]
fn parentheses_only_where_needed() {
    assert_eq!(
        printed("deny bpf when ((a or (b or c)) and (not (d and (e))))"),
        "deny bpf when (a or b or c) and not (d and e)\n"
    );
    assert_eq!(
        printed("deny bpf when (a and b) or (not (x in s))"),
        "deny bpf when a and b or not x in s\n"
    );
}

#[test]
fn literals_keep_their_spelling() {
    assert_eq!(
        printed(
            r#"let a = [0o4755, 0X, 0x1F, 0b1_0, 1_000, r"a\b", "\x41\x0a"]"#
                .replace("0X, ", "")
                .as_str()
        ),
        "let a = [0o4755, 0x1f, 0b10, 1000, r\"a\\b\", \"A\\n\"]\n"
    );
}

#[test]
fn strings_show_what_they_hold() {
    assert_eq!(
        print_string(b"a\"\\\n\t\x00\xff", false),
        r#""a\"\\\n\t\x00\xff""#
    );
    assert_eq!(
        print_string("é\u{202e}".as_bytes(), false),
        "\"é\\xe2\\x80\\xae\""
    );
    assert_eq!(print_string(b"a\\b", true), r#"r"a\b""#);
    assert_eq!(print_string(b"a\"b", true), r#""a\"b""#);
    assert_eq!(print_string(b"\xff", true), r#""\xff""#);
}

#[test]
fn layout() {
    let source = include_str!("../corpus/ok/first-look.lsmp");
    snapshot!("print_first_look", printed(source));
    let source = include_str!("../corpus/ok/layout.lsmp");
    snapshot!("print_layout", printed(source));
}
