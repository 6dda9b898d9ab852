//! What an image says about itself: JSON after its tables.
//!
//! Owns the report's form, which compiler, runtime and CLI share. No event's
//! outcome depends on it.

use std::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

/// Version of the report's form.
pub const FORMAT: u32 = 1;

/// The report.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The compiler's version.
    pub compiler: String,
    /// Hooks that the policy names, in the order of their numbers.
    pub hooks: Vec<String>,
    /// Names of the scopes, in source order.
    pub scopes: Vec<String>,
    /// What sticks to tasks, by bit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sticky: Vec<StickyReport>,
    /// Every rule and default.
    pub rules: Vec<RuleReport>,
    /// Every outcome, by number.
    pub outcomes: Vec<OutcomeReport>,
    /// The policy's files, root first.
    pub sources: Vec<SourceReport>,
}

/// What a bit that sticks to tasks stands for. Equal ones in two policies mean the
/// same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StickyReport {
    /// An inherited scope, by its name.
    Scope(String),
    /// A test of `ancestor.exe`: these globs, as the language writes them.
    Ancestor(Vec<String>),
}

/// A rule or a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleReport {
    /// Its `@id`, else `file:line[:column]`; `default:SCOPE` for a default.
    pub id: String,
    /// File, relative to the root file's directory.
    pub file: String,
    /// Line of the effect keyword, from 1.
    pub line: u32,
    /// Column of the effect keyword in characters, from 1.
    pub column: u32,
    /// `deny`, `kill`, `allow`, `audit` or `default`.
    pub kind: String,
    /// `@message`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// `@severity`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// `@tag`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// `@reference`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// What an outcome means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeReport {
    /// The verdict.
    pub verdict: Verdict,
    /// Name of the errno returned; none if allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
    /// A record is emitted.
    pub record: bool,
    /// `on_error` decided in some module.
    pub unknown: bool,
    /// Indices into [`Report::rules`], in the order of the rules' ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<u32>,
}

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Allowed.
    Allow,
    /// Denied.
    Deny,
    /// Denied, and the task is killed.
    Kill,
}

/// A source file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReport {
    /// Its path relative to the root file's directory.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Report {
    /// The ids of the rules that an outcome reports, sorted.
    #[must_use]
    pub fn rule_ids(&self, outcome: u32) -> Vec<&str> {
        let mut ids: Vec<&str> = self
            .outcomes
            .get(outcome as usize)
            .map(|outcome| outcome.rules.as_slice())
            .unwrap_or_default()
            .iter()
            .filter_map(|rule| self.rules.get(*rule as usize))
            .map(|rule| rule.id.as_str())
            .collect();
        ids.dedup();
        ids
    }
}
