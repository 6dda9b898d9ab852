//! From an event to the number of its outcome.

use lsmpc_abi::{
    CLASS_NONE, CLASS_UNKNOWN, Presence,
    image::{
        CLASSIFIER_NAME, CLASSIFIER_PATH, CLASSIFIER_U64, CLASSIFIER_U128, H_EXE_CLASSIFIER,
        H_HOOKS, H_OUTCOME_COUNT, H_OUTCOMES, HOOK_ENTRY_SIZE, MAX_STEPS, NODE_BITS, NODE_DENSE,
        NODE_HASHED, OUTCOME_ALLOW, OUTCOME_SIZE, REF_TERMINAL, is_terminal,
    },
};

use crate::{
    Fault,
    bits::{bound, page_u32, page_u64},
    edges::class_edge,
    interval::{self, Key},
    memory::{Memory, page_of, u32_at},
    repeat::{Step, repeat},
    text::classify_text,
    work::Work,
};

/// Where the field values of one event come from. A field is asked for only
/// when a node needs it, and then by the kind of value that it has.
pub trait Source<M: Memory> {
    /// An integer, enumeration, set of flags or bool.
    fn scalar(&mut self, field: u8) -> (Presence, u64);

    /// An address: high and low half.
    fn wide(&mut self, field: u8) -> (Presence, u64, u64);

    /// A string: if known, its bytes are put into the buffer of [`Self::work`],
    /// whose `start` and `end` are set.
    fn text(&mut self, field: u8) -> Presence;

    /// The buffer. `None` only if [`Self::text`] is never [`Presence::Known`].
    fn work(&mut self) -> Option<&mut Work>;

    /// The class of `exe`, `parent.exe` or `target.exe` by the header's exe
    /// classifier: cached, or made by [`exe_class`].
    ///
    /// # Errors
    /// A [`Fault`] of the classification.
    fn cached_class(&mut self, memory: &M, field: u8) -> Result<u32, Fault>;
}

/// What shall happen to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Outcome {
    /// 0, or a negative errno not below -4095.
    pub ret: i32,
    /// `OUTCOME_*` of [`lsmpc_abi::image`].
    pub flags: u32,
    /// Number of the rate-limit bucket.
    pub rate: u32,
}

/// The ref where `hook`'s evaluation starts.
///
/// # Errors
/// [`Fault::Page`] if there is no image.
#[inline(always)]
pub fn root<M: Memory>(memory: &M, hook: u16) -> Result<u32, Fault> {
    u32_at(
        memory,
        H_HOOKS as u32 + u32::from(hook) * HOOK_ENTRY_SIZE as u32,
    )
}

/// The number of the event's outcome at `hook`.
///
/// # Errors
/// A [`Fault`], if the image is invalid.
#[inline(always)]
pub fn decide<M: Memory, S: Source<M>>(
    memory: &M,
    hook: u16,
    source: &mut S,
) -> Result<u32, Fault> {
    decide_from(memory, root(memory, hook)?, source)
}

/// The number of the event's outcome, evaluated from the ref `start`.
///
/// # Errors
/// A [`Fault`], if the image is invalid.
#[inline(always)]
pub fn decide_from<M: Memory, S: Source<M>>(
    memory: &M,
    start: u32,
    source: &mut S,
) -> Result<u32, Fault> {
    let mut nodes = Nodes {
        memory,
        source,
        reference: start,
        fault: 0,
    };
    if !is_terminal(start) {
        repeat(MAX_STEPS, &mut nodes);
    }
    if let Some(fault) = Fault::from_number(nodes.fault) {
        return Err(fault);
    }
    if !is_terminal(nodes.reference) {
        return Err(Fault::Steps);
    }
    Ok(nodes.reference & !REF_TERMINAL)
}

/// The outcome of that number.
///
/// # Errors
/// A [`Fault`], if there is none, or if its return value is out of range.
#[inline(always)]
pub fn outcome<M: Memory>(memory: &M, number: u32) -> Result<Outcome, Fault> {
    if number == OUTCOME_ALLOW {
        return Ok(Outcome::default());
    }
    let header = page_of(memory, 0)?;
    let count = page_u32(header, H_OUTCOME_COUNT as u32);
    if number >= count {
        return Err(Fault::Outcome);
    }
    let table = page_u32(header, H_OUTCOMES as u32);
    let offset = table.wrapping_add(number.wrapping_mul(OUTCOME_SIZE));
    let page = page_of(memory, offset)?;
    let base = bound::<0xff0>(u64::from(offset)) as u32;
    let ret = page_u32(page, base) as i32;
    if !(-4095..=0).contains(&ret) {
        return Err(Fault::Outcome);
    }
    Ok(Outcome {
        ret,
        flags: page_u32(page, base + 4),
        rate: page_u32(page, base + 8),
    })
}

