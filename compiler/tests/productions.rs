//! The corpus holds every production of the grammar: each kind of node, with and
//! without what is optional in it, and every word of the language.

#![allow(clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lsmpc_syntax::ast::*;
use lsmpc_syntax::{FileId, KEYWORDS, parse};

/// Every production, as the walk below names them.
const PRODUCTIONS: &[&str] = &[
    "include",
    "let set",
    "let literal",
    "let condition",
    "let name",
    "default deny",
    "default allow",
    "default audit",
    "on_error deny",
    "on_error allow",
    "rule",
    "rule with annotations",
    "rule without conditions",
    "rule when",
    "rule unless",
    "rule when unless",
    "deny",
    "deny with",
    "kill",
    "allow",
    "audit",
    "several hooks",
    "scope",
    "scope inherit",
    "scope inherit until",
    "empty scope",
    "let in a scope",
    "default in a scope",
    "on_error in a scope",
    "rule in a scope",
    "exempt",
    "assert deny",
    "assert allow",
    "assert without conditions",
    "assert when",
    "assert unless",
    "assert when unless",
    "test",
    "given",
    "given several",
    "expect deny",
    "expect deny with",
    "expect allow",
    "expect kill",
    "expect audit",
    "expect quiet",
    "expect without bindings",
    "expect with bindings",
    "bind literal",
    "bind set",
    "bind name",
    "or",
    "and",
    "not",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "compare literal",
    "compare name",
    "compare set",
    "in",
    "not in",
    "has",
    "has any",
    "in set",
    "in name",
    "in literal",
    "bare name",
    "string",
    "raw string",
    "binary",
    "octal",
    "decimal",
    "hexadecimal",
    "bool",
    "user",
    "group",
    "empty set",
    "item literal",
    "item range",
    "item name",
    "item set",
    "dotted field",
];

/// Productions that may be among what is refused only: they are parsed so that a good
/// word can be said. The syntax crate has a corpus of its own for them.
const REFUSED: &[&str] = &[
    "compare set",
    "in literal",
    "item set",
    "empty set",
    "scope inherit",
    "scope inherit until",
];

