//! Running a compiler once, with what it took.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::process;

/// What a run took.
#[derive(Clone, Copy)]
pub(super) struct Cost {
    pub(super) time: Duration,
    /// Of all processors together.
    pub(super) processor: Duration,
    /// Largest resident set, KiB.
    pub(super) memory: i64,
}

impl Cost {
    /// The faster of two runs; the larger memory of both.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            time: self.time.min(other.time),
            processor: self.processor.min(other.processor),
            memory: self.memory.max(other.memory),
        }
    }
}

/// How a run ended.
pub(super) enum Outcome {
    Done(Cost),
    /// It took too long.
    GivenUp,
    /// How, and what it said last.
    Failed(String),
}

/// Runs a compiler: what it prints goes to `printed`, what it says to `said`.
pub(super) fn run(
    command: &mut Command,
    printed: Option<&Path>,
    said: &Path,
    limit: Duration,
) -> Result<Outcome> {
    let create =
        |path: &Path| File::create(path).with_context(|| format!("creating {}", path.display()));
    let stdout = match printed {
        Some(path) => Stdio::from(create(path)?),
        None => Stdio::null(),
    };
    let start = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(create(said)?)
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
                let status = ExitStatus::from_raw(status);
                return Ok(Outcome::Failed(format!("{status}; {}", last_line(said))));
            }
            return Ok(Outcome::Done(Cost {
                time: start.elapsed(),
                processor: duration(usage.ru_utime) + duration(usage.ru_stime),
                memory: usage.ru_maxrss,
            }));
        }
        if start.elapsed() > limit {
            // SAFETY: no pointers; the child has not been waited for.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            // SAFETY: as above.
            unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
            return Ok(Outcome::GivenUp);
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let micros = u64::try_from(time.tv_usec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

fn last_line(said: &Path) -> String {
    let text = fs::read(said).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    // AppArmor's compiler says that on every machine without AppArmor.
    let is_reason = |line: &&str| !line.trim().is_empty() && !line.starts_with("Cache read/write");
    let line = text.lines().rfind(is_reason);
    line.unwrap_or("it said nothing").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Outcome {
        let name = format!("lsmpc-compare-{}-{}", std::process::id(), script.len());
        let said = std::env::temp_dir().join(name);
        let mut command = Command::new("sh");
        let outcome = run(command.args(["-c", script]), None, &said, limit).unwrap();
        fs::remove_file(&said).unwrap();
        outcome
    }

    #[test]
    fn what_takes_too_long_is_given_up() {
        let outcome = shell("exec sleep 60", Duration::from_millis(20));
        assert!(matches!(outcome, Outcome::GivenUp));
    }

    #[test]
    fn costs_and_failures() {
        let limit = Duration::from_secs(60);
        let Outcome::Done(cost) = shell("true", limit) else {
            panic!("it does not end well");
        };
        assert!(cost.memory > 0 && cost.processor <= cost.time * 4);
        let Outcome::Failed(said) = shell("echo first >&2; echo why >&2; exit 3", limit) else {
            panic!("it does not fail");
        };
        assert_eq!(said, "exit status: 3; why");
    }
}
