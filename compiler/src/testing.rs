//! Runs a policy's tests (LANGUAGE §3 and §8).
//!
//! Owns the events that a test describes, whether an expectation is met, and what
//! is said where it is not. Every event is answered by the policy's meaning and by
//! its tables; that the two agree is part of every test.

mod formula;
mod open;
mod report;
mod texts;
mod values;

use std::collections::BTreeMap;

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;
use lsmpc_syntax::{Span, Spanned};

use crate::analysis::world::absent;
use crate::diagnostic::Diagnostic;
use crate::event::{Answer, Event, FieldValue, Verdict};
use crate::hir::{Binding, Expected, Hir, Test, TestStep};
use crate::reference;
use crate::tables::Tables;
use open::{Fate, fate};

/// What became of a test.
#[derive(Debug, Clone)]
pub struct Tested {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// How many expectations it has.
    pub expectations: usize,
    /// Why it fails, one for each expectation that is not met.
    pub failures: Vec<Diagnostic>,
}

impl Tested {
    /// Whether every expectation was met.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Runs all tests of a policy, in source order. `tables` are the policy's.
#[must_use]
pub fn run(policy: &Hir, tables: &Tables) -> Vec<Tested> {
    policy
        .tests
        .iter()
        .map(|test| one(policy, tables, test))
        .collect()
}

fn one(policy: &Hir, tables: &Tables, test: &Test) -> Tested {
    let name = String::from_utf8_lossy(&test.name.node).into_owned();
    let mut given = Given::default();
    let mut expectations: usize = 0;
    let mut failures = Vec::new();
    for step in &test.steps {
        match step {
            TestStep::Given(bindings) => given.bind(bindings),
            TestStep::Expect {
                verdict,
                hook,
                bindings,
                span,
            } => {
                expectations = expectations.saturating_add(1);
                let mut all = given.clone();
                all.bind(bindings);
                let expectation = Expectation {
                    test: &name,
                    expected: *verdict,
                    event: all.event(hook),
                    span: *span,
                };
                failures.extend(expectation.check(policy, tables));
            }
        }
    }
    Tested {
        name,
        span: test.name.span,
        expectations,
        failures,
    }
}

/// What is bound so far.
#[derive(Debug, Clone, Default)]
struct Given {
    values: BTreeMap<FieldId, FieldValue>,
    inherited: Vec<String>,
}

impl Given {
    fn bind(&mut self, bindings: &[Binding]) {
        for binding in bindings {
            match binding {
                Binding::Field(field, value, _) => {
                    self.values.insert(*field, value.clone());
                }
                Binding::Inherited(scopes, _) => self.inherited.clone_from(scopes),
            }
        }
    }

    /// The event; what its hook does not have is left out, and what cannot apply
    /// beside what is bound does not.
    fn event(self, hook: &Spanned<lsmpc_abi::hook::HookId>) -> Event {
        let mut event = Event::new(hook.node);
        event.values = self.values;
        event
            .values
            .retain(|field, _| catalogue::hook(hook.node).has(*field));
        event.inherited = self.inherited;
        for field in absent(&event) {
            event.values.insert(field, FieldValue::None);
        }
        event
    }
}

/// One `expect`.
#[derive(Debug)]
struct Expectation<'t> {
    test: &'t str,
    expected: Expected,
    event: Event,
    span: Span,
}

impl Expectation<'_> {
    /// What is wrong, if something is.
    fn check(&self, policy: &Hir, tables: &Tables) -> Option<Diagnostic> {
        let reference = match reference::evaluate(policy, &self.event) {
            Ok(answer) => answer,
            Err(error) => return Some(report::internal(self, &error.to_string())),
        };
        match tables.evaluate(&self.event) {
            Ok(answer) if answer == reference => {}
            Ok(answer) => {
                let what = format!(
                    "its meaning gives {}, its tables give {}",
                    reference.to_json_line(),
                    answer.to_json_line()
                );
                return Some(report::internal(self, &what));
            }
            Err(error) => return Some(report::internal(self, &error.to_string())),
        }
        match fate(policy, &self.event, &|answer| meets(self.expected, answer)) {
            Fate::Settled { met: true, .. } => None,
            Fate::Settled { event, answer, .. } => {
                // What is open and plays no part need not be shown.
                let plain = answer == reference && !reference.unknown;
                let shown = if plain { &self.event } else { &event };
                Some(report::missed(self, policy, shown, &answer))
            }
            Fate::Depends(swings) => Some(report::depends(self, &swings)),
            Fate::TooMany(fields) => Some(report::too_many(self, &fields)),
        }
    }
}

/// Whether an answer is the one expected.
fn meets(expected: Expected, answer: &Answer) -> bool {
    let denied = answer.verdict == Verdict::Deny;
    let allowed = answer.verdict == Verdict::Allow;
    match expected {
        Expected::Deny(None) => denied,
        Expected::Deny(errno) => denied && answer.errno == errno,
        Expected::Allow => allowed,
        Expected::Kill => answer.verdict == Verdict::Kill,
        Expected::Audit => allowed && answer.record,
        Expected::Quiet => allowed && !answer.record,
    }
}

#[cfg(test)]
mod tests;
