//! `cargo xtask compare`: compiles the same rules with this compiler and with those
//! of AppArmor and SELinux, and writes the tables of `docs/performance.md`.
//!
//! What is compared is what each can express ([`rules`]). Times are for comparison
//! within one run.

mod run;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use crate::packaged::{self, Program};
use crate::progress::Step;
use crate::rules::Names;
use crate::table::{Place, Table};
use crate::{process, repository, rules};
use run::{Cost, Outcome};

/// Where the tables go.
const PLACE: &str = "compare";

/// What takes longer is not run again.
const LONG: Duration = Duration::from_secs(10);

/// Compile the same rules with other compilers, too, and write the tables.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Numbers of rules
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1000,2000,4000,10000,100000"
    )]
    rules: Vec<usize>,
    /// How often each is compiled; the fastest run counts
    #[arg(long, default_value_t = 7)]
    runs: usize,
    /// Seconds until a compiler is given up
    #[arg(long, default_value_t = 120)]
    timeout: u64,
    /// Leave the document alone
    #[arg(long)]
    no_write: bool,
}

/// The compilers.
struct Compilers {
    apparmor_parser: Program,
    secilc: Program,
}

/// One compiler, with the way to call it.
struct Peer {
    name: &'static str,
    /// A policy of that many rules.
    policy: fn(usize, Names) -> String,
    /// The command, from the policy to its output.
    command: fn(&Compilers, &Path, &Path) -> Command,
    /// Whether its standard output is what it makes.
    prints: bool,
    has_output: bool,
}

const BUILD: &str = "lsmpc build";
const APPARMOR: &str = "apparmor_parser";
const SECILC: &str = "secilc";

const PEERS: &[Peer] = &[
    Peer {
        name: BUILD,
        policy: rules::lsmp_of_program,
        command: |_, policy, _| {
            let mut command = lsmpc();
            // Like the others it leaves it to the system when the disk has it.
            command.arg("build").arg(policy).args(["-o", "-"]);
            command
        },
        prints: true,
        has_output: true,
    },
    Peer {
        name: "lsmpc check, all analyses",
        policy: rules::lsmp_of_program,
        command: |_, policy, _| {
            let mut command = lsmpc();
            command.arg("check").arg(policy);
            command
        },
        prints: false,
        has_output: false,
    },
    Peer {
        name: APPARMOR,
        policy: rules::apparmor,
        command: |compilers, policy, output| {
            packaged::compile_profile(&compilers.apparmor_parser, policy, output)
        },
        prints: false,
        has_output: true,
    },
    Peer {
        name: SECILC,
        policy: rules::cil,
        command: |compilers, policy, output| {
            let mut command = compilers.secilc.command();
            command
                .args(["--mls", "0", "--policyvers", "33", "--output"])
                .arg(output)
                .arg("--filecontext")
                .arg(contexts(output))
                .arg(policy);
            command
        },
        prints: false,
        has_output: true,
    },
];

/// Where the file contexts go that belong to a policy of SELinux.
fn contexts(output: &Path) -> PathBuf {
    output.with_extension("contexts")
}

fn lsmpc() -> Command {
    Command::new(repository::root().join("target/release/lsmpc"))
}

