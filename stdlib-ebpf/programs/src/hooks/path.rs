//! Hooks about entries of directories and about what paths lead to.

use crate::{
    kind::programs,
    maps::Arguments,
    place::{Places, dentry_of, entry, mount_of, path},
};

programs! {
    /// A name of a file is being removed.
    path_unlink = "lsm/path_unlink", PathUnlink(2) => Places, entry;
    /// A directory is being removed.
    path_rmdir = "lsm/path_rmdir", PathRmdir(2) => Places, entry;
    /// A directory is being made.
    path_mkdir = "lsm/path_mkdir", PathMkdir(3) => Places, entry;
    /// A file of any other type is being made, also by an open.
    path_mknod = "lsm/path_mknod", PathMknod(3) => Places, entry;
    /// A symbolic link is being made.
    path_symlink = "lsm/path_symlink", PathSymlink(3) => Places, entry;
    /// A file gets another name.
    path_link = "lsm/path_link", PathLink(3) => Places, link;
    /// Permission bits change.
    path_chmod = "lsm/path_chmod", PathChmod(2) => Places, path;
    /// Owner or group change.
    path_chown = "lsm/path_chown", PathChown(3) => Places, path;
    /// A task's root directory changes.
    path_chroot = "lsm/path_chroot", PathChroot(1) => Places, path;
    /// A file is being cut by its path.
    path_truncate = "lsm/path_truncate", PathTruncate(1) => Places, path;
    /// stat(2) and the like.
    inode_getattr = "lsm/inode_getattr", InodeGetattr(1) => Places, path;
    /// An extended attribute is being set.
    inode_setxattr = "lsm/inode_setxattr", InodeSetxattr(3) => Places, attribute;
    /// An extended attribute is being removed.
    inode_removexattr = "lsm/inode_removexattr", InodeRemovexattr(3) => Places, attribute;
    /// A BPF token is being made from a bpffs.
    bpf_token_create = "lsm/bpf_token_create", BpfTokenCreate(3) => Places, third;
}

/// From (dentry, new directory, new dentry): both are seen through one mount.
#[inline(always)]
fn link(arguments: &mut Arguments) {
    let [dentry, directory, new, ..] = *arguments;
    let mnt = mount_of(directory);
    arguments[0] = mnt;
    arguments[1] = dentry;
    arguments[2] = mnt;
    arguments[3] = new;
}

/// From (ids of the mount, dentry, name): the mount is not told.
#[inline(always)]
fn attribute(arguments: &mut Arguments) {
    arguments[0] = 0;
    arguments[4] = arguments[2];
}

/// From (…, …, path).
#[inline(always)]
fn third(arguments: &mut Arguments) {
    let path = arguments[2];
    arguments[0] = mount_of(path);
    arguments[1] = dentry_of(path);
}
