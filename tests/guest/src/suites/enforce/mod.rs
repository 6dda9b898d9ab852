//! `enforce`: real system calls of real programs under real policies: refused
//! with the right errno, let through, and recorded, for every field of every
//! hook that this suite knows, and in the situations that have fooled path
//! rules before.
//!
//! The fields are tested in rounds, one field of each hook a round, so that a
//! round is one swap of the policy and no program has to be loaded anew.

mod case;
mod examples;
mod executions;
mod files;
mod kernel;
mod lifecycle;
mod mounts;
mod paths;
mod places;
mod programs;
mod rules;
mod shapes;
mod sockets;
mod subjects;
mod tasks;
mod tokens;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

pub(super) use self::case::tiny_program;
use self::case::{ACTOR, Case, GROUND, Site, Slot, TARGET};
use super::Suite;
use crate::actor::Actor;
use crate::bpf::HookNames;
use crate::cli::{self, Event, Events};
use crate::console::Report;
use crate::machine;

pub(crate) const SUITE: Suite = Suite {
    name: "enforce",
    run,
};

/// The hooks on which the fields of the subject are tested: some of each kind.
pub(super) const HOOKS: &[&str] = &[
    "file_open",
    "bprm_check_security",
    "mmap_file",
    "path_unlink",
    "path_rename",
    "socket_connect",
    "socket_bind",
    "task_kill",
    "syslog",
];

/// What tests share.
struct Ground {
    target: Actor,
    events: Option<Events>,
    /// Per hook: what was seen to work.
    results: BTreeMap<&'static str, BTreeMap<String, bool>>,
    /// Numbers objects, so that no two tests use one.
    objects: usize,
}

impl Ground {
    /// The reader of events, started anew when it has ended.
    fn events(&mut self) -> Result<&mut Events> {
        if self.events.is_none() {
            self.events = Some(Events::follow()?);
        }
        self.events.as_mut().context("no reader of events")
    }

    /// Applies a policy and has a reader follow its events.
    fn apply(&mut self, text: &str) -> Result<()> {
        cli::apply(text)?;
        self.events()?.settle(Duration::from_millis(1))?;
        Ok(())
    }

    /// The same with a policy of the repository's `examples`.
    fn apply_example(&mut self, name: &str) -> Result<()> {
        cli::lsmpc(&["apply", &format!("/examples/{name}.lsmp")])?.expect_code(0)?;
        self.events()?.settle(Duration::from_millis(1))?;
        Ok(())
    }

    /// Removes the policy; its reader goes with it.
    fn remove(&mut self) -> Result<()> {
        self.events = None;
        cli::remove()
    }
}

fn run(report: &mut Report, arguments: &[String]) -> Result<()> {
    std::fs::create_dir_all(GROUND)?;
    // Actors without privileges work here, too.
    std::fs::set_permissions(GROUND, std::fs::Permissions::from_mode(0o777))?;
    let mut ground = Ground {
        target: Actor::start(TARGET)?,
        events: None,
        results: BTreeMap::new(),
        objects: 0,
    };
    let wanted = |part: &str| arguments.is_empty() || arguments.iter().any(|word| word == part);
    if wanted("lifecycle") {
        lifecycle::run(report, &mut ground);
    }
    if wanted("fields") {
        fields(report, &mut ground)?;
        report.test("enforce::kernel_module_request::module", || {
            kernel::module_request(&mut ground)
        });
        report.test("enforce::sb_remount::path", || {
            mounts::remounted_path(&mut ground)
        });
        if kernel::has_common_attributes()? {
            report.test("enforce::bpf::cmd-with-common-attributes", || {
                kernel::common_attributes(&mut ground)
            });
        }
    }
    if wanted("subjects") {
        subjects::run(report, &mut ground);
    }
    if wanted("rules") {
        rules::run(report, &mut ground);
    }
    if wanted("programs") {
        programs::run(report, &mut ground);
    }
    if wanted("paths") {
        paths::run(report, &mut ground);
        shapes::run(report, &mut ground);
    }
    if wanted("examples") {
        examples::run(report, &mut ground);
        executions::run(report, &mut ground);
    }
    if wanted("tokens") {
        tokens::run(report, &mut ground)?;
    }
    report.test("enforce::after_remove_everything_is_allowed", || {
        ground.remove()?;
        crate::bpf::await_no_links()
    });
    report.say(&format!(
        "{} records and notices were of the documented form",
        cli::valid_records()
    ));
    for (hook, results) in &ground.results {
        report.json(&json!({
            "suite": "enforce",
            "kernel": machine::release(),
            "hook": hook,
            "works": results,
        }))?;
    }
    Ok(())
}

/// All cases.
fn all_cases() -> Vec<Case> {
    [
        files::cases,
        places::cases,
        sockets::cases,
        tasks::cases,
        kernel::cases,
        mounts::cases,
    ]
    .into_iter()
    .flat_map(|cases| cases())
    .collect()
}

