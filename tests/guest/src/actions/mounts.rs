//! The actor's calls on mounts. Those that ask for it do so in a mount namespace
//! of their own.

use std::ptr::null;

use serde_json::Value;

use super::files::owned;
use super::{Done, Failed, check, nonsense, open, text};
use std::os::fd::{AsRawFd, OwnedFd};

pub(super) const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 4;
pub(super) const FSCONFIG_SET_STRING: libc::c_uint = 1;
pub(super) const FSCONFIG_CREATE: libc::c_uint = 6;

pub(super) fn act(words: &[&str]) -> Option<Done> {
    Some(match *words {
        ["mount", source, path, kind, flags] => mount(source, path, kind, flags),
        ["private"] => private(),
        ["umount", path] => umounted(path),
        ["remount", path] => remounted(path),
        ["move-mount", from, to] => moved(from, to),
        ["pivot", new] => pivoted(new),
        ["bind-by-move", from, to] => bound_by_move(from, to),
        ["open-detached", directory, name] => opened_detached(directory, name),
        ["overlay", lower, path] => overlaid(lower, path),
        ["exec-detached", directory, name] => executed_detached(directory, name),
        ["open-umounted", path, name] => opened_umounted(path, name),
        ["open-overlay", lower, name] => opened_overlay(lower, name),
        _ => return None,
    })
}

/// Flags by word: `ro`, `nodev`, `bind`, `remount`, joined by commas; `-`: none. A
/// type or source of `-` is none.
fn mount(source: &str, path: &str, kind: &str, flags: &str) -> Done {
    let mut bits = 0;
    for word in flags.split(',') {
        bits |= match word {
            "-" => 0,
            "ro" => libc::MS_RDONLY,
            "nodev" => libc::MS_NODEV,
            "nosuid" => libc::MS_NOSUID,
            "bind" => libc::MS_BIND,
            "remount" => libc::MS_REMOUNT,
            "private" => libc::MS_PRIVATE | libc::MS_REC,
            _ => return Err(nonsense("flags")),
        };
    }
    let (source_text, path, kind_text) = (text(source)?, text(path)?, text(kind)?);
    let given = |word: &str, text: &std::ffi::CString| {
        if word == "-" { null() } else { text.as_ptr() }
    };
    // SAFETY: strings that end in NUL, or null.
    let result = unsafe {
        libc::mount(
            given(source, &source_text),
            path.as_ptr(),
            given(kind, &kind_text),
            bits,
            null(),
        )
    };
    check(i64::from(result), "mount")
}

/// A mount namespace of its own, from which nothing spreads.
fn private() -> Done {
    // SAFETY: no pointers; this process has one thread.
    let unshared = unsafe { libc::unshare(libc::CLONE_NEWNS) };
    check(i64::from(unshared), "unshare")?;
    mount("-", "/", "-", "private").map_err(|failed| Failed {
        at: "mount-private",
        ..failed
    })
}

fn fresh(path: &str) -> Done {
    private()?;
    mount("fresh", path, "tmpfs", "-").map_err(|failed| Failed {
        at: "mount-fresh",
        ..failed
    })
}

fn umounted(path: &str) -> Done {
    fresh(path)?;
    let path = text(path)?;
    // SAFETY: ends in NUL.
    check(
        i64::from(unsafe { libc::umount2(path.as_ptr(), 0) }),
        "umount",
    )
}

fn remounted(path: &str) -> Done {
    fresh(path)?;
    mount("-", path, "-", "remount,ro")
}

/// Moves a mount by open_tree(2) and move_mount(2).
fn moved(from: &str, to: &str) -> Done {
    fresh(from)?;
    let (from, to) = (text(from)?, text(to)?);
    // SAFETY: strings that end in NUL.
    unsafe {
        let tree = libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, from.as_ptr(), 0);
        check(tree, "open_tree")?;
        let tree = owned(tree);
        let moved = libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            to.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        );
        check(moved, "move_mount")
    }
}

/// A copy of a tree, mounted nowhere.
fn detached(from: &str) -> Result<OwnedFd, Failed> {
    const OPEN_TREE_CLONE: libc::c_uint = 1;
    let from = text(from)?;
    // SAFETY: ends in NUL.
    let tree = unsafe {
        libc::syscall(
            libc::SYS_open_tree,
            libc::AT_FDCWD,
            from.as_ptr(),
            OPEN_TREE_CLONE,
        )
    };
    check(tree, "open_tree")?;
    Ok(owned(tree))
}

