//! Loads and bounds that the verifier can follow.

use lsmpc_abi::image::PAGE_SIZE;

use crate::work::TEXT_BYTES;

/// A byte of `'/'` in every lane.
const SLASHES: u64 = 0x2f2f_2f2f_2f2f_2f2f;
const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// `value & MASK`, computed where it stands.
#[inline(always)]
#[must_use]
pub fn bound<const MASK: u64>(value: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let mut bounded = value;
        // VERIFIER: (6.1) bounds are lost over `known | unknown`, and LLVM drops
        // or moves a plain `and` whose effect it can derive; this one stays
        // beside the access that needs it.
        // SAFETY: arithmetic on one register.
        unsafe {
            core::arch::asm!("{0} &= {1}", inout(reg) bounded, const MASK, options(pure, nomem, nostack));
        }
        bounded
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        value & MASK
    }
}

/// The u32 at `offset` (reduced to the page and to its alignment).
#[inline(always)]
#[must_use]
pub fn page_u32(page: &[u8; PAGE_SIZE], offset: u32) -> u32 {
    let at = bound::<0xffc>(u64::from(offset)) as usize;
    #[cfg(target_arch = "bpf")]
    {
        // SAFETY: `at` is at most 4092; pages are map values, 8-byte aligned.
        unsafe { page.as_ptr().add(at).cast::<u32>().read() }
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        let mut bytes = [0; 4];
        copy(&mut bytes, page, at);
        u32::from_le_bytes(bytes)
    }
}

/// The same at an offset that is known when the program is built.
#[inline(always)]
#[must_use]
pub fn fixed_u32(page: &[u8; PAGE_SIZE], offset: u32) -> u32 {
    let at = (offset & 0xffc) as usize;
    #[cfg(target_arch = "bpf")]
    {
        // SAFETY: as in `page_u32`.
        unsafe { page.as_ptr().add(at).cast::<u32>().read() }
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        let mut bytes = [0; 4];
        copy(&mut bytes, page, at);
        u32::from_le_bytes(bytes)
    }
}

/// The u64 at `offset` (reduced to the page and to its alignment).
#[inline(always)]
#[must_use]
pub fn page_u64(page: &[u8; PAGE_SIZE], offset: u32) -> u64 {
    let at = bound::<0xff8>(u64::from(offset)) as usize;
    #[cfg(target_arch = "bpf")]
    {
        // SAFETY: `at` is at most 4088; pages are map values, 8-byte aligned.
        unsafe { page.as_ptr().add(at).cast::<u64>().read() }
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        let mut bytes = [0; 8];
        copy(&mut bytes, page, at);
        u64::from_le_bytes(bytes)
    }
}

/// The u16 at `offset` (reduced to the page and to its alignment).
#[inline(always)]
#[must_use]
pub fn page_u16(page: &[u8; PAGE_SIZE], offset: u32) -> u32 {
    let at = bound::<0xffe>(u64::from(offset)) as usize;
    #[cfg(target_arch = "bpf")]
    {
        // SAFETY: `at` is at most 4094; pages are map values, 8-byte aligned.
        u32::from(unsafe { page.as_ptr().add(at).cast::<u16>().read() })
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        let mut bytes = [0; 2];
        copy(&mut bytes, page, at);
        u32::from(u16::from_le_bytes(bytes))
    }
}

/// The byte at `offset` (reduced to the page).
#[inline(always)]
#[must_use]
pub fn page_u8(page: &[u8; PAGE_SIZE], offset: u32) -> u32 {
    let at = bound::<0xfff>(u64::from(offset)) as usize;
    #[cfg(target_arch = "bpf")]
    {
        // SAFETY: `at` is at most 4095.
        u32::from(unsafe { page.as_ptr().add(at).read() })
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        page.get(at).map_or(0, |byte| u32::from(*byte))
    }
}

/// The eight bytes of a text buffer from `base + WORD * 8` on, at any alignment.
/// `base` is reduced to the first 4096 bytes.
#[inline(always)]
#[must_use]
pub fn text_u64(text: &[u8; TEXT_BYTES], base: u32, word: u32) -> u64 {
    let base = bound::<0xfff>(u64::from(base));
    let at = (base + bound::<31>(u64::from(word)) * 8) as usize;
    #[cfg(target_arch = "bpf")]
    {
        // SAFETY: `at` is at most 4095 + 248, and the buffer ends 17 bytes later.
        unsafe { unaligned_u64(text.as_ptr().add(at)) }
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        let mut bytes = [0; 8];
        copy(&mut bytes, text, at);
        u64::from_le_bytes(bytes)
    }
}

/// The byte of a text buffer at `offset`, reduced to the first 4096.
#[inline(always)]
#[must_use]
pub fn text_u8(text: &[u8; TEXT_BYTES], offset: u32) -> u32 {
    let at = bound::<0xfff>(u64::from(offset)) as usize;
    #[cfg(target_arch = "bpf")]
    {
        // SAFETY: `at` is at most 4095.
        u32::from(unsafe { text.as_ptr().add(at).read() })
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        text.get(at).map_or(0, |byte| u32::from(*byte))
    }
}

/// An eight-byte load at any address.
///
/// # Safety
/// Eight bytes from `from` on must be readable.
#[cfg(target_arch = "bpf")]
#[inline(always)]
unsafe fn unaligned_u64(from: *const u8) -> u64 {
    let value: u64;
    // VERIFIER: LLVM would split an unaligned load into eight; the kernel allows
    // it in map values on every architecture with efficient unaligned access.
    // SAFETY: the caller's.
    unsafe {
        core::arch::asm!("{0} = *(u64 *)({1} + 0)", out(reg) value, in(reg) from, options(pure, readonly, nostack));
    }
    value
}

#[cfg(not(target_arch = "bpf"))]
#[inline(always)]
fn copy(into: &mut [u8], from: &[u8], at: usize) {
    if let Some(bytes) = from.get(at..at + into.len()) {
        into.copy_from_slice(bytes);
    }
}

/// The top bit of each byte that is `'/'`; exact up to the lowest one set.
#[inline(always)]
#[must_use]
pub fn slashes(word: u64) -> u64 {
    let zeroed = word ^ SLASHES;
    zeroed.wrapping_sub(LOW) & !zeroed & HIGH
}

/// The number of the lowest byte marked in a non-zero result of [`slashes`].
#[inline(always)]
#[must_use]
pub fn first_marked(marks: u64) -> u32 {
    // The lowest bit of the marked byte, less one, has a bit 0 in each byte below.
    let below = ((marks & marks.wrapping_neg()) >> 7).wrapping_sub(1) & LOW;
    (below.wrapping_mul(LOW) >> 56) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_finds_the_first() {
        for at in 0..8 {
            let mut bytes = *b"abcdefgh";
            bytes[at] = b'/';
            assert_eq!(first_marked(slashes(u64::from_le_bytes(bytes))), at as u32);
            bytes[7] = b'/';
            assert_eq!(first_marked(slashes(u64::from_le_bytes(bytes))), at as u32);
        }
        assert_eq!(slashes(u64::from_le_bytes(*b"........")), 0);
        assert_eq!(slashes(u64::from_le_bytes(*b"00000000")), 0);
        assert_eq!(slashes(u64::MAX), 0);
        assert_eq!(slashes(0), 0);
        // The byte after a '/' may be marked falsely; the first is exact.
        assert_eq!(
            first_marked(slashes(u64::from_le_bytes(*b"ab/.\xaf/0/"))),
            2
        );
    }
}
