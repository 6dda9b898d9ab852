//! What two policies do differently: for people, and as JSON.

use lsmpc_abi::catalogue;
use lsmpc_compiler::analysis::diff::{
    Answered, Change, Comparison, Decider, Reaction, ScopeChange, ScopePart,
};
use lsmpc_compiler::event::{Event, Verdict};
use lsmpc_compiler::source::SourceMap;
use serde_json::{Value as Json, json};

use super::text::{count, harmless};
use crate::output::{Style, paint};

/// A comparison, with the sources of both policies.
pub(crate) struct Shown<'a> {
    pub(crate) comparison: &'a Comparison,
    pub(crate) before: &'a SourceMap,
    pub(crate) after: &'a SourceMap,
}

/// A statement's file and line.
fn place(decider: &Decider, sources: &SourceMap) -> Option<(String, u32)> {
    let file = sources.get(decider.span.file)?;
    let line = file.position(decider.span.start).line;
    Some((file.path().to_string_lossy().into_owned(), line))
}

fn errno(number: u16) -> String {
    catalogue::errno_name(number).map_or_else(|| number.to_string(), str::to_owned)
}

/// `denied with EPERM, recorded`.
fn does(reaction: Reaction) -> String {
    let record = if reaction.record {
        "recorded"
    } else {
        "silent"
    };
    match reaction.verdict {
        Verdict::Allow => format!("allowed, {record}"),
        Verdict::Deny => {
            let errno = errno(reaction.errno.unwrap_or_default());
            format!("denied with {errno}, {record}")
        }
        Verdict::Kill => format!("killed, {record}"),
    }
}

/// The values of an event on one line.
fn values(event: &Event) -> String {
    let mut words: Vec<String> = event
        .values
        .keys()
        .map(|field| format!("{} = {}", field.name(), harmless(&event.describe(*field))))
        .collect();
    if !event.inherited.is_empty() {
        let scopes = event.inherited.join(", ");
        words.push(format!("inherited = [{}]", harmless(&scopes)));
    }
    if words.is_empty() {
        "any".to_owned()
    } else {
        words.join("  ")
    }
}

fn value(event: &Event) -> Json {
    serde_json::from_str(&event.to_json_line()).unwrap_or_default()
}

fn names<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let quoted = names
        .into_iter()
        .map(|name| format!("`{}`", harmless(name)));
    quoted.collect::<Vec<_>>().join(", ")
}

