//! Scopes and exemptions.
//!
//! Owns what they may ask about, and the statements inside a scope.

use lsmpc_syntax::ast::{self, Exempt, StatementKind};
use lsmpc_syntax::{Span, Spanned};

use super::Checker;
use super::condition::Uses;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::hir::{Cond, CondKind, Module, Scope};

impl Checker<'_> {
    pub(super) fn exempt(&mut self, exempt: &Exempt) {
        let mut uses = Uses::default();
        let cond = self.condition(&exempt.when, &mut uses);
        self.subject_only(&uses, "`exempt`");
        self.hir.exempts.extend(cond);
    }

    pub(super) fn scope(&mut self, scope: &ast::Scope, number: usize) {
        let name = &scope.name;
        let first = self
            .hir
            .modules
            .iter()
            .filter_map(|module| module.scope.as_ref())
            .find(|known| known.name.node == name.node)
            .map(|known| known.name.span);
        if let Some(first) = first {
            self.report(
                Diagnostic::new(
                    Code::DuplicateScope,
                    format!("two scopes are named `{}`", name.node),
                    name.span,
                    "named again here",
                )
                .also(first, "first named here")
                .help("choose another name, or move the statements into one scope"),
            );
        }
        self.scope = Some(number);
        let when = self.subject_condition(&scope.when, "a scope's condition");
        let until = scope
            .inherit
            .as_ref()
            .and_then(|inherit| inherit.until.as_ref())
            .map(|until| self.subject_condition(until, "`until`"));
        let module = self.add_module(Module {
            scope: Some(Scope {
                name: Spanned::new(name.node.clone(), name.span),
                when: when.unwrap_or_else(|| never(scope.when.span)),
                inherit: scope.inherit.is_some(),
                until: until.flatten(),
            }),
            ..Module::default()
        });
        for statement in &scope.statements {
            match &statement.node {
                StatementKind::Default(default) => self.default(default, statement.span, module),
                StatementKind::OnError(on_error) => self.on_error(on_error, module),
                StatementKind::Rule(rule) => self.rule(rule, statement.span, module),
                // `let`s are collected before; the parser reports all others.
                _ => {}
            }
        }
        self.scope = None;
    }

    fn subject_condition(&mut self, expr: &ast::Expr, what: &str) -> Option<Cond> {
        let mut uses = Uses::default();
        let cond = self.condition(expr, &mut uses);
        self.subject_only(&uses, what);
        cond
    }
}

/// Stands in for a condition that was reported.
fn never(span: Span) -> Cond {
    Cond {
        kind: CondKind::Or(Vec::new()),
        span,
    }
}