/// Binds a tree to another place without mount(2).
fn bound_by_move(from: &str, to: &str) -> Done {
    let (tree, to) = (detached(from)?, text(to)?);
    // SAFETY: strings that end in NUL.
    let moved = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            to.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    check(moved, "move_mount")
}

/// Opens a file in a copy of a tree that is mounted nowhere.
fn opened_detached(directory: &str, name: &str) -> Done {
    opened_below(&detached(directory)?, name)
}

/// Executes a program in a copy of a tree that is mounted nowhere.
fn executed_detached(directory: &str, name: &str) -> Done {
    let tree = detached(directory)?;
    super::itself::exec(&format!("/proc/self/fd/{}/{name}", tree.as_raw_fd()), &[])
}

/// Opens a file in a mount that is taken away while its root is held.
fn opened_umounted(path: &str, name: &str) -> Done {
    let root = open(path, "rd")?;
    let path = text(path)?;
    // SAFETY: ends in NUL.
    let away = unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
    check(i64::from(away), "umount")?;
    opened_below(&root, name)
}

/// Opens a file in an overlay that is mounted nowhere.
fn opened_overlay(lower: &str, name: &str) -> Done {
    let lower = text(lower)?;
    // SAFETY: strings that end in NUL, or null.
    let mount = unsafe {
        let context = libc::syscall(libc::SYS_fsopen, c"overlay".as_ptr(), 0);
        check(context, "fsopen")?;
        let context = owned(context);
        let configure =
            |command: libc::c_uint, key: *const libc::c_char, value: *const libc::c_char| {
                let context = context.as_raw_fd();
                let done = libc::syscall(libc::SYS_fsconfig, context, command, key, value, 0);
                check(done, "fsconfig")
            };
        configure(FSCONFIG_SET_STRING, c"lowerdir".as_ptr(), lower.as_ptr())?;
        configure(FSCONFIG_CREATE, null(), null())?;
        libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), 0, 0)
    };
    check(mount, "fsmount")?;
    opened_below(&owned(mount), name)
}

fn opened_below(tree: &OwnedFd, name: &str) -> Done {
    let name = text(name)?;
    // SAFETY: ends in NUL.
    let file = unsafe { libc::openat(tree.as_raw_fd(), name.as_ptr(), libc::O_RDONLY) };
    check(i64::from(file), "open")?;
    drop(owned(i64::from(file)));
    Ok(Value::Null)
}

/// Mounts an overlay of the directories `lower`, joined by colons.
fn overlaid(lower: &str, path: &str) -> Done {
    let (options, path) = (text(&format!("lowerdir={lower}"))?, text(path)?);
    // SAFETY: strings that end in NUL.
    let result = unsafe {
        libc::mount(
            c"overlay".as_ptr(),
            path.as_ptr(),
            c"overlay".as_ptr(),
            0,
            options.as_ptr().cast(),
        )
    };
    check(i64::from(result), "mount")
}

/// Makes `new` the root, and puts the old one into `new/old`.
fn pivoted(new: &str) -> Done {
    // The first root cannot be exchanged: one of its own first.
    fresh(new)?;
    let root = text(new)?;
    // SAFETY: strings that end in NUL.
    unsafe {
        check(i64::from(libc::chdir(root.as_ptr())), "chdir")?;
        check(i64::from(libc::mkdir(c"a".as_ptr(), 0o755)), "mkdir")?;
        let moved = libc::mount(c".".as_ptr(), c"/".as_ptr(), null(), libc::MS_MOVE, null());
        check(i64::from(moved), "mount-move")?;
        check(i64::from(libc::chroot(c".".as_ptr())), "chroot")?;
        let bound = libc::mount(
            c"inner".as_ptr(),
            c"/a".as_ptr(),
            c"tmpfs".as_ptr(),
            0,
            null(),
        );
        check(i64::from(bound), "mount-inner")?;
        check(i64::from(libc::mkdir(c"/a/old".as_ptr(), 0o755)), "mkdir")?;
        let result = libc::syscall(libc::SYS_pivot_root, c"/a".as_ptr(), c"/a/old".as_ptr());
        check(result, "pivot_root").map(|_| Value::Null)
    }
}