#[derive(Default)]
struct Seen(BTreeSet<&'static str>);

impl Seen {
    fn note(&mut self, name: &'static str) {
        assert!(PRODUCTIONS.contains(&name), "`{name}` is not in the list");
        self.0.insert(name);
    }

    fn statement(&mut self, statement: &StatementKind, in_scope: bool) {
        match statement {
            StatementKind::Include(_) => self.note("include"),
            StatementKind::Let(found) => {
                if in_scope {
                    self.note("let in a scope");
                }
                match &found.value {
                    LetValue::Set(set) => {
                        self.note("let set");
                        self.set(set);
                    }
                    LetValue::Literal(literal) => {
                        self.note("let literal");
                        self.literal(&literal.node);
                    }
                    LetValue::Expr(Expr {
                        node: ExprKind::Name(_),
                        ..
                    }) => self.note("let name"),
                    LetValue::Expr(expr) => {
                        self.note("let condition");
                        self.expr(&expr.node);
                    }
                }
            }
            StatementKind::Default(default) => {
                if in_scope {
                    self.note("default in a scope");
                }
                self.hooks(&default.hooks);
                self.note(match default.effect.node {
                    DefaultEffect::Deny => "default deny",
                    DefaultEffect::Allow => "default allow",
                    DefaultEffect::Audit => "default audit",
                });
            }
            StatementKind::OnError(on_error) => {
                if in_scope {
                    self.note("on_error in a scope");
                }
                self.hooks(&on_error.hooks);
                self.note(match on_error.effect.node {
                    DenyAllow::Deny => "on_error deny",
                    DenyAllow::Allow => "on_error allow",
                });
            }
            StatementKind::Rule(rule) => self.rule(rule, in_scope),
            StatementKind::Scope(scope) => self.scope(scope),
            StatementKind::Exempt(exempt) => {
                self.note("exempt");
                self.expr(&exempt.when.node);
            }
            StatementKind::Assert(assert) => {
                self.hooks(&assert.hooks);
                self.note(match assert.effect.node {
                    DenyAllow::Deny => "assert deny",
                    DenyAllow::Allow => "assert allow",
                });
                self.note(match (&assert.when, &assert.unless) {
                    (None, None) => "assert without conditions",
                    (Some(_), None) => "assert when",
                    (None, Some(_)) => "assert unless",
                    (Some(_), Some(_)) => "assert when unless",
                });
                for expr in assert.when.iter().chain(&assert.unless) {
                    self.expr(&expr.node);
                }
            }
            StatementKind::Test(test) => {
                self.note("test");
                for step in &test.steps {
                    self.step(step);
                }
            }
        }
    }

    fn rule(&mut self, rule: &Rule, in_scope: bool) {
        self.note(if in_scope { "rule in a scope" } else { "rule" });
        if !rule.annotations.is_empty() {
            self.note("rule with annotations");
        }
        for annotation in &rule.annotations {
            self.literal(&annotation.value.node);
        }
        self.note(match &rule.effect.node {
            Effect::Deny { errno: None } => "deny",
            Effect::Deny { errno: Some(_) } => "deny with",
            Effect::Kill => "kill",
            Effect::Allow => "allow",
            Effect::Audit => "audit",
        });
        self.hooks(&rule.hooks);
        self.note(match (&rule.when, &rule.unless) {
            (None, None) => "rule without conditions",
            (Some(_), None) => "rule when",
            (None, Some(_)) => "rule unless",
            (Some(_), Some(_)) => "rule when unless",
        });
        for expr in rule.when.iter().chain(&rule.unless) {
            self.expr(&expr.node);
        }
    }

    fn scope(&mut self, scope: &Scope) {
        self.note("scope");
        self.expr(&scope.when.node);
        if let Some(Inherit { until, .. }) = &scope.inherit {
            self.note("scope inherit");
            if let Some(until) = until {
                self.note("scope inherit until");
                self.expr(&until.node);
            }
        }
        if scope.statements.is_empty() {
            self.note("empty scope");
        }
        for statement in &scope.statements {
            self.statement(&statement.node, true);
        }
    }

    fn step(&mut self, step: &TestStep) {
        let bindings = match step {
            TestStep::Given { bindings, .. } => {
                self.note(match bindings.len() {
                    1 => "given",
                    _ => "given several",
                });
                bindings
            }
            TestStep::Expect {
                verdict, bindings, ..
            } => {
                self.note(match &verdict.node {
                    Expected::Deny { errno: None } => "expect deny",
                    Expected::Deny { errno: Some(_) } => "expect deny with",
                    Expected::Allow => "expect allow",
                    Expected::Kill => "expect kill",
                    Expected::Audit => "expect audit",
                    Expected::Quiet => "expect quiet",
                });
                self.note(match bindings.len() {
                    0 => "expect without bindings",
                    _ => "expect with bindings",
                });
                bindings
            }
        };
        for binding in bindings {
            self.field(&binding.field);
            match &binding.value {
                BindingValue::Literal(literal) => {
                    self.note("bind literal");
                    self.literal(&literal.node);
                }
                BindingValue::Set(set) => {
                    self.note("bind set");
                    self.set(set);
                }
                BindingValue::Name(_) => self.note("bind name"),
            }
        }
    }

    fn hooks(&mut self, hooks: &[Name]) {
        if hooks.len() > 1 {
            self.note("several hooks");
        }
    }

    fn field(&mut self, name: &Name) {
        if name.node.contains('.') {
            self.note("dotted field");
        }
    }

    fn expr(&mut self, expr: &ExprKind) {
        match expr {
            ExprKind::Or(all) => {
                self.note("or");
                all.iter().for_each(|one| self.expr(&one.node));
            }
            ExprKind::And(all) => {
                self.note("and");
                all.iter().for_each(|one| self.expr(&one.node));
            }
            ExprKind::Not(inner) => {
                self.note("not");
                self.expr(&inner.node);
            }
            ExprKind::Compare { field, op, value } => {
                self.field(field);
                self.note(match op.node {
                    CompareOp::Eq => "==",
                    CompareOp::Ne => "!=",
                    CompareOp::Lt => "<",
                    CompareOp::Le => "<=",
                    CompareOp::Gt => ">",
                    CompareOp::Ge => ">=",
                });
                match value {
                    Operand::Literal(literal) => {
                        self.note("compare literal");
                        self.literal(&literal.node);
                    }
                    Operand::Name(_) => self.note("compare name"),
                    Operand::Set(set) => {
                        self.note("compare set");
                        self.set(set);
                    }
                }
            }
            ExprKind::In {
                field,
                negated,
                set,
                ..
            } => {
                self.field(field);
                self.note(if *negated { "not in" } else { "in" });
                self.set_or_name(set);
            }
            ExprKind::Has {
                field, any, set, ..
            } => {
                self.field(field);
                self.note(if *any { "has any" } else { "has" });
                self.set_or_name(set);
            }
            ExprKind::Name(_) => self.note("bare name"),
            ExprKind::Error => {}
        }
    }

    fn set_or_name(&mut self, set: &SetOrName) {
        match set {
            SetOrName::Set(set) => {
                self.note("in set");
                self.set(set);
            }
            SetOrName::Name(_) => self.note("in name"),
            SetOrName::Literal(literal) => {
                self.note("in literal");
                self.literal(&literal.node);
            }
        }
    }

    fn set(&mut self, set: &Set) {
        if set.items.is_empty() {
            self.note("empty set");
        }
        for item in &set.items {
            match &item.node {
                ItemKind::Literal(literal) => {
                    self.note("item literal");
                    self.literal(&literal.node);
                }
                ItemKind::Range { low, high } => {
                    self.note("item range");
                    self.literal(&low.node);
                    self.literal(&high.node);
                }
                ItemKind::Name(_) => self.note("item name"),
                ItemKind::Set(inner) => {
                    self.note("item set");
                    self.set(inner);
                }
            }
        }
    }

    fn literal(&mut self, literal: &LiteralKind) {
        self.note(match literal {
            LiteralKind::String { raw: false, .. } => "string",
            LiteralKind::String { raw: true, .. } => "raw string",
            LiteralKind::Int { radix: 2, .. } => "binary",
            LiteralKind::Int { radix: 8, .. } => "octal",
            LiteralKind::Int { radix: 16, .. } => "hexadecimal",
            LiteralKind::Int { .. } => "decimal",
            LiteralKind::Bool(_) => "bool",
            LiteralKind::User(_) => "user",
            LiteralKind::Group(_) => "group",
        });
    }
}

fn texts(directory: &Path, found: &mut Vec<String>) {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            texts(&path, found);
        } else if path.extension().is_some_and(|end| end == "lsmp") {
            found.push(String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned());
        }
    }
}

