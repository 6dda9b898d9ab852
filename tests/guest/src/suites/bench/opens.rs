//! An open and close of one file: with programs of little use, with policies, and with
//! a scan over all rules.

use std::fs;

use anyhow::{Context as _, Result};

use super::reference::Reference;
use super::{Bench, OPEN, PATH, Row, apply_image, count, image, remove, test};
use crate::cli;
use crate::console::Report;

pub(super) const GROUP: &str = "open";
/// What is renamed there and back, elsewhere in the same file system.
pub(super) const RENAMED: [&str; 2] = ["/bench/elsewhere-a", "/bench/elsewhere-b"];
const RENAME: &[&str] = &["rename", RENAMED[0], RENAMED[1]];
const RENAME_AND_OPEN: &[&str] = &["rename", RENAMED[0], RENAMED[1], "+", "open", PATH];

/// Numbers of path rules.
const RULES: [u64; 6] = [1, 100, 1_000, 4_000, 10_000, 100_000];
/// The same for the scan.
const SCANNED: [u64; 3] = [100, 1_000, 10_000];

/// What an open costs with nothing attached.
struct Nothing {
    known: u64,
    /// After a rename.
    cold: u64,
}

/// Only what nothing costs.
pub(super) fn bare(report: &mut Report, bench: &mut Bench) {
    let row = Row::of(GROUP, "nothing attached, AppArmor not started", "bare", 0);
    test(report, "bench::open::bare", |report| {
        let bare = bench.settled(OPEN)?;
        row.cost(report, bare, bare)
    });
}

pub(super) fn run(report: &mut Report, bench: &mut Bench) {
    let nothing = match nothing(report, bench) {
        Ok(nothing) => nothing,
        Err(error) => return report.fail("bench::open::nothing", &format!("{error:#}")),
    };
    report.test("bench::open::nothing", || Ok(()));
    for (program, name) in [
        ("empty", "an empty program"),
        ("path_only", "a program that asks for the path (d_path)"),
    ] {
        test(report, &format!("bench::open::{program}"), |report| {
            let attached = Reference::attach(program, "file_open")?;
            let one = bench.settled(OPEN)?;
            attached.detach()?;
            Row::of(GROUP, name, program, 0).cost(report, one, nothing.known)
        });
    }
    let small = [
        (
            "other program",
            "policy about another program",
            "deny file_open when exe == \"/tmp/*\"",
        ),
        (
            "other hook",
            "policy about another hook",
            "deny path_unlink when path == \"/tmp/*\"",
        ),
        (
            "user",
            "1 rule about another user",
            "deny file_open when uid == 4242",
        ),
        (
            "elsewhere",
            "1 path rule about another tree",
            "deny file_open when path == \"/elsewhere/file\"",
        ),
        (
            "wildcards",
            "1 path rule with wildcards in the name",
            "deny file_open when path == \"/bench/**/names/*.key\"",
        ),
    ];
    for (series, name, text) in small {
        let test_name = format!("bench::open::{}", series.replace(' ', "_"));
        test(report, &test_name, |report| {
            cli::apply(&format!("{text}\n"))?;
            let one = bench.settled(OPEN)?;
            Row::of(GROUP, name, series, 1).cost(report, one, nothing.known)
        });
    }
    for rules in RULES {
        policy(report, bench, &nothing, "open", rules);
    }
    for (policy_name, rules) in [("other", 10_000), ("program", 4_000)] {
        policy(report, bench, &nothing, policy_name, rules);
    }
    report.test("bench::open::remove", remove);
    let globs = fs::read_to_string("/material/globs").unwrap_or_default();
    let globs: Vec<&str> = globs.lines().collect();
    for rules in SCANNED {
        let Some(globs) = globs.get(..rules as usize) else {
            continue;
        };
        let name = format!("a program that compares with {}", count(rules, "rule"));
        test(report, &format!("bench::open::linear_{rules}"), |report| {
            let attached = Reference::linear(globs)?;
            let one = bench.settled(OPEN)?;
            attached.detach()?;
            Row::of(GROUP, &name, "linear", rules).cost(report, one, nothing.known)
        });
    }
    test(report, "bench::open::nothing_again", |report| {
        let one = bench.settled(OPEN)?;
        Row::new(GROUP, "nothing attached, again").cost(report, one, nothing.known)
    });
}

fn nothing(report: &mut Report, bench: &mut Bench) -> Result<Nothing> {
    let known = bench.settled(OPEN)?;
    let cold = cold(bench)?;
    Row::of(GROUP, "nothing attached", "nothing", 0).cost(report, known, known)?;
    let name = "nothing attached, after a rename elsewhere";
    Row::of(GROUP, name, "nothing cold", 0).cost(report, cold, known)?;
    Ok(Nothing { known, cold })
}

/// Instructions of an open after a rename elsewhere, without those of the rename.
fn cold(bench: &mut Bench) -> Result<u64> {
    let rename = bench.settled(RENAME)?;
    Ok(bench.settled(RENAME_AND_OPEN)?.saturating_sub(rename))
}

/// Both rows of a policy that the host has compiled.
fn policy(report: &mut Report, bench: &mut Bench, nothing: &Nothing, kind: &str, rules: u64) {
    let Some(image) = image(&format!("{kind}-{rules}")) else {
        return;
    };
    let count = count(rules, "path rule");
    let (known, cold_name, series) = match kind {
        "other" => (
            format!("{count} about another program"),
            None,
            ["not concerned", ""],
        ),
        "program" => (
            format!("{count} about this program"),
            Some(format!("{count} about this program, directory not known")),
            ["program", "program cold"],
        ),
        _ => (
            count.clone(),
            Some(format!("{count}, directory not known")),
            ["lsmpc", "lsmpc cold"],
        ),
    };
    test(report, &format!("bench::open::{kind}_{rules}"), |report| {
        apply_image(&image)?;
        let one = bench.settled(OPEN).context("directory known")?;
        Row::of(GROUP, &known, series[0], rules).cost(report, one, nothing.known)?;
        if let Some(name) = cold_name {
            let one = cold(bench).context("directory not known")?;
            Row::of(GROUP, &name, series[1], rules).cost(report, one, nothing.cold)?;
        }
        Ok(())
    });
}
