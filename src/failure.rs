//! What keeps a command from being carried out: a file that cannot be read, a
//! kernel that cannot enforce. Shown by miette, exit code 2.
//!
//! What is wrong *in* a policy is never a `Failure`: the compiler's diagnostics
//! say that, with spans, and exit code 1.

use std::fmt;
use std::io::IsTerminal;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

use crate::output::Terminal;

/// Why a command could not be carried out.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody reads standard output any more.
    Gone,
    /// Something to tell.
    Told(Box<Told>),
}

/// A failure in words.
#[derive(Debug)]
pub(crate) struct Told {
    code: String,
    message: String,
    causes: Vec<String>,
    help: Option<String>,
}

impl Failure {
    /// A failure with a code of the range LSMP4000 to LSMP4999 or LSMP9000 and
    /// above, and one line on what happened.
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Told(Box::new(Told {
            code: code.into(),
            message: message.into(),
            causes: Vec::new(),
            help: None,
        }))
    }

    /// Says what to do about it.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        if let Self::Told(told) = &mut self {
            told.help = Some(help.into());
        }
        self
    }

    /// Adds one more line on what lies beneath.
    #[must_use]
    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        if let Self::Told(told) = &mut self {
            told.causes.push(cause.into());
        }
        self
    }

    /// Writes it to standard error.
    pub(crate) fn show(&self, terminal: Terminal) {
        let Self::Told(told) = self else { return };
        let theme = if terminal.stderr {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let mut text = String::new();
        // Lines for a terminal; whole messages for a log.
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_links(false)
            .with_break_words(false)
            .with_wrap_lines(std::io::stderr().is_terminal())
            .with_width(100);
        if handler.render_report(&mut text, told.as_ref()).is_err() {
            text = format!("error[{}]: {}\n", told.code, told.message);
        }
        // Nothing is left to do where standard error is closed, too.
        eprint!("{text}");
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, "\n{cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Told {}

impl Diagnostic for Told {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as _)
    }
}
