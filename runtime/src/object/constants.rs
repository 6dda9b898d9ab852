//! Which of its constants each program of an object uses, itself or through what it
//! calls.
//!
//! Owns following calls through the instructions (RFC 9669, section 4.3, and the
//! relocations of the kernel's `Documentation/bpf/llvm_reloc.rst`). Must not know what
//! any constant is for.

use std::collections::{BTreeMap, BTreeSet};

use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SymbolKind};

/// A place in a section of code.
type Place = (usize, u64);

/// What one function uses.
#[derive(Default)]
struct Uses {
    constants: BTreeSet<String>,
    functions: Vec<Place>,
}

/// The names of the constants that each LSM program uses; `None` for a file that is
/// not as a linker writes it.
pub(super) fn of_programs(bytes: &[u8]) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let file: ElfFile64<'_> = ElfFile64::parse(bytes).ok()?;
    let mut starts: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    let mut programs = Vec::new();
    for symbol in file.symbols().filter(|one| one.kind() == SymbolKind::Text) {
        let Some(index) = symbol.section_index() else {
            continue;
        };
        starts.entry(index.0).or_default().insert(symbol.address());
        let section = file.section_by_index(index).ok()?;
        if section.name().ok()?.starts_with("lsm/") {
            let name = symbol.name().ok()?.to_owned();
            programs.push((name, (index.0, symbol.address())));
        }
    }
    let mut functions: BTreeMap<Place, Uses> = BTreeMap::new();
    for (index, starts) in &starts {
        let section = file.section_by_index(object::SectionIndex(*index)).ok()?;
        let code = section.data().ok()?;
        let mut relocations = BTreeMap::new();
        for (at, relocation) in section.relocations() {
            if let RelocationTarget::Symbol(symbol) = relocation.target() {
                relocations.insert(at, file.symbol_by_index(symbol).ok()?);
            }
        }
        for (at, instruction) in (0..).step_by(8).zip(code.chunks_exact(8)) {
            let start = starts.range(..=at).next_back()?;
            let uses = functions.entry((*index, *start)).or_default();
            let Some((value, is_call)) = refers(instruction) else {
                continue;
            };
            match relocations.get(&at) {
                Some(symbol) if symbol.kind() == SymbolKind::Data => {
                    uses.constants.insert(symbol.name().ok()?.to_owned());
                }
                Some(symbol) => {
                    if let Some(section) = symbol.section_index() {
                        let place = symbol.address().checked_add_signed(value)?;
                        uses.functions.push((section.0, place));
                    }
                }
                None if is_call => {
                    let place = at.checked_add_signed(value)?;
                    uses.functions.push((*index, place));
                }
                None => {}
            }
        }
    }
    let all = programs
        .into_iter()
        .map(|(name, place)| (name, reached(&functions, place)));
    Some(all.collect())
}

/// What an instruction adds to the place that it refers to, in bytes, and whether it is
/// a call; `None` if it refers to none.
fn refers(instruction: &[u8]) -> Option<(i64, bool)> {
    const CALL: u8 = 0x85;
    const LOAD_ADDRESS: u8 = 0x18;
    let [operation, registers, _, _, value @ ..] = instruction else {
        return None;
    };
    let value = i64::from(i32::from_le_bytes(value.try_into().ok()?));
    match (*operation, registers >> 4) {
        (CALL, 1) => Some(((value + 1) * 8, true)),
        (LOAD_ADDRESS, _) => Some((value, false)),
        _ => None,
    }
}

fn reached(functions: &BTreeMap<Place, Uses>, from: Place) -> BTreeSet<String> {
    let mut constants = BTreeSet::new();
    let mut seen = BTreeSet::from([from]);
    let mut next = vec![from];
    while let Some(place) = next.pop() {
        let Some(uses) = functions.get(&place) else {
            continue;
        };
        constants.extend(uses.constants.iter().cloned());
        next.extend(uses.functions.iter().filter(|place| seen.insert(**place)));
    }
    constants
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_use_what_they_read() {
        let all = of_programs(super::super::EMBEDDED).unwrap();
        assert!(all.len() > 60);
        let uses = |program: &str, constant: &str| all[program].contains(constant);
        // By itself.
        assert!(uses("bpf_map", "OFF_MAP_TYPE"));
        assert!(!uses("file_open", "OFF_MAP_TYPE"));
        // Only in a loop's body, which is a function that is called back.
        assert!(uses("file_open", "OFF_DENTRY_PARENT"));
        assert!(!uses("settime", "OFF_SOCK_FAMILY"));
        // A global function's, by every program that can write a record.
        let credentials = |names: &BTreeSet<String>| names.contains("OFF_TASK_CRED");
        assert!(all.values().filter(|names| credentials(names)).count() > 60);
    }

    #[test]
    fn what_is_no_object_has_none() {
        assert!(of_programs(b"").is_none());
        assert!(of_programs(&[0; 64]).is_none());
    }
}
