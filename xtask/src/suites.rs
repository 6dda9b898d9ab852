//! Which suites run in which guests: the one table of `cargo xtask test`.

use std::time::Duration;

use crate::kernels::TESTED;

/// One row: a suite in one kind of guest, on each of its kernels.
pub(crate) struct Row {
    pub(crate) suite: &'static str,
    pub(crate) arguments: &'static [&'static str],
    pub(crate) kernels: &'static [&'static str],
    pub(crate) smp: u32,
    /// More words for the kernel command line.
    pub(crate) append: &'static str,
    pub(crate) timeout: Duration,
}

impl Row {
    /// A suite on all kernels, with one processor and two minutes.
    const fn new(suite: &'static str) -> Self {
        Self {
            suite,
            arguments: &[],
            kernels: TESTED,
            smp: 1,
            append: "",
            timeout: Duration::from_secs(120),
        }
    }
}

/// Everything that runs in guests.
pub(crate) const ROWS: &[Row] = &[Row::new("smoke")];
