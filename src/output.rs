//! Where text goes: standard output with quiet broken pipes, and whether it may
//! be coloured.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, StdoutLock, Write};
use std::os::fd::AsFd;

use clap::ValueEnum;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::failure::Failure;

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Color {
    // On terminals, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    // For people.
    #[default]
    Human,
    // One JSON object a line.
    Json,
}

/// What standard output and standard error can show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    /// Colours on standard output.
    pub(crate) stdout: bool,
    /// Colours on standard error.
    pub(crate) stderr: bool,
}

impl Terminal {
    /// Looks at the two streams and the environment.
    pub(crate) fn detect(color: Color) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let decide = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain,
        };
        Self {
            stdout: decide(io::stdout().is_terminal()),
            stderr: decide(io::stderr().is_terminal()),
        }
    }
}

/// A style of a word.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Style {
    /// Denials and errors.
    Red,
    /// Warnings.
    Yellow,
    /// What is well.
    Green,
    /// What matters less.
    Dim,
    /// Headings.
    Bold,
}

/// `text`, wrapped in the escape sequences of `style` where `on`.
pub(crate) fn paint(on: bool, style: Style, text: impl Display) -> String {
    if !on {
        return text.to_string();
    }
    let code = match style {
        Style::Red => "1;31",
        Style::Yellow => "33",
        Style::Green => "32",
        Style::Dim => "2",
        Style::Bold => "1",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Buffered standard output.
pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    /// Takes standard output.
    pub(crate) fn new() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }

    /// Writes `text` and a line break.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        writeln!(self.0, "{text}").map_err(lost)
    }

    /// Writes `text` as it is.
    pub(crate) fn text(&mut self, text: impl Display) -> Result<(), Failure> {
        write!(self.0, "{text}").map_err(lost)
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.write_all(bytes).map_err(lost)
    }

    /// Writes one JSON value on a line of its own.
    pub(crate) fn json(&mut self, value: &impl serde::Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.0, value).map_err(|error| lost(error.into()))?;
        self.line("")
    }

    /// Hands over what is buffered: before waiting, and at the end.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.0.flush().map_err(lost)
    }
}

impl Output {
    /// Whether the reader of a pipe has gone.
    #[expect(clippy::unused_self, reason = "it is standard output that is asked")]
    pub(crate) fn is_closed(&self) -> bool {
        let stdout = io::stdout();
        let mut fds = [PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty())];
        let found = poll(&mut fds, Some(&Timespec::default()));
        found.is_ok() && fds.iter().any(|fd| fd.revents().contains(PollFlags::ERR))
    }
}

fn lost(error: io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe {
        Failure::Gone
    } else {
        Failure::new("LSMP4902", format!("standard output: {error}"))
            .help("make room where the output goes, or send it elsewhere")
    }
}
