//! What is shown: diagnostics for people and as JSON, events, tables.

pub(crate) mod event;
mod human;
mod json;
pub(crate) mod tables;
pub(crate) mod text;
mod value;

pub(crate) use human::diagnostics as human_diagnostics;
pub(crate) use json::diagnostic as json_diagnostic;

use lsmpc_compiler::diagnostic::{Diagnostic, Severity};

/// How many of each severity there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
    pub(crate) hints: usize,
}

impl Tally {
    /// Counts.
    pub(crate) fn of(diagnostics: &[Diagnostic]) -> Self {
        let count = |severity| {
            diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.severity == severity)
                .count()
        };
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            hints: count(Severity::Hint),
        }
    }

    /// `2 errors, 1 warning`; empty when there is nothing.
    pub(crate) fn text(self) -> String {
        [
            (self.errors, "error"),
            (self.warnings, "warning"),
            (self.hints, "hint"),
        ]
        .into_iter()
        .filter(|(count, _)| *count != 0)
        .map(|(count, word)| text::count(count, word))
        .collect::<Vec<_>>()
        .join(", ")
    }
}
