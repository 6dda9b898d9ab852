//! Random policies, as intermediate forms, made to be awkward: prefixes shared,
//! wildcards that overlap, values next to each other.

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_compiler::glob::Glob;
use lsmpc_compiler::glob::parse::{Dialect, parse};
use lsmpc_compiler::ir::{
    Cond, DefaultIr, EffectIr, HookIr, Ir, ModuleIr, OnErrorIr, Predicate, PredicateId, RuleId,
    RuleInfo, RuleIr, RuleKind, Test,
};
use proptest::prelude::*;

/// The hooks that policies are about.
pub const HOOKS: [HookId; 4] = [
    HookId::FileOpen,
    HookId::PathRename,
    HookId::SocketConnect,
    HookId::TaskKill,
];

/// Every field of a hook that the intermediate form asks about.
pub fn fields(hook: HookId) -> Vec<FieldId> {
    FieldId::ALL
        .iter()
        .copied()
        .filter(|field| catalogue::hook(hook).has(*field) && *field != FieldId::AncestorExe)
        .collect()
}

const COMPONENTS: [&str; 26] = [
    "a",
    "b",
    "ab",
    "abc",
    "abcdefgh",
    "abcdefghi",
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
    "x*y\u{e9}",
    "**a*b**",
];

fn path_globs() -> impl Strategy<Value = Vec<Glob>> {
    let components = prop::collection::vec(prop::sample::select(&COMPONENTS[..]), 1..5);
    let text = prop_oneof![
        12 => components.prop_map(|parts| format!("/{}", parts.join("/"))),
        1 => Just("/".to_owned()),
        1 => Just("**".to_owned()),
        1 => Just("memfd:*".to_owned()),
        1 => Just("**b".to_owned()),
    ];
    prop::collection::vec(text, 1..4).prop_map(|texts| globs(&texts, Dialect::Path))
}

fn name_globs() -> impl Strategy<Value = Vec<Glob>> {
    let pieces = ["a", "b", "x", "*", "?", "[ab]", "[!x]", "/", "{a,bx}"];
    let text = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..6)
        .prop_map(|parts| parts.concat());
    prop::collection::vec(text, 1..4).prop_map(|texts| globs(&texts, Dialect::Name))
}

fn globs(texts: &[String], dialect: Dialect) -> Vec<Glob> {
    texts
        .iter()
        .flat_map(|text| parse(text.as_bytes(), dialect).unwrap_or_else(|_| panic!("{text}")))
        .collect()
}

/// Integers that policies and events are about.
pub fn int() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 0..9_u64,
        1 => Just(0xffff_ffff),
        1 => Just(u64::MAX),
        1 => Just(u64::MAX - 1),
        1 => Just(1 << 40),
    ]
}

/// Addresses that policies and events are about.
pub fn address() -> impl Strategy<Value = u128> {
    prop_oneof![
        4 => (0..9_u128).prop_map(|low| 0xffff_0a00_0000 + low),
        2 => (0..5_u128).prop_map(|low| (0xfe80 << 112) + low),
        1 => Just(0),
        1 => Just(u128::MAX),
        1 => Just(1_u128 << 64),
    ]
}

fn ranges<T: Copy + Ord>(values: Vec<(T, T)>, next: impl Fn(T) -> Option<T>) -> Vec<(T, T)> {
    let mut list: Vec<(T, T)> = values
        .into_iter()
        .map(|(a, b)| (a.min(b), a.max(b)))
        .collect();
    list.sort_unstable();
    let mut result: Vec<(T, T)> = Vec::new();
    for (low, high) in list {
        match result.last_mut() {
            Some((_, end)) if next(*end).is_none_or(|next| low <= next) => *end = (*end).max(high),
            _ => result.push((low, high)),
        }
    }
    result
}

fn scalar_ranges() -> impl Strategy<Value = Test> {
    let range = prop_oneof![int().prop_map(|value| (value, value)), (int(), int())];
    prop::collection::vec(range, 0..4)
        .prop_map(|list| Test::Ranges(ranges(list, |value| value.checked_add(1))))
}

fn bits() -> impl Strategy<Value = Test> {
    let mask = || prop_oneof![4 => (0..4_u32).prop_map(|bit| 1 << bit), 2 => 1..16_u64];
    prop_oneof![
        mask().prop_map(Test::HasAll),
        prop::collection::vec(mask(), 1..4).prop_map(|mut masks| {
            masks.sort_unstable();
            masks.dedup();
            Test::HasAny(masks)
        }),
    ]
}

fn test(field: FieldId) -> BoxedStrategy<Test> {
    match catalogue::field(field).ty {
        FieldType::Path => path_globs()
            .prop_map(|globs| Test::Globs(globs.into()))
            .boxed(),
        FieldType::Name => name_globs()
            .prop_map(|globs| Test::Globs(globs.into()))
            .boxed(),
        FieldType::Address => {
            let range = (address(), address());
            prop::collection::vec(range, 1..3)
                .prop_map(|list| Test::Blocks(ranges(list, |value| value.checked_add(1))))
                .boxed()
        }
        FieldType::Flags => bits().boxed(),
        FieldType::Mode => prop_oneof![scalar_ranges(), bits()].boxed(),
        FieldType::Int { .. } | FieldType::Enum { .. } | FieldType::Bool => scalar_ranges().boxed(),
    }
}

