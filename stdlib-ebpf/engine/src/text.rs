//! Classifying a text: path states over components, or one byte automaton.

use lsmpc_abi::{
    NAME_MAX_BYTES,
    image::{
        CLASSIFIER_NAME, CLASSIFIER_PATH, H_EDGE_MASK, H_EDGES, H_SEED, STATE_LITERALS, STATE_SINK,
    },
};

use crate::{
    Fault, automaton,
    bits::{bound, first_marked, page_u32, page_u64, slashes, text_u64},
    edges::{self, BROKEN, MISS},
    memory::{Memory, page_of},
    repeat::{Step, repeat},
    work::Work,
};

/// Most components of a text of 4096 bytes, and the round that finds the end.
const COMPONENTS: u32 = 4098;
/// Bytes that one round of the search for a component's end looks at.
const SCAN: u32 = 32;

/// The class of `work.text[work.start..work.end]` by the classifier at `offset`.
///
/// # Errors
/// A [`Fault`], if the image is invalid or the text lies outside its buffer.
#[inline(always)]
pub fn classify_text<M: Memory>(memory: &M, offset: u32, work: &mut Work) -> Result<u32, Fault> {
    let answer = classify(memory, work, offset);
    if answer & BROKEN == 0 {
        Ok(answer as u32)
    } else {
        Err(Fault::from_number(answer as u32).unwrap_or(Fault::Classifier))
    }
}

/// A class, or a fault's number with [`BROKEN`].
#[inline(never)]
fn classify<M: Memory>(memory: &M, work: &mut Work, offset: u32) -> u64 {
    match classify_inner(memory, work, offset) {
        Ok(class) => u64::from(class),
        Err(fault) => BROKEN | u64::from(fault as u32),
    }
}

#[inline(always)]
fn classify_inner<M: Memory>(memory: &M, work: &mut Work, offset: u32) -> Result<u32, Fault> {
    if work.end > 4096 || work.start > work.end {
        return Err(Fault::Text);
    }
    let page = page_of(memory, offset)?;
    let base = bound::<0xff0>(u64::from(offset)) as u32;
    let kind = page_u32(page, base);
    let start = page_u32(page, base + 4);
    work.fault = 0;
    if kind == CLASSIFIER_NAME {
        work.scanned = work.start;
        work.length = work.end - work.start;
        work.class = automaton::run(memory, work, start);
    } else if kind == CLASSIFIER_PATH {
        let header = page_of(memory, 0)?;
        work.edges = page_u32(header, H_EDGES as u32);
        work.edge_mask = page_u32(header, H_EDGE_MASK as u32);
        work.seed = page_u64(header, H_SEED as u32);
        work.position = work.start;
        work.state = start;
        // Replaced when the walk ends.
        work.fault = Fault::Steps as u32;
        repeat(COMPONENTS, &mut Components { memory, work });
    } else {
        return Err(Fault::Classifier);
    }
    match work.fault {
        0 => Ok(work.class),
        fault => Err(Fault::from_number(fault).unwrap_or(Fault::Text)),
    }
}

struct Components<'m, M> {
    memory: &'m M,
    work: &'m mut Work,
}

impl<M: Memory> Step for Components<'_, M> {
    #[inline(always)]
    fn step(&mut self) -> bool {
        let (memory, work) = (self.memory, &mut *self.work);
        let state = work.state;
        let Ok(page) = page_of(memory, state) else {
            work.fault = Fault::Page as u32;
            return false;
        };
        let base = bound::<0xff0>(u64::from(state)) as u32;
        let flags = page_u32(page, base + 12);
        if flags & STATE_SINK != 0 || work.position > work.end {
            work.class = page_u32(page, base);
            work.fault = 0;
            return false;
        }
        let default = page_u32(page, base + 4);
        let byte_automaton = page_u32(page, base + 8);

        work.scanned = work.position;
        work.length = 0;
        repeat(4096 / SCAN + 1, &mut Scan { work });

        let mut next = MISS;
        if flags & STATE_LITERALS != 0 && work.length <= NAME_MAX_BYTES as u32 && work.edges != 0 {
            let hash = edges::hash_component(work, state);
            next = edges::path_edge(memory, work, state, hash);
        }
        if next == BROKEN {
            work.fault = Fault::Page as u32;
            return false;
        }
        if next == MISS {
            next = u64::from(default);
            if byte_automaton != 0 {
                work.scanned = work.position;
                work.fault = 0;
                next = u64::from(automaton::run(memory, work, byte_automaton));
                if work.fault != 0 {
                    return false;
                }
                work.fault = Fault::Steps as u32;
            }
        }
        work.state = next as u32;
        work.position = work.position.wrapping_add(work.length).wrapping_add(1);
        true
    }
}

/// Finds the end of the component at `position`: its length in `length`.
struct Scan<'w> {
    work: &'w mut Work,
}

impl Step for Scan<'_> {
    #[inline(always)]
    fn step(&mut self) -> bool {
        let work = &mut *self.work;
        let base = work.scanned;
        let left = work.end.wrapping_sub(base);
        let mut found = SCAN;
        let mut word = 0;
        while word < SCAN / 8 {
            let marks = slashes(text_u64(&work.text, base, word));
            if marks != 0 {
                found = word * 8 + first_marked(marks);
                break;
            }
            word += 1;
        }
        let (step, more) = if found < left {
            (found, found == SCAN)
        } else {
            (left, false)
        };
        work.length = work.length.wrapping_add(step);
        work.scanned = base.wrapping_add(step);
        more
    }
}
