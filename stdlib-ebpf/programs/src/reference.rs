//! What the hook programs are measured against: the least that a program can do, and
//! the obvious ways to decide by a path. For `cargo xtask bench` only, never shipped.
//!
//! Shares nothing with the hook programs. `empty` can be attached to any hook, the
//! others to `file_open`.
#![no_std]
#![no_main]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

use core::ffi::{c_char, c_void};

use aya_ebpf::{
    Global,
    bindings::path,
    btf_maps::{Array, PerCpuArray, RingBuf},
    helpers::generated::{bpf_d_path, bpf_ringbuf_output},
    macros::btf_map,
};
use lsmpc_engine::repeat::{Step, repeat};

/// Room for the longest path.
const LONGEST: usize = 4096;
/// Words of a rule's text.
const WORDS: usize = 8;
/// The largest record.
const RECORD: usize = 4096;
const EPERM: i32 = 1;

/// Where the path is in a file, on this kernel.
#[unsafe(no_mangle)]
static FILE_PATH: Global<u64> = Global::new(0);

#[unsafe(no_mangle)]
static RULE_COUNT: Global<u32> = Global::new(0);

#[unsafe(no_mangle)]
static RECORD_BYTES: Global<u32> = Global::new(0);

/// A rule: a path with its NUL, or what paths begin with.
#[repr(C)]
struct Rule {
    text: [u64; WORDS],
    /// The bits of the text that count.
    mask: [u64; WORDS],
}

#[repr(C, align(8))]
struct Text([u8; LONGEST]);

#[btf_map]
static TEXT: PerCpuArray<Text, 1> = PerCpuArray::new();

/// As many as the loader says.
#[btf_map]
static RULES: Array<Rule, 1> = Array::new();

#[btf_map]
static RECORDS: RingBuf<(), { 1 << 23 }> = RingBuf::new();

/// Allows.
#[unsafe(no_mangle)]
#[unsafe(link_section = "lsm/file_open")]
extern "C" fn empty(_ctx: *mut c_void) -> i32 {
    0
}

/// Asks for the file's path, and allows.
#[unsafe(no_mangle)]
#[unsafe(link_section = "lsm/file_open")]
extern "C" fn path_only(ctx: *mut c_void) -> i32 {
    let _ = path_of(ctx);
    0
}

/// Asks for the file's path, and looks at one rule after the other.
#[unsafe(no_mangle)]
#[unsafe(link_section = "lsm/file_open")]
extern "C" fn linear(ctx: *mut c_void) -> i32 {
    let Some(text) = path_of(ctx) else {
        return -EPERM;
    };
    let mut scan = Scan {
        text,
        at: 0,
        is_found: 0,
    };
    repeat(RULE_COUNT.load(), &mut scan);
    if scan.is_found == 1 { -EPERM } else { 0 }
}

/// Writes a record of a given size, and allows.
#[unsafe(no_mangle)]
#[unsafe(link_section = "lsm/file_open")]
extern "C" fn record(_ctx: *mut c_void) -> i32 {
    let Some(text) = TEXT.get_ptr_mut(0) else {
        return -EPERM;
    };
    let size = u64::from(RECORD_BYTES.load()).min(RECORD as u64);
    // SAFETY: as many bytes are there.
    unsafe {
        bpf_ringbuf_output(
            (&raw const RECORDS).cast_mut().cast(),
            text.cast::<c_void>(),
            size,
            0,
        );
    }
    0
}

/// The path of the hook's file.
#[inline(always)]
fn path_of(ctx: *mut c_void) -> Option<*const u64> {
    let text = TEXT.get_ptr_mut(0)?.cast::<c_char>();
    // SAFETY: the first argument is the file; its path is where the kernel's types say.
    let length = unsafe {
        let file = ctx.cast::<*mut c_void>().read();
        let path = file.byte_add(FILE_PATH.load() as usize).cast::<path>();
        bpf_d_path(path, text, LONGEST as u32)
    };
    (length > 0).then(|| text.cast_const().cast::<u64>())
}

/// One path against all rules.
struct Scan {
    text: *const u64,
    at: u32,
    is_found: u32,
}

impl Step for Scan {
    #[inline(always)]
    fn step(&mut self) -> bool {
        let Some(rule) = RULES.get(self.at) else {
            return false;
        };
        self.at += 1;
        let is_match = matches(rule, self.text);
        self.is_found = u32::from(is_match);
        !is_match
    }
}

/// Whether a path is that of a rule. Ends at the first word that differs.
#[inline(always)]
fn matches(rule: &Rule, text: *const u64) -> bool {
    let mut word = 0;
    while word < WORDS {
        // SAFETY: a path's buffer is larger than a rule.
        let differs = rule.text[word] ^ unsafe { text.add(word).read() };
        if differs & rule.mask[word] != 0 {
            return false;
        }
        word += 1;
    }
    true
}

/// The kernel grants GPL-only helpers by this.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
