//! Which files make a policy.
//!
//! Owns includes (LANGUAGE §3): directories, files reached twice, circles, the
//! directory that includes may not leave, and the limit on all text together. It
//! must not know what statements mean.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use lsmpc_syntax::ast::{File, StatementKind};
use lsmpc_syntax::{FileId, Span};

use crate::code::Code;
use crate::diagnostic::{Diagnostic, Label};
use crate::source::{SourceMap, SourceReader};

/// Most bytes of all files of a policy together.
pub const MAX_POLICY_BYTES: u64 = 64 * 1024 * 1024;

/// The files of a policy, parsed.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) sources: SourceMap,
    /// One for each source, in the same order.
    pub(crate) files: Vec<File>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads and parses the roots and everything they include.
pub(crate) fn load(
    roots: &[PathBuf],
    reader: &dyn SourceReader,
    allow_outside: bool,
    max_bytes: u64,
) -> Loaded {
    let mut loader = Loader {
        reader,
        allow_outside,
        left: max_bytes,
        max: max_bytes,
        loaded: Loaded::default(),
        known: HashMap::new(),
        base: None,
        tree: PathBuf::new(),
    };
    for root in roots {
        loader.root(root);
    }
    let loaded = &mut loader.loaded;
    let says_nothing = loaded.files.iter().all(|file| {
        file.statements
            .iter()
            .all(|statement| matches!(statement.node, StatementKind::Include(_)))
    });
    if says_nothing && loaded.diagnostics.iter().all(|known| !known.is_error()) {
        let diagnostic = Diagnostic::placeless(
            Code::EmptyPolicy,
            "the policy is empty: it has no statements, and would allow everything",
        )
        .help("write a rule, such as `audit bprm_check_security`");
        loaded.diagnostics.push(Diagnostic {
            primary: (!loaded.files.is_empty()).then(|| Label {
                span: Span::new(FileId(0), 0, 0),
                text: "nothing is said here".to_owned(),
            }),
            ..diagnostic
        });
    }
    loader.loaded
}

/// What is known of a file that was reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its includes are being followed.
    Open,
    Done,
}

struct Loader<'r> {
    reader: &'r dyn SourceReader,
    allow_outside: bool,
    left: u64,
    max: u64,
    loaded: Loaded,
    /// By canonical path.
    known: HashMap<PathBuf, State>,
    /// The directory of the first root, which ids are relative to.
    base: Option<PathBuf>,
    /// The directory of the root at hand, which includes may not leave.
    tree: PathBuf,
}

/// A file whose includes are being followed.
struct Frame {
    canonical: PathBuf,
    /// Where it is included; `None` for a root.
    from: Option<Span>,
    /// The directory that its includes are relative to, as shown.
    directory: PathBuf,
    /// Files still to be followed, last first.
    pending: Vec<(PathBuf, Span)>,
}

