//! Boots a guest in QEMU, runs one suite in it and says what came of it.
//!
//! A guest has passed when QEMU exits with 33, which only the guest's init
//! brings about, *and* the console holds the end marker with the right number
//! of test lines. A kernel that panics exits QEMU with 0; a guest that hangs
//! is ended after its time.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::architecture::Architecture;
use crate::console::{self, GuestTest, Line, Verdict};
use crate::image::{self, Extra};
use crate::kernels::{self, Kernel};
use crate::progress::Step;
use crate::{ebpf, process, qemu};

/// The security modules that guests start with.
pub(crate) const DEFAULT_LSM: &str = "lockdown,capability,landlock,apparmor,bpf";
/// What QEMU exits with when init writes 0x10 to the debug-exit device.
const EXIT_PASSED: i32 = 33;
/// The same for 0x11.
const EXIT_FAILED: i32 = 35;
/// How much of the console a failure shows.
const SHOWN_LINES: usize = 60;
/// The kernel cuts its command line off here.
const COMMAND_LINE_LIMIT: usize = 2047;

/// Boot a guest and run one suite or program in it.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The suite to run
    #[arg(long, default_value = "smoke", conflicts_with = "program")]
    suite: String,
    /// A static program to run instead of a suite
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Arguments of the suite or program
    #[arg(last = true)]
    arguments: Vec<String>,
    /// The kernel: 6.1, 6.12, newest, or another series of Debian's archive
    #[arg(long, default_value = "6.12")]
    kernel: String,
    /// Boot this kernel image instead
    #[arg(long, value_name = "FILE", conflicts_with = "kernel")]
    kernel_image: Option<PathBuf>,
    /// Run only tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Set a variable for the suite
    #[arg(long = "env", value_name = "NAME=VALUE")]
    environment: Vec<String>,
    /// Write the JSON that the suite hands out to this file, one value a line
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    machine: MachineArguments,
}

/// Options of the machine.
#[derive(Args)]
struct MachineArguments {
    /// The processor
    #[arg(long, value_enum, default_value = "x86_64")]
    architecture: Architecture,
    /// Number of processors
    #[arg(long, default_value_t = 1)]
    smp: u32,
    /// Memory in MiB
    #[arg(long, default_value_t = 1024)]
    memory: u32,
    /// More words for the kernel command line, such as preempt=full
    #[arg(long, default_value = "")]
    append: String,
    /// The security modules to start with
    #[arg(long, default_value = DEFAULT_LSM)]
    lsm: String,
    /// Seconds until the guest is given up
    #[arg(long, default_value_t = 120)]
    timeout: u64,
    /// Count instructions instead of time
    #[arg(long, conflicts_with_all = ["kvm", "smp"])]
    icount: bool,
    /// Use KVM instead of emulation
    #[arg(long)]
    kvm: bool,
    /// Show all that the kernel says
    #[arg(long)]
    verbose: bool,
}

/// What executes the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accelerator {
    Emulation,
    /// One guest nanosecond is one instruction.
    CountedEmulation,
    Kvm,
}

/// A guest to run.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) kernel: Kernel,
    /// The archive [`image::build`] made.
    pub(crate) image: PathBuf,
    pub(crate) suite: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Only the tests whose name contains this.
    pub(crate) only: Option<String>,
    pub(crate) smp: u32,
    pub(crate) memory_mib: u32,
    pub(crate) append: String,
    pub(crate) lsm: String,
    pub(crate) timeout: Duration,
    pub(crate) accelerator: Accelerator,
    /// Whether the kernel says everything, not only warnings.
    pub(crate) verbose: bool,
}

impl Spec {
    /// A guest with one processor and the defaults for the rest.
    pub(crate) fn new(kernel: Kernel, image: PathBuf, suite: &str) -> Self {
        Self {
            kernel,
            image,
            suite: suite.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            only: None,
            smp: 1,
            memory_mib: 2048,
            append: String::new(),
            lsm: DEFAULT_LSM.to_owned(),
            timeout: Duration::from_secs(120),
            accelerator: Accelerator::Emulation,
            verbose: false,
        }
    }

