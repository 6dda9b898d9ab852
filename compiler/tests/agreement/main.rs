//! Tables say what the language says: random policies and events, the engine over
//! the image against plain evaluation.
//!
//! `LSMPC_EVENTS` sets how many events; `LSMPC_SEED` repeats a run.

#![allow(clippy::panic, reason = "tests")]

mod events;
mod naive;
mod policies;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::OUTCOME_UNKNOWN;
use lsmpc_compiler::event::Event;
use lsmpc_compiler::ir::Ir;
use lsmpc_compiler::lower::{LowerError, LowerOptions, lower};
use lsmpc_compiler::tables::Tables;
use lsmpc_engine::image::Image;
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
        max_shrink_iters: 5_000,
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
                .map(|hook| events::event(hook.hook, &asked))
                .collect::<Vec<_>>(),
        );
        (
            Just(ir),
            prop::collection::vec(event, 1..2 * EVENTS_PER_POLICY),
        )
    })
}

fn agree(ir: &Ir, events: &[Event]) -> Result<(), TestCaseError> {
    let lowered = match lower(ir, &LowerOptions::default()) {
        Ok(lowered) => lowered,
        Err(LowerError::GlobTooCostly { .. } | LowerError::TooComplex { .. }) => return Ok(()),
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    };
    let again = lower(ir, &LowerOptions::default()).unwrap();
    prop_assert!(lowered.bytes == again.bytes, "not deterministic");
    let image =
        Image::from_bytes(lowered.bytes).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let tables = Tables::new(image).map_err(|error| TestCaseError::fail(error.to_string()))?;
    for event in events {
        let (wanted, mattered) = naive::evaluate(ir, event);
        let (number, given) = tables
            .evaluate_numbered(event)
            .map_err(|error| TestCaseError::fail(format!("{error} on {event:?}")))?;
        prop_assert_eq!(&given, &wanted, "on {:?}", event);
        let flags = tables.image().outcome(number).unwrap().flags;
        prop_assert_eq!(flags & OUTCOME_UNKNOWN != 0, mattered, "on {:?}", event);
    }
    Ok(())
}

#[test]
fn tables_agree_with_the_intermediate_form() {
    let wanted = number("LSMPC_EVENTS").unwrap_or(20_000);
    let policies = wanted.div_ceil(EVENTS_PER_POLICY as u64);
    let mut runner = runner(u32::try_from(policies).unwrap());
    match runner.run(&case(), |(ir, events)| agree(&ir, &events)) {
        Ok(()) => {}
        Err(TestError::Fail(reason, (ir, events))) => {
            let failing: Vec<&Event> = events
                .iter()
                .filter(|event| agree(&ir, std::slice::from_ref(event)).is_err())
                .take(1)
                .collect();
            panic!("{reason}\n{ir:#?}\n{failing:#?}");
        }
        Err(error) => panic!("{error}"),
    }
}
