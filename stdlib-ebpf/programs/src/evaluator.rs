//! The engine in the kernel, on an event that it is given: for comparing it with the
//! engine on the host. Never attached to anything.
//!
//! Owns: turning [`Given`] into what the engine asks for. It knows as little of the
//! language and of the kernel as the engine does.
#![no_std]
#![no_main]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

use core::ffi::c_void;

use aya_ebpf::{btf_maps::Array, helpers::generated::bpf_probe_read_kernel, macros::btf_map};
use lsmpc_abi::{
    Presence,
    evaluate::{FAULTED, FIELDS, Given, GivenValue, TEXT_COUNT, TEXT_SIZE, kind},
    image::{Bits, PAGE_SIZE},
};
use lsmpc_engine::{Memory, Source, Work, bits::bound, decide};

#[btf_map]
static PAGES: Array<[u8; PAGE_SIZE], 1> = Array::new();

#[btf_map]
static GIVEN: Array<Given, 1> = Array::new();

#[btf_map]
static TEXTS: Array<[u8; TEXT_SIZE], TEXT_COUNT> = Array::new();

#[btf_map]
static WORK: Array<Work, 1> = Array::new();

/// The kernel grants GPL-only helpers by this.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// The number of the event's outcome, or a fault's.
#[unsafe(no_mangle)]
#[unsafe(link_section = "socket")]
extern "C" fn evaluate(_packet: *mut c_void) -> u32 {
    const NOTHING: u32 = FAULTED;
    let (Some(given), Some(work)) = (GIVEN.get_ptr_mut(0), WORK.get_ptr_mut(0)) else {
        return NOTHING;
    };
    // SAFETY: a map value; it is written between runs only.
    let (hook, pages) = unsafe { ((*given).hook, (*given).pages) };
    let image = Image { pages };
    let mut event = Event { given, work };
    match decide(&image, hook as u16, &mut event) {
        Ok(number) => number,
        Err(fault) => FAULTED | fault as u32,
    }
}

/// The pages that belong to the image.
struct Image {
    pages: u32,
}

impl Memory for Image {
    #[inline(always)]
    fn page(&self, index: u32) -> Option<&[u8; PAGE_SIZE]> {
        if index < self.pages {
            PAGES.get(index)
        } else {
            None
        }
    }
}

struct Event {
    given: *const Given,
    work: *mut Work,
}

impl Event {
    #[inline(always)]
    fn given(&self, field: u8) -> GivenValue {
        const LAST: u64 = FIELDS as u64 - 1;
        let number = bound::<LAST>(u64::from(field)) as usize;
        // SAFETY: a map value; the number is below `FIELDS`.
        unsafe {
            (&raw const (*self.given).values)
                .cast::<GivenValue>()
                .add(number)
                .read()
        }
    }
}

impl Source for Event {
    #[inline(always)]
    fn work(&mut self) -> &mut Work {
        // SAFETY: a map value; runs of this program come one after the other.
        unsafe { &mut *self.work }
    }

    #[inline(always)]
    fn value(&mut self, field: u8) {
        let value = self.given(field);
        let work = self.work();
        match value.kind {
            kind::NONE => work.set_presence(Presence::None),
            kind::SCALAR => work.set_scalar(value.low),
            kind::BITS => work.set_bits(Bits {
                set: value.low,
                unknown: value.high,
            }),
            kind::WIDE => work.set_wide(value.high, value.low),
            _ => work.set_presence(Presence::Unknown),
        }
    }

    #[inline(always)]
    fn text(&mut self, field: u8) {
        let value = self.given(field);
        let work = self.work();
        match value.kind {
            kind::NONE => work.set_presence(Presence::None),
            kind::TEXT => {
                let Some(text) = TEXTS.get(value.text) else {
                    return work.set_presence(Presence::Unknown);
                };
                // SAFETY: both have so many bytes.
                unsafe {
                    bpf_probe_read_kernel(
                        work.text.as_mut_ptr().cast(),
                        TEXT_SIZE as u32,
                        text.as_ptr().cast(),
                    )
                };
                let end = TEXT_SIZE as u32;
                work.set_text(end - bound::<0x1fff>(value.low) as u32, end);
            }
            _ => work.set_presence(Presence::Unknown),
        }
    }

    #[inline(always)]
    fn cached_class(&mut self, _field: u8) -> Option<u32> {
        None
    }

    #[inline(always)]
    fn keep_class(&mut self, _field: u8, _class: u32) {}
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
