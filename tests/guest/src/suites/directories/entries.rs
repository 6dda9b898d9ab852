//! What the programs keep of directories, as their map has it.

use anyhow::Result;
use aya::Pod;
use aya::maps::{Array, Map, MapData};

/// An entry of the programs' map, as words.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Entry([u64; 52]);

// SAFETY: words.
unsafe impl Pod for Entry {}

impl Entry {
    pub(super) fn inode(&self) -> u64 {
        self.0[0]
    }

    pub(super) fn version(&self) -> u64 {
        self.0[2]
    }

    pub(super) fn changes(&self) -> u64 {
        self.0[5]
    }

    /// How many names are kept.
    pub(super) fn levels(&self) -> u64 {
        self.0[11]
    }
}

/// The entries of the directories that are known.
pub(super) fn entries() -> Result<Vec<Entry>> {
    let map = MapData::from_pin("/sys/fs/bpf/lsmpc/maps/DIRECTORIES")?;
    let map = Map::Array(map);
    let entries: Array<&MapData, Entry> = (&map).try_into()?;
    let entries: Vec<Entry> = entries.iter().collect::<Result<_, _>>()?;
    Ok(entries
        .into_iter()
        .filter(|entry| entry.inode() != 0)
        .collect())
}

/// How many directories are known.
pub(super) fn known() -> Result<usize> {
    Ok(entries()?.len())
}