/// The class of the program path in `work`, by the header's exe classifier.
///
/// # Errors
/// A [`Fault`], if the image is invalid.
#[inline(always)]
pub fn exe_class<M: Memory>(memory: &M, work: &mut Work) -> Result<u32, Fault> {
    let classifier = u32_at(memory, H_EXE_CLASSIFIER as u32)?;
    if classifier == 0 {
        return Err(Fault::Classifier);
    }
    classify_text(memory, classifier, work)
}

struct Nodes<'m, M, S> {
    memory: &'m M,
    source: &'m mut S,
    reference: u32,
    fault: u32,
}

impl<M: Memory, S: Source<M>> Step for Nodes<'_, M, S> {
    #[inline(always)]
    fn step(&mut self) -> bool {
        match next(self.memory, self.source, self.reference) {
            Ok(reference) => {
                self.reference = reference;
                !is_terminal(reference)
            }
            Err(fault) => {
                self.fault = fault as u32;
                false
            }
        }
    }
}

/// The ref that follows the node at `offset`.
#[inline(always)]
fn next<M: Memory, S: Source<M>>(memory: &M, source: &mut S, offset: u32) -> Result<u32, Fault> {
    let page = page_of(memory, offset)?;
    let base = bound::<0xff0>(u64::from(offset)) as u32;
    let first = page_u32(page, base);
    let kind = first as u8;
    let field = (first >> 8) as u8;
    let classifier = page_u32(page, base + 4);
    let argument = page_u32(page, base + 8);

    let (class_kind, count, boundaries) = if kind == NODE_BITS {
        (CLASSIFIER_U64, 0, 0)
    } else if classifier == 0 {
        (0, 0, 0)
    } else {
        let page = page_of(memory, classifier)?;
        let base = bound::<0xff0>(u64::from(classifier)) as u32;
        (
            page_u32(page, base),
            page_u32(page, base + 4),
            page_u32(page, base + 8),
        )
    };

    let class = if class_kind == 0 {
        if classifier != 0 {
            return Err(Fault::Classifier);
        }
        source.cached_class(memory, field)?
    } else if class_kind == CLASSIFIER_U64 || class_kind == CLASSIFIER_U128 {
        let wide = class_kind == CLASSIFIER_U128;
        let (presence, high, low) = if wide {
            source.wide(field)
        } else {
            let (presence, value) = source.scalar(field);
            (presence, 0, value)
        };
        if kind == NODE_BITS {
            // The node is 48 bytes and aligned to 16: its parts may lie in
            // different pages.
            let test = offset.wrapping_add(16);
            let page = page_of(memory, test)?;
            let base = bound::<0xff0>(u64::from(test)) as u32;
            let (mask, want) = (page_u64(page, base), page_u64(page, base + 8));
            let answer = match presence {
                Presence::None => 0,
                Presence::Unknown => 1,
                Presence::Known => 2 + u32::from(low & mask == want),
            };
            return u32_at(memory, offset.wrapping_add(32 + answer * 4));
        }
        match presence {
            Presence::None => CLASS_NONE,
            Presence::Unknown => CLASS_UNKNOWN,
            Presence::Known => interval::class(memory, count, boundaries, wide, Key { high, low })?,
        }
    } else if class_kind == CLASSIFIER_PATH || class_kind == CLASSIFIER_NAME {
        match source.text(field) {
            Presence::None => CLASS_NONE,
            Presence::Unknown => CLASS_UNKNOWN,
            Presence::Known => {
                let work = source.work().ok_or(Fault::Text)?;
                classify_text(memory, classifier, work)?
            }
        }
    } else {
        return Err(Fault::Classifier);
    };

    match kind {
        NODE_DENSE => {
            if class >= argument {
                return Err(Fault::Class);
            }
            u32_at(
                memory,
                offset.wrapping_add(16).wrapping_add(class.wrapping_mul(4)),
            )
        }
        NODE_HASHED => Ok(class_edge(memory, offset, class)?.unwrap_or(argument)),
        _ => Err(Fault::Node),
    }
}
