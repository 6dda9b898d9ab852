//! A tree as a document: where each statement's lines may break.
//!
//! Owns the order of words and the indentation; conditions have a module of
//! their own. It must not know
//! comments: the formatter sets them back at the breaks.

mod condition;

use core::mem::discriminant;
use std::borrow::Cow;

use crate::ast::{
    Annotation, Binding, BindingValue, DefaultEffect, DenyAllow, Effect, Expected, Expr, File,
    LetValue, Literal, LiteralKind, Name, Rule, Scope, Statement, StatementKind, Test, TestStep,
};
use crate::layout::{Blanks, Break, Document, Kind, Op, WIDTH};
use crate::literal::{print_literal, print_string};
use crate::original::Original;
use crate::span::{Span, Spanned};

/// Prints a file in canonical form: one layout, the words `and or not`,
/// parentheses only where precedence needs them.
///
/// What was parsed without errors parses back to the same tree, spans aside.
/// A condition that did not parse ([`crate::ast::ExprKind::Error`]) prints as `<error>`,
/// which is no condition.
///
/// Of a tree that has a source, [`crate::format`] keeps more: comments, the
/// spelling of literals, and the blank lines that are set by rule here.
#[must_use]
pub fn print(file: &File) -> String {
    Printer::file(file, None).render(WIDTH)
}

/// Prints one condition on one line.
#[must_use]
pub fn print_expr(expr: &Expr) -> String {
    let mut printer = Printer::new(None);
    printer.group(|p| p.condition(expr));
    printer.document.render(usize::MAX)
}

/// Makes a document of a tree.
pub(crate) struct Printer<'a> {
    document: Document<'a>,
    original: Option<&'a Original<'a>>,
    indent: usize,
}

