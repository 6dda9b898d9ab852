//! What analyses have to say, within bounds.
//!
//! Owns `@silence`, how many warnings of one code are shown, and saying what was
//! not decided. It must not know what is analysed.

use std::collections::BTreeMap;

use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::hir::Rule;

/// Most warnings of one code.
const MAX_WARNINGS: usize = 100;

/// Collects diagnostics.
#[derive(Debug, Default)]
pub(super) struct Reports {
    diagnostics: Vec<Diagnostic>,
    counts: BTreeMap<Code, usize>,
    /// What was not decided, and why.
    undecided: Vec<(String, String)>,
}

impl Reports {
    /// Says something.
    pub(super) fn add(&mut self, diagnostic: Diagnostic) {
        let count = self.counts.entry(diagnostic.code).or_default();
        *count = count.saturating_add(1);
        if *count <= MAX_WARNINGS || diagnostic.is_error() {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Says something of a rule, unless that does not want to hear it.
    pub(super) fn of_rule(&mut self, rule: &Rule, diagnostic: Diagnostic) {
        if !rule.notes.silenced.contains(&diagnostic.code) {
            self.add(diagnostic);
        }
    }

    /// Notes that a question was not decided.
    pub(super) fn undecided(&mut self, question: String, reason: &str) {
        self.undecided.push((question, reason.to_owned()));
    }

    /// Everything that is to be said.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        for (code, count) in self.counts {
            let more = count.saturating_sub(MAX_WARNINGS);
            let last = self
                .diagnostics
                .iter_mut()
                .rev()
                .find(|found| found.code == code && !found.is_error());
            if let Some(last) = last.filter(|_| more > 0) {
                last.notes
                    .push(format!("{more} more like this are not shown"));
            }
        }
        let mut undecided = self.undecided.into_iter();
        if let Some((question, reason)) = undecided.next() {
            let mut hint =
                Diagnostic::placeless(Code::NotDecided, format!("not decided: {question}"))
                    .note(reason)
                    .help("the policy is enforced as it is written; nothing is claimed about this");
            for (question, reason) in undecided {
                hint = hint.note(format!("nor {question}: {reason}"));
            }
            self.diagnostics.push(hint);
        }
        self.diagnostics
    }
}
