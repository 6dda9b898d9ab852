//! bpf(2), where aya does not reach: inner maps, batches, freezing, numbers of
//! links and programs, and a trial load.
//!
//! Owns the `unsafe` of this crate. Each command has its own attribute structure,
//! laid out as the kernel's `union bpf_attr` begins; the kernel takes the rest for
//! zero. Must not know what any map is for.

mod info;
mod trial;

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub(crate) use info::{LinkInfo, MapInfo, ObjectInfo, ProgramInfo};
pub(crate) use info::{link_info, map_info, object_info, program_info};
pub(crate) use trial::{PROG_TYPE_LSM, lsm_program_loads, socket_filter_loads};

const MAP_CREATE: libc::c_int = 0;
const MAP_LOOKUP_ELEM: libc::c_int = 1;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const MAP_DELETE_ELEM: libc::c_int = 3;
const OBJ_PIN: libc::c_int = 6;
const OBJ_GET: libc::c_int = 7;
const PROG_GET_NEXT_ID: libc::c_int = 11;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const MAP_GET_FD_BY_ID: libc::c_int = 14;
const RAW_TRACEPOINT_OPEN: libc::c_int = 17;
const MAP_FREEZE: libc::c_int = 22;
const MAP_LOOKUP_BATCH: libc::c_int = 24;
const MAP_UPDATE_BATCH: libc::c_int = 26;
const LINK_GET_FD_BY_ID: libc::c_int = 30;
const LINK_GET_NEXT_ID: libc::c_int = 31;

/// `BPF_MAP_TYPE_ARRAY`.
pub(crate) const MAP_TYPE_ARRAY: u32 = 2;
/// `BPF_MAP_TYPE_ARRAY_OF_MAPS`.
pub(crate) const MAP_TYPE_ARRAY_OF_MAPS: u32 = 12;
/// `BPF_F_INNER_MAP`: an inner array of any length fits the outer map.
pub(crate) const F_INNER_MAP: u32 = 1 << 12;
/// `BPF_LSM_MAC`.
pub(crate) const ATTACH_LSM_MAC: u32 = 27;

/// One call of bpf(2).
fn bpf<T>(command: libc::c_int, attribute: &mut T) -> io::Result<i32> {
    // SAFETY: `attribute` is a live `repr(C)` structure of exactly the size that
    // is passed, fully initialised, laid out as the command demands; pointers in
    // it are to buffers that its maker keeps alive and large enough.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attribute),
            size_of::<T>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        i32::try_from(result).map_err(io::Error::other)
    }
}

/// A command that returns a descriptor.
fn bpf_fd<T>(command: libc::c_int, attribute: &mut T) -> io::Result<OwnedFd> {
    let fd = bpf(command, attribute)?;
    // SAFETY: the kernel just made this descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn raw(fd: BorrowedFd<'_>) -> u32 {
    // Descriptors are never negative.
    fd.as_raw_fd().unsigned_abs()
}

fn address<T>(pointer: *const T) -> u64 {
    // The kernel reads and writes through this address, so its provenance is
    // given away with it.
    pointer.expose_provenance() as u64
}

fn path_string(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

/// A name as the kernel keeps it: 15 bytes and a NUL.
fn object_name(name: &str) -> [u8; 16] {
    let mut kept = [0; 16];
    for (to, from) in kept.iter_mut().take(15).zip(name.bytes()) {
        *to = if from.is_ascii_alphanumeric() || from == b'_' || from == b'.' {
            from
        } else {
            b'_'
        };
    }
    kept
}

/// What a map is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MapShape {
    pub(crate) kind: u32,
    pub(crate) key_size: u32,
    pub(crate) value_size: u32,
    pub(crate) max_entries: u32,
    pub(crate) flags: u32,
}

#[repr(C)]
struct MapCreate {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    inner_fd: u32,
    numa_node: u32,
    name: [u8; 16],
}

