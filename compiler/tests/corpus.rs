//! The corpus, file by file: what must be refused, how and where, and what must
//! be accepted. `tests/corpus/README.md` describes the format.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use lsmpc_compiler::code::Code;
use lsmpc_compiler::lower::{LowerOptions, lower};
use lsmpc_compiler::source::SourceReader;
use lsmpc_compiler::tables::Tables;
use lsmpc_compiler::{Analysis, Kernel, Options, UserDb, analyse, testing};
use lsmpc_engine::image::Image;

/// Codes that no policy of the corpus can yield, and what shows them instead.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "LSMP0008",
        "needs megabytes of policy: tests/cli/check.rs makes them",
    ),
    (
        "LSMP0019",
        "comes after a hundred others: grammar/tests/corpus/err/LSMP0019-many.lsmp",
    ),
    (
        "LSMP0025",
        "needs a directory given as root: tests/cli/check.rs gives one",
    ),
    (
        "LSMP2019",
        "needs a policy too large to decide: tests/analyses.rs makes one",
    ),
    (
        "LSMP3001",
        "needs megabytes of policy: the limits of lowering",
    ),
    (
        "LSMP3002",
        "comes from lowering, which has tests of its own",
    ),
    (
        "LSMP3005",
        "needs megabytes of policy: load::tests::the_limit_on_all_text",
    ),
    ("LSMP9001", "nothing should be able to yield it"),
];

struct Disk;

impl SourceReader for Disk {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(path)?
            .take(limit + 1)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(path)?
            .map(|entry| Ok(entry?.file_name()))
            .collect()
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        path.canonicalize()
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus")
}

/// The root files of a part of the corpus, by name.
fn cases(part: &str) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(corpus().join(part)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path
            .extension()
            .is_some_and(|extension| extension == "lsmp")
        {
            found.push((name, path));
        } else if path.join("main.lsmp").is_file() {
            found.push((name, path.join("main.lsmp")));
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

fn options(text: &str) -> Options {
    let mut options = Options {
        users: UserDb::from_list("user root 0\nuser www-data 33\ngroup adm 4").unwrap(),
        ..Options::default()
    };
    let line = text.lines().find_map(|line| line.strip_prefix("# check:"));
    let mut words = line.unwrap_or_default().split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "--strict" => options.strict = true,
            "--kernel" => {
                options.kernel = Some(Kernel::Version(words.next().unwrap().parse().unwrap()))
            }
            other => panic!("unknown option {other}"),
        }
    }
    options
}

fn check(path: &Path) -> Analysis {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let mut analysis = analyse(&[path.to_owned()], &Disk, &options(&text));
    analysis.examine();
    if let (Some(hir), Some(ir)) = (&analysis.hir, &analysis.ir) {
        let lowered = lower(ir, &LowerOptions::default());
        let Ok(lowered) = lowered else {
            return analysis;
        };
        let image = Image::from_bytes(lowered.bytes).unwrap();
        let tests = testing::run(hir, &Tables::new(image).unwrap());
        let failures = tests.into_iter().flat_map(|test| test.failures);
        analysis.diagnostics.extend(failures);
        if analysis.has_errors() {
            (analysis.hir, analysis.ir) = (None, None);
        }
    }
    analysis
}

/// What is said, one line each: `file:line:column: code message`.
fn shown(analysis: &Analysis) -> String {
    let mut text = String::new();
    for diagnostic in &analysis.diagnostics {
        let place = diagnostic.primary.as_ref().map(|label| label.span);
        let place = place.and_then(|span| {
            let file = analysis.sources.get(span.file)?;
            let at = file.position(span.start);
            Some(format!("{}:{}:{}", file.relative(), at.line, at.column))
        });
        text.push_str(&format!(
            "{}: {} {}\n",
            place.unwrap_or_default(),
            diagnostic.code.as_str(),
            diagnostic.message
        ));
    }
    text
}

/// Marked places: file, line, first column, column behind the last.
type Mark = (String, u32, u32, u32);

