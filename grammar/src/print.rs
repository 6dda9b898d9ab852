//! A tree to text, in the one canonical layout.
//!
//! Owns widths, line breaks, parentheses and the spelling of literals. It must
//! not know comments: the formatter sets them back.

use core::mem::discriminant;

use crate::ast::{
    Annotation, Binding, BindingValue, CompareOp, DefaultEffect, DenyAllow, Effect, Expected, Expr,
    ExprKind, File, Item, ItemKind, LetValue, Literal, LiteralKind, Name, Operand, Rule, Scope,
    Set, SetOrName, Statement, StatementKind, Test, TestStep,
};

/// Lines are broken so as not to be longer, where they can be broken.
const WIDTH: usize = 80;

/// Prints a file in canonical form: one layout, the words `and or not`,
/// parentheses only where precedence needs them.
///
/// What was parsed without errors parses back to the same tree, spans aside.
/// A condition that did not parse ([`ExprKind::Error`]) prints as `<error>`,
/// which is no condition.
#[must_use]
pub fn print(file: &File) -> String {
    let mut printer = Printer {
        out: String::new(),
        column: 0,
    };
    printer.statements(&file.statements, 0, true);
    printer.out
}

/// Prints one condition on one line.
#[must_use]
pub fn print_expr(expr: &Expr) -> String {
    let mut flat = Flat::unlimited();
    flat.expr(expr, Level::Or);
    flat.out
}

/// How tightly the context of a condition binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// Anything may stand here: a whole condition, or an operand of `or`.
    Or,
    /// An operand of `and`.
    And,
    /// An operand of `not`.
    Not,
}

// ---- on one line --------------------------------------------------------------

/// Writes on one line, and gives up when it gets too long.
struct Flat {
    out: String,
    room: usize,
    over: bool,
}

impl Flat {
    const fn unlimited() -> Self {
        Self::within(usize::MAX)
    }

    const fn within(room: usize) -> Self {
        Self {
            out: String::new(),
            room,
            over: false,
        }
    }

    fn finish(self) -> Option<String> {
        (!self.over).then_some(self.out)
    }

    fn text(&mut self, text: &str) {
        if self.over {
            return;
        }
        let length = text.chars().count();
        if length > self.room {
            self.over = true;
        } else {
            self.room -= length;
            self.out.push_str(text);
        }
    }

    fn list<T>(&mut self, items: &[T], mut one: impl FnMut(&mut Self, &T)) {
        for (index, item) in items.iter().enumerate() {
            if self.over {
                return;
            }
            if index > 0 {
                self.text(", ");
            }
            one(self, item);
        }
    }

    fn expr(&mut self, expr: &Expr, level: Level) {
        if self.over {
            return;
        }
        let parens = needs_parens(&expr.node, level);
        if parens {
            self.text("(");
        }
        match &expr.node {
            ExprKind::Or(operands) => self.chain(operands, " or ", Level::Or),
            ExprKind::And(operands) => self.chain(operands, " and ", Level::And),
            ExprKind::Not(inner) => {
                self.text("not ");
                self.expr(inner, Level::Not);
            }
            ExprKind::Compare { field, op, value } => {
                self.text(&field.node);
                self.text(" ");
                self.text(compare_op(op.node));
                self.text(" ");
                match value {
                    Operand::Literal(literal) => self.text(&print_literal(literal)),
                    Operand::Name(name) => self.text(&name.node),
                    Operand::Set(set) => self.set(set),
                }
            }
            ExprKind::In {
                field,
                negated,
                set,
                ..
            } => {
                self.text(&field.node);
                self.text(if *negated { " not in " } else { " in " });
                self.set_or_name(set);
            }
            ExprKind::Has {
                field, any, set, ..
            } => {
                self.text(&field.node);
                self.text(if *any { " has any " } else { " has " });
                self.set_or_name(set);
            }
            ExprKind::Name(name) => self.text(name),
            ExprKind::Error => self.text("<error>"),
        }
        if parens {
            self.text(")");
        }
    }

    fn chain(&mut self, operands: &[Expr], word: &str, level: Level) {
        for (index, operand) in operands.iter().enumerate() {
            if self.over {
                return;
            }
            if index > 0 {
                self.text(word);
            }
            self.expr(operand, level);
        }
    }

    fn set_or_name(&mut self, set: &SetOrName) {
        match set {
            SetOrName::Set(set) => self.set(set),
            SetOrName::Name(name) => self.text(&name.node),
            SetOrName::Literal(literal) => self.text(&print_literal(literal)),
        }
    }

    fn set(&mut self, set: &Set) {
        self.text("[");
        self.list(&set.items, Self::item);
        self.text("]");
    }

