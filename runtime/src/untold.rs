//! Fields that this kernel does not tell, whatever the event.
//!
//! Owns how each is asked for: its structures, its symbol table, and a file that is
//! executed. Must not know what to do about a field that is not told.

use std::fs::OpenOptions;
use std::io::ErrorKind;

use lsmpc_abi::field::FieldId;

use crate::gaps::Gaps;
use crate::support::Reason;
use crate::system::System;

/// A field that is unknown here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Untold {
    pub(crate) field: FieldId,
    pub(crate) reason: Reason,
    /// Whether a process with more privileges would find the same.
    pub(crate) certain: bool,
}

/// The symbol that tells the initial mount namespace from others.
const INITIAL: &str = "init_nsproxy";

/// Those among `wanted` that are unknown here.
pub(crate) fn untold(system: &System, gaps: &Gaps, wanted: &[FieldId]) -> Vec<Untold> {
    let lacking = |field: &FieldId| {
        Some(Untold {
            field: *field,
            reason: gaps.field(*field)?,
            certain: true,
        })
    };
    let mut found: Vec<Untold> = wanted.iter().filter_map(lacking).collect();
    let wanted: Vec<FieldId> = wanted
        .iter()
        .copied()
        .filter(|field| !found.iter().any(|one| one.field == *field))
        .collect();
    if wanted.contains(&FieldId::InitialMntns) {
        let reason = match symbol(system, INITIAL) {
            Symbol::At(_) => None,
            Symbol::Hidden => Some((Reason::SymbolHidden(INITIAL), false)),
            Symbol::Absent => Some((Reason::NoSymbol(INITIAL), true)),
        };
        found.extend(reason.map(|(reason, certain)| Untold {
            field: FieldId::InitialMntns,
            reason,
            certain,
        }));
    }
    let running = [FieldId::FileRunning, FieldId::NewFileRunning];
    if wanted.iter().any(|field| running.contains(field)) {
        let reason = match executed_is_marked() {
            Some(true) => None,
            Some(false) => Some((Reason::NotMarked, true)),
            None => Some((Reason::MarkNotTried, false)),
        };
        let asked = running.iter().filter(|field| wanted.contains(field));
        found.extend(asked.filter_map(|field| {
            let (reason, certain) = reason?;
            Some(Untold {
                field: *field,
                reason,
                certain,
            })
        }));
    }
    found
}

/// Whether this kernel keeps files that are executed from being written (6.11 to the
/// first of 6.12 did not): tried on this program itself. `None` where the kernel refuses
/// for another reason.
pub(crate) fn executed_is_marked() -> Option<bool> {
    match OpenOptions::new().write(true).open("/proc/self/exe") {
        Ok(_) => Some(false),
        Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => Some(true),
        Err(_) => None,
    }
}

/// What the kernel says of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    At(u64),
    /// It has it, and does not tell us where.
    Hidden,
    Absent,
}

fn symbol(system: &System, name: &'static str) -> Symbol {
    let [found] = symbols(system, [name]);
    found
}

/// Symbols of the kernel itself, not of modules, by `/proc/kallsyms`.
pub(crate) fn symbols<const N: usize>(system: &System, names: [&str; N]) -> [Symbol; N] {
    let table = system.bytes("/proc/kallsyms").unwrap_or_default();
    let mut found = [Symbol::Absent; N];
    for line in table.split(|byte| *byte == b'\n') {
        let mut words = line.split(|byte| byte.is_ascii_whitespace());
        let (address, _, symbol) = (words.next(), words.next(), words.next());
        let (Some(address), Some(symbol)) = (address, symbol) else {
            continue;
        };
        // A fourth word would be a module's name.
        if words.next().is_some() {
            continue;
        }
        for (name, slot) in names.iter().zip(&mut found) {
            if symbol == name.as_bytes() {
                let address = std::str::from_utf8(address)
                    .ok()
                    .and_then(|hex| u64::from_str_radix(hex, 16).ok());
                *slot = match address {
                    Some(0) | None => Symbol::Hidden,
                    Some(address) => Symbol::At(address),
                };
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_there_hidden_or_not() {
        let root = tempfile::tempdir().unwrap();
        let system = System::at(root.path());
        let wanted = [FieldId::Exe, FieldId::InitialMntns];
        let reasons = || -> Vec<_> {
            untold(&system, &Gaps::default(), &wanted)
                .iter()
                .map(|one| (one.field, one.reason, one.certain))
                .collect()
        };
        let absent = (FieldId::InitialMntns, Reason::NoSymbol(INITIAL), true);
        assert_eq!(reasons(), [absent]);
        std::fs::create_dir_all(root.path().join("proc")).unwrap();
        let put = |table: &str| std::fs::write(root.path().join("proc/kallsyms"), table).unwrap();
        put("ffffffffc0000000 d init_nsproxy\t[mod]\n");
        assert_eq!(reasons(), [absent]);
        put("0000000000000000 D init_nsproxy\n");
        let hidden = (FieldId::InitialMntns, Reason::SymbolHidden(INITIAL), false);
        assert_eq!(reasons(), [hidden]);
        put("ffffffff82345678 D init_nsproxy\n");
        assert_eq!(reasons(), []);
        assert_eq!(
            symbols(&system, ["init_nsproxy", "rename_lock"]),
            [Symbol::At(0xffff_ffff_8234_5678), Symbol::Absent]
        );
    }
}
