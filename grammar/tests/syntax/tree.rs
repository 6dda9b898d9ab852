//! Which tree a line of source gives.

use crate::{good, snapshot};

macro_rules! trees {
    ($($name:ident: $source:expr;)*) => {
        $(#[test]
        fn $name() {
            let source = $source;
            let tree = format!("{source}\n\n{:#?}", good(source).statements);
            snapshot!(concat!("tree_", stringify!($name)), tree);
        })*
    };
}

trees! {
    include: r#"include "lib/base.lsmp""#;
    let_set: r#"let secrets = ["/etc/shadow", r"/x\*", 1..0x1f, AF_INET, [true],]"#;
    let_literal: "let limit = 0b1_0";
    let_name: "let a = b";
    let_condition: "let admin = uid == 0 and not in_container";
    let_user: r#"let www = user("www-data")"#;
    default: "default audit file_open, mmap_file";
    on_error: "on_error allow file_open";
    rule: r#"@id("a") @quiet(true) deny with EACCES file_open when x unless y.z"#;
    precedence: "kill bpf when a or b and not c or d";
    parentheses: "kill bpf when (a or (b or c)) and (d and e)";
    not_in: "audit bpf when uid not in ids and not gid in [1]";
    has: "audit file_open when access has any [write, append] and caps has CAP_SYS_ADMIN";
    symbols: "audit bpf when !a && b || c";
    scope: "scope web when exe == \"/x\" inherit until uid >= 5 { let a = 1 deny bpf }";
    exempt: "exempt when exe == \"/usr/sbin/sshd\"";
    assert: "assert deny file_open when path == \"/etc/shadow\" unless uid == 0";
    test: "test \"a b\" { given uid = 1, access = [read] expect deny with EPERM bpf exe = none uid = 2 expect quiet bpf }";
    set_after_comparison: "deny bpf when uid == [1, 2] or exe in \"/x\"";
    strings: r#"include "a\"b\\c\n\t\x00\xff é""#;
}

#[test]
fn words_of_the_language_that_are_no_keywords() {
    good("let quiet = [user, group, unset, none]");
    good("deny user, group when quiet and auid == unset");
}

#[test]
fn statements_need_nothing_between_them() {
    assert_eq!(
        good("deny bpf allow bpf default\ndeny bpf")
            .statements
            .len(),
        3
    );
}

#[test]
fn a_comma_may_end_a_set() {
    good("let a = [1, 2,]");
    good("let a = []");
}

#[test]
fn line_breaks_mean_nothing() {
    good("deny\r\nbpf\r\nwhen\r\nuid\r\n==\r\n0\r\n");
    good("test \"x\" {\n expect\n deny\n bpf }");
}

#[test]
fn a_byte_order_mark_may_begin_a_file() {
    let file = good("\u{feff}deny bpf");
    assert_eq!(file.statements[0].span.start, 3);
}

#[test]
fn nothing_is_a_policy() {
    assert!(good("").statements.is_empty());
    assert!(good("\n# only a comment").statements.is_empty());
}

#[test]
fn the_largest_integers() {
    good("let a = 18446744073709551615");
    good("let a = 0xffff_ffff_ffff_ffff");
    good("let a = 0o1777777777777777777777");
    good("let a = 0");
}

#[test]
fn broken_conditions_leave_the_rest_of_the_statement() {
    let parsed = crate::parsed("let a = 1 +\nscope web when ( { deny bpf when uid = 0 unless x }");
    assert_eq!(parsed.errors.len(), 3, "{:#?}", parsed.errors);
    snapshot!("tree_broken_conditions", format!("{:#?}", parsed.file));
}
