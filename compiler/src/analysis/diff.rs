//! What two policies do differently.
//!
//! Owns the comparison: hook by hook, over every event that can happen, which
//! verdicts, errnos and records differ, with an event for each way in which they do.
//! Differences that only show where a field is unknown are found and told apart. It
//! must not know how answers are shown.

mod answer;
mod both;
mod join;
mod scopes;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_abi::image::STICKY_BITS;
use lsmpc_syntax::Span;

use super::frame::{Decided, Frame, translator};
use super::search::{Found, Reach};
use super::stuck::Stuck;
use crate::event::{Event, Verdict};
use crate::hir::Hir;
use crate::ir::{Cond, HookIr};
use crate::irgen;
use crate::lower::node::Node;
use crate::lower::outcome::OutcomeId;
pub use crate::reference::Truth;
use answer::{answered, unknown};
use both::{Both, Pair};
use join::{Joined, Shared, join};

/// One of two policies, and where it is in force.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The policy.
    pub policy: &'a Hir,
    /// Hooks on which it is not enforced: there it allows everything.
    pub left_out: &'a [HookId],
}

impl<'a> Side<'a> {
    /// A policy that is enforced on all its hooks.
    #[must_use]
    pub const fn whole(policy: &'a Hir) -> Self {
        Self {
            policy,
            left_out: &[],
        }
    }
}

/// What a policy does with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reaction {
    /// The verdict.
    pub verdict: Verdict,
    /// The errno returned, unless allowed.
    pub errno: Option<u16>,
    /// Whether a record is emitted.
    pub record: bool,
}

/// A statement that took part in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decider {
    /// The rule's id; `default:SCOPE`; `exempt`.
    pub id: String,
    /// Where it stands.
    pub span: Span,
}

/// What one of the policies does with an event, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What it does.
    pub reaction: Reaction,
    /// Whether `on_error` decided in some module.
    pub on_error: bool,
    /// What took effect, in source order.
    pub deciders: Vec<Decider>,
    /// Scopes that stick to the event's task and that this policy does not have, or
    /// does not have with `inherit`: to evaluate the event it must not name them.
    pub without: Vec<String>,
}

/// How reactions differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// What was allowed is denied.
    Denied,
    /// What was allowed or only denied kills the task.
    Killed,
    /// What was denied is allowed, or what killed.
    Allowed,
    /// What killed the task only denies.
    NotKilled,
    /// Another errno.
    Errno,
    /// There is a record now.
    Recorded,
    /// There is none any more.
    NotRecorded,
}

impl Kind {
    /// In words: `now denied`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "now denied",
            Self::Killed => "now killed",
            Self::Allowed => "now allowed",
            Self::NotKilled => "no longer killed",
            Self::Errno => "other errno",
            Self::Recorded => "now recorded",
            Self::NotRecorded => "no longer recorded",
        }
    }
}

/// Events of a hook with which the two do something different, all in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The hook.
    pub hook: HookId,
    /// One of the events.
    pub event: Event,
    /// Fields that are unknown in it; if there are any, no event with all fields known
    /// shows this change.
    pub unknown: Vec<FieldId>,
    /// Inherited scopes of which it is unknown whether they stick to the task, which no
    /// event can say; if there are any, no other event shows this change.
    pub doubtful: Vec<String>,
    /// What the first does.
    pub before: Answered,
    /// What the second does.
    pub after: Answered,
}

impl Change {
    /// How the two differ.
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        let (before, after) = (self.before.reaction, self.after.reaction);
        let verdict = match (before.verdict, after.verdict) {
            (Verdict::Allow, Verdict::Deny) => Some(Kind::Denied),
            (Verdict::Allow | Verdict::Deny, Verdict::Kill) => Some(Kind::Killed),
            (Verdict::Deny | Verdict::Kill, Verdict::Allow) => Some(Kind::Allowed),
            (Verdict::Kill, Verdict::Deny) => Some(Kind::NotKilled),
            _ => None,
        };
        let errnos = before.errno.zip(after.errno);
        let errno = errnos
            .is_some_and(|(one, other)| one != other)
            .then_some(Kind::Errno);
        let record = match (before.record, after.record) {
            (false, true) => Some(Kind::Recorded),
            (true, false) => Some(Kind::NotRecorded),
            _ => None,
        };
        verdict.into_iter().chain(errno).chain(record).collect()
    }
}

