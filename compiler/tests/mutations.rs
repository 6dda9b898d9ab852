//! Damaged images: never a panic, and no fault from one that passes the checks.
//!
//! `LSMPC_FUZZ_SECONDS` sets how long; `LSMPC_SEED` repeats a run; with
//! `LSMPC_KERNEL=1`, as root, the kernel evaluates them, too.

#![allow(clippy::panic, reason = "tests")]

#[path = "support/kernel.rs"]
mod kernel;

use std::time::{Duration, Instant};

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_abi::image::{H_HOOKS, PAGE_SIZE, REF_TERMINAL};
use lsmpc_engine::host::{Event, Slice, Value};
use lsmpc_engine::image::{Image, ImageError};
use lsmpc_engine::{Fault, decide};
use lsmpc_random::Choices;
use lsmpc_random::damage::{
    HOOKS, POLICY, change, decided, decides, event, image, sign, u32_at, words,
};

fn mutate(bytes: &mut [u8], words: &[usize], random: &mut Choices<'_>) {
    for _ in 0..=random.below(3) {
        change(bytes, words, random);
    }
}

#[test]
fn damaged_images_never_surprise() {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seconds = number("LSMPC_FUZZ_SECONDS").unwrap_or(2);
    let seed = number("LSMPC_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("LSMPC_SEED={seed}");
    let mut random = Choices::seeded(seed);
    let valid = image();
    let words = words(&valid);
    let until = Instant::now() + Duration::from_secs(seconds);
    let (mut passed, mut refused) = (0_u64, 0_u64);
    while Instant::now() < until {
        let mut bytes = valid.clone();
        mutate(&mut bytes, &words, &mut random);
        sign(&mut bytes);
        let events: Vec<Event> = (0..8).map(|_| event(&mut random)).collect();
        kernel::set_image(&bytes);
        for mut event in events.clone() {
            // Whatever the bytes, the engine ends, and alike in the kernel.
            let hook = *random.pick(&HOOKS);
            let result = decided(&Slice(&bytes), hook, &mut event);
            if let Some(given) = kernel::evaluate(hook as u16, &event) {
                assert_eq!(given, result, "in the kernel");
            }
        }
        let Ok(image) = Image::from_bytes(bytes) else {
            refused += 1;
            continue;
        };
        passed += 1;
        for mut event in events {
            decides(&image, &mut event);
        }
    }
    eprintln!("{passed} passed, {refused} refused");
}

#[test]
fn every_byte_of_the_file_counts() {
    let valid = image();
    Image::from_bytes(valid.clone()).unwrap();
    for at in (0..valid.len()).step_by(7) {
        // The epoch is the runtime's.
        if (16..20).contains(&at) {
            continue;
        }
        let mut bytes = valid.clone();
        bytes[at] ^= 0x10;
        assert!(Image::from_bytes(bytes).is_err(), "at {at}");
    }
    for length in [0, 1, PAGE_SIZE, valid.len() - PAGE_SIZE, valid.len() - 1] {
        assert!(Image::from_bytes(valid[..length].to_vec()).is_err());
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let valid = image();
    let error = |change: fn(&mut Vec<u8>)| {
        let mut bytes = valid.clone();
        change(&mut bytes);
        if bytes.len() >= PAGE_SIZE {
            sign(&mut bytes);
        }
        Image::from_bytes(bytes).unwrap_err().to_string()
    };
    assert_eq!(error(Vec::clear), "0 bytes are no whole number of pages");
    assert_eq!(error(|bytes| bytes[0] = 0), "not a table image");
    assert!(error(|bytes| bytes[8] = 99).contains("compile the policy again"));
    assert!(error(|bytes| bytes.extend([0; PAGE_SIZE])).contains("the header says"));
    assert!(error(|bytes| bytes[H_HOOKS + 24] = 0).contains("longest walk"));
    assert!(error(|bytes| bytes[H_HOOKS + 8] = 0).contains("list of a hook's fields"));
    let mut bytes = valid;
    bytes[H_HOOKS] ^= 16;
    assert_eq!(Image::from_bytes(bytes), Err(ImageError::Digest));
}

#[test]
fn the_epoch_may_be_set() {
    let mut bytes = image();
    bytes[16] = 7;
    assert_eq!(Image::from_bytes(bytes).unwrap().epoch(), 7);
}

#[test]
fn a_circle_is_refused() {
    let mut bytes = image();
    let root = u32_at(&bytes, H_HOOKS);
    assert_eq!(root & REF_TERMINAL, 0);
    // The root's first entry leads back to the root.
    let at = root as usize + 16;
    bytes[at..at + 4].copy_from_slice(&root.to_le_bytes());
    sign(&mut bytes);
    let mut event = Event::new().with(FieldId::Exe, Value::None);
    let fault = decide(&Slice(&bytes), HookId::FileOpen as u16, &mut event);
    assert!(matches!(fault, Ok(_) | Err(Fault::Steps)));
    assert!(Image::from_bytes(bytes).is_err());
}

#[test]
fn the_report_holds_the_sources() {
    let image = Image::from_bytes(image()).unwrap();
    let report = image.report().unwrap();
    assert_eq!(report.sources[0].text, POLICY);
    assert_eq!(report.outcomes.len(), image.outcome_count() as usize);
    assert_eq!(report.hooks, ["file_open", "path_rename", "socket_connect"]);
    let hooks: Vec<&str> = image.hooks().map(|(hook, _)| hook.name()).collect();
    assert_eq!(report.hooks, hooks);
}
