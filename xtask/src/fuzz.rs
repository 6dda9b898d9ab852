//! `cargo xtask fuzz`: coverage-guided fuzzing of what `tests/random` calls targets.
//!
//! cargo-fuzz builds, with this toolchain: `RUSTC_BOOTSTRAP` grants the options that need
//! a nightly one. What is found new is kept under `target/fuzz`; `--keep` takes the
//! smallest inputs that reach all that is reached into `fuzz/corpus`, from where
//! `cargo test` replays them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::progress::{Step, note};
use crate::table::Table;
use crate::{process, repository, setup};

/// By the order of the stages that they test.
const TARGETS: [&str; 5] = ["lex", "parse", "lower", "image", "engine"];
/// Policies to begin with, for targets that read text.
const SEEDS: [&str; 3] = ["examples", "tests/corpus/ok", "tests/corpus/err"];
const READS_TEXT: [&str; 3] = ["lex", "parse", "lower"];
/// An input that takes so many seconds hangs.
const TOO_SLOW: u32 = 20;
/// Bytes of a target's corpus in the repository.
const KEPT: u64 = 80 << 10;
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// Fuzz, guided by coverage.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only these targets
    #[arg(value_name = "TARGET", value_parser = TARGETS)]
    targets: Vec<String>,
    /// Seconds for each
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    time: u32,
    /// Afterwards keep the smallest inputs that reach as much in fuzz/corpus
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    setup::ensure_cargo_fuzz()?;
    let all: Vec<String> = TARGETS.map(str::to_owned).to_vec();
    let targets = if arguments.targets.is_empty() {
        &all
    } else {
        &arguments.targets
    };
    build(targets)?;
    let mut table = Table::new(&["target", "inputs tried", "reached", "kept", "outcome"]);
    let mut all_held = true;
    for target in targets {
        let places = Places::of(target)?;
        let outcome = fuzz(target, &places, arguments.time)?;
        all_held &= outcome.held;
        let kept = if arguments.keep && outcome.held {
            keep(target, &places)?
        } else {
            files(&places.corpus)?.len()
        };
        table.row(vec![
            target.clone(),
            outcome.executions.to_string(),
            outcome.reached.to_string(),
            kept.to_string(),
            if outcome.held { "held" } else { "FAILED" }.to_owned(),
        ]);
    }
    println!("{}", table.markdown());
    Ok(all_held)
}

/// Where a target's inputs are.
struct Places {
    /// In the repository.
    corpus: PathBuf,
    /// What this machine has found.
    found: PathBuf,
    /// What made it fail.
    failures: PathBuf,
    seeds: Vec<PathBuf>,
}

impl Places {
    fn of(target: &str) -> Result<Self> {
        let work = repository::target().join("fuzz").join(target);
        let places = Self {
            corpus: repository::root().join("fuzz/corpus").join(target),
            found: work.join("found"),
            failures: work.join("failures"),
            seeds: if READS_TEXT.contains(&target) {
                SEEDS.map(|seeds| repository::root().join(seeds)).to_vec()
            } else {
                Vec::new()
            },
        };
        for directory in [&places.corpus, &places.found, &places.failures] {
            fs::create_dir_all(directory)
                .with_context(|| format!("creating {}", directory.display()))?;
        }
        Ok(places)
    }

    fn read(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.found, &self.corpus].into_iter().chain(&self.seeds)
    }
}

fn build(targets: &[String]) -> Result<()> {
    let step = Step::start("building fuzzers, with checks of every access to memory");
    for target in targets {
        let mut cargo = process::cargo();
        cargo
            .arg("fuzz")
            .args(["build", "--sanitizer", "address", "--target", TRIPLE])
            .arg(target)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("PATH", path_with_tools()?);
        process::quiet(&mut cargo).context("the fuzzers could not be built")?;
    }
    step.done("built");
    Ok(())
}

fn path_with_tools() -> Result<std::ffi::OsString> {
    let tools = [repository::tools().join("bin")];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = tools.into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(all).context("putting tools into PATH")
}

fn fuzzer(target: &str) -> Command {
    let built = repository::root().join("fuzz/target").join(TRIPLE);
    let mut command = Command::new(built.join("release").join(target));
    // What is never given back is not looked for: targets keep policies for good.
    command.env("ASAN_OPTIONS", "detect_leaks=0");
    command
}

