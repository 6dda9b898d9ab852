//! Paths that lead a component automaton to each of its classes.
//!
//! Owns the search through the automaton, component by component, for a path that
//! the kernel can produce. It must not know what classes stand for.

use lsmpc_abi::NAME_MAX_BYTES;
use rustc_hash::FxHashSet;

use super::text::{Shape, TooFar, shortest};
use crate::automaton::Pool;
use crate::automaton::path::{PathAutomaton, PathState};

/// States looked at for one field.
const MAX_STATES: usize = 1 << 21;

/// What a field's paths look like, beside absolute ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Forms {
    /// Absolute only.
    Absolute,
    /// Of programs: `memfd:NAME` too.
    Program,
    /// Of files: pathless ones of all kinds too.
    File,
    /// Of unix sockets: `@NAME` too.
    Socket,
}

impl Forms {
    /// How paths that are not absolute begin, and whether the name may hold `/`.
    fn others(self) -> &'static [(Shape, bool)] {
        const FILE: &[(Shape, bool)] = &[
            (Shape::Prefix(b"memfd:"), true),
            (Shape::Numbered(b"pipe:["), false),
            (Shape::Numbered(b"socket:["), false),
            (Shape::Prefix(b"anon_inode:"), false),
        ];
        match self {
            Self::Absolute => &[],
            Self::Program => FILE.split_at(1).0,
            Self::File => FILE,
            Self::Socket => &[(Shape::Prefix(b"@"), true)],
        }
    }
}

/// What has been written so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    /// Nothing.
    Start,
    /// The first slash.
    Root,
    /// A path; more components may follow.
    Open,
    /// A path that is whole.
    Whole,
}

struct Step {
    state: u32,
    phase: Phase,
    /// The step before, and the component that leads here.
    from: usize,
    component: Box<[u8]>,
}

struct Search<'a> {
    automaton: &'a PathAutomaton,
    pool: &'a Pool,
    steps: Vec<Step>,
    seen: FxHashSet<(u32, Phase)>,
    found: Vec<Option<Vec<u8>>>,
    missing: usize,
}

/// A path of each class; `None` where there is none.
pub(crate) fn paths(
    automaton: &PathAutomaton,
    pool: &Pool,
    forms: Forms,
) -> Result<Vec<Option<Vec<u8>>>, TooFar> {
    let mut search = Search {
        automaton,
        pool,
        steps: Vec::new(),
        seen: FxHashSet::default(),
        found: vec![None; automaton.classes.len()],
        missing: automaton.classes.len(),
    };
    search.go(0, Phase::Start, 0, Box::default());
    let mut next = 0;
    let mut others = forms.others().iter();
    while search.missing > 0 {
        let Some(step) = search.steps.get(next) else {
            // Absolute paths read best: others are for what is left.
            let Some((shape, open)) = others.next() else {
                break;
            };
            let phase = if *open { Phase::Open } else { Phase::Whole };
            search.all(0, 0, *shape, phase)?;
            continue;
        };
        if next > MAX_STATES {
            return Err(TooFar);
        }
        let (state, phase) = (step.state, step.phase);
        match phase {
            Phase::Start => search.exactly(next, state, b"", Phase::Root),
            Phase::Root => {
                search.exactly(next, state, b"", Phase::Whole);
                search.all(next, state, Shape::Component, Phase::Open)?;
            }
            Phase::Open => search.all(next, state, Shape::Component, Phase::Open)?,
            Phase::Whole => {}
        }
        next += 1;
    }
    Ok(search.found)
}

impl Search<'_> {
    fn state(&self, state: u32) -> Option<&PathState> {
        self.automaton.states.get(state as usize)
    }

    fn go(&mut self, state: u32, phase: Phase, from: usize, component: Box<[u8]>) {
        if !self.seen.insert((state, phase)) {
            return;
        }
        self.steps.push(Step {
            state,
            phase,
            from,
            component,
        });
        let class = self.state(state).map(|state| state.class as usize);
        if matches!(phase, Phase::Open | Phase::Whole)
            && let Some(class) = class
            && self.found.get(class) == Some(&None)
        {
            let text = self.text(self.steps.len() - 1);
            if let Some(slot) = self.found.get_mut(class) {
                *slot = Some(text);
                self.missing -= 1;
            }
        }
    }

    /// The path up to a step.
    fn text(&self, step: usize) -> Vec<u8> {
        let mut parts: Vec<&[u8]> = Vec::new();
        let mut at = step;
        while let Some(step) = self.steps.get(at).filter(|step| step.phase != Phase::Start) {
            parts.push(&step.component);
            at = step.from;
        }
        parts.reverse();
        parts.join(&b'/')
    }

    /// One component.
    fn exactly(&mut self, from: usize, state: u32, component: &[u8], phase: Phase) {
        let Some(body) = self.state(state) else {
            return;
        };
        let next = follow(body, self.pool, component);
        self.go(next, phase, from, component.into());
    }

    /// Every component of the shape, as far as they lead to different states.
    fn all(&mut self, from: usize, state: u32, shape: Shape, phase: Phase) -> Result<(), TooFar> {
        let Some(body) = self.automaton.states.get(state as usize) else {
            return Ok(());
        };
        let mut literals: Vec<(&[u8], u32)> = body
            .literals
            .iter()
            .map(|(key, next)| (self.pool.key_bytes(*key), *next))
            .collect();
        literals.sort_unstable();
        let excluded: Vec<&[u8]> = literals.iter().map(|(bytes, _)| *bytes).collect();
        let dfa = body.wild.as_ref().and_then(|(dfa, _)| self.pool.get(*dfa));
        let found = shortest(dfa, shape, &excluded, NAME_MAX_BYTES)?;
        for (set, text) in found {
            let next = match &body.wild {
                Some((_, next)) => next.get(set as usize).copied(),
                None => Some(body.default),
            };
            if let Some(next) = next {
                self.go(next, phase, from, text.into());
            }
        }
        for (bytes, next) in literals {
            if bytes.len() <= NAME_MAX_BYTES && shape.fits(bytes) {
                self.go(next, phase, from, bytes.into());
            }
        }
        Ok(())
    }
}