/// Creates a map without BTF.
pub(crate) fn map_create(
    name: &str,
    shape: MapShape,
    inner: Option<BorrowedFd<'_>>,
) -> io::Result<OwnedFd> {
    bpf_fd(
        MAP_CREATE,
        &mut MapCreate {
            kind: shape.kind,
            key_size: shape.key_size,
            value_size: shape.value_size,
            max_entries: shape.max_entries,
            flags: shape.flags,
            inner_fd: inner.map_or(0, raw),
            numa_node: 0,
            name: object_name(name),
        },
    )
}

#[repr(C)]
struct MapElement {
    map_fd: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// Reads one element of an array into `value`, which has to be as large as the
/// kernel's copy (for a per-CPU map: 8-byte rounded, times possible CPUs).
/// `false`: no such element.
pub(crate) fn map_lookup(map: BorrowedFd<'_>, key: u32, value: &mut [u8]) -> io::Result<bool> {
    let outcome = bpf(
        MAP_LOOKUP_ELEM,
        &mut MapElement {
            map_fd: raw(map),
            pad: 0,
            key: address(&raw const key),
            value: address(value.as_mut_ptr()),
            flags: 0,
        },
    );
    match outcome {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes one element of an array.
pub(crate) fn map_update(map: BorrowedFd<'_>, key: u32, value: &[u8]) -> io::Result<()> {
    bpf(
        MAP_UPDATE_ELEM,
        &mut MapElement {
            map_fd: raw(map),
            pad: 0,
            key: address(&raw const key),
            value: address(value.as_ptr()),
            flags: 0,
        },
    )
    .map(drop)
}

/// Puts `inner` into a slot of an array of maps.
pub(crate) fn map_set_inner(
    outer: BorrowedFd<'_>,
    slot: u32,
    inner: BorrowedFd<'_>,
) -> io::Result<()> {
    map_update(outer, slot, &raw(inner).to_ne_bytes())
}

/// Empties a slot of an array of maps. `false`: it was empty.
pub(crate) fn map_clear(map: BorrowedFd<'_>, slot: u32) -> io::Result<bool> {
    let outcome = bpf(
        MAP_DELETE_ELEM,
        &mut MapElement {
            map_fd: raw(map),
            pad: 0,
            key: address(&raw const slot),
            value: 0,
            flags: 0,
        },
    );
    match outcome {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

#[repr(C)]
struct MapBatch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// Writes the elements `first..` of an array, as many as `values` holds.
pub(crate) fn map_update_many(
    map: BorrowedFd<'_>,
    first: u32,
    value_size: usize,
    values: &[u8],
) -> io::Result<()> {
    let count = values.len().checked_div(value_size).unwrap_or(0);
    let count = u32::try_from(count).map_err(io::Error::other)?;
    let keys: Vec<u32> = (first..first.saturating_add(count)).collect();
    let mut attribute = MapBatch {
        in_batch: 0,
        out_batch: 0,
        keys: address(keys.as_ptr()),
        values: address(values.as_ptr()),
        count,
        map_fd: raw(map),
        elem_flags: 0,
        flags: 0,
    };
    bpf(MAP_UPDATE_BATCH, &mut attribute)?;
    if attribute.count == count {
        Ok(())
    } else {
        Err(io::Error::other(
            "the kernel took fewer elements than given",
        ))
    }
}

/// Reads the elements `first..` of an array, as many as fit `values`.
pub(crate) fn map_lookup_many(
    map: BorrowedFd<'_>,
    first: u32,
    value_size: usize,
    values: &mut [u8],
) -> io::Result<()> {
    let count = values.len().checked_div(value_size).unwrap_or(0);
    let count = u32::try_from(count).map_err(io::Error::other)?;
    let mut keys = vec![0_u32; count as usize];
    // The kernel goes on after `in_batch`; without one it begins at the start.
    let previous = first.wrapping_sub(1);
    let mut last = 0_u32;
    let mut attribute = MapBatch {
        in_batch: if first == 0 {
            0
        } else {
            address(&raw const previous)
        },
        out_batch: address(&raw mut last),
        keys: address(keys.as_mut_ptr()),
        values: address(values.as_mut_ptr()),
        count,
        map_fd: raw(map),
        elem_flags: 0,
        flags: 0,
    };
    match bpf(MAP_LOOKUP_BATCH, &mut attribute) {
        // ENOENT: the map's end was reached; `count` elements were read.
        Err(error) if error.raw_os_error() != Some(libc::ENOENT) => return Err(error),
        _ => {}
    }
    let expected = first..first.saturating_add(count);
    if attribute.count == count && keys.iter().copied().eq(expected) {
        Ok(())
    } else {
        Err(io::Error::other(
            "the kernel gave other elements than asked for",
        ))
    }
}

/// Makes a map read-only for system calls, for good.
pub(crate) fn map_freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    bpf(MAP_FREEZE, &mut raw(map)).map(drop)
}

#[repr(C)]
struct Object {
    path: u64,
    fd: u32,
    flags: u32,
}

/// Pins an object.
pub(crate) fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = path_string(path)?;
    bpf(
        OBJ_PIN,
        &mut Object {
            path: address(path.as_ptr()),
            fd: raw(object),
            flags: 0,
        },
    )
    .map(drop)
}

/// Opens a pinned object.
pub(crate) fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = path_string(path)?;
    bpf_fd(
        OBJ_GET,
        &mut Object {
            path: address(path.as_ptr()),
            fd: 0,
            flags: 0,
        },
    )
}

#[repr(C)]
struct ById {
    id: u32,
    next: u32,
    flags: u32,
}

fn fd_by_id(command: libc::c_int, id: u32) -> io::Result<Option<OwnedFd>> {
    let mut attribute = ById {
        id,
        next: 0,
        flags: 0,
    };
    match bpf_fd(command, &mut attribute) {
        Ok(fd) => Ok(Some(fd)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The map of that number, if there is one.
pub(crate) fn map_by_id(id: u32) -> io::Result<Option<OwnedFd>> {
    fd_by_id(MAP_GET_FD_BY_ID, id)
}

/// The program of that number, if there is one.
pub(crate) fn program_by_id(id: u32) -> io::Result<Option<OwnedFd>> {
    fd_by_id(PROG_GET_FD_BY_ID, id)
}

/// The link of that number, if there is one.
pub(crate) fn link_by_id(id: u32) -> io::Result<Option<OwnedFd>> {
    fd_by_id(LINK_GET_FD_BY_ID, id)
}

/// The smallest number of a link above `id`.
pub(crate) fn next_link(id: u32) -> io::Result<Option<u32>> {
    next_id(LINK_GET_NEXT_ID, id)
}

/// The smallest number of a program above `id`.
pub(crate) fn next_program(id: u32) -> io::Result<Option<u32>> {
    next_id(PROG_GET_NEXT_ID, id)
}

fn next_id(command: libc::c_int, id: u32) -> io::Result<Option<u32>> {
    let mut attribute = ById {
        id,
        next: 0,
        flags: 0,
    };
    match bpf(command, &mut attribute) {
        Ok(_) => Ok(Some(attribute.next)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

#[repr(C)]
struct RawTracepoint {
    name: u64,
    program: u32,
    pad: u32,
}

/// Attaches a loaded LSM program to the hook it was loaded for.
pub(crate) fn attach_lsm(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    bpf_fd(
        RAW_TRACEPOINT_OPEN,
        &mut RawTracepoint {
            name: 0,
            program: raw(program),
            pad: 0,
        },
    )
}

/// A descriptor of this path's directory, for flock.
pub(crate) fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags =
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, rustix::fs::Mode::empty())?)
}

/// Duplicates a descriptor.
pub(crate) fn duplicate(fd: impl AsFd) -> io::Result<OwnedFd> {
    fd.as_fd().try_clone_to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_cleaned() {
        assert_eq!(&object_name("a/b"), b"a_b\0\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(&object_name("0123456789abcdefgh"), b"0123456789abcde\0");
    }

    #[test]
    fn attributes_have_the_kernels_layout() {
        assert_eq!(std::mem::offset_of!(MapCreate, name), 28);
        assert_eq!(std::mem::offset_of!(MapBatch, count), 32);
    }
}
