//! From files to a checked policy, in one call.
//!
//! Owns the order of the stages and what a caller gets; below it the analyses that
//! compare statements with one another (LANGUAGE §6), over classes of field values
//! as tables are made of them. It must not know what the stages before do.

mod constant;
pub mod diff;
mod dominance;
mod frame;
mod lockout;
mod promise;
mod report;
mod route;
mod rules;
mod rulesets;
mod search;
mod stuck;
mod text;
mod truths;
mod value;
pub(crate) mod world;

use std::collections::BTreeSet;
use std::path::PathBuf;

use lsmpc_syntax::Span;

use crate::check::{self, Text};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, arrange};
use crate::discard::discard;
use crate::hir::Hir;
use crate::ir::Ir;
use crate::irgen;
use crate::load;
use crate::lower::Ground;
use crate::options::Options;
use crate::source::{SourceMap, SourceReader};
use report::Reports;

/// Trees of more statements are taken apart beside what goes on.
const MANY: usize = 1000;

/// What an analysis finds out.
#[derive(Debug, Default)]
pub struct Analysis {
    /// Every file that was read.
    pub sources: SourceMap,
    /// By file and place, without repetitions.
    pub diagnostics: Vec<Diagnostic>,
    /// The policy with its meaning; absent if statements have errors.
    pub hir: Option<Hir>,
    /// The policy ready to lower; absent if statements have errors.
    pub ir: Option<Ir>,
}

impl Analysis {
    /// Whether the policy is refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Compares the statements of a policy without errors with one another:
    /// `assert`s that do not hold are errors, rules that change nothing warnings.
    /// What the policy means stays: it can still be evaluated.
    pub fn examine(&mut self) {
        let found = self.findings(&Ground::default());
        self.add(found);
    }

    /// What [`Analysis::examine`] would add. Where the policy is lowered as well, its
    /// groundwork need not be laid twice.
    #[must_use]
    pub fn findings(&self, ground: &Ground) -> Vec<Diagnostic> {
        match (&self.hir, &self.ir) {
            (Some(hir), Some(ir)) => examine(hir, ir, ground, &self.diagnostics),
            _ => Vec::new(),
        }
    }

    /// Adds diagnostics in their places.
    pub fn add(&mut self, diagnostics: Vec<Diagnostic>) {
        self.diagnostics.extend(diagnostics);
        arrange(&mut self.diagnostics);
    }
}

/// Whether a diagnostic is about a text that could not be read anyway.
fn is_about(diagnostic: &Diagnostic, broken: &[Span]) -> bool {
    diagnostic
        .primary
        .as_ref()
        .is_some_and(|label| broken.contains(&label.span))
}

/// Whether it is about a file that could not be read.
fn is_missing(diagnostic: &Diagnostic) -> bool {
    matches!(
        diagnostic.code,
        Code::Unreadable
            | Code::NotUtf8
            | Code::FileTooLarge
            | Code::IncludeNotFound
            | Code::IncludeOutside
            | Code::PolicyIsDirectory
            | Code::PolicyTooLarge
    )
}

/// Reads the policy files and all that they include, and checks them.
#[must_use]
pub fn analyse(roots: &[PathBuf], reader: &dyn SourceReader, options: &Options) -> Analysis {
    let loaded = load::load(roots, reader, options.allow_outside, load::MAX_POLICY_BYTES);
    let mut diagnostics = loaded.diagnostics;
    let text = if diagnostics.iter().any(is_missing) {
        Text::Missing
    } else if diagnostics.iter().any(Diagnostic::is_error) {
        Text::Broken
    } else {
        Text::Whole
    };
    let checked = check::check(&loaded.sources, &loaded.files, text, options);
    // The trees are not needed any more.
    let statements: usize = loaded.files.iter().map(|file| file.statements.len()).sum();
    if statements > MANY {
        discard(loaded.files);
    } else {
        drop(loaded.files);
    }
    let broken: Vec<Span> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .filter_map(|diagnostic| Some(diagnostic.primary.as_ref()?.span))
        .collect();
    diagnostics.extend(
        checked
            .diagnostics
            .into_iter()
            .filter(|diagnostic| !is_about(diagnostic, &broken)),
    );
    arrange(&mut diagnostics);
    let mut analysis = Analysis {
        sources: loaded.sources,
        diagnostics,
        hir: None,
        ir: None,
    };
    if !analysis.has_errors() {
        analysis.ir = Some(irgen::build(&checked.hir));
        analysis.hir = Some(checked.hir);
    }
    analysis
}

/// What is wrong with a policy that is right statement by statement.
fn examine(hir: &Hir, ir: &Ir, ground: &Ground, said: &[Diagnostic]) -> Vec<Diagnostic> {
    let mut reports = Reports::default();
    let constant: BTreeSet<Span> = said
        .iter()
        .filter(|diagnostic| {
            // Each of them says why a rule may never match.
            matches!(
                diagnostic.code,
                Code::ConstantCondition | Code::EmptySet | Code::PathlessClass
            )
        })
        .flat_map(|diagnostic| diagnostic.primary.iter().chain(&diagnostic.secondary))
        .map(|label| label.span)
        .collect();
    let rules = constant::examine(hir, &constant, &mut reports);
    let is_constant = |rule: Span| {
        let inside = |span: &Span| {
            span.file == rule.file && rule.start <= span.start && span.end <= rule.end
        };
        rules.contains(&rule) || constant.iter().any(inside)
    };
    rules::examine(hir, ir, ground, &is_constant, &mut reports);
    promise::examine(hir, ir, &mut reports);
    lockout::examine(hir, ir, &mut reports);
    reports.finish()
}
