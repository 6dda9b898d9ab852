//! What an image says about itself: JSON after its tables, as one LZ4 frame.
//!
//! Owns the report's form, which compiler, runtime and CLI share. No event's
//! outcome depends on it.

use std::borrow::Cow;
use std::io::{self, BufWriter, Read};
use std::string::String;
use std::vec::Vec;

use lz4_flex::frame::{BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use serde::{Deserialize, Serialize};

/// Version of the report's form.
pub const FORMAT: u32 = 1;

/// Most bytes of a report's JSON that are read.
const MAX_BYTES: u64 = 1 << 30;

/// The report.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report<'a> {
    /// [`FORMAT`].
    pub format: u32,
    /// The compiler's version.
    pub compiler: Cow<'a, str>,
    /// Hooks that the policy names, in the order of their numbers.
    pub hooks: Vec<Cow<'a, str>>,
    /// Names of the scopes, in source order.
    pub scopes: Vec<Cow<'a, str>>,
    /// What sticks to tasks, by bit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sticky: Vec<StickyReport>,
    /// Every rule and default.
    pub rules: Vec<RuleReport<'a>>,
    /// Every outcome, by number.
    pub outcomes: Vec<OutcomeReport<'a>>,
    /// The policy's files, root first.
    pub sources: Vec<SourceReport<'a>>,
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
pub struct RuleReport<'a> {
    /// Its `@id`, else `file:line[:column]`; `default:SCOPE` for a default.
    pub id: Cow<'a, str>,
    /// File, relative to the root file's directory.
    pub file: Cow<'a, str>,
    /// Line of the effect keyword, from 1.
    pub line: u32,
    /// Column of the effect keyword in characters, from 1.
    pub column: u32,
    /// `deny`, `kill`, `allow`, `audit` or `default`.
    pub kind: Cow<'a, str>,
    /// `@message`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Cow<'a, str>>,
    /// `@severity`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Cow<'a, str>>,
    /// `@tag`
    #[serde(default, skip_serializing_if = "<[String]>::is_empty")]
    pub tags: Cow<'a, [String]>,
    /// `@reference`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Cow<'a, str>>,
}

/// What an outcome means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeReport<'a> {
    /// The verdict.
    pub verdict: Verdict,
    /// Name of the errno returned; none if allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<Cow<'a, str>>,
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
pub struct SourceReport<'a> {
    /// Its path relative to the root file's directory.
    pub name: Cow<'a, str>,
    /// Its text.
    pub text: Cow<'a, str>,
}

impl Report<'_> {
    /// Writes it as it stands in an image. Equal reports give equal bytes.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write(&self, into: &mut Vec<u8>) -> io::Result<()> {
        let blocks = FrameInfo::new().block_size(BlockSize::Max256KB);
        let mut writer = BufWriter::new(FrameEncoder::with_frame_info(blocks, into));
        serde_json::to_writer(&mut writer, self)?;
        let encoder = writer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        encoder.finish()?;
        Ok(())
    }

    /// Reads what [`Report::write`] wrote, or bare JSON.
    ///
    /// # Errors
    /// If it has another form, or far too many bytes.
    pub fn read(bytes: &[u8]) -> io::Result<Report<'static>> {
        if bytes.starts_with(b"{") {
            return Ok(serde_json::from_slice(bytes)?);
        }
        let mut json = Vec::new();
        let mut decoder = FrameDecoder::new(bytes).take(MAX_BYTES);
        decoder.read_to_end(&mut json)?;
        Ok(serde_json::from_slice(&json)?)
    }

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
            .map(|rule| &*rule.id)
            .collect();
        ids.dedup();
        ids
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    fn report(rules: u32) -> Report<'static> {
        Report {
            format: FORMAT,
            rules: (1..=rules)
                .map(|line| RuleReport {
                    id: format!("r{line}").into(),
                    file: "a.lsmp".into(),
                    line,
                    column: 1,
                    kind: "deny".into(),
                    message: None,
                    severity: Some("high".into()),
                    tags: std::vec![String::from("one")].into(),
                    reference: None,
                })
                .collect(),
            ..Report::default()
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for rules in [0, 1, 20_000] {
            let report = report(rules);
            let mut bytes = Vec::new();
            report.write(&mut bytes).unwrap();
            assert_eq!(Report::read(&bytes).unwrap(), report);
            let json = serde_json::to_vec(&report).unwrap();
            assert_eq!(Report::read(&json).unwrap(), report);
            if rules > 1 {
                assert!(bytes.len() * 5 < json.len(), "{}", bytes.len());
            }
        }
    }

    #[test]
    fn damaged_reports_are_errors() {
        let mut bytes = Vec::new();
        report(3).write(&mut bytes).unwrap();
        // The frame's end alone may be missing.
        let end = bytes.len() - 4;
        for at in 0..bytes.len() {
            assert!(at >= end || Report::read(&bytes[..at]).is_err(), "{at}");
            // Some bytes may differ without harm; none may panic.
            let mut other = bytes.clone();
            other[at] ^= 0x55;
            drop(Report::read(&other));
        }
        assert!(Report::read(b"{}").is_err());
    }
}
