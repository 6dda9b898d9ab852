//! From files on the command line to a checked policy, or an image.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::thread;

use lsmpc_abi::image::MAGIC;
use lsmpc_compiler::code::Code;
use lsmpc_compiler::diagnostic::Diagnostic;
use lsmpc_compiler::hir::Hir;
use lsmpc_compiler::ir::{Ir, RuleId};
use lsmpc_compiler::lower::{Groundwork, LowerError, LowerOptions, SourceText, Stats, TableImage};
use lsmpc_compiler::source::{MemoryReader, SourceMap};
use lsmpc_compiler::tables::Tables;
use lsmpc_compiler::testing::{self, Tested};
use lsmpc_compiler::{Analysis, Kernel, Options, UserDb, analyse};
use lsmpc_syntax::Span;

use crate::arguments::{CompileArguments, KernelArgument};
use crate::commands::Outcome;
use crate::evaluator::{checked, unusable};
use crate::failure::Failure;
use crate::machine::running_kernel;
use crate::output::Terminal;
use crate::render::{Selection, Tally, human_diagnostics};
use crate::sources::Disk;

/// Bytes of the stack of a second thread: as many as the first has.
const STACK: usize = 8 << 20;

/// A policy that was read and checked.
pub(crate) struct Policy {
    pub(crate) sources: SourceMap,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Its meaning; absent if there are errors.
    pub(crate) hir: Option<Hir>,
    /// Its tables; absent if there are errors.
    pub(crate) tables: Option<TableImage>,
    /// How many tests were run.
    pub(crate) tests: usize,
}

impl Policy {
    /// Reads, checks and lowers.
    pub(crate) fn compile(
        files: &[PathBuf],
        arguments: &CompileArguments,
    ) -> Result<Self, Failure> {
        let analysis = analyse(files, &Disk, &options(arguments)?);
        let lowered = lowered(&analysis, groundwork(&analysis));
        Ok(Self::with(analysis, lowered))
    }

    fn with(analysis: Analysis, lowered: Option<Result<TableImage, LowerError>>) -> Self {
        let mut policy = Self {
            sources: analysis.sources,
            diagnostics: analysis.diagnostics,
            hir: analysis.hir,
            tables: None,
            tests: 0,
        };
        match (lowered, &analysis.ir) {
            (Some(Ok(tables)), _) => policy.tables = Some(tables),
            (Some(Err(error)), Some(ir)) => {
                let diagnostic = too_much(&error, ir, &policy.sources);
                policy.diagnostics.push(diagnostic);
            }
            _ => {}
        }
        // It is not taken apart, which would take longer than is left to do.
        std::mem::forget(analysis.ir);
        policy
    }

    /// The same, compares its statements with one another, and runs its tests:
    /// `assert`s and tests that fail are errors.
    pub(crate) fn compile_and_test(
        files: &[PathBuf],
        arguments: &CompileArguments,
    ) -> Result<Self, Failure> {
        let mut analysis = analyse(files, &Disk, &options(arguments)?);
        let groundwork = groundwork(&analysis);
        let ground = groundwork.as_ref().map(Groundwork::ground);
        // Neither needs what the other finds.
        let (lowered, found) = beside(
            || analysis.findings(&ground.clone().unwrap_or_default()),
            || lowered(&analysis, groundwork),
        );
        analysis.add(found);
        let mut policy = Self::with(analysis, lowered);
        let tests = policy.run_tests()?;
        policy.tests = tests.len();
        let failures = tests.into_iter().flat_map(|test| test.failures);
        policy.diagnostics.extend(failures);
        Ok(policy)
    }

    /// The policy that an image was made of, from the sources that it holds.
    pub(crate) fn of_image(bytes: &[u8], arguments: &CompileArguments) -> Result<Self, Failure> {
        let image = checked(bytes)?;
        let report = image.report().map_err(|error| unusable(&error))?;
        let mut reader = MemoryReader::default();
        let mut files = Vec::new();
        for source in report.sources {
            files.push(PathBuf::from(&*source.name));
            reader = reader.file(&*source.name, source.text.into_owned());
        }
        // They were compiled once, so where they lay does not matter.
        let options = Options {
            allow_outside: true,
            ..options(arguments)?
        };
        let analysis = analyse(&files, &reader, &options);
        Ok(Self {
            sources: analysis.sources,
            diagnostics: analysis.diagnostics,
            hir: analysis.hir,
            tables: None,
            tests: 0,
        })
    }

