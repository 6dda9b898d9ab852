//! `directories`: what the programs remember of directories never outlives what it is
//! true of, whatever is renamed, mounted, removed and made anew.
//!
//! Each test first opens what is allowed, so that its directory is known.

mod entries;
mod raced;
mod recorded;

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, mount_move,
    unmount,
};

use self::entries::{Entry, entries, known};
use self::raced::{raced, raced_below_root};
use self::recorded::recorded;
use super::Suite;
use crate::cli::{self, apply};
use crate::console::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "directories",
    run,
};

/// A file system of the suite's own.
const TOP: &str = "/dirs";
/// How often a directory is removed and made again.
const ROUNDS: usize = 2000;

type Test = fn() -> Result<()>;

const TESTS: &[(&str, Test)] = &[
    // With nothing known before.
    ("what_is_opened_is_remembered", remembered),
    // Before those that leave the buffer of records full.
    ("records_have_the_path_of_now", recorded),
    ("what_can_change_unseen_is_not", not_remembered),
    ("a_file_is_renamed", file_renamed),
    ("a_directory_is_renamed", directory_renamed),
    ("a_directory_above_is_renamed", ancestor_renamed),
    ("two_directories_are_exchanged", exchanged),
    ("a_directory_is_mounted_elsewhere", bound),
    ("a_file_is_mounted_elsewhere", file_bound),
    ("a_mount_is_moved", moved),
    ("something_is_mounted_above", mounted_above),
    ("a_mount_is_put_in_the_place_of_another", mount_replaced),
    ("a_directory_is_made_anew", made_anew),
    ("a_file_has_two_names", linked),
    ("a_new_policy", new_policy),
    ("a_directory_is_renamed_while_others_open", raced),
    ("a_directory_below_what_is_known", below),
    ("below_the_root_of_all", below_root),
    (
        "names_are_the_same_after_a_rename_elsewhere",
        renamed_elsewhere,
    ),
    ("below_the_root_of_all_while_others_open", raced_below_root),
    ("deep_directories", deep),
    ("names_of_all_lengths", lengths),
    ("wildcards", wildcards),
];

fn run(report: &mut Report, _arguments: &[String]) -> Result<()> {
    fs::create_dir_all(TOP)?;
    for (name, test) in TESTS {
        report.test(&format!("directories::{name}"), || {
            mount(
                "tmpfs",
                TOP,
                "tmpfs",
                MountFlags::empty(),
                None::<&std::ffi::CStr>,
            )?;
            mount_change(TOP, MountPropagationFlags::PRIVATE)?;
            let result = test();
            unmount(TOP, UnmountFlags::DETACH)?;
            result
        });
    }
    report.test("directories::remove", cli::remove);
    Ok(())
}

fn deny(paths: &[&str]) -> Result<()> {
    let rule = |path: &&str| format!("deny file_open when path == \"{path}\"\n");
    apply(&paths.iter().map(rule).collect::<String>())
}

/// Opens a file twice: the second time its directory is known.
fn passes(path: &str) -> Result<()> {
    for _ in 0..2 {
        File::open(path).with_context(|| path.to_owned())?;
    }
    Ok(())
}

fn refused(path: &str) -> Result<()> {
    for _ in 0..2 {
        match File::open(path) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error).with_context(|| path.to_owned()),
            Ok(_) => bail!("{path} was opened"),
        }
    }
    Ok(())
}

fn file(path: &str) -> Result<()> {
    if let Some(directory) = Path::new(path).parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, "x").with_context(|| path.to_owned())
}

fn remembered() -> Result<()> {
    for number in 0..50 {
        file(&format!("{TOP}/{number}/f"))?;
    }
    deny(&["/dirs/0/g"])?;
    let before = known()?;
    for number in 0..50 {
        passes(&format!("{TOP}/{number}/f"))?;
    }
    // Those, and the root; some share an entry.
    let more = known()?.saturating_sub(before);
    ensure!((30..=51).contains(&more), "{more} directories are known");
    Ok(())
}

