//! The stack that each program of an object uses: that of its deepest chain of calls,
//! callbacks of loops among them.
//!
//! Owns reading it off the instructions, those that never run on some kernel among them,
//! as `check_max_stack_depth` of the kernel's `kernel/bpf/verifier.c` does; what does not
//! fit is found without a kernel. It must not know what the programs are for.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SymbolKind};

const INSTRUCTION: u64 = 8;
/// The register that points to the end of a function's part of the stack.
const FRAME: u8 = 10;
/// What a function's part is rounded up to: before Linux 6.9, and without a compiler to
/// machine code still; else it is 16.
const ROUNDED_TO: u32 = 32;
/// What a chain may have, `MAX_BPF_STACK`.
#[cfg(test)]
const ALLOWED: u32 = 512;

/// A function: its section's index and where it begins there.
type Place = (usize, u64);

struct Function {
    /// Bytes of its own part.
    depth: u32,
    calls: Vec<Place>,
}

/// Bytes of stack for each program, by its section's hook.
pub(crate) fn depths(object: &[u8]) -> Result<BTreeMap<String, u32>> {
    let file: ElfFile64<'_> = ElfFile64::parse(object).context("reading the object")?;
    let functions = functions(&file)?;
    let mut depths = BTreeMap::new();
    for section in file.sections() {
        if let Some(hook) = section.name()?.strip_prefix("lsm/") {
            let mut path = Vec::new();
            let depth = deepest(&functions, (section.index().0, 0), &mut path)?;
            depths.insert(hook.to_owned(), depth);
        }
    }
    Ok(depths)
}

fn functions(file: &ElfFile64<'_>) -> Result<BTreeMap<Place, Function>> {
    let mut starts: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for symbol in file.symbols() {
        if let Some(section) = symbol.section_index()
            && symbol.kind() == SymbolKind::Text
        {
            starts.entry(section.0).or_default().push(symbol.address());
        }
    }
    let mut functions = BTreeMap::new();
    for (index, mut places) in starts {
        let section = file.section_by_index(object::SectionIndex(index))?;
        places.sort_unstable();
        places.dedup();
        let code = section.data()?;
        let mut targets = BTreeMap::new();
        for (at, relocation) in section.relocations() {
            let RelocationTarget::Symbol(symbol) = relocation.target() else {
                continue;
            };
            let symbol = file.symbol_by_index(symbol)?;
            if let Some(section) = symbol.section_index() {
                targets.insert(at, (section.0, symbol.address()));
            }
        }
        let ends = places.iter().skip(1).copied().chain([code.len() as u64]);
        for (start, end) in places.iter().copied().zip(ends) {
            let code = code
                .get(usize::try_from(start)?..usize::try_from(end)?)
                .context("a symbol beyond its section")?;
            functions.insert((index, start), function(code, (index, start), &targets));
        }
    }
    // What is loaded like a function but is data is none.
    let known: Vec<Place> = functions.keys().copied().collect();
    for function in functions.values_mut() {
        function.calls.retain(|place| known.contains(place));
    }
    Ok(functions)
}

