//! Why an event is answered as it is, as data: what every exemption, module, rule
//! and part of a condition says to it (LANGUAGE §5).
//!
//! Owns the shape of an explanation. Verdicts and truth are the reference
//! evaluator's; how an explanation is shown is for those who show it.

mod condition;

use crate::event::{Answer, Event, Verdict};
use crate::hir::{Default_, DefaultEffect, Hir, Module, OnError, Rule};
use crate::reference::{self, UnknownScope};

pub use crate::reference::Truth;
pub use condition::{Judged, Seen, State};

/// Why an event is answered as it is.
#[derive(Debug, Clone)]
pub struct Explanation<'h> {
    /// The answer.
    pub answer: Answer,
    /// Every exemption. One that is true ends it: then there are no modules.
    pub exempts: Vec<Judged<'h>>,
    /// Those that say something about the hook, in the policy's order.
    pub modules: Vec<JudgedModule<'h>>,
}

/// What a module says.
#[derive(Debug, Clone)]
pub struct JudgedModule<'h> {
    /// Which.
    pub module: &'h Module,
    /// Whether its statements count.
    pub holds: Truth,
    /// Why.
    pub reason: Reason<'h>,
    /// Its rules about the hook, in source order.
    pub rules: Vec<JudgedRule<'h>>,
    /// Its default for the hook.
    pub default: Option<&'h Default_>,
    /// Whether that, and no rule, decided.
    pub by_default: bool,
    /// What it comes to by itself.
    pub answer: Answer,
    /// Set if statements that are unknown made a difference.
    pub doubt: Option<Doubt<'h>>,
}

/// Why a module holds or does not.
#[derive(Debug, Clone)]
pub enum Reason<'h> {
    /// It is not a scope.
    Always,
    /// The scope was inherited.
    Inherited,
    /// The scope's conditions.
    Conditions {
        /// `when`
        when: Judged<'h>,
        /// `until`
        until: Option<Judged<'h>>,
    },
}

/// What came of statements that are unknown.
#[derive(Debug, Clone)]
pub struct Doubt<'h> {
    /// The `on_error` that decided; without one, doubt denies.
    pub statement: Option<&'h OnError>,
    /// The verdict if all of them turned out as leniently as they can.
    pub loosest: Verdict,
    /// The verdict if they turned out as strictly as they can.
    pub strictest: Verdict,
}

/// What a rule says.
#[derive(Debug, Clone)]
pub struct JudgedRule<'h> {
    /// Which.
    pub rule: &'h Rule,
    /// Whether it matches, its scope included.
    pub truth: Truth,
    /// `when`
    pub when: Option<Judged<'h>>,
    /// `unless`
    pub unless: Option<Judged<'h>>,
    /// Whether it certainly matches and took effect.
    pub effective: bool,
}

/// Explains the policy's answer to an event.
///
/// # Errors
///
/// The event names an inherited scope that the policy does not have.
pub fn explain<'h>(policy: &'h Hir, event: &Event) -> Result<Explanation<'h>, UnknownScope> {
    let answer = reference::evaluate(policy, event)?;
    let exempts: Vec<Judged<'h>> = policy
        .exempts
        .iter()
        .map(|exempt| Judged::new(exempt, event))
        .collect();
    let exempted = exempts.iter().any(|exempt| exempt.truth == Truth::True);
    let modules = if exempted {
        Vec::new()
    } else {
        policy
            .modules
            .iter()
            .filter_map(|module| JudgedModule::new(policy, module, event))
            .collect()
    };
    Ok(Explanation {
        answer,
        exempts,
        modules,
    })
}

