//! Counts tests, and says the closing line.

use std::fmt;
use std::ops::AddAssign;

/// What a number of tests came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

impl Tally {
    /// Reads the summary that Rust's test harness prints for one binary.
    pub(crate) fn of_harness_line(line: &str) -> Option<Self> {
        let rest = line.trim().strip_prefix("test result: ")?;
        let (_, counts) = rest.split_once(". ")?;
        let mut tally = Self::default();
        for part in counts.split("; ") {
            let (number, what) = part.split_once(' ')?;
            let Ok(number) = number.parse::<usize>() else {
                continue;
            };
            match what {
                "passed" => tally.passed += number,
                "failed" => tally.failed += number,
                "ignored" => tally.skipped += number,
                _ => {}
            }
        }
        Some(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn harness_lines_are_read() {
        let line = "test result: FAILED. 12 passed; 1 failed; 3 ignored; 0 measured; 0 filtered \
                    out; finished in 0.01s";
        let tally = Tally {
            passed: 12,
            failed: 1,
            skipped: 3,
        };
        assert_eq!(Tally::of_harness_line(line), Some(tally));
        assert_eq!(Tally::of_harness_line("test a ... ok"), None);
    }

    #[test]
    fn skipped_are_said_only_where_there_are_some() {
        let mut tally = Tally {
            passed: 2,
            failed: 0,
            skipped: 0,
        };
        assert_eq!(tally.to_string(), "2 passed, 0 failed");
        tally += Tally {
            passed: 1,
            failed: 1,
            skipped: 1,
        };
        assert_eq!(tally.to_string(), "3 passed, 1 failed, 1 skipped");
    }
}
