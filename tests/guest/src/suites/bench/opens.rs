//! An open and close of one file: with programs of little use, with policies, and with
//! a scan over all rules.

use std::fs;

use anyhow::{Context as _, Result};

use super::reference::Reference;
use super::{Bench, DIRECTORY, OPEN, PATH, Row, apply_image, count, image, remove, test};
use crate::cli;
use crate::console::Report;

pub(super) const GROUP: &str = "open";
/// What is renamed there and back, elsewhere in the same file system.
pub(super) const RENAMED: [&str; 2] = ["/bench/elsewhere-a", "/bench/elsewhere-b"];
const RENAME: &[&str] = &["rename", RENAMED[0], RENAMED[1]];
const RENAME_AND_OPEN: &[&str] = &["rename", RENAMED[0], RENAMED[1], "+", "open", PATH];
/// A file that gets the name of the one that is opened.
pub(super) const SPARE: &str = "/bench/spare";
/// Where the directory is while others are made in its place.
const AWAY: &str = "/bench/directory/with-a-few/others";
const MAKE: &[&str] = &[
    "make", DIRECTORY, SPARE, PATH, "+", "unmake", DIRECTORY, PATH,
];
const MAKE_AND_OPEN: &[&str] = &[
    "make", DIRECTORY, SPARE, PATH, "+", "open", PATH, "+", "unmake", DIRECTORY, PATH,
];

/// Numbers of path rules.
const RULES: [u64; 6] = [1, 100, 1_000, 4_000, 10_000, 100_000];
/// The same for the scan.
const SCANNED: [u64; 3] = [100, 1_000, 10_000];

/// What an open costs with nothing attached.
struct Nothing {
    known: u64,
    /// After a rename.
    renamed: u64,
    /// In a directory that has just been made.
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
    let renamed = renamed(bench)?;
    let cold = cold(bench)?;
    Row::of(GROUP, "nothing attached", "nothing", 0).cost(report, known, known)?;
    let name = "nothing attached, after a rename elsewhere";
    Row::of(GROUP, name, "nothing renamed", 0).cost(report, renamed, known)?;
    let name = "nothing attached, in a new directory";
    Row::of(GROUP, name, "nothing cold", 0).cost(report, cold, known)?;
    Ok(Nothing {
        known,
        renamed,
        cold,
    })
}

/// Instructions of an open after a rename elsewhere, without those of the rename.
fn renamed(bench: &mut Bench) -> Result<u64> {
    let rename = bench.settled(RENAME)?;
    Ok(bench.settled(RENAME_AND_OPEN)?.saturating_sub(rename))
}

/// Instructions of an open in a directory that has just been made, without those of
/// making it and taking it away.
fn cold(bench: &mut Bench) -> Result<u64> {
    fs::rename(DIRECTORY, AWAY)?;
    let measured = (|| {
        let made = bench.settled(MAKE)?;
        Ok(bench.settled(MAKE_AND_OPEN)?.saturating_sub(made))
    })();
    fs::rename(AWAY, DIRECTORY)?;
    measured
}

/// All rows of a policy that the host has compiled.
fn policy(report: &mut Report, bench: &mut Bench, nothing: &Nothing, kind: &str, rules: u64) {
    let Some(image) = image(&format!("{kind}-{rules}")) else {
        return;
    };
    let count = count(rules, "path rule");
    let (name, series) = match kind {
        "other" => (
            format!("{count} about another program"),
            ["not concerned", "", ""],
        ),
        "program" => (
            format!("{count} about this program"),
            ["program", "program renamed", "program cold"],
        ),
        _ => (count, ["lsmpc", "lsmpc renamed", "lsmpc cold"]),
    };
    test(report, &format!("bench::open::{kind}_{rules}"), |report| {
        apply_image(&image)?;
        let [known, after_rename, not_known] = series;
        let one = bench.settled(OPEN).context("directory known")?;
        Row::of(GROUP, &name, known, rules).cost(report, one, nothing.known)?;
        if kind == "other" {
            return Ok(());
        }
        let one = renamed(bench).context("after a rename elsewhere")?;
        let row = format!("{name}, after a rename elsewhere");
        Row::of(GROUP, &row, after_rename, rules).cost(report, one, nothing.renamed)?;
        let one = cold(bench).context("directory not known")?;
        let row = format!("{name}, directory not known");
        Row::of(GROUP, &row, not_known, rules).cost(report, one, nothing.cold)
    });
}
