//! Every node knows where it was written.

use crate::walk::{What, check_spans, walk};
use crate::{good, parsed};

#[test]
fn of_the_first_look() {
    let text = include_str!("../corpus/ok/first-look.lsmp");
    check_spans(text, &good(text), true);
}

#[test]
fn of_statements_with_errors() {
    let text = "let a = 1 +\nscope web when ( { deny bpf when uid = 0 unless x }";
    check_spans(text, &parsed(text).file, false);
}

#[test]
fn of_a_rule() {
    let text = "  @id(\"a\") deny with EACCES bpf when (uid == 0) ";
    let file = good(text);
    assert_eq!(
        &text[file.statements[0].span.start as usize..file.statements[0].span.end as usize],
        "@id(\"a\") deny with EACCES bpf when (uid == 0)"
    );
    let whole = file.statements[0].span;
    let names: Vec<_> = walk(&file, whole)
        .into_iter()
        .filter_map(|v| match v.what {
            What::Name(name) => Some(name),
            _ => None,
        })
        .collect();
    assert_eq!(names, ["id", "EACCES", "bpf", "uid"]);
}
