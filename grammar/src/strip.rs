//! Equality of trees regardless of where they were written.
//!
//! Owns the list of all places where a tree holds a span.

use crate::ast::{
    Annotation, Binding, BindingValue, Effect, Expected, Expr, ExprKind, File, Item, ItemKind,
    LetValue, Literal, Name, Operand, Set, SetOrName, Statement, StatementKind, TestStep,
};
use crate::span::{Span, Spanned};

/// The tree with every span empty, so that `==` compares what was written and
/// not where.
#[must_use]
pub fn strip_spans(mut file: File) -> File {
    statements(&mut file.statements);
    file
}

fn here<T>(node: &mut Spanned<T>) {
    node.span = Span::default();
}

fn statements(list: &mut [Statement]) {
    for each in list {
        statement(each);
    }
}

fn statement(statement: &mut Statement) {
    here(statement);
    match &mut statement.node {
        StatementKind::Include(path) => here(path),
        StatementKind::Let(binding) => {
            here(&mut binding.name);
            match &mut binding.value {
                LetValue::Set(s) => set(s),
                LetValue::Literal(l) => literal(l),
                LetValue::Expr(e) => expr(e),
            }
        }
        StatementKind::Default(default) => {
            here(&mut default.effect);
            names(&mut default.hooks);
        }
        StatementKind::OnError(on_error) => {
            here(&mut on_error.effect);
            names(&mut on_error.hooks);
        }
        StatementKind::Rule(rule) => {
            rule.annotations.iter_mut().for_each(annotation);
            here(&mut rule.effect);
            if let Effect::Deny { errno: Some(errno) } = &mut rule.effect.node {
                here(errno);
            }
            names(&mut rule.hooks);
            rule.when.iter_mut().for_each(expr);
            rule.unless.iter_mut().for_each(expr);
        }
        StatementKind::Scope(scope) => {
            here(&mut scope.name);
            expr(&mut scope.when);
            if let Some(inherit) = &mut scope.inherit {
                inherit.span = Span::default();
                inherit.until.iter_mut().for_each(expr);
            }
            statements(&mut scope.statements);
        }
        StatementKind::Exempt(exempt) => expr(&mut exempt.when),
        StatementKind::Assert(assert) => {
            here(&mut assert.effect);
            names(&mut assert.hooks);
            assert.when.iter_mut().for_each(expr);
            assert.unless.iter_mut().for_each(expr);
        }
        StatementKind::Test(test) => {
            here(&mut test.name);
            test.steps.iter_mut().for_each(step);
        }
    }
}

fn names(names: &mut [Name]) {
    names.iter_mut().for_each(here);
}

fn annotation(annotation: &mut Annotation) {
    annotation.span = Span::default();
    here(&mut annotation.name);
    literal(&mut annotation.value);
}

fn step(step: &mut TestStep) {
    match step {
        TestStep::Given { bindings, span } => {
            *span = Span::default();
            bindings.iter_mut().for_each(binding);
        }
        TestStep::Expect {
            verdict,
            hook,
            bindings,
            span,
        } => {
            *span = Span::default();
            here(verdict);
            if let Expected::Deny { errno: Some(errno) } = &mut verdict.node {
                here(errno);
            }
            here(hook);
            bindings.iter_mut().for_each(binding);
        }
    }
}

fn binding(binding: &mut Binding) {
    binding.span = Span::default();
    here(&mut binding.field);
    match &mut binding.value {
        BindingValue::Literal(l) => literal(l),
        BindingValue::Set(s) => set(s),
        BindingValue::Name(n) => here(n),
    }
}

fn literal(literal: &mut Literal) {
    here(literal);
}

fn set(set: &mut Set) {
    set.span = Span::default();
    set.items.iter_mut().for_each(item);
}

fn item(item: &mut Item) {
    here(item);
    match &mut item.node {
        ItemKind::Literal(l) => literal(l),
        ItemKind::Range { low, high } => {
            literal(low);
            literal(high);
        }
        ItemKind::Name(_) => {}
        ItemKind::Set(s) => set(s),
    }
}

fn set_or_name(value: &mut SetOrName) {
    match value {
        SetOrName::Set(s) => set(s),
        SetOrName::Name(n) => here(n),
        SetOrName::Literal(l) => literal(l),
    }
}

fn expr(e: &mut Expr) {
    here(e);
    match &mut e.node {
        ExprKind::Or(operands) | ExprKind::And(operands) => operands.iter_mut().for_each(expr),
        ExprKind::Not(inner) => expr(inner),
        ExprKind::Compare { field, op, value } => {
            here(field);
            here(op);
            match value {
                Operand::Literal(l) => literal(l),
                Operand::Name(n) => here(n),
                Operand::Set(s) => set(s),
            }
        }
        ExprKind::In { field, op, set, .. } | ExprKind::Has { field, op, set, .. } => {
            here(field);
            *op = Span::default();
            set_or_name(set);
        }
        ExprKind::Name(_) | ExprKind::Error => {}
    }
}