fn function(code: &[u8], (section, start): Place, targets: &BTreeMap<u64, Place>) -> Function {
    let mut depth = 0;
    let mut calls = Vec::new();
    // Registers that point into the stack, and where.
    let mut pointers: BTreeMap<u8, i64> = BTreeMap::from([(FRAME, 0)]);
    let reach = |offset: i64, depth: &mut u32| {
        *depth = (*depth).max(u32::try_from(-offset).unwrap_or(0));
    };
    for (number, instruction) in code.chunks_exact(8).enumerate() {
        let at = start + number as u64 * INSTRUCTION;
        let (into, from) = (instruction[1] & 15, instruction[1] >> 4);
        let offset = i64::from(i16::from_le_bytes([instruction[2], instruction[3]]));
        let value = i32::from_le_bytes([
            instruction[4],
            instruction[5],
            instruction[6],
            instruction[7],
        ]);
        let target = |value: i64| {
            let (section, base) = targets.get(&at).copied().unwrap_or((section, at));
            (section, base.wrapping_add_signed(value))
        };
        match instruction[0] {
            // A call of a function: from itself, or from the symbol on.
            0x85 if from == 1 => {
                calls.push(target((i64::from(value) + 1) * 8));
            }
            // A function's address.
            0x18 if targets.contains_key(&at) => calls.push(target(i64::from(value))),
            0xbf if pointers.contains_key(&from) => {
                let place = pointers.get(&from).copied().unwrap_or(0);
                pointers.insert(into, place);
            }
            0x07 if pointers.contains_key(&into) => {
                let place = pointers.entry(into).or_default();
                *place += i64::from(value);
                reach(*place, &mut depth);
            }
            operation => match operation & 7 {
                // Loads, and what computes in a register.
                1 => {
                    if let Some(place) = pointers.get(&from) {
                        reach(*place + offset, &mut depth);
                    }
                    pointers.remove(&into);
                }
                // Stores.
                2 | 3 => {
                    if let Some(place) = pointers.get(&into) {
                        reach(*place + offset, &mut depth);
                    }
                }
                0 | 4 | 7 => {
                    pointers.remove(&into);
                }
                _ => {}
            },
        }
        pointers.insert(FRAME, 0);
    }
    Function { depth, calls }
}

/// Bytes of the deepest chain of calls from a function on.
fn deepest(
    functions: &BTreeMap<Place, Function>,
    place: Place,
    path: &mut Vec<Place>,
) -> Result<u32> {
    ensure!(!path.contains(&place), "a function that calls itself");
    let function = functions.get(&place).context("a call of no function")?;
    path.push(place);
    let mut below = 0;
    for call in &function.calls {
        below = below.max(deepest(functions, *call, path)?);
    }
    path.pop();
    Ok(function.depth.max(1).next_multiple_of(ROUNDED_TO) + below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(code: &[[u8; 8]]) -> Function {
        super::function(&code.concat(), (0, 0), &BTreeMap::new())
    }

    #[test]
    fn what_is_stored_and_pointed_to() {
        let store = [0x7b, 0x1a, 0xf0, 0xff, 0, 0, 0, 0];
        assert_eq!(function(&[store]).depth, 16);
        let copy = [0xbf, 0xa2, 0, 0, 0, 0, 0, 0];
        let add = [0x07, 0x02, 0, 0, 0xd8, 0xff, 0xff, 0xff];
        assert_eq!(function(&[copy, add, store]).depth, 40);
        assert_eq!(function(&[add]).depth, 0);
    }

    #[test]
    fn calls_add_up() {
        let call = [0x85, 0x10, 0, 0, 3, 0, 0, 0];
        assert_eq!(function(&[call]).calls, [(0, 32)]);
        let own = |depth, calls: &[Place]| Function {
            depth,
            calls: calls.to_vec(),
        };
        let functions = BTreeMap::from([
            ((0, 0), own(40, &[(0, 8), (0, 16)])),
            ((0, 8), own(0, &[])),
            ((0, 16), own(100, &[(0, 8)])),
        ]);
        assert_eq!(deepest(&functions, (0, 0), &mut Vec::new()).unwrap(), 224);
        let endless = BTreeMap::from([((0, 0), own(8, &[(0, 0)]))]);
        assert!(deepest(&endless, (0, 0), &mut Vec::new()).is_err());
    }

    #[test]
    fn every_shipped_program_has_its_stack() {
        let object =
            std::fs::read(crate::repository::prebuilt().join(crate::ebpf::OBJECT)).unwrap();
        let depths = depths(&object).unwrap();
        assert!(depths.len() > 60);
        assert!(depths.values().all(|depth| *depth <= ALLOWED), "{depths:?}");
    }
}
