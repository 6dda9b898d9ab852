//! Images in the kernel: an inner array of pages, and the slot that holds it.
//!
//! Owns creating, filling, freezing and reading arrays of pages, and the slot's
//! update. Must not know when any of this is right to do: that is [`crate::swap`].

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use lsmpc_abi::image::PAGE_SIZE;
use lsmpc_abi::maps;

use crate::error::{Error, Result};
use crate::sys::{self, F_INNER_MAP, MAP_TYPE_ARRAY, MAP_TYPE_ARRAY_OF_MAPS, MapShape};

/// Pages that go through the kernel at once.
const BATCH: u32 = 256;

/// The array that holds an image of so many pages. None is made with BTF: on 6.1
/// an inner map fits the outer one only if both it and the template have BTF or
/// neither has, and this way nothing but shapes has to agree.
const fn array_of(pages: u32) -> MapShape {
    MapShape {
        kind: MAP_TYPE_ARRAY,
        key_size: 4,
        value_size: PAGE_SIZE as u32,
        max_entries: pages,
        flags: F_INNER_MAP,
    }
}

/// The outer map's shape.
pub(crate) const SLOT: MapShape = MapShape {
    kind: MAP_TYPE_ARRAY_OF_MAPS,
    key_size: 4,
    value_size: 4,
    max_entries: 1,
    flags: 0,
};

/// Creates the map with the one slot.
pub(crate) fn create_slot() -> Result<OwnedFd> {
    let failed = |source| Error::map("creating", maps::POLICY, source);
    let template = sys::map_create("lsmpc_template", array_of(1), None).map_err(failed)?;
    sys::map_create(maps::POLICY, SLOT, Some(template.as_fd())).map_err(failed)
}

/// What the slot holds: the number of the map and a descriptor.
pub(crate) fn slot(outer: BorrowedFd<'_>) -> io::Result<Option<(u32, OwnedFd)>> {
    let mut id = [0; 4];
    if !sys::map_lookup(outer, 0, &mut id)? {
        return Ok(None);
    }
    let id = u32::from_ne_bytes(id);
    // Between the two calls the slot may have got another map, and this one may
    // be gone; then the answer is what the slot holds now.
    match sys::map_by_id(id)? {
        Some(fd) => Ok(Some((id, fd))),
        None => {
            let mut now = [0; 4];
            if !sys::map_lookup(outer, 0, &mut now)? {
                return Ok(None);
            }
            let now = u32::from_ne_bytes(now);
            Ok(sys::map_by_id(now)?.map(|fd| (now, fd)))
        }
    }
}

/// An image in the kernel that is not published yet.
#[derive(Debug)]
pub(crate) struct Stored {
    fd: OwnedFd,
    /// Whether the kernel refuses further writes to it.
    pub(crate) frozen: bool,
}

/// Creates an array, fills it, freezes it, reads it back and compares.
pub(crate) fn store(image: &[u8]) -> Result<Stored> {
    let pages = u32::try_from(image.len() / PAGE_SIZE)
        .map_err(|error| Error::map("creating", "image", io::Error::other(error)))?;
    let fd = sys::map_create("lsmpc_image", array_of(pages), None)
        .map_err(|source| Error::map("creating", "image", source))?;
    let map = fd.as_fd();
    fill_all(map, image).map_err(|source| Error::map("filling", "image", source))?;
    let frozen = sys::map_freeze(map).is_ok();
    for (first, chunk) in chunks(image) {
        let count = u32::try_from(chunk.len() / PAGE_SIZE).unwrap_or(0);
        let found = read_pages(map, first, count)
            .map_err(|source| Error::map("reading back", "image", source))?;
        if found != chunk {
            let differs = found
                .chunks(PAGE_SIZE)
                .zip(chunk.chunks(PAGE_SIZE))
                .position(|(found, written)| found != written);
            let page = first + u32::try_from(differs.unwrap_or(0)).unwrap_or(0);
            return Err(Error::ReadBack { page });
        }
    }
    Ok(Stored { fd, frozen })
}

/// The number of each chunk's first page, and the chunk.
fn chunks(image: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    (0..)
        .step_by(BATCH as usize)
        .zip(image.chunks(BATCH as usize * PAGE_SIZE))
}

/// Writes an image into an array of pages, from the first on.
pub(crate) fn fill_all(map: BorrowedFd<'_>, image: &[u8]) -> io::Result<()> {
    chunks(image).try_for_each(|(first, chunk)| fill(map, first, chunk))
}

fn fill(map: BorrowedFd<'_>, first: u32, pages: &[u8]) -> io::Result<()> {
    if sys::map_update_many(map, first, PAGE_SIZE, pages).is_ok() {
        return Ok(());
    }
    // Whatever kept the batch from working shows itself here, or does not matter.
    for (number, page) in (first..).zip(pages.chunks(PAGE_SIZE)) {
        sys::map_update(map, number, page)?;
    }
    Ok(())
}

/// Reads pages of an image.
pub(crate) fn read_pages(map: BorrowedFd<'_>, first: u32, count: u32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count as usize * PAGE_SIZE];
    if count > 1 && sys::map_lookup_many(map, first, PAGE_SIZE, &mut bytes).is_ok() {
        return Ok(bytes);
    }
    for (number, page) in (first..).zip(bytes.chunks_mut(PAGE_SIZE)) {
        if !sys::map_lookup(map, number, page)? {
            return Err(io::Error::other(format!("there is no page {number}")));
        }
    }
    Ok(bytes)
}

/// Reads a whole image.
pub(crate) fn read_all(map: BorrowedFd<'_>, pages: u32) -> io::Result<Vec<u8>> {
    let mut image = Vec::with_capacity(pages as usize * PAGE_SIZE);
    let mut first = 0;
    while first < pages {
        let count = BATCH.min(pages - first);
        image.extend(read_pages(map, first, count)?);
        first += count;
    }
    Ok(image)
}

/// Puts an image in force. This one call is where a swap happens.
pub(crate) fn publish(outer: BorrowedFd<'_>, image: &Stored) -> Result<()> {
    sys::map_set_inner(outer, 0, image.fd.as_fd()).map_err(|source| Error::Publish { source })
}
