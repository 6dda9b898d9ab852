//! Automata against a matcher that is obviously right.

use proptest::prelude::*;

use super::Pool;
use super::bytes::Dfa;
use super::component::name_steps;
use super::path::{self, PathLimits};
use crate::glob::{ByteSet, Glob, Piece};

/// Whether `glob` matches the whole of `text`, by trying everything.
fn matches(pieces: &[Piece], text: &[u8]) -> bool {
    // reach[i]: the pieces so far can match the first i bytes.
    let mut reach = vec![false; text.len() + 1];
    reach[0] = true;
    for piece in pieces {
        let mut next = vec![false; text.len() + 1];
        for start in (0..=text.len()).filter(|start| reach[*start]) {
            match piece {
                Piece::Literal(bytes) => {
                    if text[start..].starts_with(bytes) {
                        next[start + bytes.len()] = true;
                    }
                }
                Piece::Class(set) => {
                    if text.get(start).is_some_and(|byte| set.contains(*byte)) {
                        next[start + 1] = true;
                    }
                }
                Piece::Star | Piece::DeepStar => {
                    for (end, slot) in next.iter_mut().enumerate().skip(start) {
                        *slot = true;
                        if *piece == Piece::Star && text.get(end) == Some(&b'/') {
                            break;
                        }
                    }
                }
            }
        }
        reach = next;
    }
    reach[text.len()]
}

const LIMITS: PathLimits = PathLimits {
    states: 20_000,
    edges: 200_000,
    automaton_states: 8192,
    work: 3_000_000,
};

fn letters() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(b'a'), 4 => Just(b'b'), 2 => Just(b'x'), 1 => Just(0x80), 1 => Just(0xff)]
}

fn class() -> impl Strategy<Value = Piece> {
    (prop::collection::vec(letters(), 1..4), any::<bool>()).prop_map(|(bytes, negated)| {
        let mut set = ByteSet::default();
        for byte in 0..=255 {
            if byte != b'/' && bytes.contains(&byte) != negated {
                set.insert(byte);
            }
        }
        Piece::Class(set)
    })
}

fn piece() -> impl Strategy<Value = Piece> {
    let byte = prop_oneof![3 => letters(), 3 => Just(b'/')];
    prop_oneof![
        5 => prop::collection::vec(byte, 1..4).prop_map(Piece::Literal),
        1 => class(),
        2 => Just(Piece::Star),
        2 => Just(Piece::DeepStar),
    ]
}

fn glob() -> impl Strategy<Value = Glob> {
    (any::<bool>(), prop::collection::vec(piece(), 0..6)).prop_map(|(rooted, rest)| {
        let mut pieces: Vec<Piece> = Vec::new();
        for piece in rooted
            .then(|| Piece::Literal(b"/".to_vec()))
            .into_iter()
            .chain(rest)
        {
            match (pieces.last_mut(), piece) {
                (Some(Piece::Literal(last)), Piece::Literal(more)) => last.extend(more),
                (Some(Piece::Star | Piece::DeepStar), Piece::Star | Piece::DeepStar) => {}
                (_, piece) => pieces.push(piece),
            }
        }
        Glob {
            pieces: pieces.into(),
        }
    })
}

/// A string made to match the glob, or nearly.
fn text(globs: Vec<Glob>) -> impl Strategy<Value = Vec<u8>> {
    let filler = prop::collection::vec(prop_oneof![4 => letters(), 2 => Just(b'/')], 0..5);
    let made = (
        prop::sample::select(globs),
        prop::collection::vec(filler.clone(), 8),
        prop::option::weighted(0.3, (any::<prop::sample::Index>(), letters())),
    )
        .prop_map(|(glob, fillers, damage)| {
            let mut text = Vec::new();
            for (piece, filler) in glob.pieces.iter().zip(fillers.iter().cycle()) {
                match piece {
                    Piece::Literal(bytes) => text.extend(bytes),
                    Piece::Class(set) => {
                        text.extend((0..=255).find(|byte| set.contains(*byte)));
                    }
                    Piece::Star => text.extend(filler.iter().filter(|byte| **byte != b'/')),
                    Piece::DeepStar => text.extend(filler),
                }
            }
            if let (Some((index, byte)), false) = (damage, text.is_empty()) {
                let at = index.index(text.len());
                text[at] = byte;
            }
            text
        });
    prop_oneof![
        4 => made,
        1 => prop::collection::vec(prop_oneof![3 => letters(), 2 => Just(b'/')], 0..12),
    ]
}

