//! Cuts a file into statements and parses each on its own.
//!
//! Owns recovery: every statement begins with a keyword or an annotation, so
//! an error in one ends where the next begins, and is reported once. It must
//! not know how a statement is built inside (the grammar does) nor how an
//! error is worded (`explain` does).

mod boundary;
mod misplaced;
mod segment;

use self::boundary::{Cut, braces};
use crate::ast::{File, Scope, Statement, StatementKind, Test, TestStep};
use crate::build::{ScopeHead, Segment};
use crate::error::Errors;
use crate::explain::{self, Site};
use crate::policy::SegmentParser;
use crate::span::{FileId, Span, Spanned};
use crate::token::{Keyword, Lexeme, Token};

/// Parentheses, brackets and `not` may nest so deep; every later stage may
/// recurse over conditions because of it.
pub const MAX_NESTING: usize = 256;

/// Parses all of `tokens`.
pub(crate) fn parse<'t>(
    file: FileId,
    text: &'t str,
    tokens: &[Lexeme<'t>],
    errors: &mut Errors,
) -> File {
    let (pairs, unclosed) = braces(tokens);
    let mut outline = Outline {
        file,
        text,
        tokens,
        errors,
        parser: SegmentParser::new(),
        pairs,
        unclosed,
        pos: 0,
        boundary: 0,
    };
    let mut statements = Vec::new();
    outline.block(&Place::Top, &mut Body::Statements(&mut statements));
    File { statements }
}

/// What surrounds the statements at hand.
enum Place {
    Top,
    /// In a scope or a test; the index of its `{`.
    Scope(usize),
    Test(usize),
}

/// Where parsed things go.
enum Body<'a> {
    Statements(&'a mut Vec<Statement>),
    Steps(&'a mut Vec<TestStep>),
}

struct Outline<'t, 'a> {
    file: FileId,
    text: &'t str,
    tokens: &'a [Lexeme<'t>],
    errors: &'a mut Errors,
    parser: SegmentParser,
    pairs: Vec<(usize, usize)>,
    unclosed: Vec<usize>,
    /// The next token.
    pos: usize,
    /// The last boundary looked up, so that each token is looked at once.
    boundary: usize,
}

impl<'t, 'a> Outline<'t, 'a> {
    fn token(&self, at: usize) -> Option<&'a Token<'t>> {
        self.tokens.get(at).map(|lexeme| &lexeme.token)
    }

    fn keyword(&self, at: usize) -> Option<Keyword> {
        self.token(at).and_then(Token::keyword)
    }

    fn span(&self, at: usize) -> Span {
        self.tokens
            .get(at)
            .map_or_else(|| self.end_of_text(), |lexeme| lexeme.span)
    }

    fn end_of_text(&self) -> Span {
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        Span::new(self.file, end, end)
    }

    /// Parses statements up to the end of the place.
    fn block(&mut self, place: &Place, body: &mut Body<'_>) {
        // Closing braces to pass over: their opening ones were reported.
        let mut pending = 0_usize;
        // Lines of a test whose head was reported.
        let mut lost_test = false;
        while let Some(token) = self.token(self.pos) {
            if self.errors.full() {
                return;
            }
            if *token == Token::RBrace {
                if pending > 0 {
                    pending -= 1;
                } else if matches!(place, Place::Top) {
                    self.stray_brace();
                } else {
                    return;
                }
                self.pos += 1;
                continue;
            }
            let start = self.pos;
            let head = self.annotations(start);
            let keyword = self.keyword(head);
            let in_test = matches!(place, Place::Test(_));
            let is_step = matches!(keyword, Some(Keyword::Given | Keyword::Expect));
            if !is_step {
                lost_test = false;
            }
            let allowed = match place {
                Place::Top => !is_step,
                Place::Scope(_) => keyword.is_some_and(|k| {
                    k.is_effect() || matches!(k, Keyword::Let | Keyword::Default | Keyword::OnError)
                }),
                Place::Test(_) => is_step,
            };
            let begins = keyword.is_some_and(Keyword::begins_statement);
            if !begins {
                pending += self.no_statement(start, in_test);
                continue;
            }
            if !allowed {
                if let Place::Scope(open) | Place::Test(open) = *place
                    && !is_step
                    && self.is_unclosed(open)
                {
                    return;
                }
                if !(lost_test && is_step) {
                    self.misplaced(head, place);
                }
                lost_test |= is_step;
                let cut = self.cut(head);
                self.pos = cut.end;
                pending += cut.braces;
                if cut.body {
                    let open = cut.end - 1;
                    match self.closing(open) {
                        Some(close) => self.pos = close + 1,
                        None => self.pos = cut.end,
                    }
                }
                continue;
            }
            let (cut, missing_body) = self.statement(start, head, body);
            pending += cut.braces;
            if missing_body {
                pending += 1;
                lost_test = keyword == Some(Keyword::Test);
            }
        }
    }

