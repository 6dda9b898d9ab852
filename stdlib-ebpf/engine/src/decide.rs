//! From an event to the number of its outcome.

use lsmpc_abi::{
    CLASS_UNKNOWN, Presence,
    field::FieldId,
    image::{
        Bits, H_EPOCH, H_HOOKS, H_OUTCOME_COUNT, H_OUTCOMES, HOOK_ENTRY_SIZE, MAX_STEPS, NODE_BITS,
        OUTCOME_ALLOW, OUTCOME_SIZE, PAGE_SIZE, REF_TERMINAL, is_terminal,
    },
};

use crate::{
    Fault,
    bits::{bound, fixed_u32, page_u32},
    machine::Machine,
    memory::{Memory, page_of, u32_at},
    node::{self, Node},
    repeat::{Step, repeat},
    work::Work,
};

/// Where the field values of one event come from. A field is asked for only
/// when a node needs it, and then by the kind of value that it has.
pub trait Source {
    /// What the evaluation works on; always the same.
    fn work(&mut self) -> &mut Work;

    /// Writes an integer, enumeration, set of flags, bool or address into the
    /// work.
    fn value(&mut self, field: u8);

    /// Writes a string into the work.
    fn text(&mut self, field: u8);

    /// The class of `exe`, `parent.exe` or `target.exe` by the header's exe
    /// classifier, if the source has kept it.
    fn cached_class(&mut self, field: u8) -> Option<u32>;

    /// Takes the class that such a field has turned out to have.
    fn keep_class(&mut self, field: u8, class: u32);

    /// Takes the number of the outcome that the evaluation has come to; where it
    /// shall go on instead, if it was another diagram's than the event's.
    ///
    /// # Errors
    /// A [`Fault`], if the image is invalid.
    #[inline(always)]
    fn settled<M: Memory>(&mut self, _memory: &M, _number: u32) -> Result<Option<u32>, Fault> {
        Ok(None)
    }
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

/// Steps that one event may take. The worst valid image and event stay below:
/// most nodes, and a text of one-byte components for each of a few fields.
const MAX_WORK: u32 = 1 << 18;

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

/// What an event begins with.
#[derive(Debug, Clone, Copy)]
pub struct Begun<'m> {
    /// The image's first page.
    pub header: &'m [u8; PAGE_SIZE],
    /// Its epoch.
    pub epoch: u32,
    /// The ref where the hook's evaluation starts.
    pub start: u32,
}

/// What an event at `hook` begins with.
///
/// # Errors
/// [`Fault::Page`] if there is no image.
#[inline(always)]
pub fn begin<M: Memory>(memory: &M, hook: u16) -> Result<Begun<'_>, Fault> {
    let header = page_of(memory, 0)?;
    let root = H_HOOKS as u32 + u32::from(hook) * HOOK_ENTRY_SIZE as u32;
    Ok(Begun {
        header,
        epoch: fixed_u32(header, H_EPOCH as u32),
        start: fixed_u32(header, root),
    })
}

/// The number of the event's outcome at `hook`.
///
/// # Errors
/// A [`Fault`], if the image is invalid.
#[inline(always)]
pub fn decide<M: Memory, S: Source>(memory: &M, hook: u16, source: &mut S) -> Result<u32, Fault> {
    decide_from(memory, root(memory, hook)?, source)
}

/// The number of the event's outcome, evaluated from the ref `start`.
///
/// # Errors
/// A [`Fault`], if the image is invalid.
#[inline(always)]
pub fn decide_from<M: Memory, S: Source>(
    memory: &M,
    start: u32,
    source: &mut S,
) -> Result<u32, Fault> {
    let mut start = start;
    if is_terminal(start) {
        let number = start & !REF_TERMINAL;
        let Some(other) = source.settled(memory, number)? else {
            return Ok(number);
        };
        if is_terminal(other) {
            return Ok(other & !REF_TERMINAL);
        }
        start = other;
    }
    let mut machine = Machine::new(memory, source);
    machine.begin(start)?;
    repeat(MAX_WORK, &mut machine);
    let work = source.work();
    if let Some(fault) = Fault::from_number(work.fault) {
        return Err(fault);
    }
    if !is_terminal(work.reference) {
        return Err(Fault::Steps);
    }
    Ok(work.reference & !REF_TERMINAL)
}

/// Where [`gate`] ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gated {
    /// The ref.
    pub reference: u32,
    /// The classifier, if it is a node that asks for the path; else 0.
    pub path_classifier: u32,
}

/// Follows nodes as long as what they ask for is at hand, four at most: the subject's
/// classes that `cached` knows, and what sticks to it.
///
/// # Errors
/// A [`Fault`], if the image is invalid.
#[inline(always)]
pub fn gate<M: Memory>(
    memory: &M,
    start: u32,
    mut cached: impl FnMut(u8) -> Option<u32>,
    mut sticky: impl FnMut() -> Option<Bits>,
) -> Result<Gated, Fault> {
    let mut reference = start;
    let mut path_classifier = 0;
    let mut node = 0;
    while node < 4 {
        if is_terminal(reference) {
            break;
        }
        let at = Node::read(memory, reference)?;
        if at.kind == NODE_BITS {
            if at.field != FieldId::Sticky as u8 {
                break;
            }
            let Some(bits) = sticky() else {
                break;
            };
            let (mask, want) = node::bits_test(memory, reference)?;
            let answer = node::answer(Presence::Known as u32, bits, mask, want);
            reference = node::bits_ref(memory, reference, answer)?;
        } else {
            if at.classifier != 0 {
                if at.field == FieldId::Path as u8 {
                    path_classifier = at.classifier;
                }
                break;
            }
            let Some(class) = cached(at.field) else {
                break;
            };
            reference = node::follow(memory, reference, at.kind, at.argument, class)?;
        }
        node += 1;
    }
    Ok(Gated {
        reference,
        path_classifier,
    })
}

/// The number of the outcome if every value not looked at yet is unknown.
///
/// # Errors
/// A [`Fault`], if the image is invalid.
#[inline(always)]
pub fn decide_unknown<M: Memory>(memory: &M, start: u32) -> Result<u32, Fault> {
    let mut walk = Unknowns {
        memory,
        reference: start,
        fault: 0,
    };
    repeat(MAX_STEPS, &mut walk);
    if let Some(fault) = Fault::from_number(walk.fault) {
        return Err(fault);
    }
    if !is_terminal(walk.reference) {
        return Err(Fault::Steps);
    }
    Ok(walk.reference & !REF_TERMINAL)
}

struct Unknowns<'m, M> {
    memory: &'m M,
    reference: u32,
    fault: u32,
}

impl<M: Memory> Step for Unknowns<'_, M> {
    #[inline(always)]
    fn step(&mut self) -> bool {
        if is_terminal(self.reference) {
            return false;
        }
        let next = Node::read(self.memory, self.reference).and_then(|node| {
            if node.kind == NODE_BITS {
                node::bits_ref(self.memory, self.reference, 1)
            } else {
                node::follow(
                    self.memory,
                    self.reference,
                    node.kind,
                    node.argument,
                    CLASS_UNKNOWN,
                )
            }
        });
        match next {
            Ok(reference) => {
                self.reference = reference;
                true
            }
            Err(fault) => {
                self.fault = fault as u32;
                false
            }
        }
    }
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
