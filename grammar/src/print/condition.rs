//! Conditions and sets.
//!
//! Owns parentheses: which are needed, and where those that are stand in the
//! source.

use super::Printer;
use crate::ast::{CompareOp, Expr, ExprKind, ItemKind, Operand, Set, SetOrName};
use crate::layout::{Kind, Op};
use crate::original::Original;

/// How tightly the context of a condition binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// Anything may stand here: a whole condition, or an operand of `or`.
    Or,
    /// An operand of `and`.
    And,
    /// An operand of `not`.
    Not,
}

/// Whether the operators of a broken chain stand further in than what is
/// around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Behind a word, or as an operand: the first operand is not on a line of
    /// its own, so that they do.
    Clause,
    /// In parentheses: they stand in line with the first operand.
    Parens,
}

impl<'a> Printer<'a> {
    /// Where a condition's keyword is in the source.
    pub(super) fn keyword(&self, clause: &Expr) -> Option<u32> {
        self.at(|o| o.keyword_before(start(o, clause, Level::Or)))
    }

    /// A whole condition, behind a word.
    pub(super) fn condition(&mut self, expr: &'a Expr) {
        self.expr(expr, Level::Or, Place::Clause);
    }

    fn expr(&mut self, expr: &'a Expr, level: Level, place: Place) {
        if needs_parens(&expr.node, level) {
            self.group(|p| {
                p.text("(");
                p.indented(2, |p| {
                    p.line(Kind::Soft, p.at(|o| start(o, expr, Level::Or)));
                    p.expr(expr, Level::Or, Place::Parens);
                });
                p.line(Kind::Soft, p.at(|o| o.close_paren(expr.span.end)));
                p.text(")");
            });
            return;
        }
        match &expr.node {
            ExprKind::Or(operands) => self.chain(operands, "or ", Level::Or, place),
            ExprKind::And(operands) => self.chain(operands, "and ", Level::And, place),
            ExprKind::Not(inner) => {
                self.text("not ");
                self.expr(inner, Level::Not, Place::Clause);
            }
            ExprKind::Compare { field, op, value } => {
                self.text(&field.node);
                self.text(compare_op(op.node));
                match value {
                    Operand::Literal(literal) => self.literal(literal),
                    Operand::Name(name) => self.text(&name.node),
                    Operand::Set(set) => self.set(set),
                }
            }
            ExprKind::In {
                field,
                negated,
                set,
                ..
            } => {
                self.text(&field.node);
                self.text(if *negated { " not in " } else { " in " });
                self.set_or_name(set);
            }
            ExprKind::Has {
                field, any, set, ..
            } => {
                self.text(&field.node);
                self.text(if *any { " has any " } else { " has " });
                self.set_or_name(set);
            }
            ExprKind::Name(name) => self.text(name),
            ExprKind::Error => self.text("<error>"),
        }
    }

    fn chain(&mut self, operands: &'a [Expr], word: &'static str, level: Level, place: Place) {
        let indent = match place {
            Place::Clause => 2,
            Place::Parens => 0,
        };
        self.group(|p| {
            p.indented(indent, |p| {
                for (index, operand) in operands.iter().enumerate() {
                    if index > 0 {
                        p.line(Kind::Line, p.at(|o| start(o, operand, level)));
                        p.text(word);
                    }
                    p.expr(operand, level, Place::Clause);
                }
            });
        });
    }

    fn set_or_name(&mut self, set: &'a SetOrName) {
        match set {
            SetOrName::Set(set) => self.set(set),
            SetOrName::Name(name) => self.text(&name.node),
            SetOrName::Literal(literal) => self.literal(literal),
        }
    }

    pub(super) fn set(&mut self, set: &'a Set) {
        self.group(|p| {
            p.text("[");
            p.indented(2, |p| {
                for (index, item) in set.items.iter().enumerate() {
                    let kind = if index == 0 { Kind::Soft } else { Kind::Line };
                    p.next_in_block(kind, p.at(|_| item.span.start), index == 0);
                    p.item(&item.node);
                    if index + 1 < set.items.len() {
                        p.text(",");
                    }
                }
            });
            let empty = set.items.is_empty();
            if !empty {
                p.document.ops.push(Op::IfBroken(","));
            }
            let at = p.at(|_| set.span.end.saturating_sub(1));
            p.end_of_block(Kind::Soft, at, 2, empty);
            p.text("]");
        });
    }

    fn item(&mut self, item: &'a ItemKind) {
        match item {
            ItemKind::Literal(literal) => self.literal(literal),
            ItemKind::Range { low, high } => {
                self.literal(low);
                self.text("..");
                self.literal(high);
            }
            ItemKind::Name(name) => self.text(name),
            ItemKind::Set(set) => self.set(set),
        }
    }
}

/// Whether `kind` binds too loosely for where it stands. An `or` inside an
/// `or` (no parser makes it) means the same without parentheses.
fn needs_parens(kind: &ExprKind, level: Level) -> bool {
    match kind {
        ExprKind::Or(_) => level >= Level::And,
        ExprKind::And(_) => level >= Level::Not,
        _ => false,
    }
}

/// Where in the source a condition begins, of the parentheses around it only
/// those counted that are printed.
fn start(original: &Original<'_>, expr: &Expr, level: Level) -> u32 {
    if needs_parens(&expr.node, level) {
        return original.open_paren(expr.span.start);
    }
    let first = match &expr.node {
        ExprKind::Or(operands) => operands.first().map(|e| (e, Level::Or)),
        ExprKind::And(operands) => operands.first().map(|e| (e, Level::And)),
        _ => None,
    };
    first.map_or(expr.span.start, |(first, level)| {
        start(original, first, level)
    })
}

const fn compare_op(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Eq => " == ",
        CompareOp::Ne => " != ",
        CompareOp::Lt => " < ",
        CompareOp::Le => " <= ",
        CompareOp::Gt => " > ",
        CompareOp::Ge => " >= ",
    }
}
