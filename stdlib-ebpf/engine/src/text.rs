//! Path classifiers: states over components.

use lsmpc_abi::{
    NAME_MAX_BYTES,
    image::{STATE_LITERALS, STATE_SINK},
};

use crate::{
    Fault, automaton,
    bits::{bound, first_marked, page_u32, slashes, text_u64},
    edges::{self, CANDIDATES},
    machine::{BYTES, COMPONENT, EDGE, finish},
    memory::{Memory, page_of},
    repeat::{Step, repeat},
    work::Work,
};

/// Bytes that one round of the search for a component's end looks at.
const SCAN: u32 = 32;

/// Moves from a state by the next component.
#[inline(always)]
pub(crate) fn step<M: Memory>(memory: &M, work: &mut Work) -> Result<bool, Fault> {
    if work.mode == COMPONENT {
        let state = work.state;
        let page = page_of(memory, state)?;
        let base = bound::<0xff0>(u64::from(state)) as u32;
        let flags = page_u32(page, base + 12);
        let is_sink = flags & STATE_SINK != 0;
        if work.noting != 0 && (work.position == work.note_at || (is_sink && work.noted == 0)) {
            work.noted = state;
        }
        if is_sink || work.position > work.end {
            if work.position <= work.end {
                note(work);
            }
            finish(work, page_u32(page, base));
            return Ok(true);
        }
        work.default = page_u32(page, base + 4);
        work.automaton = page_u32(page, base + 8);
        component(work);
        if work.position.wrapping_add(work.length) >= work.end {
            note(work);
        }
        work.candidate = if flags & STATE_LITERALS != 0
            && work.length <= NAME_MAX_BYTES as u32
            && work.edges != 0
        {
            0
        } else {
            CANDIDATES
        };
    }
    if work.candidate < CANDIDATES
        && let Some(hit) = edges::path_edge(memory, work)?
    {
        if edges::key_equals(memory, work, hit.record)? {
            work.state = hit.to;
            work.position = work.position.wrapping_add(work.length).wrapping_add(1);
            work.mode = COMPONENT;
        } else {
            work.candidate = hit.next;
            work.mode = EDGE;
        }
        return Ok(true);
    }
    if work.automaton != 0 {
        automaton::begin(memory, work, work.automaton)?;
        work.byte = work.position;
        work.byte_end = work.position.wrapping_add(work.length);
        work.mode = BYTES;
    } else {
        work.state = work.default;
        work.position = work.position.wrapping_add(work.length).wrapping_add(1);
        work.mode = COMPONENT;
    }
    Ok(true)
}

/// Notes the state that every path of the directory comes to, if that is wanted.
#[inline(always)]
fn note(work: &mut Work) {
    if work.noting != 0 {
        work.directory_of = work.noting;
        work.directory = work.state;
        work.noting = 0;
    }
}

/// Finds the component at `work.position`: its length, its hash, its words.
#[inline(always)]
fn component(work: &mut Work) {
    #[cfg(target_arch = "bpf")]
    lsmpc_component(work);
    #[cfg(not(target_arch = "bpf"))]
    find_component(work);
}

/// The same as a global function.
// VERIFIER: gone through on its own, once, and not within the loop of which it is
// a part.
#[cfg(target_arch = "bpf")]
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn lsmpc_component(work: *mut Work) -> u64 {
    // SAFETY: the caller passes an exclusive reference; tested because the
    // verifier asks for it.
    if let Some(work) = unsafe { work.as_mut() } {
        find_component(work);
    }
    0
}

#[inline(always)]
fn find_component(work: &mut Work) {
    work.length = 0;
    if scan(work) {
        repeat(4096 / SCAN, &mut Scan { work });
    }
    if work.length <= NAME_MAX_BYTES as u32 {
        edges::hash_component(work);
    }
}

/// Looks for the component's end in the next bytes: adds to its length; whether
/// it goes on.
#[inline(always)]
fn scan(work: &mut Work) -> bool {
    let base = work.position.wrapping_add(work.length);
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
    let (length, more) = if found < left {
        (found, found == SCAN)
    } else {
        (left, false)
    };
    work.length = work.length.wrapping_add(length);
    more
}

struct Scan<'w> {
    work: &'w mut Work,
}

impl Step for Scan<'_> {
    #[inline(always)]
    fn step(&mut self) -> bool {
        scan(self.work)
    }
}
