//! Bytes of an image while it grows.
//!
//! Owns alignment, the rule about what may not straddle a page, and little-endian
//! stores. It must not know what the bytes mean.

use lsmpc_abi::image::PAGE_SIZE;

/// An image that grows.
#[derive(Debug)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    /// What it may not grow beyond.
    limit: u64,
    /// How large it would have become.
    wanted: u64,
}

/// The image would be larger than allowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Full {
    pub(super) wanted: u64,
}

impl Writer {
    /// An image that begins with `header` zero bytes.
    pub(super) fn new(header: usize, limit: u64) -> Self {
        Self {
            bytes: vec![0; header],
            limit,
            wanted: 0,
        }
    }

    /// Room for `size` zero bytes; its offset.
    pub(super) fn place(&mut self, size: usize, align: usize) -> Result<u32, Full> {
        let start = self.bytes.len().next_multiple_of(align.max(1));
        self.place_at(start, size)
    }

    /// Room at an offset ≡ `phase` (mod `align`) that lies within one page.
    pub(super) fn place_in_page(
        &mut self,
        size: usize,
        align: usize,
        phase: usize,
    ) -> Result<u32, Full> {
        let aligned = |from: usize| {
            let start = from.next_multiple_of(align) + phase;
            if phase > 0 && start >= from + align {
                start - align
            } else {
                start
            }
        };
        let mut start = aligned(self.bytes.len());
        if start / PAGE_SIZE != (start + size.max(1) - 1) / PAGE_SIZE {
            start = aligned(start.next_multiple_of(PAGE_SIZE));
        }
        self.place_at(start, size)
    }

    fn place_at(&mut self, start: usize, size: usize) -> Result<u32, Full> {
        let end = start.saturating_add(size);
        self.wanted = u64::try_from(end).unwrap_or(u64::MAX);
        if self.wanted > self.limit {
            return Err(Full {
                wanted: self.wanted,
            });
        }
        self.bytes.resize(end, 0);
        u32::try_from(start).map_err(|_| Full {
            wanted: self.wanted,
        })
    }

    /// What is written goes to the end.
    pub(super) fn append<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), Full> {
        let start = self.bytes.len();
        let written = write(&mut self.bytes);
        if written.is_err() {
            self.bytes.truncate(start);
        }
        self.place(0, 1).map(|_| ())
    }

    /// Ends the last page.
    pub(super) fn end_page(&mut self) -> Result<u32, Full> {
        self.place(0, PAGE_SIZE)
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Stores bytes at an offset that has been placed.
    pub(super) fn put(&mut self, offset: u32, bytes: &[u8]) {
        let start = offset as usize;
        if let Some(room) = self.bytes.get_mut(start..start + bytes.len()) {
            room.copy_from_slice(bytes);
        }
    }

    /// Stores consecutive u32.
    pub(super) fn put_u32s(&mut self, mut offset: u32, values: &[u32]) {
        for value in values {
            self.put(offset, &value.to_le_bytes());
            offset += 4;
        }
    }

    /// Stores consecutive u64.
    pub(super) fn put_u64s(&mut self, mut offset: u32, values: &[u64]) {
        for value in values {
            self.put(offset, &value.to_le_bytes());
            offset += 8;
        }
    }

    /// The image.
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_stay_in_their_page() {
        let mut writer = Writer::new(0, 1 << 20);
        for size in 2..258 {
            let offset = writer.place_in_page(size, 8, 6).unwrap() as usize;
            assert_eq!(offset % 8, 6);
            assert_eq!(offset / PAGE_SIZE, (offset + size - 1) / PAGE_SIZE);
        }
        // No more than one record's worth is lost for each page.
        assert!(writer.len() < (2..258).sum::<usize>() + 256 * 8 + 16 * 264);
    }

    #[test]
    fn the_limit_holds() {
        let mut writer = Writer::new(0, 100);
        assert!(writer.place(100, 1).is_ok());
        assert_eq!(writer.place(1, 16).unwrap_err().wanted, 113);
    }
}
