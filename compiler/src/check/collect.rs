//! The order in which a policy is checked.
//!
//! Owns the passes: names first, then statements, then what only all statements
//! together can tell.

use lsmpc_syntax::FileId;
use lsmpc_syntax::ast::{File, StatementKind};
use rustc_hash::FxHashMap;

use super::Checker;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::hir::{Module, Rule};

impl<'a> Checker<'a> {
    pub(super) fn policy(&mut self, files: &'a [File]) {
        self.collect_lets(files);
        self.resolve_lets();

        self.add_module(Module::default());
        let statements = || files.iter().flat_map(|file| &file.statements);
        let mut scopes = 0;
        for statement in statements() {
            match &statement.node {
                StatementKind::Include(_) | StatementKind::Let(_) => {}
                StatementKind::Default(default) => self.default(default, statement.span, 0),
                StatementKind::OnError(on_error) => self.on_error(on_error, 0),
                StatementKind::Rule(rule) => self.rule(rule, statement.span, 0),
                StatementKind::Scope(scope) => {
                    self.scope(scope, scopes);
                    scopes += 1;
                }
                StatementKind::Exempt(exempt) => self.exempt(exempt),
                StatementKind::Assert(assert) => self.assert(assert, statement),
                // Tests name scopes, which may come later.
                StatementKind::Test(_) => {}
            }
        }
        for statement in statements() {
            if let StatementKind::Test(test) = &statement.node {
                self.test(test);
            }
        }

        for file in files {
            self.annotation_places(&file.statements);
        }
        self.allows_without_default();
        self.unused_lets();
        self.name_rules();
    }

    /// Gives every rule the name that reports show.
    fn name_rules(&mut self) {
        let mut on_line: FxHashMap<(FileId, u32), u32> = FxHashMap::default();
        let line = |rule: &Rule| (rule.effect_span.file, rule.place.line);
        let rules = || self.hir.modules.iter().flat_map(|module| &module.rules);
        on_line.reserve(rules().count());
        for rule in rules() {
            let count = on_line.entry(line(rule)).or_default();
            *count = count.saturating_add(1);
        }
        let mut nameless = Vec::new();
        for module in &mut self.hir.modules {
            for rule in &mut module.rules {
                let place = &rule.place;
                rule.id = match &rule.notes.id {
                    Some(id) => id.node.clone(),
                    None => {
                        let shared = on_line.get(&line(rule)).is_some_and(|count| *count > 1);
                        if shared {
                            format!("{}:{}:{}", place.file, place.line, place.column)
                        } else {
                            format!("{}:{}", place.file, place.line)
                        }
                    }
                };
                if rule.notes.id.is_none() && !rule.notes.silenced.contains(&Code::MissingId) {
                    nameless.push(rule.effect_span);
                }
            }
        }
        if self.options.strict {
            for span in nameless {
                self.report(
                    Diagnostic::new(
                        Code::MissingId,
                        "the rule has no `@id`",
                        span,
                        "reports can only name this rule by its line",
                    )
                    .help("put `@id(\"…\")` before it: lines move, ids stay"),
                );
            }
        }
    }
}
