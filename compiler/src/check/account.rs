//! `user("…")` and `group("…")`.
//!
//! Owns looking names up in the database that the caller gave.

use lsmpc_syntax::Span;

use super::Checker;
use super::literal::Value;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::suggest;

impl Checker<'_> {
    pub(super) fn user(&mut self, span: Span, name: &[u8]) -> Option<Value> {
        let id = self.options.users.user(name);
        if id.is_none() {
            let names = self.options.users.user_names().map(String::from_utf8_lossy);
            let names: Vec<_> = names.collect();
            self.unknown("user", span, name, names.iter().map(AsRef::as_ref));
        }
        id.map(|id| Value::Range(id.into(), id.into()))
    }

    pub(super) fn group(&mut self, span: Span, name: &[u8]) -> Option<Value> {
        let id = self.options.users.group(name);
        if id.is_none() {
            let names = self
                .options
                .users
                .group_names()
                .map(String::from_utf8_lossy);
            let names: Vec<_> = names.collect();
            self.unknown("group", span, name, names.iter().map(AsRef::as_ref));
        }
        id.map(|id| Value::Range(id.into(), id.into()))
    }

    fn unknown<'n>(
        &mut self,
        kind: &str,
        span: Span,
        name: &[u8],
        known: impl Iterator<Item = &'n str>,
    ) {
        let name = String::from_utf8_lossy(name);
        let help = suggest::closest(&name, known).map(|name| format!("did you mean `{name}`?"));
        self.report(
            Diagnostic::new(
                Code::UnknownAccount,
                format!("there is no {kind} `{name}`"),
                span,
                format!("not a {kind} of this machine or of `--users`"),
            )
            .help("write the number, or give a list of names with `--users`")
            .maybe_help(help),
        );
    }
}
