//! `bench`: instructions of an open and close, in a guest in which one
//! nanosecond is one instruction.
//!
//! Each row is JSON with `row`, `instructions` and `over_nothing`. A set-up is
//! measured until two samples agree, after the caches of the guest's kernel
//! have warmed up.

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use aya::programs::Lsm;
use aya::{Btf, EbpfLoader};
use serde_json::json;

use super::Suite;
use crate::actor::Actor;
use crate::bpf;
use crate::cli;
use crate::console::Report;

pub(crate) const SUITE: Suite = Suite { name: "bench", run };

/// Opens and closes in a sample.
const TIMES: u64 = 400;
/// Samples that may disagree before a set-up is given up.
const MOST_SAMPLES: usize = 60;
/// The path that is opened: 39 bytes, 5 components.
const PATH: &str = "/bench/directory/with-a-few/names/afile";
/// An object of one program that allows everything.
const EMPTY: &str = "/objects/variants/variant-empty.bpf.o";

struct Bench {
    opener: Actor,
    nothing: Option<u64>,
}

fn run(report: &mut Report, arguments: &[String]) -> Result<()> {
    let path = PATH;
    ensure!(path.len() == 39 && path.split('/').count() == 6);
    fs::create_dir_all("/bench/directory/with-a-few/names")?;
    fs::write(path, "x")?;
    let mut bench = Bench {
        opener: Actor::start("/usr/bin/opener")?,
        nothing: None,
    };
    let most_rules: usize = arguments.first().map_or(Ok(10_000), |word| word.parse())?;

    let result = bench.row(report, "nothing attached", |_| Ok(()));
    report.test("bench::nothing", || result);
    if fs::exists(EMPTY)? {
        let result = with_empty_program(report, &mut bench);
        report.test("bench::empty_program", || result);
    } else {
        report.skip("bench::empty_program", "there is no object of it");
    }
    let result = bench.row(report, "policy about another program", |_| {
        cli::apply("deny file_open when exe == \"/tmp/*\"\n")
    });
    report.test("bench::other_program", || result);
    let result = bench.row(report, "policy about another hook", |_| {
        cli::apply("deny path_unlink when path == \"/tmp/*\"\n")
    });
    report.test("bench::other_hook", || result);
    let result = bench.row(report, "1 rule about the user", |_| {
        cli::apply("deny file_open when uid == 4242\n")
    });
    report.test("bench::user", || result);
    let result = bench.row(report, "1 path rule about another tree", |_| {
        cli::apply("deny file_open when path == \"/elsewhere/file\"\n")
    });
    report.test("bench::another_tree", || result);
    for rules in [1, 100, 1_000, 10_000] {
        if rules > most_rules {
            break;
        }
        let result = bench.row(report, &format!("{rules} path rules"), |_| {
            cli::apply(&path_rules(rules))
        });
        report.test(&format!("bench::{rules}_path_rules"), || result);
    }
    let result = bench.row(report, "1 path rule with wildcards", |_| {
        cli::apply("deny file_open when path == \"/bench/**/names/*.key\"\n")
    });
    report.test("bench::wildcards", || result);
    let result = bench.row(report, "1 path rule, the program first", |_| {
        cli::apply(
            "deny file_open when path == \"/bench/directory/with-a-few/names/b\" \
             and exe == \"/usr/bin/opener\"\n",
        )
    });
    report.test("bench::program_and_path", || result);
    report.test("bench::remove", || {
        cli::remove()?;
        bpf::await_no_links()
    });
    let result = bench.row(report, "nothing attached, again", |_| Ok(()));
    report.test("bench::nothing_again", || result);
    Ok(())
}

/// Rules on files beside the one that is opened.
fn path_rules(count: usize) -> String {
    let paths = (0..count).map(|number| {
        format!("deny file_open when path == \"/bench/directory/with-a-few/names/f{number}\"\n")
    });
    paths.collect()
}

impl Bench {
    fn row(
        &mut self,
        report: &mut Report,
        name: &str,
        set_up: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        set_up(self)?;
        let instructions = self.settled()?;
        let nothing = *self.nothing.get_or_insert(instructions);
        report.json(&json!({
            "row": name,
            "instructions": instructions,
            "over_nothing": instructions as i64 - nothing as i64,
        }))
    }

    /// Instructions of one open and close, once two samples agree.
    fn settled(&mut self) -> Result<u64> {
        let mut last = None;
        let mut seen = Vec::new();
        for _ in 0..MOST_SAMPLES {
            let all = self
                .opener
                .must(&["measure", PATH, &TIMES.to_string()])?
                .as_u64()
                .context("no number")?;
            let one = (all + TIMES / 2) / TIMES;
            if last.is_some_and(|last: u64| last.abs_diff(one) <= 1) {
                return Ok(one);
            }
            last = Some(one);
            seen.push(one);
        }
        bail!("no two samples agree: {seen:?}");
    }
}

/// Attaches the empty program without any of the project's own code.
fn with_empty_program(report: &mut Report, bench: &mut Bench) -> Result<()> {
    let btf = Btf::from_sys_fs()?;
    let mut object = EbpfLoader::new()
        .allow_unsupported_maps()
        .load_file(EMPTY)?;
    let program = object.program_mut("file_open").context("no program")?;
    let program: &mut Lsm = program.try_into()?;
    program.load("file_open", &btf)?;
    program.attach()?;
    let row = bench.row(report, "an empty program", |_| Ok(()));
    drop(object);
    bpf::await_no_links()?;
    row
}
