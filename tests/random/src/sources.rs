//! Random policies as text.

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use proptest::prelude::*;

/// The fields that all of `hooks` have.
fn fields(hooks: &[HookId], subject: bool) -> Vec<FieldId> {
    catalogue::fields()
        .iter()
        .map(|field| field.id)
        .filter(|field| hooks.iter().all(|hook| catalogue::hook(*hook).has(*field)))
        .filter(|field| !subject || field.is_subject())
        .collect()
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}

fn paths() -> impl Strategy<Value = String> {
    const COMPONENTS: [&str; 25] = [
        "a",
        "b",
        "ab",
        "abc",
        "abcdefgh",
        "*",
        "a*",
        "*b",
        "*x*y",
        "a?",
        "?",
        "[ab]c",
        "[!a]*",
        "**",
        "a**b",
        "**x*y",
        "{a,b}c",
        "abcdefgi",
        "abcdefghabcdefgh",
        "abcdefghabcdefgi",
        "*a*a*b",
        "[a-y]?*",
        "{,a,ab}{c,bc}",
        "x*y\\xff",
        "**a*b**",
    ];
    let glob = prop_oneof![
        12 => prop::collection::vec(prop::sample::select(&COMPONENTS[..]), 1..5)
            .prop_map(|parts| format!("\"/{}\"", parts.join("/"))),
        1 => Just("\"/\"".to_owned()),
        1 => Just("\"/{,**/}b\"".to_owned()),
        1 => Just("\"**b\"".to_owned()),
        1 => Just("r\"/a\\*\"".to_owned()),
        1 => Just("\"memfd:*\"".to_owned()),
    ];
    prop::collection::vec(glob, 1..4).prop_map(|globs| list(&globs))
}

fn names() -> impl Strategy<Value = String> {
    let pieces = ["a", "b", "x", "*", "?", "[ab]", "[!x]", "/", "{a,bx}"];
    let glob = prop::collection::vec(prop::sample::select(pieces.to_vec()), 1..6)
        .prop_map(|parts| format!("\"{}\"", parts.concat()));
    prop::collection::vec(glob, 1..4).prop_map(|globs| list(&globs))
}

fn integer(max: u64) -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..9_u64, 1 => Just(max), 1 => Just(max - 1)]
}

fn integers(name: &'static str, max: u64) -> BoxedStrategy<String> {
    let item = prop_oneof![
        integer(max).prop_map(|value| value.to_string()),
        (integer(max), integer(max)).prop_map(|(a, b)| format!("{}..{}", a.min(b), a.max(b))),
    ];
    prop_oneof![
        3 => prop::collection::vec(item, 1..4)
            .prop_map(move |items| format!("{name} in {}", list(&items))),
        2 => (prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]), integer(max))
            .prop_map(move |(operator, value)| format!("{name} {operator} {value}")),
    ]
    .boxed()
}

fn enumerators(field: FieldId, most: usize) -> impl Strategy<Value = Vec<String>> {
    let names: Vec<String> = catalogue::field(field)
        .enumerators
        .iter()
        .take(6)
        .map(|known| known.name.to_owned())
        .collect();
    prop::collection::vec(prop::sample::select(names), 1..most)
}

fn flags(field: FieldId) -> BoxedStrategy<String> {
    let name = field.name();
    (any::<bool>(), enumerators(field, 4))
        .prop_map(move |(any, flags)| {
            let any = if any { " any" } else { "" };
            format!("{name} has{any} {}", list(&flags))
        })
        .boxed()
}

