//! Strings that lead an automaton to where one wants it.
//!
//! Owns the search for the shortest string of each accepted set: of a name, or of
//! one component of a path, in a form that the kernel can produce. It must not
//! know what accepted sets stand for.

use std::sync::LazyLock;

use rustc_hash::FxHashSet;

use crate::automaton::bytes::Dfa;

/// Places looked at for one search.
const MAX_PLACES: usize = 1 << 18;

/// A search went too far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooFar;

/// What a string must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    /// A directory's entry: not empty, neither `.` nor `..`, without `/`.
    Component,
    /// Any bytes, perhaps none.
    Name,
    /// Any bytes, at least one.
    SomeName,
    /// These bytes, then any without `/`.
    Prefix(&'static [u8]),
    /// These bytes, digits, and `]`.
    Numbered(&'static [u8]),
}

/// Letters first, so that what is shown is read easily.
const FIRST: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_-.";

/// Every byte but NUL, in the order in which they are tried.
static ORDER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let rest = (b'!'..=b'~')
        .chain([b' '])
        .chain(1..b' ')
        .chain(0x7f..=0xff)
        .filter(|byte| !FIRST.contains(byte));
    FIRST.iter().copied().chain(rest).collect()
});

impl Shape {
    /// The state after a byte; `None` if no such string goes on with it.
    fn step(self, state: usize, byte: u8) -> Option<usize> {
        const OTHER: usize = 3;
        match self {
            Self::Name | Self::SomeName => Some(1),
            Self::Component => match (byte, state) {
                (b'/', _) => None,
                (b'.', 0..=1) => Some(state + 1),
                _ => Some(OTHER),
            },
            Self::Prefix(prefix) => match prefix.get(state) {
                Some(wanted) => (*wanted == byte).then_some(state + 1),
                None => (byte != b'/').then_some(state),
            },
            Self::Numbered(prefix) => match prefix.get(state) {
                Some(wanted) => (*wanted == byte).then_some(state + 1),
                // One digit, several, then the bracket.
                None => match (state - prefix.len(), byte) {
                    (0 | 1, b'0'..=b'9') => Some(prefix.len() + 1),
                    (1, b']') => Some(prefix.len() + 2),
                    _ => None,
                },
            },
        }
    }

    fn accepts(self, state: usize) -> bool {
        match self {
            Self::Name => true,
            Self::SomeName => state == 1,
            Self::Component => state == 3,
            Self::Prefix(prefix) => state == prefix.len(),
            Self::Numbered(prefix) => state == prefix.len() + 2,
        }
    }

    /// Whether a whole string has the shape.
    pub(crate) fn fits(self, text: &[u8]) -> bool {
        let end = text.iter().try_fold(0, |state, byte| match byte {
            0 => None,
            byte => self.step(state, *byte),
        });
        end.is_some_and(|state| self.accepts(state))
    }
}

/// Where a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    dfa: u16,
    shape: usize,
    /// The range of excluded strings that begin with what was read.
    excluded: (usize, usize),
}

/// A string that a search has come to: the one before and one more byte.
struct Step {
    place: Place,
    length: usize,
    before: usize,
    byte: u8,
}

struct Search<'a> {
    dfa: Option<&'a Dfa>,
    shape: Shape,
    excluded: &'a [&'a [u8]],
    steps: Vec<Step>,
    seen: FxHashSet<Place>,
    /// The step of each set.
    found: Vec<Option<usize>>,
    missing: usize,
}

/// For each set that the automaton accepts (0 without one) the shortest string of
/// the shape, at most `longest` bytes, that is none of `excluded` (sorted). By set.
pub(crate) fn shortest(
    dfa: Option<&Dfa>,
    shape: Shape,
    excluded: &[&[u8]],
    longest: usize,
) -> Result<Vec<(u32, Vec<u8>)>, TooFar> {
    let sets = dfa.map_or(1, |dfa| dfa.sets.len());
    let mut search = Search {
        dfa,
        shape,
        excluded,
        steps: Vec::new(),
        seen: FxHashSet::default(),
        found: vec![None; sets],
        missing: sets,
    };
    let start = Place {
        dfa: dfa.map_or(0, |dfa| dfa.start),
        shape: 0,
        excluded: (0, excluded.len()),
    };
    search.visit(start, 0, 0, 0)?;
    search.go(longest)?;
    let found = (0..).zip(&search.found);
    Ok(found
        .filter_map(|(set, step)| Some((set, search.text((*step)?))))
        .collect())
}

