//! Globs as values of path and name fields.
//!
//! Owns what is said about them: errors in words, and hints where a pattern reads
//! like another one.

use core::ops::Range;

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_abi::field::FieldId;
use lsmpc_syntax::ast::{Literal, LiteralKind};

use super::Checker;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::glob::Glob;
use crate::glob::parse::{
    Alternative, Dialect, GlobError, GlobErrorKind, is_pathless, parse_alternatives, shortest,
};
use crate::hir::FieldRef;

/// Longest name of a task (`TASK_COMM_LEN` less the terminating NUL).
const COMM_BYTES: usize = 15;

impl Checker<'_> {
    pub(super) fn pattern(
        &mut self,
        field: FieldRef,
        literal: &Literal,
        bytes: &[u8],
    ) -> Option<Vec<Glob>> {
        let id = field.field();
        let dialect = match catalogue::field(id).ty {
            FieldType::Path if id == FieldId::UnixPath => Dialect::UnixPath,
            FieldType::Path => Dialect::Path,
            _ => Dialect::Name,
        };
        let all = match parse_alternatives(bytes, dialect) {
            Ok(all) => all,
            Err(error) => {
                self.bad_glob(literal, bytes, dialect, &error);
                return None;
            }
        };
        let comm = matches!(
            id,
            FieldId::Comm | FieldId::ParentComm | FieldId::TargetComm
        );
        if comm && all.iter().all(|one| shortest(&one.glob) > COMM_BYTES) {
            let start: String = String::from_utf8_lossy(bytes)
                .chars()
                .take(COMM_BYTES)
                .collect();
            self.report(
                Diagnostic::new(
                    Code::CommTooLong,
                    format!("a task's name has at most {COMM_BYTES} bytes"),
                    literal.span,
                    "needs more bytes than that",
                )
                .help(format!(
                    "the kernel cuts names: write `\"{start}\"`, or ask for `exe`"
                )),
            );
            return None;
        }
        if dialect != Dialect::Name {
            self.path_hints(literal, bytes, &all);
        }
        Some(all.into_iter().map(|one| one.glob).collect())
    }

    fn path_hints(&mut self, literal: &Literal, bytes: &[u8], all: &[Alternative]) {
        for one in all.iter().filter(|one| is_pathless(&one.glob)) {
            let Some(class) = &one.class else {
                continue;
            };
            let before = bytes.get(..class.start).unwrap_or_default();
            let numbered = ["pipe:", "socket:", "anon_inode:"];
            if !numbered
                .iter()
                .any(|name| before.ends_with(name.as_bytes()))
            {
                continue;
            }
            let quote = if is_raw(literal) { "\\" } else { "\\\\" };
            let (head, tail) = bytes.split_at_checked(class.start).unwrap_or((bytes, b""));
            self.report(
                Diagnostic::new(
                    Code::PathlessClass,
                    "these brackets are a class, which matches one byte",
                    self.string_span(literal, class.clone()),
                    "matches one of these bytes",
                )
                .help(format!(
                    "the names of such files contain brackets; to match one write `{}{quote}{}`",
                    String::from_utf8_lossy(head),
                    String::from_utf8_lossy(tail),
                )),
            );
            break;
        }
        if bytes.ends_with(b"/*") && self.says(Code::ChildrenOnly) {
            let text = String::from_utf8_lossy(bytes);
            let at = bytes.len().saturating_sub(1)..bytes.len();
            self.report(
                Diagnostic::new(
                    Code::ChildrenOnly,
                    "this matches what is directly in the directory, and nothing below",
                    self.string_span(literal, at),
                    "`*` does not cross `/`",
                )
                .help(format!("for the whole tree write `\"{text}*\"`")),
            );
        }
        if let Some(start) = bytes.windows(4).position(|window| window == b"/**/")
            && self.says(Code::DeepSlash)
        {
            let at = start..start.saturating_add(4);
            let (head, tail) = bytes.split_at_checked(at.start).unwrap_or((bytes, b""));
            let head = String::from_utf8_lossy(head).into_owned();
            let rest = String::from_utf8_lossy(tail.get(4..).unwrap_or_default()).into_owned();
            self.report(
                Diagnostic::new(
                    Code::DeepSlash,
                    format!("this does not match `{head}/{rest}`"),
                    self.string_span(literal, at),
                    "wants at least one directory between its slashes",
                )
                .help(format!("to match it too write `\"{head}/{{,**/}}{rest}\"`")),
            );
        }
    }

    fn bad_glob(&mut self, literal: &Literal, bytes: &[u8], dialect: Dialect, error: &GlobError) {
        let text = String::from_utf8_lossy(bytes);
        let quote = if is_raw(literal) { "\\" } else { "\\\\" };
        let part = |at: &Range<usize>| {
            String::from_utf8_lossy(bytes.get(at.clone()).unwrap_or_default()).into_owned()
        };
        let found = part(&error.at);
        let (code, message, label, help) = match error.kind {
            GlobErrorKind::UnclosedClass => (
                Code::BadGlob,
                "the class has no `]`".to_owned(),
                "opened here",
                format!("close it, or write `{quote}[` for the character itself"),
            ),
            GlobErrorKind::UnclosedBrace => (
                Code::BadGlob,
                "the alternatives have no `}`".to_owned(),
                "opened here",
                format!("close them, or write `{quote}{{` for the character itself"),
            ),
            GlobErrorKind::EmptyClass => (
                Code::BadGlob,
                "the class is empty".to_owned(),
                "matches nothing",
                format!("list bytes in it; `]` itself is written `[{quote}]]`"),
            ),
            GlobErrorKind::ReversedRange => (
                Code::BadGlob,
                "the range in the class ends before it begins".to_owned(),
                "nothing lies in it",
                format!("write the smaller byte first; `-` itself is written `{quote}-`"),
            ),
            GlobErrorKind::OnlySlash => (
                Code::BadGlob,
                "no class matches `/`, and this one has nothing else".to_owned(),
                "matches nothing",
                "write `/` without brackets".to_owned(),
            ),
            GlobErrorKind::FinalBackslash => (
                Code::BadGlob,
                "the `\\` at the end quotes nothing".to_owned(),
                "nothing follows",
                format!("write `{quote}{quote}` for the character itself"),
            ),
            GlobErrorKind::Nul => (
                Code::BadGlob,
                "a glob cannot contain a NUL byte".to_owned(),
                "is a NUL byte",
                "no path and no name contains one: leave it out".to_owned(),
            ),
            GlobErrorKind::BadStart => {
                let help = if let Some(rest) = text.strip_prefix("~/") {
                    format!("`~` has no meaning here: write `\"/home/*/{rest}\"`")
                } else if text.starts_with("./") || text.starts_with("../") {
                    "there is no directory to be relative to: write the whole path".to_owned()
                } else if dialect == Dialect::Path && text.starts_with('@') {
                    "only `unix_path` has abstract names".to_owned()
                } else if text.is_empty() {
                    "no path is empty: write one such as `\"/etc/**\"`".to_owned()
                } else {
                    format!("write the whole path, or `\"**/{text}\"` for any directory")
                };
                let all = bytes.contains(&b'{');
                (
                    Code::GlobNeverMatches,
                    if all {
                        "some alternative can never match a path".to_owned()
                    } else {
                        "this can never match a path".to_owned()
                    },
                    "must begin with `/` or `**`",
                    help,
                )
            }
            GlobErrorKind::DoubleSlash => (
                Code::GlobNeverMatches,
                "no path contains `//`".to_owned(),
                "never in a path",
                "write one `/`".to_owned(),
            ),
            GlobErrorKind::Dot | GlobErrorKind::DotDot => (
                Code::GlobNeverMatches,
                format!("no path contains `{found}`: the kernel has resolved it"),
                "never in a path",
                "write the path that it leads to".to_owned(),
            ),
            GlobErrorKind::TrailingSlash => (
                Code::GlobNeverMatches,
                "no path ends in `/`".to_owned(),
                "never at the end of a path",
                format!(
                    "write `\"{text}**\"` for everything below, or `\"{}\"` for the directory \
                     itself",
                    text.trim_end_matches('/')
                ),
            ),
            GlobErrorKind::TooLong => (
                Code::GlobNeverMatches,
                "no path is that long".to_owned(),
                "longer than 4095 bytes",
                "write a `*` in place of a part".to_owned(),
            ),
            GlobErrorKind::TooCostly => (
                Code::GlobTooCostly,
                "the braces expand to too many alternatives".to_owned(),
                "too many combinations",
                "write fewer braces, or `*` in place of some".to_owned(),
            ),
        };
        let span = if error.at == (0..bytes.len()) {
            literal.span
        } else {
            self.string_span(literal, error.at.clone())
        };
        self.report(Diagnostic::new(code, message, span, label).help(help));
    }
}

fn is_raw(literal: &Literal) -> bool {
    matches!(literal.node, LiteralKind::String { raw: true, .. })
}