fn globs_and_texts() -> impl Strategy<Value = (Vec<Glob>, Vec<Vec<u8>>)> {
    prop::collection::vec(glob(), 1..7)
        .prop_flat_map(|globs| (Just(globs.clone()), prop::collection::vec(text(globs), 24)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn paths((globs, texts) in globs_and_texts()) {
        let mut pool = Pool::default();
        let tagged = (0_u32..).zip(&globs);
        let automaton = path::build(&mut pool, tagged, LIMITS).unwrap();
        for text in &texts {
            let wanted: Vec<u32> = (0_u32..)
                .zip(&globs)
                .filter(|(_, glob)| matches(&glob.pieces, text))
                .map(|(tag, _)| tag)
                .collect();
            let given = automaton.classify(&pool, text);
            prop_assert_eq!(given, &wanted[..], "on {:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn names((globs, texts) in globs_and_texts()) {
        let steps: Vec<_> = globs.iter().map(name_steps).collect();
        let dfa = Dfa::build(&steps, 60_000).unwrap();
        for text in &texts {
            let wanted: Vec<u32> = (0_u32..)
                .zip(&globs)
                .filter(|(_, glob)| matches(&glob.pieces, text))
                .map(|(tag, _)| tag)
                .collect();
            let given = &dfa.sets[dfa.run(text) as usize];
            prop_assert_eq!(&given[..], &wanted[..]);
        }
    }
}

fn literal(text: &str) -> Glob {
    let mut pieces = Vec::new();
    for (index, part) in text.split("**").enumerate() {
        if index > 0 {
            pieces.push(Piece::DeepStar);
        }
        for (index, part) in part.split('*').enumerate() {
            if index > 0 {
                pieces.push(Piece::Star);
            }
            if !part.is_empty() {
                pieces.push(Piece::Literal(part.as_bytes().to_vec()));
            }
        }
    }
    Glob {
        pieces: pieces.into(),
    }
}

fn build(globs: &[&str]) -> (Pool, path::PathAutomaton) {
    let globs: Vec<Glob> = globs.iter().map(|glob| literal(glob)).collect();
    let mut pool = Pool::default();
    let automaton = path::build(&mut pool, (0..).zip(&globs), LIMITS).unwrap();
    (pool, automaton)
}

#[test]
fn long_texts() {
    let long = "c".repeat(255);
    let longer = "c".repeat(300);
    let globs = [
        format!("/{long}/x"),
        format!("/{longer}"),
        "/**/z".to_owned(),
        format!("/{}*", "c".repeat(254)),
    ];
    let globs: Vec<&str> = globs.iter().map(String::as_str).collect();
    let (pool, automaton) = build(&globs);
    let classify = |text: &str| automaton.classify(&pool, text.as_bytes()).to_vec();
    assert_eq!(classify(&format!("/{long}/x")), [0]);
    assert_eq!(classify(&format!("/{longer}")), [1, 3]);
    assert_eq!(classify(&format!("/{long}")), [3]);
    let deep = format!("{}/z", "/d".repeat(2046));
    assert_eq!(deep.len(), 4094);
    assert_eq!(classify(&deep), [2]);
}

#[test]
fn root_and_empty_components() {
    let (pool, automaton) = build(&["/", "/**", "/*", "**", "//", "memfd:*", ""]);
    let classify = |text: &str| automaton.classify(&pool, text.as_bytes()).to_vec();
    assert_eq!(classify(""), [3, 6]);
    assert_eq!(classify("/"), [0, 1, 2, 3]);
    assert_eq!(classify("//"), [1, 3, 4]);
    assert_eq!(classify("memfd:x"), [3, 5]);
}

#[test]
fn a_sink_ends_the_walk() {
    let (pool, automaton) = build(&["/a/**"]);
    assert_eq!(automaton.classify(&pool, b"/a/b/c"), [0]);
    // Start, after "/", after "/a", the sink of the glob and that of nothing.
    assert_eq!(automaton.states.len(), 5);
    assert_eq!(
        automaton.states.iter().filter(|state| state.sink).count(),
        2
    );
}

#[test]
fn the_costly_glob_is_named() {
    let mut globs = vec!["/srv/a".to_owned()];
    globs.push(format!("/x/**{}", "a*b/**".repeat(8)));
    globs.extend((0..12).map(|index| format!("/**/*{index}*/**/k{index}/**/q")));
    let globs: Vec<Glob> = globs.iter().map(|glob| literal(glob)).collect();
    let mut pool = Pool::default();
    let limits = PathLimits {
        states: 2_000,
        ..LIMITS
    };
    let error = path::build(&mut pool, (0..).zip(&globs), limits).unwrap_err();
    assert!(error.glob >= 2, "{error:?}");
}
