//! Renames while other tasks open.

use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Result;

use super::{FIRST, TOP, deny, file, refused};

/// How often a directory is renamed, and back.
const ROUNDS: usize = 2000;

/// Other tasks make entries at any moment of a rename.
pub(super) fn raced() -> Result<()> {
    raced_at(TOP)
}

fn raced_at(directory: &str) -> Result<()> {
    let [one, two] = ["one", "two"].map(|name| format!("{directory}/{name}"));
    let [one_f, two_f] = [&one, &two].map(|directory| format!("{directory}/f"));
    file(&one_f)?;
    deny(&[&two_f])?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    drop(File::open(&one_f));
                    drop(File::open(&two_f));
                }
            });
        }
        let renamed = (|| {
            for _ in 0..ROUNDS {
                fs::rename(&one, &two)?;
                refused(&two_f)?;
                fs::rename(&two, &one)?;
            }
            Ok(())
        })();
        done.store(true, Ordering::Relaxed);
        renamed
    })
}

pub(super) fn raced_below_root() -> Result<()> {
    let tested = raced_at(FIRST);
    fs::remove_dir_all(FIRST)?;
    tested
}
