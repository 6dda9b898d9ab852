//! From a glob's bytes to its tree.
//!
//! Owns the syntax of globs (LANGUAGE §4), the expansion of braces, and the rules
//! that say which patterns could never match. Its errors carry offsets into the
//! pattern's bytes; who wrote the pattern, and where, it must not know.

use core::ops::Range;

use lsmpc_abi::PATH_MAX_BYTES;

use super::{ByteSet, Glob, Piece};

/// Most alternatives that the braces of one pattern may expand to.
pub const MAX_ALTERNATIVES: usize = 4096;
/// Most pieces and literal bytes, over all alternatives of one pattern.
pub const MAX_EXPANDED: usize = 1 << 20;
/// Most braces inside braces.
pub const MAX_BRACES: usize = 32;

/// What a pattern is matched against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// An absolute path, or the name of a pathless file (`memfd:x`).
    Path,
    /// The same, or an abstract socket's `@name`.
    UnixPath,
    /// Any string; `*` crosses `/` too.
    Name,
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GlobErrorKind {
    /// `[` without its `]`.
    UnclosedClass,
    /// `{` without its `}`.
    UnclosedBrace,
    /// `[]` or `[!]`.
    EmptyClass,
    /// `[z-a]`.
    ReversedRange,
    /// A class that could match nothing but `/`, which no class matches.
    OnlySlash,
    /// A `\` with nothing after it.
    FinalBackslash,
    /// A NUL byte.
    Nul,
    /// An alternative that begins with none of `/`, `**`, `memfd:` …
    BadStart,
    /// `//`.
    DoubleSlash,
    /// `/./` or a final `/.`.
    Dot,
    /// `/../` or a final `/..`.
    DotDot,
    /// A final `/`.
    TrailingSlash,
    /// Longer than any path.
    TooLong,
    /// Braces that expand to more than the compiler follows.
    TooCostly,
}

/// An error and the bytes of the pattern that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobError {
    /// The kind.
    pub kind: GlobErrorKind,
    /// Byte offsets into the pattern; possibly all of it.
    pub at: Range<usize>,
}

/// One alternative of a pattern, after its braces are expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    /// What it matches.
    pub glob: Glob,
    /// The first class in it that was written with brackets.
    pub class: Option<Range<usize>>,
}

/// Parses a pattern into its alternatives, which have all been found able to
/// match, in the order of the text and without duplicates.
///
/// # Errors
///
/// The first thing wrong with the pattern.
pub fn parse(pattern: &[u8], dialect: Dialect) -> Result<Vec<Glob>, GlobError> {
    Ok(parse_alternatives(pattern, dialect)?
        .into_iter()
        .map(|alternative| alternative.glob)
        .collect())
}

/// As [`parse`], and says where classes were written.
///
/// # Errors
///
/// The first thing wrong with the pattern.
pub fn parse_alternatives(pattern: &[u8], dialect: Dialect) -> Result<Vec<Alternative>, GlobError> {
    let mut parser = Parser {
        pattern,
        at: 0,
        dialect,
        expanded: 0,
    };
    let mut found: Vec<Alternative> = Vec::new();
    let mut seen = rustc_hash::FxHashSet::default();
    let raw = parser.top()?;
    let alternatives = raw.len();
    for raw in raw {
        let alternative = raw.finish();
        if dialect != Dialect::Name {
            check_path(&alternative.glob, pattern, dialect)?;
        }
        // Most patterns have no braces.
        if alternatives == 1 || seen.insert(alternative.glob.clone()) {
            found.push(alternative);
        }
    }
    Ok(found)
}

/// The names of pathless files that a path pattern may begin with.
pub const PATHLESS: &[&str] = &["memfd:", "pipe:", "socket:", "anon_inode:"];

/// Whether the pattern can only match a pathless file's name.
#[must_use]
pub fn is_pathless(glob: &Glob) -> bool {
    match glob.pieces.first() {
        Some(Piece::Literal(bytes)) => PATHLESS
            .iter()
            .any(|name| bytes.starts_with(name.as_bytes())),
        _ => false,
    }
}

