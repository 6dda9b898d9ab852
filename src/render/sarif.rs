//! Diagnostics as SARIF 2.1.0, for services that show the findings of many tools.
//!
//! Owns what of the format is used: one run, a rule for each code that occurs, a
//! result for each diagnostic. Columns count characters, and the end is one past the
//! last, as everywhere.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use lsmpc_compiler::diagnostic::{Code, Diagnostic, Label, Severity};
use lsmpc_compiler::source::SourceMap;
use serde::Serialize;
use serde_json::{Value, json};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The name that relative URIs start from.
const ROOT: &str = "%SRCROOT%";

/// A whole log. URIs are relative to `directory`, which has to be absolute, where
/// files lie below it; `read` says whether all files could be read.
pub(crate) fn log(
    list: &[Diagnostic],
    sources: &SourceMap,
    directory: &Path,
    read: bool,
    properties: Option<Value>,
) -> Value {
    let mut codes: Vec<Code> = list.iter().map(|diagnostic| diagnostic.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let run = Run {
        sources,
        directory,
        rules: codes.iter().copied().zip(0..).collect(),
    };
    let artifacts: Vec<Value> = sources
        .iter()
        .map(|(_, file)| json!({ "location": run.artifact(file.path()) }))
        .collect();
    let results: Vec<SarifResult> = list
        .iter()
        .map(|diagnostic| run.result(diagnostic))
        .collect();
    let mut log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "lsmpc",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(|code| rule(*code)).collect::<Vec<_>>(),
            } },
            "invocations": [{ "executionSuccessful": read }],
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { ROOT: {
                "description": { "text": "The directory that lsmpc was called in." },
            } },
            "artifacts": artifacts,
            "results": results,
        }],
    });
    if let (Some(properties), Some(run)) = (properties, log.pointer_mut("/runs/0")) {
        run["properties"] = properties;
    }
    log
}

/// What a code means.
fn rule(code: Code) -> Value {
    json!({
        "id": code.as_str(),
        "name": format!("{code:?}"),
        "shortDescription": { "text": code.title() },
        "help": { "text": code.explain(), "markdown": code.explain() },
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "note",
    }
}

struct Run<'r> {
    sources: &'r SourceMap,
    directory: &'r Path,
    /// Where each code stands among the rules.
    rules: BTreeMap<Code, usize>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult {
    rule_id: &'static str,
    rule_index: Option<usize>,
    level: &'static str,
    message: Message,
    locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
}

#[derive(Debug, Serialize)]
struct Message {
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Value,
    message: Message,
}

impl Run<'_> {
    fn result(&self, diagnostic: &Diagnostic) -> SarifResult {
        let mut text = diagnostic.message.clone();
        if let Some(help) = &diagnostic.help {
            text.push_str(&format!("\nhelp: {help}"));
        }
        for note in &diagnostic.notes {
            text.push_str(&format!("\nnote: {note}"));
        }
        let locations = |labels: &mut dyn Iterator<Item = &Label>| {
            labels.filter_map(|label| self.location(label)).collect()
        };
        SarifResult {
            rule_id: diagnostic.code.as_str(),
            rule_index: self.rules.get(&diagnostic.code).copied(),
            level: level(diagnostic.severity),
            message: Message { text },
            locations: locations(&mut diagnostic.primary.iter()),
            related_locations: locations(&mut diagnostic.secondary.iter()),
        }
    }

    fn location(&self, label: &Label) -> Option<Location> {
        let file = self.sources.get(label.span.file)?;
        let start = file.position(label.span.start);
        let end = file.position(label.span.end);
        Some(Location {
            physical_location: json!({
                "artifactLocation": self.artifact(file.path()),
                "region": {
                    "startLine": start.line,
                    "startColumn": start.column,
                    "endLine": end.line,
                    "endColumn": end.column,
                },
            }),
            message: Message {
                text: label.text.clone(),
            },
        })
    }

    /// Where a file is: below the directory, if it lies there.
    fn artifact(&self, path: &Path) -> Value {
        let below = path.strip_prefix(self.directory).unwrap_or(path);
        if below.is_absolute() {
            json!({ "uri": format!("file://{}", uri(below)) })
        } else {
            json!({ "uri": uri(below), "uriBaseId": ROOT })
        }
    }
}

/// A path as part of a URI.
fn uri(path: &Path) -> String {
    let mut uri = String::new();
    for component in path.components() {
        let bytes = match component {
            Component::RootDir | Component::CurDir => continue,
            other => other.as_os_str().as_bytes(),
        };
        if !uri.is_empty() || path.is_absolute() {
            uri.push('/');
        }
        for &byte in bytes {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                uri.push(char::from(byte));
            } else {
                uri.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn paths_in_uris() {
        let shown = |path: &str| uri(Path::new(path));
        assert_eq!(shown("a/b.lsmp"), "a/b.lsmp");
        assert_eq!(shown("./a//b.lsmp"), "a/b.lsmp");
        assert_eq!(shown("../a b#1.lsmp"), "../a%20b%231.lsmp");
        assert_eq!(shown("c:d/ü"), "c%3Ad/%C3%BC");
        assert_eq!(shown("/etc/x"), "/etc/x");
        assert_eq!(uri(Path::new(OsStr::from_bytes(b"\xff"))), "%FF");
    }

    #[test]
    fn relative_to_the_directory() {
        let sources = SourceMap::default();
        let run = Run {
            sources: &sources,
            directory: Path::new("/home/me"),
            rules: BTreeMap::new(),
        };
        let shown = |path: &str| run.artifact(Path::new(path))["uri"].to_string();
        assert_eq!(shown("/home/me/p/a.lsmp"), "\"p/a.lsmp\"");
        assert_eq!(shown("p/a.lsmp"), "\"p/a.lsmp\"");
        assert_eq!(shown("/etc/a.lsmp"), "\"file:///etc/a.lsmp\"");
    }
}
