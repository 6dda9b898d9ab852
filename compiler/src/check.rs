//! Resolution and checking: from syntax trees to the typed form.
//!
//! Owns what LANGUAGE §2–§4 and §6 say about names, types and statements. It must
//! not know how the policy is enforced, except for the catalogue's word on what
//! can be; analyses that compare rules with one another belong after it.

mod account;
mod address;
mod annotation;
mod collect;
mod condition;
mod constant;
mod kernel;
mod lets;
mod literal;
mod module;
mod names;
mod operand;
mod pattern;
mod placement;
mod rule;
mod scope;
mod set;
mod sticky;
mod testing;

use lsmpc_syntax::Span;
use lsmpc_syntax::ast::File;
use rustc_hash::FxHashMap;

use crate::code::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::hir::{FieldTest, Hir, Place};
use crate::options::Options;
use crate::source::SourceMap;
use lets::Lets;
use module::ModuleNotes;

/// Most errors that checking reports, and most warnings and hints.
const MAX_REPORTS: usize = 1000;

/// What checking finds out.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Whole only if there are no errors.
    pub(crate) hir: Hir,
    /// In no particular order, possibly repeated.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// How much of the policy is there to be checked. What a part that is missing may
/// say is not held against the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    Whole,
    /// Some statements could not be parsed.
    Broken,
    /// Some files could not be read.
    Missing,
}

/// Checks all files of a policy.
pub(crate) fn check(sources: &SourceMap, files: &[File], text: Text, options: &Options) -> Checked {
    let mut checker = Checker {
        sources,
        text,
        options,
        diagnostics: Vec::new(),
        lets: Lets::default(),
        scope: None,
        via: Vec::new(),
        silenced: Vec::new(),
        let_sets: FxHashMap::default(),
        nodes: 0,
        errors: 0,
        warnings: 0,
        unsaid: 0,
        ids: FxHashMap::default(),
        notes: Vec::new(),
        hir: Hir::default(),
    };
    checker.kernel();
    checker.policy(files);
    checker.sticky();
    checker.overflow();
    Checked {
        hir: checker.hir,
        diagnostics: checker.diagnostics,
    }
}

struct Checker<'a> {
    sources: &'a SourceMap,
    text: Text,
    options: &'a Options,
    diagnostics: Vec<Diagnostic>,
    lets: Lets<'a>,
    /// The scope whose names are visible, if any.
    scope: Option<usize>,
    /// Where the `let`s that are being looked into are used, the outermost first.
    via: Vec<Span>,
    /// Codes that the rule at hand does not want to hear.
    silenced: Vec<Code>,
    /// Sets of `let`s, as tests of a field.
    let_sets: FxHashMap<lets::SetKey, Option<FieldTest>>,
    /// Conditions of the whole policy, after `let`s are put in.
    nodes: u64,
    /// How many errors were reported.
    errors: usize,
    /// How many warnings and hints were.
    warnings: usize,
    /// How many of those were not.
    unsaid: usize,
    /// `@id`s so far.
    ids: FxHashMap<String, Span>,
    /// One for each module of `hir`.
    notes: Vec<ModuleNotes>,
    hir: Hir,
}

impl Checker<'_> {
    fn report(&mut self, mut diagnostic: Diagnostic) {
        if diagnostic.severity != Severity::Error && self.silenced.contains(&diagnostic.code) {
            return;
        }
        if self.text == Text::Missing && diagnostic.code == Code::UnknownName {
            return;
        }
        if let Some(&span) = self.via.last() {
            diagnostic = diagnostic.also(span, "used here");
        }
        if diagnostic.is_error() {
            self.errors = self.errors.saturating_add(1);
            if self.is_full() {
                return;
            }
        } else if self.warnings >= MAX_REPORTS {
            self.unsaid = self.unsaid.saturating_add(1);
            return;
        } else {
            self.warnings = self.warnings.saturating_add(1);
        }
        self.diagnostics.push(diagnostic);
    }

    /// Whether a warning or hint would be shown, which then need not be made. If not, it
    /// is counted.
    fn says(&mut self, code: Code) -> bool {
        if self.silenced.contains(&code) {
            return false;
        }
        let says = self.warnings < MAX_REPORTS;
        if !says {
            self.unsaid = self.unsaid.saturating_add(1);
        }
        says
    }

    /// Whether no more errors are shown.
    const fn is_full(&self) -> bool {
        self.errors > MAX_REPORTS
    }

    /// Says how much was not said.
    fn overflow(&mut self) {
        let more = self.errors.saturating_sub(MAX_REPORTS);
        if more > 0 {
            self.diagnostics.push(
                Diagnostic::placeless(
                    Code::TooManyErrors,
                    format!("{more} more errors are not shown"),
                )
                .help("repair those that are, then check again"),
            );
        }
        if self.unsaid > 0
            && let Some(last) = self.diagnostics.last_mut()
        {
            let unsaid = self.unsaid;
            last.notes
                .push(format!("{unsaid} more warnings and hints are not shown"));
        }
    }

    /// Where a span begins, for reports.
    fn place(&self, span: Span) -> Place {
        let Some(file) = self.sources.get(span.file) else {
            return Place::default();
        };
        let position = file.position(span.start);
        Place {
            file: file.name(),
            line: position.line,
            column: position.column,
        }
    }

    /// What stands at a span, in quotes for a message, shortened.
    fn quoted(&self, span: Span) -> String {
        let text = self.sources.snippet(span).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        let short: String = line.chars().take(40).collect();
        if short.len() == text.len() {
            format!("`{short}`")
        } else {
            format!("`{short}…`")
        }
    }
}

#[cfg(test)]
mod tests;