fn test(field: FieldId) -> BoxedStrategy<String> {
    let name = field.name();
    match catalogue::field(field).ty {
        FieldType::Path => paths()
            .prop_map(move |globs| format!("{name} in {globs}"))
            .boxed(),
        FieldType::Name => names()
            .prop_map(move |globs| format!("{name} in {globs}"))
            .boxed(),
        FieldType::Address => prop::sample::subsequence(
            vec![
                "10.0.0.0/8",
                "10.0.0.4/30",
                "10.0.0.7",
                "0.0.0.0/0",
                "::/0",
                "fe80::/10",
                "fe80::2/127",
                "::1",
            ],
            1..4,
        )
        .prop_map(move |blocks| {
            let blocks: Vec<String> = blocks.iter().map(|block| format!("\"{block}\"")).collect();
            format!("{name} in {}", list(&blocks))
        })
        .boxed(),
        FieldType::Int { max, .. } => integers(name, max),
        FieldType::Enum { .. } => enumerators(field, 4)
            .prop_map(move |items| format!("{name} in {}", list(&items)))
            .boxed(),
        FieldType::Flags => flags(field),
        FieldType::Mode => prop_oneof![integers(name, 0o7777), flags(field)].boxed(),
        FieldType::Bool => prop::sample::select(vec!["", " == true", " == false", " != true"])
            .prop_map(move |rest| format!("{name}{rest}"))
            .boxed(),
    }
}

fn cond(fields: Vec<FieldId>, any_path: bool) -> BoxedStrategy<String> {
    let mut leaves: Vec<BoxedStrategy<String>> = fields.into_iter().map(test).collect();
    if any_path {
        leaves.push(
            paths()
                .prop_map(|globs| format!("any_path in {globs}"))
                .boxed(),
        );
    }
    proptest::strategy::Union::new(leaves)
        .prop_recursive(3, 8, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|inner| format!("not ({inner})")),
                prop::collection::vec(inner.clone(), 2..4)
                    .prop_map(|parts| format!("({})", parts.join(" and "))),
                prop::collection::vec(inner, 2..4)
                    .prop_map(|parts| format!("({})", parts.join(" or "))),
            ]
        })
        .boxed()
}

/// The statements of a module, as lines without ids.
fn module(hooks: Vec<HookId>, chosen: Vec<FieldId>) -> BoxedStrategy<Vec<String>> {
    let rule = prop::sample::subsequence(hooks.clone(), 1..=hooks.len())
        .prop_flat_map(move |hooks| {
            let fields: Vec<FieldId> = fields(&hooks, false)
                .into_iter()
                .filter(|field| chosen.contains(field))
                .collect();
            let any_path = fields.contains(&FieldId::Path);
            let when = cond(fields, any_path);
            let effect = prop::sample::select(vec![
                "deny",
                "deny with EACCES",
                "deny with ENOENT",
                "kill",
                "allow",
                "allow",
                "audit",
            ]);
            (
                Just(hooks),
                effect,
                any::<bool>(),
                prop::option::weighted(0.9, when.clone()),
                prop::option::weighted(0.3, when),
            )
        })
        .prop_map(|(hooks, effect, quiet, when, unless)| {
            let names: Vec<&str> = hooks.iter().map(|hook| hook.name()).collect();
            let quiet = if quiet && effect != "allow" && effect != "audit" {
                "@quiet(true) "
            } else {
                ""
            };
            let when = when.map_or(String::new(), |when| format!(" when {when}"));
            let unless = unless.map_or(String::new(), |unless| format!(" unless {unless}"));
            (
                hooks,
                format!("{quiet}{effect} {}{when}{unless}", names.join(", ")),
            )
        });
    let defaults: Vec<_> = hooks
        .iter()
        .map(|hook| {
            let default =
                prop::sample::select(vec![None, Some("deny"), Some("allow"), Some("audit")]);
            let on_error = prop::option::of(prop::sample::select(vec!["deny", "allow"]));
            (Just(*hook), default, on_error)
        })
        .collect();
    (prop::collection::vec(rule, 0..5), defaults)
        .prop_map(|(rules, defaults)| {
            let mut lines = Vec::new();
            let mut restricted = Vec::new();
            for (hook, default, on_error) in defaults {
                if let Some(default) = default {
                    lines.push(format!("default {default} {}", hook.name()));
                    if default != "allow" {
                        restricted.push(hook);
                    }
                }
                if let Some(on_error) = on_error {
                    lines.push(format!("on_error {on_error} {}", hook.name()));
                }
            }
            for (hooks, line) in rules {
                // An `allow` needs something to loosen.
                let loosens = line.starts_with("allow");
                if !loosens || hooks.iter().all(|hook| restricted.contains(hook)) {
                    lines.push(line);
                }
            }
            lines
        })
        .boxed()
}

