//! `lsmpc status`: what is in force?

use clap::Args;
use lsmpc_abi::state::Counter;
use lsmpc_runtime::{Counters, Holder, Preflight, State, Status as Found};
use serde_json::{Value, json};

use super::{Outcome, doctor};
use crate::arguments::FormatArgument;
use crate::failure::Failure;
use crate::machine::PinsArgument;
use crate::output::{Format, Output, Style, Terminal, paint};
use crate::render::text;
use crate::time::rfc3339;

/// Say what is in force: the policy, its hooks, the counters.
///
/// Where no policy is in force and the machine lacks something to enforce one, it
/// says what.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo lsmpc status
  sudo lsmpc status --format json

Exit codes: 0 the question was answered, whatever the answer, 2 it could not be.")]
pub(crate) struct Status {
    #[command(flatten)]
    format: FormatArgument,

    #[command(flatten)]
    pins: PinsArgument,
}

/// The counters in words.
const COUNTERS: &[(Counter, &str, &str)] = &[
    (Counter::Emitted, "emitted", "records written"),
    (Counter::LostFull, "lost_full", "records lost: buffer full"),
    (Counter::LostRate, "lost_rate", "records lost: rate limit"),
    (Counter::LostBusy, "lost_busy", "records lost: no slot free"),
    (
        Counter::Unknown,
        "unknown",
        "events in which an unknown mattered",
    ),
    (
        Counter::NoSlot,
        "no_slot",
        "events without a slot for their fields",
    ),
    (
        Counter::Fault,
        "fault",
        "events denied because the tables could not be read",
    ),
];

impl Status {
    pub(crate) fn run(&self, terminal: Terminal) -> Result<Outcome, Failure> {
        let runtime = self.pins.runtime();
        let found = runtime.status()?;
        let missing = found
            .policy
            .is_none()
            .then(|| runtime.preflight())
            .filter(|preflight| !preflight.passed());
        let mut output = Output::new();
        match self.format.format {
            Format::Human => {
                output.text(human(&found, terminal.stdout))?;
                if let Some(missing) = missing {
                    output.line("\nThis machine cannot enforce a policy yet:\n")?;
                    output.text(doctor::human(&missing, terminal.stdout))?;
                }
            }
            Format::Json => output.json(&as_json(&found, missing.as_ref()))?,
        }
        output.flush()?;
        Ok(Outcome::Done)
    }
}