/// What changes about how an inherited scope sticks to tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopePart {
    /// When it begins to.
    Begins,
    /// What ends it.
    Ends,
}

/// An inherited scope of both that begins or ends for other tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeChange {
    /// The scope.
    pub scope: String,
    /// What changes.
    pub part: ScopePart,
    /// A subject that shows it; the hook says nothing.
    pub subject: Event,
    /// Whether the first begins or ends there.
    pub before: Truth,
    /// Whether the second does.
    pub after: Truth,
}

/// A question without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotDecided {
    /// What it is about: a hook's name, or `scope NAME`.
    pub about: String,
    /// Why.
    pub reason: String,
}

/// What two policies do differently.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// By hook.
    pub changes: Vec<Change>,
    /// By scope.
    pub scopes: Vec<ScopeChange>,
    /// Hooks that one of them names and on which they do the same.
    pub equal: Vec<HookId>,
    /// What was too much to decide.
    pub undecided: Vec<NotDecided>,
}

impl Comparison {
    /// Whether the two certainly do the same with every event.
    #[must_use]
    pub fn is_equivalent(&self) -> bool {
        self.changes.is_empty() && self.scopes.is_empty() && self.undecided.is_empty()
    }
}

/// Compares two policies.
#[must_use]
pub fn compare(before: Side<'_>, after: Side<'_>) -> Comparison {
    let built = irgen::build(after.policy);
    let joined = join(irgen::build(before.policy), &built);
    let mut comparer = Comparer {
        before,
        after,
        joined: &joined,
        frame: Frame::default(),
        stuck: Stuck::default(),
        used: 0,
        found: Comparison::default(),
    };
    comparer.run();
    comparer.found
}

struct Comparer<'a> {
    before: Side<'a>,
    after: Side<'a>,
    joined: &'a Joined,
    frame: Frame,
    stuck: Stuck,
    /// Bits that what the two do depends on.
    used: u64,
    found: Comparison,
}

/// Hooks that are named, as far as they are in force.
fn enforced<'h>(hooks: &'h [HookIr], side: &Side<'_>, hook: HookId) -> Option<&'h HookIr> {
    let found = hooks.iter().find(|found| found.hook == hook)?;
    (!side.left_out.contains(&hook)).then_some(found)
}

fn bit(number: u32) -> u64 {
    1_u64.checked_shl(number).unwrap_or(0)
}

