//! For hosts: an image in a slice, an event as values.

use std::{boxed::Box, collections::BTreeMap, vec::Vec};

use lsmpc_abi::{Presence, field::FieldId, image::PAGE_SIZE};

use crate::{Fault, Memory, Source, Work, exe_class};

/// An image in a slice. Bytes beyond the last whole page are not part of it.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a>(pub &'a [u8]);

impl Memory for Slice<'_> {
    #[inline]
    fn page(&self, index: u32) -> Option<&[u8; PAGE_SIZE]> {
        let start = (index as usize).checked_mul(PAGE_SIZE)?;
        self.0
            .get(start..start.checked_add(PAGE_SIZE)?)?
            .try_into()
            .ok()
    }
}

/// A field's value in an [`Event`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// Does not apply.
    None,
    /// Cannot be read.
    Unknown,
    /// Integer, enumeration, flags, bool.
    Scalar(u64),
    /// Address; an IPv4 address is the IPv4-mapped one.
    Wide(u128),
    /// Path or name. Longer than a path can be: unknown.
    Text(Vec<u8>),
}

/// An event: values of fields. A field that is not set is unknown.
#[derive(Debug, Clone, Default)]
pub struct Event {
    values: BTreeMap<FieldId, Value>,
    work: Box<Work>,
}

impl Event {
    /// An event of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a field.
    #[must_use]
    pub fn with(mut self, field: FieldId, value: Value) -> Self {
        self.set(field, value);
        self
    }

    /// Sets a field.
    pub fn set(&mut self, field: FieldId, value: Value) {
        self.values.insert(field, value);
    }

    /// The value of a field.
    #[must_use]
    pub fn value(&self, field: FieldId) -> &Value {
        self.values.get(&field).unwrap_or(&Value::Unknown)
    }

    fn numbered(&self, field: u8) -> &Value {
        FieldId::from_number(field).map_or(&Value::Unknown, |field| self.value(field))
    }
}

impl<M: Memory> Source<M> for Event {
    fn scalar(&mut self, field: u8) -> (Presence, u64) {
        match self.numbered(field) {
            Value::None => (Presence::None, 0),
            Value::Scalar(value) => (Presence::Known, *value),
            _ => (Presence::Unknown, 0),
        }
    }

    fn wide(&mut self, field: u8) -> (Presence, u64, u64) {
        match self.numbered(field) {
            Value::None => (Presence::None, 0, 0),
            Value::Wide(value) => (Presence::Known, (*value >> 64) as u64, *value as u64),
            _ => (Presence::Unknown, 0, 0),
        }
    }

    fn text(&mut self, field: u8) -> Presence {
        let field = FieldId::from_number(field);
        match field.and_then(|field| self.values.get(&field)) {
            Some(Value::None) => Presence::None,
            Some(Value::Text(bytes)) => {
                // As the kernel's side does: right-aligned.
                match self.work.text.get_mut(..4096).and_then(|text| {
                    let start = text.len().checked_sub(bytes.len())?;
                    text.get_mut(start..)?.copy_from_slice(bytes);
                    Some(start)
                }) {
                    Some(start) => {
                        self.work.start = start as u32;
                        self.work.end = 4096;
                        Presence::Known
                    }
                    None => Presence::Unknown,
                }
            }
            _ => Presence::Unknown,
        }
    }

    fn work(&mut self) -> Option<&mut Work> {
        Some(&mut self.work)
    }

    fn cached_class(&mut self, memory: &M, field: u8) -> Result<u32, Fault> {
        match <Self as Source<M>>::text(self, field) {
            Presence::None => Ok(lsmpc_abi::CLASS_NONE),
            Presence::Unknown => Ok(lsmpc_abi::CLASS_UNKNOWN),
            Presence::Known => exe_class(memory, &mut self.work),
        }
    }
}

/// The class of a text by the text classifier at `classifier`.
///
/// # Errors
/// A [`Fault`], if the image is invalid, or the text longer than 4096 bytes.
pub fn classify<M: Memory>(memory: &M, classifier: u32, text: &[u8]) -> Result<u32, Fault> {
    let mut event = Event::new().with(FieldId::Path, Value::Text(text.to_vec()));
    match <Event as Source<M>>::text(&mut event, FieldId::Path as u8) {
        Presence::Known => crate::classify_text(memory, classifier, &mut event.work),
        _ => Err(Fault::Text),
    }
}
