//! Whether a string matches a glob: all ways at once, one byte after the other.
//!
//! Owns a matcher that is plain enough to be believed. It must share nothing with
//! the automata that lowering builds.

use crate::glob::{Glob, Piece};

/// Whether the pattern matches the whole text.
pub(super) fn matches(glob: &Glob, text: &[u8]) -> bool {
    // One step for each literal byte, class and star.
    let mut steps = Vec::new();
    for piece in glob.pieces.iter() {
        match piece {
            Piece::Literal(bytes) => steps.extend(bytes.iter().map(|&byte| Step::Byte(byte))),
            Piece::Class(set) => steps.push(Step::Class(*set)),
            Piece::Star => steps.push(Step::Star { deep: false }),
            Piece::DeepStar => steps.push(Step::Star { deep: true }),
        }
    }
    // `at[i]`: the text so far can be matched by the first i steps.
    let mut at = vec![false; steps.len().saturating_add(1)];
    if let Some(first) = at.first_mut() {
        *first = true;
    }
    skip_stars(&steps, &mut at);
    for &byte in text {
        let mut next = vec![false; at.len()];
        for (i, step) in steps.iter().enumerate() {
            if !at.get(i).copied().unwrap_or(false) {
                continue;
            }
            let (stays, moves) = match step {
                Step::Byte(wanted) => (false, *wanted == byte),
                Step::Class(set) => (false, set.contains(byte)),
                Step::Star { deep } => (*deep || byte != b'/', false),
            };
            if stays {
                mark(&mut next, i);
            }
            if moves {
                mark(&mut next, i.saturating_add(1));
            }
        }
        skip_stars(&steps, &mut next);
        at = next;
    }
    at.last().copied().unwrap_or(false)
}

enum Step {
    Byte(u8),
    Class(crate::glob::ByteSet),
    Star { deep: bool },
}

fn mark(at: &mut [bool], i: usize) {
    if let Some(slot) = at.get_mut(i) {
        *slot = true;
    }
}

/// A star also matches nothing.
fn skip_stars(steps: &[Step], at: &mut [bool]) {
    for (i, step) in steps.iter().enumerate() {
        if matches!(step, Step::Star { .. }) && at.get(i).copied().unwrap_or(false) {
            mark(at, i.saturating_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;
    use crate::glob::parse::{Dialect, parse};

    fn path(pattern: &str, text: &str) -> bool {
        parse(pattern.as_bytes(), Dialect::Path)
            .unwrap()
            .iter()
            .any(|glob| matches(glob, text.as_bytes()))
    }

    #[test]
    fn what_the_language_says() {
        assert!(path("/tmp/*", "/tmp/a"));
        assert!(path("/tmp/*", "/tmp/"));
        assert!(!path("/tmp/*", "/tmp/a/b"));
        assert!(!path("/tmp/*", "/tmp"));
        assert!(path("/tmp/**", "/tmp/a/b"));
        assert!(!path("/tmp/**", "/tmp"));
        assert!(!path("/**/x", "/x"));
        assert!(path("/**/x", "/a/x"));
        assert!(path("/{,**/}x", "/x"));
        assert!(path("/{,**/}x", "/a/b/x"));
        assert!(path("/a?c", "/abc"));
        assert!(!path("/a?c", "/a/c"));
        assert!(!path("/a[!b]c", "/a/c"));
        assert!(path("/a[!b]c", "/axc"));
        assert!(path(r"pipe:\[1]", "pipe:[1]"));
        assert!(!path("pipe:[12]", "pipe:[12]"));
        assert!(path("/*a*b", "/xaybab"));
        assert!(!path("/*a*b", "/xaybabc"));
    }

    #[test]
    fn names_cross_slashes() {
        let globs = parse(b"a*c", Dialect::Name).unwrap();
        assert!(matches(&globs[0], b"a/b/c"));
        let globs = parse(b"a?c", Dialect::Name).unwrap();
        assert!(!matches(&globs[0], b"a/c"));
        assert!(matches(&parse(b"", Dialect::Name).unwrap()[0], b""));
    }
}