impl Shown<'_> {
    /// Everything for people, the summary last.
    pub(crate) fn human(&self, color: bool) -> String {
        let mut shown = String::new();
        let mut hook = None;
        for change in &self.comparison.changes {
            if hook != Some(change.hook) {
                hook = Some(change.hook);
                shown.push_str(&paint(color, Style::Bold, change.hook.name()));
                shown.push('\n');
            }
            shown.push_str(&self.change(change, color));
        }
        let mut scope = None;
        for change in &self.comparison.scopes {
            if scope != Some(&change.scope) {
                scope = Some(&change.scope);
                let title = format!("scope {}", change.scope);
                shown.push_str(&paint(color, Style::Bold, harmless(&title)));
                shown.push('\n');
            }
            shown.push_str(&scope_change(change, color));
        }
        for question in &self.comparison.undecided {
            shown.push_str(&format!(
                "{} on {}: {}\n\n",
                paint(color, Style::Red, "not decided"),
                harmless(&question.about),
                harmless(&question.reason)
            ));
        }
        shown.push_str(&self.summary(color));
        shown.push('\n');
        shown
    }

    fn change(&self, change: &Change, color: bool) -> String {
        let kinds: Vec<&str> = change
            .kinds()
            .into_iter()
            .map(|kind| kind.as_str())
            .collect();
        let mut shown = format!("  {}", paint(color, Style::Yellow, kinds.join(", ")));
        let unknown: Vec<String> = change
            .unknown
            .iter()
            .map(|field| field.name().to_owned())
            .collect();
        let mut conditions = Vec::new();
        if !unknown.is_empty() {
            let are = if unknown.len() == 1 { "is" } else { "are" };
            conditions.push(format!("{} {are} unknown", names(&unknown)));
        }
        if !change.doubtful.is_empty() {
            conditions.push(format!(
                "it is unknown whether {} sticks to the task",
                names(&change.doubtful)
            ));
        }
        if !conditions.is_empty() {
            shown.push_str(&format!(", only where {}", conditions.join(" and ")));
        }
        shown.push_str(&format!("\n    event:  {}\n", values(&change.event)));
        for (word, said, sources) in [
            ("before:", &change.before, self.before),
            ("after: ", &change.after, self.after),
        ] {
            let why = why(said, sources);
            shown.push_str(&format!("    {word} {}{why}\n", does(said.reaction)));
        }
        shown.push('\n');
        shown
    }

    fn summary(&self, color: bool) -> String {
        let found = self.comparison;
        if found.is_equivalent() {
            let hooks = match found.equal.len() {
                0 => String::new(),
                hooks => format!(" on {}", count(hooks, "hook")),
            };
            return format!(
                "{}: the same answer to every event{hooks}",
                paint(color, Style::Green, "equivalent")
            );
        }
        let mut parts = Vec::new();
        let changes = found.changes.len();
        if changes > 0 {
            let hooks = count(self.hooks().len(), "hook");
            parts.push(format!("{} on {hooks}", count(changes, "change")));
        }
        if !found.scopes.is_empty() {
            parts.push(format!("{} in scopes", count(found.scopes.len(), "change")));
        }
        if !found.undecided.is_empty() {
            parts.push(format!("{} not decided", found.undecided.len()));
        }
        if !found.equal.is_empty() {
            let equal: Vec<&str> = found.equal.iter().map(|hook| hook.name()).collect();
            parts.push(format!("nothing on {}", equal.join(", ")));
        }
        paint(color, Style::Bold, parts.join("; "))
    }

    /// The hooks that have changes.
    fn hooks(&self) -> Vec<&'static str> {
        let changes = self.comparison.changes.iter();
        let mut hooks: Vec<&str> = changes.map(|change| change.hook.name()).collect();
        hooks.dedup();
        hooks
    }

    /// An object for each change and each question without an answer, and a summary.
    pub(crate) fn json(&self) -> Vec<Json> {
        let found = self.comparison;
        let mut objects: Vec<Json> = found
            .changes
            .iter()
            .map(|change| {
                let kinds: Vec<&str> = change
                    .kinds()
                    .into_iter()
                    .map(|kind| kind.as_str())
                    .collect();
                let unknown: Vec<&str> = change.unknown.iter().map(|field| field.name()).collect();
                json!({
                    "hook": change.hook.name(),
                    "changes": kinds,
                    "event": value(&change.event),
                    "unknown": unknown,
                    "unknown_scopes": change.doubtful,
                    "before": answered(&change.before, self.before),
                    "after": answered(&change.after, self.after),
                })
            })
            .collect();
        objects.extend(found.scopes.iter().map(|change| {
            let mut subject = value(&change.subject);
            if let Some(fields) = subject.as_object_mut() {
                fields.remove("hook");
            }
            json!({
                "scope": change.scope,
                "part": part(change.part),
                "subject": subject,
                "before": change.before.as_str(),
                "after": change.after.as_str(),
            })
        }));
        objects.extend(
            found.undecided.iter().map(
                |question| json!({ "not_decided": question.about, "reason": question.reason }),
            ),
        );
        let equal: Vec<&str> = found.equal.iter().map(|hook| hook.name()).collect();
        let undecided = found.undecided.iter().map(|question| &question.about);
        objects.push(json!({
            "equivalent": found.is_equivalent(),
            "changes": found.changes.len() + found.scopes.len(),
            "hooks": self.hooks(),
            "equal": equal,
            "undecided": undecided.collect::<Vec<_>>(),
        }));
        objects
    }
}

fn part(part: ScopePart) -> &'static str {
    match part {
        ScopePart::Begins => "begins",
        ScopePart::Ends => "ends",
    }
}

fn scope_change(change: &ScopeChange, color: bool) -> String {
    let title = match change.part {
        ScopePart::Begins => "begins elsewhere",
        ScopePart::Ends => "ends elsewhere",
    };
    format!(
        "  {}\n    subject: {}\n    {}:  {} before, {} after\n\n",
        paint(color, Style::Yellow, title),
        values(&change.subject),
        part(change.part),
        change.before.as_str(),
        change.after.as_str()
    )
}

/// `: rule (file:line), rule (file:line)`.
fn why(said: &Answered, sources: &SourceMap) -> String {
    let mut parts: Vec<String> = said
        .deciders
        .iter()
        .map(|decider| match place(decider, sources) {
            // A rule without a name is called by its place.
            Some((file, line)) if format!("{file}:{line}").ends_with(&decider.id) => {
                format!("{file}:{line}")
            }
            Some((file, line)) => format!("{} ({file}:{line})", decider.id),
            None => decider.id.clone(),
        })
        .collect();
    if said.on_error {
        parts.push("on_error".to_owned());
    }
    let mut shown = String::new();
    if !parts.is_empty() {
        shown = format!(": {}", harmless(&parts.join(", ")));
    }
    if !said.without.is_empty() {
        shown.push_str(&format!(" (no inherited {} here)", names(&said.without)));
    }
    shown
}

fn answered(said: &Answered, sources: &SourceMap) -> Json {
    let rules: Vec<Json> = said
        .deciders
        .iter()
        .map(|decider| {
            let (file, line) = place(decider, sources).unzip();
            json!({ "id": decider.id, "file": file, "line": line })
        })
        .collect();
    json!({
        "verdict": said.reaction.verdict.as_str(),
        "errno": said.reaction.errno.map(errno),
        "record": said.reaction.record,
        "on_error": said.on_error,
        "rules": rules,
        "without": said.without,
    })
}