fn not_remembered() -> Result<()> {
    deny(&["/dirs/0/g"])?;
    passes("/proc/self/status")?;
    let before = known()?;
    for process in fs::read_dir("/proc")? {
        let path = process?.path().join("status");
        // Threads of the kernel come and go.
        drop(File::open(path));
    }
    let after = known()?;
    ensure!(
        after <= before,
        "{before} directories were known, {after} are"
    );
    Ok(())
}

fn file_renamed() -> Result<()> {
    file("/dirs/one/f")?;
    deny(&["/dirs/one/g"])?;
    passes("/dirs/one/f")?;
    fs::rename("/dirs/one/f", "/dirs/one/g")?;
    refused("/dirs/one/g")?;
    fs::rename("/dirs/one/g", "/dirs/one/f")?;
    passes("/dirs/one/f")
}

fn directory_renamed() -> Result<()> {
    file("/dirs/one/f")?;
    deny(&["/dirs/two/f"])?;
    for _ in 0..100 {
        passes("/dirs/one/f")?;
        fs::rename("/dirs/one", "/dirs/two")?;
        refused("/dirs/two/f")?;
        fs::rename("/dirs/two", "/dirs/one")?;
    }
    Ok(())
}

fn ancestor_renamed() -> Result<()> {
    file("/dirs/a/b/c/d/f")?;
    deny(&["/dirs/z/b/c/d/f", "/dirs/a/b/y/d/*"])?;
    passes("/dirs/a/b/c/d/f")?;
    fs::rename("/dirs/a", "/dirs/z")?;
    refused("/dirs/z/b/c/d/f")?;
    fs::rename("/dirs/z", "/dirs/a")?;
    passes("/dirs/a/b/c/d/f")?;
    fs::rename("/dirs/a/b/c", "/dirs/a/b/y")?;
    refused("/dirs/a/b/y/d/f")
}

fn exchanged() -> Result<()> {
    file("/dirs/one/f")?;
    file("/dirs/two/f")?;
    deny(&["/dirs/two/f"])?;
    passes("/dirs/one/f")?;
    refused("/dirs/two/f")?;
    rustix::fs::renameat_with(
        rustix::fs::CWD,
        "/dirs/one",
        rustix::fs::CWD,
        "/dirs/two",
        rustix::fs::RenameFlags::EXCHANGE,
    )?;
    passes("/dirs/one/f")?;
    refused("/dirs/two/f")
}

fn bound() -> Result<()> {
    file("/dirs/one/f")?;
    fs::create_dir("/dirs/bound")?;
    deny(&["/dirs/bound/f"])?;
    passes("/dirs/one/f")?;
    mount_bind("/dirs/one", "/dirs/bound")?;
    refused("/dirs/bound/f")?;
    passes("/dirs/one/f")?;
    refused("/dirs/bound/f")?;
    unmount("/dirs/bound", UnmountFlags::empty())?;
    passes("/dirs/one/f")
}

fn file_bound() -> Result<()> {
    file("/dirs/one/f")?;
    file("/dirs/two/g")?;
    deny(&["/dirs/two/g"])?;
    passes("/dirs/one/f")?;
    mount_bind("/dirs/one/f", "/dirs/two/g")?;
    refused("/dirs/two/g")?;
    passes("/dirs/one/f")?;
    unmount("/dirs/two/g", UnmountFlags::empty())?;
    refused("/dirs/two/g")
}

/// Something of its own at a place.
fn tmpfs(at: &str) -> Result<()> {
    fs::create_dir_all(at)?;
    mount(
        "tmpfs",
        at,
        "tmpfs",
        MountFlags::empty(),
        None::<&std::ffi::CStr>,
    )?;
    Ok(mount_change(at, MountPropagationFlags::PRIVATE)?)
}

fn moved() -> Result<()> {
    tmpfs("/dirs/here")?;
    file("/dirs/here/sub/f")?;
    fs::create_dir("/dirs/there")?;
    deny(&["/dirs/there/sub/f"])?;
    passes("/dirs/here/sub/f")?;
    mount_move("/dirs/here", "/dirs/there")?;
    refused("/dirs/there/sub/f")?;
    mount_move("/dirs/there", "/dirs/here")?;
    passes("/dirs/here/sub/f")
}

