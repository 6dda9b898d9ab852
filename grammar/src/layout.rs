//! Text with places where its lines may break, and the choice among them.
//!
//! Owns widths, indentation and what a comment at a break looks like. It must
//! not know what the text says.

use std::borrow::Cow;

/// Lines are broken so as not to be longer, where they can be broken.
pub(crate) const WIDTH: usize = 100;

/// A document: text, breaks, and the groups of breaks that break together.
#[derive(Debug, Default)]
pub(crate) struct Document<'a> {
    pub(crate) ops: Vec<Op<'a>>,
    pub(crate) breaks: Vec<Break<'a>>,
}

/// A step of a document.
#[derive(Debug)]
pub(crate) enum Op<'a> {
    /// Text without line breaks.
    Text(Cow<'a, str>),
    /// Text that stands only in a group that is broken.
    IfBroken(&'static str),
    /// The index of a break.
    Break(usize),
    /// Up to its [`Op::Close`]: on one line if it fits, else broken at each of
    /// its own breaks.
    Open,
    Close,
    /// Lines that begin from here on stand so much further in.
    Indent(usize),
    /// Takes an [`Op::Indent`] back.
    Dedent(usize),
}

/// What a break is when it does not break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A space; breaks with its group.
    Line,
    /// Nothing; breaks with its group.
    Soft,
    /// A space; breaks, in a broken group, only if what follows does not fit.
    Fill,
    /// Always breaks.
    Hard,
}

/// A place where the line may break.
#[derive(Debug)]
pub(crate) struct Break<'a> {
    pub(crate) kind: Kind,
    /// Where the source has what follows; `None` if no comment may stand here.
    pub(crate) at: Option<u32>,
    /// How much further in than what follows the comments stand.
    pub(crate) nest: usize,
    /// Which blank lines of the source are kept.
    pub(crate) blanks: Blanks,
    /// Whether a blank line precedes what follows.
    pub(crate) blank: bool,
    /// In the order of the source. One makes the break break.
    pub(crate) comments: Vec<Remark<'a>>,
}

/// Which blank lines of the source a break keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blanks {
    None,
    /// All but one after an opening brace, or before a closing one.
    Keep {
        first: bool,
        last: bool,
    },
}

/// A comment at a break.
#[derive(Debug)]
pub(crate) struct Remark<'a> {
    pub(crate) text: &'a str,
    /// On the line that the break ends; only the first can be.
    pub(crate) trailing: bool,
    /// Whether a blank line precedes it.
    pub(crate) blank: bool,
}

impl Break<'_> {
    /// Whether no width could keep this from breaking.
    fn forced(&self) -> bool {
        self.kind == Kind::Hard || !self.comments.is_empty()
    }

    const fn flat(&self) -> &'static str {
        match self.kind {
            Kind::Line | Kind::Fill => " ",
            Kind::Soft | Kind::Hard => "",
        }
    }
}

impl Document<'_> {
    /// The document as text, no line longer than `width` where that is
    /// possible.
    pub(crate) fn render(&self, width: usize) -> String {
        let mut out = Out {
            text: String::new(),
            column: 0,
            indent: 0,
        };
        // Of every open group whether it is on one line.
        let mut flat: Vec<bool> = Vec::new();
        for (at, op) in self.ops.iter().enumerate() {
            let is_flat = flat.last().copied().unwrap_or(false);
            match op {
                Op::Text(text) => out.text(text),
                Op::IfBroken(text) => {
                    if !is_flat {
                        out.text(text);
                    }
                }
                Op::Open => {
                    let room = width.saturating_sub(out.column);
                    flat.push(is_flat || self.fits(at + 1, room, true));
                }
                Op::Close => {
                    flat.pop();
                }
                Op::Indent(by) => out.indent += by,
                Op::Dedent(by) => out.indent = out.indent.saturating_sub(*by),
                Op::Break(index) => {
                    let Some(this) = self.breaks.get(*index) else {
                        continue;
                    };
                    let stays = match this.kind {
                        _ if this.forced() => false,
                        Kind::Fill if !is_flat => {
                            let room = width.saturating_sub(out.column.saturating_add(1));
                            self.fits(at + 1, room, false)
                        }
                        _ => is_flat,
                    };
                    if stays {
                        out.text(this.flat());
                    } else {
                        out.line_break(this);
                    }
                }
            }
        }
        out.text
    }

    /// Whether what stands from `from` on takes at most `room` columns: up to
    /// the end of the group that `from` is in (if `group`) and from there to
    /// the next break.
    fn fits(&self, from: usize, room: usize, group: bool) -> bool {
        let mut room = room;
        let mut group = group;
        let mut depth = usize::from(group);
        for op in self.ops.iter().skip(from) {
            let text: &str = match op {
                Op::Text(text) => text,
                Op::IfBroken(text) if depth == 0 => text,
                Op::IfBroken(_) | Op::Indent(_) | Op::Dedent(_) => "",
                Op::Open => {
                    depth += 1;
                    ""
                }
                Op::Close => {
                    depth = depth.saturating_sub(1);
                    group &= depth > 0;
                    ""
                }
                Op::Break(index) => match self.breaks.get(*index) {
                    Some(this) if this.forced() => return !group,
                    Some(_) if depth == 0 => return true,
                    Some(this) => this.flat(),
                    None => "",
                },
            };
            match room.checked_sub(columns(text)) {
                Some(rest) => room = rest,
                None => return false,
            }
        }
        true
    }

    /// How many columns the steps from `from` on would take on one line;
    /// `None` if they cannot stand on one.
    pub(crate) fn flat_width(&self, from: usize) -> Option<usize> {
        let mut width = 0_usize;
        for op in self.ops.iter().skip(from) {
            match op {
                Op::Text(text) => width = width.saturating_add(columns(text)),
                Op::Break(index) => {
                    let this = self.breaks.get(*index)?;
                    if this.forced() {
                        return None;
                    }
                    width = width.saturating_add(this.flat().len());
                }
                _ => {}
            }
        }
        Some(width)
    }
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

struct Out {
    text: String,
    column: usize,
    indent: usize,
}

impl Out {
    fn text(&mut self, text: &str) {
        self.text.push_str(text);
        self.column = self.column.saturating_add(columns(text));
    }

    fn line_break(&mut self, this: &Break<'_>) {
        for remark in &this.comments {
            if remark.trailing {
                self.text.push(' ');
            } else {
                self.line(remark.blank, self.indent.saturating_add(this.nest));
            }
            self.text.push_str(remark.text);
        }
        self.line(this.blank, self.indent);
    }

    /// A new line; the first one needs none before it.
    fn line(&mut self, blank: bool, indent: usize) {
        if !self.text.is_empty() {
            self.text.push('\n');
            if blank {
                self.text.push('\n');
            }
        }
        self.text.extend(core::iter::repeat_n(' ', indent));
        self.column = indent;
    }
}
