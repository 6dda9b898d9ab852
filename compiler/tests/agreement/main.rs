//! Tables say what the language says: random policies and events, the engine over
//! the image against plain evaluation.
//!
//! `LSMPC_EVENTS` sets how many events, `LSMPC_POLICIES` how many policies are laid
//! out anew; with `LSMPC_UNKNOWN=1` every event has a field that is unknown;
//! `LSMPC_SEED` repeats a run, `LSMPC_SHRINK` sets how hard a failure is made small;
//! with `LSMPC_KERNEL=1`, as root, the kernel evaluates every event, too. The long run:
//! `LSMPC_EVENTS=10000000 LSMPC_KERNEL=1 cargo test -p lsmpc-compiler --release --test
//! agreement`.

#![allow(clippy::panic, reason = "tests")]

mod claims;
mod consistent;
mod differences;
#[path = "../support/kernel.rs"]
mod kernel;
mod limits;
mod naive;
mod open;

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::OUTCOME_UNKNOWN;
use lsmpc_compiler::event::{Answer, Event, FieldValue, Verdict};
use lsmpc_compiler::format::format;
use lsmpc_compiler::hir::Hir;
use lsmpc_compiler::ir::Ir;
use lsmpc_compiler::lower::{LowerError, LowerOptions, lower};
use lsmpc_compiler::reference::evaluate;
use lsmpc_compiler::source::MemoryReader;
use lsmpc_compiler::tables::Tables;
use lsmpc_compiler::{Analysis, Options, analyse};
use lsmpc_engine::image::Image;
use lsmpc_random::collisions::Components;
use lsmpc_random::near::Asked;
use lsmpc_random::{Choices, events, policies, sources};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

/// Events for each policy, on average.
const EVENTS_PER_POLICY: usize = 40;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A runner whose seed is printed.
fn runner(cases: u32) -> TestRunner {
    let seed = number("LSMPC_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap();
        since.as_nanos() as u64
    });
    eprintln!("LSMPC_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: number("LSMPC_SHRINK").map_or(5_000, |most| most as u32),
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

fn asked(ir: &Ir) -> Vec<FieldId> {
    ir.predicates
        .iter()
        .map(|predicate| predicate.field)
        .collect()
}

fn case() -> impl Strategy<Value = (Ir, Vec<Event>)> {
    policies::policy().prop_flat_map(|ir| {
        let asked = asked(&ir);
        let event = proptest::strategy::Union::new(
            ir.hooks
                .iter()
                .map(|hook| events::event(hook.hook, &asked, &[]))
                .collect::<Vec<_>>(),
        );
        (
            Just(ir),
            prop::collection::vec(event, 1..2 * EVENTS_PER_POLICY),
        )
    })
}

/// As many events again, close to what the policy asks, and with names that collide with
/// those in its tables. The same for the same policy.
fn nearby(ir: &Ir, tables: &Tables, seed: &str, count: usize) -> Vec<Event> {
    let asked = Asked::by(ir);
    if !asked.has_hooks() {
        return Vec::new();
    }
    let components = Components::of(tables.image());
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    let mut choices = Choices::seeded(hasher.finish());
    let mut one = || {
        let mut event = asked.event(&mut choices);
        if !components.is_empty() && choices.once_in(4) {
            let twins = components.put_twins(&mut event, &mut choices);
            see(|seen| seen.collisions += twins as u64);
        }
        event
    };
    (0..count).map(|_| one()).collect()
}

fn agree(ir: &Ir, events: &[Event]) -> Result<(), TestCaseError> {
    let lowered = match lower(ir, &LowerOptions::default()) {
        Ok(lowered) => lowered,
        Err(LowerError::GlobTooCostly { .. } | LowerError::TooComplex { .. }) => {
            see(|seen| seen.too_complex += 1);
            return Ok(());
        }
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    };
    let again = lower(ir, &LowerOptions::default()).unwrap();
    prop_assert!(lowered.bytes == again.bytes, "not deterministic");
    kernel::set_image(&lowered.bytes);
    let image =
        Image::from_bytes(lowered.bytes).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let tables = Tables::new(image).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let near = nearby(ir, &tables, &format!("{ir:?}"), events.len());
    for event in events.iter().chain(&near) {
        let (wanted, mattered) = naive::evaluate(ir, event);
        saw(&wanted);
        let (number, given) = tables
            .evaluate_numbered(event)
            .map_err(|error| TestCaseError::fail(format!("{error} on {event:?}")))?;
        prop_assert_eq!(&given, &wanted, "on {:?}", event);
        in_the_kernel(&tables, event, number)?;
        let flags = tables.image().outcome(number).unwrap().flags;
        prop_assert_eq!(flags & OUTCOME_UNKNOWN != 0, mattered, "on {:?}", event);
    }
    Ok(())
}

/// The kernel comes to the same outcome, where it is asked.
fn in_the_kernel(tables: &Tables, event: &Event, number: u32) -> Result<(), TestCaseError> {
    let values = tables
        .values(event)
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    if let Some(given) = kernel::evaluate(event.hook as u16, &values) {
        see(|seen| seen.in_kernel += 1);
        prop_assert_eq!(given, Ok(number), "in the kernel, on {:?}", event);
    }
    Ok(())
}

/// What a run has seen: that it was about something.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    events: u64,
    kills: u64,
    denials: u64,
    records: u64,
    unknown: u64,
    too_complex: u64,
    in_kernel: u64,
    /// Names of the hash of others.
    collisions: u64,
}

