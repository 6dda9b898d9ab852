//! Whole images: owned bytes that have been checked.
//!
//! Owns the checks that let an event be evaluated without a [`crate::Fault`]:
//! header and digest here, everything that evaluation can reach in [`check`]. It
//! must not know how images are made or loaded.

mod check;

use std::vec::Vec;

use lsmpc_abi::{
    ABI_VERSION,
    field::FieldId,
    hook::{HOOK_SLOTS, HookId},
    image::{
        H_ABI, H_DIGEST, H_EPOCH, H_HOOKS, H_OUTCOME_COUNT, H_PAGES, H_REPORT, H_REPORT_LEN,
        H_TABLES_END, HOOK_ENTRY_SIZE, HOOK_USED, HookEntry, MAGIC, MAX_PAGES, PAGE_SIZE,
    },
};
use sha2::{Digest, Sha256};

use crate::{Fault, Memory, Outcome, host::Slice, report::Report};

/// Bytes of the digest.
const DIGEST_SIZE: usize = 32;

/// An image that can be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    bytes: Vec<u8>,
    /// What the subject's diagram reads: bit *n* is field *n*.
    subject: u128,
}

/// Why bytes are no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Not a whole number of pages, or none.
    #[error("{0} bytes are no whole number of pages")]
    Size(usize),
    /// More pages than an image may have.
    #[error("{0} pages are more than an image may have")]
    TooLarge(u64),
    /// It begins with something else.
    #[error("not a table image")]
    Magic,
    /// It was made for other programs.
    #[error("made for ABI version {found}, this is version {expected}: compile the policy again")]
    Abi {
        /// The image's.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// It is cut off or has bytes too many.
    #[error("the header says {said} pages, there are {found}")]
    Pages {
        /// By the header.
        said: u32,
        /// As many as there are.
        found: u64,
    },
    /// It was changed after it was made.
    #[error("the digest does not fit the contents")]
    Digest,
    /// Something in it cannot be evaluated.
    #[error("invalid {what} at offset {offset}")]
    Invalid {
        /// What.
        what: &'static str,
        /// Where.
        offset: u32,
    },
    /// Its report cannot be read.
    #[error("the report cannot be read: {0}")]
    Report(std::string::String),
}

fn invalid(what: &'static str, offset: usize) -> ImageError {
    ImageError::Invalid {
        what,
        offset: u32::try_from(offset).unwrap_or(u32::MAX),
    }
}

