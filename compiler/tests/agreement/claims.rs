//! What analyses claim about random policies is true of random events.

use lsmpc_abi::hook::HookId;
use lsmpc_compiler::Analysis;
use lsmpc_compiler::diagnostic::{Code, Diagnostic};
use lsmpc_compiler::event::{Answer, Event, FieldValue, Verdict};
use lsmpc_compiler::hir::{Hir, Rule};
use lsmpc_compiler::lower::{LowerOptions, lower};
use lsmpc_compiler::reference::evaluate;
use lsmpc_compiler::tables::Tables;
use lsmpc_engine::image::Image;
use proptest::prelude::*;

use crate::consistent::{consistent, known};
use crate::{run, saw, source_case};

/// A policy with everything that is said about it.
fn analysis(text: &str) -> Analysis {
    let mut analysis = crate::analysis(text);
    analysis.examine();
    analysis
}

/// What a rule that changes nothing does not change.
fn decided(answer: &Answer) -> (Verdict, Option<u16>, bool) {
    (answer.verdict, answer.errno, answer.record)
}

fn without(hir: &Hir, goes: impl Fn(&Rule) -> bool) -> Hir {
    let mut hir = hir.clone();
    for module in &mut hir.modules {
        module.rules.retain(|rule| !goes(rule));
    }
    hir
}

fn is_about(diagnostic: &Diagnostic, rule: &Rule) -> bool {
    diagnostic
        .primary
        .as_ref()
        .is_some_and(|label| label.span == rule.effect_span)
}

fn rules_are_as_claimed(text: &str, events: &[Event]) -> Result<(), TestCaseError> {
    let Analysis {
        hir, diagnostics, ..
    } = analysis(text);
    let hir = hir.ok_or_else(|| TestCaseError::fail("refused"))?;
    let said = |code: Code| {
        let of_code: Vec<&Diagnostic> = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.code == code)
            .collect();
        move |rule: &Rule| of_code.iter().any(|diagnostic| is_about(diagnostic, rule))
    };
    let redundant = without(&hir, said(Code::Redundant));
    let covered = without(&hir, said(Code::AllowCovered));
    let never = said(Code::NeverMatches);
    let dead: Vec<&str> = hir
        .modules
        .iter()
        .flat_map(|module| &module.rules)
        .filter(|rule| never(rule))
        .map(|rule| rule.id.as_str())
        .collect();
    let dead_on = |hook: HookId| {
        let rules = hir.modules.iter().flat_map(|module| &module.rules);
        let spans: Vec<_> = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.code == Code::NeverMatches)
            .filter_map(|diagnostic| Some(diagnostic.primary.as_ref()?.span))
            .collect();
        rules
            .filter(|rule| {
                let named = rule.hooks.iter().find(|named| named.node == hook);
                named.is_some_and(|named| spans.contains(&named.span))
            })
            .map(|rule| rule.id.clone())
            .collect::<Vec<_>>()
    };
    for event in events {
        let event = &consistent(event);
        let answer = evaluate(&hir, event).unwrap();
        saw(&answer);
        prop_assert_eq!(
            decided(&evaluate(&redundant, event).unwrap()),
            decided(&answer),
            "redundant on {}",
            event.to_json_line()
        );
        let event = &known(event);
        let answer = evaluate(&hir, event).unwrap();
        prop_assert_eq!(
            decided(&evaluate(&covered, event).unwrap()),
            decided(&answer),
            "covered on {}",
            event.to_json_line()
        );
        for rule in &answer.rules {
            prop_assert!(
                !dead.contains(&rule.as_str()) && !dead_on(event.hook).contains(rule),
                "{} matches on {}",
                rule,
                event.to_json_line()
            );
        }
    }
    Ok(())
}

#[test]
fn rules_that_change_nothing_change_nothing() {
    let seen = run(
        "rules that change nothing",
        20,
        source_case(),
        |text, events| rules_are_as_claimed(text, events),
        String::clone,
    );
    assert!(seen.events > 0, "{seen:?}");
}

/// The policy's text with an `assert` about its last rule's condition.
fn promise(text: &str, deny: bool) -> Option<(String, String)> {
    let is_rule = |line: &&str| line.trim_start().starts_with("@id(") && line.contains(" when ");
    let rule = text.lines().rfind(is_rule)?;
    let rule = rule.trim_start_matches(|c| c != ')').strip_prefix(") ")?;
    let rule = rule.strip_prefix("@quiet(true) ").unwrap_or(rule);
    let hooks = HookId::ALL.iter().filter_map(|hook| rule.find(hook.name()));
    let asked = rule.get(hooks.min()?..)?;
    let effect = if deny { "deny" } else { "allow" };
    let with = format!("{text}assert {effect} {asked}\n");
    Some((with, format!("@id(\"asked\") audit {asked}\n")))
}

fn promises_are_as_claimed(text: &str, deny: bool, events: &[Event]) -> Result<(), TestCaseError> {
    let Some((with, asked)) = promise(text, deny) else {
        return Ok(());
    };
    let found = analysis(&with);
    let broken: Vec<&Diagnostic> = found
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .collect();
    let plain = analysis(text);
    let (Some(hir), Some(ir)) = (plain.hir, plain.ir) else {
        return Err(TestCaseError::fail("refused"));
    };
    let asked = analysis(&asked);
    let Some(asked) = asked.hir else {
        return Err(TestCaseError::fail("the promise is refused"));
    };
    let is_asked = |event: &Event| {
        // It has no scopes.
        let mut event = event.clone();
        event.inherited.clear();
        evaluate(&asked, &event).unwrap().record
    };
    let is_broken = |answer: &Answer| (answer.verdict == Verdict::Allow) == deny;
    let mut hooks = Vec::new();
    for diagnostic in broken {
        prop_assert_eq!(diagnostic.code, Code::AssertFails, "{}", with);
        let note = diagnostic
            .notes
            .iter()
            .find_map(|note| note.strip_prefix("the event: "));
        let event = Event::from_json_line(note.unwrap()).unwrap();
        prop_assert_eq!(&known(&event), &event, "not consistent");
        prop_assert!(
            !event
                .values
                .values()
                .any(|value| *value == FieldValue::Unknown)
        );
        prop_assert!(
            is_asked(&event),
            "not asked about: {}",
            event.to_json_line()
        );
        let answer = evaluate(&hir, &event).unwrap();
        prop_assert!(is_broken(&answer), "kept: {}", event.to_json_line());
        if let Ok(lowered) = lower(&ir, &LowerOptions::default()) {
            let tables = Tables::new(Image::from_bytes(lowered.bytes).unwrap()).unwrap();
            let answer = tables.evaluate(&event).unwrap();
            prop_assert!(
                is_broken(&answer),
                "kept by tables: {}",
                event.to_json_line()
            );
        }
        hooks.push(event.hook);
    }
    for event in events {
        let event = &known(event);
        if hooks.contains(&event.hook) || !is_asked(event) {
            continue;
        }
        let answer = evaluate(&hir, event).unwrap();
        saw(&answer);
        prop_assert!(!is_broken(&answer), "broken by {}", event.to_json_line());
    }
    Ok(())
}

#[test]
fn promises_are_kept_or_broken_as_claimed() {
    let mut events = 0;
    for deny in [true, false] {
        let seen = run(
            "promises",
            50,
            source_case(),
            |text, events| promises_are_as_claimed(text, deny, events),
            String::clone,
        );
        events += seen.events;
    }
    // Most promises are broken, and then tell nothing of other events.
    assert!(events > 0, "no event of a promise that is kept");
}
