//! Comments, codes and limits.

use std::fmt::Write;

use lsmpc_syntax::{
    CommentPlace, FileId, KEYWORDS, MAX_ERRORS, MAX_FILE_BYTES, MAX_NESTING, SyntaxCode, parse,
};

use crate::{good, parsed, snapshot};

#[test]
fn comments_are_kept_beside_the_tree() {
    let source = "# one\r\ndeny bpf # two\n  # three\n# four";
    let found: Vec<_> = parsed(source)
        .comments
        .into_iter()
        .map(|c| (&source[c.span.start as usize..c.span.end as usize], c.place))
        .collect();
    assert_eq!(
        found,
        [
            ("# one", CommentPlace::OwnLine),
            ("# two", CommentPlace::Trailing),
            ("# three", CommentPlace::OwnLine),
            ("# four", CommentPlace::OwnLine),
        ]
    );
}

#[test]
fn a_hash_in_a_string_is_no_comment() {
    assert!(parsed(r##"include "a#b" "##).comments.is_empty());
}

#[test]
fn codes_are_in_order_and_unique() {
    let mut list = String::new();
    for (index, code) in SyntaxCode::ALL.iter().enumerate() {
        assert_eq!(code.as_str(), format!("LSMP{:04}", index + 1));
        assert!(index + 1 < 20, "LSMP0020 and above are the compiler's");
        writeln!(list, "{} {}", code.as_str(), code.title()).unwrap();
    }
    snapshot!("codes", list);
}

#[test]
fn keywords_name_nothing() {
    assert_eq!(KEYWORDS.len(), 27);
    for keyword in KEYWORDS {
        let errors = parsed(&format!("let {keyword} = 1")).errors;
        assert_eq!(errors.len(), 1, "{keyword}: {errors:#?}");
        assert_eq!(errors[0].code, SyntaxCode::KeywordAsName, "{keyword}");
    }
}

#[test]
fn a_large_file_is_not_read() {
    let errors = parsed(&" ".repeat(MAX_FILE_BYTES + 1)).errors;
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].code, SyntaxCode::FileTooLarge);
    assert!(parsed(&" ".repeat(MAX_FILE_BYTES)).errors.is_empty());
}

#[test]
fn errors_are_counted() {
    let errors = parsed(&"deny\n".repeat(MAX_ERRORS)).errors;
    assert_eq!(errors.len(), MAX_ERRORS);
    for source in [
        "deny\n",
        "}",
        "$ ",
        "\"\n",
        "{",
        "@",
        "scope a when x {",
        "expect ",
    ] {
        let errors = parsed(&source.repeat(5000)).errors;
        assert!(errors.len() <= MAX_ERRORS + 1, "{source}");
    }
    let errors = parsed(&"deny\n".repeat(MAX_ERRORS + 1)).errors;
    assert_eq!(errors.len(), MAX_ERRORS + 1);
    assert_eq!(errors[MAX_ERRORS].code, SyntaxCode::TooManyErrors);
}

#[test]
fn nesting_has_a_limit() {
    let nest = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    for (open, close) in [("(", ")"), ("not ", ""), ("not (", ")")] {
        let step = open
            .split_whitespace()
            .collect::<String>()
            .replace("not", "n")
            .len();
        let fits = MAX_NESTING / step;
        good(&format!("deny bpf when {}", nest(open, "a", close, fits)));
        for depth in [fits + 1, 100_000] {
            let errors = parsed(&format!(
                "deny bpf when {}\ndeny bpf",
                nest(open, "a", close, depth)
            ))
            .errors;
            assert_eq!(errors.len(), 1, "{errors:#?}");
            assert_eq!(errors[0].code, SyntaxCode::NestingTooDeep);
        }
    }
    let errors = parsed(&format!("let a = {}", nest("[", "", "]", 100_000))).errors;
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].code, SyntaxCode::NestingTooDeep);
    // Many `not`s side by side are not deep.
    good(&format!(
        "deny bpf when {}",
        vec!["not a"; 10_000].join(" and ")
    ));
    // Nor are many scopes that nothing closes.
    let errors = parsed(&"scope a when x {\n".repeat(50_000)).errors;
    assert!(!errors.is_empty());
}

#[test]
fn spans_carry_the_file() {
    let parsed = parse(FileId(7), "# x\ndeny bpf\ndeny");
    assert_eq!(parsed.file.statements[0].span.file, FileId(7));
    assert_eq!(parsed.errors[0].span.file, FileId(7));
    assert_eq!(parsed.comments[0].span.file, FileId(7));
}