    fn command_line(&self) -> Result<String> {
        // What the kernel says would break the lines of the suites: only that it dies.
        let level = if self.verbose { 7 } else { 2 };
        let mut line = format!(
            "console={} loglevel={level} panic=-1 lsm={}",
            self.kernel.architecture.console(),
            self.lsm
        );
        line += &format!(" lsmpc.run={}", encode(&self.suite));
        for argument in &self.arguments {
            line += &format!(",{}", encode(argument));
        }
        for (name, value) in &self.environment {
            line += &format!(" lsmpc.env={}={}", encode(name), encode(value));
        }
        if let Some(only) = &self.only {
            line += &format!(" lsmpc.only={}", encode(only));
        }
        if !self.append.is_empty() {
            line += &format!(" {}", self.append);
        }
        ensure!(
            line.len() <= COMMAND_LINE_LIMIT,
            "the guest's command line is {} bytes long, the kernel takes {COMMAND_LINE_LIMIT}",
            line.len()
        );
        Ok(line)
    }
}

/// Percent-encodes what would end a word or an argument.
fn encode(word: &str) -> String {
    let mut encoded = String::new();
    for byte in word.bytes() {
        if byte.is_ascii_alphanumeric() || b"_-./:=+@*".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02x}");
        }
    }
    encoded
}

/// What came of a guest.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) tests: Vec<GuestTest>,
    /// What the suite handed out, in order.
    pub(crate) json: Vec<serde_json::Value>,
    /// Everything on the console.
    pub(crate) console: Vec<String>,
    /// Why the guest as a whole does not count as run to its end.
    pub(crate) broken: Option<String>,
    pub(crate) elapsed: Duration,
}

impl Outcome {
    /// Whether the guest ran to its end and no test failed.
    pub(crate) fn passed(&self) -> bool {
        self.broken.is_none()
            && !self
                .tests
                .iter()
                .any(|test| matches!(test.verdict, Verdict::Failed(_)))
    }

    /// The end of the console.
    pub(crate) fn last_lines(&self) -> String {
        self.console[self.console.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }
}

/// Ends QEMU when nobody waits for it any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a guest to its end. `on_line` sees every console line as it comes.
///
/// An error means that there was no guest; what went wrong inside one is in
/// the outcome.
pub(crate) fn run_guest(spec: &Spec, mut on_line: impl FnMut(&str)) -> Result<Outcome> {
    let started = Instant::now();
    let mut command = qemu_command(spec)?;
    let child = command.spawn().with_context(|| process::shown(&command))?;
    let mut running = Running(child);
    let lines = read_lines(
        running
            .0
            .stdout
            .take()
            .context("QEMU has no standard output")?,
    );
    let errors = running
        .0
        .stderr
        .take()
        .context("QEMU has no standard error")?;
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        let mut errors = errors;
        // Half of what it said is better than none.
        let _ = errors.read_to_string(&mut text);
        text
    });

    let mut outcome = Outcome::default();
    let mut count = None;
    let mut end = None;
    let in_time = loop {
        let left = spec.timeout.saturating_sub(started.elapsed());
        match lines.recv_timeout(left) {
            Ok(line) => {
                on_line(&line);
                match console::read(&line) {
                    Some(Ok(Line::Test(test))) => outcome.tests.push(test),
                    Some(Ok(Line::Json(value))) => outcome.json.push(value),
                    Some(Ok(Line::Count(tests))) => count = Some(tests),
                    Some(Ok(Line::End { ok })) => end = Some(ok),
                    Some(Ok(Line::Begin(_) | Line::Say(_))) | None => {}
                    Some(Err(garbled)) => {
                        outcome.broken.get_or_insert_with(|| garbled.to_string());
                    }
                }
                outcome.console.push(line);
            }
            Err(RecvTimeoutError::Disconnected) => break true,
            Err(RecvTimeoutError::Timeout) => break false,
        }
    };
    if !in_time {
        running.0.kill().context("ending QEMU")?;
    }
    let code = running.0.wait().context("waiting for QEMU")?.code();
    let errors = errors.join().unwrap_or_default();
    outcome.elapsed = started.elapsed();

    let why = if !in_time {
        Some(format!(
            "the guest was not done after {} s",
            spec.timeout.as_secs()
        ))
    } else {
        why_broken(code, end, count, &outcome.tests, &errors)
    };
    if let Some(why) = why {
        outcome.broken.get_or_insert(why);
    }
    Ok(outcome)
}

