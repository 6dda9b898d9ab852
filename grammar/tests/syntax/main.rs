//! The language as text, seen from outside the crate.

mod corpus;
mod errors;
mod format;
mod print;
mod roundtrip;
mod scatter;
mod soup;
mod spans;
mod tree;
mod trees;
mod walk;
mod words;

use lsmpc_syntax::{FileId, Parsed, parse};

/// Parses as file 0.
fn parsed(source: &str) -> Parsed {
    parse(FileId(0), source)
}

/// Parses what must be free of errors.
#[track_caller]
fn good(source: &str) -> lsmpc_syntax::ast::File {
    let parsed = parsed(source);
    assert!(parsed.errors.is_empty(), "{source}\n{:#?}", parsed.errors);
    parsed.file
}

/// Compares with a snapshot of `snapshots/syntax`.
macro_rules! snapshot {
    ($name:expr, $value:expr) => {
        insta::with_settings!({
            snapshot_path => "../../../snapshots/syntax",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!($name, $value);
        });
    };
}
use snapshot;