/// What was measured: rules, compiler, cost.
type Measured = (usize, &'static str, Cost);

/// Runs of this compiler and of another, compared: what of which is over what.
const CLAIMS: [(usize, &str, &str); 2] = [(4_000, APPARMOR, BUILD), (10_000, BUILD, SECILC)];

pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    let step = Step::start("building lsmpc".to_owned());
    process::quiet(process::cargo().args(["build", "--release", "--locked", "--bin", "lsmpc"]))?;
    step.done("built");
    let compilers = Compilers {
        apparmor_parser: packaged::apparmor_parser()?,
        secilc: packaged::secilc()?,
    };
    let directory = repository::target().join("compare");
    fs::create_dir_all(&directory).context("making target/compare")?;

    let mut table = Table::new(&[
        "rules",
        "compiler",
        "seconds",
        "processor seconds",
        "peak MiB",
        "output KiB",
    ]);
    let mut measured: Vec<Measured> = Vec::new();
    let mut failures = Vec::new();
    for &rules in &arguments.rules {
        for peer in PEERS {
            let step = Step::start(format!("{rules} rules, {}", peer.name));
            let (outcome, size) = peer.measure(&compilers, rules, &directory, arguments)?;
            step.done("done");
            let mut cells = vec![rules.to_string(), peer.name.to_owned()];
            match outcome {
                Outcome::Done(cost) => {
                    cells.extend([
                        seconds(cost.time),
                        seconds(cost.processor),
                        (cost.memory / 1024).to_string(),
                        size.map(|bytes| bytes.div_ceil(1024).to_string())
                            .unwrap_or_default(),
                    ]);
                    measured.push((rules, peer.name, cost));
                }
                Outcome::GivenUp => {
                    cells.push(format!("over {}", arguments.timeout));
                    cells.resize(6, String::new());
                }
                Outcome::Failed(said) => {
                    cells.push("failed".to_owned());
                    cells.resize(6, String::new());
                    failures.push(format!("{} with {rules} rules ({said})", peer.name));
                }
            }
            table.row(cells);
        }
    }

    let mut text = format!(
        "Compared with apparmor {} and secilc {}; the least of {} runs, of one where that takes \
         over {} seconds; `cargo xtask compare`.\n\n{}\n{}",
        compilers.apparmor_parser.version,
        compilers.secilc.version,
        arguments.runs,
        LONG.as_secs(),
        claims(&measured).markdown(),
        table.markdown()
    );
    if !failures.is_empty() {
        text += &format!("\nFailed: {}.\n", failures.join("; "));
    }
    println!("{text}");
    if !arguments.no_write {
        Place::named(PLACE).write(&text)?;
    }
    Ok(true)
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// Of this compiler and others.
fn claims(measured: &[Measured]) -> Table {
    let mut table = Table::new(&["compared", "this", "with this", "ratio"]);
    for (rules, over, under) in CLAIMS {
        let find = |name| {
            let found = |(size, peer, _): &&Measured| *size == rules && *peer == name;
            measured.iter().find(found).map(|(_, _, cost)| cost)
        };
        let (Some(one), Some(other)) = (find(over), find(under)) else {
            continue;
        };
        let mut row = |what: &str, one: Duration, other: Duration| {
            let ratio = one.as_secs_f64() / other.as_secs_f64().max(0.001);
            table.row(vec![
                format!("{over} / {under}, {rules} rules, {what}"),
                seconds(one),
                seconds(other),
                format!("{ratio:.2}"),
            ]);
        };
        row("seconds", one.time, other.time);
        row("processor seconds", one.processor, other.processor);
    }
    table
}

impl Peer {
    /// The fastest run, with the size of what it made.
    fn measure(
        &self,
        compilers: &Compilers,
        rules: usize,
        directory: &Path,
        arguments: &Arguments,
    ) -> Result<(Outcome, Option<u64>)> {
        let policy = directory.join("policy");
        let output = directory.join("output");
        fs::write(&policy, (self.policy)(rules, Names::Scattered)).context("writing a policy")?;
        let mut best: Option<Cost> = None;
        for _ in 0..arguments.runs.max(1) {
            let _ = fs::remove_file(&output);
            let _ = fs::remove_file(contexts(&output));
            let mut command = (self.command)(compilers, &policy, &output);
            let printed = self.prints.then_some(output.as_path());
            let limit = Duration::from_secs(arguments.timeout);
            match run::run(&mut command, printed, &directory.join("said"), limit)? {
                Outcome::Done(cost) => {
                    let long = cost.time > LONG;
                    best = Some(best.map_or(cost, |best| best.or(cost)));
                    if long {
                        break;
                    }
                }
                other => return Ok((other, None)),
            }
        }
        let cost = best.context("no run")?;
        let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        let made = size(&output) + size(&contexts(&output));
        Ok((Outcome::Done(cost), self.has_output.then_some(made)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_about_what_was_measured() {
        let cost = |milliseconds| Cost {
            time: Duration::from_millis(milliseconds),
            processor: Duration::from_millis(2 * milliseconds),
            memory: 1,
        };
        let measured = [
            (4_000, APPARMOR, cost(500)),
            (4_000, BUILD, cost(50)),
            (10_000, BUILD, cost(100)),
        ];
        let text = claims(&measured).markdown();
        assert!(
            text.contains("apparmor_parser / lsmpc build, 4000 rules, seconds"),
            "{text}"
        );
        assert!(text.contains("| 10.00 |"), "{text}");
        assert!(!text.contains("secilc"), "{text}");
    }
}