    fn item(&mut self, item: &Item) {
        match &item.node {
            ItemKind::Literal(literal) => self.text(&print_literal(literal)),
            ItemKind::Range { low, high } => {
                self.text(&print_literal(low));
                self.text("..");
                self.text(&print_literal(high));
            }
            ItemKind::Name(name) => self.text(name),
            ItemKind::Set(set) => self.set(set),
        }
    }

    fn annotation(&mut self, annotation: &Annotation) {
        self.text("@");
        self.text(&annotation.name.node);
        self.text("(");
        self.text(&print_literal(&annotation.value));
        self.text(")");
    }

    fn binding(&mut self, binding: &Binding) {
        self.text(&binding.field.node);
        self.text(" = ");
        match &binding.value {
            BindingValue::Literal(literal) => self.text(&print_literal(literal)),
            BindingValue::Set(set) => self.set(set),
            BindingValue::Name(name) => self.text(&name.node),
        }
    }
}

/// Whether `kind` binds too loosely for where it stands. An `or` inside an
/// `or` (no parser makes it) means the same without parentheses.
fn needs_parens(kind: &ExprKind, level: Level) -> bool {
    match kind {
        ExprKind::Or(_) => level >= Level::And,
        ExprKind::And(_) => level >= Level::Not,
        _ => false,
    }
}

// ---- on several lines -----------------------------------------------------------

struct Printer {
    out: String,
    column: usize,
}

