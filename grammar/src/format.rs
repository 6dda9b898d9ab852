//! The formatter: one layout for a source, its comments kept.
//!
//! Owns which break of the layout each comment stands at, and which blank
//! lines stay. It must not know how statements are laid out: the printer does.

use crate::error::SyntaxError;
use crate::layout::{Blanks, Break, Document, Remark, WIDTH};
use crate::lexer::{Comment, CommentPlace};
use crate::original::Original;
use crate::parse;
use crate::print::Printer;
use crate::span::FileId;

/// Lays a source out in the one canonical way.
///
/// Layout as by [`crate::print`], with the words `and or not`, and no
/// parentheses but those that are needed. Literals stay as they were written.
/// Comments stay in their order and, as far as there is a line break there, in
/// their place; of blank lines between statements, steps of a test and items
/// of a set, one stays. Lines end in a line feed.
///
/// The result has the same tree, spans aside, and formats to itself.
///
/// # Errors
///
/// What is wrong with the text, if it does not parse: then there is no tree to
/// lay out. The spans are those of file 0.
pub fn format(text: &str) -> Result<String, Vec<SyntaxError>> {
    let (parsed, tokens) = parse::read(FileId::default(), text);
    if !parsed.errors.is_empty() {
        return Err(parsed.errors);
    }
    let original = Original::new(text, tokens);
    let mut document = Printer::file(&parsed.file, Some(&original));
    attach(&mut document, &parsed.comments, &original);
    Ok(document.render(WIDTH))
}

/// Gives every comment to a break, and to the breaks the blank lines of the
/// source.
///
/// Between two breaks stands text that is not broken, called a run here. A
/// comment inside a run must leave it: one with a line of its own goes before
/// the run, one at the end of a line behind it. The order of comments comes
/// first, though.
fn attach<'t>(document: &mut Document<'t>, comments: &[Comment], original: &Original<'t>) {
    let mut before: Option<&mut Break<'t>> = None;
    let mut comments = comments.iter().peekable();
    for this in &mut document.breaks {
        let Some(at) = this.at else {
            continue;
        };
        let keeps = this.blanks != Blanks::None;
        let run_end = original.end_before(at);
        let mut hoisted = false;
        while let Some(comment) = comments.next_if(|c| c.span.start < at) {
            let text = original.slice(comment.span).trim_end_matches([' ', '\t']);
            let own_line = comment.place == CommentPlace::OwnLine;
            if let Some(before) = &mut before
                && own_line
                && comment.span.start < run_end
                && this.comments.is_empty()
            {
                // Directly before the run, so that a blank line before the run
                // is one before the comment.
                let blank = !hoisted && core::mem::take(&mut before.blank);
                before.comments.push(Remark {
                    text,
                    trailing: false,
                    blank,
                });
                hoisted = true;
                continue;
            }
            this.comments.push(Remark {
                text,
                trailing: !own_line && this.comments.is_empty(),
                blank: keeps && original.blank_before(comment.span.start),
            });
        }
        this.blank = keeps && original.blank_before(at);
        if let Blanks::Keep { first, last } = this.blanks {
            if first {
                match this.comments.iter_mut().find(|c| !c.trailing) {
                    Some(comment) => comment.blank = false,
                    None => this.blank = false,
                }
            }
            this.blank &= !last;
        }
        before = Some(this);
    }
}