struct Outcome {
    held: bool,
    executions: u64,
    /// Places in the code.
    reached: u64,
}

fn fuzz(target: &str, places: &Places, seconds: u32) -> Result<Outcome> {
    let step = Step::start(format!("fuzzing {target} for {seconds} s"));
    let mut prefix = places.failures.clone().into_os_string();
    prefix.push("/");
    let mut artifacts = std::ffi::OsString::from("-artifact_prefix=");
    artifacts.push(prefix);
    let output = fuzzer(target)
        .args([
            format!("-max_total_time={seconds}"),
            format!("-timeout={TOO_SLOW}"),
            "-rss_limit_mb=4096".to_owned(),
            "-max_len=8192".to_owned(),
            "-print_final_stats=1".to_owned(),
        ])
        .arg(artifacts)
        .args(places.read())
        .output()
        .context("starting the fuzzer")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let held = output.status.success();
    let outcome = Outcome {
        held,
        executions: last_number(&said, "stat::number_of_executed_units:"),
        reached: last_number(&said, " cov:"),
    };
    step.done(if held { "held" } else { "FAILED" });
    if !held {
        let lines: Vec<&str> = said.lines().collect();
        let from = lines.len().saturating_sub(60);
        eprintln!("{}", lines.get(from..).unwrap_or_default().join("\n"));
        note(&format!(
            "the input is in {}; put it into {} when it holds",
            places.failures.display(),
            places.corpus.display()
        ));
    }
    Ok(outcome)
}

/// The number after the last such word.
fn last_number(said: &str, word: &str) -> u64 {
    let digits = said.rsplit(word).next().unwrap_or_default().trim_start();
    let end = digits.find(|c: char| !c.is_ascii_digit());
    let number = digits.get(..end.unwrap_or(digits.len()));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Replaces the corpus by the smallest inputs that reach as much; how many. What was put
/// there by hand stays: its name is no hash.
fn keep(target: &str, places: &Places) -> Result<usize> {
    let step = Step::start(format!("looking for the smallest inputs of {target}"));
    let least = places.found.with_file_name("least");
    if least.exists() {
        fs::remove_dir_all(&least)?;
    }
    fs::create_dir_all(&least)?;
    let output = fuzzer(target)
        .args(["-merge=1", "-max_len=8192", "-rss_limit_mb=4096"])
        .arg(&least)
        .args(places.read())
        .output()
        .context("starting the fuzzer")?;
    ensure!(
        output.status.success(),
        "inputs of {target} could not be merged:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for (path, _) in files(&places.corpus)? {
        if is_hash(&path) {
            fs::remove_file(&path)?;
        }
    }
    let mut room = KEPT;
    for (path, size) in files(&least)? {
        let Some(left) = room.checked_sub(size) else {
            break;
        };
        room = left;
        if let Some(name) = path.file_name() {
            fs::copy(&path, places.corpus.join(name))?;
        }
    }
    let kept = files(&places.corpus)?.len();
    step.done(&format!("{kept} inputs"));
    Ok(kept)
}

/// How libFuzzer names its inputs.
fn is_hash(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Files with their sizes, small ones first.
fn files(directory: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(directory);
    for entry in entries.with_context(|| format!("reading {}", directory.display()))? {
        let entry = entry?;
        files.push((entry.path(), entry.metadata()?.len()));
    }
    files.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_what_the_fuzzer_says() {
        let said = "#2 INITED cov: 12 ft: 13\n#9 NEW cov: 345 ft: 400 corp: 3/9b\n\
                    stat::number_of_executed_units: 1234567\n";
        assert_eq!(last_number(said, " cov:"), 345);
        assert_eq!(
            last_number(said, "stat::number_of_executed_units:"),
            1_234_567
        );
        assert_eq!(last_number("", "x"), 0);
    }

    #[test]
    fn names_given_by_hand_are_no_hashes() {
        assert!(is_hash(Path::new(
            "a/adc83b19e793491b1c6ea0fd8b46cd9f32e592fc"
        )));
        assert!(!is_hash(Path::new("a/regression-empty")));
    }
}
