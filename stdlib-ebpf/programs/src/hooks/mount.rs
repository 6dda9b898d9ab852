//! Hooks about mounts and file systems.

use crate::{
    globals::{OFF_SB_ROOT, OFF_VFSMOUNT_ROOT},
    kind::programs,
    maps::Arguments,
    place::{Places, dentry_of, mount_of, two_paths},
    read::pointer,
};

programs! {
    /// mount(2), whatever it does.
    sb_mount = "lsm/sb_mount", SbMount(4) => Places, mount;
    /// A mount is being taken away.
    sb_umount = "lsm/sb_umount", SbUmount(1) => Places, unmount;
    /// A file system's options change; the hook does not tell through which mount.
    sb_remount = "lsm/sb_remount", SbRemount(1) => Places, remount;
    /// move_mount(2): a mount gets a place, its first or another.
    move_mount = "lsm/move_mount", MoveMount(2) => Places, two_paths;
    /// pivot_root(2).
    sb_pivotroot = "lsm/sb_pivotroot", SbPivotroot(2) => Places, two_paths;
}

/// From (source, path, type, flags).
#[inline(always)]
fn mount(arguments: &mut Arguments) {
    let [source, path, kind, flags, ..] = *arguments;
    arguments[0] = mount_of(path);
    arguments[1] = dentry_of(path);
    arguments[2] = source;
    arguments[3] = kind;
    arguments[4] = flags;
}

/// From (mount): its root, which is where it is mounted.
#[inline(always)]
fn unmount(arguments: &mut Arguments) {
    arguments[1] = pointer(arguments[0] + OFF_VFSMOUNT_ROOT.get());
}

/// From (super block).
#[inline(always)]
fn remount(arguments: &mut Arguments) {
    arguments[1] = pointer(arguments[0] + OFF_SB_ROOT.get());
    arguments[0] = 0;
}
