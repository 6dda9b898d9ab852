//! What the compiler has to say about a policy, as data.
//!
//! Owns the shape of a diagnostic and the order of several. It must not know how
//! they are shown: the CLI renders them.

use lsmpc_syntax::{Span, SyntaxError};

pub use crate::code::Code;

/// How grave a diagnostic is. Only errors keep a policy from being compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The policy is refused.
    Error,
    /// The policy is accepted, and most likely not what was meant.
    Warning,
    /// The policy is accepted, and a reader may take it for something else.
    Hint,
}

impl Severity {
    /// `error`, `warning` or `hint`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Hint => "hint",
        }
    }
}

/// A place and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is wrong there; one line.
    pub text: String,
}

/// One thing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its stable code.
    pub code: Code,
    /// How grave.
    pub severity: Severity,
    /// The headline; one line.
    pub message: String,
    /// The place it is about; absent only where there is no text to point at
    /// (a policy file that cannot be read).
    pub primary: Option<Label>,
    /// Other places that explain it, possibly in other files.
    pub secondary: Vec<Label>,
    /// What to write instead.
    pub help: Option<String>,
    /// More to know.
    pub notes: Vec<String>,
}

impl Diagnostic {
    /// A diagnostic at a place, of the code's usual severity.
    #[must_use]
    pub fn new(
        code: Code,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Self {
        Self {
            primary: Some(Label {
                span,
                text: label.into(),
            }),
            ..Self::placeless(code, message)
        }
    }

    /// A diagnostic that no text can be shown for.
    #[must_use]
    pub fn placeless(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            primary: None,
            secondary: Vec::new(),
            help: None,
            notes: Vec::new(),
        }
    }

    /// Says what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what to write instead, if that is known.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        if help.is_some() {
            self.help = help;
        }
        self
    }

    /// Adds something to know.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Marks another place.
    #[must_use]
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.secondary.push(Label {
            span,
            text: label.into(),
        });
        self
    }

    /// Whether the policy is refused because of it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl From<SyntaxError> for Diagnostic {
    fn from(error: SyntaxError) -> Self {
        let label = |(span, text)| Label { span, text };
        Self {
            code: error.code.into(),
            severity: Severity::Error,
            message: error.message,
            primary: Some(label((error.span, error.label))),
            secondary: error.secondary.into_iter().map(label).collect(),
            help: error.help,
            notes: Vec::new(),
        }
    }
}

/// Puts diagnostics in the order of the files and places they are about, those
/// without a place first, and drops those said twice.
pub(crate) fn arrange(diagnostics: &mut Vec<Diagnostic>) {
    let place = |diagnostic: &Diagnostic| diagnostic.primary.as_ref().map(|label| label.span);
    diagnostics.sort_by(|a, b| {
        (place(a), a.severity, a.code.as_str(), &a.message).cmp(&(
            place(b),
            b.severity,
            b.code.as_str(),
            &b.message,
        ))
    });
    diagnostics.dedup_by(|a, b| {
        a.primary.is_some() && place(a) == place(b) && a.code == b.code && a.message == b.message
    });
}
