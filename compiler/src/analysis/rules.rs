//! Warnings about rules that change nothing: those that never match, those that
//! others make redundant, and `allow`s that `deny` rules cover.
//!
//! Owns what is said about them, and what is not said because it is not certain.
//! Which rules are true together is [`super::rulesets`]'s, what follows from it
//! [`super::dominance`]'s.

use lsmpc_abi::hook::HookId;
use lsmpc_syntax::Span;
use rustc_hash::FxHashMap;

use super::dominance::{ByRule, Cover, Dominance, HookSets, Strength};
use super::frame::{Frame, Undecided, translator};
use super::report::Reports;
use super::rulesets::RuleSets;
use super::truths;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::hir::{Hir, Module, Rule};
use crate::intern::ListInterner;
use crate::ir::{Cond, HookIr, Ir, RuleId, RuleKind};
use crate::lower::Ground;

/// Most rules that a message names.
const MAX_NAMED: usize = 3;

/// The rules as they are written.
struct Book<'a> {
    hir: &'a Hir,
    ir: &'a Ir,
    /// By number.
    rules: Vec<Option<(&'a Module, &'a Rule)>>,
}

/// What is known of one hook.
struct HookFacts {
    hook: HookId,
    live: ByRule<bool>,
}

/// Warns about rules that change nothing. `constant` are places of rules of which
/// a condition was found to be constant already.
pub(super) fn examine(
    hir: &Hir,
    ir: &Ir,
    ground: &Ground,
    constant: &dyn Fn(Span) -> bool,
    reports: &mut Reports,
) {
    let book = Book::new(hir, ir);
    let mut frame = Frame::on(ground);
    let mut facts = Vec::new();
    let mut sets = Vec::new();
    for hook in &ir.hooks {
        match hook_sets(&mut frame, ir, hook) {
            Ok(found) => {
                let live = found.rules().collect();
                facts.push(HookFacts {
                    hook: hook.hook,
                    live,
                });
                sets.push(found);
            }
            Err(reason) => reports.undecided(
                format!("which rules on `{}` change nothing", hook.hook.name()),
                &reason,
            ),
        }
    }
    drop(frame);
    let strengths = strengths(ir);
    let dominance = Dominance {
        hooks: &sets,
        strengths: &strengths,
        says_as_much: &|one, other| book.says_as_much(one, other),
    };
    let live = dominance.live();
    let decided = |rule: &Rule| {
        let on = |hook: HookId| facts.iter().any(|facts| facts.hook == hook);
        rule.hooks.iter().all(|hook| on(hook.node))
    };
    let (redundant, overruled) = match dominance.redundant() {
        Some(redundant) => (redundant, dominance.overruled()),
        None => {
            reports.undecided(
                "which rules are redundant".to_owned(),
                "too many rules are true at once",
            );
            Default::default()
        }
    };
    for (id, found) in (0..).map(RuleId).zip(&book.rules) {
        let Some((module, rule)) = found else {
            continue;
        };
        if !decided(rule) || constant(rule.span) {
            continue;
        }
        let dead: Vec<&HookFacts> = facts
            .iter()
            .filter(|facts| rule.is_about(facts.hook) && !facts.live.has(id))
            .collect();
        if !live.has(id) {
            reports.of_rule(rule, book.never(id, module, rule));
            continue;
        }
        for facts in dead {
            reports.of_rule(rule, never_on(rule, facts.hook));
        }
        if let Some(cover) = redundant.get(&id) {
            if book.holds_for_unknowns(id, cover) {
                reports.of_rule(rule, book.redundant(rule, cover));
            }
        } else if let Some(cover) = overruled.get(&id) {
            reports.of_rule(rule, book.overruled(rule, cover));
        }
    }
}

fn strengths(ir: &Ir) -> ByRule<Option<Strength>> {
    let modules = ir.hooks.iter().flat_map(|hook| &hook.modules);
    modules
        .flat_map(|module| &module.rules)
        .map(|rule| {
            let strength = Strength {
                effect: rule.effect,
                quiet: rule.quiet,
            };
            (rule.rule, Some(strength))
        })
        .collect()
}

