//! Arbitrary trees, in the parser's normal form.

use lsmpc_syntax::ast::*;
use lsmpc_syntax::{KEYWORDS, Span, Spanned};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) fn at<T>(node: T) -> Spanned<T> {
    Spanned::new(node, Span::default())
}

fn word() -> impl Strategy<Value = String> {
    "[A-Za-z_][A-Za-z0-9_]{0,6}"
        .prop_filter("keywords are no names", |w| !KEYWORDS.contains(&w.as_str()))
}

fn name() -> impl Strategy<Value = Name> {
    word().prop_map(at)
}

/// Parts of dotted names may be keywords.
fn dotted() -> impl Strategy<Value = String> {
    prop_oneof![
        word(),
        (
            prop_oneof![word(), Just("test".to_owned())],
            prop_oneof![word(), Just("in".to_owned())]
        )
            .prop_map(|(a, b)| format!("{a}.{b}")),
    ]
}

fn field() -> impl Strategy<Value = Name> {
    dotted().prop_map(at)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[ -~]{0,20}".prop_map(String::into_bytes),
        "\\PC{0,8}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..12),
    ]
}

fn int() -> impl Strategy<Value = Literal> {
    (
        prop_oneof![any::<u64>(), 0..10_u64],
        select(vec![2_u8, 8, 10, 16]),
    )
        .prop_map(|(value, radix)| at(LiteralKind::Int { value, radix }))
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        bytes().prop_map(|bytes| at(LiteralKind::String { bytes, raw: false })),
        "[^\"\n\r\0]{0,8}".prop_map(|s| at(LiteralKind::String {
            bytes: s.into_bytes(),
            raw: true
        })),
        int(),
        any::<bool>().prop_map(|b| at(LiteralKind::Bool(b))),
        bytes().prop_map(|b| at(LiteralKind::User(b))),
        bytes().prop_map(|b| at(LiteralKind::Group(b))),
    ]
}

fn set() -> impl Strategy<Value = Set> {
    let item = prop_oneof![
        literal().prop_map(|l| at(ItemKind::Literal(l))),
        (int(), int()).prop_map(|(low, high)| at(ItemKind::Range { low, high })),
        word().prop_map(|w| at(ItemKind::Name(w))),
    ];
    let item = item.prop_recursive(3, 12, 4, |inner| {
        vec(inner, 0..4).prop_map(|items| {
            at(ItemKind::Set(Set {
                items,
                span: Span::default(),
            }))
        })
    });
    vec(item, 0..6).prop_map(|items| Set {
        items,
        span: Span::default(),
    })
}

fn set_or_name() -> impl Strategy<Value = SetOrName> {
    prop_oneof![
        set().prop_map(SetOrName::Set),
        name().prop_map(SetOrName::Name),
        literal().prop_map(SetOrName::Literal),
    ]
}

fn atom() -> impl Strategy<Value = Expr> {
    let op = select(vec![
        CompareOp::Eq,
        CompareOp::Ne,
        CompareOp::Lt,
        CompareOp::Le,
        CompareOp::Gt,
        CompareOp::Ge,
    ]);
    let operand = prop_oneof![
        literal().prop_map(Operand::Literal),
        name().prop_map(Operand::Name),
        set().prop_map(Operand::Set),
    ];
    prop_oneof![
        (field(), op, operand).prop_map(|(field, op, value)| at(ExprKind::Compare {
            field,
            op: at(op),
            value
        })),
        (field(), any::<bool>(), set_or_name()).prop_map(|(field, negated, set)| at(
            ExprKind::In {
                field,
                negated,
                op: Span::default(),
                set
            }
        )),
        (field(), any::<bool>(), set_or_name()).prop_map(|(field, any, set)| at(ExprKind::Has {
            field,
            any,
            op: Span::default(),
            set
        })),
        dotted().prop_map(|n| at(ExprKind::Name(n))),
    ]
}

/// Conditions in the parser's normal form: no `or` in an `or`.
pub(crate) fn expr() -> impl Strategy<Value = Expr> {
    atom().prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|e| at(ExprKind::Not(Box::new(e)))),
            vec(inner.clone(), 2..4).prop_map(|operands| {
                at(ExprKind::Or(
                    operands
                        .into_iter()
                        .flat_map(|e| match e.node {
                            ExprKind::Or(inner) => inner,
                            _ => vec![e],
                        })
                        .collect(),
                ))
            }),
            vec(inner, 2..4).prop_map(|operands| {
                at(ExprKind::And(
                    operands
                        .into_iter()
                        .flat_map(|e| match e.node {
                            ExprKind::And(inner) => inner,
                            _ => vec![e],
                        })
                        .collect(),
                ))
            }),
        ]
    })
}

