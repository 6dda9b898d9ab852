//! Diagnostics for people: source lines with markers, across files.

use std::borrow::Cow;

use codespan_reporting::diagnostic::{
    Diagnostic as Report, Label as Marker, LabelStyle, Severity as Level,
};
use codespan_reporting::files::SimpleFiles;
use codespan_reporting::term::termcolor::{Ansi, NoColor, WriteColor};
use codespan_reporting::term::{self, Config, Styles, StylesWriter};
use lsmpc_compiler::diagnostic::{Diagnostic, Label, Severity};
use lsmpc_compiler::source::SourceMap;

use super::text::{harmless, harmless_source};

/// Something to see in the sources that nothing is wrong with.
pub(crate) struct Note {
    /// The headline; one line.
    pub(crate) message: String,
    /// The place it is about.
    pub(crate) primary: Label,
    /// Other places that explain it.
    pub(crate) secondary: Vec<Label>,
}

/// All of them, each followed by an empty line.
pub(crate) fn diagnostics<'d>(
    list: impl IntoIterator<Item = &'d Diagnostic>,
    sources: &SourceMap,
    color: bool,
) -> String {
    let files = files(sources);
    let mut text = String::new();
    for diagnostic in list {
        let Some(rendered) = rendered(&report(diagnostic), &files, color) else {
            // A span outside its file: show at least the words.
            text.push_str(&format!(
                "{}[{}]: {}\n\n",
                diagnostic.severity.as_str(),
                diagnostic.code.as_str(),
                harmless(&diagnostic.message)
            ));
            continue;
        };
        if diagnostic.severity == Severity::Hint {
            text.push_str(&rendered.replacen("help[", "hint[", 1));
        } else {
            text.push_str(&rendered);
        }
    }
    text
}

/// All of them, each followed by an empty line.
pub(crate) fn notes(list: &[Note], sources: &SourceMap, color: bool) -> String {
    let files = files(sources);
    list.iter()
        .map(|note| {
            let labels = markers(&note.primary, &note.secondary);
            let report = Report::note()
                .with_message(harmless(&note.message))
                .with_labels(labels);
            rendered(&report, &files, color)
                .unwrap_or_else(|| format!("note: {}\n\n", harmless(&note.message)))
        })
        .collect()
}

type Files<'s> = SimpleFiles<String, Cow<'s, str>>;

fn files(sources: &SourceMap) -> Files<'_> {
    let mut files = SimpleFiles::new();
    for (_, file) in sources.iter() {
        files.add(
            harmless(&file.path().to_string_lossy()),
            harmless_source(file.text()),
        );
    }
    files
}

/// `None` if a span lies outside its file.
fn rendered(report: &Report<usize>, files: &Files<'_>, color: bool) -> Option<String> {
    if color {
        one(report, files, Ansi::new(Vec::new()), Ansi::into_inner)
    } else {
        one(report, files, NoColor::new(Vec::new()), NoColor::into_inner)
    }
}

fn one<W: WriteColor>(
    report: &Report<usize>,
    files: &Files<'_>,
    mut writer: W,
    bytes: impl FnOnce(W) -> Vec<u8>,
) -> Option<String> {
    let config = Config::default();
    let styles = Styles::default();
    let mut styled = StylesWriter::new(&mut writer, &styles);
    term::emit_to_write_style(&mut styled, &config, files, report).ok()?;
    Some(String::from_utf8_lossy(&bytes(writer)).into_owned())
}

fn report(diagnostic: &Diagnostic) -> Report<usize> {
    let level = match diagnostic.severity {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warning,
        Severity::Hint => Level::Help,
    };
    let labels = match &diagnostic.primary {
        Some(primary) => markers(primary, &diagnostic.secondary),
        None => Vec::new(),
    };
    let help = diagnostic.help.iter().map(|help| format!("help: {help}"));
    let notes = diagnostic.notes.iter().map(|note| format!("note: {note}"));
    Report::new(level)
        .with_code(diagnostic.code.as_str())
        .with_message(harmless(&diagnostic.message))
        .with_labels(labels)
        .with_notes(help.chain(notes).map(|line| lines(&line)).collect())
}

fn markers(primary: &Label, secondary: &[Label]) -> Vec<Marker<usize>> {
    let marker = |style, label: &Label| {
        Marker::new(style, file(label), range(label)).with_message(harmless(&label.text))
    };
    let first = marker(LabelStyle::Primary, primary);
    let others = secondary
        .iter()
        .map(|label| marker(LabelStyle::Secondary, label));
    [first].into_iter().chain(others).collect()
}

/// Text of several lines, harmless.
fn lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

fn file(label: &Label) -> usize {
    label.span.file.0 as usize
}

fn range(label: &Label) -> std::ops::Range<usize> {
    label.span.start as usize..label.span.end as usize
}
