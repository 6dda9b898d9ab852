//! What a guest says: the lines of the protocol that `main.rs` describes, and
//! the [`Report`] through which suites say them.

use std::any::Any;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;

/// Prints one line of the protocol.
///
/// Written with a single `write`, so that lines of several processes do not
/// run into each other.
pub(crate) fn line(text: &str) {
    let line = format!("LSMPC-GUEST: {}\n", one_line(text));
    let mut out = std::io::stdout().lock();
    // The console is all a guest has: when it fails there is nobody to tell.
    let _ = out.write_all(line.as_bytes());
    let _ = out.flush();
}

/// `text` with its line breaks shown as ` | `, so that it stays one line.
fn one_line(text: &str) -> String {
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join(" | ")
}

/// Collects what the tests of one suite came to, and says it as they end.
pub(crate) struct Report {
    only: Option<String>,
    lines: usize,
    failed: usize,
}

impl Report {
    /// A report of which tests whose name lacks `only` are left out.
    pub(crate) fn new(only: Option<String>) -> Self {
        Self {
            only,
            lines: 0,
            failed: 0,
        }
    }

    /// Whether a test of this name is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| name.contains(only))
    }

    /// Runs one test. An error or a panic fails it; the next one still runs.
    pub(crate) fn test(&mut self, name: &str, body: impl FnOnce() -> anyhow::Result<()>) {
        if !self.wants(name) {
            return;
        }
        match catch_unwind(AssertUnwindSafe(body)) {
            Ok(Ok(())) => self.outcome(name, "ok"),
            Ok(Err(error)) => self.fail(name, &format!("{error:#}")),
            Err(panic) => self.fail(name, &format!("panicked: {}", panic_text(&*panic))),
        }
    }

    /// Says that a test could not be made here, and why.
    pub(crate) fn skip(&mut self, name: &str, reason: &str) {
        if self.wants(name) {
            self.outcome(name, &format!("skipped {reason}"));
        }
    }

    /// Says that a test failed, and why.
    pub(crate) fn fail(&mut self, name: &str, reason: &str) {
        self.failed += 1;
        self.outcome(name, &format!("FAILED {reason}"));
    }

    /// Says a line of narration.
    pub(crate) fn say(&mut self, text: &str) {
        line(&format!("say {text}"));
    }

    /// Hands a value to the host, which collects them in a file.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        line(&format!("json {}", serde_json::to_string(value)?));
        Ok(())
    }

    /// Says the closing lines; whether no test failed.
    pub(crate) fn close(self) -> bool {
        line(&format!("count {}", self.lines));
        let passed = self.failed == 0;
        line(if passed { "end ok" } else { "end FAILED" });
        passed
    }

    fn outcome(&mut self, name: &str, outcome: &str) {
        self.lines += 1;
        line(&format!(
            "test {} {outcome}",
            name.replace(char::is_whitespace, "_")
        ));
    }
}

/// The message a panic carried.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}
