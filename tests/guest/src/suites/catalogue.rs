//! `catalogue`: what `lsmpc hooks` says of this kernel against what the kernel says of
//! itself in its BTF: which hooks there are, what their programs are called with, and the
//! numbers behind names. That each hook can be attached to is the suite `verifier`'s.

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use lsmpc_runtime::btf::KernelBtf;
use lsmpc_runtime::{KernelVersion, Missing, Reason, Runtime};
use serde_json::Value;

use super::Suite;
use crate::cli::lsmpc;
use crate::console::Report;
use crate::machine;

pub(crate) const SUITE: Suite = Suite {
    name: "catalogue",
    run,
};

/// Enumerations of the kernel whose numbers a field takes as they are.
const NUMBERED: &[(&str, &str)] = &[
    ("cmd", "bpf_cmd"),
    ("map.type", "bpf_map_type"),
    ("prog.type", "bpf_prog_type"),
];

/// Those that go by name: the field, how its names begin, the enumeration.
const NAMED: &[(&str, &str, &str)] = &[
    ("what", "LOCKDOWN_", "lockdown_reason"),
    ("kread.id", "READING_", "kernel_read_file_id"),
    ("kread.id", "LOADING_", "kernel_load_data_id"),
];

/// Fields whose names the kernel has in enumerations without a name of their own, or in
/// those of one processor only.
const SCATTERED: &[&str] = &["type", "protocol"];

/// Enumerators that count, or stand for no value of their own: `BPF_COMMON_ATTRS` is a
/// flag beside the command of bpf(2).
fn is_sentinel(name: &str) -> bool {
    name.starts_with("__")
        || name.starts_with("MAX_")
        || name.ends_with("_MAX_ID")
        || name == "BPF_COMMON_ATTRS"
}

fn run(report: &mut Report, _arguments: &[String]) -> Result<()> {
    let listed = listed()?;
    let kernel = KernelBtf::parse(fs::read("/sys/kernel/btf/vmlinux")?)?;
    report.test("catalogue::hooks_are_those_of_this_version", || {
        hooks(&listed, &kernel)
    });
    report.test("catalogue::arguments_are_those_that_are_read", || {
        arguments(&kernel)
    });
    for (field, enumeration) in NUMBERED {
        report.test(&format!("catalogue::{field}::{enumeration}"), || {
            numbered(&listed, &kernel, field, enumeration)
        });
    }
    for (field, prefix, enumeration) in NAMED {
        report.test(&format!("catalogue::{field}::{enumeration}"), || {
            named(&listed, &kernel, field, prefix, enumeration)
        });
    }
    for field in SCATTERED {
        report.test(&format!("catalogue::{field}"), || {
            let known = same_numbers(&kernel, &enumerators(&listed, field)?)?;
            ensure!(known > 3, "only {known} of its names are in BTF");
            Ok(())
        });
    }
    Ok(())
}

/// What `lsmpc hooks` lists.
fn listed() -> Result<Vec<Value>> {
    let run = lsmpc(&["hooks", "--format", "json"])?.expect_code(0)?;
    let lines = run.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).context("a line of `lsmpc hooks`"))
        .collect()
}

/// Each hook is in the kernel if and only if its version is among those named.
fn hooks(listed: &[Value], kernel: &KernelBtf) -> Result<()> {
    ensure!(listed.len() > 60, "only {} hooks are listed", listed.len());
    let release = machine::release();
    let version = KernelVersion::parse(&release).context("this kernel's version")?;
    for hook in listed {
        let name = hook["hook"].as_str().context("a hook without a name")?;
        let since = hook["kernel"].as_str().and_then(KernelVersion::parse);
        let said = since.is_some_and(|since| since <= version);
        let found = kernel.function(&format!("bpf_lsm_{name}")).is_some();
        ensure!(
            said == found,
            "listed: {said}, in {release}: {found}: {name}"
        );
    }
    Ok(())
}

/// Whatever is not there is so because the kernel lacks the hook, not because it calls it
/// in another way.
fn arguments(kernel: &KernelBtf) -> Result<()> {
    let lacking = Runtime::default().lacking()?;
    for one in &lacking.unsupported {
        let Missing::Hook(hook) = one.what else {
            bail!("{:?}: {}", one.what, one.reason);
        };
        let function = format!("bpf_lsm_{}", hook.name());
        ensure!(
            one.reason == Reason::NotInKernel,
            "{}: {}: {:?}",
            hook.name(),
            one.reason,
            kernel.shapes(&function)
        );
    }
    ensure!(
        lacking.untold.is_empty(),
        "not told to root: {:?}",
        lacking.untold
    );
    Ok(())
}

/// Names and numbers of a field, by the list.
fn enumerators(listed: &[Value], field: &str) -> Result<Vec<(String, i64)>> {
    let found = listed
        .iter()
        .flat_map(|hook| hook["fields"].as_array().into_iter().flatten())
        .find(|known| known["name"] == field)
        .and_then(|known| known["enumerators"].as_object())
        .with_context(|| format!("no field {field} is listed"))?;
    found
        .iter()
        .map(|(name, value)| Ok((name.clone(), value.as_i64().context("no number")?)))
        .collect()
}

/// Those that the kernel has, too, have the same numbers there; how many they are.
fn same_numbers(kernel: &KernelBtf, of: &[(String, i64)]) -> Result<usize> {
    let mut known = 0;
    for (name, value) in of {
        if let Some(found) = kernel.enumerator(name) {
            ensure!(found == *value, "{name} is {found}, not {value}");
            known += 1;
        }
    }
    Ok(known)
}

fn numbered(listed: &[Value], kernel: &KernelBtf, field: &str, enumeration: &str) -> Result<()> {
    let ours = enumerators(listed, field)?;
    same_numbers(kernel, &ours)?;
    has_all(kernel, &ours, enumeration, |name| !is_sentinel(name))
}

fn named(
    listed: &[Value],
    kernel: &KernelBtf,
    field: &str,
    prefix: &str,
    enumeration: &str,
) -> Result<()> {
    let ours = enumerators(listed, field)?;
    has_all(kernel, &ours, enumeration, |name| {
        name.starts_with(prefix) && !is_sentinel(name) && name != "LOCKDOWN_NONE"
    })
}

/// Every enumerator of the kernel that is wanted is one of ours.
fn has_all(
    kernel: &KernelBtf,
    ours: &[(String, i64)],
    enumeration: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<()> {
    let theirs = kernel
        .enumeration(enumeration)
        .with_context(|| format!("no enum {enumeration}"))?;
    let missing: Vec<&str> = theirs
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| wanted(name) && !ours.iter().any(|(ours, _)| ours == name))
        .collect();
    ensure!(
        missing.is_empty(),
        "enum {enumeration} has more: {}",
        missing.join(", ")
    );
    let known = theirs
        .iter()
        .filter(|(name, _)| ours.iter().any(|(ours, _)| ours == name))
        .count();
    ensure!(known > 3, "enum {enumeration}: only {known} are known");
    Ok(())
}