fn u32_of(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn u64_of(bytes: &[u8], offset: usize) -> Option<u64> {
    let bytes = bytes.get(offset..offset.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// The digest that an image's header must hold: of its bytes with epoch and
/// digest zero.
#[must_use]
pub fn digest(bytes: &[u8]) -> [u8; DIGEST_SIZE] {
    let part = |from: usize, to: usize| bytes.get(from.min(bytes.len())..to.min(bytes.len()));
    let mut hasher = Sha256::new();
    hasher.update(part(0, H_EPOCH).unwrap_or_default());
    hasher.update([0; 4]);
    hasher.update(part(H_EPOCH + 4, H_DIGEST).unwrap_or_default());
    hasher.update([0; DIGEST_SIZE]);
    hasher.update(part(H_DIGEST + DIGEST_SIZE, bytes.len()).unwrap_or_default());
    hasher.finalize().into()
}

impl Image {
    /// Checks bytes: afterwards no event can make evaluation fail.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, ImageError> {
        if bytes.is_empty() || !bytes.len().is_multiple_of(PAGE_SIZE) {
            return Err(ImageError::Size(bytes.len()));
        }
        let found = (bytes.len() / PAGE_SIZE) as u64;
        if found > u64::from(MAX_PAGES) {
            return Err(ImageError::TooLarge(found));
        }
        if !bytes.starts_with(&MAGIC) {
            return Err(ImageError::Magic);
        }
        let header = |offset| u32_of(&bytes, offset).unwrap_or_default();
        if header(H_ABI) != ABI_VERSION {
            return Err(ImageError::Abi {
                found: header(H_ABI),
                expected: ABI_VERSION,
            });
        }
        if u64::from(header(H_PAGES)) != found {
            return Err(ImageError::Pages {
                said: header(H_PAGES),
                found,
            });
        }
        if bytes.get(H_DIGEST..H_DIGEST + DIGEST_SIZE) != Some(&digest(&bytes)[..]) {
            return Err(ImageError::Digest);
        }
        let tables_end = header(H_TABLES_END) as usize;
        if tables_end < PAGE_SIZE
            || tables_end > bytes.len()
            || !tables_end.is_multiple_of(PAGE_SIZE)
        {
            return Err(invalid("end of the tables", H_TABLES_END));
        }
        let (report, length) = (header(H_REPORT) as usize, header(H_REPORT_LEN) as usize);
        if report < tables_end || report.saturating_add(length) > bytes.len() {
            return Err(invalid("place of the report", H_REPORT));
        }
        let subject = check::check(bytes.get(..tables_end).unwrap_or_default())?;
        Ok(Self { bytes, subject })
    }

    /// The image's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The image's bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn header(&self, offset: usize) -> u32 {
        u32_of(&self.bytes, offset).unwrap_or_default()
    }

    /// How many pages it has.
    #[must_use]
    pub fn pages(&self) -> u32 {
        self.header(H_PAGES)
    }

    /// Its epoch: 0 unless it was read back from the kernel.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.header(H_EPOCH)
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> [u8; DIGEST_SIZE] {
        self.bytes
            .get(H_DIGEST..H_DIGEST + DIGEST_SIZE)
            .and_then(|digest| digest.try_into().ok())
            .unwrap_or_default()
    }

    /// Bytes of the tables, header included.
    #[must_use]
    pub fn tables_end(&self) -> u32 {
        self.header(H_TABLES_END)
    }

    /// How many outcomes it has.
    #[must_use]
    pub fn outcome_count(&self) -> u32 {
        self.header(H_OUTCOME_COUNT)
    }

    /// An outcome.
    ///
    /// # Errors
    /// [`Fault::Outcome`], if there is none of that number.
    pub fn outcome(&self, number: u32) -> Result<Outcome, Fault> {
        crate::outcome(self, number)
    }

    /// A hook's entry.
    #[must_use]
    pub fn hook(&self, hook: HookId) -> HookEntry {
        hook_entry(&self.bytes, hook as usize)
    }

    /// The hooks that the policy names, in the order of their numbers.
    pub fn hooks(&self) -> impl Iterator<Item = (HookId, HookEntry)> {
        HookId::ALL
            .iter()
            .map(|hook| (*hook, self.hook(*hook)))
            .filter(|(_, entry)| entry.flags & HOOK_USED != 0)
    }

    /// The fields that some event is decided by, those of what sticks to tasks included.
    pub fn fields(&self) -> impl Iterator<Item = FieldId> {
        let needs = self.hooks().fold(self.subject, |needs, (_, entry)| {
            let [low, high] = entry.needs.map(u128::from);
            needs | high << 64 | low
        });
        let all = FieldId::ALL.iter().copied();
        all.filter(move |field| needs >> (*field as u8) & 1 == 1)
    }

    /// The report as it is stored.
    #[must_use]
    pub fn report_bytes(&self) -> &[u8] {
        let start = self.header(H_REPORT) as usize;
        let length = self.header(H_REPORT_LEN) as usize;
        self.bytes
            .get(start..start.saturating_add(length))
            .unwrap_or_default()
    }

    /// The report.
    ///
    /// # Errors
    /// [`ImageError::Report`], if it has another form.
    pub fn report(&self) -> Result<Report<'static>, ImageError> {
        use std::string::ToString;
        Report::read(self.report_bytes()).map_err(|error| ImageError::Report(error.to_string()))
    }
}

fn hook_entry(bytes: &[u8], hook: usize) -> HookEntry {
    let at = H_HOOKS + hook.min(HOOK_SLOTS - 1) * HOOK_ENTRY_SIZE;
    HookEntry {
        root: u32_of(bytes, at).unwrap_or_default(),
        flags: u32_of(bytes, at + 4).unwrap_or_default(),
        needs: [
            u64_of(bytes, at + 8).unwrap_or_default(),
            u64_of(bytes, at + 16).unwrap_or_default(),
        ],
        worst_steps: u32_of(bytes, at + 24).unwrap_or_default(),
        reserved: u32_of(bytes, at + 28).unwrap_or_default(),
    }
}

impl Memory for Image {
    #[inline]
    fn page(&self, index: u32) -> Option<&[u8; PAGE_SIZE]> {
        let start = (index as usize).checked_mul(PAGE_SIZE)?;
        self.bytes
            .get(start..start.checked_add(PAGE_SIZE)?)?
            .try_into()
            .ok()
    }
}

impl<'i> From<&'i Image> for Slice<'i> {
    fn from(image: &'i Image) -> Self {
        Self(&image.bytes)
    }
}
