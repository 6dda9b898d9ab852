//! The truth of a condition and of each of its parts, with the values that made it.

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;

use crate::event::{Event, FieldValue};
use crate::hir::{Cond, CondKind, FieldRef};
use crate::reference::{self, Truth};

/// How many fields a part names at most.
const MAX_FIELDS: usize = 3;

/// A condition, judged for one event.
#[derive(Debug, Clone)]
pub struct Judged<'h> {
    /// Which.
    pub cond: &'h Cond,
    /// Whether it holds.
    pub truth: Truth,
    /// What it is made of. Empty for one test of a field, negated (`!=`, `not in`)
    /// or not.
    pub parts: Vec<Judged<'h>>,
    /// The fields of a single test and what the event says about them.
    pub fields: Vec<Seen>,
}

/// A field and what the event says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub field: FieldId,
    /// `"/tmp/x"`; `none`, `unknown`.
    pub value: String,
    /// Whether there is one.
    pub state: State,
}

/// Whether a field has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does not apply.
    None,
    /// It is not known.
    Unknown,
    /// It has one.
    Known,
}

impl<'h> Judged<'h> {
    /// Judges a condition.
    pub(super) fn new(cond: &'h Cond, event: &Event) -> Self {
        let truth = reference::truth(cond, event);
        let all = |parts: &'h [Cond]| parts.iter().map(|part| Self::new(part, event)).collect();
        let (parts, fields) = match &cond.kind {
            CondKind::And(parts) | CondKind::Or(parts) => (all(parts), Vec::new()),
            CondKind::Not(inner) if inner.span == cond.span => {
                let inner = Self::new(inner, event);
                (inner.parts, inner.fields)
            }
            CondKind::Not(inner) => (vec![Self::new(inner, event)], Vec::new()),
            CondKind::Test(field, _) => (Vec::new(), seen(*field, event)),
        };
        Self {
            cond,
            truth,
            parts,
            fields,
        }
    }

    /// Its tests, from left to right.
    #[must_use]
    pub fn tests(&self) -> Vec<&Self> {
        if self.parts.is_empty() {
            return vec![self];
        }
        self.parts.iter().flat_map(Self::tests).collect()
    }

    /// The first part that alone makes it what it is; itself if several do.
    #[must_use]
    pub fn reason(&self) -> &Self {
        let part = match (&self.cond.kind, self.truth) {
            (CondKind::Not(_), _) => self.parts.first(),
            (CondKind::And(_), Truth::False) | (CondKind::Or(_), Truth::True) => {
                self.parts.iter().find(|part| part.truth == self.truth)
            }
            (CondKind::And(_) | CondKind::Or(_), Truth::Unknown) => {
                self.parts.iter().find(|part| part.truth == Truth::Unknown)
            }
            _ => None,
        };
        part.map_or(self, Self::reason)
    }

    /// How many of its tests would have to turn out otherwise for it to be
    /// `wanted`.
    #[must_use]
    pub fn distance(&self, wanted: bool) -> usize {
        let parts = || self.parts.iter();
        match &self.cond.kind {
            _ if self.parts.is_empty() => {
                let is = if wanted { Truth::True } else { Truth::False };
                usize::from(self.truth != is)
            }
            CondKind::Not(_) => parts().map(|part| part.distance(!wanted)).sum(),
            CondKind::And(_) if !wanted => {
                parts().map(|part| part.distance(false)).min().unwrap_or(0)
            }
            CondKind::Or(_) if wanted => parts().map(|part| part.distance(true)).min().unwrap_or(0),
            _ => parts().map(|part| part.distance(wanted)).sum(),
        }
    }

    /// What the event says about its fields: ``"`exe` is \"/tmp/x\""``. Empty for a
    /// condition without fields.
    #[must_use]
    pub fn why(&self) -> String {
        let mut said: Vec<&Seen> = Vec::new();
        for seen in self.tests().into_iter().flat_map(|test| &test.fields) {
            if !said.contains(&seen) {
                said.push(seen);
            }
        }
        let more = said.len() > MAX_FIELDS;
        said.truncate(MAX_FIELDS);
        let mut text = said
            .iter()
            .map(|seen| seen.describe())
            .collect::<Vec<_>>()
            .join(", ");
        if more {
            text.push_str(", …");
        }
        text
    }

    /// Whether it is one test.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.parts.is_empty()
    }
}

impl Seen {
    /// ``"`exe` is \"/tmp/x\""``
    #[must_use]
    pub fn describe(&self) -> String {
        let name = self.field.name();
        match self.state {
            State::None => format!("`{name}` does not apply"),
            State::Unknown => format!("`{name}` is not known"),
            State::Known => format!("`{name}` is {}", self.value),
        }
    }
}

fn seen(field: FieldRef, event: &Event) -> Vec<Seen> {
    let fields = match field {
        FieldRef::Field(field) => vec![field],
        FieldRef::AnyPath => [FieldId::Path, FieldId::NewPath]
            .into_iter()
            .filter(|field| catalogue::hook(event.hook).has(*field))
            .collect(),
    };
    fields
        .into_iter()
        .map(|field| Seen {
            field,
            value: event.describe(field),
            state: match event.get(field) {
                FieldValue::None => State::None,
                FieldValue::Unknown => State::Unknown,
                FieldValue::Known(_) => State::Known,
            },
        })
        .collect()
}
