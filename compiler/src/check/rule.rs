//! Rules.
//!
//! Owns what one rule by itself can have wrong.

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_syntax::ast::{self, Effect as Word, Rule};
use lsmpc_syntax::{Span, Spanned};

use super::Checker;
use super::condition::Uses;
use super::constant::same;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::hir::{self, Annotations, Cond, Effect, FieldRef};

const EPERM: u16 = 1;

/// `when` and `unless`, checked; `None` if something is wrong with one.
pub(super) type Conditions = Option<(Option<Cond>, Option<Cond>)>;

impl Checker<'_> {
    pub(super) fn rule(&mut self, rule: &Rule, span: Span, module: usize) {
        let notes = self.annotations(&rule.annotations);
        self.silenced.clone_from(&notes.silenced);
        let effect = match &rule.effect.node {
            Word::Deny { errno: None } => Some(Effect::Deny(EPERM)),
            Word::Deny { errno: Some(name) } => self.errno(name).map(Effect::Deny),
            Word::Kill => Some(Effect::Kill),
            Word::Allow => Some(Effect::Allow),
            Word::Audit => Some(Effect::Audit),
        };
        let hooks = self.hooks(&rule.hooks);
        if let (Word::Deny { errno: Some(name) }, Some(Effect::Deny(number))) =
            (&rule.effect.node, effect)
        {
            self.errno_hazard(name, number, &hooks);
        }
        let mut uses = Uses::default();
        let conditions = self.when_unless(rule.when.as_ref(), rule.unless.as_ref(), &mut uses);
        self.fields_available(&uses, &hooks);
        let restricts = matches!(rule.effect.node, Word::Deny { .. } | Word::Kill);
        if restricts {
            self.path_alone(&uses, &hooks);
        }
        self.quiet_without_effect(rule, &notes, restricts);
        if matches!(rule.effect.node, Word::Allow) {
            self.note_allows(&hooks, module);
        }
        self.silenced.clear();

        let (Some(effect), Some((when, unless))) = (effect, conditions) else {
            return;
        };
        let found = hir::Rule {
            id: String::new(),
            notes,
            place: self.place(rule.effect.span),
            effect,
            effect_span: rule.effect.span,
            hooks,
            when,
            unless,
            span,
        };
        if let Some(module) = self.hir.modules.get_mut(module) {
            module.rules.push(found);
        }
    }

    /// Reports an errno that one of the hooks must not return.
    fn errno_hazard(&mut self, name: &ast::Name, number: u16, hooks: &[Spanned<HookId>]) {
        for hook in hooks {
            let Some(hazard) = catalogue::errno_hazard(hook.node, number) else {
                continue;
            };
            self.report(
                Diagnostic::new(
                    Code::ErrnoHazard,
                    format!("`{}` cannot return {}", hook.node.name(), name.node),
                    name.span,
                    hazard,
                )
                .also(hook.span, "this hook")
                .help("return another errno, such as `EACCES`, or write plain `deny`"),
            );
        }
    }

    /// Both conditions of a rule or an assert.
    pub(super) fn when_unless(
        &mut self,
        when: Option<&ast::Expr>,
        unless: Option<&ast::Expr>,
        uses: &mut Uses,
    ) -> Conditions {
        let spans = when
            .zip(unless)
            .map(|(when, unless)| (when.span, unless.span));
        let when = when.map(|expr| self.condition(expr, uses));
        let unless = unless.map(|expr| self.condition(expr, uses));
        let when = when.map_or(Some(None), |cond| cond.map(Some))?;
        let unless = unless.map_or(Some(None), |cond| cond.map(Some))?;
        if let (Some(when), Some(unless), Some((at, again))) = (&when, &unless, spans)
            && same(when, unless)
        {
            self.report(
                Diagnostic::new(
                    Code::ConstantCondition,
                    "this never applies: `unless` takes back just what `when` says",
                    again,
                    "the same condition",
                )
                .also(at, "applies when this is true")
                .help("remove the statement, or write a narrower exception"),
            );
        }
        Some((when, unless))
    }

    /// A file that is moved away from a name, or onto it, escapes a rule about the
    /// other name.
    fn path_alone(&mut self, uses: &Uses, hooks: &[Spanned<HookId>]) {
        let moved = hooks
            .iter()
            .find(|hook| matches!(hook.node, HookId::PathRename | HookId::PathLink));
        let (Some(hook), Some(path)) = (moved, uses.find(FieldRef::Field(FieldId::Path))) else {
            return;
        };
        let other = uses.find(FieldRef::Field(FieldId::NewPath));
        if other.is_some() || uses.find(FieldRef::AnyPath).is_some() {
            return;
        }
        let span = path.span;
        self.report(
            Diagnostic::new(
                Code::PathAlone,
                format!(
                    "`{}` has two paths, and this looks at one",
                    hook.node.name()
                ),
                span,
                "the old path alone",
            )
            .also(hook.span, "has `new_path` too")
            .help("write `any_path` to protect the place from being replaced as well"),
        );
    }

    fn quiet_without_effect(&mut self, rule: &Rule, notes: &Annotations, restricts: bool) {
        let given = rule
            .annotations
            .iter()
            .find(|annotation| annotation.name.node == "quiet");
        let Some(given) = given else {
            return;
        };
        let bool_given = matches!(given.value.node, ast::LiteralKind::Bool(_));
        let help = if !bool_given || notes.quiet && restricts {
            return;
        } else if !notes.quiet {
            "records are emitted unless it says `true`: remove it"
        } else if matches!(rule.effect.node, Word::Audit) {
            "an `audit` only records: remove the `@quiet`, or the rule"
        } else {
            "an `allow` emits no record: remove it"
        };
        self.report(
            Diagnostic::new(
                Code::QuietWithoutEffect,
                "`@quiet` has no effect here",
                given.span,
                "changes nothing",
            )
            .help(help),
        );
    }
}
