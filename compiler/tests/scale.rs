//! Large policies: how large their tables are, and that they answer right.
//!
//! Times are printed, not asserted: they say something in release builds only.

#![allow(clippy::panic, reason = "tests")]

use std::time::Instant;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_compiler::event::{Event, FieldValue, Value, Verdict};
use lsmpc_compiler::glob::parse::{Dialect, parse};
use lsmpc_compiler::ir::{
    Cond, EffectIr, HookIr, Ir, ModuleIr, OnErrorIr, Predicate, PredicateId, RuleId, RuleInfo,
    RuleIr, RuleKind, Test,
};
use lsmpc_compiler::lower::{Limits, LowerError, LowerOptions, Stats, lower};
use lsmpc_compiler::tables::Tables;
use lsmpc_engine::image::Image;

/// A policy of one hook and one module.
#[derive(Default)]
struct Policy {
    ir: Ir,
    rules: Vec<RuleIr>,
}

impl Policy {
    fn predicate(&mut self, field: FieldId, test: Test) -> Cond {
        self.ir.predicates.push(Predicate { field, test });
        Cond::Test(PredicateId(self.ir.predicates.len() as u32 - 1))
    }

    fn path(&mut self, field: FieldId, glob: &str) -> Cond {
        let globs = parse(glob.as_bytes(), Dialect::Path).unwrap();
        self.predicate(field, Test::Globs(globs.into()))
    }

    fn rule(&mut self, cond: Cond) {
        let rule = RuleId(self.ir.rules.len() as u32);
        self.ir.rules.push(RuleInfo {
            id: format!("r{}", rule.0),
            file: "p.lsmp".into(),
            line: rule.0 + 1,
            column: 1,
            kind: RuleKind::Deny,
            message: None,
            severity: None,
            tags: Vec::new(),
            reference: None,
        });
        self.rules.push(RuleIr {
            rule,
            effect: EffectIr::Deny(13),
            quiet: false,
            cond,
        });
    }

    fn finish(mut self, hook: HookId) -> Ir {
        self.ir.hooks.push(HookIr {
            hook,
            exempt: Cond::Const(false),
            modules: vec![ModuleIr {
                scope: None,
                holds: Cond::Const(true),
                rules: self.rules,
                default: None,
                on_error: OnErrorIr::Deny,
            }],
        });
        self.ir
    }
}

fn measure(name: &str, ir: &Ir) -> (Tables, Stats) {
    let start = Instant::now();
    let lowered = lower(ir, &LowerOptions::default()).unwrap();
    let lowering = start.elapsed();
    let start = Instant::now();
    let image = Image::from_bytes(lowered.bytes).unwrap();
    let checking = start.elapsed();
    let stats = lowered.stats;
    eprintln!(
        "{name}: {} rules, {lowering:.1?} (check {checking:.1?}), {} KiB tables ({} B/rule), \
         {} KiB report, {} states, {} edges, {} nodes, {} outcomes",
        stats.rules,
        stats.table_bytes / 1024,
        stats.bytes_per_rule,
        stats.report_bytes / 1024,
        stats.states,
        stats.edges,
        stats.nodes,
        stats.outcomes,
    );
    (Tables::new(image).unwrap(), stats)
}

fn bytes(text: &str) -> FieldValue {
    FieldValue::Known(Value::Bytes(text.as_bytes().to_vec()))
}

fn files(count: usize) -> Ir {
    let mut policy = Policy::default();
    for i in 0..count {
        let cond = policy.path(FieldId::Path, &format!("/srv/app{i}/data/file{i}.conf"));
        policy.rule(cond);
    }
    policy.finish(HookId::FileOpen)
}

fn files_are_found(count: usize) {
    let (tables, stats) = measure("files", &files(count));
    assert!(stats.bytes_per_rule < 300, "{}", stats.bytes_per_rule);
    for i in (0..count).step_by(count / 50) {
        let path = format!("/srv/app{i}/data/file{i}.conf");
        let event = Event::new(HookId::FileOpen).with(FieldId::Path, bytes(&path));
        let answer = tables.evaluate(&event).unwrap();
        assert_eq!(answer.rules, [format!("r{i}")]);
        let event = Event::new(HookId::FileOpen).with(FieldId::Path, bytes(&format!("{path}x")));
        assert_eq!(tables.evaluate(&event).unwrap().verdict, Verdict::Allow);
    }
}

#[test]
fn a_thousand_files() {
    files_are_found(1_000);
}

#[test]
fn ten_thousand_files() {
    files_are_found(10_000);
}

#[test]
#[ignore = "slow in debug builds"]
fn a_hundred_thousand_files() {
    files_are_found(100_000);
}

/// Every rule looks at subject and object: one node for each subject, not one
/// entry for each pair.
#[test]
fn subjects_by_objects() {
    let mut policy = Policy::default();
    for i in 0..2_000 {
        let exe = policy.path(FieldId::Exe, &format!("/opt/tool{i}/bin/run"));
        let path = policy.path(FieldId::Path, &format!("/srv/app{i}/**"));
        policy.rule(Cond::And(vec![exe, path]));
    }
    let (tables, stats) = measure("subjects by objects", &policy.finish(HookId::FileOpen));
    assert!(stats.bytes_per_rule < 1_000, "{}", stats.bytes_per_rule);
    let event = |exe: usize, app: usize| {
        Event::new(HookId::FileOpen)
            .with(FieldId::Exe, bytes(&format!("/opt/tool{exe}/bin/run")))
            .with(FieldId::Path, bytes(&format!("/srv/app{app}/x/y")))
    };
    assert_eq!(tables.evaluate(&event(7, 7)).unwrap().rules, ["r7"]);
    assert!(tables.evaluate(&event(7, 8)).unwrap().rules.is_empty());
}

