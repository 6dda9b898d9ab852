//! Tables that are as large as they can be say what the language says, too.

use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::MAX_BOUNDARIES;
use lsmpc_compiler::event::{Event, FieldValue, Value};
use lsmpc_compiler::ir::{Predicate, Test};
use lsmpc_random::limits;

use crate::{agree, agree_with_reference, analysis};

/// Each stands for an event that is made near to the policy.
const EVENTS: usize = 200;

fn blank(text: &str) -> Vec<Event> {
    let ir = analysis(text).ir.unwrap();
    vec![Event::new(ir.hooks[0].hook); EVENTS]
}

#[test]
fn images_at_their_limits_agree() {
    for text in limits::policies() {
        agree_with_reference(&text, &blank(&text))
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
}

#[test]
fn as_many_boundaries_as_there_can_be_agree() {
    let text = "deny file_open when uid == 1";
    let mut ir = analysis(text).ir.unwrap();
    // Each number has two boundaries, zero has one.
    let most = u64::from(MAX_BOUNDARIES).div_ceil(2);
    let numbers = (0..most).map(|number| (number * 2, number * 2));
    ir.predicates = vec![Predicate {
        field: FieldId::Uid,
        test: Test::Ranges(numbers.collect()),
    }];
    let values = [
        0,
        1,
        2,
        3,
        most,
        most + 1,
        2 * most - 2,
        2 * most - 1,
        2 * most,
        u64::MAX,
    ];
    let event = |value| {
        Event::new(ir.hooks[0].hook).with(FieldId::Uid, FieldValue::Known(Value::Int(value)))
    };
    let events: Vec<Event> = values.map(event).to_vec();
    agree(&ir, &events).unwrap();
}
