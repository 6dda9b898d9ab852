//! The fields of FILE, and the kind of object that is an open file.

use aya_ebpf::programs::LsmContext;
use lsmpc_abi::{
    Presence,
    field::FieldId,
    hook::HookId,
    kernel::{access, file_type, vma_kind},
};

use crate::{
    exe,
    globals::{
        self, OFF_CRED_FSUID, OFF_DENTRY_SB, OFF_FILE_FLAGS, OFF_FILE_INODE, OFF_FILE_MODE,
        OFF_FILE_PATH, OFF_FS_TYPE_NAME, OFF_INODE_GID, OFF_INODE_MODE, OFF_INODE_NLINK,
        OFF_INODE_UID, OFF_INODE_WRITERS, OFF_MM_BRK, OFF_MM_START_BRK, OFF_MM_START_STACK,
        OFF_PATH_DENTRY, OFF_PATH_MNT, OFF_SB_TYPE, OFF_VMA_END, OFF_VMA_FLAGS, OFF_VMA_MM,
        OFF_VMA_START,
    },
    kind::{Kind, functions},
    maps::Slot,
    path::resolve,
    read::{copy_string, pointer, read},
    seen::look_at_file,
    subject::{self, answer},
};

/// Bytes of a file system's name.
pub(crate) const FS_NAME: u32 = 256;

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

const UID: u8 = FieldId::FileUid as u8;
const GID: u8 = FieldId::FileGid as u8;
const NLINK: u8 = FieldId::FileNlink as u8;
const MODE: u8 = FieldId::FileMode as u8;
const TYPE: u8 = FieldId::FileType as u8;
const RUNNING: u8 = FieldId::FileRunning as u8;
const OWNED: u8 = FieldId::FileOwned as u8;
const IS_EXE: u8 = FieldId::FileIsExe as u8;
const PATH: u8 = FieldId::Path as u8;
const FS: u8 = FieldId::Fs as u8;
const ACCESS: u8 = FieldId::Access as u8;
const IOCTL_CMD: u8 = FieldId::IoctlCmd as u8;
const PROT: u8 = FieldId::Prot as u8;
const MMAP_FLAGS: u8 = FieldId::MmapFlags as u8;
const VMA_KIND: u8 = FieldId::VmaKind as u8;
const VMA_START: u8 = FieldId::VmaStart as u8;
const VMA_END: u8 = FieldId::VmaEnd as u8;
const KREAD_ID: u8 = FieldId::KreadId as u8;

/// Writes a scalar field of FILE into the work.
#[inline(always)]
pub(crate) fn value<L: Located>(slot: &mut Slot, file: &L, field: u8) {
    let inode = file.inode();
    let value = if field == RUNNING {
        running(inode, slot.hook)
    } else {
        scalar(inode, field)
    };
    answer(&mut slot.work, value);
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
        TYPE => type_of(u64::from(mode(inode)?)),
        OWNED => {
            let owner: u32 = read(inode + OFF_INODE_UID.get())?;
            let acting = subject::credential::<u32>(OFF_CRED_FSUID.get());
            Some(u64::from(acting == owner))
        }
        IS_EXE => match exe::exe_file(subject::current() as u64)? {
            0 => Some(0),
            exe => Some(u64::from(OpenFile(exe).inode() == inode)),
        },
        _ => None,
    }
}

/// Whether some task executes the file: each one that does keeps it from being
/// written. The kernel itself does so, too, while it executes or reads it, before
/// it asks these hooks.
#[inline(always)]
pub(crate) fn running(inode: u64, hook: u32) -> Option<u64> {
    if inode == 0 || !globals::executed_is_marked() {
        return None;
    }
    let writers = read::<u32>(inode + OFF_INODE_WRITERS.get()?)?;
    Some(running_by(writers, hook))
}

/// The same by its `i_writecount`.
#[inline(always)]
pub(crate) fn running_by(writers: u32, hook: u32) -> u64 {
    const EXEC: u32 = HookId::BprmCheckSecurity as u32;
    const READ: u32 = HookId::KernelReadFile as u32;
    let own = if hook == EXEC || hook == READ { -1 } else { 0 };
    u64::from((writers as i32) < own)
}

/// `file.type` of an `i_mode`.
#[inline(always)]
pub(crate) fn type_of(mode: u64) -> Option<u64> {
    Some(match mode >> 12 {
        0o10 => file_type::REG,
        0o04 => file_type::DIR,
        0o12 => file_type::LNK,
        0o01 => file_type::FIFO,
        0o14 => file_type::SOCK,
        0o02 => file_type::CHR,
        0o06 => file_type::BLK,
        _ => return None,
    })
}

#[inline(always)]
fn mode(inode: u64) -> Option<u16> {
    read(inode + OFF_INODE_MODE.get())
}

/// A string field of FILE, put into the slot's text buffer.
#[inline(always)]
pub(crate) fn text<L: Located>(file: &L, field: u8, slot: *mut Slot) -> Presence {
    presence(match field {
        PATH => {
            let (dentry, mnt) = file.place();
            resolve(slot, dentry, mnt)
        }
        FS => {
            let block = pointer(file.dentry() + OFF_DENTRY_SB.get());
            let kind = pointer(block + OFF_SB_TYPE.get());
            name::<FS_NAME>(slot, pointer(kind + OFF_FS_TYPE_NAME.get()))
        }
        _ => false,
    })
}