/// The sets of rules that are true together, module by module.
fn hook_sets(frame: &mut Frame, ir: &Ir, hook: &HookIr) -> Result<HookSets, Undecided> {
    let decided = frame.decide(hook.hook, false, |variables, formulas, order| {
        RuleSets::new(hook, &mut translator(ir, variables, formulas, order))
    })?;
    if decided.model.is_full() {
        return Err("too many rules are true at once".to_owned());
    }
    let mut found = ListInterner::default();
    let mut rules: Vec<(u32, u32)> = Vec::new();
    let mut list = Vec::new();
    for terminal in decided.terminals() {
        let items = decided.model.set(terminal).iter();
        rules.clear();
        rules.extend(items.filter_map(|item| {
            let item = decided.model.item(*item)?;
            Some((item.module, item.rule?.rule.0))
        }));
        // Items are in the order of modules.
        for module in rules.chunk_by(|(one, _), (other, _)| one == other) {
            list.clear();
            list.extend(module.iter().map(|(_, rule)| *rule));
            found.intern(&list);
        }
    }
    Ok(HookSets::new(found.into_lists()))
}

/// A rule that matches on some of its hooks only.
fn never_on(rule: &Rule, hook: HookId) -> Diagnostic {
    let named = rule.hooks.iter().find(|named| named.node == hook);
    let span = named.map_or(rule.effect_span, |named| named.span);
    Diagnostic::new(
        Code::NeverMatches,
        format!("this rule can never match on `{}`", hook.name()),
        span,
        "no event of this hook satisfies the rule",
    )
    .help("take the hook off the list, or correct the condition")
}

impl<'a> Book<'a> {
    fn new(hir: &'a Hir, ir: &'a Ir) -> Self {
        let mut by_place: FxHashMap<(u32, u32, &str), (&Module, &Rule)> = FxHashMap::default();
        for module in &hir.modules {
            for rule in &module.rules {
                let place = &rule.place;
                by_place.insert((place.line, place.column, &place.file), (module, rule));
            }
        }
        let rules = ir
            .rules
            .iter()
            .map(|info| {
                let place = (info.line, info.column, &*info.file);
                let found = by_place.get(&place).copied();
                found.filter(|_| info.kind != RuleKind::Default)
            })
            .collect();
        Self { hir, ir, rules }
    }

