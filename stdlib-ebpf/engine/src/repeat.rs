//! Bounded loops: `bpf_loop` in BPF, a plain loop on the host.

/// One round of a loop.
pub trait Step {
    /// Does one round; whether another one shall follow.
    fn step(&mut self) -> bool;
}

/// Does up to `rounds` rounds.
#[inline(always)]
pub fn repeat<S: Step>(rounds: u32, state: &mut S) {
    #[cfg(target_arch = "bpf")]
    {
        // SAFETY: helper 181 is `bpf_loop(nr_loops, callback, context, flags)`.
        let bpf_loop: unsafe extern "C" fn(
            u32,
            extern "C" fn(u64, *mut S) -> u64,
            *mut S,
            u64,
        ) -> i64 = unsafe { core::mem::transmute(181_usize) };
        // SAFETY: the callback gets the context that is passed here, which
        // outlives the call; rounds run one after the other.
        unsafe {
            bpf_loop(rounds, round::<S>, state, 0);
        }
    }
    #[cfg(not(target_arch = "bpf"))]
    for _ in 0..rounds {
        if !state.step() {
            break;
        }
    }
}

#[cfg(target_arch = "bpf")]
extern "C" fn round<S: Step>(_index: u64, state: *mut S) -> u64 {
    // SAFETY: `repeat` passes an exclusive reference.
    let more = unsafe { (*state).step() };
    // VERIFIER: a callback's result must be seen to be 0 or 1.
    crate::bits::bound::<1>(u64::from(!more))
}
