//! Conditions that are always true or always false, as far as one can see at once.
//!
//! Owns comparisons that no value or every value passes, and a condition next to
//! its opposite. What needs more than a look belongs to the analyses on classes.

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_syntax::Span;

use super::Checker;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::hir::{Cond, CondKind, FieldRef, FieldTest, Order};

/// Operands beyond this are not compared with each other.
const MAX_OPERANDS: usize = 64;

impl Checker<'_> {
    pub(super) fn constant(&mut self, span: Span, value: bool, note: Option<String>) {
        let word = if value { "true" } else { "false" };
        let mut diagnostic = Diagnostic::new(
            Code::ConstantCondition,
            format!("this is always {word}"),
            span,
            format!("always {word}"),
        )
        .help(if value {
            "remove it, or compare with another value"
        } else {
            "as it is, it never applies: compare with another value"
        });
        if let Some(note) = note {
            diagnostic = diagnostic.note(note);
        }
        self.report(diagnostic);
    }

    /// Warns of a test that every value passes, or none.
    pub(super) fn always(&mut self, span: Span, field: FieldRef, test: &FieldTest) {
        let max = match catalogue::field(field.field()).ty {
            FieldType::Int { max, .. } => max,
            FieldType::Mode => 0o7777,
            FieldType::Bool => 1,
            _ => return,
        };
        let value = match test {
            FieldTest::Order(Order::Less, 0) => false,
            FieldTest::Order(Order::GreaterEqual, 0) => true,
            FieldTest::Order(Order::LessEqual, bound) if *bound == max => true,
            FieldTest::Order(Order::Greater, bound) if *bound == max => false,
            FieldTest::Ranges(ranges) if covers(ranges, max) => true,
            _ => return,
        };
        let note = value.then(|| {
            format!(
                "it is false only where `{}` does not apply to the event",
                field.name()
            )
        });
        self.constant(span, value, note);
    }

    /// Warns of `x and not x` and `x or not x`.
    pub(super) fn contradiction(&mut self, cond: &Cond) {
        let (all, value) = match &cond.kind {
            CondKind::And(all) => (all, false),
            CondKind::Or(all) => (all, true),
            _ => return,
        };
        if all.len() > MAX_OPERANDS {
            return;
        }
        let opposite = all.iter().any(|one| match &one.kind {
            CondKind::Not(inner) => all.iter().any(|other| same(inner, other)),
            _ => false,
        });
        if opposite {
            self.constant(cond.span, value, None);
        }
    }
}

/// Whether ranges cover everything from 0 to `max`.
fn covers(ranges: &[(u64, u64)], max: u64) -> bool {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let mut next = Some(0u64);
    for (low, high) in sorted {
        match next {
            Some(first) if low <= first => next = next.max(high.checked_add(1)),
            Some(_) => return false,
            None => return true,
        }
        if high >= max {
            return true;
        }
    }
    false
}

/// Whether two conditions say the same, wherever they stand.
pub(super) fn same(a: &Cond, b: &Cond) -> bool {
    match (&a.kind, &b.kind) {
        (CondKind::Test(field, test), CondKind::Test(other, other_test)) => {
            field == other && test == other_test
        }
        (CondKind::Not(a), CondKind::Not(b)) => same(a, b),
        (CondKind::And(a), CondKind::And(b)) | (CondKind::Or(a), CondKind::Or(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn covering() {
        assert!(covers(&[(0, 10)], 10));
        assert!(covers(&[(5, 10), (0, 4)], 10));
        assert!(covers(&[(0, u64::MAX)], u64::MAX));
        assert!(!covers(&[(0, 3), (5, 10)], 10));
        assert!(!covers(&[(1, 10)], 10));
        assert!(!covers(&[(0, 9)], 10));
        assert!(!covers(&[], 10));
    }
}
