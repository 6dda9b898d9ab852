//! Nothing that can be written makes the parser panic or hang.

use lsmpc_syntax::{MAX_ERRORS, print, strip_spans};
use proptest::prelude::*;

use crate::parsed;
use crate::walk::check_spans;

/// Whatever the text: spans are sound, errors are bounded and in order, and
/// a text without errors prints to one that means the same.
fn check(text: &str) {
    let parsed = parsed(text);
    check_spans(text, &parsed.file, parsed.errors.is_empty());
    assert!(parsed.errors.len() <= MAX_ERRORS + 1);
    for error in &parsed.errors {
        for span in [error.span]
            .iter()
            .chain(error.secondary.iter().map(|(s, _)| s))
        {
            assert!(text.get(span.start as usize..span.end as usize).is_some());
        }
        assert!(!error.message.is_empty() && !error.label.is_empty());
        assert!(error.help.is_some(), "{text}: {}", error.message);
    }
    for comment in &parsed.comments {
        let span = comment.span;
        assert!(text[span.start as usize..span.end as usize].starts_with('#'));
    }
    if parsed.errors.is_empty() {
        let printed = print(&parsed.file);
        let again = crate::parsed(&printed);
        assert_eq!(again.errors, [], "{printed}");
        assert_eq!(print(&again.file), printed);
        assert_eq!(strip_spans(again.file), strip_spans(parsed.file));
    }
}

fn token() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "deny",
        "allow",
        "audit",
        "kill",
        "default",
        "on_error",
        "scope",
        "when",
        "unless",
        "inherit",
        "exempt",
        "let",
        "include",
        "assert",
        "test",
        "given",
        "expect",
        "and",
        "or",
        "not",
        "in",
        "has",
        "any",
        "true",
        "false",
        "until",
        "with",
        "quiet",
        "user",
        "group",
        "none",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "=",
        ",",
        "..",
        "@",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "&&",
        "||",
        "!",
        "a",
        "b.c",
        "file_open",
        "1",
        "0x1f",
        "010",
        "\"x\"",
        "r\"y\"",
        "\"",
        "'",
        "\\",
        ";",
        "&",
        "…",
        "“",
        "\u{feff}",
        "\0",
        "# c\n",
        "\n",
        "\r\n",
        "denny",
        "@id(\"x\")",
        "scope a when x {",
        "test \"t\" {",
        "deny bpf",
        "when a",
        "/tmp/**",
        "10.0.0.0/8",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_tokens(tokens in prop::collection::vec(token(), 0..60)) {
        check(&tokens.join(" "));
    }

    #[test]
    fn any_tokens_without_spaces(tokens in prop::collection::vec(token(), 0..60)) {
        check(&tokens.concat());
    }
}

/// With time that grew with the square of the text, this would not end.
#[test]
fn long_repetitions_end() {
    for part in [
        "{",
        "}",
        "(",
        "[",
        "@",
        "deny ",
        "deny\n",
        "x } ",
        "{ deny } ",
        "@a ",
        "not ",
        "a.",
        "\"",
        "'",
        "\\",
        "when ",
        "scope a when x { ",
        "test \"t\" { given ",
        "expect ",
        ", ",
        "let a = [",
        "deny bpf when a in {",
        "# x\n",
        "“",
        "..",
        "=",
        "{ } ",
        "given a = 1 ",
        "deny bpf\n",
        "1 ",
        "é",
    ] {
        let text = part.repeat(200_000 / part.len());
        check(&text);
    }
}
