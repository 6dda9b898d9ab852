//! Taking everything away.
//!
//! Owns the order of removal. First the control map says that a removal has
//! begun; then the slot is emptied, by which the whole policy goes out of force at
//! once; then links, programs and maps lose their pins, and the control map last.
//! So an interrupted removal is told from an interrupted apply whatever is left,
//! and no part of a policy stays in force without the rest.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use lsmpc_abi::maps;

use crate::attach;
use crate::error::{Error, Result};
use crate::pins::{Group, Layout, Survey};
use crate::store;
use crate::swap;
use crate::sys;

/// What a removal found and took away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Removed {
    /// Whether there was anything.
    pub was_there: bool,
    /// Whether a policy was in force.
    pub was_in_force: bool,
    /// Hooks that programs were taken off.
    pub detached: Vec<String>,
}

/// Removes everything under a pin directory, and the directory.
pub(crate) fn remove(layout: &Layout, timeout: Duration) -> Result<Removed> {
    let next = layout.sibling();
    if !layout.dir().exists() {
        if !next.dir().exists() {
            return Ok(Removed::default());
        }
        let removed = remove_all(&next, timeout)?;
        return Ok(removed);
    }
    let _lock = swap::lock_existing(layout)?;
    if next.dir().exists() {
        remove_all(&next, timeout)?;
    }
    remove_all(layout, timeout)
}

/// Removes the contents and the directory itself.
pub(crate) fn remove_all(layout: &Layout, timeout: Duration) -> Result<Removed> {
    let removed = remove_contents(layout, timeout)?;
    match fs::remove_dir(layout.dir()) {
        Ok(()) => Ok(removed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(removed),
        Err(source) => Err(Error::system(
            format!("removing {}", layout.dir().display()),
            source,
        )),
    }
}

/// Removes what lsmpc pinned. Anything foreign is left, and named afterwards.
pub(crate) fn remove_contents(layout: &Layout, timeout: Duration) -> Result<Removed> {
    let found = swap::survey(layout)?;
    if let Some(mut control) = found.control {
        control.removing = true;
        swap::write_control(layout, &control)?;
    }
    let mut removed = Removed {
        was_there: found.exists,
        was_in_force: empty_slot(layout, &found)?,
        detached: Vec::new(),
    };
    let hooks: BTreeSet<String> = found
        .links
        .keys()
        .chain(found.programs.keys())
        .cloned()
        .collect();
    let detaching = attach::detach(layout, &found, &hooks)?;
    removed.detached = detaching.iter().map(|one| one.hook.clone()).collect();
    let pending = attach::wait_detached(&detaching, timeout)?;
    for name in found.maps.keys() {
        attach::unpin(&layout.map(name))?;
    }
    for group in Group::ALL {
        remove_if_empty(&layout.group(group))?;
    }
    if let Some(path) = found.foreign.first() {
        return Err(Error::ForeignPin { path: path.clone() });
    }
    attach::unpin(&layout.meta())?;
    if pending.is_empty() {
        Ok(removed)
    } else {
        let _ = fs::remove_dir(layout.dir());
        Err(Error::DetachPending {
            hooks: pending,
            seconds: timeout.as_secs(),
        })
    }
}

/// Takes the policy out of force; whether there was one.
fn empty_slot(layout: &Layout, found: &Survey) -> Result<bool> {
    let Some(map) = found.maps.get(maps::POLICY) else {
        return Ok(false);
    };
    // Of another version's slot nothing but the pins is known.
    if map.shape != store::SLOT {
        return Ok(false);
    }
    let failed = |source| Error::map("emptying", maps::POLICY, source);
    let policy = sys::open_pin(&layout.map(maps::POLICY)).map_err(failed)?;
    sys::map_clear(policy.as_fd(), 0).map_err(failed)
}

fn remove_if_empty(directory: &Path) -> Result<()> {
    match fs::remove_dir(directory) {
        Ok(()) => Ok(()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty
            ) =>
        {
            Ok(())
        }
        Err(source) => Err(Error::system(
            format!("removing {}", directory.display()),
            source,
        )),
    }
}
