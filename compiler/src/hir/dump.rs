//! The typed form as text.
//!
//! Owns a layout for people and snapshots; nothing reads it back.

use core::fmt::Write as _;

use super::{
    Assert, Block, Cond, CondKind, DefaultEffect, Effect, FieldTest, Hir, Module, Order, Rule,
};
use crate::glob::Glob;

pub(super) fn dump(hir: &Hir) -> String {
    let mut out = String::new();
    for exempt in &hir.exempts {
        line(&mut out, format_args!("exempt {}", cond(exempt)));
    }
    for module in &hir.modules {
        dump_module(&mut out, module);
    }
    for assert in &hir.asserts {
        dump_assert(&mut out, assert);
    }
    for test in &hir.tests {
        line(
            &mut out,
            format_args!(
                "test {:?} with {} steps",
                String::from_utf8_lossy(&test.name.node),
                test.steps.len()
            ),
        );
    }
    out
}

fn line(out: &mut String, text: core::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}

fn dump_module(out: &mut String, module: &Module) {
    match &module.scope {
        None => line(out, format_args!("outside scopes")),
        Some(scope) => {
            let until = scope.until.as_ref().map(cond);
            line(
                out,
                format_args!(
                    "scope {} when {}{}{}",
                    scope.name.node,
                    cond(&scope.when),
                    if scope.inherit { " inherit" } else { "" },
                    until.map_or_else(String::new, |until| format!(" until {until}")),
                ),
            );
        }
    }
    for default in &module.defaults {
        let effect = match default.effect {
            DefaultEffect::Deny => "deny",
            DefaultEffect::Allow => "allow",
            DefaultEffect::Audit => "audit",
        };
        line(
            out,
            format_args!("  default {effect} {}", default.hook.name()),
        );
    }
    for on_error in &module.on_errors {
        let effect = if on_error.deny { "deny" } else { "allow" };
        line(
            out,
            format_args!("  on_error {effect} {}", on_error.hook.name()),
        );
    }
    for rule in &module.rules {
        dump_rule(out, rule);
    }
}

fn dump_rule(out: &mut String, rule: &Rule) {
    let effect = match rule.effect {
        Effect::Deny(errno) => format!("deny({errno})"),
        other => other.keyword().to_owned(),
    };
    let hooks: Vec<&str> = rule.hooks.iter().map(|hook| hook.node.name()).collect();
    let quiet = if rule.notes.quiet { " quiet" } else { "" };
    line(
        out,
        format_args!("  [{}] {effect}{quiet} {}", rule.id, hooks.join(", ")),
    );
    if let Some(when) = &rule.when {
        line(out, format_args!("    when {}", cond(when)));
    }
    if let Some(unless) = &rule.unless {
        line(out, format_args!("    unless {}", cond(unless)));
    }
}

fn dump_assert(out: &mut String, assert: &Assert) {
    let effect = if assert.deny { "deny" } else { "allow" };
    let hooks: Vec<&str> = assert.hooks.iter().map(|hook| hook.node.name()).collect();
    line(out, format_args!("assert {effect} {}", hooks.join(", ")));
    if let Some(when) = &assert.when {
        line(out, format_args!("    when {}", cond(when)));
    }
    if let Some(unless) = &assert.unless {
        line(out, format_args!("    unless {}", cond(unless)));
    }
}

fn cond(cond_: &Cond) -> String {
    let list = |word: &str, all: &[Cond]| {
        let parts: Vec<String> = all.iter().map(cond).collect();
        format!("({})", parts.join(word))
    };
    match &cond_.kind {
        CondKind::Not(inner) => format!("not {}", cond(inner)),
        CondKind::And(all) => list(" and ", all),
        CondKind::Or(any) => list(" or ", any),
        CondKind::Test(field, test) => format!("{} {}", field.name(), asked(test)),
    }
}

fn asked(test: &FieldTest) -> String {
    match test {
        FieldTest::Globs(globs) => format!("matches {}", set(globs, glob)),
        FieldTest::Ranges(ranges) => format!(
            "in {}",
            set(ranges, |(low, high)| if low == high {
                low.to_string()
            } else {
                format!("{low}..{high}")
            })
        ),
        FieldTest::Order(order, bound) => {
            let sign = match order {
                Order::Less => "<",
                Order::LessEqual => "<=",
                Order::Greater => ">",
                Order::GreaterEqual => ">=",
            };
            format!("{sign} {bound}")
        }
        FieldTest::Blocks(blocks) => format!("in {}", set(blocks, block)),
        FieldTest::HasAll(masks) => format!("has {}", set(masks, |mask| format!("{mask:#x}"))),
        FieldTest::HasAny(masks) => {
            format!("has any {}", set(masks, |mask| format!("{mask:#x}")))
        }
    }
}

fn set<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    let parts: Vec<String> = items.iter().map(show).collect();
    format!("[{}]", parts.join(", "))
}

fn block(block: &Block) -> String {
    match *block {
        Block::V4(first, prefix) => format!("{}/{prefix}", std::net::Ipv4Addr::from_bits(first)),
        Block::V6(first, prefix) => format!("{}/{prefix}", std::net::Ipv6Addr::from_bits(first)),
    }
}

fn glob(glob: &Glob) -> String {
    format!("{glob}")
}