    /// Something that begins no statement: reported once, up to the next one.
    /// Gives the closing braces to pass over.
    fn no_statement(&mut self, start: usize, in_test: bool) -> usize {
        let annotated = self.token(start) == Some(&Token::At);
        let limit = self.next_boundary(start + usize::from(annotated));
        let limit = limit.max(start + 1);
        let mut end = start;
        let mut pending = 0;
        while end < limit {
            match self.token(end) {
                Some(Token::RBrace) => break,
                Some(Token::LBrace) => match self.closing(end) {
                    Some(close) if close < limit => end = close,
                    // A mistyped `test`: its lines mean nothing outside.
                    Some(close)
                        if matches!(
                            self.keyword(limit),
                            Some(Keyword::Given | Keyword::Expect)
                        ) && !in_test =>
                    {
                        end = close;
                    }
                    Some(_) => pending += 1,
                    None => {}
                },
                _ => {}
            }
            end += 1;
        }
        self.pos = end.max(start + 1);
        if !self.tainted(start, self.pos) {
            let site = self.site(start, end);
            let error = if annotated {
                explain::lone_annotation(&site)
            } else {
                explain::no_statement(&site, in_test)
            };
            self.errors.push(error);
        }
        pending
    }

    /// Whether a lexical error already speaks for `start..end`.
    fn tainted(&self, start: usize, end: usize) -> bool {
        self.errors
            .lexical_in(self.span(start).start, self.span(end).start)
    }

    fn site(&self, start: usize, end: usize) -> Site<'t, 'a> {
        Site {
            text: self.text,
            tokens: self.tokens.get(start..end).unwrap_or(&[]),
            next: self.tokens.get(end),
            end_of_text: self.end_of_text(),
        }
    }

    /// One statement, with its body. Gives its cut, and whether a body is
    /// missing.
    fn statement(&mut self, start: usize, head: usize, body: &mut Body<'_>) -> (Cut, bool) {
        let keyword = self.keyword(head);
        let mut from = start;
        if head > start && !keyword.is_some_and(Keyword::is_effect) {
            self.misplaced_annotation(start, head);
            from = head;
        }
        let mut cut = self.cut(head);
        let parsed = self.segment(from, &mut cut);
        self.pos = cut.end;
        let has_body = matches!(keyword, Some(Keyword::Scope | Keyword::Test));
        if !has_body {
            match (parsed, body) {
                (Some(Segment::Statement(statement)), Body::Statements(list)) => {
                    list.push(Spanned::new(*statement.node, statement.span));
                }
                (Some(Segment::Step(step)), Body::Steps(list)) => list.push(*step),
                _ => {}
            }
            return (cut, false);
        }
        if !cut.body {
            return (cut, true);
        }
        let open = cut.end - 1;
        let (mut statements, mut steps) = (Vec::new(), Vec::new());
        if keyword == Some(Keyword::Scope) {
            self.block(&Place::Scope(open), &mut Body::Statements(&mut statements));
        } else {
            self.block(&Place::Test(open), &mut Body::Steps(&mut steps));
        }
        if self.token(self.pos) == Some(&Token::RBrace) {
            self.pos += 1;
        } else if !self.errors.full() {
            self.unclosed_body(open, keyword == Some(Keyword::Scope));
        }
        let last = self.pos.saturating_sub(1).max(open);
        let span = self.span(head).to(self.span(last));
        let node = match parsed {
            Some(Segment::Scope(head)) => {
                let ScopeHead {
                    name,
                    when,
                    inherit,
                } = *head;
                StatementKind::Scope(Scope {
                    name,
                    when,
                    inherit,
                    statements,
                })
            }
            Some(Segment::Test(name)) => StatementKind::Test(Test { name, steps }),
            _ => return (cut, false),
        };
        if let Body::Statements(list) = body {
            list.push(Spanned::new(node, span));
        }
        (cut, false)
    }
}