/// The length of the shortest string that the pattern matches.
#[must_use]
pub fn shortest(glob: &Glob) -> usize {
    glob.pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(bytes) => bytes.len(),
            Piece::Class(_) => 1,
            Piece::Star | Piece::DeepStar => 0,
        })
        .sum()
}

fn check_path(glob: &Glob, pattern: &[u8], dialect: Dialect) -> Result<(), GlobError> {
    let whole = |kind| GlobError {
        kind,
        at: 0..pattern.len(),
    };
    // Where the offending text stands in the pattern, when it stands there as
    // such (and not, say, half inside braces).
    let part = |kind, text: &[u8]| GlobError {
        kind,
        at: find(pattern, text).unwrap_or(0..pattern.len()),
    };
    let starts = match glob.pieces.first() {
        Some(Piece::DeepStar) => true,
        Some(Piece::Literal(bytes)) => {
            if is_pathless(glob) || dialect == Dialect::UnixPath && bytes.starts_with(b"@") {
                return if shortest(glob) > PATH_MAX_BYTES {
                    Err(whole(GlobErrorKind::TooLong))
                } else {
                    Ok(())
                };
            }
            bytes.starts_with(b"/")
        }
        _ => false,
    };
    if !starts {
        return Err(whole(GlobErrorKind::BadStart));
    }
    if shortest(glob) > PATH_MAX_BYTES {
        return Err(whole(GlobErrorKind::TooLong));
    }
    for piece in glob.pieces.iter() {
        let Piece::Literal(bytes) = piece else {
            continue;
        };
        for (text, kind) in [
            (&b"//"[..], GlobErrorKind::DoubleSlash),
            (b"/./", GlobErrorKind::Dot),
            (b"/../", GlobErrorKind::DotDot),
        ] {
            if find(bytes, text).is_some() {
                return Err(part(kind, text));
            }
        }
    }
    if let Some(Piece::Literal(bytes)) = glob.pieces.last() {
        let alone = glob.pieces.len() == 1;
        for (text, kind) in [
            (&b"/."[..], GlobErrorKind::Dot),
            (b"/..", GlobErrorKind::DotDot),
            (b"/", GlobErrorKind::TrailingSlash),
        ] {
            if bytes.ends_with(text) && !(alone && bytes == b"/") {
                let at = if pattern.ends_with(text) {
                    pattern.len().saturating_sub(text.len())..pattern.len()
                } else {
                    0..pattern.len()
                };
                return Err(GlobError { kind, at });
            }
        }
    }
    Ok(())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<Range<usize>> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
        .map(|start| start..start.saturating_add(needle.len()))
}

/// An alternative while it is put together.
#[derive(Clone, Default)]
struct Raw {
    pieces: Vec<Piece>,
    class: Option<Range<usize>>,
    cost: usize,
}

impl Raw {
    fn push(&mut self, piece: &Piece) {
        if let Piece::Literal(bytes) = piece {
            return self.literal(bytes);
        }
        self.cost = self.cost.saturating_add(1);
        match (self.pieces.last_mut(), piece) {
            (Some(Piece::DeepStar), Piece::Star | Piece::DeepStar)
            | (Some(Piece::Star), Piece::Star) => {}
            (Some(last @ Piece::Star), Piece::DeepStar) => *last = Piece::DeepStar,
            _ => self.pieces.push(piece.clone()),
        }
    }

    fn literal(&mut self, bytes: &[u8]) {
        self.cost = self.cost.saturating_add(bytes.len());
        match self.pieces.last_mut() {
            Some(Piece::Literal(text)) => text.extend_from_slice(bytes),
            _ => self.pieces.push(Piece::Literal(bytes.to_vec())),
        }
    }

    fn append(&mut self, other: &Self) {
        for piece in &other.pieces {
            self.push(piece);
        }
        if self.class.is_none() {
            self.class.clone_from(&other.class);
        }
    }

