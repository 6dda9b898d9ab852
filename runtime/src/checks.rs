//! What checks of a machine come to.
//!
//! Owns the list of findings and its summaries. Must not know how anything is looked at.

use crate::code::Code;

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// As it has to be.
    Ok,
    /// It works, but something should be known.
    Warning,
    /// It could not be looked at.
    Unknown,
    /// It cannot work.
    Failed,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, in a few words.
    pub name: &'static str,
    /// What it came to.
    pub state: CheckState,
    /// What was found.
    pub found: String,
    /// Why that matters; empty when all is well.
    pub reason: String,
    /// What to do; empty when nothing has to be done.
    pub remedy: String,
    /// The code, where it keeps a policy from being applied.
    pub code: Option<Code>,
}

/// All checks, in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preflight {
    /// The checks.
    pub checks: Vec<Check>,
}

impl Preflight {
    /// Whether nothing speaks against applying a policy.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks
            .iter()
            .filter(|check| check.state == CheckState::Failed)
    }

    pub(crate) fn first_code(&self) -> Option<Code> {
        self.failures().find_map(|check| check.code)
    }

    pub(crate) fn summary(&self) -> String {
        self.failures()
            .map(|check| format!("{}: {}", check.name, check.found))
            .collect::<Vec<_>>()
            .join("; ")
    }

    pub(crate) fn remedies(&self) -> String {
        self.failures()
            .filter(|check| !check.remedy.is_empty())
            .map(|check| check.remedy.clone())
            .collect::<Vec<_>>()
            .join("\n")
    }

    pub(crate) fn ok(&mut self, name: &'static str, found: impl Into<String>) {
        self.checks.push(Check {
            name,
            state: CheckState::Ok,
            found: found.into(),
            reason: String::new(),
            remedy: String::new(),
            code: None,
        });
    }

    pub(crate) fn not_ok(
        &mut self,
        name: &'static str,
        code: Code,
        state: CheckState,
        words: [String; 3],
    ) {
        self.note(name, state, words);
        if let Some(check) = self.checks.last_mut() {
            check.code = Some(code);
        }
    }

    /// Something to know that keeps nobody from applying a policy.
    pub(crate) fn note(
        &mut self,
        name: &'static str,
        state: CheckState,
        [found, reason, remedy]: [String; 3],
    ) {
        self.checks.push(Check {
            name,
            state,
            found,
            reason,
            remedy,
            code: None,
        });
    }

    /// Something that is told to the privileged only.
    pub(crate) fn untold(&mut self, name: &'static str, what: &str) {
        self.note(
            name,
            CheckState::Unknown,
            [
                "not told without privileges".into(),
                format!("only root is told {what}"),
                "run it as root".into(),
            ],
        );
    }
}
