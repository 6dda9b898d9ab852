//! Annotations that look as if they belonged to the rule before them.
//!
//! Owns what the layout of a source says to a reader about them. What they say by
//! themselves is `annotation`'s.

use lsmpc_syntax::Span;
use lsmpc_syntax::ast::{LiteralKind, Rule, Statement, StatementKind};

use super::Checker;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::source::SourceFile;

impl Checker<'_> {
    /// Warns where a reader takes an annotation for another rule's: an annotation
    /// belongs to the rule behind it.
    pub(super) fn annotation_places(&mut self, statements: &[Statement]) {
        let mut before: Option<&Statement> = None;
        for statement in statements {
            match (&statement.node, before) {
                (StatementKind::Rule(rule), Some(before)) => self.annotation_place(rule, before),
                (StatementKind::Scope(scope), _) => self.annotation_places(&scope.statements),
                _ => {}
            }
            before = Some(statement);
        }
    }

    fn annotation_place(&mut self, rule: &Rule, before: &Statement) {
        let StatementKind::Rule(other) = &before.node else {
            return;
        };
        let (Some(first), Some(last)) = (rule.annotations.first(), rule.annotations.last()) else {
            return;
        };
        let Some(file) = self.sources.get(first.span.file) else {
            return;
        };
        if !reads_backwards(file, before.span, first.span, last.span, rule) || silenced(rule) {
            return;
        }
        let many = rule.annotations.len() > 1;
        self.report(
            Diagnostic::new(
                Code::MisleadingAnnotation,
                if many {
                    "these annotations belong to the next rule, not to the one before them"
                } else {
                    "this annotation belongs to the next rule, not to the one before it"
                },
                first.span.to(last.span),
                if many {
                    "belong below"
                } else {
                    "belongs below"
                },
            )
            .also(rule.effect.span, "to this rule")
            .also(other.effect.span, "not to this one")
            .help("annotations stand before their rule: move it there, or beside its rule"),
        );
    }
}

/// Whether the rule asks not to be told.
fn silenced(rule: &Rule) -> bool {
    let code = Code::MisleadingAnnotation.as_str().as_bytes();
    rule.annotations.iter().any(|annotation| {
        annotation.name.node == "silence"
            && matches!(&annotation.value.node,
                LiteralKind::String { bytes, .. } if bytes.eq_ignore_ascii_case(code))
    })
}

/// Whether annotations from `first` to `last` lean on the statement before them:
/// on its last line, or below it and apart from their own rule, or further in.
fn reads_backwards(file: &SourceFile, before: Span, first: Span, last: Span, rule: &Rule) -> bool {
    let between = file.slice(last.end, rule.effect.span.start);
    if between.is_some_and(|text| !text.contains('\n')) {
        return false;
    }
    let end = file.position(before.end);
    let (from, to) = (file.position(first.start), file.position(last.end));
    let effect = file.position(rule.effect.span.start);
    let blank = |line| file.line(line).is_none_or(|text| text.trim().is_empty());
    let apart = (to.line..effect.line).skip(1).any(blank);
    let below = from.line == end.line.saturating_add(1);
    from.line == end.line || below && (apart || from.column > effect.column)
}
