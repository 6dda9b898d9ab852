//! What is said about an expectation that is not met.
//!
//! Owns the words, and the choice of what to show: the rules that decided, and of
//! those that would have made a difference the ones that came nearest.

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;
use lsmpc_syntax::Span;

use super::Expectation;
use super::open::{Outcome, Swing};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::event::{Answer, Event, FieldValue, Verdict};
use crate::explain::{Explanation, Judged, JudgedModule, JudgedRule, Truth, explain};
use crate::hir::{DefaultEffect, Effect, Expected, Hir};

/// How many rules that decided are shown, and how many that did not match.
const MAX_SHOWN: usize = 3;

/// The two evaluators disagree, or one gave up.
pub(super) fn internal(expectation: &Expectation<'_>, what: &str) -> Diagnostic {
    Diagnostic::new(
        Code::Internal,
        format!(
            "the policy and its tables disagree in test {:?}",
            expectation.test
        ),
        expectation.span,
        "the compiler is wrong about this event",
    )
    .note(what)
    .note(event(&expectation.event))
    .help("please report it, with the policy if you can")
}

/// Something else came out.
pub(super) fn missed(
    expectation: &Expectation<'_>,
    policy: &Hir,
    shown: &Event,
    answer: &Answer,
) -> Diagnostic {
    let mut diagnostic = failing(
        expectation,
        format!(
            "expected {}, but it is {}",
            words(expectation.expected),
            answer.describe()
        ),
    );
    if let Ok(explanation) = explain(policy, shown) {
        for (span, text) in decided(&explanation) {
            diagnostic = diagnostic.also(span, text);
        }
        for (span, text) in near_misses(expectation.expected, &explanation) {
            diagnostic = diagnostic.also(span, text);
        }
        if explanation.modules.is_empty() && explanation.exempted().is_none() {
            let hook = shown.hook.name();
            diagnostic = diagnostic.note(format!("no statement of the policy is about `{hook}`"));
        }
    }
    diagnostic
        .note(event(shown))
        .help("change the rules if they should have done otherwise, else what the test expects")
}

/// What comes out depends on fields that are open.
pub(super) fn depends(expectation: &Expectation<'_>, swings: &[Swing]) -> Diagnostic {
    let fields: Vec<FieldId> = swings.iter().map(|swing| swing.field).collect();
    let names = names(&fields);
    let mut diagnostic = failing(
        expectation,
        format!("it depends on {names}, which the test leaves open"),
    );
    for swing in swings {
        diagnostic = diagnostic.note(format!(
            "{}; {}",
            ways(swing.field, &swing.met),
            ways(swing.field, &swing.missed)
        ));
    }
    diagnostic
        .note(event(&expectation.event))
        .help(bind(&fields))
}

/// What comes out was not found out.
pub(super) fn too_many(expectation: &Expectation<'_>, fields: &[FieldId]) -> Diagnostic {
    failing(
        expectation,
        format!(
            "{} may matter, and there are too many ways to try them all",
            names(fields)
        ),
    )
    .help(bind(fields))
}

fn failing(expectation: &Expectation<'_>, label: String) -> Diagnostic {
    Diagnostic::new(
        Code::FailingTest,
        format!("test {:?} fails", expectation.test),
        expectation.span,
        label,
    )
}

