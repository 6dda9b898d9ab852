//! The fields of FILE.

use lsmpc_abi::{Presence, field::FieldId, kernel::file_type};

use crate::{
    exe,
    globals::{
        OFF_CRED_FSUID, OFF_DENTRY_INODE, OFF_DENTRY_SB, OFF_FILE_INODE, OFF_FILE_PATH,
        OFF_FS_TYPE_NAME, OFF_INODE_GID, OFF_INODE_MODE, OFF_INODE_NLINK, OFF_INODE_UID,
        OFF_PATH_DENTRY, OFF_PATH_MNT, OFF_SB_TYPE,
    },
    maps::Slot,
    path::resolve,
    read::{copy_string, pointer, read},
    subject,
};

/// Something with a place in the tree. Addresses are 0 where they cannot be read.
pub(crate) trait Located {
    fn dentry(&self) -> u64;
    fn inode(&self) -> u64;
    /// Dentry and mount.
    fn place(&self) -> (u64, u64);
}

/// A `struct file`.
#[derive(Clone, Copy)]
pub(crate) struct OpenFile(pub(crate) u64);

impl Located for OpenFile {
    #[inline(always)]
    fn dentry(&self) -> u64 {
        pointer(self.0 + OFF_FILE_PATH.get() + OFF_PATH_DENTRY.get())
    }

    #[inline(always)]
    fn place(&self) -> (u64, u64) {
        let path = self.0 + OFF_FILE_PATH.get();
        // As it has been on every kernel so far: one read instead of two.
        if OFF_PATH_MNT.get() == 0 && OFF_PATH_DENTRY.get() == 8 {
            return match read::<[u64; 2]>(path) {
                Some([mnt, dentry]) => (dentry, mnt),
                None => (0, 0),
            };
        }
        (
            pointer(path + OFF_PATH_DENTRY.get()),
            pointer(path + OFF_PATH_MNT.get()),
        )
    }

    #[inline(always)]
    fn inode(&self) -> u64 {
        pointer(self.0 + OFF_FILE_INODE.get())
    }
}

/// An entry of a directory, which is a `struct path`.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) directory: u64,
    pub(crate) dentry: u64,
}

impl Located for Entry {
    #[inline(always)]
    fn dentry(&self) -> u64 {
        self.dentry
    }

    #[inline(always)]
    fn place(&self) -> (u64, u64) {
        (self.dentry, pointer(self.directory + OFF_PATH_MNT.get()))
    }

    #[inline(always)]
    fn inode(&self) -> u64 {
        pointer(self.dentry + OFF_DENTRY_INODE.get())
    }
}

/// The scalar fields of FILE, for records.
pub(crate) const VALUES: [FieldId; 7] = [
    FieldId::FileUid,
    FieldId::FileGid,
    FieldId::FileNlink,
    FieldId::FileMode,
    FieldId::FileType,
    FieldId::FileOwned,
    FieldId::FileIsExe,
];

const UID: u8 = FieldId::FileUid as u8;
const GID: u8 = FieldId::FileGid as u8;
const NLINK: u8 = FieldId::FileNlink as u8;
const MODE: u8 = FieldId::FileMode as u8;
const TYPE: u8 = FieldId::FileType as u8;
const OWNED: u8 = FieldId::FileOwned as u8;
const IS_EXE: u8 = FieldId::FileIsExe as u8;
const PATH: u8 = FieldId::Path as u8;
const FS: u8 = FieldId::Fs as u8;

/// Writes a scalar field of FILE into the work.
#[inline(always)]
pub(crate) fn value<L: Located>(slot: &mut Slot, file: &L, field: u8) {
    let value = scalar(file.inode(), field);
    subject::answer(&mut slot.work, value);
}

#[inline(always)]
fn scalar(inode: u64, field: u8) -> Option<u64> {
    if inode == 0 {
        return None;
    }
    match field {
        UID => read::<u32>(inode + OFF_INODE_UID.get()).map(u64::from),
        GID => read::<u32>(inode + OFF_INODE_GID.get()).map(u64::from),
        NLINK => read::<u32>(inode + OFF_INODE_NLINK.get()).map(u64::from),
        MODE => Some(u64::from(mode(inode)?) & 0o7777),
        TYPE => Some(match u64::from(mode(inode)?) >> 12 {
            0o10 => file_type::REG,
            0o04 => file_type::DIR,
            0o12 => file_type::LNK,
            0o01 => file_type::FIFO,
            0o14 => file_type::SOCK,
            0o02 => file_type::CHR,
            0o06 => file_type::BLK,
            _ => return None,
        }),
        OWNED => {
            let owner: u32 = read(inode + OFF_INODE_UID.get())?;
            let acting = subject::credential::<u32>(OFF_CRED_FSUID.get())?;
            Some(u64::from(acting == owner))
        }
        IS_EXE => match exe::exe_file(subject::current() as u64)? {
            0 => Some(0),
            exe => Some(u64::from(OpenFile(exe).inode() == inode)),
        },
        _ => None,
    }
}

#[inline(always)]
fn mode(inode: u64) -> Option<u16> {
    read(inode + OFF_INODE_MODE.get())
}

/// A string field of FILE, put into the slot's text buffer.
#[inline(always)]
pub(crate) fn text<L: Located>(file: &L, field: u8, slot: *mut Slot) -> Presence {
    let known = match field {
        PATH => {
            let (dentry, mnt) = file.place();
            resolve(slot, dentry, mnt)
        }
        FS => {
            let block = pointer(file.dentry() + OFF_DENTRY_SB.get());
            let kind = pointer(block + OFF_SB_TYPE.get());
            name(slot, pointer(kind + OFF_FS_TYPE_NAME.get()))
        }
        _ => false,
    };
    if known {
        Presence::Known
    } else {
        Presence::Unknown
    }
}

/// Puts a short NUL-terminated name into the slot's text buffer.
#[inline(always)]
fn name(slot: *mut Slot, address: u64) -> bool {
    // SAFETY: the slot is claimed by this event; 256 bytes are there.
    unsafe {
        let work = &mut (*slot).work;
        let Some(length) = copy_string(work.text.as_mut_ptr(), address, 256) else {
            return false;
        };
        work.start = 0;
        work.end = length;
    }
    true
}
