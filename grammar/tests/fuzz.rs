//! A mutation fuzzer that needs no nightly toolchain.
//!
//! `LSMPC_FUZZ_SECONDS` (default 2) is its budget, `LSMPC_FUZZ_SEED` repeats a
//! run: the seed is printed at the start and with every failure.

use std::env;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use lsmpc_syntax::{FileId, MAX_ERRORS, Parsed, format, parse, print, strip_spans};

/// Longer inputs are cut: many short runs find more than few long ones.
const MAX_INPUT: usize = 8 * 1024;

/// A parse that takes this long hangs.
const TOO_SLOW: Duration = Duration::from_secs(60);

#[test]
fn mutated_sources() {
    let seconds = number("LSMPC_FUZZ_SECONDS").unwrap_or(2);
    let seed = number("LSMPC_FUZZ_SEED").unwrap_or_else(|| {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(1, |d| d.as_nanos() as u64)
    });
    println!("LSMPC_FUZZ_SEED={seed} LSMPC_FUZZ_SECONDS={seconds}");
    let corpus = corpus();
    let mut random = Random(seed | 1);
    let start = Instant::now();
    let mut runs = 0_u64;
    while start.elapsed() < Duration::from_secs(seconds) {
        let text = mutate(&corpus, &mut random);
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| check(&text)));
        if let Err(cause) = outcome {
            println!("LSMPC_FUZZ_SEED={seed}, run {runs}, input:\n{text:?}");
            panic::resume_unwind(cause);
        }
        runs += 1;
    }
    println!("{runs} inputs");
}

fn check(text: &str) {
    let start = Instant::now();
    let parsed = parse(FileId(0), text);
    assert!(start.elapsed() < TOO_SLOW, "slow: {:?}", start.elapsed());
    assert!(parsed.errors.len() <= MAX_ERRORS + 1);
    for error in &parsed.errors {
        let places = error.secondary.iter().map(|(span, _)| *span);
        for span in places.chain([error.span]) {
            assert!(
                text.get(span.start as usize..span.end as usize).is_some(),
                "{span:?}"
            );
        }
    }
    if parsed.errors.is_empty() {
        let printed = print(&parsed.file);
        let again = parse(FileId(0), &printed);
        assert_eq!(again.errors, [], "{printed}");
        assert_eq!(print(&again.file), printed);
        assert_eq!(strip_spans(again.file), strip_spans(parsed.file.clone()));
    }
    match format(text) {
        Ok(formatted) => check_format(text, &parsed, &formatted),
        Err(errors) => assert_eq!(errors, parsed.errors),
    }
}

fn check_format(text: &str, parsed: &Parsed, formatted: &str) {
    let after = parse(FileId(0), formatted);
    assert_eq!(after.errors, [], "{formatted}");
    assert_eq!(
        comments(formatted, &after),
        comments(text, parsed),
        "{formatted}"
    );
    assert_eq!(
        strip_spans(after.file),
        strip_spans(parsed.file.clone()),
        "{formatted}"
    );
    assert_eq!(format(formatted).as_deref(), Ok(formatted));
}

fn comments<'t>(text: &'t str, parsed: &Parsed) -> Vec<&'t str> {
    let texts = parsed
        .comments
        .iter()
        .map(|c| &text[c.span.start as usize..c.span.end as usize]);
    texts.map(|t| t.trim_end_matches([' ', '\t'])).collect()
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.trim().parse().ok()
}

/// The sources of this crate's tests, the workspace's examples and corpora.
fn corpus() -> Vec<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in [
        "tests/corpus/ok",
        "tests/corpus/err",
        "../examples",
        "../tests/corpus/ok",
        "../tests/corpus/err",
    ] {
        let Ok(entries) = fs::read_dir(here.join(folder)) else {
            continue;
        };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if path.extension().is_some_and(|e| e == "lsmp")
                && let Ok(text) = fs::read_to_string(path)
            {
                found.push(text);
            }
        }
    }
    assert!(!found.is_empty());
    found
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    fn range(&mut self, limit: usize) -> (usize, usize) {
        let (a, b) = (self.below(limit + 1), self.below(limit + 1));
        (a.min(b), a.max(b))
    }
}

/// Pieces that separate tokens well enough to splice.
fn pieces(text: &str) -> Vec<&str> {
    text.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
        .collect()
}

fn mutate(corpus: &[String], random: &mut Random) -> String {
    let mut tokens: Vec<String> = pieces(random.pick::<String>(corpus))
        .into_iter()
        .map(str::to_owned)
        .collect();
    for _ in 0..=random.below(6) {
        let length = tokens.len();
        match random.below(6) {
            // Delete a few tokens.
            0 if length > 0 => {
                let from = random.below(length);
                let to = (from + 1 + random.below(4)).min(length);
                tokens.drain(from..to);
            }
            // Double some.
            1 if length > 0 => {
                let from = random.below(length);
                let to = (from + 1 + random.below(8)).min(length);
                let copy = tokens[from..to].to_vec();
                tokens.splice(from..from, copy);
            }
            // Splice in a stretch of another source.
            2 => {
                let other = pieces(random.pick::<String>(corpus));
                let (from, to) = random.range(other.len());
                let to = to.min(from + 40);
                let at = random.below(length + 1);
                tokens.splice(at..at, other[from..to].iter().map(|s| (*s).to_owned()));
            }
            // Swap two.
            3 if length > 1 => {
                let (a, b) = (random.below(length), random.below(length));
                tokens.swap(a, b);
            }
            // Cut the end off.
            4 if random.below(4) == 0 => tokens.truncate(random.below(length + 1)),
            // Insert something odd.
            _ => {
                let odd = [
                    "{", "}", "(", ")", "[", "]", "@", "\"", "\n", "not ", "deny ", "test ",
                    "when ", "=", "==", "..", ",", "\\", "\0", "é", "“", "\u{feff}", "#", "r\"",
                    " 0x", " 010 ", ";", "&", "'", "/",
                ];
                let at = random.below(length + 1);
                tokens.insert(at, (*random.pick(&odd)).to_owned());
            }
        }
    }
    let mut bytes = tokens.concat().into_bytes();
    // Now and then below the level of tokens.
    if random.below(3) == 0 {
        for _ in 0..=random.below(4) {
            let length = bytes.len();
            if length == 0 {
                break;
            }
            let at = random.below(length);
            match random.below(3) {
                0 => bytes[at] = random.next() as u8,
                1 => {
                    bytes.remove(at);
                }
                _ => bytes.insert(at, random.next() as u8),
            }
        }
    }
    bytes.truncate(MAX_INPUT);
    String::from_utf8_lossy(&bytes).into_owned()
}
