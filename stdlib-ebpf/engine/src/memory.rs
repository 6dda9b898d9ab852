//! Where an image's pages are.

use lsmpc_abi::image::{PAGE_SHIFT, PAGE_SIZE};

use crate::{Fault, bits};

/// An image's pages.
pub trait Memory {
    /// Page `index`, if the image has it.
    fn page(&self, index: u32) -> Option<&[u8; PAGE_SIZE]>;
}

/// The page that `offset` lies in.
#[inline(always)]
pub(crate) fn page_of<M: Memory>(memory: &M, offset: u32) -> Result<&[u8; PAGE_SIZE], Fault> {
    memory.page(offset >> PAGE_SHIFT).ok_or(Fault::Page)
}

/// The u32 at a byte offset of the image.
///
/// # Errors
/// [`Fault::Page`] beyond the last page.
#[inline(always)]
pub fn u32_at<M: Memory>(memory: &M, offset: u32) -> Result<u32, Fault> {
    Ok(bits::page_u32(page_of(memory, offset)?, offset))
}

/// The u64 at a byte offset of the image.
///
/// # Errors
/// [`Fault::Page`] beyond the last page.
#[inline(always)]
pub fn u64_at<M: Memory>(memory: &M, offset: u32) -> Result<u64, Fault> {
    Ok(bits::page_u64(page_of(memory, offset)?, offset))
}
