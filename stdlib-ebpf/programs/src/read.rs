//! Reading kernel memory at addresses that need not be valid.
//!
//! Addresses are integers. What they point to may be freed at any time unless
//! the hook holds it: a failed read is a value that is not known, and where
//! several reads have to agree the caller checks that they do.

use core::{ffi::c_void, mem::MaybeUninit};

use aya_ebpf::{
    helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str},
    programs::LsmContext,
};
#[cfg(target_arch = "bpf")]
use lsmpc_abi::kernel::CALL_OF_CAST;
use lsmpc_engine::bits::bound;

/// A value that is plain bytes.
pub(crate) trait Plain: Copy {}
impl Plain for u16 {}
impl Plain for u32 {}
impl Plain for u64 {}
impl<const N: usize> Plain for [u64; N] {}

/// The value at `address`.
#[inline(always)]
pub(crate) fn read<T: Plain>(address: u64) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: writes `size_of::<T>()` bytes to `value`, or zeros it; any address
    // may be asked for.
    let result = unsafe {
        bpf_probe_read_kernel(
            value.as_mut_ptr().cast(),
            size_of::<T>() as u32,
            address as *const c_void,
        )
    };
    if result == 0 {
        // SAFETY: written; any bytes are a `T`.
        Some(unsafe { value.assume_init() })
    } else {
        None
    }
}

/// The pointer at `address`; 0 if it cannot be read.
#[inline(always)]
pub(crate) fn pointer(address: u64) -> u64 {
    read(address).unwrap_or(0)
}

/// A member of a structure that the kernel has handed out.
// VERIFIER: a load through a typed pointer at a constant offset; one from memory that is
// gone gives 0.
///
/// # Safety
/// `from` must be a typed pointer, or one loaded through one.
#[inline(always)]
pub(crate) unsafe fn load<T: Copy>(from: *const c_void, offset: u64) -> T {
    // SAFETY: the caller's.
    unsafe { from.byte_add(offset as usize).cast::<T>().read_volatile() }
}

/// A typed pointer to the structure at `address` that has the number `of` among the
/// kernel's types. What is read through it is 0 where nothing can be read.
// VERIFIER: (6.2) a call that becomes a move; before, this must not be reached.
#[inline(always)]
pub(crate) fn cast(address: u64, of: u32) -> *const c_void {
    #[cfg(target_arch = "bpf")]
    {
        let typed: *const c_void;
        // SAFETY: changes nothing but the registers that a call may change.
        unsafe {
            core::arch::asm!(
                ".8byte {call}",
                call = const CALL_OF_CAST,
                inlateout("r1") address => _,
                inlateout("r2") u64::from(of) => _,
                lateout("r0") typed,
                lateout("r3") _,
                lateout("r4") _,
                lateout("r5") _,
                options(pure, nomem, nostack),
            );
        }
        typed
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        let _ = of;
        address as *const c_void
    }
}

/// Copies `length & MASK` bytes.
///
/// # Safety
/// `MASK` bytes from `into` on must be writable.
#[inline(always)]
pub(crate) unsafe fn copy<const MASK: u64>(into: *mut u8, from: u64, length: u32) -> bool {
    let length = bound::<MASK>(u64::from(length)) as u32;
    // SAFETY: the caller's.
    unsafe { bpf_probe_read_kernel(into.cast(), length, from as *const c_void) == 0 }
}

/// Copies `length` bytes, or `MAX` if that is less.
///
/// # Safety
/// `MAX` bytes from `into` on must be writable.
#[inline(always)]
pub(crate) unsafe fn copy_at_most<const MAX: usize>(into: *mut u8, from: u64, length: u32) -> bool {
    let length = at_most::<MAX>(u64::from(length)) as u32;
    // SAFETY: the caller's.
    unsafe { bpf_probe_read_kernel(into.cast(), length, from as *const c_void) == 0 }
}

/// Bytes of a text that is copied by words.
pub(crate) const SHORT: usize = 64;

/// Copies [`SHORT`] bytes, at any alignment.
// VERIFIER: LLVM would take unaligned words apart; the kernel allows them in map values
// on every architecture with efficient unaligned access.
///
/// # Safety
/// So many bytes from `from` on must be readable and from `into` on writable, of maps'
/// values.
#[inline(always)]
pub(crate) unsafe fn copy_short(into: *mut u8, from: *const u8) {
    const { assert!(SHORT == 64) };
    macro_rules! words {
        ($($at:literal)+) => {$(
            // SAFETY: the caller's.
            unsafe {
                core::arch::asm!(
                    "{0} = *(u64 *)({1} + {3})",
                    "*(u64 *)({2} + {3}) = {0}",
                    out(reg) _, in(reg) from, in(reg) into, const $at,
                    options(nostack),
                );
            }
        )+};
    }
    words!(0 8 16 24 32 40 48 56);
}

/// The lesser of `value` and `MAX`.
#[inline(always)]
pub(crate) fn at_most<const MAX: usize>(value: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let mut bounded = value;
        // VERIFIER: a plain comparison is dropped where LLVM knows the answer.
        // SAFETY: arithmetic on one register.
        unsafe {
            core::arch::asm!(
                "if {0} <= {1} goto +1",
                "{0} = {1}",
                inout(reg) bounded, const MAX,
                options(pure, nomem, nostack),
            );
        }
        bounded
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        value.min(MAX as u64)
    }
}

/// The value, of which the verifier forgets what it knew.
// VERIFIER: it takes the difference of two pointers for any number.
#[inline(always)]
pub(crate) fn unknown(value: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let sum: u64;
        // SAFETY: arithmetic on registers.
        unsafe {
            core::arch::asm!(
                "{0} = r10",
                "{0} -= r10",
                "{0} += {1}",
                out(reg) sum, in(reg) value,
                options(pure, nomem, nostack),
            );
        }
        sum
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        value
    }
}

/// The same for what a hook returns.
#[inline(always)]
pub(crate) fn forget(ret: i32) -> i32 {
    unknown(u64::from(ret.cast_unsigned())) as i32
}

/// Copies a NUL-terminated string of at most `SIZE - 1` bytes; its length, less
/// than `SIZE`.
///
/// # Safety
/// `SIZE` bytes from `into` on must be writable.
#[inline(always)]
pub(crate) unsafe fn copy_string(into: *mut u8, from: u64, size: u32) -> Option<u32> {
    // SAFETY: the caller's.
    let copied = unsafe { bpf_probe_read_kernel_str(into.cast(), size, from as *const c_void) };
    if copied < 1 {
        None
    } else {
        Some(copied as u32 - 1)
    }
}

/// Copies a hook's arguments.
// VERIFIER: what it takes for typed pointers becomes numbers on the way. (6.12)
// takes a pointer argument to be non-null unless the kernel's BTF says otherwise,
// and would remove a test for null.
#[inline(always)]
pub(crate) fn arguments<const N: usize>(ctx: &LsmContext, into: *mut u64) {
    use aya_ebpf::EbpfContext as _;
    // SAFETY: the context is an array of arguments; the caller has room for `N`.
    unsafe {
        bpf_probe_read_kernel(into.cast(), N as u32 * 8, ctx.as_ptr().cast_const());
    }
}

/// The low half of an address, as a number.
// VERIFIER: a pointer must not be shifted; a copy of its half is a number.
#[inline(always)]
pub(crate) fn low_half(address: u64) -> u32 {
    let half: u32;
    // SAFETY: arithmetic on registers.
    unsafe {
        core::arch::asm!(
            "{0} = {1}",
            out(wreg) half, in(wreg) address as u32,
            options(pure, nomem, nostack),
        );
    }
    half
}
