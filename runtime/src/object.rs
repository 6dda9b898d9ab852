//! The object file with the hook programs.
//!
//! Owns reading it, and the checks before the kernel sees it. Must not know how
//! it is loaded.

mod calls;
mod constants;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aya_obj::{EbpfSectionKind, ProgramSection};
use lsmpc_abi::ABI_VERSION;
use lsmpc_abi::{kernel, maps};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::sys::MapShape;

/// The object that is part of this crate.
static EMBEDDED: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../stdlib-ebpf/prebuilt/lsmpc.bpf.o"
));

/// The programs, checked.
#[derive(Debug, Clone)]
pub(crate) struct ProgramObject {
    pub(crate) bytes: Cow<'static, [u8]>,
    pub(crate) digest: [u8; 32],
    programs: BTreeSet<String>,
    shapes: BTreeMap<String, MapShape>,
}

fn damaged(reason: impl Into<String>) -> Error {
    Error::ObjectInvalid {
        reason: reason.into(),
    }
}

impl ProgramObject {
    /// The embedded object, or the one at `path`.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        match path {
            None => Self::check(Cow::Borrowed(EMBEDDED)),
            Some(path) => {
                let bytes = std::fs::read(path).map_err(|source| {
                    Error::system(format!("reading {}", path.display()), source)
                })?;
                Self::check(Cow::Owned(bytes))
            }
        }
    }

    /// Checks the ABI version first: of another version nothing else is known.
    fn check(bytes: Cow<'static, [u8]>) -> Result<Self> {
        let found = constant(&bytes, kernel::GLOBAL_ABI)?;
        if found != ABI_VERSION {
            return Err(Error::ObjectAbi {
                found,
                expected: ABI_VERSION,
            });
        }
        let parsed = aya_obj::Object::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
        let mut shapes = BTreeMap::new();
        for (name, map) in &parsed.maps {
            match map.section_kind() {
                EbpfSectionKind::Rodata => continue,
                // They would be separate for each load, while programs loaded at
                // different times have to share all that can change.
                EbpfSectionKind::Bss | EbpfSectionKind::Data if map.value_size() > 0 => {
                    return Err(damaged(format!("it has variables in {name}")));
                }
                EbpfSectionKind::Bss | EbpfSectionKind::Data => continue,
                _ => {}
            }
            let shape = MapShape {
                kind: map.map_type(),
                key_size: map.key_size(),
                value_size: map.value_size(),
                max_entries: map.max_entries(),
                flags: map.map_flags(),
            };
            shapes.insert(name.clone(), shape);
        }
        if let Some(missing) = maps::ALL.iter().find(|name| !shapes.contains_key(**name)) {
            return Err(damaged(format!("it has no map {missing}")));
        }
        let programs = parsed
            .programs
            .iter()
            .filter(|(_, program)| matches!(program.section, ProgramSection::Lsm { .. }))
            .map(|(name, _)| name.clone())
            .collect();
        Ok(Self {
            digest: Sha256::digest(&bytes).into(),
            bytes,
            programs,
            shapes,
        })
    }

    /// The names of the constants that each program uses.
    ///
    /// # Errors
    ///
    /// When the programs' code is not as a linker writes it.
    pub(crate) fn constants(&self) -> Result<BTreeMap<String, BTreeSet<String>>> {
        constants::of_programs(&self.bytes).ok_or_else(|| damaged("its code cannot be followed"))
    }

    /// The file with the calls of the kernel's function that makes typed pointers, or, if
    /// it is `None`, with instructions that do nothing instead.
    ///
    /// # Errors
    ///
    /// When the file's code is not as a linker writes it.
    pub(crate) fn with_cast(&self, function: Option<u32>) -> Result<Vec<u8>> {
        let instruction = match function {
            Some(function) => kernel::CALL_OF_CAST | u64::from(function) << 32,
            None => kernel::NO_CALL,
        };
        calls::with(&self.bytes, instruction).ok_or_else(|| damaged("its code cannot be found"))
    }

    /// Whether there is a program for a hook.
    pub(crate) fn has_program(&self, hook: &str) -> bool {
        self.programs.contains(hook)
    }

    /// The maps, as the object declares them.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = (&str, MapShape)> {
        self.shapes
            .iter()
            .map(|(name, shape)| (name.as_str(), *shape))
    }
}

/// The value of a u32 constant in `.rodata`.
fn constant(bytes: &[u8], name: &str) -> Result<u32> {
    let file = object::File::parse(bytes).map_err(|error| damaged(error.to_string()))?;
    let symbol = file
        .symbols()
        .find(|symbol| symbol.name() == Ok(name))
        .ok_or_else(|| damaged(format!("it has no constant {name}")))?;
    let value = symbol
        .section_index()
        .and_then(|index| file.section_by_index(index).ok())
        .and_then(|section| section.data_range(symbol.address(), 4).ok().flatten())
        .and_then(|value| <[u8; 4]>::try_from(value).ok())
        .ok_or_else(|| damaged(format!("the constant {name} cannot be read")))?;
    Ok(u32::from_le_bytes(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_object_is_ours() {
        let object = ProgramObject::open(None).unwrap();
        for tracker in crate::support::TRACKERS {
            assert!(object.has_program(tracker), "{tracker}");
        }
        assert!(object.has_program("file_open"));
        assert!(!object.has_program("no_such_hook"));
    }

    #[test]
    fn other_files_are_refused() {
        for bytes in [&b""[..], b"\x7fELF", &[0; 64]] {
            let error = ProgramObject::check(Cow::Owned(bytes.to_vec())).unwrap_err();
            assert!(matches!(error, Error::ObjectInvalid { .. }));
        }
        let mut cut = EMBEDDED.to_vec();
        cut.truncate(cut.len() / 2);
        assert!(ProgramObject::check(Cow::Owned(cut)).is_err());
    }
}
