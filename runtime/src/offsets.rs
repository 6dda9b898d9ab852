//! The programs' constants: offsets from the kernel's BTF, addresses from its
//! symbol table.
//!
//! Owns their resolution. An offset that cannot be resolved is left unset and never
//! a guess: a program that reads at a guessed place decides by what it finds there.
//! Must not know what any of them is used for: what cannot be had is `gaps`'s.

use lsmpc_abi::catalogue;
use lsmpc_abi::hook::{HOOK_SLOTS, HookId};
use lsmpc_abi::kernel::{self, NO_ARGUMENTS, NUMBERS, OFFSETS, Offset, RENUMBERED, Renumbered};

use crate::btf::KernelBtf;
use crate::error::{Error, Result};
use crate::support;
use crate::system::System;
use crate::untold::{self, Symbol};

/// The value of one `.rodata` constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Constant {
    pub(crate) name: &'static str,
    pub(crate) value: Vec<u8>,
}

impl Constant {
    fn word(name: &'static str, value: u32) -> Self {
        Self {
            name,
            value: value.to_ne_bytes().to_vec(),
        }
    }

    fn address(name: &'static str, value: u64) -> Self {
        Self {
            name,
            value: value.to_ne_bytes().to_vec(),
        }
    }
}

/// Byte offset of one entry of the ABI's table; `None` if the kernel has no such member.
pub(crate) fn resolve(btf: &KernelBtf, offset: &Offset) -> Option<u32> {
    let (last, before) = offset.path.split_last()?;
    let member = last.split('|').find_map(|name| {
        let names: Vec<&str> = before.iter().copied().chain([name]).collect();
        btf.member(offset.structure, &names.join("."))
    })?;
    // A bit field has no byte offset that a program could load from.
    (member.bit_size == 0 && member.bit_offset % 8 == 0).then_some(member.bit_offset / 8)
}

/// Every constant that depends on the kernel at hand.
/// `casts`: whether programs can make typed pointers.
pub(crate) fn constants(
    btf: &KernelBtf,
    system: &System,
    casts: bool,
    cpus: u32,
    rate: u32,
) -> Vec<Constant> {
    let mut constants: Vec<Constant> = OFFSETS
        .iter()
        .filter_map(|offset| Some(Constant::word(offset.global, resolve(btf, offset)?)))
        .collect();
    let symbols = kernel::SYMBOLS.map(|symbol| symbol.name);
    let addresses = untold::symbols(system, symbols).map(|symbol| match symbol {
        Symbol::At(address) => address,
        Symbol::Hidden | Symbol::Absent => 0,
    });
    let marked = u32::from(untold::executed_is_marked() == Some(true));
    constants.push(Constant::word(kernel::GLOBAL_EXECUTED, marked));
    constants.push(Constant {
        name: kernel::GLOBAL_ARGUMENTS,
        value: arguments(btf),
    });
    constants.extend(RENUMBERED.iter().map(|table| Constant {
        name: table.global,
        value: numbers(btf, table),
    }));
    let seqcount = btf.structure("seqcount").filter(|_| casts);
    constants.push(Constant::word(
        kernel::GLOBAL_SEQCOUNT,
        seqcount.unwrap_or(0),
    ));
    constants.push(Constant::word(kernel::GLOBAL_CPUS, cpus));
    constants.push(Constant::word(kernel::GLOBAL_RATE, rate));
    let known = kernel::SYMBOLS.iter().zip(addresses);
    constants.extend(known.map(|(symbol, at)| Constant::address(symbol.global, at)));
    constants
}

/// The number of the kernel's function that makes typed pointers, if programs can call it:
/// they cannot without the JIT.
pub(crate) fn cast(btf: &KernelBtf, system: &System) -> Option<u32> {
    let is_off = system
        .text("/proc/sys/net/core/bpf_jit_enable")
        .is_ok_and(|text| text.trim() == "0");
    btf.function(kernel::CAST).filter(|_| !is_off)
}

/// How many arguments each hook has, by its number.
fn arguments(btf: &KernelBtf) -> Vec<u8> {
    let mut table = vec![NO_ARGUMENTS; HOOK_SLOTS];
    for hook in HookId::ALL {
        if let Some(count) = support::argument_count(btf, *hook)
            && let Some(entry) = table.get_mut(*hook as usize)
        {
            *entry = count;
        }
    }
    table
}