    /// Runs the tests, if there are no errors.
    pub(crate) fn run_tests(&self) -> Result<Vec<Tested>, Failure> {
        let (Some(hir), Some(image)) = (&self.hir, self.image()) else {
            return Ok(Vec::new());
        };
        if hir.tests.is_empty() {
            return Ok(Vec::new());
        }
        let tables = Tables::new(checked(image)?).map_err(|error| unusable(&error))?;
        Ok(testing::run(hir, &tables))
    }

    /// The image, if there are no errors.
    pub(crate) fn image(&self) -> Option<&[u8]> {
        self.tables.as_ref().map(|tables| tables.bytes.as_slice())
    }

    /// What the tables cost, if there are no errors.
    pub(crate) fn stats(&self) -> Option<&Stats> {
        self.tables.as_ref().map(|tables| &tables.stats)
    }

    /// What the diagnostics come to.
    pub(crate) fn outcome(&self, deny_warnings: bool) -> Outcome {
        let tally = Tally::of(&self.diagnostics);
        // A file on the command line that is not there is no mistake in a policy.
        let unreadable = self
            .diagnostics
            .iter()
            .any(|diagnostic| diagnostic.code == Code::Unreadable && diagnostic.primary.is_none());
        if unreadable {
            Outcome::Impossible
        } else if tally.errors != 0 || (deny_warnings && tally.warnings != 0) {
            Outcome::Found
        } else {
            Outcome::Done
        }
    }

    /// Shows the diagnostics on standard error, with a summary if there are any.
    pub(crate) fn show_diagnostics(&self, terminal: Terminal) {
        if self.diagnostics.is_empty() {
            return;
        }
        let selection = Selection::new(&self.diagnostics, false);
        eprintln!(
            "{}{}",
            human_diagnostics(
                selection.shown().iter().copied(),
                &self.sources,
                terminal.stderr
            ),
            selection.summary()
        );
    }
}

/// The tables of a policy that was checked, if there are no errors.
fn lowered(
    analysis: &Analysis,
    groundwork: Option<Groundwork<'_>>,
) -> Option<Result<TableImage, LowerError>> {
    let groundwork = groundwork?;
    let sources = analysis.sources.iter().map(|(_, file)| SourceText {
        name: file.relative(),
        text: file.text(),
    });
    let options = LowerOptions {
        sources: sources.collect(),
        ..LowerOptions::default()
    };
    Some(groundwork.lower(&options))
}

/// What the tables and the analyses of a policy without errors have in common.
fn groundwork(analysis: &Analysis) -> Option<Groundwork<'_>> {
    let ir = analysis.ir.as_ref()?;
    Some(Groundwork::new(ir, &LowerOptions::default().limits))
}

/// Does one thing on a thread of its own while another is done.
fn beside<A: Send, B>(one: impl Fn() -> A + Sync, other: impl FnOnce() -> B) -> (B, A) {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, &one);
        let other = other();
        let one = match thread {
            Ok(thread) => thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // There are none to be had.
            Err(_) => one(),
        };
        (other, one)
    })
}

fn options(arguments: &CompileArguments) -> Result<Options, Failure> {
    let users = match &arguments.users {
        None => {
            // Where one is missing, no name is known: a policy that uses one then
            // says so.
            let read = |path: &str| std::fs::read(path).unwrap_or_default();
            UserDb::from_passwd(&read("/etc/passwd"), &read("/etc/group"))
        }
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::new(
                    "LSMP4901",
                    format!("cannot read {}: {error}", path.display()),
                )
                .help("--users takes a file of lines `user NAME ID` and `group NAME ID`")
            })?;
            UserDb::from_list(&text).map_err(|error| {
                Failure::new("LSMP4903", format!("{}: {error}", path.display()))
                    .help("write `user NAME ID` or `group NAME ID`, one a line")
            })?
        }
    };
    Ok(Options {
        kernel: arguments.kernel.map(kernel).transpose()?,
        strict: arguments.strict,
        allow_outside: arguments.allow_outside,
        users,
    })
}

