//! The calls of the kernel's own function in an object's code.
//!
//! Owns finding and replacing them in the file: aya knows no calls of the kernel's
//! functions. Must not know what the function does.

use lsmpc_abi::kernel::CALL_OF_CAST;
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, SectionKind};

/// The file with another instruction in the place of each such call; `None` for a file that
/// is not as a linker writes it.
// A call can be told by its bytes alone: no half of an instruction of sixteen begins so, as
// its first four bytes are 0.
pub(super) fn with(bytes: &[u8], instruction: u64) -> Option<Vec<u8>> {
    let file: ElfFile64<'_> = ElfFile64::parse(bytes).ok()?;
    let mut changed = bytes.to_vec();
    for section in file
        .sections()
        .filter(|one| one.kind() == SectionKind::Text)
    {
        let (start, length) = section.file_range()?;
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        for at in changed.get_mut(start..end)?.chunks_exact_mut(8) {
            if at == CALL_OF_CAST.to_le_bytes() {
                at.copy_from_slice(&instruction.to_le_bytes());
            }
        }
    }
    Some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::EMBEDDED;

    fn count(bytes: &[u8], instruction: u64) -> usize {
        let instructions = bytes.chunks_exact(8);
        instructions
            .filter(|one| **one == instruction.to_le_bytes())
            .count()
    }

    #[test]
    fn every_call_is_replaced() {
        let calls = count(EMBEDDED, CALL_OF_CAST);
        assert!(calls > 0);
        let numbered = CALL_OF_CAST | 77 << 32;
        let changed = with(EMBEDDED, numbered).unwrap();
        assert_eq!(count(&changed, CALL_OF_CAST), 0);
        assert_eq!(count(&changed, numbered), calls);
        assert_eq!(with(&changed, 0).unwrap(), changed);
    }

    #[test]
    fn other_files_are_refused() {
        assert_eq!(with(b"\x7fELF", 0), None);
    }
}
