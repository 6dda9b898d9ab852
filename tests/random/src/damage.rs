//! Valid images, changes to them, and what must hold of them whatever was changed.

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_abi::image::{Bits, H_DIGEST, H_TABLES_END, Masks, PAGE_SIZE, REF_TERMINAL};
use lsmpc_compiler::hir::Hir;
use lsmpc_compiler::ir::Ir;
use lsmpc_compiler::lower::{LowerOptions, SourceText, lower};
use lsmpc_compiler::source::MemoryReader;
use lsmpc_compiler::{Options, analyse};
use lsmpc_engine::host::{Event, Value};
use lsmpc_engine::image::{Image, digest};
use lsmpc_engine::{Fault, Memory, decide, decide_from, outcome, sticky};

use crate::Choices;

/// A policy with something of everything that an image can hold.
pub const POLICY: &str = r#"
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

/// The hooks of [`POLICY`] and one that it does not have.
pub const HOOKS: [HookId; 4] = [
    HookId::FileOpen,
    HookId::PathRename,
    HookId::SocketConnect,
    HookId::TaskKill,
];

/// A policy that has no errors, in all its forms.
///
/// # Panics
///
/// If it has one.
#[must_use]
pub fn compile(text: &str) -> (Hir, Ir, Vec<u8>) {
    let reader = MemoryReader::default().file("/p.lsmp", text);
    let analysis = analyse(&["/p.lsmp".into()], &reader, &Options::default());
    let (Some(hir), Some(ir)) = (analysis.hir, analysis.ir) else {
        panic!("{:#?}", analysis.diagnostics);
    };
    let options = LowerOptions {
        sources: vec![SourceText {
            name: "p.lsmp",
            text,
        }],
        ..LowerOptions::default()
    };
    let lowered = lower(&ir, &options).unwrap_or_else(|error| panic!("{error}"));
    (hir, ir, lowered.bytes)
}

/// [`POLICY`]'s image.
#[must_use]
pub fn image() -> Vec<u8> {
    compile(POLICY).2
}

/// Makes the digest right.
pub fn sign(bytes: &mut [u8]) {
    if bytes.len() >= PAGE_SIZE {
        let digest = digest(bytes);
        bytes[H_DIGEST..H_DIGEST + digest.len()].copy_from_slice(&digest);
    }
}

/// The word at an offset.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let word = bytes[offset..offset + 4].try_into();
    u32::from_le_bytes(word.unwrap_or_default())
}

/// Offsets of words that are not zero: most of what there is to break.
#[must_use]
pub fn words(bytes: &[u8]) -> Vec<usize> {
    (0..u32_at(bytes, H_TABLES_END) as usize)
        .step_by(4)
        .filter(|offset| u32_at(bytes, *offset) != 0)
        .collect()
}

/// Changes one of these words.
pub fn change(bytes: &mut [u8], words: &[usize], random: &mut Choices<'_>) {
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

/// An event with a value for every field, suiting it or not.
#[must_use]
pub fn event(random: &mut Choices<'_>) -> Event {
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
    let (set, unknown) = (random.number(), random.number());
    event.set(FieldId::Sticky, Value::Bits(Bits { set, unknown }));
    event.set(FieldId::Path, Value::Text([b'/'; 4095].to_vec()));
    if random.below(4) > 0 {
        let text = random.pick(&TEXTS).as_bytes().to_vec();
        event.set(FieldId::Path, Value::Text(text));
    }
    event
}

/// What the subject's diagram says of an event, if there is one.
///
/// # Errors
///
/// A fault.
pub fn subject(memory: &impl Memory, event: &mut Event) -> Result<Option<Masks>, Fault> {
    let root = sticky::subject(memory)?;
    if root == 0 {
        return Ok(None);
    }
    let number = decide_from(memory, root, event)?;
    sticky::masks(memory, number).map(Some)
}

/// Evaluates an event on any bytes.
pub fn decided(memory: &impl Memory, hook: HookId, event: &mut Event) -> Result<u32, Fault> {
    let result = decide(memory, hook as u16, event);
    let _ = subject(memory, event);
    result
}

/// An image that the checks have passed decides any event without a fault.
///
/// # Panics
///
/// If there is one.
pub fn decides(image: &Image, event: &mut Event) {
    for hook in HOOKS {
        let number = decide(image, hook as u16, event);
        let result = number.and_then(|number| outcome(image, number));
        assert!(result.is_ok(), "{result:?} of a checked image");
    }
    let result = subject(image, event);
    assert!(result.is_ok(), "{result:?} of a checked image's subject");
}
