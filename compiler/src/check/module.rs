//! What statements of one module say together.
//!
//! Owns `default` and `on_error`, and which `allow`s need them.

use std::collections::HashMap;

use lsmpc_abi::hook::HookId;
use lsmpc_syntax::ast::{Default_ as Default, DefaultEffect as Word, DenyAllow, Name, OnError};
use lsmpc_syntax::{Span, Spanned};

use super::{Checker, Text};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::hir::{self, DefaultEffect, Module};

/// What is remembered of a module until all of it is known.
#[derive(Debug, Default)]
pub(super) struct ModuleNotes {
    defaults: HashMap<HookId, (DefaultEffect, Span)>,
    on_errors: HashMap<HookId, (bool, Span)>,
    /// The hooks of `allow` rules.
    allows: Vec<Spanned<HookId>>,
    /// Whether some default's hook is not known.
    unknown_default: bool,
}

impl Checker<'_> {
    /// Adds a module; returns its index.
    pub(super) fn add_module(&mut self, module: Module) -> usize {
        self.hir.modules.push(module);
        self.notes.push(ModuleNotes::default());
        self.notes.len().saturating_sub(1)
    }

    pub(super) fn default(&mut self, default: &Default, span: Span, module: usize) {
        let effect = match default.effect.node {
            Word::Deny => DefaultEffect::Deny,
            Word::Allow => DefaultEffect::Allow,
            Word::Audit => DefaultEffect::Audit,
        };
        let place = self.place(span);
        let unknown = |hook: &Name| HookId::from_name(&hook.node).is_none();
        if default.hooks.iter().any(unknown)
            && let Some(notes) = self.notes.get_mut(module)
        {
            notes.unknown_default = true;
        }
        for hook in self.hooks(&default.hooks) {
            let known = self
                .notes
                .get(module)
                .and_then(|notes| notes.defaults.get(&hook.node).copied());
            if let Some((first, at)) = known {
                self.twice("default", hook, first == effect, at);
                continue;
            }
            if let Some(notes) = self.notes.get_mut(module) {
                notes.defaults.insert(hook.node, (effect, hook.span));
            }
            if let Some(module) = self.hir.modules.get_mut(module) {
                module.defaults.push(hir::Default_ {
                    hook: hook.node,
                    effect,
                    place: place.clone(),
                    span: hook.span,
                });
            }
        }
    }

    pub(super) fn on_error(&mut self, on_error: &OnError, module: usize) {
        let deny = on_error.effect.node == DenyAllow::Deny;
        for hook in self.hooks(&on_error.hooks) {
            let known = self
                .notes
                .get(module)
                .and_then(|notes| notes.on_errors.get(&hook.node).copied());
            if let Some((first, at)) = known {
                self.twice("on_error", hook, first == deny, at);
                continue;
            }
            if let Some(notes) = self.notes.get_mut(module) {
                notes.on_errors.insert(hook.node, (deny, hook.span));
            }
            if let Some(module) = self.hir.modules.get_mut(module) {
                module.on_errors.push(hir::OnError {
                    hook: hook.node,
                    deny,
                    span: hook.span,
                });
            }
        }
    }

    fn twice(&mut self, word: &str, hook: Spanned<HookId>, agree: bool, first: Span) {
        let name = hook.node.name();
        let diagnostic = if agree {
            Diagnostic::new(
                Code::RepeatedDefault,
                format!("`{name}` has the same `{word}` already"),
                hook.span,
                "said again here",
            )
            .help("remove one of the two")
        } else {
            Diagnostic::new(
                Code::ContradictoryDefaults,
                format!("`{name}` has two `{word}`s that contradict each other"),
                hook.span,
                "says something else",
            )
            .help("remove one of the two: their order does not matter")
        };
        self.report(diagnostic.also(first, "first said here"));
    }

    pub(super) fn note_allows(&mut self, hooks: &[Spanned<HookId>], module: usize) {
        if let Some(notes) = self.notes.get_mut(module) {
            notes.allows.extend(hooks.iter().cloned());
        }
    }

    /// Reports `allow`s that loosen nothing.
    pub(super) fn allows_without_default(&mut self) {
        if self.text != Text::Whole {
            return;
        }
        let mut found = Vec::new();
        let modules = self.notes.iter().zip(&self.hir.modules);
        for (notes, module) in modules.filter(|(notes, _)| !notes.unknown_default) {
            for hook in &notes.allows {
                let default = notes.defaults.get(&hook.node);
                if matches!(default, None | Some((DefaultEffect::Allow, _))) {
                    let scope = module.scope.as_ref().map(|scope| scope.name.node.clone());
                    found.push((hook.clone(), scope, default.copied()));
                }
            }
        }
        for (hook, scope, default) in found {
            let name = hook.node.name();
            let place = match scope {
                Some(scope) => format!("in the scope `{scope}` there is no"),
                None => "there is no".to_owned(),
            };
            let mut diagnostic = Diagnostic::new(
                Code::AllowWithoutDefault,
                format!("this `allow` changes nothing: {place} `default deny {name}`"),
                hook.span,
                "allowed without this rule, too",
            )
            .help(format!(
                "to deny all else write `default deny {name}` beside it, or `default audit {name}` \
                 to try that out; for an exception from a `deny` use its `unless`"
            ));
            if let Some((_, at)) = default {
                diagnostic = diagnostic.also(at, "the default is `allow`");
            }
            self.report(diagnostic);
        }
    }
}
