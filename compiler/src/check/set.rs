//! Sets: items, ranges, and what they come to.
//!
//! Owns which items suit which field and operator, and how values become tests.

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_syntax::Span;
use lsmpc_syntax::ast::{Item, ItemKind, Literal, LiteralKind, Set};

use super::Checker;
use super::lets::Meaning;
use super::literal::{Value, of_type};
use super::operand::{Found, SetUse};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::hir::{Block, FieldRef, FieldTest};

impl Checker<'_> {
    /// A set's items as a test. All items are checked, even if one is wrong.
    pub(super) fn set(&mut self, field: FieldRef, set: &Set, how: SetUse) -> Option<FieldTest> {
        if set.items.is_empty() {
            return self.empty_set(field, set, how);
        }
        let mut values = Vec::with_capacity(set.items.len());
        let mut whole = true;
        for item in &set.items {
            match self.item(field, item, how) {
                Some(value) => values.push(value),
                None => whole = false,
            }
        }
        if !whole {
            return None;
        }
        self.test_of(field, values, how)
    }

    fn empty_set(&mut self, field: FieldRef, set: &Set, how: SetUse) -> Option<FieldTest> {
        if how == SetUse::In {
            self.report(
                Diagnostic::new(
                    Code::EmptySet,
                    "nothing is in an empty set",
                    set.span,
                    "has no items",
                )
                .help("put items into it, or remove the condition"),
            );
            return self.test_of(field, Vec::new(), how);
        }
        self.report(
            Diagnostic::new(
                Code::EmptyHas,
                format!("`{}` with an empty set asks for nothing", how.word()),
                set.span,
                "has no items",
            )
            .help("name at least one flag"),
        );
        None
    }

    fn item(&mut self, field: FieldRef, item: &Item, how: SetUse) -> Option<Value> {
        match &item.node {
            ItemKind::Literal(literal) => {
                let value = self.literal(field, literal)?;
                self.part(field, value, literal, how)
            }
            ItemKind::Range { low, high } => self.range(field, item.span, low, high, how),
            ItemKind::Name(name) => match self.find_value(field, name, item.span)? {
                Found::Enumerator(value) => {
                    if how == SetUse::In && catalogue::field(field.field()).ty == FieldType::Mode {
                        self.wrong_operator(
                            item.span,
                            format!("`in` compares all bits of a mode, `{name}` is one"),
                            "the other bits would have to be clear",
                            format!("write `{} has any …`", field.name()),
                        );
                        return None;
                    }
                    Some(self.enumerator_value(field, value))
                }
                Found::Let(id) => {
                    if let Meaning::Set(_) = self.meaning(id) {
                        self.report_use(id, nested_set(item.span));
                        return None;
                    }
                    self.let_as_value(field, name, id, item.span)
                }
            },
            ItemKind::Set(_) => {
                self.report(nested_set(item.span));
                None
            }
        }
    }

    /// Integers are no parts of a mode or of flags.
    fn part(
        &mut self,
        field: FieldRef,
        value: Value,
        literal: &Literal,
        how: SetUse,
    ) -> Option<Value> {
        if how == SetUse::In || matches!(value, Value::Mask(_)) {
            return Some(value);
        }
        self.report(
            Diagnostic::new(
                Code::TypeMismatch,
                format!("`{}` asks for names, and this is an integer", how.word()),
                literal.span,
                "not the name of a flag",
            )
            .help(self.flag_help(field)),
        );
        None
    }

    fn range(
        &mut self,
        field: FieldRef,
        span: Span,
        low: &Literal,
        high: &Literal,
        how: SetUse,
    ) -> Option<Value> {
        let ty = catalogue::field(field.field()).ty;
        if how != SetUse::In || !matches!(ty, FieldType::Int { .. } | FieldType::Mode) {
            self.wrong_operator(
                span,
                format!(
                    "a range does not suit `{}`, which is {}",
                    field.name(),
                    of_type(ty)
                ),
                "only integers and modes have ranges",
                "list the values".to_owned(),
            );
            return None;
        }
        let (first, last) = (self.literal(field, low), self.literal(field, high));
        let (Value::Range(first, _), Value::Range(_, last)) = (first?, last?) else {
            return None;
        };
        if first > last {
            let shown = |literal: &Literal| {
                let text = self.quoted(literal.span);
                text.trim_matches('`').to_owned()
            };
            let help = match (&low.node, &high.node) {
                (LiteralKind::Int { .. }, LiteralKind::Int { .. }) => {
                    format!("write `{}..{}`", shown(high), shown(low))
                }
                _ => "write the smaller number first".to_owned(),
            };
            self.report(
                Diagnostic::new(
                    Code::ReversedRange,
                    "the range ends before it begins",
                    span,
                    "nothing lies in it",
                )
                .help(help),
            );
            return None;
        }
        Some(Value::Range(first, last))
    }

    /// Values, all of the field's type, as a test.
    pub(super) fn test_of(
        &self,
        field: FieldRef,
        values: Vec<Value>,
        how: SetUse,
    ) -> Option<FieldTest> {
        let mut globs = Vec::new();
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        let mut blocks: Vec<Block> = Vec::new();
        let mut masks: Vec<u64> = Vec::new();
        for value in values {
            match value {
                Value::Globs(more) => globs.extend(more),
                Value::Range(low, high) => ranges.push((low, high)),
                Value::Block(block) => blocks.push(block),
                Value::Mask(mask) => masks.push(mask),
            }
        }
        Some(match (how, catalogue::field(field.field()).ty) {
            (SetUse::HasAll, _) => FieldTest::HasAll(masks.into()),
            (SetUse::HasAny, _) => FieldTest::HasAny(masks.into()),
            (SetUse::In, FieldType::Path | FieldType::Name) => FieldTest::Globs(globs.into()),
            (SetUse::In, FieldType::Address) => FieldTest::Blocks(blocks.into()),
            (SetUse::In, FieldType::Flags) => return None,
            (SetUse::In, _) => FieldTest::Ranges(ranges.into()),
        })
    }
}

/// A set where one of its items is wanted.
pub(super) fn nested_set(span: Span) -> Diagnostic {
    Diagnostic::new(
        Code::NestedSet,
        "a set inside a set",
        span,
        "a set's items are single values and ranges",
    )
    .help("write the items out, or join two conditions: `x in a or x in b`")
}
