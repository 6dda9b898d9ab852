//! `/usr/bin/lsmpc`, used as an administrator uses it. Every record that is read is
//! checked against the documented schema.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use jsonschema::Validator;
use lsmpc_runtime::{ApplyOptions, Runtime};
use serde_json::Value;

/// Where the tool is.
pub(crate) const LSMPC: &str = "/usr/bin/lsmpc";

/// What one run of the tool came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Both outputs, for messages.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// It has to have ended with this code.
    pub(crate) fn expect_code(self, code: i32) -> Result<Self> {
        ensure!(
            self.code == Some(code),
            "expected exit code {code}, not {:?}: {}",
            self.code,
            self.text()
        );
        Ok(self)
    }

    /// Its output has to contain each of these, in any case.
    pub(crate) fn expect_words(self, words: &[&str]) -> Result<Self> {
        let text = self.text().to_lowercase();
        for word in words {
            ensure!(
                text.contains(&word.to_lowercase()),
                "expected the output to mention {word:?}: {}",
                self.text()
            );
        }
        Ok(self)
    }
}

/// Runs the tool.
pub(crate) fn lsmpc(arguments: &[&str]) -> Result<Run> {
    let output = Command::new(LSMPC)
        .args(arguments)
        .stdin(Stdio::null())
        .env("NO_COLOR", "1")
        .output()
        .with_context(|| format!("starting {LSMPC}"))?;
    Ok(Run {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Writes a policy to a file of its own; its path.
pub(crate) fn policy_file(text: &str) -> Result<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let directory = format!("/run/policies/{number}");
    fs::create_dir_all(&directory)?;
    let path = format!("{directory}/p.lsmp");
    fs::write(&path, text).with_context(|| format!("writing {path}"))?;
    Ok(path)
}

/// Puts a policy in force.
pub(crate) fn apply(text: &str) -> Result<()> {
    let path = policy_file(text)?;
    let run = lsmpc(&["apply", &path])?;
    if run.code != Some(0) {
        let shown: String = text.chars().take(200).collect();
        bail!(
            "apply: exit code {:?}: {}for {shown:?}",
            run.code,
            run.text()
        );
    }
    Ok(())
}

/// Compiles a policy to the bytes of its image.
pub(crate) fn build(text: &str) -> Result<Vec<u8>> {
    let source = policy_file(text)?;
    let image = source.replace(".lsmp", ".img");
    lsmpc(&["build", &source, "-o", &image])?.expect_code(0)?;
    fs::read(&image).with_context(|| format!("reading {image}"))
}

/// Where a deliberately broken object of hook programs is.
pub(crate) fn variant(name: &str) -> String {
    format!("/objects/variants/{name}.bpf.o")
}

/// Puts a policy in force with a broken object, if one is named.
pub(crate) fn apply_with(broken: Option<&str>, text: &str) -> Result<()> {
    let Some(name) = broken else {
        return apply(text);
    };
    Runtime::default()
        .with_object(variant(name))
        .apply(&build(text)?, &ApplyOptions::default(), |_| {})
        .with_context(|| format!("applying {text:?} with {name}"))?;
    Ok(())
}

/// Takes the policy out of force.
pub(crate) fn remove() -> Result<()> {
    lsmpc(&["remove"])?.expect_code(0).context("removing")?;
    Ok(())
}

/// The documented form of what `lsmpc events --format json` prints.
static SCHEMA: LazyLock<Result<Validator, String>> = LazyLock::new(|| {
    let schema = include_str!("../../../docs/events.schema.json");
    let schema: Value = serde_json::from_str(schema).map_err(|error| error.to_string())?;
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .map_err(|error| error.to_string())
});

/// How many lines were found to be of that form.
static VALID: AtomicU32 = AtomicU32::new(0);

/// How many records and notices were read and found to be as documented.
pub(crate) fn valid_records() -> u32 {
    VALID.load(Ordering::Relaxed)
}

/// One record, as `lsmpc events --format json` prints it.
#[derive(Debug, Clone)]
pub(crate) struct Event(pub(crate) Value);

impl Event {
    /// Reads a line of the output, which has to be of the documented form.
    pub(crate) fn read(line: &str) -> Result<Self> {
        let value =
            serde_json::from_str(line).with_context(|| format!("lsmpc events printed {line:?}"))?;
        let schema = SCHEMA
            .as_ref()
            .map_err(|error| anyhow!("the schema of events: {error}"))?;
        if let Some(error) = schema.iter_errors(&value).next() {
            bail!(
                "not of the documented form, at {}: {error}: {line}",
                error.instance_path()
            );
        }
        VALID.fetch_add(1, Ordering::Relaxed);
        Ok(Self(value))
    }

    /// A field by its name in the language.
    pub(crate) fn get(&self, name: &str) -> &Value {
        let top = &self.0[name];
        if !top.is_null() {
            return top;
        }
        ["subject", "object", "fields"]
            .iter()
            .map(|part| &self.0[part][name])
            .find(|value| !value.is_null())
            .unwrap_or(&Value::Null)
    }

    /// The same as text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).as_str().unwrap_or_default()
    }

    /// The ids of the rules that it reports.
    pub(crate) fn rules(&self) -> Vec<String> {
        self.get("rules")
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|rule| {
                rule.as_str()
                    .or_else(|| rule["id"].as_str())
                    .map(str::to_owned)
            })
            .collect()
    }

    /// Whether it reports a rule.
    pub(crate) fn has_rule(&self, id: &str) -> bool {
        self.rules().iter().any(|rule| rule == id)
    }
}

/// `lsmpc events --follow` in the background.
pub(crate) struct Events {
    child: Child,
    lines: Receiver<String>,
    /// All that came so far and was not asked for.
    pending: Vec<Event>,
}

impl Events {
    /// Starts following.
    pub(crate) fn follow() -> Result<Self> {
        let mut child = Command::new(LSMPC)
            .args(["events", "--format", "json", "--follow"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting lsmpc events")?;
        let output = child.stdout.take().context("no standard output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            lines,
            pending: Vec::new(),
        })
    }

    fn receive(&mut self, timeout: Duration) -> Result<bool> {
        let Ok(line) = self.lines.recv_timeout(timeout) else {
            return Ok(false);
        };
        self.pending.push(Event::read(&line)?);
        Ok(true)
    }

    /// Waits for the event that fits, and takes it.
    pub(crate) fn wait(&mut self, what: &str, fits: impl Fn(&Event) -> bool) -> Result<Event> {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(at) = self.pending.iter().position(&fits) {
                return Ok(self.pending.remove(at));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let seen: Vec<_> = self
                    .pending
                    .iter()
                    .rev()
                    .take(4)
                    .map(|event| event.0.to_string())
                    .collect();
                let ended = self.child.try_wait().ok().flatten();
                bail!("no event for {what}; the last others: {seen:?}; the reader: {ended:?}");
            }
            self.receive(left.min(Duration::from_millis(200)))?;
        }
    }

    /// Waits for an event that reports a rule, and takes it.
    pub(crate) fn of_rule(&mut self, id: &str) -> Result<Event> {
        self.wait(id, |event| event.has_rule(id))
    }

    /// Everything that arrives until nothing has for this long.
    pub(crate) fn settle(&mut self, quiet: Duration) -> Result<Vec<Event>> {
        while self.receive(quiet)? {}
        Ok(std::mem::take(&mut self.pending))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
