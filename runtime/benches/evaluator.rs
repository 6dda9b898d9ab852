//! Times the engine in this machine's kernel: `cargo xtask bench --native`.
//!
//! Argument: a directory with policies `RULES.lsmp`, whose rules are the benchmark's mix.
//! Each line printed is a JSON object: a row, or `unavailable` with the reason. Nothing
//! is attached. Every time is the kernel's own (`duration` of `BPF_PROG_TEST_RUN`).

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_compiler::lower::{LowerOptions, lower};
use lsmpc_compiler::source::MemoryReader;
use lsmpc_compiler::{Options, analyse};
use lsmpc_engine::host::{Event, Value};
use lsmpc_runtime::KernelEngine;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HOOK: u16 = HookId::FileOpen as u16;
/// A hook that no rule of the benchmark names.
const OTHER_HOOK: u16 = HookId::TaskKill as u16;
const DIRECTORY: &str = "/bench/directory/with-a-few";
/// Runs that the kernel averages.
const REPEAT: u32 = 20_000;
/// Such averages.
const AVERAGES: usize = 15;
/// Paths, each timed by itself.
const PATHS: u64 = 2000;
/// Paths, each after the caches have been emptied.
const COLD_PATHS: u64 = 150;
const LENGTHS: [usize; 7] = [10, 50, 100, 250, 1000, 2000, 4000];
/// Rules of the policy that paths of these lengths are evaluated by.
const LENGTHS_RULES: usize = 10_000;
/// Where the size of the last cache is not told.
const ASSUMED_CACHE: usize = 64 << 20;
const LINE: usize = 64;

fn main() -> Result<()> {
    // Cargo adds `--bench`.
    let directory = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let directory = directory.ok_or("a directory with policies is needed")?;
    let policies = policies(Path::new(&directory))?;
    let largest = policies.iter().map(|(_, image)| image.len()).max();
    let mut engine = match KernelEngine::load(largest.unwrap_or(0)) {
        Ok(engine) => engine,
        Err(error) => {
            println!(
                "{}",
                serde_json::json!({ "unavailable": error.to_string() })
            );
            return Ok(());
        }
    };
    let mut caches = Caches::new();
    for (rules, image) in &policies {
        engine.set_image(image)?;
        let opened = event(&format!("{DIRECTORY}/names/opened"));
        let floor = hot(&mut engine, OTHER_HOOK, &opened)?;
        row("no rule for the hook, hot", *rules, floor);
        row("hot", *rules, hot(&mut engine, HOOK, &opened)?);
        let random = |engine: &mut KernelEngine, hook, count, caches: Option<&mut Caches>| {
            turns(engine, hook, *rules as u64, count, caches)
        };
        row("random", *rules, random(&mut engine, HOOK, PATHS, None)?);
        let cold = random(&mut engine, OTHER_HOOK, COLD_PATHS, Some(&mut caches))?;
        row("no rule for the hook, cold", *rules, cold);
        let cold = random(&mut engine, HOOK, COLD_PATHS, Some(&mut caches))?;
        row("cold", *rules, cold);
        if *rules == LENGTHS_RULES {
            for length in LENGTHS {
                let times = hot(&mut engine, HOOK, &event(&path_of(length)))?;
                row(&format!("hot, {length} bytes"), *rules, times);
            }
        }
    }
    Ok(())
}

/// Numbers of rules and images, small ones first.
fn policies(directory: &Path) -> Result<Vec<(usize, Vec<u8>)>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let rules = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        let rules = rules.ok_or_else(|| format!("{}: no number of rules", path.display()))?;
        let reader = MemoryReader::default().file("/p.lsmp", std::fs::read(&path)?);
        let analysis = analyse(&["/p.lsmp".into()], &reader, &Options::default());
        let ir = analysis.ir.ok_or("a policy with errors")?;
        all.push((rules, lower(&ir, &LowerOptions::default())?.bytes));
    }
    all.sort();
    Ok(all)
}

fn event(path: &str) -> Event {
    Event::new().with(FieldId::Path, Value::Text(path.as_bytes().to_vec()))
}

/// A path of so many bytes, that begins as the rules do.
fn path_of(length: usize) -> String {
    let mut path = DIRECTORY.to_owned();
    while path.len() < length {
        path.push_str("/component");
    }
    path.truncate(length);
    if path.ends_with('/') {
        path.replace_range(length - 1.., "x");
    }
    path
}

/// A path that a rule matches, or nearly.
fn path(number: u64) -> String {
    match number % 8 {
        0 => format!("{DIRECTORY}/names/f{number}"),
        1 => format!("{DIRECTORY}/d{number}/file"),
        2 => format!("{DIRECTORY}/d{number}/a/b/c"),
        3 => format!("{DIRECTORY}/d{number}/config.d/x1"),
        4 => format!("{DIRECTORY}/names/g{number}"),
        5 => format!("{DIRECTORY}/d{number}/a/file"),
        6 => format!("{DIRECTORY}/e{number}/file"),
        _ => format!("{DIRECTORY}/d{number}/other/x1"),
    }
}

fn hot(engine: &mut KernelEngine, hook: u16, event: &Event) -> Result<Vec<Duration>> {
    engine.give(hook, event)?;
    let times = (0..AVERAGES).map(|_| engine.time(REPEAT));
    Ok(times.collect::<std::result::Result<_, _>>()?)
}

/// Many paths in turn, each run once; with `caches`, each after emptying them.
fn turns(
    engine: &mut KernelEngine,
    hook: u16,
    rules: u64,
    count: u64,
    mut caches: Option<&mut Caches>,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for turn in 0..count {
        // Spread over all rules, and every kind of path.
        let number = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        engine.give(hook, &event(&path(number % rules.max(8))))?;
        if let Some(caches) = &mut caches {
            caches.empty();
        }
        times.push(engine.time(1)?);
    }
    Ok(times)
}

fn row(case: &str, rules: usize, mut times: Vec<Duration>) {
    times.sort_unstable();
    let of = |at: usize| times.get(at).map_or(0, Duration::as_nanos) as u64;
    let row = serde_json::json!({
        "group": "native",
        "case": case,
        "rules": rules,
        "samples": times.len(),
        "minimum_ns": of(0),
        "median_ns": of(times.len() / 2),
    });
    println!("{row}");
}

/// Memory that takes the place of everything else in the caches.
struct Caches {
    memory: Vec<u8>,
}

impl Caches {
    fn new() -> Self {
        let told = std::fs::read_to_string("/sys/devices/system/cpu/cpu0/cache/index3/size");
        let told = told.ok().and_then(|size| {
            let kibibytes: usize = size.trim().strip_suffix('K')?.parse().ok()?;
            Some(2 * (kibibytes << 10))
        });
        Self {
            memory: vec![1; told.unwrap_or(ASSUMED_CACHE)],
        }
    }

    /// Walks it twice, writing.
    fn empty(&mut self) {
        for round in 0..2 {
            for line in self.memory.chunks_mut(LINE) {
                if let Some(byte) = line.first_mut() {
                    *byte = byte.wrapping_add(round);
                }
            }
        }
        black_box(&mut self.memory);
    }
}