/// The texts of a corpus, and the productions in them.
fn corpus(folder: &str) -> (Vec<String>, BTreeSet<&'static str>) {
    let mut all = Vec::new();
    texts(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
        &mut all,
    );
    let mut seen = Seen::default();
    for text in &all {
        for statement in &parse(FileId(0), text).file.statements {
            seen.statement(&statement.node, false);
        }
    }
    (all, seen.0)
}

#[test]
fn every_production_is_in_the_corpus() {
    let (_, accepted) = corpus("../tests/corpus/ok");
    let (_, refused) = corpus("../tests/corpus/err");
    let (_, parsed) = corpus("../grammar/tests/corpus/ok");
    let mut missing: BTreeSet<&str> = PRODUCTIONS.iter().copied().collect();
    assert_eq!(missing.len(), PRODUCTIONS.len(), "one is listed twice");
    missing.retain(|name| !accepted.contains(name));
    for name in REFUSED {
        assert!(PRODUCTIONS.contains(name), "{name}");
        if refused.contains(name) || parsed.contains(name) {
            missing.remove(name);
        }
    }
    assert!(missing.is_empty(), "not in tests/corpus: {missing:?}");
}

#[test]
fn every_word_is_in_the_corpus() {
    let (accepted, _) = corpus("../tests/corpus/ok");
    let (refused, _) = corpus("../tests/corpus/err");
    let (parsed, _) = corpus("../grammar/tests/corpus/ok");
    let words: BTreeSet<String> = accepted
        .iter()
        .chain(&refused)
        .chain(&parsed)
        .flat_map(|text| text.lines())
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')))
        .map(str::to_owned)
        .collect();
    let missing: Vec<_> = KEYWORDS
        .iter()
        .filter(|word| !words.contains(**word))
        .collect();
    assert!(missing.is_empty(), "not in tests/corpus: {missing:?}");
    let text = accepted.concat();
    for part in [
        "&&",
        "||",
        "!(",
        ",]",
        "..",
        "\\\"",
        "\\\\",
        "\\n",
        "\\t",
        "\\x",
        "@id(",
        "@message(",
        "@severity(",
        "@tag(",
        "@quiet(",
        "@reference(",
        "@silence(",
    ] {
        assert!(text.contains(part), "not in tests/corpus/ok: {part}");
    }
}
