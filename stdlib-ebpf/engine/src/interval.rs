//! Interval classifiers: how many sorted boundaries are not above a value.

use lsmpc_abi::CLASS_FIRST;

use crate::{
    Fault,
    machine::finish,
    memory::{Memory, u64_at},
    work::Work,
};

/// One halving of a binary search.
#[inline(always)]
pub(crate) fn step<M: Memory>(memory: &M, work: &mut Work) -> Result<bool, Fault> {
    let (least, most, wide) = (work.least, work.most, work.wide & 1);
    if least >= most {
        finish(work, CLASS_FIRST.wrapping_add(least));
        return Ok(true);
    }
    let middle = least.wrapping_add(most.wrapping_sub(least) >> 1);
    let at = work
        .boundaries
        .wrapping_add((middle << wide).wrapping_mul(8));
    let first = u64_at(memory, at)?;
    let not_above = if wide == 0 {
        first <= work.low
    } else {
        let second = u64_at(memory, at.wrapping_add(8))?;
        first < work.high || (first == work.high && second <= work.low)
    };
    if not_above {
        work.least = middle.wrapping_add(1);
    } else {
        work.most = middle;
    }
    Ok(true)
}
