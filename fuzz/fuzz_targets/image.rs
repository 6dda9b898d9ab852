//! [`lsmpc_random::targets::image`], for libFuzzer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lsmpc_random::targets;

fuzz_target!(|bytes: &[u8]| targets::image(bytes));
