//! `assert` and `test`.
//!
//! Owns bindings: in a test strings are values, not globs.

use std::net::IpAddr;

use lsmpc_abi::catalogue::{self, FieldInfo, FieldType};
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_syntax::ast::{
    self, BindingValue, DenyAllow, Expected as Word, ItemKind, Literal, LiteralKind, Set,
};
use lsmpc_syntax::{Span, Spanned};

use super::Checker;
use super::condition::Uses;
use super::lets::Meaning;
use super::literal::{Value as Typed, of_type};
use super::operand::SetUse;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::event::{FieldValue, Value};
use crate::hir::{Assert, Binding, Expected, FieldRef, FieldTest, Test, TestStep};
use crate::suggest;

impl Checker<'_> {
    pub(super) fn assert(&mut self, assert: &ast::Assert, statement: &ast::Statement) {
        let hooks = self.hooks(&assert.hooks);
        let mut uses = Uses::default();
        let conditions = self.when_unless(assert.when.as_ref(), assert.unless.as_ref(), &mut uses);
        self.fields_available(&uses, &hooks);
        if let Some((when, unless)) = conditions {
            self.hir.asserts.push(Assert {
                deny: assert.effect.node == DenyAllow::Deny,
                hooks,
                when,
                unless,
                span: statement.span,
            });
        }
    }

    pub(super) fn test(&mut self, test: &ast::Test) {
        let mut steps = Vec::with_capacity(test.steps.len());
        for step in &test.steps {
            match step {
                ast::TestStep::Given { bindings, .. } => {
                    steps.push(TestStep::Given(self.bindings(bindings, None)));
                }
                ast::TestStep::Expect {
                    verdict,
                    hook,
                    bindings,
                    span,
                } => {
                    let verdict = self.expected(&verdict.node);
                    let known = self.hook(hook);
                    let bindings = self.bindings(bindings, known);
                    if let (Some(verdict), Some(known)) = (verdict, known) {
                        steps.push(TestStep::Expect {
                            verdict,
                            hook: Spanned::new(known, hook.span),
                            bindings,
                            span: *span,
                        });
                    }
                }
            }
        }
        self.hir.tests.push(Test {
            name: test.name.clone(),
            steps,
        });
    }

    fn expected(&mut self, word: &Word) -> Option<Expected> {
        Some(match word {
            Word::Deny { errno: None } => Expected::Deny(None),
            Word::Deny { errno: Some(name) } => Expected::Deny(Some(self.errno(name)?)),
            Word::Allow => Expected::Allow,
            Word::Kill => Expected::Kill,
            Word::Audit => Expected::Audit,
            Word::Quiet => Expected::Quiet,
        })
    }

    fn bindings(&mut self, all: &[ast::Binding], hook: Option<HookId>) -> Vec<Binding> {
        all.iter()
            .filter_map(|binding| self.binding(binding, hook))
            .collect()
    }

    fn bad(
        &mut self,
        span: Span,
        message: impl Into<String>,
        label: &str,
        help: impl Into<String>,
    ) {
        self.report(Diagnostic::new(Code::BadBinding, message, span, label).help(help));
    }

    fn binding(&mut self, binding: &ast::Binding, hook: Option<HookId>) -> Option<Binding> {
        let name = &binding.field;
        if name.node == "inherited" {
            return self.inherited(binding);
        }
        let FieldRef::Field(field) = self.field(name)? else {
            self.bad(
                name.span,
                "`any_path` is not a field of its own",
                "derived from other fields",
                "bind `path` or `new_path`",
            );
            return None;
        };
        if let Some(hook) = hook
            && !catalogue::hook(hook).has(field)
        {
            self.report(
                Diagnostic::new(
                    Code::FieldNotOnHook,
                    format!("`{}` has no field `{}`", hook.name(), name.node),
                    name.span,
                    "not a field of the hook",
                )
                .help("remove it, or name another hook"),
            );
            return None;
        }
        let value = self.bound(field, &binding.value, binding.span)?;
        Some(Binding::Field(field, value, binding.span))
    }

    fn inherited(&mut self, binding: &ast::Binding) -> Option<Binding> {
        let BindingValue::Set(set) = &binding.value else {
            self.bad(
                binding.span,
                "`inherited` is a list of scopes",
                "not a list",
                "write `inherited = [NAME]`",
            );
            return None;
        };
        let scopes: Vec<String> = self
            .hir
            .modules
            .iter()
            .filter_map(|module| module.scope.as_ref())
            .filter(|scope| scope.inherit)
            .map(|scope| scope.name.node.clone())
            .collect();
        let mut names = Vec::new();
        for item in &set.items {
            match &item.node {
                ItemKind::Name(name) if scopes.contains(name) => names.push(name.clone()),
                ItemKind::Name(name) => {
                    let help = suggest::did_you_mean(name, scopes.iter().map(String::as_str));
                    self.bad(
                        item.span,
                        format!("no scope with `inherit` is named `{name}`"),
                        "not such a scope",
                        help.unwrap_or_else(|| "name a scope that says `inherit`".to_owned()),
                    );
                }
                _ => self.bad(
                    item.span,
                    "`inherited` is a list of scopes",
                    "not the name of a scope",
                    "write the scope's name, without quotes",
                ),
            }
        }
        Some(Binding::Inherited(names, binding.span))
    }

    fn bound(&mut self, field: FieldId, value: &BindingValue, span: Span) -> Option<FieldValue> {
        let info = catalogue::field(field);
        let known = match value {
            BindingValue::Name(name) if name.node == "none" => return Some(FieldValue::None),
            BindingValue::Name(name) => {
                if info.enumerator(&name.node).is_none()
                    && let Some(id) = self.find_let(&name.node)
                {
                    return match self.meaning(id) {
                        Meaning::Literal(literal) => {
                            let value = self.bound_literal(info, literal)?;
                            Some(FieldValue::Known(value))
                        }
                        Meaning::Set(set) => self.bound_set(info, set, span),
                        Meaning::Broken => None,
                        Meaning::Enumerator(word, _) => {
                            let word = ast::Name::new(word.to_owned(), name.span);
                            let value = self.bound_name(info, &word)?;
                            Some(FieldValue::Known(value))
                        }
                        Meaning::Cond(_) => {
                            self.bad(
                                name.span,
                                format!("`{}` is a condition, not a value", name.node),
                                "a value is wanted here",
                                self.value_help(info),
                            );
                            None
                        }
                    };
                }
                self.bound_name(info, name)?
            }
            BindingValue::Literal(literal) => self.bound_literal(info, literal)?,
            BindingValue::Set(set) => return self.bound_set(info, set, span),
        };
        Some(FieldValue::Known(known))
    }

    fn bound_name(&mut self, info: &FieldInfo, name: &ast::Name) -> Option<Value> {
        match info.enumerator(&name.node) {
            Some(known) => Some(Value::Int(known.value)),
            None => {
                let names = info.enumerators.iter().map(|known| known.name);
                let help = suggest::did_you_mean(&name.node, names.chain(["none"]));
                self.report(
                    Diagnostic::new(
                        Code::UnknownName,
                        format!("unknown name `{}`", name.node),
                        name.span,
                        "not a value of the field",
                    )
                    .help(help.unwrap_or_else(|| self.value_help(info))),
                );
                None
            }
        }
    }

    fn bound_literal(&mut self, info: &FieldInfo, literal: &Literal) -> Option<Value> {
        match (info.ty, &literal.node) {
            _ if info.id == FieldId::AncestorExe || info.ty == FieldType::Flags => {
                self.bad(
                    literal.span,
                    format!("`{}` is bound to a list", info.id.name()),
                    "not a list",
                    "put it in brackets",
                );
                None
            }
            (FieldType::Path | FieldType::Name, LiteralKind::String { bytes, .. }) => {
                Some(Value::Bytes(bytes.clone()))
            }
            (FieldType::Address, LiteralKind::String { bytes, .. }) => {
                let text = String::from_utf8_lossy(bytes);
                match text.parse::<IpAddr>() {
                    Ok(IpAddr::V4(address)) => {
                        Some(Value::Address(address.to_ipv6_mapped().to_bits()))
                    }
                    Ok(IpAddr::V6(address)) => Some(Value::Address(address.to_bits())),
                    Err(_) => {
                        self.bad(
                            literal.span,
                            format!("`{text}` is not one address"),
                            "neither IPv4 nor IPv6",
                            "write an address such as `\"10.1.2.3\"`",
                        );
                        None
                    }
                }
            }
            // Of all other types a literal means one value in a condition too; one
            // that does not suit is reported there.
            _ => match self.literal(FieldRef::Field(info.id), literal)? {
                Typed::Range(value, _) | Typed::Mask(value) => Some(Value::Int(value)),
                Typed::Globs(_) | Typed::Block(_) => None,
            },
        }
    }

    fn bound_set(&mut self, info: &FieldInfo, set: &Set, span: Span) -> Option<FieldValue> {
        if info.id == FieldId::AncestorExe {
            let mut list = Vec::new();
            for item in &set.items {
                match &item.node {
                    ItemKind::Literal(Literal {
                        node: LiteralKind::String { bytes, .. },
                        ..
                    }) => list.push(Some(bytes.clone())),
                    _ => {
                        self.bad(
                            item.span,
                            "ancestors are paths",
                            "not a string",
                            "write the path in quotes",
                        );
                        return None;
                    }
                }
            }
            return Some(FieldValue::Known(Value::List(list)));
        }
        if info.ty != FieldType::Flags {
            self.bad(
                span,
                format!(
                    "`{}` is {}, and this is a list",
                    info.id.name(),
                    of_type(info.ty)
                ),
                "a field has one value",
                self.value_help(info),
            );
            return None;
        }
        if set.items.is_empty() {
            return Some(FieldValue::Known(Value::Int(0)));
        }
        let test = self.set(FieldRef::Field(info.id), set, SetUse::HasAll)?;
        let FieldTest::HasAll(masks) = test else {
            return None;
        };
        let bits = masks.iter().fold(0, |all, mask| all | mask);
        Some(FieldValue::Known(Value::Int(bits)))
    }
}
