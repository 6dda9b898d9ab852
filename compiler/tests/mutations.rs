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
use lsmpc_abi::image::{Bits, H_DIGEST, H_HOOKS, H_TABLES_END, Masks, PAGE_SIZE, REF_TERMINAL};
use lsmpc_compiler::lower::{LowerOptions, SourceText, lower};
use lsmpc_compiler::source::MemoryReader;
use lsmpc_compiler::{Options, analyse};
use lsmpc_engine::host::{Event, Slice, Value};
use lsmpc_engine::image::{Image, ImageError, digest};
use lsmpc_engine::{Fault, Memory, decide, decide_from, outcome, sticky};

const POLICY: &str = r#"
exempt when exe == "/usr/sbin/sshd" and not uid in [5..9]
default deny file_open
allow file_open when path in ["/usr/**", "/lib/*x*y", "/**/z*", "/a/b", "/a/bc"]
deny with EACCES file_open when access has any [write, append] and fs in ["tmpfs", "nfs*"]
kill file_open when exe in ["/tmp/**", "/dev/shm/*"] and uid in [1..5, 9, 100..200]
audit file_open when file.mode has [S_ISUID] and file.mode == 0o4755 or comm == "a*b"
deny path_rename when any_path in ["/etc/*", "/etc/**/x", "/boot/**"] unless parent.exe == "/sbin/init"
on_error allow socket_connect
deny socket_connect when addr in ["10.0.0.0/8", "fe80::/10"] and port in [22, 443, 8000..9000]
scope web when exe == "/usr/bin/x" inherit until uid == 5 {
  deny path_rename when path == "/etc/**"
  audit socket_connect when ancestor.exe == "/tmp/*"
}
"#;

/// A sequence of numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

fn image() -> Vec<u8> {
    let reader = MemoryReader::default().file("/p.lsmp", POLICY);
    let analysis = analyse(&["/p.lsmp".into()], &reader, &Options::default());
    let ir = analysis
        .ir
        .unwrap_or_else(|| panic!("{:#?}", analysis.diagnostics));
    let options = LowerOptions {
        sources: vec![SourceText {
            name: "p.lsmp",
            text: POLICY,
        }],
        ..LowerOptions::default()
    };
    lower(&ir, &options).unwrap().bytes
}

fn sign(bytes: &mut [u8]) {
    let digest = digest(bytes);
    bytes[H_DIGEST..H_DIGEST + 32].copy_from_slice(&digest);
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap())
}

/// Offsets of words that are not zero: most of what there is to break.
fn words(bytes: &[u8]) -> Vec<usize> {
    (0..u32_at(bytes, H_TABLES_END) as usize)
        .step_by(4)
        .filter(|offset| u32_at(bytes, *offset) != 0)
        .collect()
}

fn mutate(bytes: &mut [u8], words: &[usize], random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = *random.pick(words);
        let old = u32_at(bytes, at);
        let new = match random.below(9) {
            0 => old ^ 1 << random.below(32),
            1 => old.wrapping_add(1),
            2 => old.wrapping_sub(1),
            3 => old.wrapping_add(16),
            4 => 0,
            5 => u32::MAX,
            6 => REF_TERMINAL | random.below(64) as u32,
            7 => u32_at(bytes, *random.pick(words)),
            _ => *random.pick(words) as u32 & !15,
        };
        bytes[at..at + 4].copy_from_slice(&new.to_le_bytes());
    }
}

fn event(random: &mut Random) -> Event {
    const TEXTS: [&str; 14] = [
        "",
        "/",
        "/usr/bin/x",
        "/lib/axby",
        "/a/z1",
        "/a/b",
        "/a/bc",
        "/tmp/x",
        "/etc/a/x",
        "/usr/sbin/sshd",
        "tmpfs",
        "nfs4",
        "ab",
        "memfd:x",
    ];
    let mut event = Event::new();
    for field in FieldId::ALL {
        let value = match random.below(6) {
            0 => Value::None,
            1 => Value::Unknown,
            2 | 3 => Value::Text(random.pick(&TEXTS).as_bytes().to_vec()),
            4 => Value::Scalar(*random.pick(&[0, 1, 5, 100, 443, 0o4755, u64::MAX])),
            _ => Value::Wide(*random.pick(&[0, 0xffff_0a00_0001, u128::MAX])),
        };
        event.set(*field, value);
    }
    let (set, unknown) = (random.next(), random.next());
    event.set(FieldId::Sticky, Value::Bits(Bits { set, unknown }));
    event.set(FieldId::Path, Value::Text([b'/'; 4095].to_vec()));
    if random.below(4) > 0 {
        let text = random.pick(&TEXTS).as_bytes().to_vec();
        event.set(FieldId::Path, Value::Text(text));
    }
    event
}

/// What the subject's diagram says of an event, if there is one.
fn subject(memory: &impl Memory, event: &mut Event) -> Result<Option<Masks>, Fault> {
    let root = sticky::subject(memory)?;
    if root == 0 {
        return Ok(None);
    }
    let number = decide_from(memory, root, event)?;
    sticky::masks(memory, number).map(Some)
}

const HOOKS: [HookId; 4] = [
    HookId::FileOpen,
    HookId::PathRename,
    HookId::SocketConnect,
    HookId::TaskKill,
];

#[test]
fn damaged_images_never_surprise() {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seconds = number("LSMPC_FUZZ_SECONDS").unwrap_or(2);
    let seed = number("LSMPC_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("LSMPC_SEED={seed}");
    let mut random = Random(seed);
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
            let hook = *random.pick(&HOOKS) as u16;
            let result = decide(&Slice(&bytes), hook, &mut event);
            if let Some(given) = kernel::evaluate(hook, &event) {
                assert_eq!(given, result, "in the kernel");
            }
            let _ = subject(&Slice(&bytes), &mut event);
        }
        let Ok(image) = Image::from_bytes(bytes) else {
            refused += 1;
            continue;
        };
        passed += 1;
        for mut event in events {
            for hook in HOOKS {
                let number = decide(&image, hook as u16, &mut event);
                let result = number.and_then(|number| outcome(&image, number));
                assert!(result.is_ok(), "{result:?} of a checked image");
            }
            let result = subject(&image, &mut event);
            assert!(result.is_ok(), "{result:?} of a checked image's subject");
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
