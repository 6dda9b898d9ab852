//! `cargo xtask bench`: counts instructions in a guest whose clock is its
//! instruction count, and writes the tables of `docs/performance.md`.
//!
//! The suite says what a row means; here is only how rows are shown. A row is
//! JSON with `row` and `instructions`, and whatever else there is to know
//! about it, each key a column.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value};

use crate::progress::Step;
use crate::vm::{self, Accelerator, Spec};
use crate::{ebpf, image, kernels, repository};

const SUITE: &str = "bench";
const BEGIN: &str = "<!-- bench: begin -->";
const END: &str = "<!-- bench: end -->";

/// What makes counts repeatable: no self-tests that take the processor away,
/// addresses that do not change, and no going on after an oops.
const APPEND: &str = "cryptomgr.notests=1 norandmaps oops=panic";

/// Count instructions in a deterministic guest and write the tables.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The kernel: 6.1, 6.12, newest, or another series of Debian's archive
    #[arg(long, default_value = "6.12")]
    kernel: String,
    /// Run only rows whose name contains this; leaves the document alone
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Write the rows to this file, one JSON value a line
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Leave the document alone
    #[arg(long)]
    no_write: bool,
    /// Seconds until the guest is given up
    #[arg(long, default_value_t = 1800)]
    timeout: u64,
    /// Arguments of the suite
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    vm::qemu()?;
    let kernel = kernels::ensure_all(&[&arguments.kernel])?
        .pop()
        .context("no kernel was resolved")?;
    let mut spec = Spec::new(kernel, image::build(&[])?, SUITE);
    spec.accelerator = Accelerator::CountedEmulation;
    spec.append = APPEND.to_owned();
    spec.timeout = Duration::from_secs(arguments.timeout);
    spec.only = arguments.only.clone();
    spec.arguments = arguments.arguments.clone();
    spec.environment = ebpf::guest_environment();

    let step = Step::start(format!(
        "counting instructions on Linux {}",
        spec.kernel.name
    ));
    let outcome = vm::run_guest(&spec, |line| {
        if line.contains("LSMPC-GUEST: ") {
            step.line(line);
        }
    })?;
    step.done(if outcome.passed() { "done" } else { "FAILED" });
    if !outcome.passed() {
        let why = outcome
            .broken
            .as_deref()
            .unwrap_or("a row could not be measured");
        eprintln!(
            "{}\n\nxtask: {why}; above is the end of the console",
            outcome.last_lines()
        );
        return Ok(false);
    }
    if let Some(out) = &arguments.out {
        vm::write_json_lines(out, &outcome.json)?;
    }
    let rows = rows(&outcome.json);
    if rows.is_empty() {
        bail!("the suite {SUITE} handed out no row");
    }
    let heading = format!("Linux {} ({})", spec.kernel.version, spec.kernel.package);
    let table = table(&rows);
    println!("{heading}\n\n{table}");
    if arguments.only.is_none() && !arguments.no_write {
        write([BEGIN, END], &heading, &table)?;
    }
    Ok(true)
}

/// The values that are rows.
fn rows(values: &[Value]) -> Vec<&Map<String, Value>> {
    values
        .iter()
        .filter_map(Value::as_object)
        .filter(|row| row.contains_key("row"))
        .collect()
}

/// The rows as a table, in the order in which keys appear.
fn table(rows: &[&Map<String, Value>]) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for row in rows {
        for key in row.keys() {
            if !columns.contains(&key.as_str()) {
                columns.push(key);
            }
        }
    }
    let mut table = Table::new(&columns);
    for row in rows {
        let cell = |column: &&str| match row.get(*column) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        table.row(columns.iter().map(cell).collect());
    }
    table.markdown()
}

/// A Markdown table with aligned columns: numbers to the right.
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self {
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, with a cell for each column.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(crate) fn markdown(&self) -> String {
        let shapes: Vec<(usize, bool)> = self
            .columns
            .iter()
            .enumerate()
            .map(|(number, column)| {
                let cells = || self.rows.iter().filter_map(|row| row.get(number));
                let width = cells().map(|cell| cell.chars().count());
                let width = width.chain([column.chars().count(), 4]).max().unwrap_or(4);
                let is_number = cells().all(|cell| cell.is_empty() || cell.parse::<f64>().is_ok());
                (width, is_number)
            })
            .collect();
        let line = |cells: &[String]| {
            let padded = cells
                .iter()
                .zip(&shapes)
                .map(|(cell, &(width, is_number))| {
                    if is_number {
                        format!("{cell:>width$}")
                    } else {
                        format!("{cell:<width$}")
                    }
                });
            format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
        };
        let mut text = line(&self.columns);
        let rule = shapes.iter().map(|&(width, is_number)| {
            if is_number {
                format!("{}:", "-".repeat(width - 1))
            } else {
                "-".repeat(width)
            }
        });
        text += &format!("| {} |\n", rule.collect::<Vec<_>>().join(" | "));
        for row in &self.rows {
            text += &line(row);
        }
        text
    }
}

/// Puts a table between two markers of the document.
pub(crate) fn write(markers: [&str; 2], heading: &str, table: &str) -> Result<()> {
    let path = repository::root().join("docs/performance.md");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let text = replaced(&text, markers, &format!("{heading}\n\n{table}")).with_context(|| {
        format!(
            "{} lacks the lines {}",
            path.display(),
            markers.join(" and ")
        )
    })?;
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    eprintln!("xtask: wrote {}", repository::shown(&path));
    Ok(())
}

/// `document` with `text` between its markers.
fn replaced(document: &str, [begin, end]: [&str; 2], text: &str) -> Option<String> {
    let (before, rest) = document.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n\n{text}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_a_table() {
        let values = [
            serde_json::json!({"suite": "bench"}),
            serde_json::json!({"row": "open, no policy", "instructions": 9000}),
            serde_json::json!({"row": "open", "instructions": 10, "rules": 7}),
        ];
        let expected = "\
| row             | instructions | rules |
| --------------- | -----------: | ----: |
| open, no policy |         9000 |       |
| open            |           10 |     7 |
";
        assert_eq!(table(&rows(&values)), expected);
    }

    #[test]
    fn text_goes_between_the_markers() {
        let document = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let expected = format!("a\n{BEGIN}\n\nnew\n\n{END}\nb\n");
        assert_eq!(replaced(&document, [BEGIN, END], "new\n"), Some(expected));
        assert_eq!(replaced("no markers", [BEGIN, END], "new"), None);
    }
}