impl Comparer<'_> {
    fn run(&mut self) {
        let joined = self.joined;
        let moved: Vec<&Shared> = joined
            .shared
            .iter()
            .filter(|scope| !scopes::are_alike(scope))
            .collect();
        let too_many = (joined.ir.sticky.len() > STICKY_BITS as usize).then(|| {
            format!("the two together have more than {STICKY_BITS} things that stick to tasks")
        });
        let stuck = match too_many {
            Some(reason) => Err(reason),
            None => Stuck::new(&joined.ir, &mut self.frame).map(|stuck| self.stuck = stuck),
        };
        for hook in HookId::ALL {
            let one = enforced(&joined.ir.hooks, &self.before, *hook);
            let other = enforced(&joined.after, &self.after, *hook);
            if one.is_none() && other.is_none() {
                continue;
            }
            let silent = HookIr {
                hook: *hook,
                exempt: Cond::Const(false),
                modules: Vec::new(),
            };
            let (one, other) = (one.unwrap_or(&silent), other.unwrap_or(&silent));
            if moved.is_empty() && join::are_alike(one, other) {
                self.found.equal.push(*hook);
            } else if let Err(reason) = &stuck {
                self.not_decided(*hook, reason.clone());
            } else {
                self.hook(one, other);
            }
        }
        for scope in moved {
            // What nothing depends on may stick as it likes.
            if self.used & bit(scope.number) == 0 {
                continue;
            }
            match scopes::compare(&joined.ir, scope, &mut self.frame, &self.stuck) {
                Ok(changes) => self.found.scopes.extend(changes),
                Err(reason) => self.found.undecided.push(NotDecided {
                    about: format!("scope {}", scope.name),
                    reason,
                }),
            }
        }
    }

    fn not_decided(&mut self, hook: HookId, reason: String) {
        self.used = u64::MAX;
        self.found.undecided.push(NotDecided {
            about: hook.name().to_owned(),
            reason,
        });
    }

    fn hook(&mut self, one: &HookIr, other: &HookIr) {
        let hook = one.hook;
        let mut doubt = None;
        let mut decided = self.decide(one, other, true);
        if let Err(reason) = decided {
            doubt = Some(reason);
            decided = self.decide(one, other, false);
        }
        let decided = match decided {
            Ok(decided) => decided,
            Err(reason) => return self.not_decided(hook, reason),
        };
        self.used |= sticky_of(&decided);
        match self.changes(&decided) {
            Ok(changes) if changes.is_empty() && doubt.is_none() => self.found.equal.push(hook),
            Ok(changes) => self.found.changes.extend(changes),
            Err(reason) => return self.not_decided(hook, reason),
        }
        if let Some(reason) = doubt {
            self.not_decided(hook, format!("where fields are unknown: {reason}"));
        }
    }

    fn decide<'h>(
        &mut self,
        one: &'h HookIr,
        other: &'h HookIr,
        unknown: bool,
    ) -> Result<Decided<Both<'h>>, String> {
        let ir = &self.joined.ir;
        self.frame
            .decide(one.hook, unknown, |variables, formulas, order| {
                let mut translator = translator(ir, variables, formulas, order);
                Both::new(one, other, &mut translator)
            })
    }

    /// A change for each way in which the two differ.
    fn changes(&self, decided: &Decided<Both<'_>>) -> Result<Vec<Change>, String> {
        let mut ends: Vec<(Pair, OutcomeId)> = decided
            .terminals()
            .into_iter()
            .filter_map(|end| Some((*decided.model.pairs.get(end.0 as usize)?, end)))
            .filter(|((before, after), _)| before != after)
            .collect();
        ends.sort_unstable();
        let mut changes = Vec::new();
        for (pair, end) in ends {
            for reach in [Reach::Known, Reach::Unknown, Reach::Doubtful] {
                let found = decided.find(&self.stuck, reach, |other| other == end)?;
                if let Some(found) = found {
                    changes.push(self.change(pair, found)?);
                    break;
                }
            }
        }
        // What is certain first.
        changes.sort_by_key(|change: &Change| {
            (!change.doubtful.is_empty(), !change.unknown.is_empty())
        });
        Ok(changes)
    }

    fn change(&self, (before, after): Pair, found: Found) -> Result<Change, String> {
        let Found { event, doubtful } = found;
        Ok(Change {
            hook: event.hook,
            unknown: unknown(&event),
            before: answered(&self.before, &event, before, &doubtful)?,
            after: answered(&self.after, &event, after, &doubtful)?,
            event,
            doubtful,
        })
    }
}

/// The bits of what sticks that a diagram looks at.
fn sticky_of<M>(decided: &Decided<M>) -> u64 {
    let mut bits = 0;
    for part in &decided.parts {
        for node in decided.nodes.survey(part.root).nodes {
            if let Some(Node::Bits {
                field: FieldId::Sticky,
                mask,
                ..
            }) = decided.nodes.list().get(node as usize)
            {
                bits |= mask;
            }
        }
    }
    bits
}