fn predicate(fields: Vec<FieldId>) -> impl Strategy<Value = Predicate> {
    prop::sample::select(fields)
        .prop_flat_map(|field| test(field).prop_map(move |test| Predicate { field, test }))
}

fn cond(predicates: u32) -> impl Strategy<Value = Cond> {
    let leaf = prop_oneof![
        1 => any::<bool>().prop_map(Cond::Const),
        20 => (0..predicates).prop_map(|id| Cond::Test(PredicateId(id))),
    ];
    leaf.prop_recursive(3, 10, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Cond::Not(Box::new(inner))),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Cond::And),
            prop::collection::vec(inner, 1..4).prop_map(Cond::Or),
        ]
    })
}

type RuleParts = (EffectIr, bool, Cond);
type ModuleParts = (Cond, Vec<RuleParts>, Option<DefaultIr>, bool);

fn module(predicates: u32) -> impl Strategy<Value = ModuleParts> {
    let effect = prop_oneof![
        4 => prop::sample::select(vec![1, 2, 13, 22]).prop_map(EffectIr::Deny),
        1 => Just(EffectIr::Kill),
        3 => Just(EffectIr::Allow),
        2 => Just(EffectIr::Audit),
    ];
    let rule = (effect, any::<bool>(), cond(predicates));
    let default = prop::option::of(prop::sample::select(vec![
        DefaultIr::Deny,
        DefaultIr::Audit,
        DefaultIr::Allow,
    ]));
    (
        cond(predicates),
        prop::collection::vec(rule, 0..5),
        default,
        any::<bool>(),
    )
}

fn hook(hook: HookId) -> impl Strategy<Value = (HookId, Vec<Predicate>, Cond, Vec<ModuleParts>)> {
    // A few fields, so that predicates meet on them.
    prop::sample::subsequence(fields(hook), 1..5)
        .prop_flat_map(|fields| prop::collection::vec(predicate(fields), 1..8))
        .prop_flat_map(move |predicates| {
            let count = predicates.len() as u32;
            (
                Just(hook),
                Just(predicates),
                prop_oneof![2 => Just(Cond::Const(false)), 1 => cond(count)],
                prop::collection::vec(module(count), 1..4),
            )
        })
}

/// A policy about one or two hooks.
pub fn policy() -> impl Strategy<Value = Ir> {
    prop::sample::subsequence(HOOKS.to_vec(), 1..3)
        .prop_flat_map(|hooks| hooks.into_iter().map(hook).collect::<Vec<_>>())
        .prop_map(assemble)
}

fn info(ir: &mut Ir, id: String, kind: RuleKind) -> RuleId {
    ir.rules.push(RuleInfo {
        id,
        file: "p.lsmp".into(),
        line: 1,
        column: 1,
        kind,
        message: None,
        severity: None,
        tags: Vec::new(),
        reference: None,
    });
    RuleId(ir.rules.len() as u32 - 1)
}

fn shift(cond: Cond, by: u32) -> Cond {
    let all = |parts: Vec<Cond>| parts.into_iter().map(|part| shift(part, by)).collect();
    match cond {
        Cond::Const(value) => Cond::Const(value),
        Cond::Test(id) => Cond::Test(PredicateId(id.0 + by)),
        Cond::Not(inner) => Cond::Not(Box::new(shift(*inner, by))),
        Cond::And(parts) => Cond::And(all(parts)),
        Cond::Or(parts) => Cond::Or(all(parts)),
    }
}

fn assemble(hooks: Vec<(HookId, Vec<Predicate>, Cond, Vec<ModuleParts>)>) -> Ir {
    let mut ir = Ir {
        scopes: vec!["s1".to_owned(), "s2".to_owned(), "s3".to_owned()],
        ..Ir::default()
    };
    for (hook, predicates, exempt, parts) in hooks {
        let base = ir.predicates.len() as u32;
        ir.predicates.extend(predicates);
        let mut modules = Vec::new();
        for (index, (holds, rules, default, on_error)) in parts.into_iter().enumerate() {
            let rules = rules
                .into_iter()
                .map(|(effect, quiet, cond)| {
                    let (name, kind) = match effect {
                        EffectIr::Deny(_) => ("d", RuleKind::Deny),
                        EffectIr::Kill => ("k", RuleKind::Kill),
                        EffectIr::Allow => ("l", RuleKind::Allow),
                        EffectIr::Audit => ("u", RuleKind::Audit),
                    };
                    let number = ir.rules.len();
                    RuleIr {
                        rule: info(&mut ir, format!("{name}{number}"), kind),
                        effect,
                        quiet,
                        cond: shift(cond, base),
                    }
                })
                .collect();
            let scope = index.checked_sub(1).map(|scope| scope as u32);
            let name = scope.map_or(String::new(), |scope| ir.scopes[scope as usize].clone());
            let default = default.map(|default| {
                let id = format!("default:{name}");
                (default, info(&mut ir, id, RuleKind::Default))
            });
            modules.push(ModuleIr {
                scope,
                holds: if scope.is_none() {
                    Cond::Const(true)
                } else {
                    shift(holds, base)
                },
                rules,
                default,
                on_error: if on_error {
                    OnErrorIr::Deny
                } else {
                    OnErrorIr::Allow
                },
            });
        }
        ir.hooks.push(HookIr {
            hook,
            exempt: shift(exempt, base),
            modules,
        });
    }
    ir.hooks.sort_by_key(|hook| hook.hook);
    ir
}
