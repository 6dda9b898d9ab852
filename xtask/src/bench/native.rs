//! `cargo xtask bench --native`: what evaluating an event costs on this machine, by its
//! own clock. Nothing is attached.
//!
//! The runtime's benchmark `evaluator` measures and says what a row means; here is what
//! it is given, and how its rows are shown.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::progress::{Step, note};
use crate::rules::Names;
use crate::table::{Place, Table};
use crate::{process, repository, rules};

const RULES: [usize; 5] = [1, 100, 1_000, 10_000, 100_000];
const COMMAND: &str = "cargo xtask bench --native";
/// At most so much more by a thousand times the rules, when nothing is in the caches.
const MOST_COLD: f64 = 3.0;
/// What is compared, of how many rules with how many.
const RATIOS: [(&str, u64, u64); 4] = [
    ("cold", 100_000, 100),
    ("random", 100_000, 100),
    ("hot", 100_000, 100),
    ("hot", 100_000, 1),
];

/// Measures, shows and writes; the lines of JSON.
pub(super) fn run(write: bool) -> Result<Vec<Value>> {
    let directory = repository::target().join("bench/native");
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir_all(&directory)?;
    for count in RULES {
        fs::write(
            directory.join(format!("{count}.lsmp")),
            rules::lsmp(count, Names::Counted, "file_open", ""),
        )?;
    }
    let step = Step::start("timing the engine in this machine's kernel");
    let mut cargo = process::cargo();
    cargo
        .args(["bench", "--quiet", "-p", "lsmpc-runtime"])
        .args(["--bench", "evaluator", "--"])
        .arg(&directory);
    let said = process::text(&mut cargo)?;
    let rows: Vec<Value> = said
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).context("reading a row"))
        .collect::<Result<_>>()?;
    if let Some(why) = rows.iter().find_map(|row| row["unavailable"].as_str()) {
        step.done("not possible here");
        note(&format!("this machine does not run the engine: {why}"));
        return Ok(Vec::new());
    }
    step.done("done");
    let machine = machine()?;
    let text = format!("{machine}\n\n{}", shown(&rows));
    println!("{text}");
    if write {
        Place::named("bench native").write(&format!("{}\n", text.trim_end()))?;
    }
    let mut out = vec![json!({ "machine": machine, "command": COMMAND })];
    out.extend(ratios(&rows));
    out.extend(rows);
    Ok(out)
}

fn machine() -> Result<String> {
    let kernel = process::text(Command::new("uname").arg("-r"))?;
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(':'))
        .map_or("a processor that is not named", |(_, model)| model.trim());
    Ok(format!("Linux {}, {model}; `{COMMAND}`.", kernel.trim()))
}

fn time<'r>(rows: &'r [Value], case: &str, rules: u64) -> Option<&'r Value> {
    rows.iter()
        .find(|row| row["case"] == case && row["rules"] == rules)
}

fn ratio(rows: &[Value], case: &str, many: u64, few: u64) -> Option<f64> {
    let median = |rules| time(rows, case, rules)?["median_ns"].as_f64();
    Some(median(many)? / median(few)?)
}

fn ratios(rows: &[Value]) -> Vec<Value> {
    RATIOS
        .iter()
        .filter_map(|&(case, many, few)| {
            let ratio = ratio(rows, case, many, few)?;
            Some(
                json!({ "group": "native ratios", "case": case, "rules": many, "over": few,
                "ratio": ratio }),
            )
        })
        .collect()
}

/// The tables.
fn shown(rows: &[Value]) -> String {
    let mut compared = Table::new(&["what", "ratio", "wanted"]);
    for (case, many, few) in RATIOS {
        if let Some(ratio) = ratio(rows, case, many, few) {
            let wanted = match case {
                "cold" => format!("at most {MOST_COLD}"),
                _ => String::new(),
            };
            compared.row(vec![
                format!("{many} rules / {few}, {case}"),
                format!("{ratio:.2}"),
                wanted,
            ]);
        }
    }
    let mut times = Table::new(&["event", "rules", "minimum", "median"]);
    for row in rows {
        let cell = |key: &str| match &row[key] {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        times.row(
            ["case", "rules", "minimum_ns", "median_ns"]
                .map(cell)
                .to_vec(),
        );
    }
    format!(
        "Ratios of medians:\n\n{}\nNanoseconds for an event:\n\n{}",
        compared.markdown(),
        times.markdown()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_medians() {
        let row = |case: &str, rules: u64, median: u64| json!({ "case": case, "rules": rules, "minimum_ns": 1, "median_ns": median });
        let rows = [row("cold", 100, 1000), row("cold", 100_000, 2500)];
        assert_eq!(ratios(&rows).len(), 1);
        let text = shown(&rows);
        assert!(
            text.contains("| 100000 rules / 100, cold |  2.50 | at most 3 |"),
            "{text}"
        );
        assert!(
            text.contains("| cold  | 100000 |       1 |   2500 |"),
            "{text}"
        );
    }
}
