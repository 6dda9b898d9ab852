//! For hosts: an image in a slice, an event as values.

use std::{boxed::Box, collections::BTreeMap, vec::Vec};

use lsmpc_abi::{
    Presence,
    field::FieldId,
    image::{Bits, PAGE_SIZE},
};

use crate::{
    Fault, How, Memory, NAME_WORDS, Name, Source, Work, child_state, class_of, machine::Machine,
    memory::page_of,
};

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
    /// Flags, of which some may not be known.
    Bits(Bits),
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

    /// After an evaluation: the class of the path by the first classifier that it has
    /// gone through, the same from its directory's state, and the same by one name after
    /// the other from the root's, if the programs would use that.
    ///
    /// # Errors
    /// A [`Fault`], if the image is invalid.
    pub fn by_directory<M: Memory>(&self, memory: &M) -> Result<Option<[u32; 3]>, Fault> {
        let classifier = self.work.directory_of;
        let Value::Text(path) = self.value(FieldId::Path) else {
            return Ok(None);
        };
        let names = names(path).filter(|_| classifier != 0 && self.work.noted != 0);
        let Some((last, above)) = names.as_ref().and_then(|names| names.split_last()) else {
            return Ok(None);
        };
        let whole = classify(memory, classifier, path)?;
        let header = page_of(memory, 0)?;
        let child = child_state(memory, header, self.work.directory, last);
        let mut state = self.work.noted;
        for name in above {
            let child = child_state(memory, header, state, name);
            match child.how {
                How::Next => state = child.state,
                How::Last => break,
                How::Unclear => return Ok(None),
            }
        }
        let descended = child_state(memory, header, state, last);
        if child.how == How::Unclear || descended.how == How::Unclear {
            return Ok(None);
        }
        let classes = [
            class_of(memory, child.state)?,
            class_of(memory, descended.state)?,
        ];
        let [by_name, by_names] = classes;
        Ok(Some([whole, by_name, by_names]))
    }

    fn numbered(&self, field: u8) -> &Value {
        FieldId::from_number(field).map_or(&Value::Unknown, |field| self.value(field))
    }
}

impl Source for Event {
    fn work(&mut self) -> &mut Work {
        &mut self.work
    }

    fn value(&mut self, field: u8) {
        match *self.numbered(field) {
            Value::None => self.work.set_presence(Presence::None),
            Value::Scalar(value) => self.work.set_scalar(value),
            Value::Bits(bits) => self.work.set_bits(bits),
            Value::Wide(value) => self.work.set_wide((value >> 64) as u64, value as u64),
            Value::Unknown | Value::Text(_) => self.work.set_presence(Presence::Unknown),
        }
    }

    fn text(&mut self, field: u8) {
        let field = FieldId::from_number(field);
        match field.and_then(|field| self.values.get(&field)) {
            Some(Value::None) => self.work.set_presence(Presence::None),
            Some(Value::Text(bytes)) => fill(&mut self.work, bytes),
            _ => self.work.set_presence(Presence::Unknown),
        }
    }

    fn cached_class(&mut self, _field: u8) -> Option<u32> {
        None
    }

    fn keep_class(&mut self, _field: u8, _class: u32) {}
}

/// Puts a text into the buffer as the programs do with paths: right-aligned.
fn fill(work: &mut Work, bytes: &[u8]) {
    let room = work.text.get_mut(..TEXT_END).and_then(|text| {
        let start = text.len().checked_sub(bytes.len())?;
        text.get_mut(start..)?.copy_from_slice(bytes);
        Some(start)
    });
    match room {
        Some(start) => {
            work.set_text(start as u32, TEXT_END as u32);
            work.note_at = start as u32 + 1;
        }
        None => work.set_presence(Presence::Unknown),
    }
}

/// The components of a path below the root, if all are short.
fn names(path: &[u8]) -> Option<Vec<Name>> {
    let below = path.strip_prefix(b"/")?;
    below.split(|byte| *byte == b'/').map(name).collect()
}

/// A component, if it is short.
fn name(bytes: &[u8]) -> Option<Name> {
    let mut words = [0; NAME_WORDS];
    if bytes.is_empty() || bytes.len() > 8 * NAME_WORDS {
        return None;
    }
    for (word, bytes) in words.iter_mut().zip(bytes.chunks(8)) {
        let mut padded = [0; 8];
        padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
        *word = u64::from_le_bytes(padded);
    }
    let length = u32::try_from(bytes.len()).ok()?;
    Some(Name { words, length })
}

/// Where a text ends in the buffer.
const TEXT_END: usize = 4096;

/// The class of a text by the text classifier at `classifier`.
///
/// # Errors
/// A [`Fault`], if the image is invalid, or the text longer than 4096 bytes.
pub fn classify<M: Memory>(memory: &M, classifier: u32, text: &[u8]) -> Result<u32, Fault> {
    if text.len() > TEXT_END {
        return Err(Fault::Text);
    }
    let mut event = Event::new().with(FieldId::Path, Value::Text(text.to_vec()));
    Machine::new(memory, &mut event).classify(FieldId::Path as u8, classifier)
}