    fn finish(self) -> Alternative {
        Alternative {
            glob: Glob {
                pieces: self.pieces.into(),
            },
            class: self.class,
        }
    }
}

/// A brace that is still open.
struct Brace {
    /// Offset of the `{`.
    start: usize,
    /// What stood before it.
    before: Vec<Raw>,
    /// The finished alternatives inside it.
    done: Vec<Raw>,
}

struct Parser<'p> {
    pattern: &'p [u8],
    at: usize,
    dialect: Dialect,
    expanded: usize,
}

impl Parser<'_> {
    fn error<T>(&self, kind: GlobErrorKind, at: Range<usize>) -> Result<T, GlobError> {
        Err(GlobError { kind, at })
    }

    fn peek(&self) -> Option<u8> {
        self.pattern.get(self.at).copied()
    }

    fn top(&mut self) -> Result<Vec<Raw>, GlobError> {
        let mut open: Vec<Brace> = Vec::new();
        let mut current = vec![Raw::default()];
        while let Some(byte) = self.peek() {
            let start = self.at;
            self.at = start.saturating_add(1);
            match byte {
                0 => return self.error(GlobErrorKind::Nul, start..self.at),
                b'{' => {
                    if open.len() >= MAX_BRACES {
                        return self.error(GlobErrorKind::TooCostly, start..self.at);
                    }
                    open.push(Brace {
                        start,
                        before: core::mem::replace(&mut current, vec![Raw::default()]),
                        done: Vec::new(),
                    });
                }
                b',' if !open.is_empty() => {
                    if let Some(brace) = open.last_mut() {
                        brace.done.append(&mut current);
                        current = vec![Raw::default()];
                        if brace.done.len() > MAX_ALTERNATIVES {
                            let at = brace.start..self.pattern.len();
                            return self.error(GlobErrorKind::TooCostly, at);
                        }
                    }
                }
                b'}' => match open.pop() {
                    Some(mut brace) => {
                        brace.done.append(&mut current);
                        current = self.product(&brace)?;
                    }
                    None => self.literal(&mut current, &[byte]),
                },
                b'*' => {
                    let deep = self.peek() == Some(b'*');
                    if deep {
                        self.at = self.at.saturating_add(1);
                    }
                    let piece = if deep || self.dialect == Dialect::Name {
                        Piece::DeepStar
                    } else {
                        Piece::Star
                    };
                    self.push(&mut current, &piece);
                }
                b'?' => {
                    let mut set = ByteSet([u64::MAX; 4]);
                    remove(&mut set, b'/');
                    self.push(&mut current, &Piece::Class(set));
                }
                b'[' => {
                    let set = self.class(start)?;
                    let at = start..self.at;
                    for raw in &mut current {
                        raw.class.get_or_insert_with(|| at.clone());
                    }
                    match only(&set) {
                        Some(byte) => self.literal(&mut current, &[byte]),
                        None => self.push(&mut current, &Piece::Class(set)),
                    }
                }
                b'\\' => {
                    let Some(quoted) = self.peek() else {
                        return self.error(GlobErrorKind::FinalBackslash, start..self.at);
                    };
                    if quoted == 0 {
                        let at = self.at..self.at.saturating_add(1);
                        return self.error(GlobErrorKind::Nul, at);
                    }
                    self.at = self.at.saturating_add(1);
                    self.literal(&mut current, &[quoted]);
                }
                _ => {
                    // At once as far as nothing means more than itself.
                    let rest = self.pattern.get(start..).unwrap_or_default();
                    let special = |byte: &u8| b"\0{,}*?[\\".contains(byte);
                    let more = rest.iter().skip(1).position(special);
                    let length = more.map_or(rest.len(), |more| more.saturating_add(1));
                    self.at = start.saturating_add(length);
                    self.literal(&mut current, rest.get(..length).unwrap_or_default());
                }
            }
            if self.expanded > MAX_EXPANDED {
                return self.error(GlobErrorKind::TooCostly, 0..self.pattern.len());
            }
        }
        match open.last() {
            Some(brace) => self.error(
                GlobErrorKind::UnclosedBrace,
                brace.start..brace.start.saturating_add(1),
            ),
            None => Ok(current),
        }
    }

    fn push(&mut self, current: &mut [Raw], piece: &Piece) {
        self.expanded = self.expanded.saturating_add(current.len());
        for raw in current {
            raw.push(piece);
        }
    }

    fn literal(&mut self, current: &mut [Raw], bytes: &[u8]) {
        let added = current.len().saturating_mul(bytes.len());
        self.expanded = self.expanded.saturating_add(added);
        // Too much is an error, and not worth the memory.
        if self.expanded <= MAX_EXPANDED {
            for raw in current {
                raw.literal(bytes);
            }
        }
    }

    /// Every way of continuing what stood before a brace with one of its
    /// alternatives.
    fn product(&mut self, brace: &Brace) -> Result<Vec<Raw>, GlobError> {
        let count = brace.before.len().saturating_mul(brace.done.len());
        let at = brace.start..self.at;
        if count > MAX_ALTERNATIVES {
            return self.error(GlobErrorKind::TooCostly, at);
        }
        let mut all = Vec::with_capacity(count);
        for before in &brace.before {
            for inside in &brace.done {
                let mut raw = before.clone();
                raw.append(inside);
                self.expanded = self.expanded.saturating_add(raw.cost);
                if self.expanded > MAX_EXPANDED {
                    return self.error(GlobErrorKind::TooCostly, at);
                }
                all.push(raw);
            }
        }
        Ok(all)
    }

    /// The class whose `[` stood at `start`; leaves `at` behind its `]`.
    fn class(&mut self, start: usize) -> Result<ByteSet, GlobError> {
        let opening = start..start.saturating_add(1);
        let mut set = ByteSet::default();
        let negated = self.peek() == Some(b'!');
        if negated {
            self.at = self.at.saturating_add(1);
        }
        let first = self.at;
        loop {
            let low_at = self.at;
            if self.peek() == Some(b']') {
                self.at = self.at.saturating_add(1);
                if low_at == first {
                    return self.error(GlobErrorKind::EmptyClass, start..self.at);
                }
                break;
            }
            let low = self.member(&opening)?;
            let dash = self.pattern.get(self.at..self.at.saturating_add(2));
            let high = match dash {
                Some([b'-', next]) if *next != b']' => {
                    self.at = self.at.saturating_add(1);
                    self.member(&opening)?
                }
                _ => low,
            };
            if low > high {
                return self.error(GlobErrorKind::ReversedRange, low_at..self.at);
            }
            for byte in low..=high {
                set.insert(byte);
            }
        }
        if negated {
            set = ByteSet(set.0.map(|word| !word));
        }
        remove(&mut set, b'/');
        if set == ByteSet::default() {
            return self.error(GlobErrorKind::OnlySlash, start..self.at);
        }
        Ok(set)
    }

    /// One byte of a class, a quoting `\` taken off.
    fn member(&mut self, opening: &Range<usize>) -> Result<u8, GlobError> {
        let mut byte = self.peek();
        if byte == Some(b'\\') {
            self.at = self.at.saturating_add(1);
            byte = self.peek();
        }
        let at = self.at..self.at.saturating_add(1);
        self.at = at.end;
        match byte {
            None => self.error(GlobErrorKind::UnclosedClass, opening.clone()),
            Some(0) => self.error(GlobErrorKind::Nul, at),
            Some(byte) => Ok(byte),
        }
    }
}

fn remove(set: &mut ByteSet, byte: u8) {
    if let Some(word) = set.0.get_mut(usize::from(byte >> 6)) {
        *word &= !(1 << (byte & 63));
    }
}

/// The only byte of the set, if it has one.
fn only(set: &ByteSet) -> Option<u8> {
    let count: u32 = set.0.iter().map(|word| word.count_ones()).sum();
    if count != 1 {
        return None;
    }
    (0..=u8::MAX).find(|&byte| set.contains(byte))
}

#[cfg(test)]
mod tests;
