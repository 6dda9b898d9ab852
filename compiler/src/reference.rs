//! What a policy means, done slowly and plainly: LANGUAGE §5 and §8 sentence by
//! sentence, over the typed form.
//!
//! Owns an evaluator that everything faster is compared with. It must share no
//! logic with the intermediate form, with lowering or with the engine.

mod cond;
mod matcher;

use lsmpc_abi::hook::HookId;

use crate::event::{Answer, Event, Verdict};
use crate::hir::{DefaultEffect, Effect, Hir, Module};

pub use cond::Truth;
pub(crate) use cond::{Oracle, passes, truth};

const EPERM: u16 = 1;

/// The name of an inherited scope in an event that the policy does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope `{0}`: the policy has no scope of that name with `inherit`")]
pub struct UnknownScope(String);

/// The policy's answer to an event.
///
/// # Errors
///
/// The event names an inherited scope that the policy does not have.
pub fn evaluate(policy: &Hir, event: &Event) -> Result<Answer, UnknownScope> {
    check_scopes(policy, event)?;
    Ok(answer(policy, event, event))
}

/// Whether the policy has the scopes that the event names.
///
/// # Errors
///
/// The first one that it does not have.
pub(crate) fn check_scopes(policy: &Hir, event: &Event) -> Result<(), UnknownScope> {
    for name in &event.inherited {
        let known = policy
            .modules
            .iter()
            .filter_map(|module| module.scope.as_ref())
            .any(|scope| scope.inherit && scope.name.node == *name);
        if !known {
            return Err(UnknownScope(name.clone()));
        }
    }
    Ok(())
}

/// The policy's answer to an event, of which `oracle` tells the fields.
pub(crate) fn answer(policy: &Hir, event: &Event, oracle: &dyn Oracle) -> Answer {
    // §5.1: an exemption that is certain ends it; one that is unknown does not
    // apply.
    if policy
        .exempts
        .iter()
        .any(|exempt| cond::truth(exempt, oracle) == Truth::True)
    {
        return Answer::allow();
    }

    let mut answer = Answer::allow();
    for module in &policy.modules {
        let said = Said::by(module, event, oracle);
        said.add_to(&mut answer, on_error_denies(policy, module, event.hook));
    }
    if answer.verdict == Verdict::Kill {
        answer.errno = Some(EPERM);
    }
    answer.rules.sort();
    answer.rules.dedup();
    answer
}

/// What one module by itself comes to.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// Its answer.
    pub(crate) answer: Answer,
    /// The verdicts that resolving its unknown statements can lead to.
    pub(crate) loosest: Verdict,
    /// See `loosest`.
    pub(crate) strictest: Verdict,
}

/// One module's part in the answer to an event that is not exempt.
pub(crate) fn part(policy: &Hir, module: &Module, event: &Event) -> Part {
    let said = Said::by(module, event, event);
    let (loosest, strictest) = (said.loosest(), said.strictest());
    let mut answer = Answer::allow();
    said.add_to(&mut answer, on_error_denies(policy, module, event.hook));
    Part {
        answer,
        loosest,
        strictest,
    }
}

/// The scope's own `on_error`, else the one outside scopes, else deny.
fn on_error_denies(policy: &Hir, module: &Module, hook: HookId) -> bool {
    module
        .on_error_for(hook)
        .or_else(|| policy.modules.first()?.on_error_for(hook))
        .is_none_or(|on_error| on_error.deny)
}

/// Whether a module's statements count for the event.
pub(crate) fn holds(module: &Module, event: &Event, oracle: &dyn Oracle) -> Truth {
    let Some(scope) = &module.scope else {
        return Truth::True;
    };
    if event.inherited.contains(&scope.name.node) {
        return Truth::True;
    }
    let when = cond::truth(&scope.when, oracle);
    match &scope.until {
        Some(until) => when.and(cond::truth(until, oracle).not()),
        None => when,
    }
}

/// What one module's statements come to for one event.
#[derive(Default)]
struct Said {
    kill: Seen,
    deny: Seen,
    allow: Seen,
    audit: Seen,
    default: Option<DefaultEffect>,
    /// Whether the default counts for certain.
    default_is_certain: bool,
    default_id: String,
}

/// The rules of one effect that may be true.
#[derive(Default)]
struct Seen {
    /// Ids of those that are certainly true.
    certain: Vec<String>,
    /// Whether one of those asks for a record.
    loud: bool,
    /// The smallest errno of those.
    errno: Option<u16>,
    /// Whether some are unknown.
    unknown: bool,
}

