//! `let`s: which there are, what they need, what they stand for.
//!
//! Owns the namespaces and the order in which `let`s are resolved. A set is typed
//! only where it is used, because only the field there gives it a type.

use std::collections::HashMap;
use std::rc::Rc;

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_syntax::Span;
use lsmpc_syntax::ast::{
    Expr, ExprKind, File, Item, ItemKind, Let, LetValue, Literal, Operand, Set, SetOrName,
    StatementKind,
};

use super::condition::{self, Uses};
use super::operand::SetUse;
use super::set::nested_set;
use super::{Checker, Text};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::hir::{Cond, FieldRef};
use crate::suggest;

/// Index of a `let`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LetId(usize);

/// A set, the field that it is typed for, how it is asked about, and the codes
/// that the rule at hand does not want to hear: another one may want to.
pub(super) type SetKey = (LetId, FieldRef, SetUse, Vec<Code>);

/// All `let`s of a policy.
#[derive(Debug, Default)]
pub(super) struct Lets<'a> {
    all: Vec<Entry<'a>>,
    outer: HashMap<&'a str, LetId>,
    /// For each scope.
    inner: Vec<HashMap<&'a str, LetId>>,
}

#[derive(Debug)]
struct Entry<'a> {
    ast: &'a Let,
    scope: Option<usize>,
    used: bool,
    meaning: Meaning<'a>,
}