fn names(fields: &[FieldId]) -> String {
    let names: Vec<String> = fields
        .iter()
        .map(|field| format!("`{}`", field.name()))
        .collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

fn bind(fields: &[FieldId]) -> String {
    format!("bind {} in the `expect` or in a `given`", names(fields))
}

fn ways(field: FieldId, outcome: &Outcome) -> String {
    let what = outcome.answer.describe();
    let name = field.name();
    match outcome.value {
        FieldValue::Unknown => format!("with another `{name}` it is {what}"),
        FieldValue::None => format!("where `{name}` does not apply it is {what}"),
        ref value => {
            let value = Event::new(lsmpc_abi::hook::HookId::FileOpen)
                .with(field, value.clone())
                .describe(field);
            format!("with {name} = {value} it is {what}")
        }
    }
}

fn event(event: &Event) -> String {
    format!("the event: {}", event.to_json_line())
}

fn words(expected: Expected) -> String {
    match expected {
        Expected::Deny(None) => "`deny`".to_owned(),
        Expected::Deny(Some(errno)) => {
            let name =
                catalogue::errno_name(errno).map_or_else(|| errno.to_string(), str::to_owned);
            format!("`deny with {name}`")
        }
        Expected::Allow => "`allow`".to_owned(),
        Expected::Kill => "`kill`".to_owned(),
        Expected::Audit => "`audit`".to_owned(),
        Expected::Quiet => "`quiet`".to_owned(),
    }
}

/// What made the answer what it is.
fn decided(explanation: &Explanation<'_>) -> Vec<(Span, String)> {
    if let Some(exempt) = explanation.exempted() {
        return vec![(exempt.cond.span, format!("exempt: {}", exempt.why()))];
    }
    let answer = &explanation.answer;
    let mut found = Vec::new();
    for module in &explanation.modules {
        let said = &module.answer;
        if let Some(doubt) = &module.doubt {
            // Only an event with a value that no test can give gets here.
            found.extend(
                doubt
                    .statement
                    .map(|statement| (statement.span, "decides what is not known".to_owned())),
            );
        }
        for rule in module.rules.iter().filter(|rule| rule.effective) {
            let text = match rule.rule.effect {
                Effect::Kill => "this rule kills",
                Effect::Deny(_) if said.verdict <= Verdict::Deny => "this rule denies",
                Effect::Audit if answer.verdict == Verdict::Allow => "this rule records",
                Effect::Allow if answer.verdict == Verdict::Allow => "this rule allows",
                _ => continue,
            };
            found.push((rule.rule.effect_span, text.to_owned()));
        }
        if let (true, Some(default)) = (module.by_default, module.default) {
            let text = match default.effect {
                DefaultEffect::Deny => "denied by this default",
                DefaultEffect::Audit => "recorded by this default",
                DefaultEffect::Allow => continue,
            };
            found.push((default.span, text.to_owned()));
        }
    }
    found.truncate(MAX_SHOWN);
    found
}

/// Rules that would have made a difference and did not match, the nearest first:
/// at the part of the condition that kept each from it.
fn near_misses(expected: Expected, explanation: &Explanation<'_>) -> Vec<(Span, String)> {
    let mut found: Vec<(usize, Span, String)> = Vec::new();
    for module in &explanation.modules {
        for rule in &module.rules {
            if rule.truth != Truth::True && would_help(expected, module, rule) {
                let far = scope_distance(module).saturating_add(rule.distance());
                let (span, text) = obstacle(module, rule);
                found.push((far, span, text));
            } else if stands_in_the_way(expected, rule)
                && let Some(unless) = &rule.unless
            {
                let reason = unless.reason();
                let text = format!("this exception does not hold: {}", why(reason));
                found.push((unless.distance(true), reason.cond.span, text));
            }
        }
    }
    found.sort_by_key(|(far, ..)| *far);
    found.truncate(MAX_SHOWN);
    found
        .into_iter()
        .map(|(_, span, text)| (span, text))
        .collect()
}

/// Whether a rule, did it match, would bring the answer nearer to what is expected.
fn would_help(expected: Expected, module: &JudgedModule<'_>, rule: &JudgedRule<'_>) -> bool {
    match (expected, rule.rule.effect) {
        (Expected::Deny(None), Effect::Deny(_)) | (Expected::Kill, Effect::Kill) => true,
        (Expected::Deny(Some(wanted)), Effect::Deny(errno)) => errno == wanted,
        (Expected::Audit, Effect::Audit) => true,
        (Expected::Allow | Expected::Audit | Expected::Quiet, Effect::Allow) => module.by_default,
        _ => false,
    }
}

/// Whether a rule matched that should not have.
fn stands_in_the_way(expected: Expected, rule: &JudgedRule<'_>) -> bool {
    rule.effective
        && match (expected, rule.rule.effect) {
            (Expected::Allow | Expected::Audit, Effect::Deny(_) | Effect::Kill) => true,
            (Expected::Quiet, effect) => effect != Effect::Allow,
            (Expected::Deny(_), Effect::Kill) => true,
            (Expected::Deny(Some(wanted)), Effect::Deny(errno)) => errno != wanted,
            _ => false,
        }
}

fn scope_distance(module: &JudgedModule<'_>) -> usize {
    match &module.reason {
        crate::explain::Reason::Conditions { when, until } => {
            let until = until.as_ref().map_or(0, |until| until.distance(false));
            when.distance(true).saturating_add(until)
        }
        _ => 0,
    }
}

/// Where a rule's match failed, and why.
fn obstacle(module: &JudgedModule<'_>, rule: &JudgedRule<'_>) -> (Span, String) {
    if let Some(part) = rule.obstacle() {
        let of_unless = rule
            .unless
            .as_ref()
            .is_some_and(|unless| unless.truth != Truth::False && within(unless, part));
        let text = if of_unless {
            format!("not matched, because this holds: {}", why(part))
        } else {
            format!("not matched: {}", why(part))
        };
        return (part.cond.span, text);
    }
    // The scope kept it.
    if let crate::explain::Reason::Conditions { when, .. } = &module.reason
        && when.truth != Truth::True
    {
        let part = when.reason();
        return (
            part.cond.span,
            format!("the scope does not hold: {}", why(part)),
        );
    }
    (
        rule.rule.effect_span,
        "not matched: its scope does not hold".to_owned(),
    )
}

fn within(outer: &Judged<'_>, part: &Judged<'_>) -> bool {
    std::ptr::eq(outer, part) || outer.parts.iter().any(|inner| within(inner, part))
}

fn why(part: &Judged<'_>) -> String {
    let why = part.why();
    if why.is_empty() {
        format!("this is {}", part.truth.as_str())
    } else {
        why
    }
}