/// What a kernel can enforce; the running one is asked.
fn kernel(argument: KernelArgument) -> Result<Kernel, Failure> {
    match argument {
        KernelArgument::Version(version) => Ok(Kernel::Version(version)),
        KernelArgument::Running => running_kernel().map(Kernel::Asked),
    }
}

/// Why a policy cannot be lowered, at the rule that costs most.
fn too_much(error: &LowerError, ir: &Ir, sources: &SourceMap) -> Diagnostic {
    let (code, help) = match error {
        LowerError::TooComplex { .. } => (
            Code::TooManyClasses,
            "use fewer fields in one rule, or split what it says over several rules",
        ),
        LowerError::GlobTooCostly { .. } => (
            Code::GlobTooCostly,
            "name the directories, or use fewer `**` and `*` in one glob",
        ),
        LowerError::TooManyValues { .. } => (Code::TooManyClasses, "join the values into ranges"),
        LowerError::TooLarge { .. } => (Code::ImageTooLarge, "make the policy smaller"),
        LowerError::Nesting => (Code::ConditionTooLarge, "split the condition"),
        LowerError::Internal(_) => (
            Code::Internal,
            "please report it, with the policy if you can",
        ),
    };
    let span = error.rule().and_then(|rule| span_of(rule, ir, sources));
    let diagnostic = match span {
        Some(span) => Diagnostic::new(code, error.to_string(), span, "this rule costs most"),
        None => Diagnostic::placeless(code, error.to_string()),
    };
    diagnostic.help(help)
}

/// The effect's keyword of a rule.
fn span_of(rule: RuleId, ir: &Ir, sources: &SourceMap) -> Option<Span> {
    let info = ir.rules.get(rule.0 as usize)?;
    let (id, file) = sources
        .iter()
        .find(|(_, file)| file.relative() == &*info.file)?;
    let line = file.line(info.line)?;
    let before: usize = line
        .chars()
        .take(info.column.saturating_sub(1) as usize)
        .map(char::len_utf8)
        .sum();
    let word = line
        .get(before..)?
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(line.len() - before);
    let start = file.line_start(info.line)? + u32::try_from(before).ok()?;
    Some(Span::new(id, start, start + u32::try_from(word).ok()?))
}

/// What a command was given: sources, or an image.
pub(crate) enum Input {
    /// Policy files, checked. There may be errors.
    Policy(Box<Policy>),
    /// An image.
    Image {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        bytes: Vec<u8>,
    },
}

impl Input {
    /// Reads either; an image is known by its first bytes. A policy's tests are run
    /// where they are `tested`; those of an image were when it was built.
    pub(crate) fn read(
        files: &[PathBuf],
        arguments: &CompileArguments,
        tested: bool,
    ) -> Result<Self, Failure> {
        for path in files {
            if !is_image(path) {
                continue;
            }
            if files.len() > 1 {
                return Err(Failure::new(
                    "LSMP4905",
                    format!(
                        "{} is an image and cannot be given together with other files",
                        path.display()
                    ),
                )
                .help("give the image alone, or the .lsmp files"));
            }
            let bytes = std::fs::read(path).map_err(|error| {
                Failure::new(
                    "LSMP4901",
                    format!("cannot read {}: {error}", path.display()),
                )
            })?;
            return Ok(Self::Image {
                path: path.clone(),
                bytes,
            });
        }
        let policy = if tested {
            Policy::compile_and_test(files, arguments)?
        } else {
            Policy::compile(files, arguments)?
        };
        Ok(Self::Policy(Box::new(policy)))
    }

    /// The image: given, or compiled from a policy without errors.
    pub(crate) fn image(&self) -> Result<&[u8], Failure> {
        match self {
            Self::Image { bytes, .. } => Ok(bytes),
            Self::Policy(policy) => policy.image().ok_or_else(|| {
                Failure::new("LSMP9001", "a policy without errors has no tables")
                    .help("please report it, with the policy if you can")
            }),
        }
    }
}

fn is_image(path: &Path) -> bool {
    let mut head = [0; MAGIC.len()];
    path.is_file()
        && File::open(path)
            .and_then(|mut file| file.read_exact(&mut head))
            .is_ok_and(|()| head == MAGIC)
}