/// Where a component leads.
pub(crate) fn follow(state: &PathState, pool: &Pool, component: &[u8]) -> u32 {
    let literal = state
        .literals
        .iter()
        .find(|(key, _)| pool.key_bytes(*key) == component);
    match (literal, &state.wild) {
        (Some((_, next)), _) => *next,
        (None, Some((dfa, next))) => {
            let set = pool.get(*dfa).map_or(0, |dfa| dfa.run(component));
            next.get(set as usize).copied().unwrap_or(state.default)
        }
        (None, None) => state.default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::path::{PathLimits, build};
    use crate::glob::parse::{Dialect, parse};

    fn found(globs: &[&str], forms: Forms) -> Vec<(Vec<u32>, String)> {
        let dialect = match forms {
            Forms::Socket => Dialect::UnixPath,
            _ => Dialect::Path,
        };
        let globs: Vec<_> = (0..)
            .zip(globs)
            .flat_map(|(tag, text)| {
                let globs = parse(text.as_bytes(), dialect).unwrap();
                globs.into_iter().map(move |glob| (tag, glob))
            })
            .collect();
        let mut pool = Pool::default();
        let limits = PathLimits {
            states: 1000,
            edges: 1000,
            automaton_states: 1000,
            work: 100_000,
        };
        let tagged = globs.iter().map(|(tag, glob)| (*tag, glob));
        let automaton = build(&mut pool, tagged, limits).unwrap();
        let mut list = Vec::new();
        let paths = paths(&automaton, &pool, forms).unwrap();
        for (class, path) in automaton.classes.iter().zip(paths) {
            let Some(path) = path else { continue };
            assert_eq!(automaton.classify(&pool, &path), class.as_ref());
            list.push((class.to_vec(), String::from_utf8(path).unwrap()));
        }
        list.sort();
        list
    }

    fn classes(globs: &[&str], forms: Forms) -> Vec<Vec<u32>> {
        found(globs, forms)
            .into_iter()
            .map(|(class, _)| class)
            .collect()
    }

    #[test]
    fn every_class_that_a_path_can_have() {
        let empty: &[u32] = &[];
        assert_eq!(
            classes(&["/etc/**", "/etc/shadow"], Forms::Absolute),
            [empty, &[0], &[0, 1]]
        );
        // Nothing is left beside `**`.
        assert_eq!(classes(&["/**"], Forms::Absolute), [[0]]);
        assert_eq!(classes(&["/**"], Forms::Program), [empty, &[0]]);
        assert_eq!(
            classes(&["/", "/*"], Forms::Absolute),
            [empty, &[0, 1], &[1]]
        );
        // Together they leave nothing of what the third names.
        assert_eq!(
            classes(&["/a/[a-m]*", "/a/[!a-m]*", "/a/*"], Forms::Absolute),
            [empty, &[0, 2], &[1, 2]]
        );
        assert_eq!(
            classes(&["/a/..*", "/a/?"], Forms::Absolute),
            [empty, &[0], &[1]]
        );
    }

    #[test]
    fn pathless_files() {
        let globs = &["memfd:*", "memfd:**", "pipe:**"];
        let empty: &[u32] = &[];
        assert_eq!(classes(globs, Forms::Absolute), [empty]);
        assert_eq!(classes(globs, Forms::Program), [empty, &[0, 1], &[1]]);
        assert_eq!(classes(globs, Forms::File), [empty, &[0, 1], &[1], &[2]]);
        assert_eq!(found(&["@a*"], Forms::Socket)[1].1, "@a");
    }
}
