//! Atomic operations on words of map values. `core` has them for BPF only as
//! loads and stores.

/// Puts `value` there; what was there before. Orders everything around it.
///
/// # Safety
/// `word` must be an aligned word of a map value.
#[inline(always)]
pub(crate) unsafe fn swap(word: *mut u64, value: u64) -> u64 {
    let mut exchanged = value;
    // SAFETY: the caller's.
    unsafe {
        core::arch::asm!("{1} = xchg_64({0} + 0, {1})", in(reg) word, inout(reg) exchanged, options(nostack));
    }
    exchanged
}

/// Adds `value`; what was there before.
///
/// # Safety
/// `word` must be an aligned word of a map value.
#[inline(always)]
pub(crate) unsafe fn add(word: *mut u64, value: u64) -> u64 {
    let mut added = value;
    // SAFETY: the caller's.
    unsafe {
        core::arch::asm!("{1} = atomic_fetch_add((u64 *)({0} + 0), {1})", in(reg) word, inout(reg) added, options(nostack));
    }
    added
}

/// What is there.
///
/// # Safety
/// `word` must be an aligned word of a map value.
#[inline(always)]
pub(crate) unsafe fn load(word: *const u64) -> u64 {
    // SAFETY: the caller's.
    unsafe { word.read_volatile() }
}

/// Puts `value` there.
///
/// # Safety
/// `word` must be an aligned word of a map value.
#[inline(always)]
pub(crate) unsafe fn store(word: *mut u64, value: u64) {
    // SAFETY: the caller's.
    unsafe { word.write_volatile(value) }
}
