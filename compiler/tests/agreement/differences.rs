//! What is said of two random policies is true of random events.

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::Masks;
use lsmpc_compiler::analysis::diff::{
    Answered, Change, Comparison, Reaction, ScopePart, Side, Truth, compare,
};
use lsmpc_compiler::event::{Answer, Event};
use lsmpc_compiler::hir::Hir;
use lsmpc_compiler::ir::{Ir, Sticky};
use lsmpc_compiler::reference::evaluate;
use lsmpc_compiler::tables::Tables;
use lsmpc_random::{events, sources};
use proptest::prelude::*;

use crate::consistent::{consistent, known};
use crate::{analysis, compiled, naive, run, saw, see, source_case};

fn reaction(answer: &Answer) -> Reaction {
    Reaction {
        verdict: answer.verdict,
        errno: answer.errno,
        record: answer.record,
    }
}

fn inherits(policy: &Hir, name: &str) -> bool {
    let mut scopes = policy.modules.iter().filter_map(|it| it.scope.as_ref());
    scopes.any(|scope| scope.inherit && scope.name.node == name)
}

/// The event without scopes that the policy does not have.
fn asked(policy: &Hir, event: &Event) -> Event {
    let mut event = event.clone();
    event.inherited.retain(|name| inherits(policy, name));
    event
}

fn does(policy: &Hir, event: &Event) -> Reaction {
    reaction(&evaluate(policy, &asked(policy, event)).unwrap())
}

type Compiled = (Hir, Ir, Tables);

/// What is said of one side is what it does.
fn is_as_said(one: &Compiled, change: &Change, said: &Answered) -> Result<(), TestCaseError> {
    let (policy, _, tables) = one;
    let event = asked(policy, &change.event);
    let line = event.to_json_line();
    let missing: Vec<&String> = change
        .event
        .inherited
        .iter()
        .filter(|name| !event.inherited.contains(name))
        .collect();
    prop_assert_eq!(missing, said.without.iter().collect::<Vec<_>>());
    if !change.doubtful.is_empty() {
        return Ok(());
    }
    let answer = evaluate(policy, &event).unwrap();
    prop_assert_eq!(reaction(&answer), said.reaction, "on {}", line);
    prop_assert_eq!(answer.unknown, said.on_error, "on {}", line);
    let given = tables
        .evaluate(&event)
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(reaction(&given), said.reaction, "by tables on {}", line);
    for rule in &answer.rules {
        let named = said.deciders.iter().any(|decider| decider.id == *rule);
        prop_assert!(named, "{} is not named on {}", rule, line);
    }
    // The event says the same once it is written down.
    let read = Event::from_json_line(&line).unwrap();
    prop_assert_eq!(does(policy, &read), said.reaction, "read back: {}", line);
    Ok(())
}

/// When a scope begins and ends, of a subject.
fn sticks(ir: &Ir, name: &str, subject: &Event) -> Option<(Truth, Truth)> {
    let is_it = |sticky: &Sticky| match sticky {
        Sticky::Scope { scope, .. } => ir.scopes[*scope as usize] == name,
        Sticky::Ancestor { .. } => false,
    };
    let bit = 1_u64 << ir.sticky.iter().position(is_it)?;
    let Masks { when, until, .. } = naive::subject(ir, subject)?;
    let truth = |set: u64, unknown: u64| match (set & bit != 0, unknown & bit != 0) {
        (true, _) => Truth::True,
        (false, true) => Truth::Unknown,
        (false, false) => Truth::False,
    };
    let until = truth(until.set, until.unknown);
    let begins = match (truth(when.set, when.unknown), until) {
        (_, Truth::True) | (Truth::False, _) => Truth::False,
        (Truth::True, Truth::False) => Truth::True,
        _ => Truth::Unknown,
    };
    Some((begins, until))
}

fn claims_hold(
    found: &Comparison,
    both: &[Compiled; 2],
    events: &[Event],
) -> Result<(), TestCaseError> {
    let [one, other] = both;
    for change in &found.changes {
        prop_assert_ne!(change.before.reaction, change.after.reaction);
        prop_assert!(!change.kinds().is_empty());
        // What is unknown may be one thing or another.
        if change.unknown.is_empty() {
            prop_assert_eq!(&consistent(&change.event), &change.event, "not consistent");
        }
        is_as_said(one, change, &change.before)?;
        is_as_said(other, change, &change.after)?;
    }
    for change in &found.scopes {
        let of = |ir: &Ir| {
            let (begins, ends) = sticks(ir, &change.scope, &change.subject)?;
            Some(match change.part {
                ScopePart::Begins => begins,
                ScopePart::Ends => ends,
            })
        };
        let line = change.subject.to_json_line();
        prop_assert_eq!(of(&one.1), Some(change.before), "{}", &line);
        prop_assert_eq!(of(&other.1), Some(change.after), "{}", &line);
    }
    for event in events {
        let event = &consistent(event);
        let answer = evaluate(&one.0, &asked(&one.0, event)).unwrap();
        saw(&answer);
        let (before, after) = (reaction(&answer), does(&other.0, event));
        let undecided = found
            .undecided
            .iter()
            .any(|it| it.about == event.hook.name());
        if before == after || undecided {
            continue;
        }
        // `any_path` asks for both.
        let paths = [FieldId::Path, FieldId::NewPath]
            .map(|path| !catalogue::hook(event.hook).has(path) || event.values.contains_key(&path));
        let has_paths = paths == [true; 2] || paths == [false; 2];
        let is_known = has_paths && known(event) == *event;
        let is_said = found.changes.iter().any(|change| {
            change.hook == event.hook
                && (change.before.reaction, change.after.reaction) == (before, after)
                && (!is_known || change.unknown.is_empty() && change.doubtful.is_empty())
        });
        prop_assert!(
            is_said,
            "{:?} and then {:?}, not said of {}",
            before,
            after,
            event.to_json_line()
        );
    }
    Ok(())
}

