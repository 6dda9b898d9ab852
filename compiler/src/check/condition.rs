//! Conditions.
//!
//! Owns the walk over expressions, the fields they use, and how large they may
//! become once `let`s are put in.

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_abi::field::FieldId;
use lsmpc_syntax::Span;
use lsmpc_syntax::ast::{CompareOp, Expr, ExprKind};

use super::Checker;
use super::lets::{LetId, Meaning};
use super::names::field_names;
use super::operand::SetUse;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::hir::{Cond, CondKind, FieldRef, FieldTest};
use crate::suggest;

/// Deepest nesting of a condition, `let`s put in. Later stages may recurse so deep.
pub(super) const MAX_DEPTH: u32 = 512;
/// Most parts of one condition, `let`s put in.
pub(super) const MAX_SIZE: u64 = 1 << 16;
/// Most parts of all conditions of a policy, `let`s put in.
pub(super) const MAX_NODES: u64 = 1 << 23;

/// The fields that a condition uses, each once.
#[derive(Debug, Clone, Default)]
pub(super) struct Uses(Vec<Use>);

/// A field and where it is used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    pub(super) field: FieldRef,
    /// The field's name, or that of the `let` it comes with.
    pub(super) span: Span,
    /// The field's name inside that `let`.
    pub(super) inside: Option<Span>,
}

impl Uses {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Use> {
        self.0.iter()
    }

    pub(super) fn find(&self, field: FieldRef) -> Option<&Use> {
        self.0.iter().find(|used| used.field == field)
    }

    fn add(&mut self, found: Use) {
        if self.find(found.field).is_none() {
            self.0.push(found);
        }
    }

    /// Those of the subject.
    pub(super) fn of_subject(&self) -> Self {
        let subject = |used: &&Use| used.field.field().is_subject();
        Self(self.0.iter().filter(subject).copied().collect())
    }
}

/// How many parts a condition has, and how deep they nest.
pub(super) fn measure(cond: &Cond) -> (u64, u32) {
    let inner: &[Cond] = match &cond.kind {
        CondKind::Test(..) => &[],
        CondKind::Not(inner) => core::slice::from_ref(inner),
        CondKind::And(all) | CondKind::Or(all) => all,
    };
    let (size, depth) = inner.iter().fold((0u64, 0), |(size, depth), one| {
        let (more, deeper) = measure(one);
        (size.saturating_add(more), deeper.max(depth))
    });
    (size.saturating_add(1), depth.saturating_add(1))
}