impl<'a> Printer<'a> {
    /// The document of a file. Only with its source do the breaks know where
    /// they are, and the literals how they were spelled.
    pub(crate) fn file(file: &'a File, original: Option<&'a Original<'a>>) -> Document<'a> {
        let mut printer = Self::new(original);
        printer.statements(&file.statements, true);
        printer.end_of_block(
            Kind::Hard,
            printer.at(|o| o.end()),
            0,
            file.statements.is_empty(),
        );
        printer.document
    }

    fn new(original: Option<&'a Original<'a>>) -> Self {
        Self {
            document: Document::default(),
            original,
            indent: 0,
        }
    }

    /// A place in the source, if there is one.
    fn at(&self, place: impl FnOnce(&Original<'_>) -> u32) -> Option<u32> {
        self.original.map(place)
    }

    // ---- steps ------------------------------------------------------------

    fn text(&mut self, text: impl Into<Cow<'a, str>>) {
        self.document.ops.push(Op::Text(text.into()));
    }

    fn group(&mut self, inner: impl FnOnce(&mut Self)) {
        self.document.ops.push(Op::Open);
        inner(self);
        self.document.ops.push(Op::Close);
    }

    fn indented(&mut self, by: usize, inner: impl FnOnce(&mut Self)) {
        self.indent = self.indent.saturating_add(by);
        self.document.ops.push(Op::Indent(by));
        inner(self);
        self.document.ops.push(Op::Dedent(by));
        self.indent = self.indent.saturating_sub(by);
    }

    fn push_break(&mut self, this: Break<'a>) {
        let index = self.document.breaks.len();
        self.document.breaks.push(this);
        self.document.ops.push(Op::Break(index));
    }

    /// A break at which blank lines mean nothing.
    fn line(&mut self, kind: Kind, at: Option<u32>) {
        self.push_break(Break {
            kind,
            at,
            nest: 0,
            blanks: Blanks::None,
            blank: false,
            comments: Vec::new(),
        });
    }

    /// A break before one of a list whose blank lines are kept.
    fn next_in_block(&mut self, kind: Kind, at: Option<u32>, first: bool) {
        self.push_break(Break {
            kind,
            at,
            nest: 0,
            blanks: Blanks::Keep { first, last: false },
            blank: false,
            comments: Vec::new(),
        });
    }

    /// The break before what closes such a list.
    /// Its comments stand in line with the list.
    fn end_of_block(&mut self, kind: Kind, at: Option<u32>, nest: usize, first: bool) {
        self.push_break(Break {
            kind,
            at,
            nest,
            blanks: Blanks::Keep { first, last: true },
            blank: false,
            comments: Vec::new(),
        });
    }

    // ---- statements -------------------------------------------------------

    fn statements(&mut self, statements: &'a [Statement], top: bool) {
        let mut previous: Option<(&Statement, bool)> = None;
        for statement in statements {
            let at = self.at(|_| statement.span.start);
            let gap = self.document.breaks.len();
            self.next_in_block(Kind::Hard, at, previous.is_none());
            let start = self.document.ops.len();
            self.statement(statement);
            if self.original.is_some() {
                previous = Some((statement, false));
                continue;
            }
            let room = WIDTH.saturating_sub(self.indent);
            let tall = self
                .document
                .flat_width(start)
                .is_none_or(|width| width > room);
            if let Some((before, before_tall)) = previous
                && let Some(gap) = self.document.breaks.get_mut(gap)
            {
                gap.blank = tall
                    || before_tall
                    || top && discriminant(&before.node) != discriminant(&statement.node);
            }
            previous = Some((statement, tall));
        }
    }

    fn statement(&mut self, statement: &'a Statement) {
        match &statement.node {
            StatementKind::Include(path) => {
                self.text("include ");
                self.string(path);
            }
            StatementKind::Let(binding) => {
                self.text("let ");
                self.text(&binding.name.node);
                self.text(" = ");
                match &binding.value {
                    LetValue::Set(set) => self.set(set),
                    LetValue::Literal(literal) => self.literal(literal),
                    LetValue::Expr(expr) => self.condition(expr),
                }
            }
            StatementKind::Default(default) => {
                self.text(match default.effect.node {
                    DefaultEffect::Deny => "default deny ",
                    DefaultEffect::Allow => "default allow ",
                    DefaultEffect::Audit => "default audit ",
                });
                self.hooks(&default.hooks);
            }
            StatementKind::OnError(on_error) => {
                self.text("on_error ");
                self.text(deny_allow(on_error.effect.node));
                self.hooks(&on_error.hooks);
            }
            StatementKind::Rule(rule) => self.rule(rule),
            StatementKind::Scope(scope) => self.scope(scope, statement.span),
            StatementKind::Exempt(exempt) => self.group(|p| {
                p.text("exempt");
                p.clauses(Some(&exempt.when), None);
            }),
            StatementKind::Assert(assert) => self.group(|p| {
                p.text("assert ");
                p.text(deny_allow(assert.effect.node));
                p.hooks(&assert.hooks);
                p.clauses(assert.when.as_ref(), assert.unless.as_ref());
            }),
            StatementKind::Test(test) => self.test(test, statement.span),
        }
    }

    fn rule(&mut self, rule: &'a Rule) {
        if !rule.annotations.is_empty() {
            self.group(|p| {
                for (index, annotation) in rule.annotations.iter().enumerate() {
                    if index > 0 {
                        p.line(Kind::Line, p.at(|_| annotation.span.start));
                    }
                    p.annotation(annotation);
                }
            });
            self.line(Kind::Hard, self.at(|_| rule.effect.span.start));
        }
        self.group(|p| {
            match &rule.effect.node {
                Effect::Deny { errno } => p.deny(errno.as_ref()),
                Effect::Kill => p.text("kill "),
                Effect::Allow => p.text("allow "),
                Effect::Audit => p.text("audit "),
            }
            p.hooks(&rule.hooks);
            p.clauses(rule.when.as_ref(), rule.unless.as_ref());
        });
    }

    fn annotation(&mut self, annotation: &'a Annotation) {
        self.text("@");
        self.text(&annotation.name.node);
        self.text("(");
        self.literal(&annotation.value);
        self.text(")");
    }

    fn deny(&mut self, errno: Option<&'a Name>) {
        self.text("deny ");
        if let Some(errno) = errno {
            self.text("with ");
            self.text(&errno.node);
            self.text(" ");
        }
    }

    fn hooks(&mut self, hooks: &'a [Name]) {
        self.indented(4, |p| {
            for (index, hook) in hooks.iter().enumerate() {
                if index > 0 {
                    p.text(",");
                    p.line(Kind::Fill, p.at(|_| hook.span.start));
                }
                p.text(&hook.node);
            }
        });
    }

    fn clauses(&mut self, when: Option<&'a Expr>, unless: Option<&'a Expr>) {
        for (word, clause) in [("when ", when), ("unless ", unless)] {
            if let Some(clause) = clause {
                self.indented(2, |p| {
                    p.line(Kind::Line, p.keyword(clause));
                    p.text(word);
                    p.condition(clause);
                });
            }
        }
    }

    fn scope(&mut self, scope: &'a Scope, span: Span) {
        self.group(|p| {
            p.text("scope ");
            p.text(&scope.name.node);
            p.indented(2, |p| {
                p.line(Kind::Line, p.keyword(&scope.when));
                p.text("when ");
                p.condition(&scope.when);
                if let Some(inherit) = &scope.inherit {
                    p.line(Kind::Line, p.at(|_| inherit.span.start));
                    p.text("inherit");
                    if let Some(until) = &inherit.until {
                        p.text(" until ");
                        p.condition(until);
                    }
                }
            });
            p.line(Kind::Line, None);
            p.text("{");
        });
        self.body(scope.statements.is_empty(), span, |p| {
            p.statements(&scope.statements, false);
        });
    }

    fn test(&mut self, test: &'a Test, span: Span) {
        self.text("test ");
        self.string(&test.name);
        self.text(" {");
        self.body(test.steps.is_empty(), span, |p| {
            for (index, step) in test.steps.iter().enumerate() {
                let (TestStep::Given { span, .. } | TestStep::Expect { span, .. }) = step;
                p.next_in_block(Kind::Hard, p.at(|_| span.start), index == 0);
                p.step(step);
            }
        });
    }

    /// What follows a `{`, up to its `}` at the end of `span`.
    fn body(&mut self, empty: bool, span: Span, inner: impl FnOnce(&mut Self)) {
        let kind = if empty { Kind::Soft } else { Kind::Hard };
        self.group(|p| {
            p.indented(2, inner);
            p.end_of_block(kind, p.at(|_| span.end.saturating_sub(1)), 2, empty);
            p.text("}");
        });
    }

    fn step(&mut self, step: &'a TestStep) {
        let bindings = match step {
            TestStep::Given { bindings, .. } => {
                self.text("given ");
                let Some((first, others)) = bindings.split_first() else {
                    return;
                };
                self.binding(first);
                if !others.is_empty() {
                    self.text(",");
                }
                others
            }
            TestStep::Expect {
                verdict,
                hook,
                bindings,
                ..
            } => {
                self.text("expect ");
                match &verdict.node {
                    Expected::Deny { errno } => self.deny(errno.as_ref()),
                    Expected::Allow => self.text("allow "),
                    Expected::Kill => self.text("kill "),
                    Expected::Audit => self.text("audit "),
                    Expected::Quiet => self.text("quiet "),
                }
                self.text(&hook.node);
                bindings.as_slice()
            }
        };
        self.indented(2, |p| {
            for (index, binding) in bindings.iter().enumerate() {
                if index > 0 {
                    p.text(",");
                }
                p.line(Kind::Fill, p.at(|_| binding.span.start));
                p.binding(binding);
            }
        });
    }

    fn binding(&mut self, binding: &'a Binding) {
        self.text(&binding.field.node);
        self.text(" = ");
        match &binding.value {
            BindingValue::Literal(literal) => self.literal(literal),
            BindingValue::Set(set) => self.set(set),
            BindingValue::Name(name) => self.text(&name.node),
        }
    }

    // ---- literals ---------------------------------------------------------

    /// As it was written, if that is known.
    fn literal(&mut self, literal: &'a Literal) {
        let Some(original) = self.original else {
            self.text(print_literal(literal));
            return;
        };
        match (&literal.node, original.string(literal.span)) {
            (LiteralKind::User(_), Some(name)) => self.text(format!("user({name})")),
            (LiteralKind::Group(_), Some(name)) => self.text(format!("group({name})")),
            _ => self.text(original.slice(literal.span)),
        }
    }

    /// A file's or a test's name: as it was written, if that is known.
    fn string(&mut self, string: &'a Spanned<Vec<u8>>) {
        match self.original {
            Some(original) => self.text(original.slice(string.span)),
            None => self.text(print_string(&string.node, false)),
        }
    }
}

const fn deny_allow(effect: DenyAllow) -> &'static str {
    match effect {
        DenyAllow::Deny => "deny ",
        DenyAllow::Allow => "allow ",
    }
}
