//! What a policy says once every statement is true, false or unknown.
//!
//! Owns the verdict of modules and of the policy, records, and which rules are
//! listed (LANGUAGE §5, §8). It must not know how truth values came about.

use lsmpc_abi::image::{Masks, OUTCOME_KILL, OUTCOME_RECORD, OUTCOME_UNKNOWN};

use crate::event::Verdict;
use crate::intern::Interner;
use crate::ir::{DefaultIr, EffectIr, ModuleIr, OnErrorIr, RuleId};

/// `EPERM`
const EPERM: u16 = 1;

/// Number of an outcome, of an event's or of the subject's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct OutcomeId(pub(crate) u32);

impl OutcomeId {
    /// Set in the number of an outcome of the subject's.
    const SUBJECT: u32 = 1 << 30;

    /// The number of the masks, if it is the subject's.
    pub(crate) fn masks(self) -> Option<u32> {
        (self.0 & Self::SUBJECT != 0).then_some(self.0 & !Self::SUBJECT)
    }
}

/// What happens to an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) errno: Option<u16>,
    pub(crate) record: bool,
    /// `on_error` decided in some module.
    pub(crate) on_error: bool,
    /// An unknown mattered, be it only for a record.
    pub(crate) unknown: bool,
    /// Sorted by number.
    pub(crate) rules: Box<[RuleId]>,
}

impl Outcome {
    /// Allowed, silent.
    pub(crate) fn allow() -> Self {
        Self {
            verdict: Verdict::Allow,
            errno: None,
            record: false,
            on_error: false,
            unknown: false,
            rules: Box::default(),
        }
    }

    /// The flags of the image.
    pub(crate) fn flags(&self) -> u32 {
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        flag(self.verdict == Verdict::Kill, OUTCOME_KILL)
            | flag(self.record, OUTCOME_RECORD)
            | flag(self.unknown || self.on_error, OUTCOME_UNKNOWN)
    }
}

/// The outcomes of an image; number 0 is "allow, silent".
#[derive(Debug)]
pub(crate) struct Outcomes {
    list: Interner<Outcome>,
    masks: Interner<Masks>,
}

impl Default for Outcomes {
    fn default() -> Self {
        let mut outcomes = Self {
            list: Interner::default(),
            masks: Interner::default(),
        };
        outcomes.intern(Outcome::allow());
        outcomes
    }
}

impl Outcomes {
    /// The number of an outcome of the subject's.
    pub(crate) fn intern_masks(&mut self, masks: Masks) -> OutcomeId {
        OutcomeId(self.masks.intern(masks).0 | OutcomeId::SUBJECT)
    }

    /// The subject's outcomes.
    pub(crate) fn masks(&self) -> &[Masks] {
        self.masks.list()
    }

    /// The number of an outcome.
    pub(crate) fn intern(&mut self, outcome: Outcome) -> OutcomeId {
        OutcomeId(self.list.intern(outcome).0)
    }

    /// Every outcome, in the order of their numbers.
    pub(crate) fn list(&self) -> &[Outcome] {
        self.list.list()
    }
}

/// What is true, and what is unknown, of one module that holds or may hold.
#[derive(Debug, Default)]
pub(crate) struct ModuleFacts {
    /// Whether the module certainly holds.
    pub(crate) holds: bool,
    /// Rules certainly true, as indices into the module's.
    pub(crate) certain: Vec<u32>,
    pub(crate) unknown_kill: bool,
    pub(crate) unknown_deny: bool,
    pub(crate) unknown_allow: bool,
    pub(crate) unknown_audit: bool,
}

/// Collects what modules say.
#[derive(Debug)]
pub(crate) struct Verdicts {
    verdict: Verdict,
    errno: Option<u16>,
    record: bool,
    on_error: bool,
    unknown: bool,
    rules: Vec<RuleId>,
}

impl Default for Verdicts {
    fn default() -> Self {
        Self {
            verdict: Verdict::Allow,
            errno: None,
            record: false,
            on_error: false,
            unknown: false,
            rules: Vec::new(),
        }
    }
}

impl Verdicts {
    fn raise(&mut self, verdict: Verdict, errno: Option<u16>) {
        self.verdict = self.verdict.max(verdict);
        if let Some(errno) = errno {
            self.errno = Some(self.errno.map_or(errno, |other| other.min(errno)));
        }
    }

    /// Adds a module that holds, or may hold.
    pub(crate) fn module(&mut self, module: &ModuleIr, facts: &ModuleFacts) {
        let default = module
            .default
            .map_or(DefaultIr::Allow, |(default, _)| default);
        let (mut kill, mut deny) = (false, false);
        let mut allows = Vec::new();
        for index in &facts.certain {
            let Some(rule) = module.rules.get(*index as usize) else {
                continue;
            };
            match rule.effect {
                EffectIr::Kill | EffectIr::Deny(_) => {
                    let (verdict, errno) = match rule.effect {
                        EffectIr::Deny(errno) => (Verdict::Deny, errno),
                        _ => (Verdict::Kill, EPERM),
                    };
                    kill |= verdict == Verdict::Kill;
                    deny |= verdict == Verdict::Deny;
                    self.raise(verdict, Some(errno));
                    self.record |= !rule.quiet;
                    self.rules.push(rule.rule);
                }
                EffectIr::Audit => {
                    self.record = true;
                    self.rules.push(rule.rule);
                }
                EffectIr::Allow => allows.push(rule.rule),
            }
        }
        if facts.unknown_audit {
            self.record = true;
            self.unknown = true;
        }

        // The verdict's bounds over every way to resolve what is unknown.
        let allow = !allows.is_empty();
        let loosest = if kill {
            Verdict::Kill
        } else if deny
            || (!allow && !facts.unknown_allow && facts.holds && default == DefaultIr::Deny)
        {
            Verdict::Deny
        } else {
            Verdict::Allow
        };
        let strictest = if kill || facts.unknown_kill {
            Verdict::Kill
        } else if deny || facts.unknown_deny || (!allow && default == DefaultIr::Deny) {
            Verdict::Deny
        } else {
            Verdict::Allow
        };

        if !kill && !deny {
            if default != DefaultIr::Allow {
                self.rules.extend(&allows);
            }
            if !allow {
                self.default(module, facts, default);
            }
        }
        if loosest != strictest {
            self.on_error = true;
            if module.on_error == OnErrorIr::Deny {
                self.raise(loosest.max(Verdict::Deny), Some(EPERM));
                self.record = true;
            }
        }
    }

    /// The default, where no deny, kill or allow is certain.
    fn default(&mut self, module: &ModuleIr, facts: &ModuleFacts, default: DefaultIr) {
        let Some((_, rule)) = module.default else {
            return;
        };
        let certain = facts.holds && !facts.unknown_allow;
        match default {
            DefaultIr::Allow => {}
            DefaultIr::Deny => {
                if certain {
                    self.raise(Verdict::Deny, Some(EPERM));
                    self.record = true;
                    self.rules.push(rule);
                }
            }
            DefaultIr::Audit => {
                self.record = true;
                if certain {
                    self.rules.push(rule);
                } else {
                    self.unknown = true;
                }
            }
        }
    }

    /// The policy's outcome.
    pub(crate) fn finish(mut self) -> Outcome {
        self.rules.sort_unstable();
        self.rules.dedup();
        Outcome {
            verdict: self.verdict,
            errno: self.errno,
            record: self.record,
            on_error: self.on_error,
            unknown: self.unknown,
            rules: self.rules.into(),
        }
    }
}
