//! Any text: parsing does not panic, and what parses prints back.
//!
//! Run with `cargo +nightly fuzz run parse`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lsmpc_syntax::{FileId, parse, print, strip_spans};

fuzz_target!(|text: &str| {
    let parsed = parse(FileId(0), text);
    if parsed.errors.is_empty() {
        let printed = print(&parsed.file);
        let again = parse(FileId(0), &printed);
        assert!(again.errors.is_empty(), "{printed}");
        assert_eq!(print(&again.file), printed);
        assert_eq!(strip_spans(again.file), strip_spans(parsed.file));
    }
});
