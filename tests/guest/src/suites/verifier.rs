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
    let mut all = None;
    if arguments.is_empty() {
        report.test("verifier::everything", || {
            let (costs, milliseconds) = everything(&names)?;
            all = Some((costs, milliseconds));
            Ok(())
        });
        if let Some((costs, milliseconds)) = &all {
            report.json(&json!({
                "suite": "verifier",
                "kernel": machine::release(),
                "programs": costs.len(),
                "apply_ms": milliseconds,
            }))?;
        }
    }
    for hook in catalogue::hooks() {
        let name = hook.id.name();
        if !wanted(name) {
            continue;
        }
        let here = names.knows(name);
        if !here {
            absent.push(name);
        }
        let mut cost = Vec::new();
        report.test(&format!("verifier::{name}"), || {
            if !here {
                return is_refused(name);
            }
            cost = match &all {
                Some((costs, _)) => whole(costs, name)?,
                // Each by itself, where it is asked for, and to tell which one it is that
                // the kernel refuses.
                None => alone(&names, name)?,
            };
            Ok(())
        });
        for (program, cost) in cost {
            report.json(&json!({
                "suite": "verifier",
                "kernel": machine::release(),
                "program": program,
                "verified": cost.verified,
                "jited": cost.jited,
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

/// Puts a policy about one hook in force: what its programs cost.
fn alone(names: &HookNames, hook: &str) -> Result<Costs> {
    // No field of the object: the object's side is loaded all the same.
    cli::apply(&format!("deny {hook} when exe == \"{NOBODY}\"\n"))?;
    whole(&attached(names)?, hook)
}

/// Puts a policy about all hooks of this kernel in force, from nothing: what all programs
/// cost, and how many milliseconds it takes.
fn everything(names: &HookNames) -> Result<(Costs, u64)> {
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
    let costs = attached(names)?;
    ensure!(costs.len() > hooks.len(), "{} are attached", costs.len());
    Ok((costs, milliseconds))
}

/// What each attached program costs.
fn attached(names: &HookNames) -> Result<Costs> {
    bpf::lsm_links()?
        .iter()
        .map(|link| Ok((name_of(names, link)?, bpf::program_cost(link.program)?)))
        .collect()
}

/// The costs of one hook's programs, of which none is cut short.
fn whole(attached: &Costs, hook: &str) -> Result<Costs> {
    let costs: Costs = attached
        .iter()
        .filter(|(program, _)| belongs(program, hook))
        .copied()
        .collect();
    ensure!(!costs.is_empty(), "nothing is attached to {hook}");
    for (name, cost) in &costs {
        // A kernel that believes to know how a program begins drops the rest of it as
        // dead, and says nothing.
        ensure!(
            cost.verified > WHOLE && cost.jited > WHOLE,
            "{name} was cut: {cost:?}"
        );
    }
    Ok(costs)
}

/// Whether a program is the hook's own or one that goes with it, as `file_ioctl_compat`
/// does with `file_ioctl`.
fn belongs(program: &str, hook: &str) -> bool {
    program == hook
        || program.starts_with(hook) && lsmpc_abi::hook::HookId::from_name(program).is_none()
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