impl<'h> Explanation<'h> {
    /// The exemption that ended it.
    #[must_use]
    pub fn exempted(&self) -> Option<&Judged<'h>> {
        self.exempts
            .iter()
            .find(|exempt| exempt.truth == Truth::True)
    }

    /// The modules whose verdict is the event's.
    pub fn deciding(&self) -> impl Iterator<Item = &JudgedModule<'h>> {
        self.modules
            .iter()
            .filter(|module| module.answer.verdict == self.answer.verdict)
    }

    /// All rules about the hook.
    pub fn rules(&self) -> impl Iterator<Item = &JudgedRule<'h>> {
        self.modules.iter().flat_map(|module| &module.rules)
    }
}

impl<'h> JudgedModule<'h> {
    /// `None` if the module says nothing about the hook.
    fn new(policy: &'h Hir, module: &'h Module, event: &Event) -> Option<Self> {
        let default = module.default_for(event.hook);
        let about = module.rules.iter().filter(|rule| rule.is_about(event.hook));
        let holds = reference::holds(module, event, event);
        let part = reference::part(policy, module, event);
        let rules: Vec<JudgedRule<'h>> = about
            .map(|rule| JudgedRule::new(rule, holds, event, &part.answer))
            .collect();
        if rules.is_empty() && default.is_none() {
            return None;
        }
        let reason = match &module.scope {
            None => Reason::Always,
            Some(scope) if event.inherited.contains(&scope.name.node) => Reason::Inherited,
            Some(scope) => Reason::Conditions {
                when: Judged::new(&scope.when, event),
                until: scope.until.as_ref().map(|until| Judged::new(until, event)),
            },
        };
        let doubt = part.answer.unknown.then(|| Doubt {
            statement: module
                .on_error_for(event.hook)
                .or_else(|| policy.modules.first()?.on_error_for(event.hook)),
            loosest: part.loosest,
            strictest: part.strictest,
        });
        let restricts = default.is_some_and(|default| default.effect != DefaultEffect::Allow);
        let by_default = restricts
            && doubt.is_none()
            && holds == Truth::True
            && !rules.iter().any(JudgedRule::overrides_default);
        Some(Self {
            module,
            holds,
            reason,
            rules,
            default,
            by_default,
            answer: part.answer,
            doubt,
        })
    }
}

impl<'h> JudgedRule<'h> {
    fn new(rule: &'h Rule, holds: Truth, event: &Event, answer: &Answer) -> Self {
        let when = rule.when.as_ref().map(|when| Judged::new(when, event));
        let unless = rule
            .unless
            .as_ref()
            .map(|unless| Judged::new(unless, event));
        let mut truth = holds;
        if let Some(part) = &when {
            truth = truth.and(part.truth);
        }
        if let Some(part) = &unless {
            truth = truth.and(part.truth.not());
        }
        Self {
            rule,
            truth,
            when,
            unless,
            effective: truth == Truth::True && answer.rules.contains(&rule.id),
        }
    }

    /// Whether the module's default does not count beside it.
    fn overrides_default(&self) -> bool {
        self.truth != Truth::False && self.rule.effect != crate::hir::Effect::Audit
    }

    /// The part of its conditions that keeps it from matching, first of all.
    /// `None` if it matches, or if only its scope keeps it.
    #[must_use]
    pub fn obstacle(&self) -> Option<&Judged<'h>> {
        let when = self.when.iter().map(|when| (when, Truth::True));
        let unless = self.unless.iter().map(|unless| (unless, Truth::False));
        let keeps = |wanted: &[Truth]| {
            when.clone()
                .chain(unless.clone())
                .find(|(part, needed)| part.truth != *needed && wanted.contains(&part.truth))
                .map(|(part, _)| part.reason())
        };
        // What is certain first: it keeps the rule from matching whatever the
        // unknown ones are.
        keeps(&[Truth::True, Truth::False]).or_else(|| keeps(&[Truth::Unknown]))
    }

    /// How many tests would have to turn out otherwise for it to match.
    #[must_use]
    pub fn distance(&self) -> usize {
        let when = self.when.iter().map(|when| when.distance(true));
        let unless = self.unless.iter().map(|unless| unless.distance(false));
        when.chain(unless).sum()
    }
}

#[cfg(test)]
mod tests;
