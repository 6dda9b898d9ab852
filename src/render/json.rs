//! Diagnostics for programs: one JSON object each.

use lsmpc_compiler::diagnostic::{Diagnostic, Label};
use lsmpc_compiler::source::SourceMap;
use lsmpc_syntax::Span;
use serde::Serialize;

/// A diagnostic as JSON. Lines and columns count from 1, columns in characters;
/// the end is one past the last character. Where there is no place to show, file
/// and numbers are null.
#[derive(Debug, Serialize)]
pub(crate) struct JsonDiagnostic<'a> {
    code: &'static str,
    severity: &'static str,
    message: &'a str,
    #[serde(flatten)]
    place: Place,
    label: Option<&'a str>,
    labels: Vec<JsonLabel<'a>>,
    help: Option<&'a str>,
    notes: &'a [String],
}

/// A place in a source.
#[derive(Debug, Serialize, Default)]
pub(crate) struct Place {
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    end_line: Option<u32>,
    end_column: Option<u32>,
}

#[derive(Debug, Serialize)]
struct JsonLabel<'a> {
    #[serde(flatten)]
    place: Place,
    text: &'a str,
}

/// One diagnostic.
pub(crate) fn diagnostic<'a>(
    diagnostic: &'a Diagnostic,
    sources: &SourceMap,
) -> JsonDiagnostic<'a> {
    let primary = diagnostic.primary.as_ref();
    JsonDiagnostic {
        code: diagnostic.code.as_str(),
        severity: diagnostic.severity.as_str(),
        message: &diagnostic.message,
        place: primary
            .map(|label| place(label, sources))
            .unwrap_or_default(),
        label: primary.map(|label| label.text.as_str()),
        labels: diagnostic
            .secondary
            .iter()
            .map(|label| JsonLabel {
                place: place(label, sources),
                text: &label.text,
            })
            .collect(),
        help: diagnostic.help.as_deref(),
        notes: &diagnostic.notes,
    }
}

fn place(label: &Label, sources: &SourceMap) -> Place {
    place_of(label.span, sources)
}

/// Where a span is.
pub(crate) fn place_of(span: Span, sources: &SourceMap) -> Place {
    let Some(file) = sources.get(span.file) else {
        return Place::default();
    };
    let start = file.position(span.start);
    let end = file.position(span.end);
    Place {
        file: Some(file.path().to_string_lossy().into_owned()),
        line: Some(start.line),
        column: Some(start.column),
        end_line: Some(end.line),
        end_column: Some(end.column),
    }
}
