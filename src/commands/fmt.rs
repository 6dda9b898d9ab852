//! `lsmpc fmt`: policies in one layout.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use lsmpc_compiler::format::{Formatted, format};
use lsmpc_compiler::source::SourceReader;
use lsmpc_syntax::MAX_FILE_BYTES;

use super::Outcome;
use crate::failure::Failure;
use crate::output::{Output, Terminal};
use crate::render::{Tally, human_diagnostics, text};
use crate::replace::replace;
use crate::sources::Disk;

/// Lay policy files out in the one usual way.
///
/// Changes spaces, line breaks and superfluous parentheses, and writes `and`, `or`,
/// `not` for `&&`, `||`, `!`. Comments stay, and so does what the policy means. Of a directory, all .lsmp files in and
/// below it are laid out. Files are replaced at once and keep their permissions. If
/// a file has syntax errors they are shown, and no file is written.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lsmpc fmt policy.lsmp rules.d
  lsmpc fmt --check .                for CI: what is not laid out?
  lsmpc fmt - < policy.lsmp          to standard output, for editors

Exit codes: 0 done, 1 syntax errors, or with --check files that would change,
2 a file cannot be read or written.")]
pub(crate) struct Fmt {
    /// Files and directories; `-` reads standard input and writes standard output
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Write nothing; list the files that would change
    #[arg(long)]
    check: bool,
}

/// Of a longer file so much is read: enough to refuse it.
const LIMIT: u64 = MAX_FILE_BYTES as u64;

/// A file and what becomes of it.
struct Laid {
    path: PathBuf,
    old: Vec<u8>,
    formatted: Formatted,
}

impl Laid {
    fn new(path: PathBuf, old: Vec<u8>) -> Self {
        let formatted = format(&path, old.clone());
        Self {
            path,
            old,
            formatted,
        }
    }

    /// The new text, if it is another one.
    fn change(&self) -> Option<&str> {
        let text = self.formatted.text.as_deref();
        text.filter(|text| text.as_bytes() != self.old)
    }
}

impl Fmt {
    pub(crate) fn run(&self, terminal: Terminal) -> Result<Outcome, Failure> {
        let piped = self.paths.iter().any(|path| path == Path::new("-"));
        if piped && self.paths.len() > 1 {
            return Err(Failure::new(
                "LSMP4901",
                "standard input cannot be given together with files",
            )
            .help("lay out files in one call, and standard input in another"));
        }
        let laid = if piped {
            vec![Laid::new("<stdin>".into(), standard_input()?)]
        } else {
            self.files()?
        };
        if show_errors(&laid, terminal) {
            return Ok(Outcome::Found);
        }
        let mut output = Output::new();
        let outcome = if self.check {
            check(&laid, &mut output)?
        } else if piped {
            for laid in &laid {
                output.text(laid.formatted.text.as_deref().unwrap_or_default())?;
            }
            Outcome::Done
        } else {
            write(&laid, &mut output)?
        };
        output.flush()?;
        Ok(outcome)
    }

    /// The files named, and those in the directories named.
    fn files(&self) -> Result<Vec<Laid>, Failure> {
        let mut laid = Vec::new();
        for path in &self.paths {
            for file in below(path)? {
                let old = Disk
                    .read(&file, LIMIT)
                    .map_err(|error| unreadable(&file, &error))?;
                laid.push(Laid::new(file, old));
            }
        }
        Ok(laid)
    }
}

fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(Path::new("standard input"), &error))?;
    Ok(bytes)
}

/// The file itself, or the policy files in and below a directory in the order of
/// their names. Links in directories are not followed: what they lead to is laid
/// out where it is.
fn below(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let mut pending = vec![path.to_owned()];
    while let Some(next) = pending.pop() {
        if !next.is_dir() {
            files.push(next);
            continue;
        }
        let failed = |error: io::Error| unreadable(&next, &error);
        let mut entries = Vec::new();
        for entry in fs::read_dir(&next).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let path = entry.path();
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            let policy = path.extension().is_some_and(|end| end == "lsmp");
            if !hidden && (kind.is_dir() || (kind.is_file() && policy)) {
                entries.push(path);
            }
        }
        entries.sort();
        pending.extend(entries.into_iter().rev());
    }
    Ok(files)
}

/// Shows what is wrong with the files; whether there is anything.
fn show_errors(laid: &[Laid], terminal: Terminal) -> bool {
    let mut shown = String::new();
    let mut all = Vec::new();
    for laid in laid {
        let formatted = &laid.formatted;
        shown.push_str(&human_diagnostics(
            &formatted.diagnostics,
            &formatted.sources,
            terminal.stderr,
        ));
        all.extend(formatted.diagnostics.iter().cloned());
    }
    if !all.is_empty() {
        eprintln!("{shown}{}; nothing is written", Tally::of(&all).text());
    }
    !all.is_empty()
}

fn check(laid: &[Laid], output: &mut Output) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Done;
    for laid in laid.iter().filter(|laid| laid.change().is_some()) {
        output.line(text::harmless(&laid.path.to_string_lossy()))?;
        outcome = Outcome::Found;
    }
    Ok(outcome)
}

fn write(laid: &[Laid], output: &mut Output) -> Result<Outcome, Failure> {
    let mut changed = 0;
    for laid in laid {
        if let Some(text) = laid.change() {
            replace(&laid.path, text.as_bytes()).map_err(|error| {
                let path = laid.path.display();
                Failure::new("LSMP4904", format!("cannot write {path}: {error}"))
                    .help("make the file and its directory writable")
            })?;
            changed += 1;
        }
    }
    output.line(format!(
        "{} changed, {} laid out already",
        text::count(changed, "file"),
        laid.len() - changed
    ))?;
    Ok(Outcome::Done)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        "LSMP4901",
        format!("cannot read {}: {error}", path.display()),
    )
    .help("name policy files, directories that hold some, or `-` for standard input")
}
