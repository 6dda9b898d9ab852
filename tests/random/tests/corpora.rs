//! Every input that the fuzzers keep in `fuzz/corpus`, through its target: what was once
//! found stays found, without a fuzzer.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use lsmpc_random::targets;

#[test]
fn every_kept_input_holds() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, target) in targets::ALL {
        let directory = corpora.join(name);
        let mut count = 0;
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let held = catch_unwind(AssertUnwindSafe(|| target(&bytes)));
            assert!(held.is_ok(), "{name}: {}", path.display());
            count += 1;
        }
        assert!(count > 0, "no input for {name}");
        println!("{name}: {count} inputs");
    }
}

/// What the fuzzers begin with.
#[test]
fn every_policy_of_the_repository_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut count = 0;
    for directory in ["examples", "tests/corpus/ok", "tests/corpus/err"] {
        for entry in fs::read_dir(root.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "lsmp")
            {
                let bytes = fs::read(&path).unwrap();
                targets::lex(&bytes);
                targets::parse(&bytes);
                targets::lower(&bytes);
                count += 1;
            }
        }
    }
    assert!(count > 100, "{count}");
}

/// A corpus for each target, and none for what is no target.
#[test]
fn corpora_have_targets() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut names: Vec<String> = fs::read_dir(corpora)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut known: Vec<&str> = targets::ALL.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(names, known);
}