fn compared(texts: &[String; 2], events: &[Event]) -> Result<(), TestCaseError> {
    let (Some(one), Some(other)) = (compiled(&texts[0])?, compiled(&texts[1])?) else {
        return Ok(());
    };
    let found = compare(Side::whole(&one.0), Side::whole(&other.0));
    if !found.undecided.is_empty() {
        see(|seen| seen.too_complex += 1);
    }
    claims_hold(&found, &[one, other], events)
}

#[test]
fn differences_are_as_claimed() {
    let cases = sources::pair().prop_flat_map(|(texts, hooks, chosen, inherited)| {
        let event = hooks
            .iter()
            .map(|hook| events::event(*hook, &chosen, &inherited));
        let event = proptest::strategy::Union::new(event.collect::<Vec<_>>());
        (Just(texts), prop::collection::vec(event, 1..80))
    });
    let seen = run("differences", 100, cases, compared, |texts| {
        texts.join("\n# and\n")
    });
    assert!(seen.events > 0, "{seen:?}");
}

/// One statement less, or one that says something else; what is no policy then is
/// left as it was.
fn changed(text: &str, at: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let at = at % lines.len().max(1);
    let line = lines.get(at).copied().unwrap_or_default();
    let swapped = [
        ("on_error deny", "on_error allow"),
        ("on_error allow", "on_error deny"),
        ("default deny", "default audit"),
        (" inherit", ""),
        ("scope s", "scope other"),
        ("@quiet(true) ", ""),
        ("kill ", "deny "),
        (" unless ", " and "),
    ];
    let mut with = swapped
        .iter()
        .filter(|(from, _)| line.contains(from))
        .map(|(from, to)| line.replacen(from, to, 1))
        .collect::<Vec<_>>();
    if !line.starts_with("scope") && line != "}" {
        with.push(String::new());
    }
    let candidates = with.into_iter().map(|new| {
        let mut lines: Vec<&str> = lines.clone();
        if let Some(slot) = lines.get_mut(at) {
            *slot = &new;
        }
        lines.join("\n")
    });
    let mut valid = candidates.filter(|text| analysis(text).hir.is_some());
    valid.next().unwrap_or_else(|| text.to_owned())
}

#[test]
fn small_differences_are_as_claimed() {
    let cases = (source_case(), 0..20_usize).prop_map(|((text, events), at)| ((text, at), events));
    let seen = run(
        "small differences",
        100,
        cases,
        |(text, at), events| compared(&[text.clone(), changed(text, *at)], events),
        |(text, at)| [text.as_str(), &changed(text, *at)].join("\n# and\n"),
    );
    assert!(seen.events > 0, "{seen:?}");
}

/// The same statements from the last to the first.
fn reversed(text: &str) -> String {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    let mut scope = false;
    for line in text.lines() {
        if scope {
            blocks.last_mut().unwrap().push(line);
        } else {
            blocks.push(vec![line]);
        }
        scope = (scope || line.starts_with("scope")) && line != "}";
    }
    for block in &mut blocks {
        let last = block.len().saturating_sub(1);
        block.get_mut(1..last).unwrap_or_default().reverse();
    }
    blocks.reverse();
    blocks.concat().join("\n")
}

/// The conditions of rules named by `let`.
fn named(text: &str) -> String {
    let mut lets = String::new();
    let mut rest = String::new();
    for (number, line) in text.lines().enumerate() {
        let is_rule = line.trim_start().starts_with("@id(");
        match line.split_once(" when ").filter(|_| is_rule) {
            Some((head, conds)) => {
                let (when, unless) = match conds.split_once(" unless ") {
                    Some((when, unless)) => (when, format!(" unless {unless}")),
                    None => (conds, String::new()),
                };
                lets.push_str(&format!("let c{number} = {when}\n"));
                rest.push_str(&format!("{head} when c{number}{unless}\n"));
            }
            None => {
                rest.push_str(line);
                rest.push('\n');
            }
        }
    }
    lets + &rest
}

#[test]
fn what_says_the_same_is_equivalent() {
    let seen = run(
        "equivalent policies",
        100,
        source_case(),
        |text, events| {
            let policy = |text: &str| {
                let errors = || TestCaseError::fail(format!("refused: {text}"));
                analysis(text).hir.ok_or_else(errors)
            };
            let plain = policy(text)?;
            for event in events {
                saw(&evaluate(&plain, event).unwrap());
            }
            let same = compare(Side::whole(&plain), Side::whole(&plain));
            // Not even a question: what is written alike needs no diagram.
            prop_assert!(same.is_equivalent(), "{same:?}");
            for other in [reversed(text), named(text), named(&reversed(text))] {
                let found = compare(Side::whole(&plain), Side::whole(&policy(&other)?));
                if !found.undecided.is_empty() {
                    see(|seen| seen.too_complex += 1);
                }
                prop_assert!(
                    found.changes.is_empty() && found.scopes.is_empty(),
                    "{:?} in\n{}",
                    found,
                    other
                );
            }
            Ok(())
        },
        String::clone,
    );
    assert!(seen.events > 0, "{seen:?}");
}
