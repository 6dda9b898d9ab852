//! What people see for every policy of `tests/corpus/err`, which has each code, and
//! of `tests/corpus/shown`, which has the many words for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root files of the cases: `NAME.lsmp`, and `NAME/main.lsmp` for those of
/// several files.
fn cases(directory: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
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
    found
}

#[test]
fn rendered_diagnostics() {
    rendered("err", &[]);
}

#[test]
fn many_mistakes_at_once() {
    rendered("shown", &["--all"]);
}

fn rendered(part: &str, options: &[&str]) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(part);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots/cli/diagnostics");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    for (name, path) in cases(&directory) {
        let relative = path.strip_prefix(&directory).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_lsmpc"))
            .current_dir(&directory)
            .env("NO_COLOR", "1")
            .args(arguments(&path))
            .args(options)
            .arg(relative)
            .output()
            .unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        let shown = shown.replace(directory.parent().unwrap().to_str().unwrap(), "/corpus");
        assert!(output.stderr.is_empty(), "{name}: {:?}", output.stderr);
        let prefix = if part == "err" { "" } else { "shown-" };
        insta::assert_snapshot!(format!("{prefix}{name}"), shown);
    }
}

/// `check`, and the options that the first line of a case asks for:
/// `# check: --strict`.
fn arguments(path: &Path) -> Vec<String> {
    let text = fs::read(path).unwrap();
    let text = String::from_utf8_lossy(&text);
    let options = text
        .lines()
        .find_map(|line| line.strip_prefix("# check:"))
        .unwrap_or_default();
    std::iter::once("check")
        .chain(options.split_whitespace())
        .map(str::to_owned)
        .collect()
}
