//! Files that parse, and files of which each yields one code.

use std::fs;
use std::path::{Path, PathBuf};

use lsmpc_syntax::{SyntaxCode, print, strip_spans};

use crate::{good, parsed};

fn files(kind: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(kind);
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "lsmp"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

#[test]
fn good_files_print_and_parse_back() {
    for (path, text) in files("ok") {
        let file = good(&text);
        let printed = print(&file);
        let again = good(&printed);
        assert_eq!(print(&again), printed, "{}", path.display());
        assert_eq!(strip_spans(again), strip_spans(file), "{}", path.display());
    }
}

/// Each file is named after the one code that it yields.
#[test]
fn every_code_has_a_file() {
    let mut seen = Vec::new();
    for (path, text) in files("err") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let codes: Vec<_> = parsed(&text)
            .errors
            .iter()
            .map(|e| e.code.as_str())
            .collect();
        let code = name.split('-').next().unwrap().to_owned();
        assert_eq!(codes.last(), Some(&code.as_str()), "{name}: {codes:?}");
        if code != SyntaxCode::TooManyErrors.as_str() {
            assert_eq!(codes.len(), 1, "{name}: {codes:?}");
        }
        seen.push(code);
    }
    for code in SyntaxCode::ALL {
        // Too large to keep; made where the limit is tested.
        if *code != SyntaxCode::FileTooLarge {
            assert!(seen.iter().any(|s| s == code.as_str()), "{}", code.as_str());
        }
    }
}