impl Checker<'_> {
    /// A condition and the fields it uses; `None` if something is wrong with it,
    /// which has been reported then.
    pub(super) fn condition(&mut self, expr: &Expr, uses: &mut Uses) -> Option<Cond> {
        let mut size = 0;
        let cond = self.expr(expr, uses, &mut size, 1)?;
        self.nodes = self.nodes.saturating_add(size);
        if self.nodes > MAX_NODES {
            self.report(
                Diagnostic::new(
                    Code::ConditionTooLarge,
                    "the policy's conditions are too large together",
                    expr.span,
                    format!("with this one there are more than {MAX_NODES} parts"),
                )
                .help("let rules share less through `let`s: each use counts in full"),
            );
            return None;
        }
        Some(cond)
    }

    fn expr(&mut self, expr: &Expr, uses: &mut Uses, size: &mut u64, depth: u32) -> Option<Cond> {
        let deeper = depth.saturating_add(1);
        *size = size.saturating_add(1);
        let kind = match &expr.node {
            ExprKind::Error => return None,
            ExprKind::Or(all) => CondKind::Or(self.exprs(all, uses, size, deeper)?),
            ExprKind::And(all) => CondKind::And(self.exprs(all, uses, size, deeper)?),
            ExprKind::Not(inner) => CondKind::Not(Box::new(self.expr(inner, uses, size, deeper)?)),
            ExprKind::Compare { field, op, value } => {
                let field = self.used(field, uses)?;
                let test = self.compare(expr.span, field, op, value)?;
                let kind = CondKind::Test(field, test);
                if op.node == CompareOp::Ne {
                    negated(kind, expr.span)
                } else {
                    kind
                }
            }
            ExprKind::In {
                field,
                negated: not,
                op,
                set,
            } => {
                let field = self.used(field, uses)?;
                let test = self.set_test(expr.span, field, *op, set, SetUse::In)?;
                let kind = CondKind::Test(field, test);
                if *not { negated(kind, expr.span) } else { kind }
            }
            ExprKind::Has {
                field,
                any,
                op,
                set,
            } => {
                let field = self.used(field, uses)?;
                let how = if *any { SetUse::HasAny } else { SetUse::HasAll };
                CondKind::Test(field, self.set_test(expr.span, field, *op, set, how)?)
            }
            ExprKind::Name(name) => return self.named(name, expr.span, uses, size, depth),
        };
        let cond = Cond {
            kind,
            span: expr.span,
        };
        self.contradiction(&cond);
        Some(cond)
    }

    /// All operands are checked, even if one is wrong.
    fn exprs(
        &mut self,
        all: &[Expr],
        uses: &mut Uses,
        size: &mut u64,
        depth: u32,
    ) -> Option<Vec<Cond>> {
        let found: Vec<Option<Cond>> = all
            .iter()
            .map(|one| self.expr(one, uses, size, depth))
            .collect();
        found.into_iter().collect()
    }

    fn used(&mut self, name: &lsmpc_syntax::ast::Name, uses: &mut Uses) -> Option<FieldRef> {
        let field = self.field(name)?;
        uses.add(Use {
            field,
            span: name.span,
            inside: None,
        });
        Some(field)
    }

    /// A name that stands alone: a `let` bound to a condition, or a bool field.
    fn named(
        &mut self,
        name: &str,
        span: Span,
        uses: &mut Uses,
        size: &mut u64,
        depth: u32,
    ) -> Option<Cond> {
        if let Some(id) = self.find_let(name) {
            return self.let_as_condition(name, id, span, uses, size, depth);
        }
        if let Some(field) =
            FieldId::from_name(name).filter(|field| catalogue::field(*field).ty == FieldType::Bool)
        {
            let field = FieldRef::Field(field);
            uses.add(Use {
                field,
                span,
                inside: None,
            });
            return Some(Cond {
                kind: CondKind::Test(field, FieldTest::Ranges([(1, 1)].into())),
                span,
            });
        }
        if name == "any_path" || FieldId::from_name(name).is_some() {
            let ty = FieldId::from_name(name)
                .map_or(FieldType::Path, |field| catalogue::field(field).ty);
            let how = match ty {
                FieldType::Flags => "has",
                _ => "==",
            };
            self.report(
                Diagnostic::new(
                    Code::NotACondition,
                    format!(
                        "`{name}` is {}, not a condition",
                        super::literal::of_type(ty)
                    ),
                    span,
                    "neither true nor false by itself",
                )
                .help(format!("compare it with something: `{name} {how} …`")),
            );
            return None;
        }
        if catalogue::is_enumerator(name) {
            self.report(
                Diagnostic::new(
                    Code::NotACondition,
                    format!("`{name}` is a value, not a condition"),
                    span,
                    "neither true nor false by itself",
                )
                .help("say which field has it: `FIELD == VALUE`"),
            );
            return None;
        }
        let mut known: Vec<&str> = self.visible_lets();
        for name in field_names() {
            known.push(name);
        }
        let help = suggest::did_you_mean(name, known);
        self.report(
            Diagnostic::new(
                Code::UnknownName,
                format!("unknown name `{name}`"),
                span,
                "neither a `let` nor a bool field",
            )
            .help("a condition is a comparison, a bool field, or a `let` bound to a condition")
            .maybe_help(help),
        );
        None
    }

    fn let_as_condition(
        &mut self,
        name: &str,
        id: LetId,
        span: Span,
        uses: &mut Uses,
        size: &mut u64,
        depth: u32,
    ) -> Option<Cond> {
        let what = match self.meaning(id) {
            Meaning::Broken => return None,
            Meaning::Cond(bound) => {
                *size = size.saturating_add(bound.size);
                let too_deep = depth.saturating_add(bound.depth) > MAX_DEPTH;
                if *size > MAX_SIZE || too_deep {
                    let label = if too_deep {
                        format!("with `{name}` put in, it nests more than {MAX_DEPTH} deep")
                    } else {
                        format!("with `{name}` put in, it has more than {MAX_SIZE} parts")
                    };
                    self.report_use(
                        id,
                        Diagnostic::new(
                            Code::ConditionTooLarge,
                            "the condition is too large",
                            span,
                            label,
                        )
                        .help("say the same with fewer `let`s that are made of `let`s"),
                    );
                    return None;
                }
                for used in bound.uses.iter() {
                    uses.add(Use {
                        field: used.field,
                        span,
                        inside: Some(used.inside.unwrap_or(used.span)),
                    });
                }
                return Some(bound.cond.clone());
            }
            Meaning::Set(_) => ("a set", "`FIELD in"),
            Meaning::Literal(_) | Meaning::Enumerator(..) => ("a value", "`FIELD =="),
        };
        self.report_use(
            id,
            Diagnostic::new(
                Code::NotACondition,
                format!("`{name}` is {}, not a condition", what.0),
                span,
                "neither true nor false by itself",
            )
            .help(format!("say which field: {} {name}`", what.1)),
        );
        None
    }
}

fn negated(kind: CondKind, span: Span) -> CondKind {
    CondKind::Not(Box::new(Cond { kind, span }))
}
