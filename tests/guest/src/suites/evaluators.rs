//! `evaluators`: the engine in this kernel, the engine outside of it and the policy's
//! plain meaning agree, on random policies and events and on damaged images. Argument:
//! how many events (4000).

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Suite;
use crate::actor::Actor;
use crate::bpf;
use crate::cli::{self, lsmpc};
use crate::console::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "evaluators",
    run,
};

fn run(report: &mut Report, arguments: &[String]) -> Result<()> {
    let events = arguments.first().map_or("4000", String::as_str);
    report.test("evaluators::random_policies", || {
        let said = test("agreement", "tables_agree", &[("LSMPC_EVENTS", events)])?;
        // About as many as are wanted: policies have a random number of them.
        let [all, asked] = ["{ events: ", "in_kernel: "].map(|name| numbers(&said, name));
        let wanted: u64 = events.parse()?;
        ensure!(
            all.len() == 2 && all == asked && all.iter().all(|count| *count >= wanted / 2),
            "of {all:?} events the kernel was asked about {asked:?}: {said}"
        );
        Ok(())
    });
    report.test("evaluators::damaged_images", || {
        let time = [("LSMPC_FUZZ_SECONDS", "20")];
        test("mutations", "damaged_images", &time).map(drop)
    });
    report.test("evaluators::command", command);
    report.test("evaluators::nothing_is_attached", || {
        ensure!(bpf::lsm_links()?.is_empty(), "links were made");
        Ok(())
    });
    Ok(())
}

/// The numbers that follow a name.
fn numbers(text: &str, name: &str) -> Vec<u64> {
    let number = |rest: &str| {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        rest.get(..digits)?.parse().ok()
    };
    text.split(name).skip(1).filter_map(number).collect()
}

/// Runs tests of the compiler with the kernel among the evaluators; their output.
fn test(program: &str, tests: &str, environment: &[(&str, &str)]) -> Result<String> {
    let output = Command::new(format!("/usr/bin/{program}"))
        .args([tests, "--nocapture", "--test-threads=1"])
        .env("LSMPC_KERNEL", "1")
        .envs(environment.iter().copied())
        .output()
        .with_context(|| format!("running {program}"))?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{program}: {said}");
    Ok(said)
}

/// `lsmpc eval --engine kernel` answers as the others do; who may not load programs is
/// told so.
fn command() -> Result<()> {
    let policy = cli::policy_file(
        "deny file_open when exe == \"/tmp/**\" and path == \"/etc/*.conf\"\n\
         kill file_open when uid in [1000..2000] and path == \"/**/x*y\"\n\
         audit file_open when access has any [write, append]\n",
    )?;
    let events = "/t/events.jsonl";
    std::fs::create_dir_all("/t")?;
    std::fs::write(
        events,
        "{\"hook\":\"file_open\",\"exe\":\"/tmp/a\",\"path\":\"/etc/a.conf\",\"uid\":0,\"access\":[\"read\"]}\n\
         {\"hook\":\"file_open\",\"exe\":\"/bin/a\",\"path\":\"/a/b/x1y\",\"uid\":1500,\"access\":[\"write\"]}\n\
         {\"hook\":\"file_open\",\"exe\":\"/bin/a\",\"path\":\"/a\",\"uid\":0,\"access\":[\"append\"]}\n\
         {\"hook\":\"file_open\",\"path\":\"/etc/a.conf\",\"uid\":1500}\n\
         {\"hook\":\"file_open\",\"exe\":null,\"path\":null,\"uid\":0,\"access\":[]}\n",
    )?;
    let answers = |engine: &str| -> Result<String> {
        let run = lsmpc(&["eval", "--engine", engine, "--events", events, &policy])?;
        Ok(run.expect_code(0)?.stdout)
    };
    let wanted = answers("reference")?;
    for verdict in ["deny", "kill", "allow"] {
        ensure!(wanted.contains(verdict), "no {verdict} in {wanted}");
    }
    for engine in ["tables", "kernel"] {
        let given = answers(engine)?;
        ensure!(given == wanted, "{engine}: {given} and not {wanted}");
    }
    let mut actor = Actor::start("/t/actor")?;
    actor.must(&["gids", "1000", "1000", "1000"])?;
    actor.must(&["uids", "1000", "1000", "1000"])?;
    let words = [
        "output",
        cli::LSMPC,
        "eval",
        "--engine",
        "kernel",
        "--events",
        events,
        &policy,
    ];
    let refused = actor.must(&words)?;
    ensure!(refused["code"] == 2, "as a user: {refused}");
    let said = refused["stderr"].as_str().unwrap_or_default();
    ensure!(said.contains("root"), "no way out is told: {said}");
    Ok(())
}
