//! One changer, one reader: advisory locks that end with their holder.
//!
//! Owns flock(2) on the descriptors of directories. A lock file under `/run` could
//! be another file in another mount namespace, while the pin directory is the very
//! thing that is guarded, so its own inode carries the lock; the kernel drops it
//! when the holder dies, however it dies. Must not know what the lock is for.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::sys;

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub(crate) struct Lock {
    _directory: OwnedFd,
}

/// What came of asking for a lock.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// It is ours.
    Held(Lock),
    /// It is held by another process, if it can be seen.
    Busy(Option<u32>),
}

/// Asks for the exclusive lock of a directory, without waiting.
///
/// The directory may be removed and made again between opening and locking: then
/// the lock would be on an inode that nobody finds any more, so it is asked for
/// again.
pub(crate) fn exclusive(directory: &Path) -> io::Result<Attempt> {
    const TRIES: u32 = 16;
    for _ in 0..TRIES {
        let fd = sys::open_directory(directory)?;
        match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Ok(Attempt::Busy(holder(directory)));
            }
            Err(error) => return Err(error.into()),
        }
        let held = rustix::fs::fstat(&fd)?;
        match fs::metadata(directory) {
            Ok(found) if found.ino() == held.st_ino && found.dev() == held.st_dev => {
                return Ok(Attempt::Held(Lock { _directory: fd }));
            }
            Ok(_) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Attempt::Busy(None))
}

/// The process that holds a lock on this directory, if there is one to be seen.
pub(crate) fn holder(directory: &Path) -> Option<u32> {
    let found = fs::metadata(directory).ok()?;
    let locks = fs::read_to_string("/proc/locks").ok()?;
    holder_in(&locks, found.dev(), found.ino())
}

/// Whether somebody holds the exclusive lock right now.
pub(crate) fn is_held(directory: &Path) -> bool {
    let Ok(fd) = sys::open_directory(directory) else {
        return false;
    };
    flock(&fd, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
}

/// Lines are `1: FLOCK  ADVISORY  WRITE 1234 00:1c:5678 0 EOF`.
fn holder_in(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let file = format!(
        "{:02x}:{:02x}:{inode}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            // Waiting ones have `->` as their second word.
            [_, "FLOCK", _, "WRITE", pid, at, ..] if *at == file => {
                pid.parse().ok().filter(|pid| *pid != 0)
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let Attempt::Held(lock) = exclusive(dir.path()).unwrap() else {
            panic!("nobody else has it");
        };
        assert!(is_held(dir.path()));
        match exclusive(dir.path()).unwrap() {
            Attempt::Busy(pid) => assert!(pid.is_none_or(|pid| pid == std::process::id())),
            Attempt::Held(_) => panic!("it is held"),
        }
        drop(lock);
        assert!(!is_held(dir.path()));
        assert!(matches!(exclusive(dir.path()).unwrap(), Attempt::Held(_)));
    }

    #[test]
    fn a_missing_directory_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(exclusive(&dir.path().join("none")).is_err());
    }

    #[test]
    fn the_lock_table_is_read() {
        let table = "\
1: POSIX  ADVISORY  WRITE 7 00:1c:42 0 EOF
2: FLOCK  ADVISORY  WRITE 1234 00:1c:42 0 EOF
2: -> FLOCK  ADVISORY  WRITE 99 00:1c:42 0 EOF
";
        let device = rustix::fs::makedev(0, 0x1c);
        assert_eq!(holder_in(table, device, 42), Some(1234));
        assert_eq!(holder_in(table, device, 43), None);
    }
}
