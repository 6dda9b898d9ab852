//! The pin directory: making it, looking at whose it is, and its lock.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};

use crate::error::{Error, Result};
use crate::lock::{self, Attempt, Lock};
use crate::pins::Layout;

/// Makes the pin directory and takes its lock.
pub(super) fn take_lock(layout: &Layout) -> Result<Lock> {
    let dir = layout.dir();
    let unsuitable = |reason: String| Error::Directory {
        dir: dir.to_owned(),
        reason,
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| unsuitable(source.to_string()))?;
    // Whoever can remove a link's pin can end the enforcement.
    let metadata = fs::metadata(dir).map_err(|source| unsuitable(source.to_string()))?;
    let parent = dir.parent().and_then(|parent| fs::metadata(parent).ok());
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(unsuitable(format!("it belongs to uid {}", metadata.uid())));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(unsuitable("others can write to it".into()));
    }
    if parent.is_some_and(|parent| parent.mode() & 0o1002 == 0o002) {
        return Err(unsuitable("others can write to the directory above".into()));
    }
    lock_existing(layout)
}

/// Takes the lock of a pin directory that is there.
pub(crate) fn lock_existing(layout: &Layout) -> Result<Lock> {
    let dir = layout.dir();
    match lock::exclusive(dir) {
        Ok(Attempt::Held(lock)) => Ok(lock),
        Ok(Attempt::Busy(holder)) => Err(Error::ApplyBusy {
            dir: dir.to_owned(),
            holder,
        }),
        Err(source) => Err(Error::system(format!("locking {}", dir.display()), source)),
    }
}
