//! What one policy does with the event of a change, and why.
//!
//! Owns checking it against the reference evaluator, the statements that decide, and
//! what the event has to leave out for this policy. It must not know the other one.

use std::collections::BTreeSet;

use lsmpc_abi::field::FieldId;
use lsmpc_syntax::Span;

use super::{Answered, Decider, Reaction, Side};
use crate::event::{Event, FieldValue, Value};
use crate::hir::Hir;
use crate::reference::{self, Truth};

/// The fields that are unknown in an event.
pub(super) fn unknown(event: &Event) -> Vec<FieldId> {
    let is_unknown = |value: &FieldValue| match value {
        FieldValue::Unknown => true,
        FieldValue::Known(Value::List(list)) => list.contains(&None),
        _ => false,
    };
    let values = event.values.iter();
    values
        .filter(|(_, value)| is_unknown(value))
        .map(|(field, _)| *field)
        .collect()
}

/// What a policy does with an event, which it is known to do.
pub(super) fn answered(
    side: &Side<'_>,
    event: &Event,
    reaction: Reaction,
    doubtful: &[String],
) -> Result<Answered, String> {
    let inherits = |name: &str| {
        let scopes = side
            .policy
            .modules
            .iter()
            .filter_map(|it| it.scope.as_ref());
        scopes
            .into_iter()
            .any(|scope| scope.inherit && scope.name.node == name)
    };
    let (kept, without): (Vec<String>, Vec<String>) = event
        .inherited
        .iter()
        .cloned()
        .partition(|name| inherits(name));
    let mut answered = Answered {
        reaction,
        on_error: false,
        deciders: Vec::new(),
        without,
    };
    if side.left_out.contains(&event.hook) || !doubtful.is_empty() {
        return Ok(answered);
    }
    let event = Event {
        inherited: kept,
        ..event.clone()
    };
    let answer = reference::evaluate(side.policy, &event).map_err(|error| error.to_string())?;
    if (answer.verdict, answer.errno, answer.record)
        != (reaction.verdict, reaction.errno, reaction.record)
    {
        // Two ways to evaluate a policy must not disagree.
        let json = event.to_json_line();
        return Err(format!(
            "two evaluators answer an event differently: please report it: {json}"
        ));
    }
    answered.on_error = answer.unknown;
    answered.deciders = deciders(side.policy, &event, &answer.rules);
    Ok(answered)
}

/// The statements that took effect on an event, in source order.
fn deciders(policy: &Hir, event: &Event, ids: &[String]) -> Vec<Decider> {
    let mut found = Vec::new();
    let mut add = |id: &str, span: Span| {
        found.push(Decider {
            id: id.to_owned(),
            span,
        });
    };
    let exempts = policy.exempts.iter();
    for exempt in exempts.filter(|exempt| reference::truth(exempt, event) == Truth::True) {
        add("exempt", exempt.span);
    }
    let ids: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    for module in &policy.modules {
        for rule in &module.rules {
            if rule.is_about(event.hook) && ids.contains(rule.id.as_str()) {
                add(&rule.id, rule.effect_span);
            }
        }
        if let Some(default) = module.default_for(event.hook) {
            let id = format!("default:{}", module.name());
            if ids.contains(id.as_str()) {
                add(&id, default.span);
            }
        }
    }
    found.sort_by_key(|decider| (decider.span.file, decider.span.start));
    found
}
