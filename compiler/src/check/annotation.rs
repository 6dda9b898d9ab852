//! Annotations.
//!
//! Owns which there are and what values they take (LANGUAGE §3).

use lsmpc_syntax::Spanned;
use lsmpc_syntax::ast::{Annotation, LiteralKind};
use rustc_hash::FxHashMap;

use super::Checker;
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::hir::Annotations;
use crate::suggest;

const NAMES: &[&str] = &[
    "id",
    "message",
    "severity",
    "tag",
    "quiet",
    "reference",
    "silence",
];

/// Those that may be given several times.
const REPEATABLE: &[&str] = &["tag", "silence"];

const SEVERITIES: &[&str] = &["low", "medium", "high", "critical"];

impl Checker<'_> {
    /// What the annotations of a rule say.
    pub(super) fn annotations(&mut self, all: &[Annotation]) -> Annotations {
        let mut found = Annotations::default();
        let mut seen = FxHashMap::default();
        for annotation in all {
            let name = annotation.name.node.as_str();
            if !NAMES.contains(&name) {
                let help = suggest::closest(name, NAMES.iter().copied())
                    .map(|name| format!("did you mean `@{name}`?"));
                self.report(
                    Diagnostic::new(
                        Code::UnknownAnnotation,
                        format!("unknown annotation `@{name}`"),
                        annotation.name.span,
                        "not an annotation",
                    )
                    .help(format!("annotations are `@{}`", NAMES.join("`, `@")))
                    .maybe_help(help),
                );
                continue;
            }
            if let Some(&first) = seen.get(name)
                && !REPEATABLE.contains(&name)
            {
                self.report(
                    Diagnostic::new(
                        Code::RepeatedAnnotation,
                        format!("`@{name}` is given twice"),
                        annotation.span,
                        "given again here",
                    )
                    .also(first, "first given here")
                    .help("remove one of the two"),
                );
                continue;
            }
            seen.insert(name, annotation.span);
            self.annotation(annotation, &mut found);
        }
        found
    }

    fn annotation(&mut self, annotation: &Annotation, found: &mut Annotations) {
        let span = annotation.value.span;
        match annotation.name.node.as_str() {
            "id" => {
                let Some(id) = self.text(annotation) else {
                    return;
                };
                let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                if id.is_empty() || !id.chars().all(plain) {
                    let meant: String =
                        id.chars().map(|c| if plain(c) { c } else { '-' }).collect();
                    let help = if meant.is_empty() {
                        "write a short name, such as `@id(\"secrets\")`".to_owned()
                    } else {
                        format!("write `@id(\"{meant}\")`")
                    };
                    self.bad_value(
                        annotation,
                        "an id is made of letters, digits, `.`, `_` and `-`",
                        help,
                    );
                    return;
                }
                if let Some(&first) = self.ids.get(&id) {
                    self.report(
                        Diagnostic::new(
                            Code::DuplicateId,
                            format!("two rules have the id `{id}`"),
                            span,
                            "used again here",
                        )
                        .also(first, "first used here")
                        .help("choose another id: reports name rules by it"),
                    );
                } else {
                    self.ids.insert(id.clone(), span);
                }
                found.id = Some(Spanned::new(id, span));
            }
            "message" => found.message = self.text(annotation),
            "reference" => found.reference = self.text(annotation),
            "tag" => found.tags.extend(self.text(annotation)),
            "severity" => {
                let Some(severity) = self.text(annotation) else {
                    return;
                };
                if SEVERITIES.contains(&severity.as_str()) {
                    found.severity = Some(severity);
                    return;
                }
                let help = suggest::did_you_mean(&severity, SEVERITIES.iter().copied());
                let list = "write one of `low`, `medium`, `high`, `critical`".to_owned();
                self.bad_value(annotation, "not a severity", help.unwrap_or(list));
            }
            "quiet" => match annotation.value.node {
                LiteralKind::Bool(quiet) => found.quiet = quiet,
                _ => self.bad_value(
                    annotation,
                    "`@quiet` is given `true` or `false`",
                    "write `@quiet(true)`".to_owned(),
                ),
            },
            "silence" => {
                let Some(name) = self.text(annotation) else {
                    return;
                };
                match Code::from_name(&name) {
                    Some(code) if code.severity() != Severity::Error => found.silenced.push(code),
                    Some(_) => self.bad_value(
                        annotation,
                        "an error cannot be silenced",
                        "only codes of warnings and hints can be given here".to_owned(),
                    ),
                    None => {
                        let meant = Code::from_name(&format!("LSMP{name}"));
                        let meant = meant.map_or("LSMP2013", Code::as_str);
                        self.bad_value(
                            annotation,
                            "not the code of a warning",
                            format!("write the code as it is shown, such as `\"{meant}\"`"),
                        );
                    }
                }
            }
            _ => {}
        }
    }

    /// The value as text.
    fn text(&mut self, annotation: &Annotation) -> Option<String> {
        if let LiteralKind::String { bytes, .. } = &annotation.value.node {
            if let Ok(text) = str::from_utf8(bytes) {
                return Some(text.to_owned());
            }
            self.bad_value(
                annotation,
                "not UTF-8",
                "annotations are text: leave out such bytes".to_owned(),
            );
            return None;
        }
        let name = &annotation.name.node;
        let sample = match name.as_str() {
            "severity" => "high",
            "silence" => "LSMP2013",
            _ => "…",
        };
        self.bad_value(
            annotation,
            "not a string",
            format!("write `@{name}(\"{sample}\")`"),
        );
        None
    }

    fn bad_value(&mut self, annotation: &Annotation, label: &str, help: String) {
        let message = format!(
            "{} is not a value of `@{}`",
            self.quoted(annotation.value.span),
            annotation.name.node
        );
        self.report(
            Diagnostic::new(Code::BadAnnotation, message, annotation.value.span, label).help(help),
        );
    }
}
