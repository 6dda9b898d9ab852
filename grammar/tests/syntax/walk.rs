//! Every span of a tree, each with that of its parent.

use lsmpc_syntax::Span;
use lsmpc_syntax::ast::*;

/// A place in a tree.
pub(crate) struct Visit {
    /// What stands there.
    pub(crate) what: What,
    pub(crate) span: Span,
    /// The span of the node around it.
    pub(crate) parent: Span,
}

/// What can be compared with the text at its span.
#[derive(Debug)]
pub(crate) enum What {
    Node,
    Name(String),
    Literal(LiteralKind),
}

/// All places of `file`, whose text is `whole`.
pub(crate) fn walk(file: &File, whole: Span) -> Vec<Visit> {
    let mut visits = Vec::new();
    statements(&file.statements, whole, &mut visits);
    visits
}

fn node(span: Span, parent: Span, out: &mut Vec<Visit>) {
    out.push(Visit {
        what: What::Node,
        span,
        parent,
    });
}

fn name(name: &Name, parent: Span, out: &mut Vec<Visit>) {
    out.push(Visit {
        what: What::Name(name.node.clone()),
        span: name.span,
        parent,
    });
}

fn literal(literal: &Literal, parent: Span, out: &mut Vec<Visit>) {
    out.push(Visit {
        what: What::Literal(literal.node.clone()),
        span: literal.span,
        parent,
    });
}

fn statements(list: &[Statement], parent: Span, out: &mut Vec<Visit>) {
    for statement in list {
        let span = statement.span;
        node(span, parent, out);
        match &statement.node {
            StatementKind::Include(path) => node(path.span, span, out),
            StatementKind::Let(l) => {
                name(&l.name, span, out);
                match &l.value {
                    LetValue::Set(s) => set(s, span, out),
                    LetValue::Literal(l) => literal(l, span, out),
                    LetValue::Expr(e) => expr(e, span, out),
                }
            }
            StatementKind::Default(d) => {
                node(d.effect.span, span, out);
                d.hooks.iter().for_each(|h| name(h, span, out));
            }
            StatementKind::OnError(d) => {
                node(d.effect.span, span, out);
                d.hooks.iter().for_each(|h| name(h, span, out));
            }
            StatementKind::Rule(r) => {
                for a in &r.annotations {
                    node(a.span, span, out);
                    name(&a.name, a.span, out);
                    literal(&a.value, a.span, out);
                }
                node(r.effect.span, span, out);
                if let Effect::Deny { errno: Some(e) } = &r.effect.node {
                    name(e, r.effect.span, out);
                }
                r.hooks.iter().for_each(|h| name(h, span, out));
                r.when.iter().for_each(|e| expr(e, span, out));
                r.unless.iter().for_each(|e| expr(e, span, out));
            }
            StatementKind::Scope(s) => {
                name(&s.name, span, out);
                expr(&s.when, span, out);
                if let Some(i) = &s.inherit {
                    node(i.span, span, out);
                    i.until.iter().for_each(|e| expr(e, span, out));
                }
                statements(&s.statements, span, out);
            }
            StatementKind::Exempt(e) => expr(&e.when, span, out),
            StatementKind::Assert(a) => {
                node(a.effect.span, span, out);
                a.hooks.iter().for_each(|h| name(h, span, out));
                a.when.iter().for_each(|e| expr(e, span, out));
                a.unless.iter().for_each(|e| expr(e, span, out));
            }
            StatementKind::Test(t) => {
                node(t.name.span, span, out);
                for step in &t.steps {
                    match step {
                        TestStep::Given { bindings, span: s } => {
                            node(*s, span, out);
                            bindings.iter().for_each(|b| binding(b, *s, out));
                        }
                        TestStep::Expect {
                            verdict,
                            hook,
                            bindings,
                            span: s,
                        } => {
                            node(*s, span, out);
                            node(verdict.span, *s, out);
                            if let Expected::Deny { errno: Some(e) } = &verdict.node {
                                name(e, verdict.span, out);
                            }
                            name(hook, *s, out);
                            bindings.iter().for_each(|b| binding(b, *s, out));
                        }
                    }
                }
            }
        }
    }
}