/// Puts a NUL-terminated string of less than `SIZE - 1` bytes into the slot's text
/// buffer; a longer one is not known.
#[inline(always)]
pub(crate) fn name<const SIZE: u32>(slot: *mut Slot, address: u64) -> bool {
    const { assert!(SIZE as usize <= lsmpc_engine::TEXT_BYTES) };
    // SAFETY: the slot is claimed by this event; so many bytes are there.
    unsafe {
        let work = &mut (*slot).work;
        let Some(length) = copy_string(work.text.as_mut_ptr(), address, SIZE) else {
            return false;
        };
        work.start = 0;
        work.end = length;
        length < SIZE - 1
    }
}

/// The same as a presence; an address of 0 is *none*.
#[inline(always)]
pub(crate) fn given_name<const SIZE: u32>(slot: *mut Slot, address: u64) -> Presence {
    if address == 0 {
        Presence::None
    } else {
        presence(name::<SIZE>(slot, address))
    }
}

#[inline(always)]
pub(crate) fn presence(known: bool) -> Presence {
    if known {
        Presence::Known
    } else {
        Presence::Unknown
    }
}

/// Hooks about an open file. Arguments: the file, or 0 where there is none; what
/// else the hook tells; a `vm_area_struct`, or flags of a mapping.
pub(crate) struct Files;

impl Kind for Files {
    const EXECUTES: bool = true;
    const IS_SEEN: bool = true;

    #[inline(always)]
    fn value(slot: &mut Slot, field: u8) {
        let [file, argument, mapping, ..] = slot.arguments;
        match field {
            PROT => slot.work.set_scalar(argument),
            MMAP_FLAGS => slot.work.set_scalar(mapping),
            IOCTL_CMD => slot.work.set_scalar(u64::from(argument as u32)),
            KREAD_ID => answer(&mut slot.work, globals::reading(argument)),
            VMA_KIND | VMA_START | VMA_END => answer(&mut slot.work, vma(mapping, file, field)),
            // An anonymous mapping.
            _ if file == 0 => slot.work.set_presence(Presence::None),
            ACCESS => {
                let opened = opened(slot, file);
                answer(&mut slot.work, opened.map(access_bits));
            }
            _ => value(slot, &OpenFile(file), field),
        }
    }

    #[inline(always)]
    fn text(slot: &mut Slot, field: u8) -> Presence {
        let file = slot.arguments[0];
        if file == 0 {
            return Presence::None;
        }
        if field == FS && slot.seen.is_there != 0 {
            return presence(name::<FS_NAME>(slot, slot.seen.fs_name));
        }
        text(&OpenFile(file), field, slot)
    }

    #[inline(always)]
    fn look(ctx: &LsmContext, hook: u32, slot: *mut Slot) {
        look_at_file(ctx, hook, slot);
    }
}

functions!(Files, lsmpc_file_value, lsmpc_file_text, lsmpc_file_record);

const FMODE_READ: u32 = 1;
const FMODE_WRITE: u32 = 2;
const O_CREAT: u32 = 0o100;
const O_TRUNC: u32 = 0o1000;
const O_APPEND: u32 = 0o2000;
/// `__FMODE_EXEC`, carried in `f_flags`.
const EXEC: u32 = 0x20;

/// A file's `f_mode` and `f_flags`.
#[inline(always)]
fn opened(slot: &Slot, file: u64) -> Option<[u32; 2]> {
    if slot.seen.is_there != 0 {
        return Some(slot.seen.opened);
    }
    Some([
        read(file + OFF_FILE_MODE.get())?,
        read(file + OFF_FILE_FLAGS.get())?,
    ])
}

/// `access`: how the file is being opened.
#[inline(always)]
pub(crate) fn access_bits([mode, flags]: [u32; 2]) -> u64 {
    let bit = |set: u32, bit: u64| if set != 0 { bit } else { 0 };
    bit(mode & FMODE_READ, access::READ)
        | bit(mode & FMODE_WRITE, access::WRITE)
        | bit(flags & O_APPEND, access::APPEND)
        | bit(flags & O_TRUNC, access::TRUNC)
        | bit(flags & O_CREAT, access::CREATE)
        | bit(flags & EXEC, access::EXEC)
}

const VM_GROWSDOWN: u64 = 0x100;

/// A field of a mapping. What it is as the kernel's own checks see it: the heap is
/// what overlaps the program break, a stack what grows down or holds the first one.
#[inline(always)]
fn vma(vma: u64, file: u64, field: u8) -> Option<u64> {
    let start: u64 = read(vma + OFF_VMA_START.get())?;
    if field == VMA_START {
        return Some(start);
    }
    let end: u64 = read(vma + OFF_VMA_END.get())?;
    if field == VMA_END {
        return Some(end);
    }
    if file != 0 {
        return Some(vma_kind::FILE);
    }
    let mm: u64 = read(vma + OFF_VMA_MM.get())?;
    let heap: u64 = read(mm + OFF_MM_START_BRK.get()?)?;
    let heap_end: u64 = read(mm + OFF_MM_BRK.get()?)?;
    if start < heap_end && end > heap {
        return Some(vma_kind::HEAP);
    }
    let stack: u64 = read(mm + OFF_MM_START_STACK.get()?)?;
    let flags: u64 = read(vma + OFF_VMA_FLAGS.get())?;
    if flags & VM_GROWSDOWN != 0 || (start <= stack && end >= stack) {
        return Some(vma_kind::STACK);
    }
    Some(vma_kind::ANON)
}
