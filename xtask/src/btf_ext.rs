//! Takes the line information out of an object's `.BTF.ext`.
//!
//! With it the verifier could show source lines beside what it refuses; it takes
//! more room than all the programs. Function information, which the kernel needs
//! for functions that are checked on their own, stays.

use anyhow::{Context, Result, ensure};
use object::read::elf::{ElfFile64, SectionHeader as _};
use object::{Object as _, ObjectSection as _};

/// `struct btf_ext_header`: where its own length and the two parts stand.
const HEADER_LENGTH: usize = 4;
const FUNCTIONS: usize = 8;
const LINES: usize = 16;

/// In a section header: the section's size.
const SECTION_SIZE: usize = 32;
const SECTION_HEADER: usize = 64;

/// Rewrites the object in place: the section gets shorter, nothing moves.
pub(crate) fn without_lines(object: &mut [u8]) -> Result<()> {
    let (start, header_at) = {
        let file: ElfFile64<'_> = ElfFile64::parse(&*object).context("reading the object")?;
        let section = file
            .section_by_name(".BTF.ext")
            .context("no section .BTF.ext")?;
        let start = section.elf_section_header().sh_offset(file.endian());
        let table = file.elf_header().e_shoff.get(file.endian());
        (
            usize::try_from(start)?,
            usize::try_from(table)? + section.index().0 * SECTION_HEADER,
        )
    };
    let word = |at: usize| -> Result<usize> {
        let bytes = object.get(start + at..start + at + 4).context("cut")?;
        Ok(u32::from_le_bytes(bytes.try_into()?) as usize)
    };
    ensure!(
        word(FUNCTIONS)? == 0 && word(LINES)? == word(FUNCTIONS + 4)?,
        "functions and lines are not where they are expected in .BTF.ext"
    );
    let length = word(HEADER_LENGTH)? + word(FUNCTIONS + 4)?;
    // Lines of no length; relocations, of which Rust makes none, behind them.
    for at in (LINES + 4..word(HEADER_LENGTH)?).step_by(4) {
        object[start + at..start + at + 4].fill(0);
    }
    object[header_at + SECTION_SIZE..header_at + SECTION_SIZE + 8]
        .copy_from_slice(&(length as u64).to_le_bytes());
    Ok(())
}
