//! Events as data (LANGUAGE §8): a hook that fires, with values for its fields.
//!
//! Owns events, answers, and their JSON. It must not know policies: whether a
//! scope that an event names exists is for those who evaluate it.

mod display;
mod json;

use std::collections::BTreeMap;

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The hook that fires.
    pub hook: HookId,
    /// Values; a field that is absent is unknown. Fields that the hook does not
    /// have are ignored.
    pub values: BTreeMap<FieldId, FieldValue>,
    /// The inherited scopes that stick to the task.
    pub inherited: Vec<String>,
}

/// What an event says about a field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FieldValue {
    /// It does not apply.
    None,
    /// It applies but cannot be read.
    Unknown,
    /// It has a value.
    Known(Value),
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// Of an int, enum, mode or bool (0, 1), or the bits of flags.
    Int(u64),
    /// Of a path or name.
    Bytes(Vec<u8>),
    /// An address; IPv4 as IPv4-mapped IPv6.
    Address(u128),
    /// Programs of the ancestors, nearest first; `None` is an unknown one.
    List(Vec<Option<Vec<u8>>>),
}

impl Event {
    /// An event of which nothing is known but its hook.
    #[must_use]
    pub const fn new(hook: HookId) -> Self {
        Self {
            hook,
            values: BTreeMap::new(),
            inherited: Vec::new(),
        }
    }

    /// Gives a field a value.
    #[must_use]
    pub fn with(mut self, field: FieldId, value: FieldValue) -> Self {
        self.values.insert(field, value);
        self
    }

    /// What the event says about a field.
    #[must_use]
    pub fn get(&self, field: FieldId) -> &FieldValue {
        self.values.get(&field).unwrap_or(&FieldValue::Unknown)
    }

    /// What the event says about a field, in words: `"/tmp/x"`, `[read, write]`,
    /// `none`, `unknown`.
    #[must_use]
    pub fn describe(&self, field: FieldId) -> String {
        display::value(field, self.get(field))
    }

    /// Reads one line of JSON.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as one line of text.
    pub fn from_json_line(line: &str) -> Result<Self, String> {
        json::event(line)
    }

    /// The event as one line of JSON; [`Event::from_json_line`] reads it back.
    #[must_use]
    pub fn to_json_line(&self) -> String {
        json::event_line(self)
    }
}

/// A verdict, the loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// It may happen.
    Allow,
    /// It fails.
    Deny,
    /// It fails and the task dies.
    Kill,
}

impl Verdict {
    /// `allow`, `deny` or `kill`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Kill => "kill",
        }
    }
}

/// What a policy says to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// The errno returned, unless allowed.
    pub errno: Option<u16>,
    /// Whether a record is emitted.
    pub record: bool,
    /// Whether `on_error` decided in some module.
    pub unknown: bool,
    /// Ids of the rules and defaults that took effect, sorted.
    pub rules: Vec<String>,
}

impl Answer {
    /// Allowed, silent, no rule.
    #[must_use]
    pub const fn allow() -> Self {
        Self {
            verdict: Verdict::Allow,
            errno: None,
            record: false,
            unknown: false,
            rules: Vec::new(),
        }
    }

    /// What it comes to, in words: `allowed, without a record`, `denied with EPERM`.
    #[must_use]
    pub fn describe(&self) -> String {
        let record = if self.record { "with" } else { "without" };
        match self.verdict {
            Verdict::Allow => format!("allowed, {record} a record"),
            Verdict::Deny => {
                let number = self.errno.unwrap_or_default();
                let errno = catalogue::errno_name(number)
                    .map_or_else(|| format!("errno {number}"), str::to_owned);
                format!("denied with {errno}")
            }
            Verdict::Kill => "denied and killed".to_owned(),
        }
    }

    /// The answer as one line of JSON.
    #[must_use]
    pub fn to_json_line(&self) -> String {
        json::answer_line(self)
    }
}

/// The line that answers a bad one.
#[must_use]
pub fn error_line(message: &str) -> String {
    serde_json::json!({ "error": message }).to_string()
}