/// What a `let` stands for.
#[derive(Debug, Clone)]
pub(super) enum Meaning<'a> {
    /// Something that was reported, or is about to be.
    Broken,
    /// A set, typed where it is used.
    Set(&'a Set),
    /// A literal, typed where it is used.
    Literal(&'a Literal),
    /// An enumerator of some field.
    Enumerator(&'a str, Span),
    /// A condition.
    Cond(Rc<LetCond>),
}

/// A condition bound to a name.
#[derive(Debug)]
pub(super) struct LetCond {
    pub(super) cond: Cond,
    pub(super) uses: Uses,
    pub(super) size: u64,
    pub(super) depth: u32,
}

impl<'a> Lets<'a> {
    /// The `let` of that name that is visible in a scope.
    fn find(&self, name: &str, scope: Option<usize>) -> Option<LetId> {
        let inner = scope.and_then(|scope| self.inner.get(scope)?.get(name));
        inner.or_else(|| self.outer.get(name)).copied()
    }

    /// The names that are visible in a scope.
    fn names(&self, scope: Option<usize>) -> impl Iterator<Item = &'a str> {
        let inner = scope.and_then(|scope| self.inner.get(scope));
        let outer = self.outer.keys();
        outer
            .chain(inner.into_iter().flat_map(HashMap::keys))
            .copied()
    }
}

impl<'a> Checker<'a> {
    /// The visible `let` of that name; finding it counts as using it.
    pub(super) fn find_let(&mut self, name: &str) -> Option<LetId> {
        let id = self.lets.find(name, self.scope)?;
        if let Some(entry) = self.lets.all.get_mut(id.0) {
            entry.used = true;
        }
        Some(id)
    }

    /// The names of `let`s to suggest; none once no more errors are shown.
    pub(super) fn visible_lets(&self) -> Vec<&'a str> {
        if self.is_full() {
            return Vec::new();
        }
        self.lets.names(self.scope).collect()
    }

    pub(super) fn meaning(&self, id: LetId) -> Meaning<'a> {
        let entry = self.lets.all.get(id.0);
        entry.map_or(Meaning::Broken, |entry| entry.meaning.clone())
    }

    /// Where a `let` is named.
    pub(super) fn let_span(&self, id: LetId) -> Option<Span> {
        Some(self.lets.all.get(id.0)?.ast.name.span)
    }

    /// Reports how a `let` is used, with the place that binds it.
    pub(super) fn report_use(&mut self, id: LetId, mut diagnostic: Diagnostic) {
        if let Some(bound) = self.let_span(id) {
            diagnostic = diagnostic.also(bound, "bound here");
        }
        self.report(diagnostic);
    }

    pub(super) fn collect_lets(&mut self, files: &'a [File]) {
        let statements = || files.iter().flat_map(|file| &file.statements);
        for statement in statements() {
            if let StatementKind::Let(found) = &statement.node {
                self.add_let(found, None);
            }
        }
        let mut scopes = 0;
        for statement in statements() {
            if let StatementKind::Scope(scope) = &statement.node {
                self.lets.inner.push(HashMap::new());
                for statement in &scope.statements {
                    if let StatementKind::Let(found) = &statement.node {
                        self.add_let(found, Some(scopes));
                    }
                }
                scopes += 1;
            }
        }
    }

    fn add_let(&mut self, found: &'a Let, scope: Option<usize>) {
        let name = found.name.node.as_str();
        let span = found.name.span;
        let taken = if HookId::from_name(name).is_some() {
            Some("is already the name of a hook")
        } else if FieldId::from_name(name).is_some() || name == "any_path" {
            Some("is already the name of a field")
        } else if catalogue::is_enumerator(name) {
            Some("is already a value of the language")
        } else if name == "none" {
            Some("already stands for a field that does not apply")
        } else {
            None
        };
        if let Some(taken) = taken {
            self.report(
                Diagnostic::new(
                    Code::LetNameTaken,
                    format!("`{name}` {taken}"),
                    span,
                    "cannot be the name of a `let`",
                )
                .help(format!("choose another name, such as `my_{name}`")),
            );
        }
        let first = self.lets.find(name, scope);
        let first = first.and_then(|id| self.let_span(id));
        if let Some(first) = first {
            let mut diagnostic = Diagnostic::new(
                Code::DuplicateLet,
                format!("`{name}` is bound twice"),
                span,
                "bound again here",
            )
            .also(first, "first bound here")
            .help("choose another name: every name means one thing in the whole policy");
            if scope.is_some() {
                diagnostic = diagnostic.note("a `let` of a scope may not hide one outside of it");
            }
            self.report(diagnostic);
        }
        let id = LetId(self.lets.all.len());
        self.lets.all.push(Entry {
            ast: found,
            scope,
            // Nothing can use the second of two, nor a name that is taken.
            used: first.is_some() || taken.is_some(),
            meaning: Meaning::Broken,
        });
        let names = match scope {
            Some(scope) => self.lets.inner.get_mut(scope),
            None => Some(&mut self.lets.outer),
        };
        if let Some(names) = names.filter(|_| first.is_none()) {
            names.insert(name, id);
        }
    }

    /// Resolves every `let` after those that it needs.
    pub(super) fn resolve_lets(&mut self) {
        let mut needs: Vec<Vec<(usize, Span)>> = Vec::with_capacity(self.lets.all.len());
        for index in 0..self.lets.all.len() {
            needs.push(self.needs(index));
        }
        for &(needed, _) in needs.iter().flatten() {
            if let Some(entry) = self.lets.all.get_mut(needed) {
                entry.used = true;
            }
        }
        // A depth-first walk with a stack of its own, since a chain of `let`s may
        // be as long as the policy.
        let mut state = vec![Visit::New; needs.len()];
        for start in 0..needs.len() {
            let mut stack = vec![(start, 0)];
            while let Some((index, next)) = stack.pop() {
                if next == 0 {
                    match state.get(index) {
                        Some(Visit::New) => set(&mut state, index, Visit::Open),
                        _ => continue,
                    }
                }
                let Some(&(needed, span)) = needs.get(index).and_then(|all| all.get(next)) else {
                    set(&mut state, index, Visit::Done);
                    self.resolve_let(index);
                    continue;
                };
                stack.push((index, next.saturating_add(1)));
                match state.get(needed) {
                    Some(Visit::New) => stack.push((needed, 0)),
                    Some(Visit::Open) => self.report_circle(&stack, needed, span),
                    _ => {}
                }
            }
        }
    }

    fn report_circle(&mut self, stack: &[(usize, usize)], needed: usize, span: Span) {
        let from = stack
            .iter()
            .position(|&(index, _)| index == needed)
            .unwrap_or(0);
        let circle: Vec<usize> = stack
            .iter()
            .skip(from)
            .map(|&(index, _)| index)
            .chain([needed])
            .take(9)
            .collect();
        let names: Vec<String> = circle
            .iter()
            .filter_map(|&index| self.lets.all.get(index))
            .map(|entry| format!("`{}`", entry.ast.name.node))
            .collect();
        let name = names.first().cloned().unwrap_or_default();
        let mut diagnostic = Diagnostic::new(
            Code::RecursiveLet,
            format!("{name} needs itself"),
            span,
            format!("needs {name} again"),
        )
        .help("a `let` can only be made of names that do not need it")
        .note(names.join(" needs "));
        for (index, name) in circle.iter().zip(&names).skip(1) {
            if let Some(bound) = self.let_span(LetId(*index)) {
                diagnostic = diagnostic.also(bound, format!("{name} is bound here"));
            }
        }
        self.report(diagnostic);
    }

    /// The `let`s that one names, and where.
    fn needs(&self, index: usize) -> Vec<(usize, Span)> {
        let Some(entry) = self.lets.all.get(index) else {
            return Vec::new();
        };
        let mut names = Vec::new();
        match &entry.ast.value {
            LetValue::Literal(_) => {}
            LetValue::Set(set) => names_of_set(set, &mut names),
            LetValue::Expr(expr) => names_of(expr, &mut names),
        }
        names
            .into_iter()
            .filter_map(|(name, span)| Some((self.lets.find(name, entry.scope)?.0, span)))
            .collect()
    }

    fn resolve_let(&mut self, index: usize) {
        let Some(entry) = self.lets.all.get(index) else {
            return;
        };
        let ast = entry.ast;
        self.scope = entry.scope;
        let meaning = match &ast.value {
            LetValue::Literal(literal) => Meaning::Literal(literal),
            LetValue::Set(set) => {
                self.names_in_set(set);
                Meaning::Set(set)
            }
            LetValue::Expr(Expr {
                node: ExprKind::Name(name),
                span,
            }) => self.bare_name(name, *span),
            LetValue::Expr(expr) => self.let_condition(expr),
        };
        self.scope = None;
        if let Some(entry) = self.lets.all.get_mut(index) {
            entry.meaning = meaning;
        }
    }

    /// `let a = b`
    fn bare_name(&mut self, name: &'a str, span: Span) -> Meaning<'a> {
        if catalogue::is_enumerator(name) {
            return Meaning::Enumerator(name, span);
        }
        if let Some(id) = self.find_let(name) {
            return self.meaning(id);
        }
        self.let_condition(&Expr::new(ExprKind::Name(name.to_owned()), span))
    }

    fn let_condition(&mut self, expr: &Expr) -> Meaning<'a> {
        let mut uses = Uses::default();
        let Some(cond) = self.condition(expr, &mut uses) else {
            return Meaning::Broken;
        };
        let (size, depth) = condition::measure(&cond);
        Meaning::Cond(Rc::new(LetCond {
            cond,
            uses,
            size,
            depth,
        }))
    }

    /// Reports names in a set that no field could give a meaning to.
    fn names_in_set(&mut self, set: &'a Set) {
        for Item { node, span } in &set.items {
            match node {
                ItemKind::Name(name) => {
                    if !catalogue::is_enumerator(name) && self.find_let(name).is_none() {
                        let mut known: Vec<&str> = self.visible_lets();
                        let fields = catalogue::fields().iter();
                        let all = fields.flat_map(|field| field.enumerators);
                        known.extend(all.map(|known| known.name));
                        let help = suggest::did_you_mean(name, known);
                        self.report(
                            Diagnostic::new(
                                Code::UnknownName,
                                format!("unknown name `{name}`"),
                                *span,
                                "neither an enumerator nor a `let`",
                            )
                            .help("a string needs quotes; a name needs a `let`")
                            .maybe_help(help),
                        );
                    }
                }
                ItemKind::Set(_) => self.report(nested_set(*span)),
                ItemKind::Literal(_) | ItemKind::Range { .. } => {}
            }
        }
    }

    pub(super) fn unused_lets(&mut self) {
        if self.text != Text::Whole {
            return;
        }
        let unused: Vec<(String, Span)> = self
            .lets
            .all
            .iter()
            .filter(|entry| !entry.used)
            .map(|entry| (entry.ast.name.node.clone(), entry.ast.name.span))
            .collect();
        for (name, span) in unused {
            self.report(
                Diagnostic::new(
                    Code::UnusedLet,
                    format!("nothing uses `{name}`"),
                    span,
                    "never used",
                )
                .help("remove it, or use it in a condition"),
            );
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Open,
    Done,
}

fn set(state: &mut [Visit], index: usize, to: Visit) {
    if let Some(slot) = state.get_mut(index) {
        *slot = to;
    }
}

/// The names in a condition that could be `let`s. Conditions nest no deeper than
/// the parser allows.
fn names_of<'a>(expr: &'a Expr, names: &mut Vec<(&'a str, Span)>) {
    match &expr.node {
        ExprKind::Or(all) | ExprKind::And(all) => {
            for one in all {
                names_of(one, names);
            }
        }
        ExprKind::Not(inner) => names_of(inner, names),
        ExprKind::Compare { value, .. } => match value {
            Operand::Literal(_) => {}
            Operand::Name(name) => names.push((&name.node, name.span)),
            Operand::Set(set) => names_of_set(set, names),
        },
        ExprKind::In { set, .. } | ExprKind::Has { set, .. } => match set {
            SetOrName::Set(set) => names_of_set(set, names),
            SetOrName::Name(name) => names.push((&name.node, name.span)),
            SetOrName::Literal(_) => {}
        },
        ExprKind::Name(name) => names.push((name, expr.span)),
        ExprKind::Error => {}
    }
}

fn names_of_set<'a>(set: &'a Set, names: &mut Vec<(&'a str, Span)>) {
    for item in &set.items {
        match &item.node {
            ItemKind::Name(name) => names.push((name, item.span)),
            ItemKind::Set(inner) => names_of_set(inner, names),
            ItemKind::Literal(_) | ItemKind::Range { .. } => {}
        }
    }
}
