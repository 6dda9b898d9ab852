//! The programs that policies are measured against, loaded without any of the project's
//! own code.

use anyhow::{Context as _, Result, ensure};
use aya::maps::{Array, MapData, RingBuf};
use aya::programs::Lsm;
use aya::{Btf, Ebpf, EbpfLoader, Pod};
use lsmpc_runtime::btf::KernelBtf;

use crate::bpf;

const OBJECT: &str = "/objects/bench/reference.bpf.o";
/// Bytes of the longest text of a rule, the NUL of whole paths included.
const LONGEST: usize = 64;

/// A rule, as the programs have it.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Rule {
    text: [u8; LONGEST],
    /// The bits of the text that count.
    mask: [u8; LONGEST],
}

// SAFETY: bytes without padding.
unsafe impl Pod for Rule {}

impl Rule {
    /// A glob without wildcards, or what is before its first one.
    fn of(glob: &str) -> Result<Self> {
        let (text, length) = match glob.split_once('*') {
            Some((before, _)) => (before, before.len()),
            None => (glob, glob.len() + 1),
        };
        ensure!(length <= LONGEST, "{glob} is too long");
        let mut rule = Self {
            text: [0; LONGEST],
            mask: [0; LONGEST],
        };
        rule.text[..text.len()].copy_from_slice(text.as_bytes());
        rule.mask[..length].fill(0xff);
        Ok(rule)
    }
}

/// A program that is attached. It goes when it is dropped.
pub(super) struct Reference(Ebpf);

impl Reference {
    /// Attaches a program to a hook.
    pub(super) fn attach(program: &str, hook: &str) -> Result<Self> {
        Self::attach_with(program, hook, &[], 1)
    }

    /// Attaches the program that looks at one rule after the other.
    pub(super) fn linear(globs: &[&str]) -> Result<Self> {
        let rules = globs
            .iter()
            .map(|glob| Rule::of(glob))
            .collect::<Result<Vec<_>>>()?;
        Self::attach_with("linear", "file_open", &rules, 1)
    }

    /// Attaches the program that writes a record of this size.
    pub(super) fn record(bytes: u32) -> Result<Self> {
        Self::attach_with("record", "file_open", &[], bytes)
    }

    fn attach_with(program: &str, hook: &str, rules: &[Rule], record: u32) -> Result<Self> {
        let kernel = KernelBtf::parse(std::fs::read("/sys/kernel/btf/vmlinux")?)?;
        let path = kernel
            .member("file", "f_path")
            .context("the kernel's files have no path")?;
        let offset = u64::from(path.bit_offset / 8);
        let count = rules.len() as u32;
        let mut object = EbpfLoader::new()
            .override_global("FILE_PATH", &offset, true)
            .override_global("RULE_COUNT", &count, true)
            .override_global("RECORD_BYTES", &record, true)
            .map_max_entries("RULES", count.max(1))
            .load_file(OBJECT)?;
        let mut array: Array<_, Rule> = object.map_mut("RULES").context("no rules")?.try_into()?;
        for (number, rule) in (0..).zip(rules) {
            array.set(number, rule, 0)?;
        }
        let loaded: &mut Lsm = object
            .program_mut(program)
            .with_context(|| format!("no program {program}"))?
            .try_into()?;
        loaded.load(hook, &Btf::from_sys_fs()?)?;
        loaded.attach()?;
        Ok(Self(object))
    }

    /// Its ring buffer.
    pub(super) fn records(&mut self) -> Result<RingBuf<MapData>> {
        let map = self.0.take_map("RECORDS").context("no records")?;
        Ok(map.try_into()?)
    }

    /// Detaches it.
    pub(super) fn detach(self) -> Result<()> {
        drop(self);
        bpf::await_no_links()
    }
}
