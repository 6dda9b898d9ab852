//! Tests with open fields: what is said about all values holds for each.

use lsmpc_compiler::event::{Answer, Event, FieldValue, Verdict};
use lsmpc_compiler::hir::{Binding, Expected, Hir, Test, TestStep};
use lsmpc_compiler::reference::evaluate;
use lsmpc_compiler::tables::Tables;
use lsmpc_compiler::testing;
use lsmpc_syntax::{FileId, Span, Spanned};
use proptest::prelude::*;

const SPAN: Span = Span::new(FileId(0), 0, 0);

/// A test that expects `verdict` of an event of which some fields are left out.
fn test(event: &Event, verdict: Expected, left_out: usize) -> Test {
    let bindings = event
        .values
        .iter()
        .enumerate()
        .filter(|(number, _)| left_out >> number & 1 == 0)
        .map(|(_, (field, value))| Binding::Field(*field, value.clone(), SPAN))
        .chain([Binding::Inherited(event.inherited.clone(), SPAN)])
        .collect();
    Test {
        name: Spanned::new(Vec::new(), SPAN),
        steps: vec![TestStep::Expect {
            verdict,
            hook: Spanned::new(event.hook, SPAN),
            bindings,
            span: SPAN,
        }],
    }
}

fn meets(verdict: Expected, answer: &Answer) -> bool {
    let allowed = answer.verdict == Verdict::Allow;
    match verdict {
        Expected::Deny(None) => answer.verdict == Verdict::Deny,
        Expected::Allow => allowed,
        Expected::Audit => allowed && answer.record,
        Expected::Quiet => allowed && !answer.record,
        other => panic!("{other:?}"),
    }
}

/// Whether tests with open fields say of this event what it comes to.
pub(crate) fn agree(hir: &Hir, tables: &Tables, event: &Event) -> Result<(), TestCaseError> {
    let known = |value: &FieldValue| matches!(value, FieldValue::Known(_));
    if !event.values.values().all(known) {
        return Ok(());
    }
    let answer = evaluate(hir, event).unwrap();
    let words = [
        Expected::Allow,
        Expected::Deny(None),
        Expected::Audit,
        Expected::Quiet,
    ];
    let ways = 1_usize << event.values.len().min(4);
    for left_out in 0..ways {
        let mut policy = hir.clone();
        policy.tests = words.map(|word| test(event, word, left_out)).to_vec();
        for (word, tested) in words.iter().zip(testing::run(&policy, tables)) {
            let met = meets(*word, &answer);
            let shown = || format!("{word:?} without {left_out:b} on {}", event.to_json_line());
            let Some(failure) = tested.failures.first() else {
                prop_assert!(met, "{} passes", shown());
                continue;
            };
            prop_assert_eq!(failure.code.as_str(), "LSMP2021", "{}", shown());
            let label = &failure.primary.as_ref().unwrap().text;
            let settled = label.starts_with("expected");
            prop_assert!(!(settled && met), "{}: {label}", shown());
            prop_assert!(settled || left_out != 0, "{}: {label}", shown());
        }
    }
    Ok(())
}
