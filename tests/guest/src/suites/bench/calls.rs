//! Calls other than open: stat, connect, and executing a program.

use anyhow::Result;

use super::reference::Reference;
use super::{Bench, PATH, PROGRAM, Row, apply_image, count, image, remove, test};
use crate::console::Report;

/// A call, and the hook that judges it.
struct Call {
    name: &'static str,
    hook: &'static str,
    words: &'static [&'static str],
}

const CALLS: [Call; 3] = [
    Call {
        name: "stat",
        hook: "inode_getattr",
        words: &["stat", PATH],
    },
    Call {
        name: "connect",
        hook: "socket_connect",
        words: &["connect", "9"],
    },
    Call {
        name: "exec",
        hook: "bprm_check_security",
        words: &["spawn", PROGRAM],
    },
];

const RULES: [u64; 2] = [1, 10_000];
/// Calls in each batch before the first that counts.
const WARM: u64 = 16;

pub(super) fn run(report: &mut Report, bench: &mut Bench) {
    for call in &CALLS {
        test(report, &format!("bench::{}", call.name), |report| {
            let result = measure(report, bench, call);
            result.and(remove())
        });
    }
}

fn measure(report: &mut Report, bench: &mut Bench, call: &Call) -> Result<()> {
    // The first program at a hook changes the kernel's text for good, and what the kernel
    // keeps for the next process comes to rest late.
    Reference::attach("empty", call.hook)?.detach()?;
    bench.sample("wall", WARM, call.words)?;
    let nothing = bench.settled(call.words)?;
    Row::of(call.name, "nothing attached", "nothing", 0).cost(report, nothing, nothing)?;
    let program = Reference::attach("empty", call.hook)?;
    let one = bench.settled(call.words)?;
    Row::of(call.name, "an empty program", "empty", 0).cost(report, one, nothing)?;
    program.detach()?;
    for rules in RULES {
        let Some(image) = image(&format!("{}-{rules}", call.name)) else {
            continue;
        };
        apply_image(&image)?;
        let one = bench.settled(call.words)?;
        Row::of(call.name, &count(rules, "rule"), "lsmpc", rules).cost(report, one, nothing)?;
    }
    Ok(())
}
