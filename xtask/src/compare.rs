//! `cargo xtask compare`: compiles the same rules with this compiler and with those
//! of AppArmor and SELinux, and writes the table of `docs/performance.md`.
//!
//! What is compared is what each can express: for lsmp and AppArmor the same path
//! globs, denied to one program; for SELinux, which knows no paths at run time, a
//! type for each path, a file context, and a rule that allows it. Times are for
//! comparison within one run.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::progress::Step;
use crate::table::{Place, Table};
use crate::{process, repository};

/// Where the table goes.
const PLACE: &str = "compare";

/// Compile the same rules with other compilers, too, and write the table.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Numbers of rules
    #[arg(long, value_delimiter = ',', default_value = "1000,2000,4000,10000")]
    rules: Vec<usize>,
    /// Seconds until a compiler is given up
    #[arg(long, default_value_t = 300)]
    timeout: u64,
    /// Leave the document alone
    #[arg(long)]
    no_write: bool,
}

/// What a run took.
struct Cost {
    time: Duration,
    /// Largest resident set, KiB.
    memory: i64,
}

/// One compiler.
struct Peer {
    name: &'static str,
    /// Debian's package of it; none: it is built here.
    package: Option<&'static str>,
    /// A policy of that many rules.
    policy: fn(usize) -> String,
    /// The command, from the policy to its output.
    command: fn(&Path, &Path) -> Command,
    has_output: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    let step = Step::start("building lsmpc".to_owned());
    process::quiet(process::cargo().args(["build", "--release", "--locked", "--bin", "lsmpc"]))?;
    step.done("built");
    let directory = repository::root().join("target/compare");
    fs::create_dir_all(&directory).context("making target/compare")?;

    let mut table = Table::new(&["rules", "compiler", "seconds", "peak MiB", "output KiB"]);
    let mut versions = Vec::new();
    for peer in PEERS {
        match peer.package.map(version) {
            None => {}
            Some(Some(version)) => versions.push(version),
            Some(None) => bail!(
                "{} is not installed: `apt-get install apparmor secilc` brings the compilers to \
                 compare with",
                peer.package.unwrap_or_default()
            ),
        }
    }
    for rules in &arguments.rules {
        for peer in PEERS {
            let policy = directory.join("policy");
            let output = directory.join("output");
            fs::write(&policy, (peer.policy)(*rules)).context("writing a policy")?;
            let _ = fs::remove_file(&output);
            let step = Step::start(format!("{rules} rules, {}", peer.name));
            let limit = Duration::from_secs(arguments.timeout);
            let cost = measure(&mut (peer.command)(&policy, &output), limit)?;
            let size = fs::metadata(&output).map(|file| file.len().div_ceil(1024).to_string());
            step.done("done");
            let [time, memory] = match &cost {
                Some(cost) => [
                    format!("{:.2}", cost.time.as_secs_f64()),
                    (cost.memory / 1024).to_string(),
                ],
                None => [format!("over {}", arguments.timeout), String::new()],
            };
            let size = size.ok().filter(|_| peer.has_output && cost.is_some());
            table.row(vec![
                rules.to_string(),
                peer.name.to_owned(),
                time,
                memory,
                size.unwrap_or_default(),
            ]);
        }
    }
    let heading = format!("Compared with {}.", versions.join(" and "));
    let table = table.markdown();
    println!("{heading}\n\n{table}");
    if !arguments.no_write {
        Place::named(PLACE).write(&format!("{heading}\n\n{table}"))?;
    }
    Ok(true)
}

/// Name and version of an installed package.
fn version(package: &str) -> Option<String> {
    let format = "${Package} ${Version}";
    let mut query = Command::new("dpkg-query");
    process::text(query.args(["--show", "--showformat", format, package])).ok()
}

