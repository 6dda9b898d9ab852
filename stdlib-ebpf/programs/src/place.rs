//! The kind of object that has a place in the tree of files: an entry of a
//! directory, or what a path leads to.

use lsmpc_abi::{Presence, field::FieldId, hook::HookId};

use crate::{
    file::{self, Located},
    globals::{OFF_DENTRY_INODE, OFF_PATH_DENTRY, OFF_PATH_MNT},
    kind::{Kind, functions},
    maps::{Arguments, Slot},
    read::{pointer, read},
    subject::answer,
};

/// A dentry, seen through a mount; without one (0) its path is not known.
#[derive(Clone, Copy)]
struct Place {
    mnt: u64,
    dentry: u64,
}

impl Located for Place {
    #[inline(always)]
    fn dentry(&self) -> u64 {
        self.dentry
    }

    #[inline(always)]
    fn place(&self) -> (u64, u64) {
        (self.dentry, self.mnt)
    }

    #[inline(always)]
    fn inode(&self) -> u64 {
        pointer(self.dentry + OFF_DENTRY_INODE.get())
    }
}

/// Hooks about places. Arguments: mount and dentry of the place; the same of the
/// second one; two more of the hook's own. `sb_mount` has no second place: source
/// and type of what is mounted stand there.
pub(crate) struct Places;

const PATH: u8 = FieldId::Path as u8;
const NEW_PATH: u8 = FieldId::NewPath as u8;
const FS: u8 = FieldId::Fs as u8;
const SOURCE: u8 = FieldId::Source as u8;
const TARGET: u8 = FieldId::Target as u8;
const XATTR: u8 = FieldId::Xattr as u8;
const MODE: u8 = FieldId::Mode as u8;
const NEW_FILE_RUNNING: u8 = FieldId::NewFileRunning as u8;
const FILE_TYPE: u8 = FieldId::FileType as u8;
const OWNER_UID: u8 = FieldId::OwnerUid as u8;
const OWNER_GID: u8 = FieldId::OwnerGid as u8;
const MOUNT_FLAGS: u8 = FieldId::MountFlags as u8;

const SB_MOUNT: u32 = HookId::SbMount as u32;
const PATH_MKNOD: u32 = HookId::PathMknod as u32;

/// Bytes of a string that is as long as a path may be, and of one that is longer.
const LONGEST: u32 = 4097;
/// The same of an extended attribute's name.
const LONGEST_XATTR: u32 = 257;

/// `mode & S_IFMT` when a regular file is made without saying so.
const REGULAR: u64 = 0o100_000;

impl Kind for Places {
    #[inline(always)]
    fn value(slot: &mut Slot, field: u8) {
        let [mnt, dentry, _, new_dentry, first, second] = slot.arguments;
        match field {
            NEW_FILE_RUNNING => new_file_running(slot, new_dentry),
            MODE => slot.work.set_scalar(first & 0o7777),
            MOUNT_FLAGS => slot.work.set_scalar(first),
            OWNER_UID => id(slot, first),
            OWNER_GID => id(slot, second),
            // The file is not there yet.
            FILE_TYPE if slot.hook == PATH_MKNOD => {
                let mode = first & 0o170_000;
                let mode = if mode == 0 { REGULAR } else { mode };
                answer(&mut slot.work, file::type_of(mode));
            }
            _ => file::value(slot, &Place { mnt, dentry }, field),
        }
    }

    #[inline(always)]
    fn text(slot: &mut Slot, field: u8) -> Presence {
        let [mnt, dentry, mnt_or_source, dentry_or_type, first, _] = slot.arguments;
        match field {
            TARGET => file::given_name::<LONGEST>(slot, first),
            XATTR => file::given_name::<LONGEST_XATTR>(slot, first),
            SOURCE => file::given_name::<LONGEST>(slot, mnt_or_source),
            FS if slot.hook == SB_MOUNT => file::given_name::<256>(slot, dentry_or_type),
            _ => {
                let place = if field == NEW_PATH {
                    Place {
                        mnt: mnt_or_source,
                        dentry: dentry_or_type,
                    }
                } else {
                    Place { mnt, dentry }
                };
                let field = if field == NEW_PATH { PATH } else { field };
                file::text(&place, field, slot)
            }
        }
    }
}

functions!(
    Places,
    lsmpc_place_value,
    lsmpc_place_text,
    lsmpc_place_record
);

/// Whether the file that has the new name so far is executed; none if there is none.
#[inline(always)]
fn new_file_running(slot: &mut Slot, dentry: u64) {
    match read::<u64>(dentry + OFF_DENTRY_INODE.get()) {
        Some(0) => slot.work.set_presence(Presence::None),
        Some(inode) => {
            let running = file::running(inode, slot.hook);
            answer(&mut slot.work, running);
        }
        None => slot.work.set_presence(Presence::Unknown),
    }
}

/// An id that is to be set; none if it stays.
#[inline(always)]
fn id(slot: &mut Slot, id: u64) {
    if id as u32 == u32::MAX {
        slot.work.set_presence(Presence::None);
    } else {
        slot.work.set_scalar(u64::from(id as u32));
    }
}

/// The mount of a `struct path`.
#[inline(always)]
pub(crate) fn mount_of(path: u64) -> u64 {
    pointer(path + OFF_PATH_MNT.get())
}

/// The dentry of a `struct path`.
#[inline(always)]
pub(crate) fn dentry_of(path: u64) -> u64 {
    pointer(path + OFF_PATH_DENTRY.get())
}

/// From (directory, dentry, first) to a place.
#[inline(always)]
pub(crate) fn entry(arguments: &mut Arguments) {
    let [directory, _, first, ..] = *arguments;
    arguments[0] = mount_of(directory);
    arguments[4] = first;
}

/// From (path, first, second) to a place.
#[inline(always)]
pub(crate) fn path(arguments: &mut Arguments) {
    let [path, first, second, ..] = *arguments;
    arguments[0] = mount_of(path);
    arguments[1] = dentry_of(path);
    arguments[4] = first;
    arguments[5] = second;
}

/// From (path, path) to two places.
#[inline(always)]
pub(crate) fn two_paths(arguments: &mut Arguments) {
    let [one, other, ..] = *arguments;
    arguments[0] = mount_of(one);
    arguments[1] = dentry_of(one);
    arguments[2] = mount_of(other);
    arguments[3] = dentry_of(other);
}

/// From (directory, dentry, directory, dentry) to two places.
#[inline(always)]
pub(crate) fn two_entries(arguments: &mut Arguments) {
    arguments[0] = mount_of(arguments[0]);
    arguments[2] = mount_of(arguments[2]);
}