impl Seen {
    /// Every kind of answer was among them; a short run may miss some.
    fn is_varied(&self) -> bool {
        self.events < 1000
            || self.kills > 0 && self.denials > 0 && self.records > 0 && self.unknown > 0
    }
}

thread_local! {
    static SEEN: Cell<Seen> = Cell::default();
}

fn see(change: impl FnOnce(&mut Seen)) {
    SEEN.with(|seen| {
        let mut now = seen.get();
        change(&mut now);
        seen.set(now);
    });
}

fn saw(answer: &Answer) {
    see(|seen| {
        seen.events += 1;
        seen.kills += u64::from(answer.verdict == Verdict::Kill);
        seen.denials += u64::from(answer.verdict == Verdict::Deny);
        seen.records += u64::from(answer.record);
        seen.unknown += u64::from(answer.unknown);
    });
}

/// Makes one field unknown in every event that knows all of its.
fn forget(events: &mut [Event]) {
    for (number, event) in events.iter_mut().enumerate() {
        let known = |value: &FieldValue| *value != FieldValue::Unknown;
        let count = event.values.len().max(1);
        if event.values.values().all(known)
            && let Some(value) = event.values.values_mut().nth(number % count)
        {
            *value = FieldValue::Unknown;
        }
    }
}

fn run<T: Clone + std::fmt::Debug>(
    name: &str,
    share: u64,
    cases: impl Strategy<Value = (T, Vec<Event>)>,
    agree: impl Fn(&T, &[Event]) -> Result<(), TestCaseError>,
    show: impl Fn(&T) -> String,
) -> Seen {
    let wanted = number("LSMPC_EVENTS").unwrap_or(100_000) / share;
    // A little more than wanted, as the number for each policy is random.
    let policies = wanted.div_ceil(EVENTS_PER_POLICY as u64 - 1);
    let forgetful = number("LSMPC_UNKNOWN").is_some_and(|unknown| unknown != 0);
    let cases = cases.prop_map(move |(policy, mut events)| {
        if forgetful {
            forget(&mut events);
        }
        (policy, events)
    });
    SEEN.with(|seen| seen.set(Seen::default()));
    let mut runner = runner(u32::try_from(policies).unwrap());
    match runner.run(&cases, |(policy, events)| agree(&policy, &events)) {
        Ok(()) => {}
        Err(TestError::Fail(reason, (policy, events))) => {
            let failing = events
                .iter()
                .find(|event| agree(&policy, std::slice::from_ref(event)).is_err());
            let failing = failing.map(Event::to_json_line);
            panic!("{reason}\n{}\n{failing:?}", show(&policy));
        }
        Err(error) => panic!("{error}"),
    }
    let seen = SEEN.with(Cell::get);
    eprintln!("{name}: {policies} policies, {seen:?}");
    assert!(seen.too_complex <= policies / 10);
    seen
}

#[test]
fn tables_agree_with_the_intermediate_form() {
    let show = |ir: &Ir| format!("{ir:#?}");
    // Half of the events are made by `nearby`.
    let seen = run("intermediate form", 2, case(), agree, show);
    assert!(seen.is_varied(), "{seen:?}");
    assert!(seen.collisions > 0 || seen.events < 1000, "{seen:?}");
}

fn analysis(text: &str) -> Analysis {
    let reader = MemoryReader::default().file("/p.lsmp", text.as_bytes());
    analyse(&["/p.lsmp".into()], &reader, &Options::default())
}