impl Loader<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.loaded.diagnostics.push(diagnostic);
    }

    fn root(&mut self, path: &Path) {
        if self.reader.is_dir(path) {
            self.report(
                Diagnostic::placeless(
                    Code::PolicyIsDirectory,
                    format!("`{}` is a directory, not a policy file", path.display()),
                )
                .help(
                    "name the files in it, or write a policy file that says `include \"that \
                     directory\"`",
                ),
            );
            return;
        }
        let canonical = match self.reader.canonicalize(path) {
            Ok(canonical) => canonical,
            Err(error) => {
                self.report(unreadable(path, &error, None));
                return;
            }
        };
        if self.known.contains_key(&canonical) {
            return;
        }
        self.tree = canonical.parent().unwrap_or(Path::new("/")).to_owned();
        self.base.get_or_insert_with(|| self.tree.clone());
        let Some(frame) = self.open(path, canonical, None) else {
            return;
        };
        // Followed with a stack of its own: how long a chain of includes is, is
        // up to the files.
        let mut stack = vec![frame];
        while let Some(frame) = stack.last_mut() {
            let Some((path, span)) = frame.pending.pop() else {
                self.known.insert(frame.canonical.clone(), State::Done);
                stack.pop();
                continue;
            };
            if let Some(next) = self.follow(&path, span, &stack) {
                stack.push(next);
            }
        }
    }

    /// A file that an include leads to, unless it is wrong or known.
    fn follow(&mut self, path: &Path, span: Span, stack: &[Frame]) -> Option<Frame> {
        let canonical = match self.reader.canonicalize(path) {
            Ok(canonical) => canonical,
            Err(error) => {
                self.report(if error.kind() == io::ErrorKind::NotFound {
                    Diagnostic::new(
                        Code::IncludeNotFound,
                        format!("`{}` does not exist", path.display()),
                        span,
                        "there is no such file or directory",
                    )
                    .help("includes are relative to the file that they stand in")
                } else {
                    unreadable(path, &error, Some(span))
                });
                return None;
            }
        };
        if self.is_outside(path, &canonical, span) {
            return None;
        }
        match self.known.get(&canonical) {
            Some(State::Done) => return None,
            Some(State::Open) => {
                let from = stack
                    .iter()
                    .position(|frame| frame.canonical == canonical)
                    .unwrap_or(0);
                let circle: Vec<String> = stack
                    .iter()
                    .skip(from)
                    .map(|frame| frame.canonical.as_path())
                    .chain([canonical.as_path()])
                    .map(|path| path.strip_prefix(&self.tree).unwrap_or(path))
                    .map(|path| format!("`{}`", path.display()))
                    .take(9)
                    .collect();
                let mut diagnostic = Diagnostic::new(
                    Code::IncludeCycle,
                    format!("`{}` includes itself", path.display()),
                    span,
                    "leads back to a file that is being included",
                )
                .help("remove this include, or move what both need into a third file")
                .note(circle.join(" includes "));
                for (frame, name) in stack.iter().skip(from).zip(&circle).skip(1) {
                    if let Some(from) = frame.from {
                        diagnostic = diagnostic.also(from, format!("{name} is included here"));
                    }
                }
                self.report(diagnostic);
                return None;
            }
            None => {}
        }
        self.open(path, canonical, Some(span))
    }

    /// Reports a path that leads out of the policy's directory.
    fn is_outside(&mut self, path: &Path, canonical: &Path, span: Span) -> bool {
        if self.allow_outside || canonical.starts_with(&self.tree) {
            return false;
        }
        self.report(
            Diagnostic::new(
                Code::IncludeOutside,
                format!(
                    "`{}` lies outside `{}`",
                    path.display(),
                    self.tree.display()
                ),
                span,
                "leads out of the policy's directory",
            )
            .help("move the file into the policy's directory, or give `--allow-outside`")
            .note(format!("it is `{}`", canonical.display())),
        );
        true
    }

    /// Reads and parses one file.
    fn open(&mut self, path: &Path, canonical: PathBuf, from: Option<Span>) -> Option<Frame> {
        self.known.insert(canonical.clone(), State::Done);
        let bytes = match self.reader.read(path, self.left) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.report(unreadable(path, &error, from));
                return None;
            }
        };
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > self.left {
            let message = format!(
                "with `{}` the policy has more than {} bytes of text",
                path.display(),
                self.max
            );
            let diagnostic = Diagnostic::placeless(Code::PolicyTooLarge, message);
            self.report(Diagnostic {
                primary: from.map(|span| Label {
                    span,
                    text: "too much is included here".to_owned(),
                }),
                ..diagnostic.help("split the policy, or let globs and sets say more with less")
            });
            return None;
        }
        self.left = self.left.saturating_sub(size);
        let relative = match &self.base {
            Some(base) => relative(&canonical, base),
            None => path.display().to_string(),
        };
        let (id, bad) = self.loaded.sources.decode(path, relative, bytes);
        if let Some(diagnostic) = bad {
            self.report(diagnostic);
            self.loaded.files.push(File::default());
            return None;
        }
        let text = self.loaded.sources.get(id).map_or("", |file| file.text());
        let parsed = lsmpc_syntax::parse(id, text);
        let errors = parsed.errors.into_iter().map(Diagnostic::from);
        self.loaded.diagnostics.extend(errors);
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut frame = Frame {
            canonical: canonical.clone(),
            from,
            directory,
            pending: Vec::new(),
        };
        for statement in &parsed.file.statements {
            if let StatementKind::Include(target) = &statement.node {
                self.expand(&mut frame, &target.node, target.span);
            }
        }
        frame.pending.reverse();
        self.loaded.files.push(parsed.file);
        self.known.insert(canonical, State::Open);
        Some(frame)
    }

    /// The files that one include stands for.
    fn expand(&mut self, frame: &mut Frame, target: &[u8], span: Span) {
        if target.is_empty() || target.contains(&0) {
            self.report(
                Diagnostic::new(
                    Code::IncludeNotFound,
                    "no file can have this name",
                    span,
                    "not the name of a file",
                )
                .help("write the path of a file or directory, relative to this file"),
            );
            return;
        }
        let path = frame.directory.join(OsStr::from_bytes(target));
        if !self.reader.is_dir(&path) {
            frame.pending.push((path, span));
            return;
        }
        if let Ok(canonical) = self.reader.canonicalize(&path)
            && self.is_outside(&path, &canonical, span)
        {
            return;
        }
        let mut names = match self.reader.list(&path) {
            Ok(names) => names,
            Err(error) => {
                self.report(unreadable(&path, &error, Some(span)));
                return;
            }
        };
        names.retain(|name| name.as_bytes().ends_with(b".lsmp"));
        names.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
        if names.is_empty() {
            self.report(
                Diagnostic::new(
                    Code::EmptyInclude,
                    format!("`{}` holds no `.lsmp` files", path.display()),
                    span,
                    "nothing is included here",
                )
                .help("policy files in a directory must have names that end in `.lsmp`"),
            );
        }
        for name in names {
            frame.pending.push((path.join(name), span));
        }
    }
}

fn unreadable(path: &Path, error: &io::Error, from: Option<Span>) -> Diagnostic {
    let diagnostic = Diagnostic::placeless(
        Code::Unreadable,
        format!("cannot read `{}`: {error}", path.display()),
    );
    Diagnostic {
        primary: from.map(|span| Label {
            span,
            text: "included here".to_owned(),
        }),
        ..diagnostic.help("make the file readable, or correct its name")
    }
}

/// `path` as it is reached from the directory `base`; both are canonical.
fn relative(path: &Path, base: &Path) -> String {
    let common = path
        .components()
        .zip(base.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = base.components().skip(common).map(|_| Component::ParentDir);
    let down = path.components().skip(common);
    let relative: PathBuf = up.chain(down).collect();
    relative.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