/// The catalogue's numbers by the kernel's. What the kernel does not have, or calls
/// otherwise, has none: a value that is met nevertheless is unknown.
fn numbers(btf: &KernelBtf, table: &Renumbered) -> Vec<u8> {
    let mut numbers = vec![0; NUMBERS];
    let known = catalogue::field(table.field).enumerators.iter();
    for of in known.filter(|of| of.name.starts_with(table.prefix)) {
        let number = btf.enumerator(of.name);
        let entry = number
            .and_then(|number| usize::try_from(number).ok())
            .and_then(|number| numbers.get_mut(number));
        if let (Some(entry), Ok(value)) = (entry, u8::try_from(of.value)) {
            *entry = value;
        }
    }
    numbers
}

/// How many CPUs the machine can have, from `/sys/devices/system/cpu/possible`.
pub(crate) fn possible_cpus(system: &System) -> Result<u32> {
    const PATH: &str = "/sys/devices/system/cpu/possible";
    let text = system
        .text(PATH)
        .map_err(|source| Error::system(format!("reading {PATH}"), source))?;
    // The largest number, not the count: the programs index by CPU number.
    let last = text
        .trim()
        .rsplit([',', '-'])
        .next()
        .and_then(|number| number.parse::<u32>().ok())
        .and_then(|number| number.checked_add(1));
    last.ok_or_else(|| {
        Error::system(
            format!("reading {PATH}"),
            std::io::Error::other(format!("it says {:?}", text.trim())),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::tests::Blob;

    #[test]
    fn a_member_is_found_by_any_of_its_names() {
        let mut blob = Blob::default();
        let int = blob.int("int", 4);
        blob.structure("file", 8, &[("f_mode", int, 32)]);
        let btf = KernelBtf::parse(blob.bytes()).unwrap();
        let offset = |path: &'static [&'static str]| {
            let offset = Offset {
                global: "G",
                structure: "file",
                path,
                tells: &[],
            };
            resolve(&btf, &offset)
        };
        assert_eq!(offset(&["f_mode"]), Some(4));
        assert_eq!(offset(&["__mode|f_mode"]), Some(4));
        assert_eq!(offset(&["f_path", "mnt"]), None);
    }

    #[test]
    fn numbers_are_the_kernels_and_arguments_are_counted() {
        let mut blob = Blob::default();
        blob.function("bpf_lsm_file_open");
        blob.enumeration(
            "lockdown_reason",
            &[("LOCKDOWN_NONE", 0), ("LOCKDOWN_KCORE", 5)],
        );
        let btf = KernelBtf::parse(blob.bytes()).unwrap();
        let counts = arguments(&btf);
        assert_eq!(counts[HookId::FileOpen as usize], 0);
        assert_eq!(counts[HookId::FileLock as usize], NO_ARGUMENTS);
        let table = RENUMBERED.iter().find(|table| table.prefix == "LOCKDOWN_");
        let numbers = numbers(&btf, table.unwrap());
        assert_eq!(numbers[5], 22, "LOCKDOWN_KCORE");
        assert_eq!(numbers.iter().filter(|number| **number != 0).count(), 1);
    }

    #[test]
    fn this_kernel_has_every_member() {
        let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            eprintln!("SKIPPED: no /sys/kernel/btf/vmlinux here");
            return;
        };
        let btf = KernelBtf::parse(bytes).unwrap();
        let missing = OFFSETS.iter().filter(|one| resolve(&btf, one).is_none());
        assert_eq!(missing.collect::<Vec<_>>(), [&OFFSETS[0]; 0]);
    }

    #[test]
    fn cpus_are_counted_to_the_last() {
        let root = tempfile::tempdir().unwrap();
        let system = System::at(root.path());
        assert!(possible_cpus(&system).is_err());
        let cpu = root.path().join("sys/devices/system/cpu");
        std::fs::create_dir_all(&cpu).unwrap();
        for (text, count) in [("0\n", 1), ("0-3\n", 4), ("0-3,8-11\n", 12)] {
            std::fs::write(cpu.join("possible"), text).unwrap();
            assert_eq!(possible_cpus(&system).unwrap(), count);
        }
    }
}
