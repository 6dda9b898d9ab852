//! `docs/kernels.md`: what the suites have seen on each kernel.
//!
//! Made of the JSON that the suites `enforce` and `verifier` hand out; a hook
//! without a row of its own in it is shown as such.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::table::Table;
use crate::{ebpf, repository, stack};

/// What one kernel's guests said.
#[derive(Default)]
struct Seen {
    /// Per hook, the fields that were tested, and whether each worked.
    fields: BTreeMap<String, Vec<(String, bool)>>,
    /// Per program: instructions verified, and bytes of machine code.
    programs: BTreeMap<String, (u64, u64)>,
    /// Hooks that the kernel does not have.
    absent: BTreeSet<String>,
    /// How many programs a policy about all hooks has, and how long its `apply` took, ms.
    everything: Option<(u64, u64)>,
}

/// Kernels by their numbers, so that 6.12 comes after 6.1.
type Key = (Vec<u64>, String);

/// Writes the page from what all guests handed out, to a file of the repository.
pub(crate) fn write(values: &[Value], into: &str) -> Result<()> {
    let object = repository::prebuilt().join(ebpf::OBJECT);
    let object = fs::read(&object).with_context(|| format!("reading {}", object.display()))?;
    let page = page(values, &stack::depths(&object)?)?;
    let path = repository::root().join(into);
    fs::write(&path, page).with_context(|| format!("writing {}", path.display()))?;
    eprintln!("xtask: wrote {}", repository::shown(&path));
    Ok(())
}

fn page(values: &[Value], stacks: &BTreeMap<String, u32>) -> Result<String> {
    let mut kernels: BTreeMap<Key, Seen> = BTreeMap::new();
    for value in values {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let number = |key: &str| value.get(key).and_then(Value::as_u64).unwrap_or(0);
        let (Some(suite), Some(kernel)) = (text("suite"), text("kernel")) else {
            continue;
        };
        if !["enforce", "verifier"].contains(&suite) {
            continue;
        }
        let seen = kernels.entry(key(kernel)).or_default();
        match (suite, text("hook"), text("program")) {
            ("enforce", Some(hook), _) => {
                let works = value.get("works").and_then(Value::as_object);
                let fields = works.into_iter().flatten();
                let fields =
                    fields.map(|(name, works)| (name.clone(), *works == Value::Bool(true)));
                seen.fields.insert(hook.to_owned(), fields.collect());
            }
            ("verifier", _, Some(program)) => {
                let cost = (number("verified"), number("jited"));
                seen.programs.insert(program.to_owned(), cost);
            }
            ("verifier", _, None) if value.get("programs").is_some() => {
                seen.everything = Some((number("programs"), number("apply_ms")));
            }
            ("verifier", _, None) => {
                let absent = value.get("absent").and_then(Value::as_array);
                let names = absent.into_iter().flatten().filter_map(Value::as_str);
                seen.absent.extend(names.map(str::to_owned));
            }
            _ => {}
        }
    }
    if kernels.is_empty()
        || kernels
            .values()
            .any(|seen| seen.fields.is_empty() || seen.programs.is_empty())
    {
        bail!("the table of kernels needs the suites enforce and verifier on each of them");
    }
    let mut page = String::from(
        "# What was seen on which kernel\n\n\
         <!-- Written by: cargo xtask test --guests-only --suite enforce --suite verifier --write-kernels -->\n\n\
         The kernels are Debian's, as they come. A hook's number is of fields that were tried: \
         each by real\nsystem calls that a rule about the field denies, lets through and records, \
         and nearly\nmatches. Fields that are tried and do not work are named. `lsmpc doctor` says \
         what another\nkernel has.\n\n## Hooks\n\n",
    );
    let names = || kernels.keys().map(|(_, name)| name.as_str());
    let hooks: BTreeSet<&String> = kernels
        .values()
        .flat_map(|seen| seen.fields.keys().chain(&seen.absent))
        .collect();
    let columns: Vec<&str> = ["hook"].into_iter().chain(names()).collect();
    let mut table = Table::new(&columns);
    for hook in hooks {
        let cells = kernels.values().map(|seen| seen.hook(hook));
        table.row([format!("`{hook}`")].into_iter().chain(cells).collect());
    }
    page.push_str(&table.markdown());
    page.push_str(PROGRAMS);
    let programs: BTreeSet<&String> = kernels
        .values()
        .flat_map(|seen| seen.programs.keys())
        .collect();
    let columns: Vec<&str> = ["program", "stack"].into_iter().chain(names()).collect();
    let mut table = Table::new(&columns);
    for program in programs {
        let cells = kernels.values().map(|seen| {
            let cost = seen.programs.get(program);
            cost.map_or_else(String::new, |(verified, jited)| {
                format!("{verified}, {jited}")
            })
        });
        let stack = stacks.get(program).map(u32::to_string).unwrap_or_default();
        let cells = [format!("`{program}`"), stack].into_iter().chain(cells);
        table.row(cells.collect());
    }
    let cells = kernels.values().map(|seen| {
        let all = seen.everything;
        all.map_or_else(String::new, |(programs, time)| {
            format!("{programs} in {time} ms")
        })
    });
    let cells = ["everything".to_owned(), String::new()]
        .into_iter()
        .chain(cells);
    table.row(cells.collect());
    page.push_str(&table.markdown());
    Ok(page)
}

