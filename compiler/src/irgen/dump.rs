//! The intermediate form as text.
//!
//! Owns a layout for people and snapshots; nothing reads it back.

use core::fmt::Write as _;

use crate::ir::{Cond, Ir, ModuleIr, PredicateId, RuleId, Sticky, Test};

impl Ir {
    /// The policy as text, for tests and for finding out what was made of it.
    #[must_use]
    pub fn dump(&self) -> String {
        let mut out = String::new();
        for (number, predicate) in self.predicates.iter().enumerate() {
            let asked = match &predicate.test {
                Test::Globs(globs) => format!(
                    "matches {}",
                    list(globs.iter().map(|glob| format!("{glob}")))
                ),
                Test::Ranges(ranges) => format!(
                    "in {}",
                    list(ranges.iter().map(|(low, high)| format!("{low}..{high}")))
                ),
                Test::Blocks(blocks) => format!(
                    "in {}",
                    list(
                        blocks
                            .iter()
                            .map(|(low, high)| format!("{low:x}..{high:x}"))
                    )
                ),
                Test::HasAll(mask) => format!("has {mask:#x}"),
                Test::Sticky(number) => format!("has s{number}"),
                Test::HasAny(masks) => format!(
                    "has any {}",
                    list(masks.iter().map(|mask| format!("{mask:#x}")))
                ),
            };
            // Writing to a string does not fail.
            let _ = writeln!(out, "p{number}: {} {asked}", predicate.field.name());
        }
        for (number, sticky) in self.sticky.iter().enumerate() {
            let _ = match sticky {
                Sticky::Scope { scope, when, until } => writeln!(
                    out,
                    "s{number}: scope {} when {} until {}",
                    self.scope_name(Some(*scope)),
                    cond(when),
                    cond(until)
                ),
                Sticky::Ancestor { program } => {
                    writeln!(out, "s{number}: ancestor p{}", program.0)
                }
            };
        }
        for hook in &self.hooks {
            let _ = writeln!(out, "{} exempt {}", hook.hook.name(), cond(&hook.exempt));
            for module in &hook.modules {
                self.module(&mut out, module);
            }
        }
        out
    }

    fn name(&self, rule: RuleId) -> &str {
        let info = usize::try_from(rule.0)
            .ok()
            .and_then(|index| self.rules.get(index));
        info.map_or("?", |info| info.id.as_str())
    }

    fn scope_name(&self, scope: Option<u32>) -> &str {
        scope
            .and_then(|scope| self.scopes.get(usize::try_from(scope).ok()?))
            .map_or("", String::as_str)
    }

    fn module(&self, out: &mut String, module: &ModuleIr) {
        let _ = writeln!(
            out,
            "  module {:?} holds {} on_error {:?}",
            self.scope_name(module.scope),
            cond(&module.holds),
            module.on_error
        );
        if let Some((default, rule)) = module.default {
            let _ = writeln!(out, "    [{}] {default:?}", self.name(rule));
        }
        for rule in &module.rules {
            let _ = writeln!(
                out,
                "    [{}] {:?}{} when {}",
                self.name(rule.rule),
                rule.effect,
                if rule.quiet { " quiet" } else { "" },
                cond(&rule.cond)
            );
        }
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn cond(found: &Cond) -> String {
    let join = |word: &str, all: &[Cond]| {
        let parts: Vec<String> = all.iter().map(cond).collect();
        format!("{word}({})", parts.join(", "))
    };
    match found {
        Cond::Const(value) => value.to_string(),
        Cond::Test(PredicateId(number)) => format!("p{number}"),
        Cond::Not(inner) => format!("not({})", cond(inner)),
        Cond::And(all) => join("and", all),
        Cond::Or(any) => join("or", any),
    }
}
