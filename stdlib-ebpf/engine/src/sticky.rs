//! What sticks to a task: how its bits change when it executes a program and what
//! its children get.
//!
//! Owns the three-valued arithmetic of LANGUAGE §5 on bits, and reading masks. It
//! must not know where a task's bits are kept.

use lsmpc_abi::image::{Bits, H_MASK_COUNT, H_MASKS, H_SUBJECT, MASKS_SIZE, Masks};

use crate::{
    Fault,
    bits::{bound, page_u32, page_u64},
    memory::{Memory, page_of},
};

/// Nothing is known.
pub const ALL_UNKNOWN: Bits = Bits {
    set: 0,
    unknown: u64::MAX,
};

#[inline(always)]
const fn or(a: Bits, b: Bits) -> Bits {
    let set = a.set | b.set;
    Bits {
        set,
        unknown: (a.unknown | b.unknown) & !set,
    }
}

#[inline(always)]
const fn and_not(a: Bits, b: Bits) -> Bits {
    let set = a.set & !(b.set | b.unknown);
    Bits {
        set,
        unknown: (a.set | a.unknown) & !b.set & !set,
    }
}

/// The bits of a task after an exec: `masks` are those of its new subject.
#[inline(always)]
#[must_use]
pub const fn executed(bits: Bits, masks: &Masks) -> Bits {
    and_not(or(bits, masks.when), masks.until)
}

/// The bits of a task of which `masks` have been true meanwhile.
#[inline(always)]
#[must_use]
pub const fn held(bits: Bits, masks: &Masks) -> Bits {
    or(bits, and_not(masks.when, masks.until))
}

/// The bits of a child of a task that has `bits` and runs a program with these
/// tests.
#[inline(always)]
#[must_use]
pub const fn inherited(bits: Bits, program: Bits) -> Bits {
    or(bits, program)
}

/// The ref where the subject's diagram starts; 0: there is none.
///
/// # Errors
/// [`Fault::Page`] if there is no image.
#[inline(always)]
pub fn subject<M: Memory>(memory: &M) -> Result<u32, Fault> {
    Ok(page_u32(page_of(memory, 0)?, H_SUBJECT as u32))
}

/// What an outcome of the subject's diagram says.
///
/// # Errors
/// A [`Fault`], if the image is invalid.
#[inline(always)]
pub fn masks<M: Memory>(memory: &M, number: u32) -> Result<Masks, Fault> {
    let header = page_of(memory, 0)?;
    if number >= page_u32(header, H_MASK_COUNT as u32) {
        return Err(Fault::Outcome);
    }
    let at = page_u32(header, H_MASKS as u32).wrapping_add(number.wrapping_mul(MASKS_SIZE));
    Ok(Masks {
        when: bits(memory, at)?,
        until: bits(memory, at.wrapping_add(16))?,
        program: bits(memory, at.wrapping_add(32))?,
    })
}

/// Masks are aligned to 16: their parts may lie in different pages.
#[inline(always)]
fn bits<M: Memory>(memory: &M, offset: u32) -> Result<Bits, Fault> {
    let page = page_of(memory, offset)?;
    let base = bound::<0xff0>(u64::from(offset)) as u32;
    let set = page_u64(page, base);
    Ok(Bits {
        set,
        unknown: page_u64(page, base + 8) & !set,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `None` is unknown.
    type Truth = Option<bool>;
    const TRUTHS: [Truth; 3] = [Some(false), Some(true), None];

    fn bit(truth: Truth) -> Bits {
        Bits {
            set: u64::from(truth == Some(true)),
            unknown: u64::from(truth.is_none()),
        }
    }

    fn or_truth(a: Truth, b: Truth) -> Truth {
        if a == Some(true) || b == Some(true) {
            return Some(true);
        }
        if a.is_none() || b.is_none() {
            return None;
        }
        Some(false)
    }

    fn and_not_truth(a: Truth, b: Truth) -> Truth {
        // De Morgan.
        or_truth(a.map(|a| !a), b).map(|either| !either)
    }

    #[test]
    fn kleene() {
        for bits in TRUTHS {
            for when in TRUTHS {
                for until in TRUTHS {
                    let masks = Masks {
                        when: bit(when),
                        until: bit(until),
                        program: bit(when),
                    };
                    let wanted = and_not_truth(or_truth(bits, when), until);
                    assert_eq!(executed(bit(bits), &masks), bit(wanted));
                    let wanted = or_truth(bits, and_not_truth(when, until));
                    assert_eq!(held(bit(bits), &masks), bit(wanted));
                    let wanted = or_truth(bits, when);
                    assert_eq!(inherited(bit(bits), masks.program), bit(wanted));
                }
            }
        }
    }
}
