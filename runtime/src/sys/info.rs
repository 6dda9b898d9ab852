//! What a descriptor stands for.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{MapShape, address, bpf, raw};

const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
/// `BPF_LINK_TYPE_TRACING`, the type that links of LSM programs have.
const LINK_TYPE_TRACING: u32 = 2;

#[repr(C)]
struct InfoByFd {
    fd: u32,
    length: u32,
    info: u64,
}

/// `struct bpf_map_info`, its beginning.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct RawMapInfo {
    kind: u32,
    id: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    name: [u8; 16],
}

/// `struct bpf_prog_info`, its beginning.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct RawProgramInfo {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_len: u32,
    xlated_len: u32,
    jited: u64,
    xlated: u64,
    load_time: u64,
    created_by_uid: u32,
    nr_map_ids: u32,
    map_ids: u64,
    name: [u8; 16],
    /// Numbers of instructions and lines, and where to write them: nowhere.
    lists: [u64; 17],
    verified_instructions: u32,
    target_object: u32,
    target: u32,
    pad: u32,
}

/// `struct bpf_link_info` of a tracing link.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct RawLinkInfo {
    kind: u32,
    id: u32,
    program: u32,
    pad: u32,
    attach_type: u32,
    target_object: u32,
    target_type: u32,
    pad2: u32,
}

/// What a map's descriptor stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MapInfo {
    pub(crate) id: u32,
    pub(crate) shape: MapShape,
}

/// What a program's descriptor stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProgramInfo {
    pub(crate) id: u32,
    pub(crate) kind: u32,
    pub(crate) name: String,
    pub(crate) maps: Vec<u32>,
    /// BTF id of the function that it is to be attached to.
    pub(crate) target: u32,
}

/// What a link's descriptor stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkInfo {
    pub(crate) id: u32,
    pub(crate) program: u32,
    pub(crate) attach_type: u32,
    /// BTF id of the function attached to.
    pub(crate) target: u32,
}

/// What a descriptor stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ObjectInfo {
    Map(MapInfo),
    Program(ProgramInfo),
    Link(LinkInfo),
    Other,
}

fn info<T: Copy>(fd: BorrowedFd<'_>, value: &mut T) -> io::Result<()> {
    bpf(
        OBJ_GET_INFO_BY_FD,
        &mut InfoByFd {
            fd: raw(fd),
            length: u32::try_from(size_of::<T>()).map_err(io::Error::other)?,
            info: address(std::ptr::from_mut(value)),
        },
    )
    .map(drop)
}

/// Number and shape of a map.
pub(crate) fn map_info(fd: BorrowedFd<'_>) -> io::Result<MapInfo> {
    let mut value = RawMapInfo::default();
    info(fd, &mut value)?;
    Ok(MapInfo {
        id: value.id,
        shape: MapShape {
            kind: value.kind,
            key_size: value.key_size,
            value_size: value.value_size,
            max_entries: value.max_entries,
            flags: value.flags,
        },
    })
}

/// Number, type, name and maps of a program.
pub(crate) fn program_info(fd: BorrowedFd<'_>) -> io::Result<ProgramInfo> {
    let mut maps = vec![0_u32; 64];
    let mut value = RawProgramInfo {
        nr_map_ids: 64,
        map_ids: address(maps.as_mut_ptr()),
        ..RawProgramInfo::default()
    };
    info(fd, &mut value)?;
    maps.truncate(value.nr_map_ids as usize);
    let name = value.name.split(|byte| *byte == 0).next().unwrap_or(&[]);
    Ok(ProgramInfo {
        id: value.id,
        kind: value.kind,
        name: String::from_utf8_lossy(name).into_owned(),
        maps,
        target: value.target,
    })
}

/// Number, program and target of a link; `None` when it is not a tracing link.
pub(crate) fn link_info(fd: BorrowedFd<'_>) -> io::Result<Option<LinkInfo>> {
    let mut value = RawLinkInfo::default();
    info(fd, &mut value)?;
    Ok((value.kind == LINK_TYPE_TRACING).then_some(LinkInfo {
        id: value.id,
        program: value.program,
        attach_type: value.attach_type,
        target: value.target_type,
    }))
}

/// What a descriptor stands for, whichever kind it is.
pub(crate) fn object_info(fd: BorrowedFd<'_>) -> io::Result<ObjectInfo> {
    let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let target = std::fs::read_link(link)?;
    Ok(match target.to_string_lossy().as_ref() {
        "anon_inode:bpf-map" => ObjectInfo::Map(map_info(fd)?),
        "anon_inode:bpf-prog" => ObjectInfo::Program(program_info(fd)?),
        "anon_inode:bpf_link" | "anon_inode:bpf-link" => match link_info(fd)? {
            Some(link) => ObjectInfo::Link(link),
            None => ObjectInfo::Other,
        },
        _ => ObjectInfo::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_kernels_layout() {
        assert_eq!(std::mem::offset_of!(RawProgramInfo, name), 64);
        assert_eq!(std::mem::offset_of!(RawProgramInfo, target), 224);
        assert_eq!(std::mem::offset_of!(RawMapInfo, name), 24);
        assert_eq!(std::mem::offset_of!(RawLinkInfo, target_type), 24);
    }
}