impl Search<'_> {
    /// From the shortest strings to longer ones.
    fn go(&mut self, longest: usize) -> Result<(), TooFar> {
        let mut next = 0;
        let mut alike: Option<Vec<u8>> = None;
        while let Some(step) = self.steps.get(next).filter(|_| self.missing > 0) {
            let (place, length) = (step.place, step.length);
            let set = self.dfa.map_or(0, |dfa| dfa.accept(place.dfa));
            let dead = self.dfa.is_none() || place.dfa == 0;
            let is_found = self.found.get(set as usize).is_some_and(Option::is_some);
            if length < longest && !(dead && is_found) {
                let (low, high) = place.excluded;
                if low < high {
                    self.longer(next, place, length, &ORDER)?;
                } else {
                    let (dfa, shape) = (self.dfa, self.shape);
                    let bytes = alike.get_or_insert_with(|| distinct(dfa, shape));
                    self.longer(next, place, length, bytes)?;
                }
            }
            next += 1;
        }
        Ok(())
    }

    /// One more byte.
    fn longer(
        &mut self,
        before: usize,
        place: Place,
        length: usize,
        bytes: &[u8],
    ) -> Result<(), TooFar> {
        for byte in bytes.iter().copied() {
            let Some(next) = self.shape.step(place.shape, byte) else {
                continue;
            };
            let next = Place {
                dfa: self.dfa.map_or(0, |dfa| dfa.next(place.dfa, byte)),
                shape: next,
                excluded: narrow(self.excluded, place.excluded, length, byte),
            };
            self.visit(next, length + 1, before, byte)?;
            if self.missing == 0 {
                break;
            }
        }
        Ok(())
    }

    fn visit(
        &mut self,
        place: Place,
        length: usize,
        before: usize,
        byte: u8,
    ) -> Result<(), TooFar> {
        if !self.seen.insert(place) {
            return Ok(());
        }
        if self.seen.len() > MAX_PLACES {
            return Err(TooFar);
        }
        if self.shape.accepts(place.shape) && !is_excluded(self.excluded, place.excluded, length) {
            let set = self.dfa.map_or(0, |dfa| dfa.accept(place.dfa));
            if let Some(slot @ None) = self.found.get_mut(set as usize) {
                *slot = Some(self.steps.len());
                self.missing -= 1;
            }
        }
        self.steps.push(Step {
            place,
            length,
            before,
            byte,
        });
        Ok(())
    }

    fn text(&self, mut at: usize) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some(step) = self.steps.get(at).filter(|step| step.length > 0) {
            text.push(step.byte);
            at = step.before;
        }
        text.reverse();
        text
    }
}

/// One byte of each kind that neither automaton nor shape tells apart, the first in
/// order.
fn distinct(dfa: Option<&Dfa>, shape: Shape) -> Vec<u8> {
    if matches!(shape, Shape::Prefix(_) | Shape::Numbered(_)) {
        return ORDER.clone();
    }
    let mut seen = FxHashSet::default();
    let is_new = |byte: &u8| {
        let column = dfa.and_then(|dfa| dfa.map.get(usize::from(*byte)));
        seen.insert((column, matches!(*byte, b'/' | b'.').then_some(*byte)))
    };
    ORDER.iter().copied().filter(is_new).collect()
}

fn is_excluded(excluded: &[&[u8]], (low, high): (usize, usize), length: usize) -> bool {
    low < high && excluded.get(low).is_some_and(|text| text.len() == length)
}

/// The excluded strings that go on with `byte` at `at`; one spelling of "none".
fn narrow(excluded: &[&[u8]], (low, high): (usize, usize), at: usize, byte: u8) -> (usize, usize) {
    let rest = excluded.get(low..high).unwrap_or_default();
    let from = low + rest.partition_point(|text| text.get(at).is_none_or(|other| *other < byte));
    let to = low + rest.partition_point(|text| text.get(at).is_none_or(|other| *other <= byte));
    if from < to { (from, to) } else { (0, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::component::name_steps;
    use crate::glob::parse::{Dialect, parse};

    fn dfa(globs: &[&str]) -> Dfa {
        let steps: Vec<_> = globs
            .iter()
            .flat_map(|text| parse(text.as_bytes(), Dialect::Name).unwrap())
            .map(|glob| name_steps(&glob))
            .collect();
        Dfa::build(&steps, 1000).unwrap()
    }

    #[test]
    fn every_set_is_reached() {
        let dfa = dfa(&["a*", "*b"]);
        let found = shortest(Some(&dfa), Shape::Component, &[], 255).unwrap();
        let mut texts: Vec<&[u8]> = found.iter().map(|(_, text)| text.as_slice()).collect();
        texts.sort_unstable();
        assert_eq!(texts, [&b"a"[..], b"ab", b"b", b"c"]);
        for (set, text) in &found {
            assert_eq!(dfa.run(text), *set);
        }
    }

    #[test]
    fn excluded_strings_are_avoided() {
        let dfa = dfa(&["[ab]"]);
        let found = shortest(Some(&dfa), Shape::Component, &[b"a", b"b"], 255).unwrap();
        assert!(
            found.iter().all(|(_, text)| !b"ab".contains(&text[0])),
            "{found:?}"
        );
        assert_eq!(found.len(), 1);
        let found = shortest(None, Shape::Component, &[b"a", b"aa", b"b"], 255).unwrap();
        assert_eq!(found, [(0, b"c".to_vec())]);
    }

    #[test]
    fn shapes() {
        for (shape, yes, no) in [
            (
                Shape::Component,
                &["a", "...", ".a"][..],
                &["", ".", "..", "a/b"][..],
            ),
            (Shape::Name, &["", "a/b"], &["\0"]),
            (Shape::SomeName, &["a/b"], &[""]),
            (
                Shape::Prefix(b"memfd:"),
                &["memfd:", "memfd:x"],
                &["memfd", "x"],
            ),
            (
                Shape::Numbered(b"pipe:["),
                &["pipe:[1]", "pipe:[12]"],
                &["pipe:[]", "pipe:[1"],
            ),
        ] {
            for text in yes {
                assert!(shape.fits(text.as_bytes()), "{shape:?} {text}");
            }
            for text in no {
                assert!(!shape.fits(text.as_bytes()), "{shape:?} {text}");
            }
        }
        let found = shortest(None, Shape::Numbered(b"pipe:["), &[], 255).unwrap();
        assert_eq!(found, [(0, b"pipe:[0]".to_vec())]);
        // Nothing of at most one byte is left.
        let dfa = dfa(&["ab*"]);
        let found = shortest(Some(&dfa), Shape::Name, &[], 1).unwrap();
        assert_eq!(found.len(), 1);
    }
}