impl Seen {
    fn is_certain(&self) -> bool {
        !self.certain.is_empty()
    }

    fn is_possible(&self) -> bool {
        self.is_certain() || self.unknown
    }
}

impl Said {
    fn by(module: &Module, event: &Event, oracle: &dyn Oracle) -> Self {
        let holds = holds(module, event, oracle);
        let mut said = Self::default();
        if holds == Truth::False {
            return said;
        }
        for rule in &module.rules {
            if !rule.is_about(event.hook) {
                continue;
            }
            // A scope whose condition is unknown makes each of its statements at
            // most unknown.
            let mut truth = holds;
            if let Some(when) = &rule.when {
                truth = truth.and(cond::truth(when, oracle));
            }
            if let Some(unless) = &rule.unless {
                truth = truth.and(cond::truth(unless, oracle).not());
            }
            let (seen, errno) = match rule.effect {
                Effect::Kill => (&mut said.kill, EPERM),
                Effect::Deny(errno) => (&mut said.deny, errno),
                Effect::Allow => (&mut said.allow, 0),
                Effect::Audit => (&mut said.audit, 0),
            };
            match truth {
                Truth::False => {}
                Truth::Unknown => seen.unknown = true,
                Truth::True => {
                    seen.certain.push(rule.id.clone());
                    seen.loud |= !rule.notes.quiet;
                    seen.errno = Some(seen.errno.map_or(errno, |least| least.min(errno)));
                }
            }
        }
        if let Some(default) = module.default_for(event.hook) {
            said.default = Some(default.effect);
            said.default_is_certain = holds == Truth::True;
            said.default_id = format!("default:{}", module.name());
        }
        said
    }

    /// The verdict if every unknown statement turned out as leniently as it can.
    fn loosest(&self) -> Verdict {
        if self.kill.is_certain() {
            Verdict::Kill
        } else if self.deny.is_certain() {
            Verdict::Deny
        } else if self.allow.is_possible() {
            Verdict::Allow
        } else if self.default == Some(DefaultEffect::Deny) && self.default_is_certain {
            Verdict::Deny
        } else {
            Verdict::Allow
        }
    }

    /// The verdict if every unknown statement turned out as strictly as it can.
    fn strictest(&self) -> Verdict {
        if self.kill.is_possible() {
            Verdict::Kill
        } else if self.deny.is_possible() {
            Verdict::Deny
        } else if self.allow.is_certain() {
            Verdict::Allow
        } else if self.default == Some(DefaultEffect::Deny) {
            Verdict::Deny
        } else {
            Verdict::Allow
        }
    }

    fn add_to(self, answer: &mut Answer, on_error_denies: bool) {
        let loosest = self.loosest();
        let mut verdict = loosest;
        let mut errno = None;
        if loosest != self.strictest() {
            answer.unknown = true;
            if on_error_denies {
                verdict = loosest.max(Verdict::Deny);
                errno = Some(EPERM);
                answer.record = true;
            }
        }

        let overruled = self.kill.is_certain() || self.deny.is_certain();
        let default_decides = !overruled && !self.allow.is_certain();
        if verdict == Verdict::Deny && errno.is_none() {
            // By rules, or by the default.
            errno = self.deny.errno.or(Some(EPERM));
        }

        // §5.4: records.
        answer.record |= self.kill.loud && self.kill.is_certain();
        answer.record |= self.deny.loud && self.deny.is_certain();
        answer.record |= self.audit.is_possible();
        answer.record |= match self.default {
            Some(DefaultEffect::Audit) => default_decides,
            Some(DefaultEffect::Deny) => default_decides && verdict == Verdict::Deny,
            Some(DefaultEffect::Allow) | None => false,
        };

        // §8: what certainly took effect.
        let restricts = matches!(
            self.default,
            Some(DefaultEffect::Deny | DefaultEffect::Audit)
        );
        if restricts && default_decides && !self.allow.unknown && self.default_is_certain {
            answer.rules.push(self.default_id);
        }
        if restricts && !overruled {
            answer.rules.extend(self.allow.certain);
        }
        answer.rules.extend(self.kill.certain);
        answer.rules.extend(self.deny.certain);
        answer.rules.extend(self.audit.certain);

        // §5.3: the strictest module; of several errnos the smallest.
        if verdict >= Verdict::Deny {
            let errno = errno.unwrap_or(EPERM);
            answer.errno = Some(answer.errno.map_or(errno, |least| least.min(errno)));
        }
        answer.verdict = answer.verdict.max(verdict);
    }
}

#[cfg(test)]
mod tests;
