//! What is shown: diagnostics for people and as JSON, events, tables.

pub(crate) mod diff;
pub(crate) mod event;
mod human;
mod json;
mod sarif;
mod selection;
pub(crate) mod tables;
pub(crate) mod test;
pub(crate) mod text;
mod value;
pub(crate) mod why;

pub(crate) use human::{Note, diagnostics as human_diagnostics, notes};
pub(crate) use json::{diagnostic as json_diagnostic, place_of};
pub(crate) use sarif::log as sarif_log;
pub(crate) use selection::Selection;

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
    pub(crate) fn of<'d>(diagnostics: impl IntoIterator<Item = &'d Diagnostic>) -> Self {
        let mut tally = Self::default();
        for diagnostic in diagnostics {
            match diagnostic.severity {
                Severity::Error => tally.errors += 1,
                Severity::Warning => tally.warnings += 1,
                Severity::Hint => tally.hints += 1,
            }
        }
        tally
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
