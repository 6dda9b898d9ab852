//! Cuts a file into statements and parses each on its own.
//!
//! Owns recovery: every statement begins with a keyword or an annotation, so
//! an error in one ends where the next begins, and is reported once. It must
//! not know how a statement is built inside (the grammar does) nor how an
//! error is worded (`explain` does).

use lalrpop_util::ParseError;

use crate::ast::{File, Scope, Statement, StatementKind, Test, TestStep};
use crate::build::{ScopeHead, Segment};
use crate::error::{Errors, SyntaxCode, SyntaxError};
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

/// The braces of a file: `(opening, closing)` in order of the opening ones,
/// and the opening ones that nothing closes.
fn braces(tokens: &[Lexeme<'_>]) -> (Vec<(usize, usize)>, Vec<usize>) {
    let mut open = Vec::new();
    let mut pairs = Vec::new();
    for (at, lexeme) in tokens.iter().enumerate() {
        match lexeme.token {
            Token::LBrace => open.push(at),
            Token::RBrace => {
                if let Some(opening) = open.pop() {
                    pairs.push((opening, at));
                }
            }
            _ => {}
        }
    }
    pairs.sort_unstable();
    (pairs, open)
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

/// A stretch of tokens that is parsed as a whole.
struct Cut {
    /// One past its last token.
    end: usize,
    /// `{` in it that something later closes.
    braces: usize,
    /// Whether it ends with the `{` of a body.
    body: bool,
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

    fn closing(&self, opening: usize) -> Option<usize> {
        let at = self
            .pairs
            .binary_search_by_key(&opening, |&(open, _)| open)
            .ok()?;
        self.pairs.get(at).map(|&(_, close)| close)
    }

    fn is_unclosed(&self, opening: usize) -> bool {
        self.unclosed.binary_search(&opening).is_ok()
    }

    /// Whether a statement, or a line of a test, begins at `at`.
    fn is_boundary(&self, at: usize) -> bool {
        let Some(lexeme) = self.tokens.get(at) else {
            return false;
        };
        let keyword = match lexeme.token {
            Token::At => return true,
            Token::Kw(keyword) if keyword.begins_statement() => keyword,
            _ => return false,
        };
        let Some(previous) = at.checked_sub(1).and_then(|p| self.token(p)) else {
            return true;
        };
        if keyword.is_effect()
            && let Token::Kw(
                Keyword::Default | Keyword::OnError | Keyword::Assert | Keyword::Expect,
            ) = previous
        {
            return false;
        }
        // `given a = 1, expect …`: a comma too much.
        if matches!(keyword, Keyword::Given | Keyword::Expect)
            && matches!(
                previous,
                Token::Comma | Token::Kw(Keyword::Given | Keyword::Expect)
            )
        {
            return true;
        }
        // `let test = …`: a keyword where a name should be.
        lexeme.first_on_line || !previous.wants_operand()
    }

    /// The first boundary at or after `from`, else the end of the tokens.
    fn next_boundary(&mut self, from: usize) -> usize {
        if self.boundary < from {
            self.boundary = from;
        }
        while self.boundary < self.tokens.len() && !self.is_boundary(self.boundary) {
            self.boundary += 1;
        }
        self.boundary
    }

    /// Cuts from the statement's keyword at `head` to where it ends.
    fn cut(&mut self, head: usize) -> Cut {
        let has_body = matches!(self.keyword(head), Some(Keyword::Scope | Keyword::Test));
        let limit = self.next_boundary(head + 1);
        let mut braces = 0;
        let mut at = head + 1;
        while at < limit {
            match self.token(at) {
                Some(Token::RBrace) => break,
                Some(Token::LBrace) => {
                    let for_set = at
                        .checked_sub(1)
                        .and_then(|p| self.token(p))
                        .is_some_and(|p| {
                            p.is_compare()
                                || matches!(
                                    p,
                                    Token::Eq
                                        | Token::Comma
                                        | Token::LBracket
                                        | Token::Kw(Keyword::In | Keyword::Has | Keyword::Any)
                                )
                        });
                    if has_body && !for_set {
                        return Cut {
                            end: at + 1,
                            braces,
                            body: true,
                        };
                    }
                    match self.closing(at) {
                        Some(close) if close < limit => at = close,
                        Some(_) => braces += 1,
                        None => {}
                    }
                }
                _ => {}
            }
            at += 1;
        }
        Cut {
            end: at.min(limit),
            braces,
            body: false,
        }
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

    /// The index of the keyword that the annotations at `start` precede; of
    /// whatever follows them if there is none.
    fn annotations(&mut self, start: usize) -> usize {
        let mut at = start;
        while self.token(at) == Some(&Token::At) {
            let limit = self.next_boundary(at + 1);
            let mut next = at + 1;
            while next < limit && !matches!(self.token(next), Some(Token::RBrace | Token::LBrace)) {
                next += 1;
            }
            at = next;
            if next < limit {
                break;
            }
        }
        at
    }

    fn stray_brace(&mut self) {
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

    /// A statement where it may not stand.
    fn misplaced(&mut self, head: usize, place: &Place) {
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
                (Some(Segment::Statement(s)), Body::Statements(list)) => list.push(s),
                (Some(Segment::Step(s)), Body::Steps(list)) => list.push(s),
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
            Some(Segment::Scope(ScopeHead {
                name,
                when,
                inherit,
            })) => StatementKind::Scope(Scope {
                name,
                when,
                inherit,
                statements,
            }),
            Some(Segment::Test(name)) => StatementKind::Test(Test { name, steps }),
            _ => return (cut, false),
        };
        if let Body::Statements(list) = body {
            list.push(Spanned::new(node, span));
        }
        (cut, false)
    }

    fn unclosed_body(&mut self, open: usize, scope: bool) {
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

    fn misplaced_annotation(&mut self, start: usize, head: usize) {
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

    /// Parses the segment from `start` to the end of `cut`; shortens the cut
    /// if another statement, mistyped, begins in it.
    fn segment(&mut self, start: usize, cut: &mut Cut) -> Option<Segment> {
        let tokens = self.tokens.get(start..cut.end).unwrap_or(&[]);
        if let Some(at) = too_deep(tokens) {
            let span = tokens.get(at).map_or_else(|| self.span(start), |t| t.span);
            self.errors.push(
                SyntaxError::new(
                    SyntaxCode::NestingTooDeep,
                    span,
                    format!("nested more than {MAX_NESTING} deep"),
                    "one too many",
                )
                .help("split the condition with `let`s"),
            );
            return self.salvage(tokens, at);
        }
        let error = match run(&self.parser, self.file, tokens.iter()) {
            Ok(segment) => return Some(segment),
            Err(error) => error,
        };
        let (at, expected) = match error {
            ParseError::User { error } => {
                let at = tokens
                    .iter()
                    .position(|t| t.span.start >= error.span.start)
                    .unwrap_or(tokens.len());
                if !self.tainted(start, cut.end) {
                    self.errors.push(*error);
                }
                return self.salvage(tokens, at);
            }
            ParseError::UnrecognizedToken { token, expected } => {
                (tokens.partition_point(|t| t.span.start < token.0), expected)
            }
            ParseError::ExtraToken { token } => (
                tokens.partition_point(|t| t.span.start < token.0),
                Vec::new(),
            ),
            ParseError::UnrecognizedEof { expected, .. } => (tokens.len(), expected),
            ParseError::InvalidToken { .. } => (tokens.len(), Vec::new()),
        };
        // A mistyped keyword at the start of a line begins a statement of its
        // own, if the one before is complete without it.
        if let Some(found) = tokens.get(at)
            && found.first_on_line
            && explain::meant_statement(&found.token).is_some()
            && let Some(before) = tokens.get(..at)
            && let Ok(segment) = run(&self.parser, self.file, before.iter())
        {
            *cut = Cut {
                end: start + at,
                braces: 0,
                body: false,
            };
            return Some(segment);
        }
        if !self.tainted(start, cut.end) {
            let error = explain::explain(&self.site(start, cut.end), at, &expected);
            self.errors.push(error);
        }
        self.salvage(tokens, at)
    }

    /// The segment again with the condition around the error replaced by a
    /// stand-in, so that names, hooks and bodies are known all the same.
    fn salvage(&self, tokens: &[Lexeme<'t>], at: usize) -> Option<Segment> {
        let before = tokens.get(..at.min(tokens.len()))?;
        let clause = before.iter().rposition(|t| {
            matches!(
                t.token,
                Token::Kw(Keyword::When | Keyword::Unless | Keyword::Until)
            )
        });
        let clause = match (clause, tokens.first().map(|t| &t.token)) {
            (None, Some(Token::Kw(Keyword::Let))) => {
                before.iter().position(|t| t.token == Token::Eq)?
            }
            (clause, _) => clause?,
        };
        let kept = tokens.get(..=clause)?;
        let rest = tokens.get(clause + 1..)?;
        let span = match (rest.first(), rest.last(), kept.last()) {
            (Some(first), Some(last), _) => first.span.to(last.span),
            (_, _, Some(last)) => Span::new(self.file, last.span.end, last.span.end),
            _ => return None,
        };
        // What follows the condition: `unless`, `inherit`, a body's `{`.
        let resume = rest.iter().enumerate().skip(at.saturating_sub(clause + 1));
        let mut tails: Vec<usize> = Vec::new();
        if let Some((index, _)) = resume
            .clone()
            .find(|(_, t)| matches!(t.token, Token::Kw(Keyword::Unless | Keyword::Inherit)))
        {
            tails.push(index);
        }
        if rest.last().is_some_and(|t| t.token == Token::LBrace) {
            tails.push(rest.len() - 1);
        }
        tails.push(rest.len());
        for tail in tails {
            let after = rest.get(tail..).unwrap_or(&[]);
            let end = after.first().map_or(span.end, |t| t.span.start);
            let broken = Lexeme {
                token: Token::Broken,
                span: Span::new(self.file, span.start.min(end), span.end.min(end)),
                first_on_line: false,
            };
            let attempt = kept
                .iter()
                .chain(core::iter::once(&broken))
                .chain(after.iter());
            if let Ok(segment) = run(&self.parser, self.file, attempt) {
                return Some(segment);
            }
        }
        None
    }
}

type Failure<'t> = ParseError<u32, Token<'t>, Box<SyntaxError>>;

fn run<'t: 'a, 'a>(
    parser: &SegmentParser,
    file: FileId,
    tokens: impl Iterator<Item = &'a Lexeme<'t>>,
) -> Result<Segment, Failure<'t>> {
    parser.parse(
        file,
        tokens.map(|t| Ok((t.span.start, t.token.clone(), t.span.end))),
    )
}

/// The first token that nests too deep.
fn too_deep(tokens: &[Lexeme<'_>]) -> Option<usize> {
    // `not`s since the last `and`, `or` or `,`, for every open level.
    let mut outer: Vec<usize> = Vec::new();
    let mut nots = 0_usize;
    let mut depth = 0_usize;
    for (at, lexeme) in tokens.iter().enumerate() {
        match lexeme.token {
            Token::LParen | Token::LBracket => {
                outer.push(nots);
                nots = 0;
                depth += 1;
            }
            Token::RParen | Token::RBracket => {
                if let Some(before) = outer.pop() {
                    depth -= nots + 1;
                    nots = before;
                }
            }
            Token::Kw(Keyword::Not) => {
                nots += 1;
                depth += 1;
            }
            Token::Kw(Keyword::And | Keyword::Or) | Token::Comma => {
                depth -= nots;
                nots = 0;
            }
            _ => {}
        }
        if depth > MAX_NESTING {
            return Some(at);
        }
    }
    None
}
