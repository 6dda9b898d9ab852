//! What a person reads who got a line wrong.

use std::fmt::Write;

use lsmpc_syntax::SyntaxError;

use crate::{parsed, snapshot};

/// One error of each statement, and no more.
macro_rules! errors {
    ($($name:ident: $source:expr;)*) => {
        $(#[test]
        fn $name() {
            let source = $source;
            let errors = parsed(source).errors;
            snapshot!(concat!("error_", stringify!($name)), render(source, &errors));
            assert_eq!(errors.len(), 1);
        })*
    };
}

/// Several errors of one source.
macro_rules! all_errors {
    ($($name:ident: $source:expr;)*) => {
        $(#[test]
        fn $name() {
            let source = $source;
            let errors = parsed(source).errors;
            snapshot!(concat!("errors_", stringify!($name)), render(source, &errors));
        })*
    };
}

errors! {
    // Statements.
    mistyped_deny: "denny file_open";
    mistyped_deny_after_a_statement: "deny bpf\ndenny file_open";
    other_language: "block file_open";
    upper_case: "DENY file_open";
    no_statement: "file_open when uid == 0";
    binding_without_let: "x = 3";
    lone_when: "when uid == 0";
    else_: "deny bpf when x\nelse allow bpf";
    stray_brace: "deny bpf }";
    // Rules.
    hook_missing: "deny when uid == 0";
    hook_missing_at_the_end: "deny";
    hook_missing_before_a_statement: "deny\ndeny bpf";
    where_for_when: "deny file_open where uid == 0";
    mistyped_when: "deny file_open whne uid == 0";
    mistyped_unless: "deny file_open when x unles y";
    comma_missing: "deny file_open path_unlink";
    comma_too_much: "deny file_open,";
    and_between_hooks: "deny file_open and mmap_file";
    hook_in_quotes: "deny \"file_open\"";
    dotted_hook: "deny parent.exe";
    keyword_as_hook: "deny file_open, test";
    when_twice: "deny bpf when a when b";
    when_after_unless: "deny bpf unless a when b";
    errno_in_quotes: "deny with \"EACCES\" bpf";
    errno_of_allow: "allow with EACCES bpf";
    semicolon: "deny bpf;";
    braces: "deny bpf { uid == 0 }";
    // Annotations.
    annotation_without_value: "@quiet deny bpf";
    annotation_without_quotes: "@id(web) deny bpf";
    annotation_unclosed: "@id(\"web\" deny bpf";
    annotation_of_a_scope: "@id(\"web\") scope a when x { }";
    annotation_at_the_end: "deny bpf @id(\"x\")";
    keyword_as_annotation: "@test(1) deny bpf";
    // Other statements.
    let_keyword: "let test = 1";
    let_compared: "let a == 1";
    let_dotted: "let a.b = 1";
    let_without_value: "let a =\ndeny bpf";
    let_without_name: "let = 3";
    include_without_quotes: "include base";
    default_kill: "default kill bpf";
    default_when: "default deny bpf when x";
    on_error_audit: "on_error audit bpf";
    exempt_without_when: "exempt exe == \"/x\"";
    exempt_unless: "exempt unless exe == \"/x\"";
    assert_kill: "assert kill bpf";
    // Scopes and tests.
    scope_without_when: "scope web { deny bpf }";
    scope_without_name: "scope when x { deny bpf }";
    scope_without_brace: "scope web when x\n deny bpf\n}";
    scope_unclosed: "scope web when x {\n deny bpf";
    scope_unclosed_before_scope: "scope a when x {\n deny bpf\n\nscope b when y {\n deny bpf\n}";
    scope_in_scope: "scope a when x { scope b when y { deny bpf } deny bpf }";
    test_in_scope: "scope a when x { test \"t\" { given a = 1 } deny bpf }";
    expect_outside: "expect deny bpf";
    rule_in_test: "test \"t\" { deny bpf }";
    word_in_test: "test \"t\" { uid = 0 }";
    test_without_quotes: "test scratch { expect deny bpf }";
    test_without_brace: "test \"t\"\n given a = 1\n expect deny bpf\n}";
    test_mistyped: "tset \"t\" { given a = 1 expect deny bpf }";
    scope_mistyped: "scoep web when x { deny bpf }";
    given_compared: "test \"t\" { given uid == 0 }";
    given_comma: "test \"t\" { given uid = 0, expect deny bpf }";
    given_without_value: "test \"t\" { given uid }";
    expect_without_verdict: "test \"t\" { expect bpf }";
    expect_other_verdict: "test \"t\" { expect denied bpf }";
    expect_when: "test \"t\" { expect deny bpf when uid == 0 }";
    // Conditions.
    condition_missing: "deny bpf when\nallow bpf";
    condition_missing_at_the_end: "deny bpf when x and";
    assigned: "deny bpf when uid = 0";
    triple_equals: "deny bpf when uid === 0";
    not_equals: "deny bpf when uid <> 0";
    literal_first: "deny bpf when 0 == uid";
    expect_mistyped_verdict: "test \"t\" { expect deyn bpf }";
    given_then_nothing: "test \"t\" { given expect deny bpf }";
    chained_names: "deny bpf when a == b == c";
    chained_range: "deny bpf when a >= 1 < 5";
    chained_sets: "deny bpf when a in [1, 2] in b";
    operator_missing: "deny bpf when exe \"/x\"";
    operator_in_words: "deny bpf when exe is \"/x\"";
    contains: "deny bpf when caps contains CAP_KILL";
    or_value: "deny bpf when uid == 0 or 1";
    when_true: "deny bpf when true";
    two_fields: "deny bpf when exe == parent.exe";
    range_outside: "deny bpf when port in 1..5";
    set_in_braces: "deny bpf when uid in {1, 2}";
    set_in_parentheses: "deny bpf when uid in (1, 2)";
    set_without_comma: "deny bpf when exe in [\"a\" \"b\"]";
    set_two_commas: "deny bpf when uid in [1,, 2]";
    not_has: "deny bpf when caps not has CAP_KILL";
    has_all: "deny bpf when caps has all [CAP_KILL]";
    function: "deny bpf when uid == usr(\"www\")";
    function_condition: "deny bpf when owns(\"/x\")";
    keyword_as_field: "deny bpf when test == 1";
    paren_unclosed: "deny bpf when (a or b\ndeny bpf";
    paren_unclosed_unless: "deny bpf when (a or b unless c";
    paren_not_opened: "deny bpf when a or b)";
    paren_and_bracket: "deny bpf when (a or uid in [1)]";
    bracket_unclosed: "let a = [1, 2\nlet b = 3";
    // Characters.
    unterminated: "include \"x";
    unterminated_then_more: "deny bpf when exe == \"/x\n  unless uid == 0";
    unterminated_escaped_quote: "include \"x\\\"";
    escape: r#"include "a\qb""#;
    escape_glob: r#"include "a\*b""#;
    escape_hex: r#"include "a\x4""#;
    leading_zero: "deny bpf when file.mode == 0755";
    underscores: "let a = 1__0";
    suffix: "let a = 5min";
    hex_without_prefix: "let a = 5abc";
    prefix_only: "let a = 0x";
    upper_case_prefix: "let a = 0X1F";
    too_large: "let a = 18446744073709551616";
    fraction: "let a = 1.5";
    negative: "let a = -1";
    address_without_quotes: "deny bpf when addr == 10.0.0.0/8";
    path_without_quotes: "deny bpf when exe == /usr/bin/*";
    single_quotes: "deny bpf when exe == '/x'";
    typographic_quotes: "deny bpf when exe == “/x”";
    single_ampersand: "deny bpf when a & b";
    single_bar: "deny bpf when a | b";
    three_dots: "let a = [1...5]";
    letter_beyond_ascii: "let größe = 1";
    no_break_space: "deny\u{a0}bpf";
    nul: "deny bpf \0\0\0";
    nul_in_string: "include \"a\0b\"";
    mark_inside: "deny bpf \u{feff} when x";
    slashes: "deny bpf // not yet";
    star: "deny *";
    space_in_dotted_name: "deny bpf when parent . exe == \"/x\"";
}

