//! Events: from the ring buffer to owned records.
//!
//! Owns decoding, waiting and the wall clock. Must not know how a record is
//! shown, nor which rules an outcome stands for beyond asking the image's report.

mod clock;
mod reader;
mod record;
mod reports;
mod strings;

pub use clock::BootClock;
pub use reader::{EventItem, EventReader, Lost};
pub use record::{DecodeError, EventRecord, Text, Value};
pub use strings::{List, Strings};
