//! What tables answer, case by case, and what becomes no table.

use std::fmt::Write as _;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::{MAX_BOUNDARIES, MAX_STEPS, Masks};
use lsmpc_compiler::event::{Event, Verdict};
use lsmpc_compiler::ir::{Ir, Predicate, Test};
use lsmpc_compiler::lower::{LowerError, LowerOptions, lower};
use lsmpc_compiler::reference::evaluate;
use lsmpc_compiler::source::MemoryReader;
use lsmpc_compiler::tables::Tables;
use lsmpc_compiler::{Analysis, Options, analyse};
use lsmpc_engine::image::Image;
use lsmpc_random::limits::long_walk;

fn analysis(text: &str) -> Analysis {
    let reader = MemoryReader::default().file("/p.lsmp", text);
    let analysis = analyse(&["/p.lsmp".into()], &reader, &Options::default());
    assert!(!analysis.has_errors(), "{:?}", analysis.diagnostics);
    analysis
}

fn ir(text: &str) -> Ir {
    analysis(text).ir.unwrap()
}

fn lowered(ir: &Ir) -> Result<Tables, LowerError> {
    let image = lower(ir, &LowerOptions::default())?;
    Ok(Tables::new(Image::from_bytes(image.bytes).unwrap()).unwrap())
}

fn tables(text: &str) -> Tables {
    lowered(&ir(text)).unwrap()
}

/// What tables and reference say of an event.
fn verdict(text: &str, event: &str) -> (Verdict, bool) {
    let event = Event::from_json_line(event).unwrap();
    let answer = tables(text).evaluate(&event).unwrap();
    let hir = analysis(text).hir.unwrap();
    assert_eq!(answer, evaluate(&hir, &event).unwrap(), "{text}");
    (answer.verdict, answer.unknown)
}