/// Runs a compiler; `None` if it takes too long.
fn measure(command: &mut Command, limit: Duration) -> Result<Option<Cost>> {
    let start = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(|| format!("starting {}", process::shown(command)))?;
    let pid = libc::pid_t::try_from(child.id()).context("a process number")?;
    loop {
        let mut status = 0;
        // SAFETY: all bytes of the structure are numbers.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: both are there to be written; the process is this one's child and
        // nobody else waits for it.
        let ended = unsafe { libc::wait4(pid, &raw mut status, libc::WNOHANG, &raw mut usage) };
        if ended == pid {
            if status != 0 {
                bail!("{} failed (status {status})", process::shown(command));
            }
            return Ok(Some(Cost {
                time: start.elapsed(),
                memory: usage.ru_maxrss,
            }));
        }
        if start.elapsed() > limit {
            // SAFETY: no pointers; the child has not been waited for.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            // SAFETY: as above.
            unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

const PEERS: &[Peer] = &[
    Peer {
        name: "lsmpc build",
        package: None,
        policy: lsmp,
        command: |policy, output| {
            let mut command = lsmpc();
            command.arg("build").arg(policy).arg("-o").arg(output);
            command
        },
        has_output: true,
    },
    Peer {
        name: "lsmpc check, all analyses",
        package: None,
        policy: lsmp,
        command: |policy, _| {
            let mut command = lsmpc();
            command.arg("check").arg(policy);
            command
        },
        has_output: false,
    },
    Peer {
        name: "apparmor_parser",
        package: Some("apparmor"),
        policy: apparmor,
        command: |policy, output| {
            let mut command = Command::new("apparmor_parser");
            command
                .args(["--skip-kernel-load", "--skip-cache", "--ofile"])
                .arg(output)
                .arg(policy);
            command
        },
        has_output: true,
    },
    Peer {
        name: "secilc",
        package: Some("secilc"),
        policy: cil,
        command: |policy, output| {
            let mut command = Command::new("secilc");
            command
                .args(["--mls", "0", "--policyvers", "33", "--output"])
                .arg(output)
                .arg("--filecontext")
                .arg(output.with_extension("contexts"))
                .arg(policy);
            command
        },
        has_output: true,
    },
];

fn lsmpc() -> Command {
    Command::new(repository::root().join("target/release/lsmpc"))
}

/// Names, directories, trees, and wildcards within components, a quarter each.
fn globs(rules: usize) -> impl Iterator<Item = String> {
    (0..rules).map(|number| {
        let (app, part) = (number % 97, number % 13);
        let directory = format!("/srv/app{app}/part{part}/d{number}");
        match number % 4 {
            0 => format!("{directory}/file"),
            1 => format!("{directory}/*"),
            2 => format!("{directory}/**"),
            _ => format!("{directory}/conf*.d/x?"),
        }
    })
}

fn lsmp(rules: usize) -> String {
    globs(rules)
        .enumerate()
        .map(|(number, glob)| {
            format!(
                "@id(\"r{number}\") deny file_open when exe == \"/usr/bin/app\" and path == \
                 \"{glob}\"\n"
            )
        })
        .collect()
}

fn apparmor(rules: usize) -> String {
    let rules: String = globs(rules)
        .map(|glob| format!("  deny {glob} rw,\n"))
        .collect();
    format!("profile app /usr/bin/app {{\n  /** rwm,\n{rules}}}\n")
}

fn cil(rules: usize) -> String {
    let mut policy = String::from(
        "(handleunknown allow) (mls false)\n\
         (class file (open read write)) (class process (transition)) (classorder (process file))\n\
         (sid kernel) (sidorder (kernel)) (user u) (role r) (type app_t)\n\
         (roletype r app_t) (userrole u r)\n\
         (sensitivity s0) (sensitivityorder (s0)) (level low (s0)) (levelrange low_low (low low))\n\
         (userlevel u low) (userrange u low_low) (sidcontext kernel (u r app_t low_low))\n",
    );
    for (number, glob) in globs(rules).enumerate() {
        let regex = glob
            .replace("**", "\u{1}")
            .replace('.', "\\\\.")
            .replace('*', "[^/]*")
            .replace('?', "[^/]")
            .replace('\u{1}', ".*");
        policy += &format!(
            "(type f{number}_t) (roletype r f{number}_t) (allow app_t f{number}_t (file (open \
             read)))\n(filecon \"{regex}\" file (u r f{number}_t low_low))\n"
        );
    }
    policy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_have_as_many_rules_as_asked_for() {
        let count = |text: &str, what: &str| text.matches(what).count();
        assert_eq!(count(&lsmp(8), "deny file_open"), 8);
        assert_eq!(count(&apparmor(8), "deny /srv"), 8);
        assert_eq!(count(&cil(8), "(filecon "), 8);
        assert!(cil(8).contains(r#""/srv/app3/part3/d3/conf[^/]*\\.d/x[^/]""#));
    }

    #[test]
    fn what_takes_too_long_is_given_up() {
        let mut sleep = Command::new("sleep");
        let cost = measure(sleep.arg("60"), Duration::from_millis(20)).unwrap();
        assert!(cost.is_none());
        let cost = measure(&mut Command::new("true"), Duration::from_secs(60)).unwrap();
        assert!(cost.is_some_and(|cost| cost.memory > 0));
    }
}