all_errors! {
    one_for_each_statement: "deny when x\nlet = 3\ndeny bpf\nscope { deny }\ntest \"t\" { given expect }\nfoo\n}";
    several_in_one_string: r#"include "\q\w""#;
    annotations_on_nothing: "@id(\"a\") @id(\"b\")\n}\n@tag(\"c\")";
    braces_everywhere: "{ { deny { } } scope { } }";
}

/// Source, marker, words: one block for each error.
fn render(source: &str, errors: &[SyntaxError]) -> String {
    let mut out = String::new();
    for error in errors {
        writeln!(out, "{}: {}", error.code.as_str(), error.message).unwrap();
        mark(&mut out, source, error.span, '^', &error.label);
        for (span, label) in &error.secondary {
            mark(&mut out, source, *span, '-', label);
        }
        if let Some(help) = &error.help {
            writeln!(out, "  help: {help}").unwrap();
        }
        out.push('\n');
    }
    out
}

fn mark(out: &mut String, source: &str, span: lsmpc_syntax::Span, sign: char, label: &str) {
    let (start, end) = (span.start as usize, span.end as usize);
    let number = source[..start].matches('\n').count();
    let begin = source[..start].rfind('\n').map_or(0, |at| at + 1);
    let line = source[begin..].lines().next().unwrap_or("");
    let width = source[start..end].chars().count().max(1);
    let indent = source[begin..start].chars().count();
    let visible: String = line
        .chars()
        .map(|c| if c == '\0' { '␀' } else { c })
        .collect();
    writeln!(out, "  {} | {visible}", number + 1).unwrap();
    writeln!(
        out,
        "    | {}{} {label}",
        " ".repeat(indent),
        sign.to_string().repeat(width)
    )
    .unwrap();
}