#[test]
fn each_field_is_unknown_by_itself() {
    let text = "deny sb_mount when caps has CAP_KILL and mount.flags has MS_NODEV";
    let event = |rest: &str| format!(r#"{{"hook":"sb_mount","caps":["CAP_KILL"]{rest}}}"#);
    assert_eq!(verdict(text, &event("")), (Verdict::Deny, true));
    let without = event(r#","mount.flags":[]"#);
    assert_eq!(verdict(text, &without), (Verdict::Allow, false));
    // The same test, where an earlier one has found the field's value and where none has.
    let text = "deny file_open when uid == 1 and access has read or access has write";
    for uid in 0..2 {
        let event = format!(r#"{{"hook":"file_open","uid":{uid}}}"#);
        assert_eq!(verdict(text, &event), (Verdict::Deny, true));
        let event = format!(r#"{{"hook":"file_open","uid":{uid},"access":["read"]}}"#);
        let denied = if uid == 1 {
            Verdict::Deny
        } else {
            Verdict::Allow
        };
        assert_eq!(verdict(text, &event), (denied, false));
    }
}

/// A rule with this condition denies connections to some addresses, and not to others.
fn connects(cond: &str, denied: &[&str], allowed: &[&str]) {
    let text = format!("deny socket_connect when {cond}");
    let denied = denied.iter().map(|addr| (addr, Verdict::Deny));
    let allowed = allowed.iter().map(|addr| (addr, Verdict::Allow));
    for (addr, wanted) in denied.chain(allowed) {
        let event = format!(r#"{{"hook":"socket_connect","addr":"{addr}"}}"#);
        assert_eq!(verdict(&text, &event), (wanted, false), "{cond} {addr}");
    }
}

#[test]
fn blocks_within_blocks() {
    for cond in [
        r#"addr == "10.0.0.0/30" or addr == "10.0.0.0/8""#,
        r#"addr == "10.0.0.0/8" or addr == "10.0.0.0/30""#,
        r#"addr in ["10.0.0.0/30", "10.0.0.0/8"]"#,
    ] {
        let denied = ["10.0.0.0", "10.0.0.3", "10.0.0.4", "10.255.255.255"];
        connects(cond, &denied, &["9.255.255.255", "11.0.0.0"]);
    }
}

#[test]
fn blocks_beside_blocks() {
    let cond = r#"addr == "10.0.0.0/30" or addr == "10.0.0.8/30""#;
    let allowed = ["10.0.0.4", "10.0.0.7", "10.0.0.12"];
    connects(cond, &["10.0.0.3", "10.0.0.8"], &allowed);
}

#[test]
fn one_default_of_several_hooks_is_one_rule() {
    assert_eq!(ir("default deny file_open, task_kill").rules.len(), 1);
    let two = "default deny file_open\ndefault deny task_kill";
    assert_eq!(ir(two).rules.len(), 2);
}

#[test]
fn globs_that_take_most_states_are_listed() {
    let ir = ir("deny file_open when path in [\"/a/**\", \"/a/*/b/*/c\"]");
    let stats = lower(&ir, &LowerOptions::default()).unwrap().stats;
    let globs: Vec<&str> = stats
        .costliest_globs
        .iter()
        .map(|stats| stats.glob.as_str())
        .collect();
    assert_eq!(globs, ["/a/**", "/a/*/b/*/c"]);
}

#[test]
fn what_sticks_to_a_subject() {
    let tables = tables(
        "scope a when uid == 1 inherit until gid == 1 { deny file_open }\n\
         scope b when gid == 2 inherit { deny file_open }\n\
         deny file_open when ancestor.exe == \"/c\"",
    );
    // The bits: a, b, the program.
    let says = |event: &str| {
        let event = Event::from_json_line(event).unwrap();
        let Masks {
            when,
            until,
            program,
        } = tables.subject(&event).unwrap().unwrap();
        [when, until, program].map(|bits| (bits.set, bits.unknown))
    };
    let of = |uid: u32, gid: u32, exe: &str| {
        says(&format!(
            r#"{{"hook":"file_open","uid":{uid},"gid":{gid},"exe":"{exe}"}}"#
        ))
    };
    assert_eq!(of(0, 0, "/d"), [(0, 0); 3]);
    assert_eq!(of(1, 0, "/d"), [(1, 0), (0, 0), (0, 0)]);
    assert_eq!(of(1, 2, "/d"), [(3, 0), (0, 0), (0, 0)]);
    assert_eq!(of(0, 0, "/c"), [(0, 0), (0, 0), (4, 0)]);
    // What ends need not begin.
    let ended = of(1, 1, "/d");
    assert_eq!(ended[1..], [(1, 0), (0, 0)]);
    assert_eq!(
        says(r#"{"hook":"file_open","gid":0}"#),
        [(0, 1), (0, 0), (0, 4)]
    );
    assert_eq!(
        says(r#"{"hook":"file_open","uid":1,"exe":"/d"}"#),
        [(1, 2), (0, 1), (0, 0)]
    );
}

#[test]
fn no_walk_is_longer_than_the_engine_goes() {
    let (text, event) = long_walk(MAX_STEPS as usize);
    assert_eq!(verdict(&text, &event), (Verdict::Deny, false));
    let (text, _) = long_walk(MAX_STEPS as usize + 1);
    let error = lowered(&ir(&text)).unwrap_err();
    assert!(matches!(error, LowerError::TooComplex { .. }), "{error}");
    assert!(error.rule().is_some(), "{error}");
}

#[test]
fn values_that_are_told_apart_are_counted() {
    // Each number has two boundaries, zero has one.
    let of = |count: u64| {
        let mut ir = ir("deny file_open when uid == 1");
        let numbers = (0..count).map(|number| (number * 2, number * 2));
        let found = ir.predicates.first_mut().unwrap();
        assert_eq!(found.field, FieldId::Uid);
        found.test = Test::Ranges(numbers.collect());
        lowered(&ir)
    };
    let most = u64::from(MAX_BOUNDARIES).div_ceil(2);
    assert!(of(most).is_ok());
    let error = of(most + 1).unwrap_err();
    assert!(matches!(error, LowerError::TooManyValues { .. }), "{error}");
    assert!(error.rule().is_some(), "{error}");
}

#[test]
fn conditions_as_deep_as_may_be_written() {
    let mut lets = String::from("let l0 = uid == 0\n");
    for number in 1..510 {
        let _ = writeln!(lets, "let l{number} = not l{}", number - 1);
    }
    let text = format!("deny file_open when not l509 unless not not l508\n{lets}");
    let event = r#"{"hook":"file_open","uid":0}"#;
    assert_eq!(verdict(&text, event), (Verdict::Allow, false));
}

#[test]
fn tests_that_do_not_suit_their_field() {
    let path = ir("deny file_open when path == \"/a\"")
        .predicates
        .remove(0)
        .test;
    let port = Test::Ranges(vec![(1, 1)]);
    for (field, test) in [
        (FieldId::AncestorExe, path.clone()),
        (FieldId::Uid, path),
        (FieldId::Path, port),
        (FieldId::Sticky, Test::HasAll(1)),
        (FieldId::Uid, Test::Sticky(0)),
    ] {
        let mut ir = ir("deny file_open when uid == 1");
        ir.predicates = vec![Predicate { field, test }];
        assert!(
            matches!(lowered(&ir), Err(LowerError::Internal(_))),
            "{field:?}"
        );
    }
}
