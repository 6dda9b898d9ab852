//! Which values events can have.
//!
//! Owns what a construction may leave out: classes of a field that no event has,
//! *none* where a field always applies, and *unknown* where only known values are
//! asked about. Tables leave nothing out. It must not know why a class is
//! impossible.

use std::collections::BTreeMap;

use lsmpc_abi::CLASS_FIRST;
use lsmpc_abi::field::FieldId;

/// The values of events.
#[derive(Debug, Clone, Default)]
pub(crate) struct Space {
    /// Whether fields may be unknown.
    pub(crate) unknown: bool,
    /// Fields that are not listed have all values.
    fields: BTreeMap<FieldId, Possible>,
}

/// The values of one field.
#[derive(Debug, Clone)]
pub(crate) struct Possible {
    /// Whether it may be none.
    none: bool,
    /// By known class, whether there is a value in it.
    classes: Vec<bool>,
    /// How many there are.
    count: usize,
}

impl Possible {
    /// A field's values: whether it may be none, and its known classes.
    pub(crate) fn new(none: bool, classes: Vec<bool>) -> Self {
        let count = classes.iter().filter(|possible| **possible).count();
        Self {
            none,
            classes,
            count,
        }
    }
}

impl Space {
    /// Every value of every field.
    pub(crate) fn everything() -> Self {
        Self {
            unknown: true,
            fields: BTreeMap::new(),
        }
    }

    /// Limits a field.
    pub(crate) fn limit(&mut self, field: FieldId, possible: Possible) {
        self.fields.insert(field, possible);
    }

    /// Whether a field may be none.
    pub(crate) fn none(&self, field: FieldId) -> bool {
        self.fields.get(&field).is_none_or(|field| field.none)
    }

    /// Whether a field may have a value of a known class.
    pub(crate) fn class(&self, field: FieldId, class: u32) -> bool {
        self.fields.get(&field).is_none_or(|field| {
            let index = class.saturating_sub(CLASS_FIRST) as usize;
            field.classes.get(index).copied().unwrap_or(false)
        })
    }

    /// Whether a field may have a value outside `listed` distinct possible classes.
    pub(crate) fn has_others(&self, field: FieldId, listed: usize) -> bool {
        self.fields
            .get(&field)
            .is_none_or(|field| field.count > listed)
    }
}
