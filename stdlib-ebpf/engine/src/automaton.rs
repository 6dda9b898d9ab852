//! Byte automata.

use crate::{
    Fault,
    bits::{bound, page_u8, page_u16, page_u32, text_u8},
    machine::{BYTES, COMPONENT, finish},
    memory::{Memory, page_of, u32_at},
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
