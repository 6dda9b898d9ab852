//! The intermediate form, evaluated sentence by sentence (LANGUAGE §5 and §8).
//!
//! Shares nothing with lowering, nor with the evaluator over the typed form.

use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::{Bits, Masks};
use lsmpc_compiler::event::{Answer, Event, FieldValue, Value, Verdict};
use lsmpc_compiler::glob::{Glob, Piece};
use lsmpc_compiler::ir::{
    Cond, DefaultIr, EffectIr, Ir, ModuleIr, OnErrorIr, RuleId, Sticky, Test,
};

/// `None` is unknown.
type Truth = Option<bool>;

fn not(a: Truth) -> Truth {
    a.map(|a| !a)
}

fn and(a: Truth, b: Truth) -> Truth {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn all(parts: impl Iterator<Item = Truth>) -> Truth {
    let mut truth = Some(true);
    for part in parts {
        truth = and(truth, part);
    }
    truth
}

fn cond(ir: &Ir, cond_: &Cond, event: &Event) -> Truth {
    match cond_ {
        Cond::Const(value) => Some(*value),
        Cond::Test(id) => {
            let predicate = &ir.predicates[id.0 as usize];
            match predicate.test {
                Test::Sticky(bit) => sticks(ir, &ir.sticky[bit as usize], event),
                ref asked => test(asked, predicate.field, event),
            }
        }
        Cond::Not(inner) => not(cond(ir, inner, event)),
        Cond::And(parts) => all(parts.iter().map(|part| cond(ir, part, event))),
        Cond::Or(parts) => not(all(parts.iter().map(|part| not(cond(ir, part, event))))),
    }
}

/// Whether something sticks to the event's subject.
fn sticks(ir: &Ir, sticky: &Sticky, event: &Event) -> Truth {
    match sticky {
        Sticky::Scope { scope, .. } => Some(event.inherited.contains(&ir.scopes[*scope as usize])),
        Sticky::Ancestor { program } => {
            let asked = &ir.predicates[program.0 as usize].test;
            let Test::Globs(globs) = asked else {
                panic!("{asked:?}");
            };
            match event.get(FieldId::AncestorExe) {
                FieldValue::None => Some(false),
                FieldValue::Known(Value::List(list)) => not(all(list.iter().map(|one| {
                    let path = one.as_ref()?;
                    Some(!globs.iter().any(|glob| glob_is(glob, path)))
                }))),
                _ => None,
            }
        }
    }
}

/// What the subject's diagram has to say, if there is one.
pub(crate) fn subject(ir: &Ir, event: &Event) -> Option<Masks> {
    if ir.sticky.is_empty() {
        return None;
    }
    let mut masks = Masks::default();
    let put = |bits: &mut Bits, bit: usize, truth: Truth| match truth {
        Some(true) => bits.set |= 1 << bit,
        Some(false) => {}
        None => bits.unknown |= 1 << bit,
    };
    for (bit, sticky) in ir.sticky.iter().enumerate() {
        match sticky {
            Sticky::Scope { when, until, .. } => {
                let ended = cond(ir, until, event);
                put(&mut masks.until, bit, ended);
                // Does not matter where the scope ends for certain.
                if ended != Some(true) {
                    put(&mut masks.when, bit, cond(ir, when, event));
                }
            }
            Sticky::Ancestor { program } => {
                let passes = cond(ir, &Cond::Test(*program), event);
                put(&mut masks.program, bit, passes);
            }
        }
    }
    Some(masks)
}

fn test(test: &Test, field: FieldId, event: &Event) -> Truth {
    let value = match event.get(field) {
        FieldValue::None => return Some(false),
        FieldValue::Unknown => return None,
        FieldValue::Known(value) => value,
    };
    Some(match (test, value) {
        (Test::Globs(globs), Value::Bytes(bytes)) => globs.iter().any(|glob| glob_is(glob, bytes)),
        (Test::Ranges(ranges), Value::Int(int)) => {
            ranges.iter().any(|(low, high)| (low..=high).contains(&int))
        }
        (Test::Blocks(blocks), Value::Address(address)) => blocks
            .iter()
            .any(|(low, high)| (low..=high).contains(&address)),
        (Test::HasAll(mask), Value::Int(int)) => int & mask == *mask,
        (Test::HasAny(masks), Value::Int(int)) => masks.iter().any(|mask| int & mask == *mask),
        other => panic!("{other:?}"),
    })
}

fn glob_is(glob: &Glob, text: &[u8]) -> bool {
    let mut reach = vec![false; text.len() + 1];
    reach[0] = true;
    for piece in glob.pieces.iter() {
        let mut next = vec![false; text.len() + 1];
        for start in (0..=text.len()).filter(|start| reach[*start]) {
            match piece {
                Piece::Literal(bytes) => {
                    if text[start..].starts_with(bytes) {
                        next[start + bytes.len()] = true;
                    }
                }
                Piece::Class(set) => {
                    if text.get(start).is_some_and(|byte| set.contains(*byte)) {
                        next[start + 1] = true;
                    }
                }
                Piece::Star | Piece::DeepStar => {
                    for (end, slot) in next.iter_mut().enumerate().skip(start) {
                        *slot = true;
                        if *piece == Piece::Star && text.get(end) == Some(&b'/') {
                            break;
                        }
                    }
                }
            }
        }
        reach = next;
    }
    reach[text.len()]
}

/// The answer, and whether an unknown mattered.
pub(crate) fn evaluate(ir: &Ir, event: &Event) -> (Answer, bool) {
    let Some(hook) = ir.hooks.iter().find(|hook| hook.hook == event.hook) else {
        return (Answer::allow(), false);
    };
    if cond(ir, &hook.exempt, event) == Some(true) {
        return (Answer::allow(), false);
    }
    let mut answer = Answer::allow();
    let mut mattered = false;
    for module in &hook.modules {
        mattered |= add(ir, module, event, &mut answer);
    }
    answer.rules.sort();
    answer.rules.dedup();
    (answer, mattered)
}

fn deny(answer: &mut Answer, verdict: Verdict, errno: u16) {
    answer.verdict = answer.verdict.max(verdict);
    answer.errno = Some(answer.errno.map_or(errno, |other| other.min(errno)));
}

/// Every verdict that the module can come to, by trying every way to resolve its
/// unknown statements.
fn possible(rules: &[(EffectIr, Truth)], default: Option<(DefaultIr, Truth)>) -> Vec<Verdict> {
    let unknown: Vec<usize> = (0..rules.len()).filter(|i| rules[*i].1.is_none()).collect();
    let mut verdicts = Vec::new();
    for choice in 0..1_u32 << (unknown.len() + 1) {
        let truth = |index: usize| {
            rules[index].1.unwrap_or_else(|| {
                let bit = unknown.iter().position(|i| *i == index).unwrap();
                choice >> bit & 1 == 1
            })
        };
        let any = |wanted: fn(&EffectIr) -> bool| {
            (0..rules.len()).any(|index| wanted(&rules[index].0) && truth(index))
        };
        let default_holds =
            default.is_some_and(|(_, truth)| truth.unwrap_or(choice >> unknown.len() & 1 == 1));
        verdicts.push(if any(|effect| *effect == EffectIr::Kill) {
            Verdict::Kill
        } else if any(|effect| matches!(effect, EffectIr::Deny(_))) {
            Verdict::Deny
        } else if any(|effect| *effect == EffectIr::Allow) {
            Verdict::Allow
        } else if default_holds && matches!(default, Some((DefaultIr::Deny, _))) {
            Verdict::Deny
        } else {
            Verdict::Allow
        });
    }
    verdicts
}

fn add(ir: &Ir, module: &ModuleIr, event: &Event, answer: &mut Answer) -> bool {
    let holds = cond(ir, &module.holds, event);
    if holds == Some(false) {
        return false;
    }
    let mut mattered = false;
    let id = |rule: RuleId| ir.rules[rule.0 as usize].id.clone();
    let rules: Vec<(EffectIr, Truth)> = module
        .rules
        .iter()
        .map(|rule| (rule.effect, and(holds, cond(ir, &rule.cond, event))))
        .collect();
    let default = module.default.map(|(default, _)| (default, holds));
    let verdicts = possible(&rules, default);
    let loosest = *verdicts.iter().min().unwrap();
    let by_on_error = *verdicts.iter().max().unwrap() != loosest;
    if by_on_error {
        answer.unknown = true;
        mattered = true;
        if module.on_error == OnErrorIr::Deny {
            deny(answer, loosest.max(Verdict::Deny), 1);
            answer.record = true;
        }
    }

    let certain = |wanted: fn(&EffectIr) -> bool| {
        rules
            .iter()
            .any(|(effect, truth)| wanted(effect) && *truth == Some(true))
    };
    let overruled = certain(|effect| matches!(effect, EffectIr::Kill | EffectIr::Deny(_)));
    let allowed = certain(|effect| *effect == EffectIr::Allow);
    let maybe_allowed = rules
        .iter()
        .any(|(effect, truth)| *effect == EffectIr::Allow && truth.is_none());
    for (rule, (effect, truth)) in module.rules.iter().zip(&rules) {
        match (effect, truth) {
            (_, Some(false)) => {}
            (EffectIr::Kill, Some(true)) => {
                deny(answer, Verdict::Kill, 1);
                answer.record |= !rule.quiet;
                answer.rules.push(id(rule.rule));
            }
            (EffectIr::Deny(errno), Some(true)) => {
                deny(answer, Verdict::Deny, *errno);
                answer.record |= !rule.quiet;
                answer.rules.push(id(rule.rule));
            }
            (EffectIr::Audit, Some(true)) => {
                answer.record = true;
                answer.rules.push(id(rule.rule));
            }
            (EffectIr::Audit, None) => {
                answer.record = true;
                mattered = true;
            }
            (EffectIr::Allow, Some(true)) => {
                let restricts = matches!(
                    module.default,
                    Some((DefaultIr::Deny | DefaultIr::Audit, _))
                );
                if restricts && !overruled {
                    answer.rules.push(id(rule.rule));
                }
            }
            (EffectIr::Allow | EffectIr::Kill | EffectIr::Deny(_), None) => {}
        }
    }
    if let Some((default, rule)) = module.default
        && !overruled
        && !allowed
        && default != DefaultIr::Allow
    {
        let is_certain = holds == Some(true) && !maybe_allowed;
        if is_certain {
            answer.rules.push(id(rule));
        }
        match default {
            DefaultIr::Deny => {
                if is_certain {
                    deny(answer, Verdict::Deny, 1);
                    answer.record = true;
                }
            }
            DefaultIr::Audit => {
                answer.record = true;
                mattered |= !is_certain;
            }
            DefaultIr::Allow => {}
        }
    }
    mattered
}
