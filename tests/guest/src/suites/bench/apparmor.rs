//! The same open and close by a task that AppArmor confines, with the same globs.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::{Bench, OPEN, OPENER, Row, count, opens, test};
use crate::actor::Actor;
use crate::console::Report;

const LOAD: &str = "/sys/kernel/security/apparmor/.load";
const ENTER: &str = "/proc/self/attr/apparmor/current";
/// Numbers of rules.
const RULES: [u64; 4] = [100, 1_000, 4_000, 10_000];

pub(super) fn run(report: &mut Report, bench: &mut Bench) {
    for rules in RULES {
        let profile = format!("/material/profiles/{rules}");
        let name = format!("bench::apparmor::{rules}");
        if !fs::exists(&profile).is_ok_and(|there| there) {
            report.skip(&name, "there is no such profile");
            continue;
        }
        test(report, &name, |report| {
            confined(report, bench, &profile, rules)
        });
    }
}

fn confined(report: &mut Report, bench: &mut Bench, profile: &str, rules: u64) -> Result<()> {
    let nothing = bench.settled(OPEN)?;
    let bytes = fs::read(profile)?;
    // One write: the kernel takes a profile whole.
    fs::write(LOAD, bytes).context("loading the profile")?;
    let mut confined = Bench {
        actor: Actor::start(OPENER)?,
    };
    let name = format!("bench-{rules}");
    confined
        .actor
        .must(&["write", ENTER, &format!("changeprofile {name}")])?;
    let entered = confined.actor.must(&["read", ENTER])?;
    ensure!(
        entered
            .as_str()
            .is_some_and(|label| label.starts_with(&name)),
        "the task is in {entered}, not {name}"
    );
    fs::write(DENIED, "x")?;
    confined
        .actor
        .ask(&["open", DENIED, "r"])?
        .refused_with("open", libc::EACCES)?;
    let one = confined.settled(OPEN)?;
    Row::of(
        opens::GROUP,
        &format!("AppArmor, {}, confined", count(rules, "rule")),
        "apparmor",
        rules,
    )
    .cost(report, one, nothing)
}

/// What every profile denies.
const DENIED: &str = "/bench/directory/with-a-few/names/f0";