impl Printer {
    fn text(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn line(&mut self, indent: usize) {
        self.out.push('\n');
        self.out.extend(core::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    /// Writes on what is left of the line, if it fits with `tail` more
    /// characters behind it.
    fn try_flat(&mut self, tail: usize, write: impl FnOnce(&mut Flat)) -> bool {
        let room = WIDTH.saturating_sub(self.column.saturating_add(tail));
        let mut flat = Flat::within(room);
        write(&mut flat);
        match flat.finish() {
            Some(text) => {
                self.text(&text);
                true
            }
            None => false,
        }
    }

    fn flat(&mut self, write: impl FnOnce(&mut Flat)) {
        let mut flat = Flat::unlimited();
        write(&mut flat);
        self.text(&flat.out);
    }

    fn statements(&mut self, statements: &[Statement], indent: usize, top: bool) {
        let mut previous: Option<(&Statement, bool)> = None;
        for statement in statements {
            let mut one = Self {
                out: String::new(),
                column: indent,
            };
            one.statement(&statement.node, indent);
            let long = one.out.contains('\n');
            if let Some((before, before_long)) = previous
                && (long
                    || before_long
                    || top && discriminant(&before.node) != discriminant(&statement.node))
            {
                self.out.push('\n');
            }
            self.out.extend(core::iter::repeat_n(' ', indent));
            self.text(&one.out);
            self.line(0);
            previous = Some((statement, long));
        }
    }

    fn statement(&mut self, statement: &StatementKind, indent: usize) {
        match statement {
            StatementKind::Include(path) => {
                self.text("include ");
                self.text(&print_string(&path.node, false));
            }
            StatementKind::Let(binding) => {
                self.text("let ");
                self.text(&binding.name.node);
                self.text(" = ");
                match &binding.value {
                    LetValue::Set(set) => self.set(set, indent + 2),
                    LetValue::Literal(literal) => self.text(&print_literal(literal)),
                    LetValue::Expr(expr) => self.expr(expr, Level::Or, indent + 2),
                }
            }
            StatementKind::Default(default) => {
                self.text(match default.effect.node {
                    DefaultEffect::Deny => "default deny ",
                    DefaultEffect::Allow => "default allow ",
                    DefaultEffect::Audit => "default audit ",
                });
                self.hooks(&default.hooks, indent);
            }
            StatementKind::OnError(on_error) => {
                self.text("on_error ");
                self.text(deny_allow(on_error.effect.node));
                self.hooks(&on_error.hooks, indent);
            }
            StatementKind::Rule(rule) => self.rule(rule, indent),
            StatementKind::Scope(scope) => self.scope(scope, indent),
            StatementKind::Exempt(exempt) => {
                self.text("exempt");
                self.clauses(&[("when ", &exempt.when)], indent);
            }
            StatementKind::Assert(assert) => {
                self.text("assert ");
                self.text(deny_allow(assert.effect.node));
                self.hooks(&assert.hooks, indent);
                self.when_unless(assert.when.as_ref(), assert.unless.as_ref(), indent);
            }
            StatementKind::Test(test) => self.test(test, indent),
        }
    }

    fn rule(&mut self, rule: &Rule, indent: usize) {
        if !rule.annotations.is_empty() {
            let together = self.try_flat(0, |flat| {
                for (index, annotation) in rule.annotations.iter().enumerate() {
                    if index > 0 {
                        flat.text(" ");
                    }
                    flat.annotation(annotation);
                }
            });
            if !together {
                for (index, annotation) in rule.annotations.iter().enumerate() {
                    if index > 0 {
                        self.line(indent);
                    }
                    self.flat(|flat| flat.annotation(annotation));
                }
            }
            self.line(indent);
        }
        match &rule.effect.node {
            Effect::Deny { errno: None } => self.text("deny "),
            Effect::Deny { errno: Some(errno) } => {
                self.text("deny with ");
                self.text(&errno.node);
                self.text(" ");
            }
            Effect::Kill => self.text("kill "),
            Effect::Allow => self.text("allow "),
            Effect::Audit => self.text("audit "),
        }
        self.hooks(&rule.hooks, indent);
        self.when_unless(rule.when.as_ref(), rule.unless.as_ref(), indent);
    }

    fn when_unless(&mut self, when: Option<&Expr>, unless: Option<&Expr>, indent: usize) {
        let clauses: Vec<(&str, &Expr)> = [("when ", when), ("unless ", unless)]
            .into_iter()
            .filter_map(|(word, clause)| clause.map(|c| (word, c)))
            .collect();
        self.clauses(&clauses, indent);
    }

    /// All on this line, or each on its own.
    fn clauses(&mut self, clauses: &[(&str, &Expr)], indent: usize) {
        let together = self.try_flat(0, |flat| {
            for (word, clause) in clauses {
                flat.text(" ");
                flat.text(word);
                flat.expr(clause, Level::Or);
            }
        });
        if !together {
            for (word, clause) in clauses {
                self.line(indent + 2);
                self.text(word);
                self.expr(clause, Level::Or, indent + 4);
            }
        }
    }

    fn hooks(&mut self, hooks: &[Name], indent: usize) {
        for (index, hook) in hooks.iter().enumerate() {
            let last = index + 1 == hooks.len();
            let length = hook.node.chars().count() + usize::from(!last);
            if index > 0 {
                if self.column + 1 + length > WIDTH {
                    self.line(indent + 4);
                } else {
                    self.text(" ");
                }
            }
            self.text(&hook.node);
            if !last {
                self.text(",");
            }
        }
    }

    fn scope(&mut self, scope: &Scope, indent: usize) {
        self.text("scope ");
        self.text(&scope.name.node);
        let until = scope.inherit.as_ref().and_then(|i| i.until.as_ref());
        let together = self.try_flat(2, |flat| {
            flat.text(" when ");
            flat.expr(&scope.when, Level::Or);
            if scope.inherit.is_some() {
                flat.text(" inherit");
            }
            if let Some(until) = until {
                flat.text(" until ");
                flat.expr(until, Level::Or);
            }
        });
        if together {
            self.text(" ");
        } else {
            self.line(indent + 2);
            self.text("when ");
            self.expr(&scope.when, Level::Or, indent + 4);
            if scope.inherit.is_some() {
                self.line(indent + 2);
                self.text("inherit");
            }
            if let Some(until) = until {
                self.text(" until ");
                self.expr(until, Level::Or, indent + 4);
            }
            self.line(indent);
        }
        self.text("{");
        if !scope.statements.is_empty() {
            self.line(0);
            self.statements(&scope.statements, indent + 2, false);
            self.out.extend(core::iter::repeat_n(' ', indent));
        }
        self.text("}");
    }

    fn test(&mut self, test: &Test, indent: usize) {
        self.text("test ");
        self.text(&print_string(&test.name.node, false));
        self.text(" {");
        for step in &test.steps {
            self.line(indent + 2);
            self.step(step, indent + 2);
        }
        if !test.steps.is_empty() {
            self.line(indent);
        }
        self.text("}");
    }

    fn step(&mut self, step: &TestStep, indent: usize) {
        let bindings = match step {
            TestStep::Given { bindings, .. } => {
                self.text("given");
                bindings
            }
            TestStep::Expect {
                verdict,
                hook,
                bindings,
                ..
            } => {
                self.text("expect ");
                match &verdict.node {
                    Expected::Deny { errno: None } => self.text("deny "),
                    Expected::Deny { errno: Some(errno) } => {
                        self.text("deny with ");
                        self.text(&errno.node);
                        self.text(" ");
                    }
                    Expected::Allow => self.text("allow "),
                    Expected::Kill => self.text("kill "),
                    Expected::Audit => self.text("audit "),
                    Expected::Quiet => self.text("quiet "),
                }
                self.text(&hook.node);
                bindings
            }
        };
        for (index, binding) in bindings.iter().enumerate() {
            let comma = usize::from(index + 1 < bindings.len());
            let mut fits = Flat::within(WIDTH.saturating_sub(self.column + 1 + comma));
            fits.binding(binding);
            match fits.finish() {
                Some(text) => {
                    self.text(" ");
                    self.text(&text);
                }
                None => {
                    self.line(indent + 2);
                    self.flat(|flat| flat.binding(binding));
                }
            }
            if comma == 1 {
                self.text(",");
            }
        }
    }

    /// `indent` is for the lines that follow the first; what closes a
    /// parenthesis or bracket stands two before it.
    fn expr(&mut self, expr: &Expr, level: Level, indent: usize) {
        if self.try_flat(0, |flat| flat.expr(expr, level)) {
            return;
        }
        if needs_parens(&expr.node, level) {
            self.text("(");
            self.line(indent);
            self.expr(expr, Level::Or, indent);
            self.line(indent.saturating_sub(2));
            self.text(")");
            return;
        }
        match &expr.node {
            ExprKind::Or(operands) => self.chain(operands, "or ", Level::Or, indent),
            ExprKind::And(operands) => self.chain(operands, "and ", Level::And, indent),
            ExprKind::Not(inner) => {
                self.text("not ");
                self.expr(inner, Level::Not, indent);
            }
            ExprKind::Compare {
                field,
                op,
                value: Operand::Set(set),
            } => {
                self.text(&field.node);
                self.text(" ");
                self.text(compare_op(op.node));
                self.text(" ");
                self.set(set, indent);
            }
            ExprKind::In {
                field,
                negated,
                set: SetOrName::Set(set),
                ..
            } => {
                self.text(&field.node);
                self.text(if *negated { " not in " } else { " in " });
                self.set(set, indent);
            }
            ExprKind::Has {
                field,
                any,
                set: SetOrName::Set(set),
                ..
            } => {
                self.text(&field.node);
                self.text(if *any { " has any " } else { " has " });
                self.set(set, indent);
            }
            _ => self.flat(|flat| flat.expr(expr, level)),
        }
    }

    fn chain(&mut self, operands: &[Expr], word: &str, level: Level, indent: usize) {
        for (index, operand) in operands.iter().enumerate() {
            if index > 0 {
                self.line(indent);
                self.text(word);
            }
            self.expr(operand, level, indent + 2);
        }
    }

    /// `indent` is for the items; the bracket closes two before it.
    fn set(&mut self, set: &Set, indent: usize) {
        if self.try_flat(0, |flat| flat.set(set)) {
            return;
        }
        self.text("[");
        for item in &set.items {
            self.line(indent);
            match &item.node {
                ItemKind::Set(inner) => self.set(inner, indent + 2),
                _ => self.flat(|flat| flat.item(item)),
            }
            self.text(",");
        }
        self.line(indent.saturating_sub(2));
        self.text("]");
    }
}

// ---- words ------------------------------------------------------------------------

const fn deny_allow(effect: DenyAllow) -> &'static str {
    match effect {
        DenyAllow::Deny => "deny ",
        DenyAllow::Allow => "allow ",
    }
}

const fn compare_op(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Eq => "==",
        CompareOp::Ne => "!=",
        CompareOp::Lt => "<",
        CompareOp::Le => "<=",
        CompareOp::Gt => ">",
        CompareOp::Ge => ">=",
    }
}

/// A literal as it is written.
#[must_use]
pub fn print_literal(literal: &Literal) -> String {
    match &literal.node {
        LiteralKind::String { bytes, raw } => print_string(bytes, *raw),
        LiteralKind::Int { value, radix } => match radix {
            2 => format!("0b{value:b}"),
            8 => format!("0o{value:o}"),
            16 => format!("0x{value:x}"),
            _ => value.to_string(),
        },
        LiteralKind::Bool(true) => "true".to_owned(),
        LiteralKind::Bool(false) => "false".to_owned(),
        LiteralKind::User(name) => format!("user({})", print_string(name, false)),
        LiteralKind::Group(name) => format!("group({})", print_string(name, false)),
    }
}

/// A string with its quotes; raw if asked for and possible.
#[must_use]
pub fn print_string(bytes: &[u8], raw: bool) -> String {
    if raw
        && let Ok(text) = core::str::from_utf8(bytes)
        && !text.contains(['"', '\n', '\r', '\0'])
    {
        return format!("r\"{text}\"");
    }
    let mut out = String::with_capacity(bytes.len().saturating_add(2));
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                _ if is_invisible(c) => {
                    let mut buffer = [0; 4];
                    push_hex(&mut out, c.encode_utf8(&mut buffer).as_bytes());
                }
                _ => out.push(c),
            }
        }
        push_hex(&mut out, chunk.invalid());
    }
    out.push('"');
    out
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        out.push_str(&format!("\\x{byte:02x}"));
    }
}

/// Characters that a reader would not see, or that reorder those around them.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
    )
}