/// Whether a guest that ended did so in the agreed way.
fn why_broken(
    code: Option<i32>,
    end: Option<bool>,
    count: Option<usize>,
    tests: &[GuestTest],
    errors: &str,
) -> Option<String> {
    match (code, end) {
        (Some(EXIT_PASSED), Some(true)) | (Some(EXIT_FAILED), Some(false)) => {}
        (Some(0), _) => {
            return Some("the guest's kernel panicked or powered off before the end".to_owned());
        }
        _ => {
            let code = code.map_or("a signal".to_owned(), |code| code.to_string());
            let marker = end.map_or("none", |ok| if ok { "ok" } else { "FAILED" });
            return Some(format!(
                "QEMU ended with {code}, end marker {marker}: {}",
                errors.trim()
            ));
        }
    }
    let said = tests.len();
    if count != Some(said) {
        let count = count.map_or("an unknown number of".to_owned(), |count| count.to_string());
        return Some(format!(
            "the guest ran {count} tests, {said} reached the console"
        ));
    }
    let failed = tests
        .iter()
        .any(|test| matches!(test.verdict, Verdict::Failed(_)));
    (failed == (end == Some(true))).then(|| "the end marker contradicts the tests".to_owned())
}

fn qemu_command(spec: &Spec) -> Result<Command> {
    let architecture = spec.kernel.architecture;
    let mut command = Command::new(qemu::for_architecture(architecture)?);
    command.args(["-nodefaults", "-no-user-config", "-no-reboot"]);
    command.args(["-display", "none", "-monitor", "none", "-serial", "stdio"]);
    command.args(architecture.machine());
    command.args([
        "-m",
        &spec.memory_mib.to_string(),
        "-smp",
        &spec.smp.to_string(),
    ]);
    match spec.accelerator {
        Accelerator::Emulation => command.args(["-accel", "tcg", "-cpu", architecture.processor()]),
        Accelerator::CountedEmulation => {
            command.args(["-accel", "tcg,thread=single"]);
            command.args(["-cpu", architecture.processor()]);
            command.args(["-icount", "shift=0,sleep=off"])
        }
        Accelerator::Kvm => command.args(["-accel", "kvm", "-cpu", "host"]),
    };
    command.arg("-kernel").arg(&spec.kernel.image);
    command.arg("-initrd").arg(&spec.image);
    command.arg("-append").arg(spec.command_line()?);
    // SAFETY: between fork and exec there is one system call, which is safe
    // there. It ends QEMU with the thread that waits for it, however that ends.
    unsafe {
        command.pre_exec(|| {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            Ok(())
        });
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}

/// The console's lines, cleaned, as they come.
fn read_lines(stdout: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut bytes = Vec::new();
        while let Ok(1..) = reader.read_until(b'\n', &mut bytes) {
            if sender.send(console::clean(&bytes)).is_err() {
                break;
            }
            bytes.clear();
        }
    });
    receiver
}

