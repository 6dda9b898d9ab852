//! An image as the runtime sees it: a header, pages, a digest.
//!
//! Owns the checks before anything is written to a map, and setting the epoch.
//! Must not know what the tables mean; that they are well formed is the engine's
//! to say.

use lsmpc_abi::ABI_VERSION;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_abi::image::{
    H_ABI, H_DIGEST, H_EPOCH, H_HOOKS, H_PAGES, H_REPORT, H_REPORT_LEN, HOOK_ENTRY_SIZE, HOOK_USED,
    MAGIC, MAX_PAGES, PAGE_SIZE,
};
use lsmpc_engine::image::{Image, ImageError};
use lsmpc_engine::report::StickyReport;

use crate::error::{Error, Result};

/// The header's fields that the runtime reads. Made from page 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Number of pages.
    pub pages: u32,
    /// Epoch; 0 in a file.
    pub epoch: u32,
    /// SHA-256, as the compiler wrote it.
    pub digest: [u8; 32],
    /// The hooks that the policy names.
    pub hooks: Vec<HookId>,
    /// Where the report is, and how long.
    pub(crate) report: (u32, u32),
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let end = at.checked_add(4)?;
    Some(u32::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
}

fn damaged(reason: impl Into<String>) -> Error {
    Error::ImageInvalid {
        reason: reason.into(),
    }
}

impl Header {
    /// Reads page 0, or a whole image.
    ///
    /// # Errors
    ///
    /// When it is not the beginning of an image, or one of another ABI version.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let short = || damaged("it is shorter than one page");
        if bytes.len() < PAGE_SIZE {
            return Err(short());
        }
        if !bytes.starts_with(&MAGIC) {
            return Err(damaged("it does not begin like a table image"));
        }
        let at = |offset| word(bytes, offset).ok_or_else(short);
        let found = at(H_ABI)?;
        if found != ABI_VERSION {
            return Err(Error::ImageAbi {
                found,
                expected: ABI_VERSION,
            });
        }
        let pages = at(H_PAGES)?;
        if pages == 0 || pages > MAX_PAGES {
            return Err(damaged(format!("it claims to have {pages} pages")));
        }
        let digest = bytes
            .get(H_DIGEST..H_DIGEST + 32)
            .and_then(|digest| digest.try_into().ok())
            .ok_or_else(short)?;
        let mut hooks = Vec::new();
        for hook in HookId::ALL {
            let entry = H_HOOKS + HOOK_ENTRY_SIZE * usize::from(*hook as u16);
            if at(entry + 4)? & HOOK_USED != 0 {
                hooks.push(*hook);
            }
        }
        Ok(Self {
            pages,
            epoch: at(H_EPOCH)?,
            digest,
            hooks,
            report: (at(H_REPORT)?, at(H_REPORT_LEN)?),
        })
    }

    /// The pages that hold the report: first, and how many; with the report's
    /// place in them.
    pub(crate) fn report_pages(&self) -> Option<(u32, u32, std::ops::Range<usize>)> {
        let (start, length) = self.report;
        let end = start.checked_add(length)?;
        let page = u32::try_from(PAGE_SIZE).ok()?;
        let (first, last) = (start / page, end.div_ceil(page));
        if length == 0 || last > self.pages {
            return None;
        }
        let within = (start % page) as usize;
        Some((first, last - first, within..within + length as usize))
    }
}

/// What sticks to tasks under an image, by bit.
pub(crate) fn sticky(image: &[u8]) -> Result<Vec<StickyReport>> {
    Image::from_bytes(image.to_vec())
        .and_then(|image| image.report())
        .map(|report| report.sticky)
        .map_err(|error| damaged(error.to_string()))
}

/// A whole image that no event can make evaluation fail on.
#[derive(Debug, Clone)]
pub(crate) struct CheckedImage {
    pub(crate) header: Header,
    fields: Vec<FieldId>,
    bytes: Vec<u8>,
}

