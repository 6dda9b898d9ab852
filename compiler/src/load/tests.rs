use std::path::PathBuf;

use super::{MAX_POLICY_BYTES, load};
use crate::code::Code;
use crate::source::MemoryReader;

const RULE: &str = "deny file_open\n";

/// The codes, and the files in the order in which they were read.
fn loaded(reader: &MemoryReader, roots: &[&str], outside: bool) -> (Vec<Code>, Vec<String>) {
    let roots: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
    let loaded = load(&roots, reader, outside, MAX_POLICY_BYTES);
    assert_eq!(loaded.sources.len(), loaded.files.len());
    let codes = loaded.diagnostics.iter().map(|known| known.code).collect();
    let files = loaded.sources.iter();
    (
        codes,
        files.map(|(_, file)| file.relative().to_owned()).collect(),
    )
}

#[test]
fn includes_are_relative_to_their_file_and_once() {
    let reader = MemoryReader::default()
        .file(
            "/p/main.lsmp",
            "include \"a/x.lsmp\"\ninclude \"a/y.lsmp\"\n",
        )
        .file("/p/a/x.lsmp", "include \"y.lsmp\"\n")
        .file("/p/a/y.lsmp", RULE);
    let (codes, files) = loaded(&reader, &["/p/main.lsmp"], false);
    assert_eq!(codes, []);
    assert_eq!(files, ["main.lsmp", "a/x.lsmp", "a/y.lsmp"]);
}

#[test]
fn directories_are_read_in_byte_order() {
    let reader = MemoryReader::default()
        .file("/p/main.lsmp", "include \"d\"\n")
        .file("/p/d/b.lsmp", RULE)
        .file("/p/d/B.lsmp", RULE)
        .file("/p/d/a.lsmp", RULE)
        .file("/p/d/a.txt", "not a policy");
    let (codes, files) = loaded(&reader, &["/p/main.lsmp"], false);
    assert_eq!(codes, []);
    assert_eq!(files, ["main.lsmp", "d/B.lsmp", "d/a.lsmp", "d/b.lsmp"]);
}

#[test]
fn links_do_not_hide_that_a_file_was_read() {
    let reader = MemoryReader::default()
        .file(
            "/p/main.lsmp",
            "include \"one.lsmp\"\ninclude \"two.lsmp\"\n",
        )
        .file("/p/one.lsmp", RULE)
        .link("/p/two.lsmp", "/p/one.lsmp");
    let (codes, files) = loaded(&reader, &["/p/main.lsmp"], false);
    assert_eq!(codes, []);
    assert_eq!(files, ["main.lsmp", "one.lsmp"]);
}

#[test]
fn nothing_outside_without_being_allowed() {
    let reader = MemoryReader::default()
        .file(
            "/p/main.lsmp",
            "include \"../q/x.lsmp\"\ninclude \"l.lsmp\"\ndeny file_open",
        )
        .file("/q/x.lsmp", RULE)
        .link("/p/l.lsmp", "/q/x.lsmp");
    let (codes, _) = loaded(&reader, &["/p/main.lsmp"], false);
    assert_eq!(codes, [Code::IncludeOutside, Code::IncludeOutside]);
    let (codes, files) = loaded(&reader, &["/p/main.lsmp"], true);
    assert_eq!(codes, []);
    assert_eq!(files, ["main.lsmp", "../q/x.lsmp"]);
}

#[test]
fn circles() {
    let reader = MemoryReader::default()
        .file("/p/a.lsmp", "include \"b.lsmp\"\ndeny file_open")
        .file("/p/b.lsmp", "include \"c.lsmp\"")
        .file("/p/c.lsmp", "include \"a.lsmp\"");
    let roots = [PathBuf::from("/p/a.lsmp")];
    let loaded = load(&roots, &reader, false, MAX_POLICY_BYTES);
    let [circle] = loaded.diagnostics.as_slice() else {
        panic!("{:?}", loaded.diagnostics);
    };
    assert_eq!(circle.code, Code::IncludeCycle);
    assert_eq!(
        circle.notes,
        ["`a.lsmp` includes `b.lsmp` includes `c.lsmp` includes `a.lsmp`"]
    );
}

#[test]
fn long_chains_are_followed() {
    let mut reader = MemoryReader::default();
    for number in 0..1000 {
        let text = format!("include \"{}.lsmp\"", number + 1);
        reader = reader.file(format!("/p/{number}.lsmp"), text);
    }
    let reader = reader.file("/p/1000.lsmp", RULE);
    let (codes, files) = loaded(&reader, &["/p/0.lsmp"], false);
    assert_eq!(codes, []);
    assert_eq!(files.len(), 1001);
}

#[test]
fn several_roots() {
    let reader = MemoryReader::default()
        .file("/p/a.lsmp", RULE)
        .file("/q/a.lsmp", RULE);
    let (codes, files) = loaded(&reader, &["/p/a.lsmp", "/q/a.lsmp", "/p/a.lsmp"], false);
    assert_eq!(codes, []);
    assert_eq!(files, ["a.lsmp", "../q/a.lsmp"]);
}

#[test]
fn unreadable_files() {
    let reader = MemoryReader::default()
        .file("/p/main.lsmp", "include \"x.lsmp\"\ndeny file_open")
        .unreadable("/p/x.lsmp");
    let (codes, _) = loaded(&reader, &["/p/main.lsmp"], false);
    assert_eq!(codes, [Code::Unreadable]);
    let (codes, _) = loaded(&reader, &["/p/nothing.lsmp"], false);
    assert_eq!(codes, [Code::Unreadable]);
}

#[test]
fn a_directory_is_no_policy() {
    let reader = MemoryReader::default().file("/p/main.lsmp", RULE);
    let (codes, _) = loaded(&reader, &["/p"], false);
    assert_eq!(codes, [Code::PolicyIsDirectory]);
}

#[test]
fn an_empty_policy() {
    let reader = MemoryReader::default()
        .file("/p/main.lsmp", "include \"x.lsmp\"")
        .file("/p/x.lsmp", "# nothing\n");
    let (codes, _) = loaded(&reader, &["/p/main.lsmp"], false);
    assert_eq!(codes, [Code::EmptyPolicy]);
}

#[test]
fn bytes_that_are_not_utf8() {
    let reader = MemoryReader::default().file("/p/main.lsmp", b"# \xc3\xbc\n# \xff\n".to_vec());
    let roots = [PathBuf::from("/p/main.lsmp")];
    let loaded = load(&roots, &reader, false, MAX_POLICY_BYTES);
    let [bad] = loaded.diagnostics.as_slice() else {
        panic!("{:?}", loaded.diagnostics);
    };
    assert_eq!(bad.code, Code::NotUtf8);
    assert!(bad.message.contains("byte 0xff at offset 7"));
    assert_eq!(bad.primary.as_ref().unwrap().span.start, 7);
}

#[test]
fn the_limit_on_all_text() {
    let reader = MemoryReader::default()
        .file("/p/main.lsmp", "include \"x.lsmp\"\n")
        .file("/p/x.lsmp", RULE);
    let roots = [PathBuf::from("/p/main.lsmp")];
    let codes = |limit| -> Vec<Code> {
        let loaded = load(&roots, &reader, false, limit);
        loaded.diagnostics.iter().map(|known| known.code).collect()
    };
    assert_eq!(codes(100), []);
    assert_eq!(codes(20), [Code::PolicyTooLarge]);
    assert_eq!(codes(5), [Code::PolicyTooLarge]);
}