/// What the table of programs says.
const PROGRAMS: &str = "
## Programs

Instructions that the verifier goes through, and bytes of machine code. The stack is that of
the deepest chain of calls, in bytes as Linux 6.1 counts them; 512 are allowed. Only the
programs of hooks that a policy uses are loaded, and a few that keep track of tasks and
files.

At the end: how long `lsmpc apply` takes for a policy about all hooks, on the one emulated
processor of the guest that wrote this, many times slower than a real one. Where there are
several, up to four programs are verified at a time.

";

fn key(kernel: &str) -> Key {
    let version = kernel.split(['-', '+']).next().unwrap_or(kernel);
    let numbers = version.split('.').map_while(|part| part.parse().ok());
    (numbers.collect(), kernel.to_owned())
}

impl Seen {
    fn hook(&self, hook: &str) -> String {
        if self.absent.contains(hook) {
            return "not in this kernel".to_owned();
        }
        let Some(fields) = self.fields.get(hook) else {
            return "not tried".to_owned();
        };
        let failed: Vec<&str> = fields
            .iter()
            .filter(|(_, works)| !works)
            .map(|(name, _)| name.as_str())
            .collect();
        if failed.is_empty() {
            fields.len().to_string()
        } else {
            format!("{}; not {}", fields.len() - failed.len(), failed.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hooks_by_kernel() {
        let values = [
            json!({"suite": "enforce", "kernel": "6.12.1-x", "hook": "a", "works": {"p": true, "q": false}}),
            json!({"suite": "enforce", "kernel": "6.12.1-x", "hook": "b", "works": {"p": true}}),
            json!({"suite": "verifier", "kernel": "6.12.1-x", "program": "a", "verified": 7, "jited": 9}),
            json!({"suite": "enforce", "kernel": "6.1.9-x", "hook": "a", "works": {"p": true}}),
            json!({"suite": "verifier", "kernel": "6.1.9-x", "program": "a", "verified": 8, "jited": 9}),
            json!({"suite": "verifier", "kernel": "6.1.9-x", "absent": ["b"]}),
            json!({"suite": "verifier", "kernel": "6.1.9-x", "programs": 2, "apply_ms": 30}),
        ];
        let stacks = BTreeMap::from([("a".to_owned(), 96)]);
        let page = page(&values, &stacks).unwrap();
        let rows: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("| `") || line.starts_with("| every"))
            .collect();
        assert_eq!(
            rows,
            [
                "| `a`  | 1                  | 1; not q |",
                "| `b`  | not in this kernel | 1        |",
                "| `a`        |    96 | 8, 9       | 7, 9     |",
                "| everything |       | 2 in 30 ms |          |",
            ]
        );
    }

    #[test]
    fn a_kernel_without_results_is_no_row() {
        assert!(page(&[], &BTreeMap::new()).is_err());
        let value = json!({"suite": "enforce", "kernel": "6.1", "hook": "a", "works": {}});
        assert!(page(&[value], &BTreeMap::new()).is_err());
    }
}