impl CheckedImage {
    /// Checks an image: its header here, and all that an event can reach by the
    /// engine, which is what will read it in the kernel.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self> {
        let header = Header::read(bytes)?;
        let image = Image::from_bytes(bytes.to_vec()).map_err(|error| match error {
            ImageError::Abi { found, expected } => Error::ImageAbi { found, expected },
            other => damaged(other.to_string()),
        })?;
        Ok(Self {
            header,
            fields: image.fields().collect(),
            bytes: image.into_bytes(),
        })
    }

    /// Its fields, and those of what sticks to tasks under it.
    pub(crate) fn fields(&self) -> &[FieldId] {
        &self.fields
    }

    /// What sticks to tasks under it, by bit.
    pub(crate) fn sticky(&self) -> Result<Vec<StickyReport>> {
        sticky(&self.bytes)
    }

    /// The bytes with an epoch in the header.
    pub(crate) fn with_epoch(mut self, epoch: u32) -> Vec<u8> {
        self.header.epoch = epoch;
        if let Some(field) = self.bytes.get_mut(H_EPOCH..H_EPOCH + 4) {
            field.copy_from_slice(&epoch.to_le_bytes());
        }
        self.bytes
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use lsmpc_abi::hook::HOOK_SLOTS;
    use lsmpc_abi::image::{H_OUTCOME_COUNT, H_OUTCOMES, H_REPORT, H_TABLES_END, REF_TERMINAL};
    use lsmpc_engine::image::digest;

    use super::*;

    /// An image of so many pages that names these hooks and allows everything.
    pub(crate) fn blank(pages: u32, hooks: &[HookId]) -> Vec<u8> {
        let end = pages * PAGE_SIZE as u32;
        let mut bytes = vec![0; end as usize];
        bytes[..8].copy_from_slice(&MAGIC);
        for (at, word) in [
            (H_ABI, ABI_VERSION),
            (H_PAGES, pages),
            // Outcome 0 is all zero, and so is the end of the header.
            (H_OUTCOMES, PAGE_SIZE as u32 - 16),
            (H_OUTCOME_COUNT, 1),
            (H_TABLES_END, end),
            (H_REPORT, end),
        ] {
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        for hook in 0..HOOK_SLOTS {
            let at = H_HOOKS + HOOK_ENTRY_SIZE * hook;
            bytes[at..at + 4].copy_from_slice(&REF_TERMINAL.to_le_bytes());
            bytes[at + 4] = u8::from(hooks.iter().any(|used| *used as usize == hook));
        }
        let digest = digest(&bytes);
        bytes[H_DIGEST..H_DIGEST + 32].copy_from_slice(&digest);
        bytes
    }

    #[test]
    fn the_epoch_is_outside_of_the_digest() {
        let bytes = blank(2, &[HookId::FileOpen, HookId::TaskKill]);
        let image = CheckedImage::new(&bytes).unwrap();
        assert_eq!(image.header.hooks, [HookId::FileOpen, HookId::TaskKill]);
        assert_eq!(image.header.epoch, 0);
        let loaded = image.with_epoch(7);
        assert_eq!(CheckedImage::new(&loaded).unwrap().header.epoch, 7);
    }

    #[test]
    fn damage_is_found() {
        let good = blank(2, &[HookId::FileOpen]);
        let reason = |bytes: &[u8]| CheckedImage::new(bytes).unwrap_err().to_string();
        assert!(reason(&[]).contains("shorter"));
        assert!(reason(&good[..PAGE_SIZE]).contains("pages"));
        let mut bad = good.clone();
        bad[0] = 0;
        assert!(reason(&bad).contains("does not begin"));
        let mut bad = good.clone();
        bad[PAGE_SIZE + 5] = 1;
        assert!(reason(&bad).contains("digest"));
        let mut bad = good.clone();
        bad[H_ABI] = 99;
        assert!(matches!(
            CheckedImage::new(&bad),
            Err(Error::ImageAbi { found: 99, .. })
        ));
        let mut bad = good;
        bad[H_PAGES..H_PAGES + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(reason(&bad).contains("claims"));
    }
}
