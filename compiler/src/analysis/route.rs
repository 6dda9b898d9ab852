//! Paths that lead a component automaton to each of its classes.
//!
//! Owns the search through the automaton, component by component, for a path that
//! the kernel can produce. It must not know what classes stand for.

use lsmpc_abi::NAME_MAX_BYTES;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::text::{Shape, TooFar, shortest};
use crate::automaton::path::{PathAutomaton, PathState};
use crate::automaton::{DfaId, KeyId, Pool};

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
    component: Component,
}

#[derive(Debug, Clone, Copy)]
enum Component {
    Empty,
    Key(KeyId),
    /// Its place among [`Search::texts`].
    Text(usize, usize),
}

/// Components that lead to the accepted sets of an automaton.
type Texts = Rc<[(u32, Component)]>;

struct Search<'a> {
    automaton: &'a PathAutomaton,
    pool: &'a Pool,
    steps: Vec<Step>,
    seen: FxHashSet<(u32, Phase)>,
    found: Vec<Option<Vec<u8>>>,
    missing: usize,
    /// Components that were searched for, one after the other.
    texts: Vec<u8>,
    /// Those of states without literal components.
    plain: FxHashMap<(Option<DfaId>, Shape), Texts>,
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
        texts: Vec::new(),
        plain: FxHashMap::default(),
    };
    search.go(0, Phase::Start, 0, Component::Empty);
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
            Phase::Start => search.empty(next, state, Phase::Root),
            Phase::Root => {
                search.empty(next, state, Phase::Whole);
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

    fn go(&mut self, state: u32, phase: Phase, from: usize, component: Component) {
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

    fn bytes(&self, component: Component) -> &[u8] {
        match component {
            Component::Empty => &[],
            Component::Key(key) => self.pool.key_bytes(key),
            Component::Text(start, end) => self.texts.get(start..end).unwrap_or_default(),
        }
    }

    /// The path up to a step.
    fn text(&self, step: usize) -> Vec<u8> {
        let mut parts: Vec<&[u8]> = Vec::new();
        let mut at = step;
        while let Some(step) = self.steps.get(at).filter(|step| step.phase != Phase::Start) {
            parts.push(self.bytes(step.component));
            at = step.from;
        }
        parts.reverse();
        parts.join(&b'/')
    }

    /// The empty component.
    fn empty(&mut self, from: usize, state: u32, phase: Phase) {
        let Some(body) = self.state(state) else {
            return;
        };
        let next = follow(body, self.pool, b"");
        self.go(next, phase, from, Component::Empty);
    }

    /// Every component of the shape, as far as they lead to different states.
    fn all(&mut self, from: usize, state: u32, shape: Shape, phase: Phase) -> Result<(), TooFar> {
        let (automaton, pool) = (self.automaton, self.pool);
        let Some(body) = automaton.states.get(state as usize) else {
            return Ok(());
        };
        let mut literals: Vec<(&[u8], KeyId, u32)> = body
            .literals
            .iter()
            .map(|(key, next)| (pool.key_bytes(*key), *key, *next))
            .collect();
        literals.sort_unstable();
        for (set, text) in self.others(body, shape, &literals)?.iter() {
            let next = match &body.wild {
                Some((_, next)) => next.get(*set as usize).copied(),
                None => Some(body.default),
            };
            if let Some(next) = next {
                self.go(next, phase, from, *text);
            }
        }
        for (bytes, key, next) in literals {
            if bytes.len() <= NAME_MAX_BYTES && shape.fits(bytes) {
                self.go(next, phase, from, Component::Key(key));
            }
        }
        Ok(())
    }

    /// A component of each set that the state's automaton accepts, none of them a
    /// literal one of the state's.
    fn others(
        &mut self,
        body: &PathState,
        shape: Shape,
        literals: &[(&[u8], KeyId, u32)],
    ) -> Result<Texts, TooFar> {
        let dfa = body.wild.as_ref().map(|(dfa, _)| *dfa);
        let known = self.plain.get(&(dfa, shape));
        if let Some(texts) = known.filter(|_| literals.is_empty()) {
            return Ok(Rc::clone(texts));
        }
        let excluded: Vec<&[u8]> = literals.iter().map(|(bytes, ..)| *bytes).collect();
        let automaton = dfa.and_then(|dfa| self.pool.get(dfa));
        let found = shortest(automaton, shape, &excluded, NAME_MAX_BYTES)?;
        let texts: Texts = found
            .into_iter()
            .map(|(set, text)| {
                let start = self.texts.len();
                self.texts.extend(text);
                (set, Component::Text(start, self.texts.len()))
            })
            .collect();
        if literals.is_empty() {
            self.plain.insert((dfa, shape), Rc::clone(&texts));
        }
        Ok(texts)
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
            assert_eq!(automaton.classify(&pool, &path), class);
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