fn source_case() -> impl Strategy<Value = (String, Vec<Event>)> {
    sources::policy().prop_flat_map(|(text, hooks, chosen, inherited)| {
        let event = proptest::strategy::Union::new(
            hooks
                .iter()
                .map(|hook| events::event(*hook, &chosen, &inherited))
                .collect::<Vec<_>>(),
        );
        (
            Just(text),
            prop::collection::vec(event, 1..2 * EVENTS_PER_POLICY),
        )
    })
}

/// A policy in all its forms; `None` if its tables would be too large.
fn compiled(text: &str) -> Result<Option<(Hir, Ir, Tables)>, TestCaseError> {
    let analysis = analysis(text);
    let errors: Vec<String> = analysis
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .map(|diagnostic| format!("{}: {}", diagnostic.code.as_str(), diagnostic.message))
        .collect();
    let (Some(hir), Some(ir)) = (analysis.hir, analysis.ir) else {
        return Err(TestCaseError::fail(errors.join("\n")));
    };
    let lowered = match lower(&ir, &LowerOptions::default()) {
        Ok(lowered) => lowered,
        Err(LowerError::GlobTooCostly { .. } | LowerError::TooComplex { .. }) => {
            see(|seen| seen.too_complex += 1);
            return Ok(None);
        }
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    };
    kernel::set_image(&lowered.bytes);
    let image =
        Image::from_bytes(lowered.bytes).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let tables = Tables::new(image).map_err(|error| TestCaseError::fail(error.to_string()))?;
    Ok(Some((hir, ir, tables)))
}

fn agree_with_reference(text: &str, events: &[Event]) -> Result<(), TestCaseError> {
    let Some((hir, ir, tables)) = compiled(text)? else {
        return Ok(());
    };
    let near = nearby(&ir, &tables, text, events.len());
    for event in events.iter().chain(&near) {
        let wanted = evaluate(&hir, event).unwrap();
        saw(&wanted);
        let (number, given) = tables
            .evaluate_numbered(event)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&given, &wanted, "on {}", event.to_json_line());
        in_the_kernel(&tables, event, number)?;
        let given = tables
            .subject(event)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let wanted = naive::subject(&ir, event);
        prop_assert_eq!(given, wanted, "subject of {}", event.to_json_line());
        let classes = tables
            .by_directory(event)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        if let Some([whole, by_directory, by_descent]) = classes {
            prop_assert_eq!(whole, by_directory, "path of {}", event.to_json_line());
            prop_assert_eq!(whole, by_descent, "path of {}", event.to_json_line());
        }
    }
    Ok(())
}

#[test]
fn tables_agree_with_the_reference() {
    let seen = run(
        "reference",
        2,
        source_case(),
        |text, events| agree_with_reference(text, events),
        String::clone,
    );
    assert!(seen.is_varied(), "{seen:?}");
}

#[test]
fn what_tests_say_of_open_fields_holds() {
    let seen = run(
        "open fields",
        400,
        source_case(),
        |text, events| {
            let Some((hir, _, tables)) = compiled(text)? else {
                return Ok(());
            };
            for event in events {
                saw(&evaluate(&hir, event).unwrap());
                // What is open stands for values that there are.
                open::agree(&hir, &tables, &consistent::known(event))?;
            }
            Ok(())
        },
        String::clone,
    );
    assert!(seen.is_varied(), "{seen:?}");
}

/// The intermediate form, which tables are made of; without the places of rules,
/// which a layout changes.
fn meaning(text: &str) -> Ir {
    let mut ir = analysis(text).ir.unwrap();
    for rule in &mut ir.rules {
        (rule.line, rule.column) = (0, 0);
    }
    ir
}

#[test]
fn layout_changes_no_table() {
    let policies = number("LSMPC_POLICIES").unwrap_or(10_000);
    let lowered = Cell::new(0_u32);
    runner(u32::try_from(policies).unwrap())
        .run(&sources::policy(), |(text, ..)| {
            let formatted = |text: &str| {
                let formatted = format(Path::new("p.lsmp"), text.into());
                formatted
                    .text
                    .ok_or_else(|| TestCaseError::fail("not formatted"))
            };
            let new = formatted(&text)?;
            prop_assert_eq!(&formatted(&new)?, &new);
            let (before, after) = (meaning(&text), meaning(&new));
            prop_assert_eq!(format!("{before:?}"), format!("{after:?}"));
            // Lowering is the same for the same form: a sample is enough.
            lowered.set(lowered.get() + 1);
            if lowered.get().is_multiple_of(100) {
                let tables = |ir| lower(ir, &LowerOptions::default()).ok().map(|it| it.bytes);
                prop_assert!(tables(&before) == tables(&after));
            }
            Ok(())
        })
        .unwrap();
}