    fn rule(&self, id: RuleId) -> Option<&'a Rule> {
        let (_, rule) = self.rules.get(id.0 as usize).copied().flatten()?;
        Some(rule)
    }

    /// Whether the records of one `audit` say all that those of another do.
    fn says_as_much(&self, one: RuleId, other: RuleId) -> bool {
        let (Some(one), Some(other)) = (self.rule(one), self.rule(other)) else {
            return false;
        };
        let (one, other) = (&one.notes, &other.notes);
        let same = |one: &Option<String>, other: &Option<String>| other.is_none() || one == other;
        other.id.is_none()
            && same(&one.message, &other.message)
            && same(&one.severity, &other.severity)
            && same(&one.reference, &other.reference)
            && other.tags.iter().all(|tag| one.tags.contains(tag))
    }

    /// Conditions of a rule on one of its hooks: its own, its module's, `exempt`.
    fn conds(&self, id: RuleId, hook: HookId) -> Option<(&'a Cond, &'a Cond, &'a Cond)> {
        let hook = self.ir.hooks.iter().find(|found| found.hook == hook)?;
        hook.modules.iter().find_map(|module| {
            let rule = module.rules.iter().find(|rule| rule.rule == id)?;
            Some((&rule.cond, &module.holds, &hook.exempt))
        })
    }

    /// A rule that never matches, and why.
    fn never(&self, id: RuleId, module: &Module, rule: &Rule) -> Diagnostic {
        let why = rule.hooks.first().and_then(|hook| {
            let (own, holds, exempt) = self.conds(id, hook.node)?;
            let conds = [own, holds, exempt];
            truths::decide(&mut Frame::default(), self.ir, hook.node, &conds, false).ok()
        });
        let is_true = |wanted: &[u32]| {
            why.iter().flatten().any(|truth| {
                wanted
                    .iter()
                    .all(|item| truth.iter().any(|(found, _)| found == item))
            })
        };
        let diagnostic = |label: &str| {
            Diagnostic::new(
                Code::NeverMatches,
                "this rule can never match",
                rule.effect_span,
                label,
            )
        };
        if is_true(&[0, 1]) {
            let mut found = diagnostic("matches exempt subjects only")
                .help("narrow the exemption, or remove the rule");
            for exempt in self.hir.exempts.iter().take(MAX_NAMED) {
                found = found.also(exempt.span, "these subjects are allowed everything");
            }
            return found;
        }
        if is_true(&[0])
            && let Some(scope) = &module.scope
        {
            return diagnostic("false wherever the scope holds")
                .also(scope.when.span, "when the scope holds")
                .help("move the rule out of the scope, or correct one of the conditions");
        }
        let label = "no event satisfies it";
        let help = "correct its condition, or remove the rule";
        match (&rule.when, &rule.unless) {
            (Some(when), Some(unless)) => diagnostic(label)
                .also(when.span, "whatever passes this")
                .also(unless.span, "is taken back by this")
                .help(help),
            _ => diagnostic(label).help(help),
        }
    }

    /// Whether the rule does nothing where fields are unknown, either: its cover is
    /// never less certain than it is. Events that cannot be read fully must not
    /// change their answer when the rule is removed.
    fn holds_for_unknowns(&self, id: RuleId, cover: &Cover) -> bool {
        let Some(rule) = self.rule(id) else {
            return false;
        };
        rule.hooks.iter().all(|hook| {
            let covers: Option<Vec<Cond>> = cover
                .rules()
                .iter()
                .filter(|other| {
                    self.rule(**other)
                        .is_some_and(|rule| rule.is_about(hook.node))
                })
                .map(|other| Some(self.conds(*other, hook.node)?.0.clone()))
                .collect();
            let (Some((own, ..)), Some(covers)) = (self.conds(id, hook.node), covers) else {
                return false;
            };
            if covers.contains(own) {
                return true;
            }
            let cover = Cond::Or(covers);
            let conds = [own, &cover];
            let truths = truths::decide(&mut Frame::default(), self.ir, hook.node, &conds, true);
            truths.is_ok_and(|truths| {
                truths.iter().all(|truth| {
                    let certainty = |item| match truth.iter().find(|(found, _)| *found == item) {
                        Some((_, true)) => 2,
                        Some((_, false)) => 1,
                        None => 0,
                    };
                    certainty(1) >= certainty(0)
                })
            })
        })
    }

    /// Names the rules of a cover by labels; what to call them.
    fn name(&self, mut diagnostic: Diagnostic, cover: &Cover, label: &str) -> Diagnostic {
        let rules = cover.rules();
        for rule in rules.iter().take(MAX_NAMED).filter_map(|id| self.rule(*id)) {
            diagnostic = diagnostic.also(rule.span, label);
        }
        let more = rules.len().saturating_sub(MAX_NAMED);
        if more > 0 {
            diagnostic = diagnostic.note(format!("and {more} more rules"));
        }
        diagnostic
    }

    fn redundant(&self, rule: &Rule, cover: &Cover) -> Diagnostic {
        let rules = cover.rules();
        let other = rules.first().and_then(|id| self.rule(*id));
        let (message, label, mark) = if rules.len() > 1 {
            (
                "other rules together make this one redundant",
                "says nothing that they do not say",
                "part of what it says",
            )
        } else if other.is_some_and(|other| other.effect == rule.effect) {
            (
                "another rule makes this one redundant",
                "says nothing that the other does not say",
                "matches wherever it does",
            )
        } else {
            (
                "another rule makes this one redundant",
                "never decides anything",
                "matches wherever it does, and is stricter",
            )
        };
        let diagnostic = Diagnostic::new(Code::Redundant, message, rule.effect_span, label);
        let mut diagnostic = self
            .name(diagnostic, cover, mark)
            .help("remove it, or narrow the other; `@silence(\"LSMP2002\")` keeps it");
        if rule.notes.id.is_some() {
            diagnostic = diagnostic.note(format!(
                "without it no verdict, errno or record changes, but records no longer name `{}`",
                rule.id
            ));
        }
        diagnostic
    }

    fn overruled(&self, rule: &Rule, cover: &Cover) -> Diagnostic {
        let message = if cover.rules().len() > 1 {
            "`deny` rules cover this `allow` fully"
        } else {
            "a `deny` rule covers this `allow` fully"
        };
        let diagnostic = Diagnostic::new(
            Code::AllowCovered,
            message,
            rule.effect_span,
            "allows nothing: a denial wins",
        );
        self.name(diagnostic, cover, "denies where it matches")
            .help("except these events from the denial by `unless`, or remove the `allow`")
    }
}
