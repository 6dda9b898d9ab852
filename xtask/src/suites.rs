//! Which suites run in which guests: the one table of `cargo xtask test`.

use std::time::Duration;

use crate::kernels::TESTED;
use crate::vm::DEFAULT_LSM;

/// One row: a suite in one kind of guest, on each of its kernels.
pub(crate) struct Row {
    pub(crate) suite: &'static str,
    pub(crate) arguments: &'static [&'static str],
    pub(crate) kernels: &'static [&'static str],
    pub(crate) smp: u32,
    /// More words for the kernel command line.
    pub(crate) append: &'static str,
    pub(crate) lsm: &'static str,
    pub(crate) timeout: Duration,
}

impl Row {
    /// A suite on all kernels, with one processor and five minutes.
    const fn new(suite: &'static str) -> Self {
        Self {
            suite,
            arguments: &[],
            kernels: TESTED,
            smp: 1,
            append: "",
            lsm: DEFAULT_LSM,
            timeout: Duration::from_secs(300),
        }
    }

    /// What tells this row from others, for people.
    pub(crate) fn title(&self) -> String {
        let mut title = self.suite.to_owned();
        for word in self.arguments.iter().chain([&self.append]) {
            if !word.is_empty() {
                title = format!("{title} {word}");
            }
        }
        title
    }
}

const TEN_MINUTES: Duration = Duration::from_secs(600);
const HALF_AN_HOUR: Duration = Duration::from_secs(1800);

/// The kernel on which what takes long runs in full.
const IN_FULL: &[&str] = &["6.12"];
/// Those on which it runs for a shorter time.
const IN_SHORT: &[&str] = &["6.1", "newest"];

/// Everything that runs in guests. What takes longest comes first, so that
/// the last guests to end are short ones.
pub(crate) const ROWS: &[Row] = &[
    Row {
        kernels: &["6.12", "newest"],
        arguments: &["10000"],
        smp: 2,
        append: "preempt=full",
        timeout: HALF_AN_HOUR,
        ..Row::new("swap")
    },
    Row {
        kernels: IN_FULL,
        arguments: &["10000", "variant-two-lookups"],
        smp: 2,
        append: "preempt=full",
        timeout: TEN_MINUTES,
        ..Row::new("swap")
    },
    // All of its points: `cargo xtask vm --kernel 6.12 --suite kill9`.
    Row {
        kernels: IN_FULL,
        arguments: &["1", "5"],
        timeout: HALF_AN_HOUR,
        ..Row::new("kill9")
    },
    Row {
        kernels: IN_SHORT,
        arguments: &["1", "20"],
        timeout: TEN_MINUTES,
        ..Row::new("kill9")
    },
    Row {
        kernels: IN_FULL,
        arguments: &["60"],
        append: "preempt=full",
        ..Row::new("race")
    },
    Row {
        kernels: IN_FULL,
        arguments: &["60", "variant-percpu-scratch"],
        append: "preempt=full",
        ..Row::new("race")
    },
    Row {
        // A swap waits for a whole grace period here.
        kernels: &["6.1"],
        arguments: &["1000"],
        smp: 2,
        timeout: TEN_MINUTES,
        ..Row::new("swap")
    },
    Row {
        kernels: IN_SHORT,
        arguments: &["20"],
        append: "preempt=full",
        ..Row::new("race")
    },
    Row {
        timeout: HALF_AN_HOUR,
        ..Row::new("enforce")
    },
    Row {
        timeout: HALF_AN_HOUR,
        ..Row::new("verifier")
    },
    Row {
        timeout: TEN_MINUTES,
        ..Row::new("scopes")
    },
    Row {
        timeout: TEN_MINUTES,
        ..Row::new("bypass")
    },
    Row::new("events"),
    Row::new("stacking"),
    Row::new("catalogue"),
    Row::new("locks"),
    Row {
        smp: 2,
        append: "preempt=full",
        ..Row::new("directories")
    },
    Row::new("preflight"),
    Row {
        timeout: TEN_MINUTES,
        ..Row::new("flow")
    },
    Row {
        kernels: IN_FULL,
        arguments: &["no-bpf"],
        lsm: "lockdown,capability,landlock,apparmor",
        ..Row::new("preflight")
    },
    Row {
        kernels: IN_FULL,
        ..Row::new("demo")
    },
    Row::new("evaluators"),
    Row::new("smoke"),
];
