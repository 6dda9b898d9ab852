//! The right sides of comparisons.
//!
//! Owns which operator suits which field and which value (LANGUAGE §4).

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_syntax::ast::{CompareOp, Operand, SetOrName};
use lsmpc_syntax::{Span, Spanned};

use super::Checker;
use super::lets::{LetId, Meaning};
use super::literal::{Value, of_type};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::hir::{FieldRef, FieldTest, Order};
use crate::suggest;

/// How a set is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum SetUse {
    In,
    HasAll,
    HasAny,
}

impl SetUse {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::HasAll => "has",
            Self::HasAny => "has any",
        }
    }
}

/// What a name stands for as a value.
pub(super) enum Found {
    Enumerator(u64),
    Let(LetId),
}

impl Checker<'_> {
    pub(super) fn wrong_operator(
        &mut self,
        span: Span,
        message: String,
        label: &str,
        help: String,
    ) {
        self.report(Diagnostic::new(Code::WrongOperator, message, span, label).help(help));
    }

    /// `FIELD == x`, `FIELD < x` …
    pub(super) fn compare(
        &mut self,
        whole: Span,
        field: FieldRef,
        op: &Spanned<CompareOp>,
        value: &Operand,
    ) -> Option<FieldTest> {
        let name = field.name();
        let ty = catalogue::field(field.field()).ty;
        let order = match op.node {
            CompareOp::Eq | CompareOp::Ne => None,
            CompareOp::Lt => Some(Order::Less),
            CompareOp::Le => Some(Order::LessEqual),
            CompareOp::Gt => Some(Order::Greater),
            CompareOp::Ge => Some(Order::GreaterEqual),
        };
        let sign = self.quoted(op.span);
        if order.is_some() && !matches!(ty, FieldType::Int { .. } | FieldType::Mode) {
            self.wrong_operator(
                op.span,
                format!("{sign} does not suit `{name}`, which is {}", of_type(ty)),
                "only integers and modes have an order",
                format!(
                    "write `{name} {} …`",
                    if ty == FieldType::Flags { "has" } else { "==" }
                ),
            );
            return None;
        }
        if ty == FieldType::Flags {
            self.wrong_operator(
                op.span,
                format!("{sign} does not suit `{name}`, which is flags"),
                "flags are several values at once",
                format!("write `{name} has …`, or `not ({name} has …)`"),
            );
            return None;
        }
        let found = match value {
            Operand::Literal(literal) => self.literal(field, literal)?,
            Operand::Set(set) => {
                let help = if order.is_some() {
                    format!("write a single value, or `{name} in [low..high]`")
                } else {
                    let not = if op.node == CompareOp::Ne { "not " } else { "" };
                    format!("write `{name} {not}in …`")
                };
                self.wrong_operator(
                    set.span,
                    format!("{sign} compares with one value, not with a set"),
                    "this is a set",
                    help,
                );
                return None;
            }
            Operand::Name(named) => match self.find_value(field, &named.node, named.span)? {
                Found::Enumerator(_) if ty == FieldType::Mode => {
                    self.wrong_operator(
                        op.span,
                        format!(
                            "{sign} compares all bits of `{name}`, `{}` is one",
                            named.node
                        ),
                        "the other bits would have to be clear",
                        format!("write `{name} has {}`", named.node),
                    );
                    return None;
                }
                Found::Enumerator(value) => Value::Range(value, value),
                Found::Let(id) => self.let_as_value(field, &named.node, id, named.span)?,
            },
        };
        let Some(order) = order else {
            return self.test_of(field, vec![found], SetUse::In);
        };
        let Value::Range(bound, _) = found else {
            return None;
        };
        let test = FieldTest::Order(order, bound);
        self.always(whole, field, &test);
        Some(test)
    }

    /// A name after a comparison or in a set.
    pub(super) fn find_value(&mut self, field: FieldRef, name: &str, span: Span) -> Option<Found> {
        let info = catalogue::field(field.field());
        if let Some(known) = info.enumerator(name) {
            return Some(Found::Enumerator(known.value));
        }
        if let Some(id) = self.find_let(name) {
            return Some(Found::Let(id));
        }
        if catalogue::is_enumerator(name) {
            let owners: Vec<String> = catalogue::fields()
                .iter()
                .filter(|other| other.enumerator(name).is_some())
                .map(|other| format!("`{}`", other.id.name()))
                .collect();
            self.report(
                Diagnostic::new(
                    Code::TypeMismatch,
                    format!(
                        "`{}` is {}, and `{name}` is no value of it",
                        field.name(),
                        of_type(info.ty)
                    ),
                    span,
                    format!("a value of {}", owners.join(", ")),
                )
                .help(self.value_help(info)),
            );
            return None;
        }
        if !self.via.is_empty() {
            // Said where the `let` is.
            return None;
        }
        let is_field = super::names::field_names().any(|known| known == name);
        if is_field {
            self.report(
                Diagnostic::new(
                    Code::NotAValue,
                    format!("`{name}` is a field, not a value"),
                    span,
                    "fields cannot be compared with each other",
                )
                .help(self.value_help(info)),
            );
            return None;
        }
        let mut known: Vec<&str> = self.visible_lets();
        known.extend(info.enumerators.iter().map(|known| known.name));
        let help = suggest::did_you_mean(name, known);
        let label = if info.enumerators.is_empty() {
            "not a `let`"
        } else {
            "neither a `let` nor a value of the field"
        };
        let help = help.unwrap_or_else(|| self.value_help(info));
        self.report(
            Diagnostic::new(
                Code::UnknownName,
                format!("unknown name `{name}`"),
                span,
                label,
            )
            .help(help),
        );
        None
    }

    /// A `let` where one value is wanted.
    pub(super) fn let_as_value(
        &mut self,
        field: FieldRef,
        name: &str,
        id: LetId,
        span: Span,
    ) -> Option<Value> {
        match self.meaning(id) {
            Meaning::Broken => None,
            Meaning::Literal(literal) => {
                self.via.push(span);
                let found = self.literal(field, literal);
                self.via.pop();
                found
            }
            Meaning::Enumerator(enumerator, at) => {
                self.via.push(span);
                let found = self.find_value(field, enumerator, at);
                self.via.pop();
                match found? {
                    Found::Enumerator(value) => Some(self.enumerator_value(field, value)),
                    Found::Let(_) => None,
                }
            }
            Meaning::Set(_) => {
                self.report_use(
                    id,
                    Diagnostic::new(
                        Code::WrongOperator,
                        format!("`{name}` is a set, not one value"),
                        span,
                        "one value is wanted here",
                    )
                    .help(format!("write `{} in {name}`", field.name())),
                );
                None
            }
            Meaning::Cond(_) => {
                self.not_a_value(name, id, span);
                None
            }
        }
    }

    fn not_a_value(&mut self, name: &str, id: LetId, span: Span) {
        self.report_use(
            id,
            Diagnostic::new(
                Code::NotAValue,
                format!("`{name}` is a condition, not a value"),
                span,
                "a value or a set is wanted here",
            )
            .help(format!("join conditions with `and`, `or`: `… and {name}`")),
        );
    }

    pub(super) fn enumerator_value(&self, field: FieldRef, value: u64) -> Value {
        match catalogue::field(field.field()).ty {
            FieldType::Flags | FieldType::Mode => Value::Mask(value),
            _ => Value::Range(value, value),
        }
    }

    /// `FIELD in x`, `FIELD has x`, `FIELD has any x`
    pub(super) fn set_test(
        &mut self,
        whole: Span,
        field: FieldRef,
        op: Span,
        set: &SetOrName,
        how: SetUse,
    ) -> Option<FieldTest> {
        let name = field.name();
        let ty = catalogue::field(field.field()).ty;
        let word = how.word();
        let suits = match how {
            SetUse::In => ty != FieldType::Flags,
            SetUse::HasAll | SetUse::HasAny => matches!(ty, FieldType::Flags | FieldType::Mode),
        };
        if !suits {
            let better = match how {
                SetUse::In => "has any",
                SetUse::HasAll | SetUse::HasAny => "in",
            };
            self.wrong_operator(
                op,
                format!("`{word}` does not suit `{name}`, which is {}", of_type(ty)),
                match how {
                    SetUse::In => "flags are several values at once",
                    _ => "only flags and modes have parts",
                },
                format!("write `{name} {better} …`"),
            );
            return None;
        }
        let test = match set {
            SetOrName::Set(set) => {
                let test = self.set(field, set, how)?;
                self.always(whole, field, &test);
                test
            }
            SetOrName::Literal(literal) => {
                let shown = self.quoted(literal.span);
                let shown = shown.trim_matches('`');
                self.wrong_operator(
                    literal.span,
                    format!("`{word}` wants a set, and this is one value"),
                    "not a set",
                    match how {
                        SetUse::In => format!("write `[{shown}]`, or `{name} == {shown}`"),
                        _ => self.flag_help(field),
                    },
                );
                return None;
            }
            SetOrName::Name(named) => match self.find_value(field, &named.node, named.span)? {
                Found::Enumerator(value) if how != SetUse::In => {
                    self.test_of(field, vec![Value::Mask(value)], how)?
                }
                Found::Enumerator(_) => {
                    let word = &named.node;
                    self.wrong_operator(
                        named.span,
                        format!("`in` wants a set, and `{word}` is one value"),
                        "not a set",
                        format!("write `{name} == {word}`, or `[{word}]`"),
                    );
                    return None;
                }
                Found::Let(id) => self.let_as_set(field, &named.node, id, named.span, how)?,
            },
        };
        Some(test)
    }

    pub(super) fn flag_help(&self, field: FieldRef) -> String {
        let info = catalogue::field(field.field());
        match info.enumerators.first() {
            Some(known) => format!("write the name of a flag, such as `{}`", known.name),
            None => self.value_help(info),
        }
    }

    fn let_as_set(
        &mut self,
        field: FieldRef,
        name: &str,
        id: LetId,
        span: Span,
        how: SetUse,
    ) -> Option<FieldTest> {
        match self.meaning(id) {
            Meaning::Broken => None,
            Meaning::Set(set) => {
                let key = (id, field, how, self.silenced.clone());
                if let Some(known) = self.let_sets.get(&key) {
                    return known.clone();
                }
                self.via.push(span);
                let test = self.set(field, set, how);
                self.via.pop();
                self.let_sets.insert(key, test.clone());
                test
            }
            Meaning::Cond(_) => {
                self.not_a_value(name, id, span);
                None
            }
            Meaning::Literal(_) | Meaning::Enumerator(..) if how == SetUse::In => {
                self.report_use(
                    id,
                    Diagnostic::new(
                        Code::WrongOperator,
                        format!("`in` wants a set, and `{name}` is one value"),
                        span,
                        "not a set",
                    )
                    .help(format!("write `{} == {name}`, or `[{name}]`", field.name())),
                );
                None
            }
            Meaning::Literal(_) | Meaning::Enumerator(..) => {
                let value = self.let_as_value(field, name, id, span)?;
                self.test_of(field, vec![value], how)
            }
        }
    }
}