/// Rules of subject and object beside rules of the object alone: the order of
/// fields that the subject would decide first multiplies, another does not.
#[test]
fn subjects_beside_objects() {
    let mut policy = Policy::default();
    for i in 0..3_000 {
        let exe = policy.path(FieldId::Exe, &format!("/opt/tool{i}/bin/run"));
        let path = policy.path(FieldId::Path, &format!("/srv/app{i}/**"));
        policy.rule(Cond::And(vec![exe, path]));
        let path = policy.path(FieldId::Path, &format!("/var/lib/app{i}/state"));
        policy.rule(path);
    }
    let (_, stats) = measure("subjects beside objects", &policy.finish(HookId::FileOpen));
    assert!(stats.bytes_per_rule < 2_000, "{}", stats.bytes_per_rule);
}

#[test]
fn uids_and_ports() {
    let mut policy = Policy::default();
    for i in 0..5_000_u64 {
        let uid = policy.predicate(FieldId::Uid, Test::Ranges(vec![(i * 3, i * 3)]));
        let port = policy.predicate(FieldId::Port, Test::Ranges(vec![(i, i + 10)]));
        policy.rule(Cond::And(vec![uid, port]));
    }
    measure("uids and ports", &policy.finish(HookId::SocketConnect));
}

/// Names below any directory: every state knows them all.
#[test]
fn names_anywhere() {
    let mut policy = Policy::default();
    for i in 0..300 {
        let cond = policy.path(FieldId::Path, &format!("/**/secret{i}.key"));
        policy.rule(cond);
    }
    let (_, stats) = measure("names anywhere", &policy.finish(HookId::FileOpen));
    assert!(stats.bytes < 8 << 20, "{}", stats.bytes);
}

#[test]
fn suffixes_anywhere() {
    let mut policy = Policy::default();
    for i in 0..200 {
        let cond = policy.path(FieldId::Path, &format!("/home/*/**/*.ext{i}"));
        policy.rule(cond);
    }
    measure("suffixes anywhere", &policy.finish(HookId::FileOpen));
}

/// What is below any directory, and what names hold: each glob doubles the states. A
/// dozen is still no trouble; two dozen would be millions.
#[test]
fn globs_that_multiply_are_refused_and_named() {
    for shape in ["/**/X/**", "/**/*X*"] {
        for (count, is_refused) in [(12, false), (24, true)] {
            let mut policy = Policy::default();
            let harmless = policy.path(FieldId::Path, "/etc/shadow");
            policy.rule(harmless);
            for letter in (b'a'..).take(count) {
                let glob = shape.replace('X', &char::from(letter).to_string());
                let cond = policy.path(FieldId::Path, &glob);
                policy.rule(cond);
            }
            let ir = policy.finish(HookId::FileOpen);
            let start = Instant::now();
            let lowered = lower(&ir, &LowerOptions::default());
            eprintln!("{count} of {shape}: {:.1?}", start.elapsed());
            match lowered {
                Ok(_) => assert!(!is_refused, "{count} of {shape}"),
                Err(LowerError::GlobTooCostly { field, glob, rule }) => {
                    assert!(is_refused, "{count} of {shape}");
                    assert_eq!(field, FieldId::Path);
                    assert!(glob.starts_with("/**/"), "{glob}");
                    assert!(rule.is_some_and(|rule| rule.0 > 0), "{rule:?}");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

/// A thousand names below any directory are many edges, not too many states.
#[test]
fn a_thousand_names_anywhere() {
    let mut policy = Policy::default();
    for i in 0..1_000 {
        let cond = policy.path(FieldId::Path, &format!("/**/secret{i}.key"));
        policy.rule(cond);
    }
    let (_, stats) = measure(
        "a thousand names anywhere",
        &policy.finish(HookId::FileOpen),
    );
    assert!(stats.states < 3_000, "{}", stats.states);
}

#[test]
fn what_multiplies_is_refused_and_named() {
    let mut policy = Policy::default();
    let bystander = policy.predicate(FieldId::Uid, Test::Ranges(vec![(0, 0)]));
    policy.rule(bystander);
    let fields = FieldId::ALL.iter().filter(|field| {
        use lsmpc_abi::catalogue::{FieldType, field as info, hook};
        matches!(info(**field).ty, FieldType::Int { .. })
            && hook(HookId::FileOpen).has(**field)
            && **field != FieldId::Uid
    });
    for field in fields.copied().collect::<Vec<_>>() {
        for i in 0..8 {
            let cond = policy.predicate(field, Test::Ranges(vec![(i, i * 100 + 50)]));
            policy.rule(cond);
        }
    }
    let ir = policy.finish(HookId::FileOpen);
    let options = LowerOptions {
        limits: Limits {
            work: 1_000_000,
            ..Limits::default()
        },
        ..LowerOptions::default()
    };
    match lower(&ir, &options) {
        Err(LowerError::TooComplex { hook, rule }) => {
            assert_eq!(hook, Some(HookId::FileOpen));
            assert!(rule.is_some_and(|rule| rule.0 > 0), "{rule:?}");
        }
        other => panic!("{:?}", other.map(|image| image.stats)),
    }
}