fn marks(analysis: &Analysis) -> BTreeSet<Mark> {
    let mut marks = BTreeSet::new();
    for (_, file) in analysis.sources.iter() {
        for (number, line) in (1u32..).zip(file.text().lines()) {
            let carets = line.trim_start_matches('#').trim();
            if !line.starts_with('#') || carets.is_empty() || carets.chars().any(|c| c != '^') {
                continue;
            }
            let start = u32::try_from(line.find('^').unwrap()).unwrap() + 1;
            let length = u32::try_from(carets.len()).unwrap();
            marks.insert((
                file.relative().to_owned(),
                number - 1,
                start,
                start + length,
            ));
        }
    }
    marks
}

fn spans(analysis: &Analysis) -> BTreeSet<Mark> {
    let mut spans = BTreeSet::new();
    for diagnostic in &analysis.diagnostics {
        let Some(label) = &diagnostic.primary else {
            continue;
        };
        let span = label.span;
        if span.start == span.end {
            continue;
        }
        let file = analysis.sources.get(span.file).unwrap();
        let start = file.position(span.start);
        let end = file.position(span.end);
        let end = if end.line == start.line {
            end.column
        } else {
            let line = file.line(start.line).unwrap();
            u32::try_from(line.chars().count()).unwrap() + 1
        };
        spans.insert((file.relative().to_owned(), start.line, start.column, end));
    }
    spans
}

#[test]
fn what_is_refused() {
    let mut wrong = Vec::new();
    for (name, path) in cases("err") {
        let analysis = check(&path);
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let first = text.lines().next().unwrap_or_default();
        let code = first.strip_prefix("# ").unwrap_or_default();
        assert!(
            name.starts_with(code) && !code.is_empty(),
            "{name}: {first}"
        );
        let codes: Vec<&str> = analysis
            .diagnostics
            .iter()
            .map(|diagnostic| diagnostic.code.as_str())
            .collect();
        let expected = marks(&analysis);
        let right = codes.len() == expected.len().max(1)
            && codes.iter().all(|found| *found == code)
            && spans(&analysis) == expected;
        if !right {
            wrong.push(format!(
                "{name}: marks {expected:?}, spans {:?}\n{}",
                spans(&analysis),
                shown(&analysis)
            ));
        }
        for diagnostic in &analysis.diagnostics {
            assert!(diagnostic.help.is_some(), "{name}: no help");
            for text in [&diagnostic.message]
                .into_iter()
                .chain(diagnostic.primary.as_ref().map(|label| &label.text))
            {
                assert!(
                    !text.ends_with('.') && !text.contains('\n'),
                    "{name}: {text}"
                );
                assert!(!text.is_empty(), "{name}");
            }
        }
        let errors = analysis.has_errors();
        assert_eq!(analysis.hir.is_none(), errors, "{name}");
        assert_eq!(analysis.ir.is_none(), errors, "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_accepted() {
    let mut wrong = Vec::new();
    for (name, path) in cases("ok") {
        let analysis = check(&path);
        if !analysis.diagnostics.is_empty() || analysis.ir.is_none() {
            wrong.push(format!("{name}:\n{}", shown(&analysis)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_case() {
    let mut seen: BTreeSet<String> = cases("err")
        .into_iter()
        .map(|(name, _)| name.chars().take(8).collect())
        .collect();
    for (code, reason) in ELSEWHERE {
        assert!(!reason.is_empty());
        assert!(seen.insert((*code).to_owned()), "{code} has a case too");
    }
    for &code in Code::ALL {
        assert!(seen.remove(code.as_str()), "{} has no case", code.as_str());
    }
    assert!(seen.is_empty(), "no such codes: {seen:?}");
}

#[test]
fn every_code_has_a_page() {
    for &code in Code::ALL {
        let page = code.explain();
        let words = page.split_whitespace().count();
        assert!(words > 15, "{} explains little", code.as_str());
    }
    let pages = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/codes"));
    for entry in pages.unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let code = Code::from_name(name.trim_end_matches(".md"));
        assert!(code.is_some(), "{name} is the page of no code");
    }
}

#[test]
fn what_was_understood() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots/compiler");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    for (name, path) in cases("ok") {
        let analysis = check(&path);
        let (Some(hir), Some(ir)) = (&analysis.hir, &analysis.ir) else {
            panic!("{name} is refused:\n{}", shown(&analysis));
        };
        insta::assert_snapshot!(format!("{name}.hir"), hir.dump());
        insta::assert_snapshot!(format!("{name}.ir"), ir.dump());
    }
}