fn mounted_above() -> Result<()> {
    file("/dirs/low/sub/f")?;
    deny(&["/dirs/high/low/sub/f"])?;
    passes("/dirs/low/sub/f")?;
    fs::create_dir_all("/dirs/high")?;
    mount_bind("/dirs", "/dirs/high")?;
    refused("/dirs/high/low/sub/f")?;
    passes("/dirs/low/sub/f")?;
    unmount("/dirs/high", UnmountFlags::empty())?;
    Ok(())
}

fn mount_replaced() -> Result<()> {
    fs::create_dir_all("/dirs/a")?;
    fs::create_dir_all("/dirs/b")?;
    deny(&["/dirs/b/sub/f"])?;
    for _ in 0..50 {
        tmpfs("/dirs/a")?;
        file("/dirs/a/sub/f")?;
        passes("/dirs/a/sub/f")?;
        unmount("/dirs/a", UnmountFlags::empty())?;
        tmpfs("/dirs/b")?;
        file("/dirs/b/sub/g")?;
        fs::rename("/dirs/b/sub/g", "/dirs/b/sub/f")?;
        refused("/dirs/b/sub/f")?;
        unmount("/dirs/b", UnmountFlags::empty())?;
    }
    Ok(())
}

/// The kernel gives the memory of a directory's inode to the next one, and file systems
/// its number: nothing of the old one may be left.
fn made_anew() -> Result<()> {
    file("/dirs/keep")?;
    deny(&["/dirs/two/f"])?;
    let mut again = 0;
    for _ in 0..ROUNDS {
        fs::create_dir("/dirs/one")?;
        fs::hard_link("/dirs/keep", "/dirs/one/f")?;
        passes("/dirs/one/f")?;
        let old = fs::metadata("/dirs/one")?.ino();
        fs::remove_file("/dirs/one/f")?;
        fs::remove_dir("/dirs/one")?;
        fs::create_dir("/dirs/two")?;
        fs::hard_link("/dirs/keep", "/dirs/two/f")?;
        again += usize::from(fs::metadata("/dirs/two")?.ino() == old);
        refused("/dirs/two/f").with_context(|| format!("inode {old}, {again} times again"))?;
        fs::remove_file("/dirs/two/f")?;
        fs::remove_dir("/dirs/two")?;
    }
    Ok(())
}

fn linked() -> Result<()> {
    file("/dirs/one/f")?;
    fs::create_dir("/dirs/two")?;
    fs::hard_link("/dirs/one/f", "/dirs/two/f")?;
    symlink("/dirs/two/f", "/dirs/one/to-two")?;
    deny(&["/dirs/two/f"])?;
    passes("/dirs/one/f")?;
    refused("/dirs/two/f")?;
    refused("/dirs/one/to-two")?;
    passes("/dirs/one/f")
}

fn new_policy() -> Result<()> {
    file("/dirs/one/f")?;
    for _ in 0..5 {
        deny(&["/dirs/one/g"])?;
        passes("/dirs/one/f")?;
        deny(&["/dirs/one/f"])?;
        refused("/dirs/one/f")?;
    }
    apply("audit file_open when path == \"/dirs/one/f\"\n")?;
    passes("/dirs/one/f")
}

/// The root of the mount is known, and what is opened lies some directories below it.
fn below() -> Result<()> {
    for path in ["/dirs/f", "/dirs/a/b/c/f", "/dirs/a/b/c/g", "/dirs/a/z/f"] {
        file(path)?;
    }
    deny(&["/dirs/a/b/c/g", "/dirs/a/*/f"])?;
    passes("/dirs/f")?;
    refused("/dirs/a/b/c/g")?;
    refused("/dirs/a/z/f")?;
    passes("/dirs/a/b/c/f")?;
    refused("/dirs/a/b/c/g")?;
    deny(&["/dirs/a/b/c/g"])?;
    passes("/dirs/f")?;
    passes("/dirs/a/z/f")?;
    refused("/dirs/a/b/c/g")
}

/// A directory of the first file system, which no name leads to: what is known of its root
/// stays true when something is renamed.
const FIRST: &str = "/below";

