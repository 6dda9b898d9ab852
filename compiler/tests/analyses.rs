//! Large policies are analysed in seconds, and what is too large is said to be.
//!
//! Run with `--release --nocapture` for times that mean something;
//! `LSMPC_RULES` sets how many rules there are.

use std::fmt::Write as _;
use std::time::Instant;

use lsmpc_compiler::code::Code;
use lsmpc_compiler::source::MemoryReader;
use lsmpc_compiler::{Analysis, Options, analyse};

fn rules() -> usize {
    let rules = std::env::var("LSMPC_RULES").ok();
    rules.and_then(|rules| rules.parse().ok()).unwrap_or(1_000)
}

fn measure(what: &str, text: &str) -> Analysis {
    let reader = MemoryReader::default().file("/p.lsmp", text.as_bytes());
    let start = Instant::now();
    let mut analysis = analyse(&["/p.lsmp".into()], &reader, &Options::default());
    let checked = start.elapsed();
    analysis.examine();
    eprintln!(
        "{what}: {checked:?} before, {:?} with analyses",
        start.elapsed()
    );
    assert!(!analysis.has_errors(), "{:?}", analysis.diagnostics.first());
    analysis
}

/// How often a code was said, what was left out included.
fn count(analysis: &Analysis, code: Code) -> usize {
    let of_code = analysis
        .diagnostics
        .iter()
        .filter(|found| found.code == code);
    of_code
        .map(|found| {
            let more = found.notes.iter().find_map(|note| {
                note.strip_suffix(" more like this are not shown")?
                    .parse::<usize>()
                    .ok()
            });
            1 + more.unwrap_or(0)
        })
        .sum()
}

#[test]
fn literal_paths() {
    let rules = rules();
    let mut text = String::new();
    for i in 0..rules {
        let _ = writeln!(
            text,
            "deny file_open when path == \"/srv/app{i}/data/file{i}.conf\""
        );
    }
    text.push_str("deny file_open when path == \"/srv/app7/**\"\n");
    let analysis = measure("literals", &text);
    assert_eq!(count(&analysis, Code::Redundant), 1);
    assert_eq!(count(&analysis, Code::NotDecided), 0);
}

#[test]
fn globs_and_literals() {
    let rules = rules();
    let mut text = String::new();
    for i in 0..rules / 2 {
        let _ = writeln!(text, "deny file_open when path == \"/srv/app{i}/**\"");
        let _ = writeln!(text, "audit file_open when path == \"/srv/app{i}/*.conf\"");
    }
    let _ = writeln!(text, "kill file_open when path == \"/srv/**\"");
    let analysis = measure("globs", &text);
    // Every `deny`, and no `audit`.
    assert_eq!(count(&analysis, Code::Redundant), rules / 2);
    assert_eq!(count(&analysis, Code::NotDecided), 0);
}

#[test]
fn several_fields() {
    let rules = rules();
    let mut text = String::from("default deny socket_connect\n");
    for i in 0..rules / 2 {
        let _ = writeln!(
            text,
            "deny file_open when path == \"/srv/app{i}/**\" and uid == {} unless exe == \"/opt/tool{}\"",
            i % 50,
            i % 20
        );
        let _ = writeln!(
            text,
            "allow socket_connect when exe == \"/opt/tool{i}\" and port in [{}, {}] and addr == \"10.{}.0.0/16\"",
            i % 1000,
            i % 1000 + 2000,
            i % 200
        );
    }
    let analysis = measure("several fields", &text);
    assert_eq!(count(&analysis, Code::Redundant), 0);
    assert_eq!(count(&analysis, Code::NotDecided), 0);
}

#[test]
fn every_rule_twice() {
    let rules = rules();
    let mut text = String::new();
    for i in 0..rules {
        let _ = writeln!(
            text,
            "deny path_unlink when path == \"/srv/app{}/**\"",
            i / 2
        );
    }
    let analysis = measure("every rule twice", &text);
    assert_eq!(count(&analysis, Code::Redundant), rules / 2);
}

#[test]
fn what_is_not_shown_is_counted_where_it_belongs() {
    let mut text = String::new();
    for i in 0..150 {
        let _ = writeln!(text, "deny task_kill when uid == {}", i / 2);
        let _ = writeln!(
            text,
            "deny file_open when gid == {i} unless gid in [0..200]"
        );
    }
    text.push_str("deny path_rmdir when uid == 1 and uid == 2\n");
    let analysis = measure("many of several codes", &text);
    assert_eq!(count(&analysis, Code::Redundant), 75);
    assert_eq!(count(&analysis, Code::NeverMatches), 150);
    assert_eq!(count(&analysis, Code::ConstantCondition), 1);
}

#[test]
fn large_conditions_are_looked_at_as_a_whole() {
    let parts = |count: u32, also: &str| {
        let parts: Vec<String> = (10..10 + count)
            .map(|i| format!("uid in [{i}, {}] and uid in [{i}, {}]", 100 + i, 200 + i))
            .collect();
        format!("deny file_open when {also} and ({})", parts.join(" or "))
    };
    let found = |text: &str| {
        let analysis = measure("large conditions", text);
        let mut spans = analysis
            .diagnostics
            .iter()
            .filter(|found| found.code == Code::ConstantCondition)
            .filter_map(|found| analysis.sources.snippet(found.primary.as_ref()?.span));
        let first = spans.next().map(str::to_owned);
        assert_eq!(spans.next(), None);
        first
    };
    // The whole, the `or`, and these.
    let small = parts(62, "gid == 1 and (euid == 1 and euid == 2)");
    let large = parts(70, "uid == 3");
    assert_eq!(
        found(&large).as_deref(),
        large.strip_prefix("deny file_open when ")
    );
    assert!(found(&small).is_some());
    assert_eq!(found(&parts(70, "gid == 1")), None);
}

#[test]
fn many_promises() {
    let rules = rules();
    let mut text = String::new();
    for i in 0..rules {
        let _ = writeln!(
            text,
            "deny file_open when path == \"/srv/app{i}/**\" unless uid == 0"
        );
    }
    for i in 0..20 {
        let _ = writeln!(
            text,
            "assert deny file_open when path == \"/srv/app{i}/x\" and uid == 7"
        );
    }
    let analysis = measure("20 asserts", &text);
    assert_eq!(analysis.diagnostics.len(), 0);
}

#[test]
fn what_multiplies_is_not_decided() {
    let mut text = String::new();
    let fields = [
        "uid",
        "gid",
        "euid",
        "egid",
        "pid",
        "file.uid",
        "file.gid",
        "file.nlink",
    ];
    for field in fields {
        for i in 0..30 {
            let _ = writeln!(
                text,
                "deny file_open when {field} in [{i}..{}]",
                i * 100 + 50
            );
        }
    }
    text.push_str("assert deny file_open when uid == 1 and gid == 2\n");
    let analysis = measure("what multiplies", &text);
    assert_eq!(count(&analysis, Code::Redundant), 0);
    assert_eq!(count(&analysis, Code::NotDecided), 1);
    let hint = analysis
        .diagnostics
        .iter()
        .find(|found| found.code == Code::NotDecided);
    let hint = hint.unwrap();
    assert!(hint.message.contains("`file_open`"), "{hint:?}");
    assert!(
        hint.notes
            .iter()
            .any(|note| note == "the conditions on `file_open` combine in too many ways"),
        "{hint:?}"
    );
}
