//! `verifier`: every program of the object is loaded and attached on this kernel,
//! with what that costs; and a policy that needs a hook which the kernel lacks is
//! refused, or enforced without it, as asked.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use lsmpc_abi::catalogue;
use serde_json::json;

use super::Suite;
use crate::bpf::{self, HookNames, LsmLink};
use crate::cli::{self, lsmpc};
use crate::console::Report;
use crate::machine;

pub(crate) const SUITE: Suite = Suite {
    name: "verifier",
    run,
};

/// No task runs this: the events of the suite itself are let through.
const NOBODY: &str = "/nobody/runs/this";

fn run(report: &mut Report, arguments: &[String]) -> Result<()> {
    let names = HookNames::read()?;
    let mut absent = Vec::new();
    let wanted = |hook: &str| arguments.is_empty() || arguments.iter().any(|word| word == hook);
    for hook in catalogue::hooks() {
        let name = hook.id.name();
        if !wanted(name) {
            continue;
        }
        let here = names.knows(name);
        if !here {
            absent.push(name);
        }
        let mut cost = None;
        report.test(&format!("verifier::{name}"), || {
            if here {
                cost = Some(loads(&names, name)?);
                Ok(())
            } else {
                is_refused(name)
            }
        });
        if let Some((programs, milliseconds)) = cost {
            for (program, cost) in programs {
                report.json(&json!({
                    "suite": "verifier",
                    "kernel": machine::release(),
                    "program": program,
                    "verified": cost.verified,
                    "jited": cost.jited,
                    "apply_ms": milliseconds,
                }))?;
            }
        }
    }
    if arguments.is_empty() {
        let mut cost = None;
        report.test("verifier::everything", || {
            cost = Some(everything(&names)?);
            Ok(())
        });
        if let Some((programs, milliseconds)) = cost {
            report.json(&json!({
                "suite": "verifier",
                "kernel": machine::release(),
                "programs": programs,
                "apply_ms": milliseconds,
            }))?;
        }
    }
    report.test("verifier::absent_hooks_are_newer_ones", || {
        for name in &absent {
            let hook = lsmpc_abi::hook::HookId::from_name(name).context("no such hook")?;
            let since = catalogue::hook(hook).since;
            ensure!(since.is_some(), "{name} should be on every kernel");
        }
        Ok(())
    });
    report.json(&json!({
        "suite": "verifier",
        "kernel": machine::release(),
        "absent": absent,
    }))?;
    cli::remove()
}

/// Every hook's program is far longer.
const WHOLE: u32 = 10_000;

type Costs = Vec<(&'static str, bpf::ProgramCost)>;

/// Attaches the programs of one hook and asks what they cost.
fn loads(names: &HookNames, hook: &str) -> Result<(Costs, u64)> {
    let begin = Instant::now();
    // No field of the object: the object's side is loaded all the same.
    cli::apply(&format!("deny {hook} when exe == \"{NOBODY}\"\n"))?;
    let milliseconds = begin.elapsed().as_millis() as u64;
    let links = bpf::lsm_links()?;
    let mut costs = Vec::new();
    for link in &links {
        let name = name_of(names, link)?;
        if name.starts_with(hook) {
            costs.push((name, bpf::program_cost(link.program)?));
        }
    }
    ensure!(!costs.is_empty(), "nothing is attached to {hook}");
    for (name, cost) in &costs {
        // A kernel that believes to know how a program begins drops the rest of it as
        // dead, and says nothing.
        ensure!(
            cost.verified > WHOLE && cost.jited > WHOLE,
            "{name} was cut: {cost:?}"
        );
    }
    Ok((costs, milliseconds))
}

/// Puts a policy about all hooks of this kernel in force, from nothing: how many
/// programs that are, and how many milliseconds it takes.
fn everything(names: &HookNames) -> Result<(usize, u64)> {
    cli::remove()?;
    bpf::await_no_links()?;
    let hooks: Vec<&str> = catalogue::hooks()
        .iter()
        .map(|hook| hook.id.name())
        .filter(|name| names.knows(name))
        .collect();
    let begin = Instant::now();
    cli::apply(&format!(
        "deny {} when exe == \"{NOBODY}\"\n",
        hooks.join(", ")
    ))?;
    let milliseconds = begin.elapsed().as_millis() as u64;
    let links = bpf::lsm_links()?;
    ensure!(links.len() > hooks.len(), "{} are attached", links.len());
    Ok((links.len(), milliseconds))
}

fn name_of(names: &HookNames, link: &LsmLink) -> Result<&'static str> {
    names
        .of(std::slice::from_ref(link))?
        .pop()
        .context("a link without a hook")
}

/// A policy with a hook that this kernel lacks is refused as a whole; with
/// `--best-effort` the rest of it is enforced, and what is not is listed.
fn is_refused(hook: &str) -> Result<()> {
    let policy = format!("deny {hook}, file_open when exe == \"{NOBODY}\"\n");
    let path = cli::policy_file(&policy)?;
    lsmpc(&["apply", &path])?
        .expect_code(2)?
        .expect_words(&[hook, "does not have the hook"])?;
    lsmpc(&["apply", "--best-effort", &path])?
        .expect_code(0)?
        .expect_words(&["not enforced", hook])?;
    lsmpc(&["status"])?
        .expect_code(0)?
        .expect_words(&["not enforced", hook])
        .map(drop)
}