/// All cases of all hooks, in rounds.
fn fields(report: &mut Report, ground: &mut Ground) -> Result<()> {
    let names = HookNames::read()?;
    let mut by_hook: BTreeMap<&str, Vec<Case>> = BTreeMap::new();
    for case in all_cases() {
        let name = format!("enforce::{}::{}", case.hook, case.field);
        if !names.knows(case.hook) || !report.wants(&name) {
            continue;
        }
        by_hook.entry(case.hook).or_default().push(case);
    }
    let rounds = by_hook.values().map(Vec::len).max().unwrap_or(0);
    let mut actor = Actor::start(ACTOR)?;
    for _ in 0..rounds {
        let cases: Vec<Case> = by_hook
            .values_mut()
            .filter(|cases| !cases.is_empty())
            .map(|cases| cases.remove(0))
            .collect();
        round(report, ground, &mut actor, ACTOR, &cases);
    }
    Ok(())
}

/// Applies the rules of some cases at once and tests each. A policy that is
/// refused as a whole is taken apart, so that the failure is named.
fn round(report: &mut Report, ground: &mut Ground, actor: &mut Actor, exe: &str, cases: &[Case]) {
    let target = ground.target.pid();
    let sited: Vec<(&Case, [Site; 3])> = cases
        .iter()
        .map(|case| {
            ground.objects += 1;
            let number = ground.objects;
            (
                case,
                Slot::ALL.map(|slot| Site::new(number, slot, case.hook, target)),
            )
        })
        .collect();
    let all: String = sited
        .iter()
        .map(|(case, sites)| case.rules(sites))
        .collect();
    // Before the policy is in force: this process is judged by it, too.
    let arranged: Vec<Result<()>> = sited
        .iter()
        .map(|(case, sites)| {
            sites.iter().try_for_each(|site| {
                (case.arrange)(site).with_context(|| format!("arranging {}", site.path))
            })
        })
        .collect();
    let together = ground.apply(&all);
    for ((case, sites), arranged) in sited.iter().zip(arranged) {
        let alone = if together.is_ok() {
            Ok(())
        } else {
            ground.apply(&case.rules(sites))
        };
        let result = arranged
            .and(alone)
            .and_then(|()| one_case(ground, actor, exe, case, sites));
        ground
            .results
            .entry(case.hook)
            .or_default()
            .insert(case.field.clone(), result.is_ok());
        report.test(&format!("enforce::{}::{}", case.hook, case.field), || {
            result
        });
    }
    if let Err(error) = together
        && sited.len() > 1
    {
        report.say(&format!(
            "a round of {} cases could not be applied: {error:#}",
            sited.len()
        ));
    }
}

fn one_case(
    ground: &mut Ground,
    actor: &mut Actor,
    exe: &str,
    case: &Case,
    sites: &[Site; 3],
) -> Result<()> {
    for site in sites {
        let request = (case.request)(site);
        let request: Vec<&str> = request.iter().map(String::as_str).collect();
        let outcome = actor.ask(&request)?;
        let id = case.rule_id(site.slot);
        match site.slot {
            Slot::Deny => {
                outcome
                    .refused_with(case.call, case.errno)
                    .with_context(|| format!("rule {id}"))?;
                let event = ground.events()?.of_rule(&id)?;
                complete(&event, case.hook, "deny", exe)?;
            }
            Slot::Audit => {
                outcome
                    .passed_or(case.harmless)
                    .with_context(|| format!("rule {id}"))?;
                let event = ground.events()?.of_rule(&id)?;
                complete(&event, case.hook, "allow", exe)?;
                if case.has_path {
                    shows(&event, "path", &json!(site.path))?;
                }
                for (field, value) in &case.expect {
                    shows(&event, field, value)?;
                }
            }
            Slot::Miss => outcome
                .passed_or(case.harmless)
                .with_context(|| format!("rule {id} does not hold"))?,
        }
    }
    Ok(())
}

/// What every record has to tell, whatever the hook.
fn complete(event: &Event, hook: &str, verdict: &str, exe: &str) -> Result<()> {
    let all = &event.0;
    ensure!(event.text("hook") == hook, "not at {hook}: {all}");
    ensure!(event.text("verdict") == verdict, "not {verdict}: {all}");
    for field in ["time", "pid", "uid", "comm"] {
        ensure!(!event.get(field).is_null(), "no {field}: {all}");
    }
    for rule in event.get("rules").as_array().into_iter().flatten() {
        ensure!(
            rule["file"] == "p.lsmp" && rule["line"].as_u64() > Some(0),
            "no place of the rule: {all}"
        );
    }
    // A program is opened and checked before the new one's name is the task's:
    // both are the actor's.
    ensure!(event.text("exe") == exe, "exe is not {exe}: {all}");
    Ok(())
}

/// A field of a record has this value.
fn shows(event: &Event, field: &str, value: &serde_json::Value) -> Result<()> {
    ensure!(
        event.get(field) == value,
        "{field} is not {value}: {}",
        event.0
    );
    Ok(())
}

#[cfg(test)]
mod coverage;
