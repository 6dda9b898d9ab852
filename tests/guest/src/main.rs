//! The init of a test guest: mounts what a suite needs, runs the one suite
//! that the kernel command line names, says on the console what came of it,
//! and switches the machine off.
//!
//! # How a guest is asked
//!
//! The kernel command line carries `lsmpc.run=SUITE[,ARG…]`. Arguments are
//! percent-encoded where they hold a comma, a space, a quote or a percent sign.
//! `lsmpc.env=NAME=VALUE` (any number of times, the same encoding) sets
//! variables of the environment before the suite starts; `lsmpc.only=TEXT`
//! leaves out the tests whose name does not contain TEXT.
//!
//! # How a guest answers
//!
//! One line each on the console, everything else there being for people:
//!
//! ```text
//! LSMPC-GUEST: begin SUITE kernel=RELEASE
//! LSMPC-GUEST: test NAME ok
//! LSMPC-GUEST: test NAME FAILED reason on one line
//! LSMPC-GUEST: test NAME skipped reason on one line
//! LSMPC-GUEST: say narration, shown by `cargo xtask demo`
//! LSMPC-GUEST: json {"any":"object"}
//! LSMPC-GUEST: count N
//! LSMPC-GUEST: end ok
//! ```
//!
//! A test's NAME has no spaces. `count` is the number of `test` lines, so that
//! a line lost on the console is noticed. `end FAILED` replaces `end ok` when a
//! test failed or the suite itself returned an error. The guest then makes QEMU
//! exit with 33 (ok) or 35 (failed): on x86-64 it writes 0x10 or 0x11 to I/O
//! port 0xf4, on aarch64 it asks by semihosting. A pass is *both* the marker and
//! exit code 33: a guest that panics exits QEMU with 0.
//!
//! # What a suite finds
//!
//! It runs as root in process 1, on the initial root file system, with these
//! mounted: `/proc`, `/sys`, `/sys/kernel/security`, `/sys/kernel/tracing`
//! (where there is one), `/sys/fs/bpf`, `/sys/fs/cgroup` (version 2), `/dev`,
//! `/dev/pts`, and tmpfs on `/dev/shm`, `/tmp` and `/run`. The loopback
//! interface is up. There is no shell and no library; in the image are:
//!
//! - `/init`: this program; `/usr/bin/lsmpc`: the command line tool, static;
//! - `/examples/*.lsmp`: the repository's examples;
//! - `/objects/lsmpc.bpf.o`, `/objects/variants/*.bpf.o`: the hook programs,
//!   shipped and deliberately broken ones;
//! - `/lib/modules/RELEASE/`: the few modules that suites load with
//!   [`machine::load_module`], as Debian packs them;
//! - everything under `tests/guest/files/`, from the root.
//!
//! Process 1 has to reap what its children leave behind; [`machine::reap`]
//! does. A panic inside a test fails that test only.
//!
//! # Who acts
//!
//! Suites do nothing themselves that a policy should judge: they start an
//! [`actor::Actor`], this same binary under another path, and tell it which
//! system calls to make. So what is denied is a real call of a real program
//! whose path, ids and name the test chose.
//!
//! # How to add a suite
//!
//! Write `suites/NAME.rs` with a `pub(crate) const SUITE: Suite`, and add it
//! to [`suites::ALL`]. To have `cargo xtask test` run it, add a row to the
//! table in `xtask/src/suites.rs`.

mod actions;
mod actor;
mod architecture;
mod bpf;
mod cli;
mod console;
mod machine;
mod passing;
mod suites;
mod tracing;

use std::process::ExitCode;

use console::Report;
use machine::{CommandLine, PowerSwitch};

fn main() -> ExitCode {
    if let Some(code) = actions::run_if_asked() {
        return code;
    }
    if std::process::id() != 1 {
        eprintln!("lsmpc-guest is the init of a test guest; `cargo xtask vm` boots one");
        return ExitCode::from(2);
    }
    // The switch is taken before anything else: without it no failure could
    // be told from a hang.
    let switch = PowerSwitch::take();
    let passed = run();
    switch.off(passed)
}

/// Prepares the machine and runs the suite; whether everything passed.
fn run() -> bool {
    if let Err(error) = machine::prepare() {
        console::line(&format!("say the guest could not be prepared: {error:#}"));
        console::line("end FAILED");
        return false;
    }
    let command_line = match CommandLine::read() {
        Ok(command_line) => command_line,
        Err(error) => {
            console::line(&format!("say the kernel command line: {error:#}"));
            console::line("end FAILED");
            return false;
        }
    };
    machine::set_environment(&command_line.environment);
    console::line(&format!(
        "begin {} kernel={}",
        command_line.suite,
        machine::release()
    ));
    let mut report = Report::new(command_line.only.clone());
    match suites::find(&command_line.suite) {
        Some(suite) => {
            if let Err(error) = (suite.run)(&mut report, &command_line.arguments) {
                report.fail("suite", &format!("{error:#}"));
            }
        }
        None => report.fail(
            "suite",
            &format!(
                "there is no suite {:?}; there are: {}",
                command_line.suite,
                suites::names()
            ),
        ),
    }
    report.close()
}
