//! Literals as values of fields.
//!
//! Owns which literal suits which type (LANGUAGE §4) and the ranges of values.

use core::ops::Range;

use lsmpc_abi::catalogue::{self, FieldInfo, FieldType, IdKind};
use lsmpc_abi::field::FieldId;
use lsmpc_syntax::Span;
use lsmpc_syntax::ast::{Literal, LiteralKind};

use super::Checker;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::glob::Glob;
use crate::hir::{Block, FieldRef};

/// A value of a field's type.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Of a path or name: the alternatives of a glob.
    Globs(Vec<Glob>),
    /// Of whatever is a number; inclusive.
    Range(u64, u64),
    /// Of an address.
    Block(Block),
    /// Of flags, or a part of a mode.
    Mask(u64),
}

/// The type with its article.
pub(super) const fn of_type(ty: FieldType) -> &'static str {
    match ty {
        FieldType::Path => "a path",
        FieldType::Name => "a name",
        FieldType::Address => "an address",
        FieldType::Int { .. } => "an integer",
        FieldType::Enum { .. } => "an enum",
        FieldType::Flags => "flags",
        FieldType::Mode => "a mode",
        FieldType::Bool => "a bool",
    }
}

const fn of_literal(literal: &LiteralKind) -> &'static str {
    match literal {
        LiteralKind::String { .. } => "a string",
        LiteralKind::Int { .. } => "an integer",
        LiteralKind::Bool(_) => "a bool",
        LiteralKind::User(_) => "a user id",
        LiteralKind::Group(_) => "a group id",
    }
}

