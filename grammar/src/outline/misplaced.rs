//! What stands where it may not.
//!
//! Owns the words for statements, annotations and braces out of place.

use super::{Outline, Place};
use crate::error::{SyntaxCode, SyntaxError};
use crate::token::Keyword;

impl Outline<'_, '_> {
    pub(super) fn stray_brace(&mut self) {
        let span = self.span(self.pos);
        self.errors.push(
            SyntaxError::new(
                SyntaxCode::UnmatchedBrace,
                span,
                "`}` without a `{`",
                "closes nothing",
            )
            .help("remove it, or look for a `{` that is missing above"),
        );
    }

    /// A statement where it may not stand.
    pub(super) fn misplaced(&mut self, head: usize, place: &Place) {
        let Some(keyword) = self.keyword(head) else {
            return;
        };
        let word = keyword.as_str();
        let span = self.span(head);
        let what = match keyword {
            k if k.is_effect() => format!("a rule (`{word}`)"),
            _ => format!("`{word}`"),
        };
        let error = match *place {
            Place::Scope(open) => SyntaxError::new(
                SyntaxCode::StatementNotAllowedHere,
                span,
                format!("{what} may not stand inside a scope"),
                "not allowed in a scope",
            )
            .help(match keyword {
                Keyword::Given | Keyword::Expect => {
                    "put it in a `test \"…\" { }` outside the scope"
                }
                Keyword::Scope => {
                    "scopes do not nest: write it outside, its condition joined with `and`"
                }
                _ => "move it out of the braces; a scope holds rules, `let`, `default` and `on_error`",
            })
            .also(self.span(open), "the scope begins here"),
            Place::Test(open) => SyntaxError::new(
                SyntaxCode::StatementNotAllowedHere,
                span,
                format!("{what} may not stand inside a test"),
                "not allowed in a test",
            )
            .help(if keyword.is_effect() {
                format!("write `expect {word} …`, or move the rule out of the braces")
            } else {
                "move it out of the braces; a test holds `given` and `expect`".to_owned()
            })
            .also(self.span(open), "the test begins here"),
            Place::Top => SyntaxError::new(
                SyntaxCode::StatementNotAllowedHere,
                span,
                format!("{what} stands outside a test"),
                "only allowed in a test",
            )
            .help("put it in a test: `test \"what it shows\" { … }`"),
        };
        self.errors.push(error);
    }

    pub(super) fn misplaced_annotation(&mut self, start: usize, head: usize) {
        let last = head.saturating_sub(1);
        let span = self.span(start).to(self.span(last));
        let word = self.keyword(head).map_or("it", Keyword::as_str);
        self.errors.push(
            SyntaxError::new(
                SyntaxCode::MisplacedAnnotation,
                span,
                format!("`{word}` takes no annotations"),
                "belongs to no rule",
            )
            .help("annotations stand before a rule's `deny`, `kill`, `allow` or `audit`")
            .also(self.span(head), "not a rule"),
        );
    }

    pub(super) fn unclosed_body(&mut self, open: usize, scope: bool) {
        let what = if scope { "scope" } else { "test" };
        let mut error = SyntaxError::new(
            SyntaxCode::UnclosedDelimiter,
            self.span(open),
            format!("the {what}'s `{{` is never closed"),
            "opened here",
        )
        .help(format!("end the {what} with `}}`"));
        if self.pos < self.tokens.len() {
            error = error.also(
                self.span(self.pos),
                format!("this may not stand in a {what}: is a `}}` missing before it?"),
            );
        }
        self.errors.push(error);
    }
}
