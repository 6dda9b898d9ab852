//! Diagnostics for people: source lines with markers, across files.

use codespan_reporting::diagnostic::{Diagnostic as Report, Label as Marker, Severity as Level};
use codespan_reporting::files::SimpleFiles;
use codespan_reporting::term::termcolor::{Ansi, NoColor, WriteColor};
use codespan_reporting::term::{self, Config, Styles, StylesWriter};
use lsmpc_compiler::diagnostic::{Diagnostic, Label, Severity};
use lsmpc_compiler::source::SourceMap;

use super::text::{harmless, harmless_source};

/// All of them, each followed by an empty line.
pub(crate) fn diagnostics<'d>(
    list: impl IntoIterator<Item = &'d Diagnostic>,
    sources: &SourceMap,
    color: bool,
) -> String {
    let mut files = SimpleFiles::new();
    for (_, file) in sources.iter() {
        files.add(
            harmless(&file.path().to_string_lossy()),
            harmless_source(file.text()),
        );
    }
    let mut text = String::new();
    for diagnostic in list {
        let rendered = if color {
            one(diagnostic, &files, Ansi::new(Vec::new()), Ansi::into_inner)
        } else {
            one(
                diagnostic,
                &files,
                NoColor::new(Vec::new()),
                NoColor::into_inner,
            )
        };
        text.push_str(&rendered);
    }
    text
}

fn one<W: WriteColor>(
    diagnostic: &Diagnostic,
    files: &SimpleFiles<String, String>,
    mut writer: W,
    bytes: impl FnOnce(W) -> Vec<u8>,
) -> String {
    let config = Config::default();
    let styles = Styles::default();
    let shown = term::emit_to_write_style(
        &mut StylesWriter::new(&mut writer, &styles),
        &config,
        files,
        &report(diagnostic),
    );
    let text = String::from_utf8_lossy(&bytes(writer)).into_owned();
    if shown.is_err() {
        // A span outside its file: show at least the words.
        return format!(
            "{}[{}]: {}\n\n",
            diagnostic.severity.as_str(),
            diagnostic.code.as_str(),
            harmless(&diagnostic.message)
        );
    }
    if diagnostic.severity == Severity::Hint {
        text.replacen("help[", "hint[", 1)
    } else {
        text
    }
}

fn report(diagnostic: &Diagnostic) -> Report<usize> {
    let level = match diagnostic.severity {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warning,
        Severity::Hint => Level::Help,
    };
    let primary = diagnostic.primary.iter().map(|label| {
        Marker::primary(file(label), range(label)).with_message(harmless(&label.text))
    });
    let secondary = diagnostic.secondary.iter().map(|label| {
        Marker::secondary(file(label), range(label)).with_message(harmless(&label.text))
    });
    let help = diagnostic.help.iter().map(|help| format!("help: {help}"));
    let notes = diagnostic.notes.iter().map(|note| format!("note: {note}"));
    Report::new(level)
        .with_code(diagnostic.code.as_str())
        .with_message(harmless(&diagnostic.message))
        .with_labels(primary.chain(secondary).collect())
        .with_notes(help.chain(notes).map(|line| lines(&line)).collect())
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