fn below_root() -> Result<()> {
    file("/below/a/b/f")?;
    let tested = (|| {
        deny(&["/below/x/b/f", "/below/a/y/*", "/above/**"])?;
        for _ in 0..50 {
            passes("/below/a/b/f")?;
            fs::rename("/below/a", "/below/x")?;
            refused("/below/x/b/f")?;
            fs::rename("/below/x", "/below/a")?;
            passes("/below/a/b/f")?;
            fs::rename("/below/a/b", "/below/a/y")?;
            refused("/below/a/y/f")?;
            fs::rename("/below/a/y", "/below/a/b")?;
            fs::rename("/below", "/above")?;
            refused("/above/a/b/f")?;
            fs::rename("/above", "/below")?;
        }
        Ok(())
    })();
    fs::remove_dir_all(FIRST)?;
    tested
}

/// The entry of a directory is not written anew when something else was renamed, and still
/// tells what its own names lead to.
fn renamed_elsewhere() -> Result<()> {
    const LEVELS: u64 = 5;
    file("/below/a/b/c/d/f")?;
    file("/below/elsewhere")?;
    let tested = (|| {
        deny(&["/below/a/b/c/d/g"])?;
        let open_after_rename = || -> Result<Entry> {
            fs::rename("/below/elsewhere", "/below/else")?;
            fs::rename("/below/else", "/below/elsewhere")?;
            passes("/below/a/b/c/d/f")?;
            let entries = entries()?;
            let found = entries.iter().find(|entry| entry.levels() == LEVELS);
            found.copied().context("no names are kept")
        };
        passes("/below/a/b/c/d/f")?;
        let first = open_after_rename()?;
        let second = open_after_rename()?;
        ensure!(first.inode() == second.inode() && first.version() == second.version());
        ensure!(first.changes() != second.changes());
        file("/below/a/b/c/d/h")?;
        fs::rename("/below/a/b/c/d/h", "/below/a/b/c/d/g")?;
        refused("/below/a/b/c/d/g")
    })();
    fs::remove_dir_all(FIRST)?;
    tested
}

/// As deep as is descended, and deeper.
fn deep() -> Result<()> {
    let path = |depth: usize, name: &str| format!("/dirs{}/{name}", "/d".repeat(depth));
    file("/dirs/f")?;
    for depth in 1..=20 {
        file(&path(depth, "f"))?;
        file(&path(depth, "g"))?;
    }
    let denied: Vec<String> = (1..=20).map(|depth| path(depth, "g")).collect();
    let denied: Vec<&str> = denied.iter().map(String::as_str).collect();
    for depth in (1..=20).rev() {
        deny(&denied)?;
        passes("/dirs/f")?;
        refused(&path(depth, "g"))?;
        passes(&path(depth, "f"))?;
        refused(&path(depth, "g"))?;
    }
    Ok(())
}

/// Names that lie inside their dentry, and those that do not.
fn lengths() -> Result<()> {
    let name = |length: usize| format!("/dirs/names/{}", "n".repeat(length));
    let denied: Vec<String> = (1..=60).step_by(2).chain([254]).map(name).collect();
    for length in (1..=60).chain([254, 255]) {
        file(&name(length))?;
    }
    let denied: Vec<&str> = denied.iter().map(String::as_str).collect();
    deny(&denied)?;
    for length in (1..=60).chain([254, 255]) {
        let path = name(length);
        if denied.contains(&path.as_str()) {
            refused(&path)?;
        } else {
            passes(&path)?;
        }
    }
    Ok(())
}

fn wildcards() -> Result<()> {
    for path in [
        "/dirs/a/x.key",
        "/dirs/a/x.pub",
        "/dirs/b/c/x.key",
        "/dirs/a/y",
    ] {
        file(path)?;
    }
    deny(&["/dirs/*/*.key", "/dirs/b/**"])?;
    passes("/dirs/a/y")?;
    passes("/dirs/a/x.pub")?;
    refused("/dirs/a/x.key")?;
    refused("/dirs/b/c/x.key")?;
    passes("/dirs/a/y")
}
