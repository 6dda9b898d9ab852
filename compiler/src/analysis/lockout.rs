//! Policies that shut out the tool that changes them.
//!
//! Owns which calls of bpf(2) `lsmpc` needs, and what is said if a policy refuses one
//! to every `lsmpc` there could be. It must not know how that is decided: it is a
//! promise like those of `assert`.

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_syntax::{Span, Spanned};

use super::promise;
use super::report::Reports;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::event::Event;
use crate::glob::parse::{Dialect, parse};
use crate::hir::{Assert, Cond, CondKind, FieldRef, FieldTest, Hir, Rule};
use crate::ir::Ir;
use crate::reference;

/// Where `lsmpc` can be.
const PROGRAM: &[u8] = b"/**/lsmpc*";

/// What a command needs at one hook: each of these.
struct Need {
    hook: HookId,
    field: FieldId,
    values: &'static [&'static str],
}

/// For `remove` and `status`: what is in force is read by its pins.
const REMOVE: &[Need] = &[
    Need {
        hook: HookId::Bpf,
        field: FieldId::Cmd,
        values: &[
            "BPF_OBJ_GET",
            "BPF_OBJ_GET_INFO_BY_FD",
            "BPF_MAP_LOOKUP_ELEM",
            "BPF_MAP_UPDATE_ELEM",
            "BPF_MAP_DELETE_ELEM",
        ],
    },
    Need {
        hook: HookId::BpfMap,
        field: FieldId::MapType,
        values: &["BPF_MAP_TYPE_ARRAY", "BPF_MAP_TYPE_ARRAY_OF_MAPS"],
    },
    Need {
        hook: HookId::BpfProg,
        field: FieldId::ProgType,
        values: &["BPF_PROG_TYPE_LSM"],
    },
];

/// What `apply` needs besides.
const APPLY: &[Need] = &[
    Need {
        hook: HookId::Bpf,
        field: FieldId::Cmd,
        values: &[
            "BPF_MAP_CREATE",
            "BPF_MAP_FREEZE",
            "BPF_PROG_LOAD",
            "BPF_RAW_TRACEPOINT_OPEN",
            "BPF_OBJ_PIN",
        ],
    },
    Need {
        hook: HookId::BpfMapCreate,
        field: FieldId::MapType,
        values: &["BPF_MAP_TYPE_ARRAY"],
    },
    Need {
        hook: HookId::BpfProgLoad,
        field: FieldId::ProgType,
        values: &["BPF_PROG_TYPE_LSM"],
    },
];

/// Warns about rules and defaults that no `lsmpc` gets past.
pub(super) fn examine(hir: &Hir, ir: &Ir, reports: &mut Reports) {
    let mut said: Vec<Span> = Vec::new();
    let commands = [("remove", REMOVE), ("apply", APPLY)];
    for (command, need) in commands
        .into_iter()
        .flat_map(|(command, needs)| needs.iter().map(move |need| (command, need)))
    {
        if !ir.hooks.iter().any(|hook| hook.hook == need.hook) {
            continue;
        }
        let field = catalogue::field(need.field);
        for name in need.values {
            let Some(value) = field.enumerator(name) else {
                continue;
            };
            match refused(ir, need, value.value) {
                Ok(None) => {}
                Ok(Some(event)) => {
                    let condition = format!("{} == {name}", need.field.name());
                    say(hir, &event, command, &condition, &mut said, reports);
                }
                Err(reason) => {
                    reports.undecided(
                        format!("whether `lsmpc` gets past `{}`", need.hook.name()),
                        &reason,
                    );
                    break;
                }
            }
        }
    }
}

/// An event of `lsmpc`, if every such one is denied.
fn refused(ir: &Ir, need: &Need, value: u64) -> Result<Option<Event>, String> {
    let nowhere = Span::default();
    let test = |field, test| Cond {
        kind: CondKind::Test(FieldRef::Field(field), test),
        span: nowhere,
    };
    let program = parse(PROGRAM, Dialect::Path).map_err(|error| format!("{error:?}"))?;
    let assert = |deny| Assert {
        deny,
        hooks: vec![Spanned::new(need.hook, nowhere)],
        when: Some(Cond {
            kind: CondKind::And(vec![
                test(FieldId::Exe, FieldTest::Globs(program.clone().into())),
                test(FieldId::Uid, FieldTest::Ranges([(0, 0)].into())),
                test(need.field, FieldTest::Ranges([(value, value)].into())),
            ]),
            span: nowhere,
        }),
        unless: None,
        span: nowhere,
    };
    if promise::counterexample(ir, &assert(true), need.hook)?.is_some() {
        return Ok(None);
    }
    promise::counterexample(ir, &assert(false), need.hook)
}

/// Says who refuses an event, once for each.
fn say(
    hir: &Hir,
    event: &Event,
    command: &str,
    condition: &str,
    said: &mut Vec<Span>,
    reports: &mut Reports,
) {
    let Ok(answer) = reference::evaluate(hir, event) else {
        return;
    };
    let hook = event.hook;
    let named = |id: &String| answer.rules.contains(id);
    for module in &hir.modules {
        let mut found: Vec<(Span, Option<&Rule>)> = module
            .rules
            .iter()
            .filter(|rule| rule.is_about(hook) && named(&rule.id))
            .map(|rule| (rule.effect_span, Some(rule)))
            .collect();
        let default = module
            .default_for(hook)
            .filter(|_| named(&format!("default:{}", module.name())));
        found.extend(default.map(|default| (default.span, None)));
        for (span, rule) in found {
            if said.contains(&span) {
                continue;
            }
            said.push(span);
            let diagnostic = diagnostic(hook, command, condition, span);
            match rule {
                Some(rule) => reports.of_rule(
                    rule,
                    diagnostic.help(
                        "except the tool where it is installed: `unless exe == \"/usr/bin/lsmpc\"`",
                    ),
                ),
                None => reports.add(diagnostic.help(format!(
                    "allow it to the tool where it is installed: \
                     `allow {} when exe == \"/usr/bin/lsmpc\"`",
                    hook.name()
                ))),
            }
        }
    }
}

fn diagnostic(hook: HookId, command: &str, condition: &str, span: Span) -> Diagnostic {
    let (message, way_out) = if command == "remove" {
        (
            "this policy could not be taken away with `lsmpc remove`",
            "without an exception, `rm -r /sys/fs/bpf/lsmpc` takes the policy away",
        )
    } else {
        (
            "this policy could not be replaced with `lsmpc apply`",
            "without an exception, `lsmpc remove` has to come before the next `apply`",
        )
    };
    Diagnostic::new(
        Code::LocksOut,
        message,
        span,
        format!(
            "on `{}`, denies `{condition}` to every `lsmpc`",
            hook.name()
        ),
    )
    .note(way_out)
}
