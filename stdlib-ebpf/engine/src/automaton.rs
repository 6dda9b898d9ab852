//! Byte automata.

use crate::{
    Fault, Name,
    bits::{bound, page_u8, page_u16, page_u32, text_u8},
    child::NAME_WORDS,
    machine::{BYTES, COMPONENT, finish},
    memory::{Memory, page_of, u32_at},
    repeat::{Step, repeat},
    work::Work,
};

/// Bytes that one step reads.
const BYTES_A_STEP: u32 = 8;

/// Takes up the automaton at `offset`.
#[inline(always)]
pub(crate) fn begin<M: Memory>(memory: &M, work: &mut Work, offset: u32) -> Result<(), Fault> {
    let page = page_of(memory, offset)?;
    let base = bound::<0xff0>(u64::from(offset)) as u32;
    work.columns = page_u32(page, base + 4);
    work.map = page_u32(page, base + 8);
    work.transitions = page_u32(page, base + 12);
    // 32 bytes, aligned to 16: the second half may lie in the next page.
    let offset = offset.wrapping_add(16);
    let page = page_of(memory, offset)?;
    let base = bound::<0xff0>(u64::from(offset)) as u32;
    work.accepts = page_u32(page, base);
    work.byte_state = page_u32(page, base + 4);
    Ok(())
}

/// Reads some bytes; at the end the accept is a class or the next path state.
#[inline(always)]
pub(crate) fn step<M: Memory>(memory: &M, work: &mut Work) -> Result<bool, Fault> {
    let map = work.map;
    let page = page_of(memory, map)?;
    let mut count = 0;
    while count < BYTES_A_STEP {
        let state = work.byte_state;
        if state == 0 || work.byte >= work.byte_end {
            return end(memory, work);
        }
        let byte = text_u8(&work.text, work.byte);
        work.byte = work.byte.wrapping_add(1);
        let column = page_u8(page, map.wrapping_add(byte));
        let index = state.wrapping_mul(work.columns).wrapping_add(column);
        let offset = work.transitions.wrapping_add(index.wrapping_mul(2));
        work.byte_state = page_u16(page_of(memory, offset)?, offset);
        count += 1;
    }
    Ok(true)
}

#[inline(always)]
fn end<M: Memory>(memory: &M, work: &mut Work) -> Result<bool, Fault> {
    let offset = work.accepts.wrapping_add(work.byte_state.wrapping_mul(4));
    let accept = u32_at(memory, offset)?;
    if work.mode == BYTES {
        work.state = accept;
        work.position = work.position.wrapping_add(work.length).wrapping_add(1);
        work.mode = COMPONENT;
    } else {
        finish(work, accept);
    }
    Ok(true)
}

/// The accept that the automaton at `offset` comes to with a whole name.
#[inline(always)]
pub(crate) fn accept_of<M: Memory>(memory: &M, offset: u32, name: &Name) -> Result<u32, Fault> {
    let page = page_of(memory, offset)?;
    let base = bound::<0xff0>(u64::from(offset)) as u32;
    let columns = page_u32(page, base + 4);
    let map = page_u32(page, base + 8);
    let transitions = page_u32(page, base + 12);
    // As in `begin`.
    let offset = offset.wrapping_add(16);
    let page = page_of(memory, offset)?;
    let base = bound::<0xff0>(u64::from(offset)) as u32;
    let accepts = page_u32(page, base);
    let state = page_u32(page, base + 4);
    let mut bytes = Bytes {
        memory,
        columns,
        map,
        transitions,
        state,
        word: 0,
        left: 0,
        fault: 0,
    };
    let mut word = 0;
    while word < NAME_WORDS as u32 {
        if name.length <= word * 8 {
            break;
        }
        bytes.word = name.words.get(word as usize).copied().unwrap_or(0);
        bytes.left = name.length - word * 8;
        repeat(8, &mut bytes);
        word += 1;
    }
    if let Some(fault) = Fault::from_number(bytes.fault) {
        return Err(fault);
    }
    let state = bytes.state;
    u32_at(memory, accepts.wrapping_add(state.wrapping_mul(4)))
}

/// The bytes of one word of a name.
struct Bytes<'m, M> {
    memory: &'m M,
    columns: u32,
    map: u32,
    transitions: u32,
    state: u32,
    /// Those that are left, the next one lowest.
    word: u64,
    /// How many, or more.
    left: u32,
    fault: u32,
}

impl<M: Memory> Bytes<'_, M> {
    #[inline(always)]
    fn next(&self) -> Result<u32, Fault> {
        let byte = self.word as u32 & 0xff;
        let offset = self.map.wrapping_add(byte);
        let column = page_u8(page_of(self.memory, offset)?, offset);
        let index = self.state.wrapping_mul(self.columns).wrapping_add(column);
        let offset = self.transitions.wrapping_add(index.wrapping_mul(2));
        Ok(page_u16(page_of(self.memory, offset)?, offset))
    }
}

// VERIFIER: a callback: gone through as a loop in the function, it would be gone through
// for each byte.
impl<M: Memory> Step for Bytes<'_, M> {
    #[inline(always)]
    fn step(&mut self) -> bool {
        if self.state == 0 || self.left == 0 {
            return false;
        }
        match self.next() {
            Ok(state) => self.state = state,
            Err(fault) => {
                self.fault = fault as u32;
                return false;
            }
        }
        self.word >>= 8;
        self.left -= 1;
        true
    }
}