/// The state as a word and, where there is more to say, a sentence.
fn state(state: &State) -> (&'static str, Option<String>) {
    match state {
        State::Absent => ("absent", None),
        State::Whole => ("whole", None),
        State::Interrupted { in_force, left } => {
            let what = if *in_force {
                "the policy from before is in force"
            } else {
                "no policy is in force"
            };
            let left = left.join(", ");
            let sentence = format!("an apply was interrupted; {what}; left over: {left}");
            ("interrupted", Some(sentence))
        }
        State::HalfRemoved => (
            "half-removed",
            Some(
                "a remove was interrupted; no policy is in force; run `lsmpc remove` again".into(),
            ),
        ),
        State::OtherAbi { found } => (
            "other-abi",
            Some(format!(
                "what is pinned is of table format {found}; `lsmpc apply --replace` takes over"
            )),
        ),
        State::Foreign { path } => (
            "foreign",
            Some(format!("{} is not lsmpc's", path.display())),
        ),
        State::Broken { reason, unattached } => {
            let hooks = if unattached.is_empty() {
                String::new()
            } else {
                format!("; not enforced: {}", unattached.join(", "))
            };
            ("broken", Some(format!("{reason}{hooks}; apply again")))
        }
        // States that a later runtime may add.
        _ => ("other", None),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn human(found: &Found, color: bool) -> String {
    let mut shown = String::new();
    match &found.policy {
        None => shown.push_str("no policy is in force\n"),
        Some(policy) => {
            shown.push_str(&format!(
                "{}: policy {}, {}\n",
                paint(color, Style::Green, "in force"),
                policy.epoch,
                text::bytes(policy.bytes)
            ));
            let digest = hex(&policy.digest);
            shown.push_str(&format!("  image    sha256:{digest}\n"));
            if let Some(time) = policy.applied_at {
                let by = policy
                    .applied_by
                    .map(|uid| format!(" by uid {uid}"))
                    .unwrap_or_default();
                shown.push_str(&format!("  applied  {}{by}\n", rfc3339(time)));
            }
            let names: Vec<&str> = policy.hooks.iter().map(|hook| hook.name()).collect();
            shown.push_str(&format!("  hooks    {}\n", names.join(", ")));
            for hook in &policy.left_out {
                shown.push_str(&format!(
                    "  {}: {}\n",
                    paint(color, Style::Yellow, "not enforced"),
                    hook.name()
                ));
            }
        }
    }
    if let (_, Some(sentence)) = state(&found.state) {
        shown.push_str(&format!(
            "{}: {sentence}\n",
            paint(color, Style::Yellow, "note")
        ));
    }
    if found.object.is_some() && !found.object_is_ours {
        shown.push_str(
            "note: the programs are those of another build; `lsmpc apply --replace` renews them\n",
        );
    }
    if let Some(counters) = &found.counters {
        shown.push('\n');
        shown.push_str(&counters_table(counters));
    }
    if !found.hooks.is_empty() {
        shown.push('\n');
        let mut rows = vec![
            ["HOOK", "LINK", "PROGRAM", "FUNCTION"]
                .map(str::to_owned)
                .to_vec(),
        ];
        rows.extend(found.hooks.iter().map(|hook| {
            let tracker = if hook.tracker {
                " (tracks programs)"
            } else {
                ""
            };
            vec![
                format!("{}{tracker}", hook.hook),
                hook.link_id.to_string(),
                hook.program_id.to_string(),
                hook.target.clone().unwrap_or_default(),
            ]
        }));
        shown.push_str(&text::columns(&rows));
    }
    for (holder, what) in [
        (found.changer, "is changing it right now"),
        (found.reader, "reads the events"),
    ] {
        if let Some(Holder { pid }) = holder {
            let who = pid.map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"));
            shown.push_str(&format!("\n{who} {what}\n"));
        }
    }
    for other in &found.others {
        shown.push_str(&format!(
            "\nnot lsmpc's: program {} ({}) on {}\n",
            text::word(&other.name),
            other
                .link_id
                .map_or_else(|| "no link".to_owned(), |link| format!("link {link}")),
            other.target.as_deref().unwrap_or("?")
        ));
    }
    shown
}

fn counters_table(counters: &Counters) -> String {
    let rows: Vec<Vec<String>> = COUNTERS
        .iter()
        .map(|(counter, _, words)| vec![(*words).to_owned(), counters.get(*counter).to_string()])
        .collect();
    text::columns(&rows)
}

fn as_json(found: &Found, missing: Option<&Preflight>) -> Value {
    let (state, note) = state(&found.state);
    let policy = found.policy.as_ref().map(|policy| {
        json!({
            "epoch": policy.epoch,
            "digest": hex(&policy.digest),
            "bytes": policy.bytes,
            "map_id": policy.map_id,
            "hooks": policy.hooks.iter().map(|hook| hook.name()).collect::<Vec<_>>(),
            "left_out": policy.left_out.iter().map(|hook| hook.name()).collect::<Vec<_>>(),
            "applied_at": policy.applied_at.map(rfc3339),
            "applied_by": policy.applied_by,
        })
    });
    let counters = found.counters.as_ref().map(|counters| {
        COUNTERS
            .iter()
            .map(|(counter, key, _)| ((*key).to_owned(), counters.get(*counter).into()))
            .collect::<serde_json::Map<String, Value>>()
    });
    let hooks: Vec<Value> = found
        .hooks
        .iter()
        .map(|hook| {
            json!({
                "hook": hook.hook,
                "tracker": hook.tracker,
                "link_id": hook.link_id,
                "program_id": hook.program_id,
                "function": hook.target,
            })
        })
        .collect();
    let maps: Vec<Value> = found
        .maps
        .iter()
        .map(|map| json!({ "name": map.name, "id": map.id, "max_entries": map.max_entries }))
        .collect();
    let others: Vec<Value> = found
        .others
        .iter()
        .map(|other| {
            json!({
                "link_id": other.link_id,
                "program_id": other.program_id,
                "name": other.name,
                "function": other.target,
            })
        })
        .collect();
    json!({
        "pins": found.dir.display().to_string(),
        "in_force": found.policy.is_some(),
        "state": state,
        "note": note,
        "policy": policy,
        "hooks": hooks,
        "maps": maps,
        "counters": counters,
        "programs": found.object.map(|digest| hex(&digest)),
        "programs_are_ours": found.object_is_ours,
        "changer": found.changer.map(|holder| holder.pid),
        "reader": found.reader.map(|holder| holder.pid),
        "others": others,
        "missing": missing.map(|missing| {
            missing.failures().map(|check| json!({
                "check": check.name,
                "found": check.found,
                "remedy": check.remedy,
                "code": check.code.map(|code| code.to_string()),
            })).collect::<Vec<_>>()
        }),
    })
}