fn binding(binding: &Binding, parent: Span, out: &mut Vec<Visit>) {
    node(binding.span, parent, out);
    name(&binding.field, binding.span, out);
    match &binding.value {
        BindingValue::Literal(l) => literal(l, binding.span, out),
        BindingValue::Set(s) => set(s, binding.span, out),
        BindingValue::Name(n) => name(n, binding.span, out),
    }
}

fn set(set: &Set, parent: Span, out: &mut Vec<Visit>) {
    node(set.span, parent, out);
    set.items.iter().for_each(|i| item(i, set.span, out));
}

fn item(item: &Item, parent: Span, out: &mut Vec<Visit>) {
    node(item.span, parent, out);
    match &item.node {
        ItemKind::Literal(l) => literal(l, item.span, out),
        ItemKind::Range { low, high } => {
            literal(low, item.span, out);
            literal(high, item.span, out);
        }
        ItemKind::Name(n) => out.push(Visit {
            what: What::Name(n.clone()),
            span: item.span,
            parent,
        }),
        ItemKind::Set(s) => set(s, item.span, out),
    }
}

fn set_or_name(value: &SetOrName, parent: Span, out: &mut Vec<Visit>) {
    match value {
        SetOrName::Set(s) => set(s, parent, out),
        SetOrName::Name(n) => name(n, parent, out),
        SetOrName::Literal(l) => literal(l, parent, out),
    }
}

fn expr(e: &Expr, parent: Span, out: &mut Vec<Visit>) {
    node(e.span, parent, out);
    match &e.node {
        ExprKind::Or(operands) | ExprKind::And(operands) => {
            operands.iter().for_each(|o| expr(o, e.span, out));
        }
        ExprKind::Not(inner) => expr(inner, e.span, out),
        ExprKind::Compare { field, op, value } => {
            name(field, e.span, out);
            node(op.span, e.span, out);
            match value {
                Operand::Literal(l) => literal(l, e.span, out),
                Operand::Name(n) => name(n, e.span, out),
                Operand::Set(s) => set(s, e.span, out),
            }
        }
        ExprKind::In { field, op, set, .. } | ExprKind::Has { field, op, set, .. } => {
            name(field, e.span, out);
            node(*op, e.span, out);
            set_or_name(set, e.span, out);
        }
        ExprKind::Name(n) => out.push(Visit {
            what: What::Name(n.clone()),
            span: e.span,
            parent,
        }),
        ExprKind::Error => {}
    }
}

/// Panics unless every span of `file` is inside the text, on characters, and
/// inside its parent, and names and literals read as they are written.
pub(crate) fn check_spans(text: &str, file: &File, exact: bool) {
    let whole = Span::new(
        lsmpc_syntax::FileId(0),
        0,
        u32::try_from(text.len()).unwrap(),
    );
    for visit in walk(file, whole) {
        let (span, parent) = (visit.span, visit.parent);
        assert!(span.start <= span.end, "{span:?}");
        assert!(
            parent.start <= span.start && span.end <= parent.end,
            "{span:?} in {parent:?} of {text:?}"
        );
        let written = text
            .get(span.start as usize..span.end as usize)
            .expect("spans begin and end between characters");
        match visit.what {
            What::Node => {}
            What::Name(name) => assert_eq!(written, name),
            // A malformed literal has a stand-in for its value.
            What::Literal(_) if !exact => {}
            What::Literal(LiteralKind::Bool(value)) => assert_eq!(written, value.to_string()),
            What::Literal(LiteralKind::Int { value, radix }) => {
                let digits = if radix == 10 { written } else { &written[2..] };
                let digits = digits.replace('_', "");
                assert_eq!(u64::from_str_radix(&digits, radix.into()), Ok(value));
            }
            What::Literal(LiteralKind::String { bytes, raw: true }) => {
                assert_eq!(written.as_bytes(), [b"r\"", &bytes[..], b"\""].concat());
            }
            What::Literal(LiteralKind::String { bytes, raw: false }) => {
                assert!(written.starts_with('"') && written.ends_with('"'));
                if !written.contains('\\') {
                    assert_eq!(&written.as_bytes()[1..written.len() - 1], bytes);
                }
            }
            What::Literal(LiteralKind::User(_)) => assert!(written.starts_with("user")),
            What::Literal(LiteralKind::Group(_)) => assert!(written.starts_with("group")),
        }
    }
}
