//! Who may use BPF: the shipped policies about it, and tokens that are passed on.

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};

use super::Ground;
use super::case::ACTOR;
use super::examples::record;
use crate::actor::{Actor, Outcome};
use crate::bpf::HookNames;
use crate::console::Report;

/// The program that tokens are for.
const AGENT: &str = "/usr/sbin/netagent";
/// Where the agent's bpffs is mounted.
const DELEGATING: &str = "/run/netagent/bpf";
/// It gets the agent's token.
const BORROWER: &str = "/usr/bin/ip";

type Test = fn(&mut Ground) -> Result<()>;

/// What every kernel has.
const EVERYWHERE: &[(&str, Test)] = &[("bpf_is_for_those_who_know", by_whom)];

/// What takes tokens.
const WITH_TOKENS: &[(&str, Test)] = &[
    ("tokens::passed_on_without_policy", passed_on_freely),
    ("tokens::passed_on_and_no_command", passed_on_no_command),
    ("tokens::passed_on_and_no_privilege", passed_on_no_privilege),
    ("tokens::of_the_agent_only", of_the_agent),
    ("tokens::nobody_else_needs_one", privileged_without),
    ("tokens::descriptor_has_no_path", without_path),
];

pub(super) fn run(report: &mut Report, ground: &mut Ground) -> Result<()> {
    let names = HookNames::read()?;
    let mut tests = EVERYWHERE.to_vec();
    if names.knows("bpf_token_create") {
        tests.extend(WITH_TOKENS);
    }
    for (name, test) in tests {
        report.test(&format!("enforce::{name}"), || test(ground));
    }
    Ok(())
}

fn by_whom(ground: &mut Ground) -> Result<()> {
    const MANAGER: &str = "/usr/sbin/bpftool";
    const PIN: &str = "/sys/fs/bpf/pinned";
    ground.apply_example("bpf")?;
    let (map, filter, probe) = (&["bpf-map", "hash"], &["bpf-prog"], &["bpf-prog", "kprobe"]);

    let mut actor = Actor::start(ACTOR)?;
    for request in [&map[..], filter, probe] {
        actor.ask(request)?.refused("bpf")?;
        record(ground, "bpf-made", "deny", ACTOR)?;
    }
    let mut user = Actor::start(BORROWER)?;
    user.must(map)?;
    user.must(filter)?;
    user.ask(probe)?.refused("bpf")?;
    record(ground, "bpf-type", "deny", BORROWER)?;
    user.ask(&["bpf-pin", PIN])?.refused("bpf-pin")?;
    record(ground, "bpf-pinned", "deny", BORROWER)?;

    let mut manager = Actor::start(MANAGER)?;
    for request in [&map[..], filter, probe, &["bpf-pin", PIN]] {
        manager.must(request)?;
    }
    Ok(fs::remove_file(PIN)?)
}

/// The agent makes a token, uses it and hands it to another program, which uses it,
/// too: what came of that. Then the agent uses it again.
fn handed_over() -> Result<Outcome> {
    const SOCKET: &str = "/t/token";
    fs::create_dir_all(DELEGATING)?;
    let _ = fs::remove_file(SOCKET);
    let mut agent = Actor::start(AGENT)?;
    agent.must(&["token", "at", DELEGATING])?;
    let uses: [&[&str]; 2] = [&["token", "map"], &["token", "program"]];
    for request in uses {
        agent.must(request).context("the agent")?;
    }
    agent.must(&["token", "offer", SOCKET])?;
    agent.enter(BORROWER)?;
    agent.must(&["token", "receive", SOCKET])?;
    let outcomes = [agent.ask(uses[0])?, agent.ask(uses[1])?];
    agent.leave()?;
    for request in uses {
        agent.must(request).context("the agent, afterwards")?;
    }
    let [map, program] = outcomes;
    ensure!(
        map.to_string() == program.to_string(),
        "a map: {map}, a program: {program}"
    );
    Ok(map)
}

/// That it is the policy that makes the token useless.
fn passed_on_freely(ground: &mut Ground) -> Result<()> {
    ground.apply("audit bpf_token_create")?;
    handed_over()?.done().map(drop)
}

fn passed_on_no_command(ground: &mut Ground) -> Result<()> {
    ground.apply(&format!(
        "@id(\"command\") deny bpf_token_cmd unless exe == \"{AGENT}\""
    ))?;
    handed_over()?.refused("bpf")?;
    let event = record(ground, "command", "deny", BORROWER)?;
    ensure!(event.text("cmd") == "BPF_MAP_CREATE", "{}", event.0);
    Ok(())
}

fn passed_on_no_privilege(ground: &mut Ground) -> Result<()> {
    ground.apply(&format!(
        "@id(\"privilege\") deny bpf_token_capable unless exe == \"{AGENT}\""
    ))?;
    handed_over()?.refused("bpf")?;
    let event = record(ground, "privilege", "deny", BORROWER)?;
    ensure!(event.text("cap") == "CAP_BPF", "{}", event.0);
    Ok(())
}

/// The shipped policy, whose list of users of BPF the borrower is on.
fn of_the_agent(ground: &mut Ground) -> Result<()> {
    ground.apply_example("bpf-tokens")?;
    handed_over()?.refused("bpf")?;
    record(ground, "token-command", "deny", BORROWER)?;
    // A token of its own, and one from another place.
    let (own, other) = ("/t/bpffs-own", "/t/bpffs-other");
    for (program, path) in [(BORROWER, DELEGATING), (BORROWER, own), (AGENT, other)] {
        fs::create_dir_all(path)?;
        Actor::start(program)?
            .ask(&["token", "at", path])?
            .refused("bpf")?;
        let event = record(ground, "token-made", "deny", program)?;
        ensure!(event.text("path") == path, "{}", event.0);
    }
    Ok(())
}

/// Where no token is asked about: a privileged process.
fn privileged_without(ground: &mut Ground) -> Result<()> {
    ground.apply(&format!(
        "@id(\"without\") deny bpf_prog_load, bpf_map_create \
         unless exe in [\"{AGENT}\", \"/usr/bin/lsmpc\"]"
    ))?;
    for request in [&["bpf-map", "hash"][..], &["bpf-prog"]] {
        Actor::start(AGENT)?.must(request)?;
        Actor::start(BORROWER)?.ask(request)?.refused("bpf")?;
        record(ground, "without", "deny", BORROWER)?;
    }
    handed_over()?.refused("bpf")
}

/// At `file_receive` a token's path is unknown.
fn without_path(ground: &mut Ground) -> Result<()> {
    ground.apply(&format!(
        "@id(\"received\") deny file_receive when path == \"/t/other\" and exe == \"{BORROWER}\""
    ))?;
    let Err(refused) = handed_over() else {
        bail!("the token was received");
    };
    ensure!(
        format!("{refused:#}").contains("receive failed"),
        "{refused:#}"
    );
    let event = ground
        .events()?
        .wait("the token", |event| event.text("hook") == "file_receive")?;
    ensure!(
        event.text("verdict") == "deny" && event.get("path").is_null(),
        "{}",
        event.0
    );
    Ok(())
}