impl Checker<'_> {
    /// A literal as a value of a field.
    pub(super) fn literal(&mut self, field: FieldRef, literal: &Literal) -> Option<Value> {
        let info = catalogue::field(field.field());
        match (info.ty, &literal.node) {
            (FieldType::Path | FieldType::Name, LiteralKind::String { bytes, .. }) => {
                self.pattern(field, literal, bytes).map(Value::Globs)
            }
            (FieldType::Address, LiteralKind::String { bytes, .. }) => {
                self.address(literal, bytes).map(Value::Block)
            }
            (FieldType::Int { max, .. }, LiteralKind::Int { value, .. }) => {
                self.number(info, literal.span, *value, max)
            }
            (FieldType::Enum { max: Some(max) }, LiteralKind::Int { value, .. }) => {
                self.number(info, literal.span, *value, max)
            }
            (FieldType::Mode, LiteralKind::Int { value, radix }) => {
                let found = self.number(info, literal.span, *value, 0o7777);
                if found.is_none() && *radix == 10 {
                    self.octal_meant(*value);
                }
                found
            }
            (FieldType::Bool, LiteralKind::Bool(value)) => {
                let value = u64::from(*value);
                Some(Value::Range(value, value))
            }
            (
                FieldType::Int {
                    id: Some(IdKind::User),
                    ..
                },
                LiteralKind::User(name),
            ) => self.user(literal.span, name),
            (
                FieldType::Int {
                    id: Some(IdKind::Group),
                    ..
                },
                LiteralKind::Group(name),
            ) => self.group(literal.span, name),
            _ => {
                self.mismatch(field, info, literal);
                None
            }
        }
    }

    fn number(&mut self, info: &FieldInfo, span: Span, value: u64, max: u64) -> Option<Value> {
        if value <= max {
            return Some(Value::Range(value, value));
        }
        let name = info.id.name();
        let shown = if info.ty == FieldType::Mode {
            format!("{max:#o}")
        } else {
            max.to_string()
        };
        self.report(
            Diagnostic::new(
                Code::OutOfRange,
                format!("`{name}` can never be {value}"),
                span,
                format!("larger than {shown}"),
            )
            .help(format!("values of `{name}` lie between 0 and {shown}")),
        );
        None
    }

    /// Adds to the last diagnostic that `4755` was most likely `0o4755`.
    fn octal_meant(&mut self, value: u64) {
        let digits = value.to_string();
        let octal = u64::from_str_radix(&digits, 8).ok();
        if octal.is_some_and(|mode| mode <= 0o7777)
            && let Some(last) = self.diagnostics.last_mut()
        {
            last.help = Some(format!("modes are written in octal: `0o{digits}`"));
        }
    }

    fn mismatch(&mut self, field: FieldRef, info: &FieldInfo, literal: &Literal) {
        let name = field.name();
        let help = match (&literal.node, info.ty) {
            (LiteralKind::String { bytes, .. }, ty) => {
                let text = String::from_utf8_lossy(bytes).into_owned();
                if info.enumerator(&text).is_some() {
                    Some(format!("write it without quotes: `{text}`"))
                } else {
                    bare(&text, ty)
                        .map(|bare| format!("write it without quotes: `{bare}`"))
                        .or_else(|| match ty {
                            FieldType::Int { id: Some(id), .. } => Some(match id {
                                IdKind::User => format!("write a number, or `user(\"{text}\")`"),
                                IdKind::Group => format!("write a number, or `group(\"{text}\")`"),
                            }),
                            _ => None,
                        })
                }
            }
            (LiteralKind::Int { .. }, FieldType::Enum { max: None }) => {
                let help = self.value_help(info);
                Some(format!("its values go by name only: {help}"))
            }
            _ => None,
        };
        let message = format!(
            "`{name}` is {}, and this is {}",
            of_type(info.ty),
            of_literal(&literal.node)
        );
        let help = help.unwrap_or_else(|| self.value_help(info));
        self.report(
            Diagnostic::new(
                Code::TypeMismatch,
                message,
                literal.span,
                format!("{}, not {}", of_literal(&literal.node), of_type(info.ty)),
            )
            .help(help),
        );
    }

    /// What a value of a field looks like.
    pub(super) fn value_help(&self, info: &FieldInfo) -> String {
        let names = || {
            let known: Vec<&str> = info.enumerators.iter().map(|known| known.name).collect();
            let some = known.iter().take(8).copied().collect::<Vec<_>>().join(", ");
            if known.len() > 8 {
                format!("{some} …")
            } else {
                some
            }
        };
        match info.ty {
            FieldType::Path => "write a glob in quotes, such as `\"/etc/**\"`".to_owned(),
            FieldType::Name if info.id == FieldId::Fs => {
                "write a glob in quotes, such as `\"tmpfs\"`".to_owned()
            }
            FieldType::Name => "write a glob in quotes, such as `\"cron*\"`".to_owned(),
            FieldType::Address => {
                "write an address or a block in quotes, such as `\"10.0.0.0/8\"`".to_owned()
            }
            FieldType::Int {
                id: Some(IdKind::User),
                ..
            } => "write a number, or `user(\"…\")`".to_owned(),
            FieldType::Int {
                id: Some(IdKind::Group),
                ..
            } => "write a number, or `group(\"…\")`".to_owned(),
            FieldType::Int { .. } => "write a number".to_owned(),
            FieldType::Mode => {
                "write a number such as `0o4755`, or `has` and names such as `S_ISUID`".to_owned()
            }
            FieldType::Enum { .. } | FieldType::Flags => format!("write one of {}", names()),
            FieldType::Bool => "write `true` or `false`, or nothing but the field".to_owned(),
        }
    }

    /// Where bytes of a string's value stand in the source.
    pub(super) fn string_span(&self, literal: &Literal, at: Range<usize>) -> Span {
        let whole = literal.span;
        let LiteralKind::String { raw, .. } = literal.node else {
            return whole;
        };
        let Some(text) = self.sources.snippet(whole) else {
            return whole;
        };
        let mut offsets = Vec::new();
        let mut offset = if raw { 2 } else { 1 };
        while offset < text.len() && offsets.len() <= at.end {
            offsets.push(offset);
            let rest = text.as_bytes().get(offset..).unwrap_or_default();
            let step = match rest {
                [b'\\', b'x', ..] if !raw => 4,
                [b'\\', ..] if !raw => 2,
                _ => 1,
            };
            offset = offset.saturating_add(step);
        }
        let place = |index: usize| offsets.get(index).copied().unwrap_or(text.len());
        let mut start = place(at.start);
        let mut end = if at.is_empty() { start } else { place(at.end) };
        while !text.is_char_boundary(start) {
            start = start.saturating_sub(1);
        }
        while !text.is_char_boundary(end) {
            end = end.saturating_add(1);
        }
        let add = |n: usize| {
            whole
                .start
                .saturating_add(u32::try_from(n).unwrap_or(u32::MAX))
        };
        if start >= end {
            return whole;
        }
        Span::new(whole.file, add(start), add(end).min(whole.end))
    }
}

/// A value that stands in a string, as it is written without quotes.
fn bare(text: &str, ty: FieldType) -> Option<String> {
    match ty {
        FieldType::Int { .. } | FieldType::Enum { max: Some(_) } => {
            text.parse::<u64>().ok().map(|number| number.to_string())
        }
        FieldType::Mode => u64::from_str_radix(text, 8)
            .ok()
            .map(|mode| format!("{mode:#o}")),
        FieldType::Bool => matches!(text, "true" | "false").then(|| text.to_owned()),
        _ => None,
    }
}