/// Writes values to a file, one a line.
pub(crate) fn write_json_lines(path: &Path, values: &[serde_json::Value]) -> Result<()> {
    let text: String = values.iter().map(|value| format!("{value}\n")).collect();
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    let architecture = arguments.machine.architecture;
    qemu::for_architecture(architecture)?;
    ensure!(
        !arguments.machine.kvm || architecture == Architecture::X86_64,
        "--kvm is for guests of x86_64: those of {} end by an instruction that only \
         emulation knows",
        architecture.target()
    );
    let kernel = match &arguments.kernel_image {
        Some(image) => kernels::own(architecture, image)?,
        None => kernels::ensure_all_for(architecture, &[&arguments.kernel])?
            .pop()
            .context("no kernel was resolved")?,
    };
    let mut extras = kernel.modules.clone();
    let (suite, mut words) = match &arguments.program {
        Some(program) => {
            let name = program
                .file_name()
                .context("the program has no file name")?;
            let to = format!("/bin/{}", name.to_string_lossy());
            extras.push(Extra {
                from: program.clone(),
                to: to.clone(),
            });
            ("exec", vec![to])
        }
        None => (arguments.suite.as_str(), Vec::new()),
    };
    extras.extend(image::tests_of(architecture, [suite])?);
    words.extend(arguments.arguments.iter().cloned());

    let machine = &arguments.machine;
    let mut spec = Spec::new(kernel, image::build_for(architecture, &extras)?, suite);
    spec.arguments = words;
    spec.environment = ebpf::guest_environment();
    spec.environment
        .extend(environment(&arguments.environment)?);
    spec.only = arguments.only.clone();
    spec.smp = machine.smp;
    spec.memory_mib = machine.memory;
    spec.append = machine.append.clone();
    spec.lsm = machine.lsm.clone();
    spec.timeout = Duration::from_secs(machine.timeout);
    spec.verbose = machine.verbose;
    spec.accelerator = if machine.kvm {
        Accelerator::Kvm
    } else if machine.icount {
        Accelerator::CountedEmulation
    } else {
        Accelerator::Emulation
    };

    let step = Step::start(format!("guest {} runs {}", spec.kernel.name, spec.suite));
    let outcome = run_guest(&spec, |line| println!("{line}"))?;
    step.done(if outcome.passed() { "passed" } else { "FAILED" });
    if let Some(why) = &outcome.broken {
        eprintln!("xtask: {why}");
    }
    if let Some(out) = &arguments.out {
        write_json_lines(out, &outcome.json)?;
    }
    Ok(outcome.passed())
}

fn environment(words: &[String]) -> Result<Vec<(String, String)>> {
    let split = |word: &String| {
        let (name, value) = word
            .split_once('=')
            .with_context(|| format!("--env {word}: a variable is given as NAME=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    words.iter().map(split).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(verdict: Verdict) -> GuestTest {
        GuestTest {
            name: "t".into(),
            verdict,
        }
    }

    #[test]
    fn a_pass_needs_code_marker_and_count() {
        let ok = [test(Verdict::Ok)];
        assert_eq!(why_broken(Some(33), Some(true), Some(1), &ok, ""), None);
        assert!(why_broken(Some(0), Some(true), Some(1), &ok, "").is_some());
        assert!(why_broken(Some(33), None, Some(1), &ok, "").is_some());
        assert!(why_broken(Some(33), Some(true), Some(2), &ok, "").is_some());
        assert!(why_broken(Some(33), Some(true), None, &ok, "").is_some());
        assert!(why_broken(None, None, None, &ok, "").is_some());
    }

    #[test]
    fn a_failed_test_is_not_a_broken_guest() {
        let failed = [test(Verdict::Failed("x".into()))];
        assert_eq!(
            why_broken(Some(35), Some(false), Some(1), &failed, ""),
            None
        );
        assert!(why_broken(Some(33), Some(true), Some(1), &failed, "").is_some());
    }

    #[test]
    fn words_of_the_command_line_are_encoded() {
        assert_eq!(encode("a,b c%\"/x"), "a%2cb%20c%25%22/x");
    }
}
