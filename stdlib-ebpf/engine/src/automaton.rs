//! Byte automata.

use lsmpc_abi::image::PAGE_SIZE;

use crate::{
    Fault,
    bits::{bound, page_u8, page_u16, page_u32, text_u8},
    memory::{Memory, page_of, u32_at},
    repeat::{Step, repeat},
    work::Work,
};

/// Runs the automaton at `offset` over the bytes from `work.scanned` up to
/// `work.scanned + work.length`; its accept, or the fault in `work.fault`.
#[inline(never)]
pub(crate) fn run<M: Memory>(memory: &M, work: &mut Work, offset: u32) -> u32 {
    match run_inner(memory, work, offset) {
        Ok(accept) => accept,
        Err(fault) => {
            work.fault = fault as u32;
            0
        }
    }
}

#[inline(always)]
fn run_inner<M: Memory>(memory: &M, work: &mut Work, offset: u32) -> Result<u32, Fault> {
    let header = page_of(memory, offset)?;
    let base = bound::<0xff0>(u64::from(offset)) as u32;
    let columns = page_u32(header, base + 4);
    let map = page_u32(header, base + 8);
    let transitions = page_u32(header, base + 12);
    // 32 bytes, aligned to 16: the second half may lie in the next page.
    let offset = offset.wrapping_add(16);
    let header = page_of(memory, offset)?;
    let base = bound::<0xff0>(u64::from(offset)) as u32;
    let accepts = page_u32(header, base);
    work.state = page_u32(header, base + 4);
    let rounds = work.length;
    let mut bytes = Bytes {
        memory,
        map: page_of(memory, map)?,
        work,
        base: map,
        columns,
        transitions,
    };
    repeat(rounds, &mut bytes);
    if work.fault != 0 {
        return Err(Fault::Page);
    }
    u32_at(memory, accepts.wrapping_add(work.state.wrapping_mul(4)))
}

struct Bytes<'m, M> {
    memory: &'m M,
    map: &'m [u8; PAGE_SIZE],
    work: &'m mut Work,
    base: u32,
    columns: u32,
    transitions: u32,
}

impl<M: Memory> Step for Bytes<'_, M> {
    #[inline(always)]
    fn step(&mut self) -> bool {
        let state = self.work.state;
        if state == 0 {
            return false;
        }
        let byte = text_u8(&self.work.text, self.work.scanned);
        self.work.scanned = self.work.scanned.wrapping_add(1);
        let column = page_u8(self.map, self.base.wrapping_add(byte));
        let offset = self.transitions.wrapping_add(
            state
                .wrapping_mul(self.columns)
                .wrapping_add(column)
                .wrapping_mul(2),
        );
        let Ok(page) = page_of(self.memory, offset) else {
            self.work.fault = Fault::Page as u32;
            return false;
        };
        self.work.state = page_u16(page, offset);
        true
    }
}
