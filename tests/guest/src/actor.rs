//! The suite's side of an actor: starting one under a path of the test's
//! choice, asking it for system calls, and saying what came of them.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// The call succeeded.
    Done(Value),
    /// The call of that name failed with that errno.
    Failed { at: String, errno: i32 },
    /// The actor did not live to answer.
    Died { signal: Option<i32> },
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(Value::Null) => write!(f, "it succeeded"),
            Self::Done(value) => write!(f, "it succeeded with {value}"),
            Self::Failed { at, errno } => write!(
                f,
                "{at} failed: {}",
                std::io::Error::from_raw_os_error(*errno)
            ),
            Self::Died { signal } => write!(f, "the actor died, signal {signal:?}"),
        }
    }
}

impl Outcome {
    /// The call succeeded.
    pub(crate) fn done(&self) -> Result<Value> {
        match self {
            Self::Done(value) => Ok(value.clone()),
            other => bail!("expected success, but {other}"),
        }
    }

    /// The call of that name was refused with that errno.
    pub(crate) fn refused_with(&self, call: &str, wanted: i32) -> Result<()> {
        match self {
            Self::Failed { at, errno } if at == call && *errno == wanted => Ok(()),
            other => bail!(
                "expected {call} to fail with {}, but {other}",
                std::io::Error::from_raw_os_error(wanted)
            ),
        }
    }

    /// The call of that name was refused with EPERM.
    pub(crate) fn refused(&self, call: &str) -> Result<()> {
        self.refused_with(call, libc::EPERM)
    }

    /// The call got past the policy: it succeeded, or failed with one of these
    /// for reasons of its own.
    pub(crate) fn passed_or(&self, errnos: &[i32]) -> Result<()> {
        match self {
            Self::Done(_) => Ok(()),
            Self::Failed { errno, .. } if errnos.contains(errno) => Ok(()),
            other => bail!("expected the call to be let through, but {other}"),
        }
    }

    /// The actor was killed.
    pub(crate) fn killed(&self) -> Result<()> {
        match self {
            Self::Died {
                signal: Some(libc::SIGKILL),
            } => Ok(()),
            other => bail!("expected SIGKILL, but {other}"),
        }
    }
}

/// A program that does what it is asked.
pub(crate) struct Actor {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// Puts this program at `path`, unless something is there.
pub(crate) fn install(path: &str) -> Result<()> {
    if Path::new(path).exists() {
        return Ok(());
    }
    if let Some(parent) = Path::new(path).parent() {
        fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
    }
    fs::copy("/init", path).with_context(|| format!("installing {path}"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("making {path} executable"))
}

impl Actor {
    /// Starts one whose program is `path`, installing it first.
    pub(crate) fn start(path: &str) -> Result<Self> {
        install(path)?;
        let mut child = Command::new(path)
            .arg("act")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {path}"))?;
        let requests = child.stdin.take();
        let answers = child.stdout.take().context("no standard output")?;
        let mut actor = Self {
            child,
            requests,
            answers: BufReader::new(answers),
        };
        actor.await_ready()?;
        Ok(actor)
    }

    /// The process that was started (not one that it entered).
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask(&mut self, words: &[&str]) -> Result<Outcome> {
        self.tell(words)?;
        self.answer()
    }

    /// Asks for what has to succeed.
    pub(crate) fn must(&mut self, words: &[&str]) -> Result<Value> {
        self.ask(words)?.done().with_context(|| words.join(" "))
    }

    /// Asks without waiting.
    pub(crate) fn tell(&mut self, words: &[&str]) -> Result<()> {
        let requests = self.requests.as_mut().context("the actor has left")?;
        let line = format!("{}\n", serde_json::to_string(words)?);
        // A dead actor is found out when its answer is awaited.
        let _ = requests.write_all(line.as_bytes());
        Ok(())
    }

    /// Waits for the answer to what was told.
    pub(crate) fn answer(&mut self) -> Result<Outcome> {
        let mut line = String::new();
        let length = self.answers.read_line(&mut line).unwrap_or(0);
        if length == 0 {
            let status = self.child.wait().context("waiting for the actor")?;
            return Ok(Outcome::Died {
                signal: status.signal(),
            });
        }
        let answer: Value =
            serde_json::from_str(&line).with_context(|| format!("the actor's answer {line:?}"))?;
        let errno = answer["errno"].as_i64().unwrap_or(-1) as i32;
        ensure!(
            errno != -1,
            "the actor did not understand the request: {answer}"
        );
        Ok(if errno == 0 {
            Outcome::Done(answer["value"].clone())
        } else {
            Outcome::Failed {
                at: answer["at"].as_str().unwrap_or_default().to_owned(),
                errno,
            }
        })
    }

    /// Enters another program: later requests are for it. Returns its pid.
    pub(crate) fn enter(&mut self, path: &str) -> Result<u32> {
        install(path)?;
        self.tell(&["enter", path])?;
        self.await_ready()
    }

    /// Enters a program that is in memory only.
    pub(crate) fn enter_memory(&mut self, name: &str) -> Result<u32> {
        self.tell(&["enter-memfd", name])?;
        self.await_ready()
    }

    /// Replaces the actor's program.
    pub(crate) fn become_program(&mut self, path: &str) -> Result<()> {
        install(path)?;
        self.tell(&["become", path])?;
        self.await_ready().map(drop)
    }

    /// Ends the entered program; the one that entered it goes on.
    pub(crate) fn leave(&mut self) -> Result<()> {
        self.tell(&["leave"])?;
        self.answer()?.done().map(drop)
    }

    fn await_ready(&mut self) -> Result<u32> {
        let mut line = String::new();
        self.answers.read_line(&mut line).context("the actor")?;
        let answer: Value = serde_json::from_str(&line)
            .with_context(|| format!("an actor did not get ready: {line:?}"))?;
        let pid = answer["ready"]
            .as_u64()
            .with_context(|| format!("an actor did not get ready: {answer}"))?;
        Ok(pid as u32)
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.requests = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