/// Hooks, and the fields that policies ask of them.
fn subject_matter() -> impl Strategy<Value = (Vec<HookId>, Vec<FieldId>)> {
    prop::sample::subsequence(HookId::ALL.to_vec(), 1..3).prop_flat_map(|hooks| {
        let all: Vec<FieldId> = catalogue::fields()
            .iter()
            .map(|field| field.id)
            .filter(|field| hooks.iter().any(|hook| catalogue::hook(*hook).has(*field)))
            .collect();
        let chosen = prop::sample::subsequence(all, 1..5)
            // Something that every hook has, so that no condition lacks a field.
            .prop_map(|mut chosen| {
                if !chosen.iter().any(|field| field.is_subject()) {
                    chosen.push(FieldId::Exe);
                }
                chosen
            });
        (Just(hooks), chosen)
    })
}

/// A policy's text, its hooks and fields, and its inherited scopes.
pub fn policy() -> impl Strategy<Value = (String, Vec<HookId>, Vec<FieldId>, Vec<String>)> {
    subject_matter().prop_flat_map(|(hooks, chosen)| {
        let text = about(&hooks, &chosen);
        (text, Just(hooks), Just(chosen))
            .prop_map(|((text, inherited), hooks, chosen)| (text, hooks, chosen, inherited))
    })
}

/// Two policies about the same, with its hooks and fields and their inherited scopes.
pub fn pair() -> impl Strategy<Value = ([String; 2], Vec<HookId>, Vec<FieldId>, Vec<String>)> {
    subject_matter().prop_flat_map(|(hooks, chosen)| {
        let one = about(&hooks, &chosen);
        let other = about(&hooks, &chosen);
        (one, other, Just(hooks), Just(chosen)).prop_map(|(one, other, hooks, chosen)| {
            let mut inherited = [one.1, other.1].concat();
            inherited.sort();
            inherited.dedup();
            ([one.0, other.0], hooks, chosen, inherited)
        })
    })
}

/// A policy's text, and its inherited scopes.
fn about(hooks: &[HookId], chosen: &[FieldId]) -> BoxedStrategy<(String, Vec<String>)> {
    let subject: Vec<FieldId> = fields(hooks, true)
        .into_iter()
        .filter(|field| chosen.contains(field))
        .collect();
    let module = || module(hooks.to_vec(), chosen.to_vec());
    let scope = (
        cond(subject.clone(), false),
        any::<bool>(),
        prop::option::weighted(0.4, cond(subject.clone(), false)),
        module(),
    );
    (
        module(),
        prop::collection::vec(scope, 0..3),
        prop::option::weighted(0.3, cond(subject, false)),
    )
        .prop_map(|(outer, scopes, exempt)| {
            let mut text = String::new();
            let mut count = 0;
            let mut add = |text: &mut String, lines: Vec<String>, indent: &str| {
                for line in lines {
                    let plain = line.starts_with("default") || line.starts_with("on_error");
                    let id = if plain {
                        String::new()
                    } else {
                        count += 1;
                        format!("@id(\"r{count}\") ")
                    };
                    text.push_str(&format!("{indent}{id}{line}\n"));
                }
            };
            add(&mut text, outer, "");
            let mut inherited = Vec::new();
            for (number, (when, inherit, until, lines)) in scopes.into_iter().enumerate() {
                let until = until.map_or(String::new(), |until| format!(" until {until}"));
                let inherit = if inherit {
                    inherited.push(format!("s{number}"));
                    format!(" inherit{until}")
                } else {
                    String::new()
                };
                text.push_str(&format!("scope s{number} when {when}{inherit} {{\n"));
                add(&mut text, lines, "  ");
                text.push_str("}\n");
            }
            if let Some(exempt) = exempt {
                text.push_str(&format!("exempt when {exempt}\n"));
            }
            (text, inherited)
        })
        .boxed()
}
