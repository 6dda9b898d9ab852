//! What the evaluating program is given: an image's pages, one event's values, and
//! texts. It is run by `BPF_PROG_TEST_RUN` and never attached.

/// Array of [`crate::image::PAGE_SIZE`]-byte pages; sized when it is loaded.
pub const PAGES: &str = "PAGES";
/// Array with one [`Given`].
pub const GIVEN: &str = "GIVEN";
/// Array of texts, each at the end of its [`TEXT_SIZE`] bytes.
pub const TEXTS: &str = "TEXTS";
/// The program's symbol.
pub const PROGRAM: &str = "evaluate";

/// Room for the value of every field, by its number.
pub const FIELDS: usize = 128;
/// Texts that one event can have.
pub const TEXT_COUNT: usize = 64;
/// Bytes of one of them.
pub const TEXT_SIZE: usize = 4096;

/// In the program's result: the lower half is the number of a fault.
pub const FAULTED: u32 = 1 << 31;

/// An event.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Given {
    /// The hook's number.
    pub hook: u32,
    /// Pages of the image.
    pub pages: u32,
    /// Of each field, by its number.
    pub values: [GivenValue; FIELDS],
}

/// A value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct GivenValue {
    /// One of [`kind`].
    pub kind: u32,
    /// Of a text: its number in [`TEXTS`].
    pub text: u32,
    /// An integer, the bits that are set, the low half of an address, or a text's
    /// length.
    pub low: u64,
    /// The bits that are not known, or the high half of an address.
    pub high: u64,
}

/// Kinds of values.
pub mod kind {
    /// Cannot be read.
    pub const UNKNOWN: u32 = 0;
    /// Does not apply.
    pub const NONE: u32 = 1;
    /// An integer.
    pub const SCALAR: u32 = 2;
    /// Bits, of which some may not be known.
    pub const BITS: u32 = 3;
    /// An address.
    pub const WIDE: u32 = 4;
    /// A text.
    pub const TEXT: u32 = 5;
}
