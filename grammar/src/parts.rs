//! Large files in parts, side by side.
//!
//! Owns where a file may be cut, and when its parts together are the whole: each
//! begins a statement on a line of its own, and none has an error. Otherwise the
//! file is read as a whole, so that errors are those of the whole. It must not know
//! what statements are made of.

use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::ast;
use crate::error::Errors;
use crate::lexer;
use crate::outline;
use crate::parse::Parsed;
use crate::span::FileId;
use crate::token::Keyword;

/// Bytes of a part, or a few more.
pub(crate) const PART: usize = 64 << 10;

/// The tree of `text` in parts of `size` bytes, if it has several and none has an
/// error.
pub(crate) fn parse(file: FileId, text: &str, size: usize) -> Option<Parsed> {
    let cuts = cuts(text, size);
    if cuts.len() < 2 {
        return None;
    }
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    // Parts are taken as they come; which thread has which does not matter.
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(range) = cuts.get(index).filter(|_| !failed.load(Ordering::Relaxed)) else {
                return done;
            };
            match part(file, text, range.clone()) {
                Some(parsed) => done.push((index, parsed)),
                None => failed.store(true, Ordering::Relaxed),
            }
        }
    };
    let workers = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(cuts.len());
    let mut done = thread::scope(|scope| {
        // Where there is no thread to be had, there is one less.
        let threads: Vec<_> = (0..workers)
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        // This one's memory stays free of trees, which others may take apart.
        let mut done = if threads.is_empty() {
            work()
        } else {
            Vec::new()
        };
        for thread in threads {
            match thread.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    if failed.into_inner() {
        return None;
    }
    done.sort_unstable_by_key(|(index, _)| *index);
    let count = done.iter().map(|(_, part)| part.file.statements.len());
    let mut whole = Parsed {
        file: ast::File {
            statements: Vec::with_capacity(count.sum()),
        },
        errors: Vec::new(),
        comments: Vec::new(),
    };
    for (_, mut part) in done {
        whole.file.statements.append(&mut part.file.statements);
        whole.comments.append(&mut part.comments);
    }
    Some(whole)
}

/// What stands in a part, if nothing is wrong with it.
fn part(file: FileId, text: &str, range: Range<usize>) -> Option<Parsed> {
    // What follows is not seen; what goes before counts for the places.
    let text = text.get(..range.end)?;
    let mut errors = Errors::new();
    let lexed = lexer::lex(file, text, range.start, &mut errors);
    let tree = if errors.is_empty() {
        outline::parse(file, text, &lexed.tokens, &mut errors)
    } else {
        ast::File::default()
    };
    errors.is_empty().then_some(Parsed {
        file: tree,
        errors: Vec::new(),
        comments: lexed.comments,
    })
}

/// Parts of about `size` bytes.
fn cuts(text: &str, size: usize) -> Vec<Range<usize>> {
    let mut cuts = Vec::new();
    let mut start = 0_usize;
    while let Some(end) = next_cut(text, start.saturating_add(size)) {
        cuts.push(start..end);
        start = end;
    }
    cuts.push(start..text.len());
    cuts
}

/// The first line after `from` that seems to begin a statement. Whether it does, the
/// parts tell: what is cut in two has an error.
fn next_cut(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut end = from + line_break(bytes, from)?;
    loop {
        let start = end + 1;
        let before = bytes.get(..end)?;
        let line = before.rsplit(|byte| *byte == b'\n').next()?;
        // Annotations on a line of their own belong to what follows, and comments
        // may stand between.
        let continues = matches!(line.first(), Some(b'@')) && line.ends_with(b")")
            || matches!(line.first(), Some(b'#'));
        if !continues && begins_statement(text.get(start..)?) {
            return Some(start);
        }
        end = start + line_break(bytes, start)?;
    }
}

/// How far the end of the line is away.
fn line_break(bytes: &[u8], from: usize) -> Option<usize> {
    bytes.get(from..)?.iter().position(|byte| *byte == b'\n')
}

fn begins_statement(line: &str) -> bool {
    let end = line.find(|c: char| !c.is_ascii_lowercase() && c != '_');
    let word = end.and_then(|end| line.get(..end)).unwrap_or(line);
    line.starts_with('@') || Keyword::from_word(word).is_some_and(Keyword::begins_statement)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::parse::read;

    const FILE: FileId = FileId(3);

    fn whole(text: &str) -> Parsed {
        read(FILE, text).0
    }

    #[test]
    fn the_parts_are_the_whole() {
        let mut text = String::from("\u{feff}# first\n");
        for number in 0..40 {
            text += &format!(
                "# {number}\n@id(\"r{number}\")\ndeny file_open # why\n  when path == \"/a\u{e9}/{number}/*\"\n\
                 let n{number} = [\n1,\n2]\nscope s{number} when exe == \"/b\" {{\n  default deny\n    \
                 bind\n}}\n"
            );
        }
        let expected = whole(&text);
        assert_eq!(expected.errors, []);
        for size in [1, 7, 100, 333, 1000] {
            assert!(cuts(&text, size).len() > 2);
            assert_eq!(parse(FILE, &text, size), Some(expected.clone()), "{size}");
        }
        assert_eq!(parse(FILE, &text, text.len()), None);
    }

    #[test]
    fn what_is_cut_in_two_is_no_part() {
        // At the start of a line, yet inside something.
        for text in [
            "default\ndeny file_open\n",
            "@id(\"a\")\n\ndeny file_open\n",
            "scope s when exe == \"/a\" {\ndeny file_open\n}\n",
            "test \"t\" {\ngiven hook = file_open\nexpect allow\n}\n",
        ] {
            assert!(cuts(text, 1).len() > 1, "{text}");
            assert_eq!(parse(FILE, text, 1), None, "{text}");
        }
    }

    #[test]
    fn every_policy_of_the_corpus() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut directories = vec![
            root.join("grammar/tests"),
            root.join("tests/corpus"),
            root.join("examples"),
        ];
        let (mut files, mut parted) = (0, 0);
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                    continue;
                }
                let Ok(text) = fs::read_to_string(&path) else {
                    continue;
                };
                let expected = whole(&text);
                for size in [1, 40, 200] {
                    if let Some(parsed) = parse(FILE, &text, size) {
                        assert_eq!(parsed, expected, "{}", path.display());
                        parted += 1;
                    }
                }
                files += 1;
            }
        }
        assert!(files > 100 && parted > 50, "{files} files, {parted} parted");
    }
}
