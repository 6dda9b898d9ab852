//! An image without the compiler: what is in it is known to the byte.

use lsmpc_abi::ABI_VERSION;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::{HOOK_SLOTS, HookId};
use lsmpc_abi::image::{
    H_ABI, H_DIGEST, H_HOOKS, H_OUTCOME_COUNT, H_OUTCOMES, H_PAGES, H_REPORT, H_REPORT_LEN,
    H_TABLES_END, HOOK_ENTRY_SIZE, MAGIC, NODE_BITS, OUTCOME_RECORD, PAGE_SIZE, REF_TERMINAL,
};
use lsmpc_runtime::digest;

use super::UID;

/// What the image of a policy says about itself.
pub(super) const REPORT: &[u8] = br#"{"format":1,"compiler":"flow","hooks":[],"scopes":[],"rules":[],"outcomes":[],"sources":[]}"#;

/// A policy: these hooks are denied with EACCES, and recorded, for one uid.
pub(super) fn image(hooks: &[HookId], pages: u32) -> Vec<u8> {
    let mut bytes = vec![0; pages as usize * PAGE_SIZE];
    let report = REPORT;
    let node = PAGE_SIZE as u32 + 256;
    let last = (pages - 1) * PAGE_SIZE as u32;
    put(&mut bytes, 0, &MAGIC);
    for (at, word) in [
        (H_ABI, ABI_VERSION),
        (H_PAGES, pages),
        (H_OUTCOMES, PAGE_SIZE as u32),
        (H_OUTCOME_COUNT, 2),
        (H_REPORT, last),
        (H_REPORT_LEN, report.len() as u32),
        (H_TABLES_END, last),
    ] {
        put(&mut bytes, at, &word.to_le_bytes());
    }
    for slot in 0..HOOK_SLOTS {
        let at = H_HOOKS + HOOK_ENTRY_SIZE * slot;
        let used = hooks.iter().any(|hook| *hook as usize == slot);
        let root = if used { node } else { REF_TERMINAL };
        put(&mut bytes, at, &root.to_le_bytes());
        put(&mut bytes, at + 4, &u32::from(used).to_le_bytes());
        if used {
            put(
                &mut bytes,
                at + 8,
                &(1_u64 << (FieldId::Uid as u8)).to_le_bytes(),
            );
            put(&mut bytes, at + 24, &1_u32.to_le_bytes());
        }
    }
    let outcome = PAGE_SIZE + 16;
    put(&mut bytes, outcome, &(-libc::EACCES).to_le_bytes());
    put(&mut bytes, outcome + 4, &OUTCOME_RECORD.to_le_bytes());
    let at = node as usize;
    put(&mut bytes, at, &[NODE_BITS, FieldId::Uid as u8, 0, 0]);
    put(&mut bytes, at + 16, &u64::from(u32::MAX).to_le_bytes());
    put(&mut bytes, at + 24, &u64::from(UID).to_le_bytes());
    for (n, outcome) in [0, 0, 0, 1].into_iter().enumerate() {
        put(
            &mut bytes,
            at + 32 + n * 4,
            &(REF_TERMINAL | outcome).to_le_bytes(),
        );
    }
    put(&mut bytes, last as usize, report);
    let digest = digest(&bytes);
    put(&mut bytes, H_DIGEST, &digest);
    bytes
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}
