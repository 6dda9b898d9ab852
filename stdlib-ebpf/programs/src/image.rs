//! The image in force.

use core::{ffi::c_void, ptr};

use aya_ebpf::helpers::bpf_map_lookup_elem;
use lsmpc_engine::Memory;

use crate::maps::{POLICY, Page};

/// The inner map that was in the slot when the event began.
#[derive(Clone, Copy)]
pub(crate) struct Image(*mut c_void);

impl Image {
    /// Looks the slot up. Once for each event: a second look-up could find the
    /// next policy, and the event would be decided by a mix.
    #[inline(always)]
    pub(crate) fn current() -> Option<Self> {
        POLICY
            .get(0)
            .map(|inner| Self(ptr::from_ref(inner).cast_mut().cast()))
    }
}

impl Memory for Image {
    #[inline(always)]
    fn page(&self, index: u32) -> Option<&Page> {
        // SAFETY: `self.0` is a map whose values are pages, kept alive by the
        // read-side critical section that the program runs in; images are never
        // changed after they are published.
        unsafe {
            bpf_map_lookup_elem(self.0, ptr::from_ref(&index).cast())
                .cast::<Page>()
                .as_ref()
        }
    }
}