fn hooks() -> impl Strategy<Value = Vec<Name>> {
    vec(name(), 1..14)
}

fn deny_allow() -> impl Strategy<Value = Spanned<DenyAllow>> {
    select(vec![DenyAllow::Deny, DenyAllow::Allow]).prop_map(at)
}

/// What may stand in a scope.
fn inner_statement() -> impl Strategy<Value = Statement> {
    let value = prop_oneof![
        set().prop_map(LetValue::Set),
        literal().prop_map(LetValue::Literal),
        expr().prop_map(LetValue::Expr),
    ];
    let annotation = (name(), literal()).prop_map(|(name, value)| Annotation {
        name,
        value,
        span: Span::default(),
    });
    let effect = prop_oneof![
        option::of(name()).prop_map(|errno| Effect::Deny { errno }),
        Just(Effect::Kill),
        Just(Effect::Allow),
        Just(Effect::Audit),
    ];
    let default = select(vec![
        DefaultEffect::Deny,
        DefaultEffect::Allow,
        DefaultEffect::Audit,
    ]);
    prop_oneof![
        (name(), value).prop_map(|(name, value)| StatementKind::Let(Let { name, value })),
        (default, hooks()).prop_map(|(effect, hooks)| StatementKind::Default(Default_ {
            effect: at(effect),
            hooks
        })),
        (deny_allow(), hooks())
            .prop_map(|(effect, hooks)| StatementKind::OnError(OnError { effect, hooks })),
        (
            vec(annotation, 0..3),
            effect,
            hooks(),
            option::of(expr()),
            option::of(expr())
        )
            .prop_map(|(annotations, effect, hooks, when, unless)| {
                StatementKind::Rule(Rule {
                    annotations,
                    effect: at(effect),
                    hooks,
                    when,
                    unless,
                })
            }),
    ]
    .prop_map(at)
}

fn step() -> impl Strategy<Value = TestStep> {
    let binding = || {
        let value = prop_oneof![
            literal().prop_map(BindingValue::Literal),
            set().prop_map(BindingValue::Set),
            name().prop_map(BindingValue::Name),
        ];
        (field(), value).prop_map(|(field, value)| Binding {
            field,
            value,
            span: Span::default(),
        })
    };
    let verdict = prop_oneof![
        option::of(name()).prop_map(|errno| Expected::Deny { errno }),
        Just(Expected::Allow),
        Just(Expected::Kill),
        Just(Expected::Audit),
        Just(Expected::Quiet),
    ];
    prop_oneof![
        vec(binding(), 1..4).prop_map(|bindings| TestStep::Given {
            bindings,
            span: Span::default()
        }),
        (verdict, name(), vec(binding(), 0..4)).prop_map(|(verdict, hook, bindings)| {
            TestStep::Expect {
                verdict: at(verdict),
                hook,
                bindings,
                span: Span::default(),
            }
        }),
    ]
}

fn statement() -> impl Strategy<Value = Statement> {
    let inherit = option::of(expr()).prop_map(|until| Inherit {
        span: Span::default(),
        until,
    });
    prop_oneof![
        bytes().prop_map(|b| at(StatementKind::Include(at(b)))),
        inner_statement(),
        inner_statement(),
        inner_statement(),
        (
            name(),
            expr(),
            option::of(inherit),
            vec(inner_statement(), 0..4)
        )
            .prop_map(|(name, when, inherit, statements)| at(StatementKind::Scope(
                Scope {
                    name,
                    when,
                    inherit,
                    statements
                }
            ))),
        expr().prop_map(|when| at(StatementKind::Exempt(Exempt { when }))),
        (
            deny_allow(),
            hooks(),
            option::of(expr()),
            option::of(expr())
        )
            .prop_map(
                |(effect, hooks, when, unless)| at(StatementKind::Assert(Assert {
                    effect,
                    hooks,
                    when,
                    unless
                }))
            ),
        (bytes(), vec(step(), 0..4)).prop_map(|(name, steps)| at(StatementKind::Test(Test {
            name: at(name),
            steps
        }))),
    ]
}

/// A whole file.
pub(crate) fn file() -> impl Strategy<Value = File> {
    vec(statement(), 0..5).prop_map(|statements| File { statements })
}
