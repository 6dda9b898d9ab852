//! `lsmpc fmt`: what is written, and what never is.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Place, shown, snapshot};

const UGLY: &str =
    "# kept\nlet a = [ \"/x\",\"/y\" ]\ndeny   file_open when(path in a)&&!(uid==0)\n";
const NEAT: &str =
    "# kept\nlet a = [\"/x\", \"/y\"]\ndeny file_open when path in a and not uid == 0\n";

fn text(place: &Place, name: &str) -> String {
    String::from_utf8(place.read(name)).unwrap()
}

#[test]
fn fmt_in_place() {
    let place = Place::new();
    let root = place.0.path();
    fs::create_dir_all(root.join("d/sub")).unwrap();
    fs::create_dir(root.join("d/.hidden")).unwrap();
    for name in ["d/b.lsmp", "d/sub/a.lsmp", "d/notes", "d/.hidden/c.lsmp"] {
        place.write(name, UGLY);
    }
    place.write("d/neat.lsmp", NEAT);
    symlink("..", root.join("d/sub/up")).unwrap();
    let mode = |mode| fs::set_permissions(root.join("d/b.lsmp"), fs::Permissions::from_mode(mode));
    mode(0o604).unwrap();

    snapshot!("fmt-check", place.shown(&["fmt", "--check", "d"]));
    assert_eq!(text(&place, "d/b.lsmp"), UGLY);

    let before = fs::metadata(root.join("d/neat.lsmp")).unwrap();
    snapshot!("fmt", place.shown(&["fmt", "d"]));
    for name in ["d/b.lsmp", "d/sub/a.lsmp", "d/neat.lsmp"] {
        assert_eq!(text(&place, name), NEAT, "{name}");
    }
    for name in ["d/notes", "d/.hidden/c.lsmp"] {
        assert_eq!(text(&place, name), UGLY, "{name}");
    }
    let metadata = |name: &str| fs::metadata(root.join(name)).unwrap();
    assert_eq!(metadata("d/b.lsmp").mode() & 0o7777, 0o604);
    // What is as it should be is not touched.
    assert_eq!(metadata("d/neat.lsmp").ino(), before.ino());
    assert_eq!(fs::read_dir(root.join("d")).unwrap().count(), 5);
    assert_eq!(place.code(&["fmt", "--check", "d"]), 0);
    // A file by name is a policy whatever it is called.
    assert_eq!(place.code(&["fmt", "d/notes"]), 0);
    assert_eq!(text(&place, "d/notes"), NEAT);
}

#[test]
fn fmt_writes_nothing_if_a_file_has_errors() {
    let place = Place::new();
    place.write("ugly.lsmp", UGLY);
    place.write("broken.lsmp", "deny file_open when\n");
    place.write("latin1.lsmp", b"# \xe9\ndeny file_open\n");
    let files = ["ugly.lsmp", "broken.lsmp", "latin1.lsmp"];
    let all = [&["fmt"][..], &files].concat();
    snapshot!("fmt-errors", place.shown(&all));
    assert_eq!(text(&place, "ugly.lsmp"), UGLY);
    assert_eq!(place.code(&["fmt", "--check", "broken.lsmp"]), 1);
    snapshot!("fmt-missing", place.shown(&["fmt", "missing.lsmp"]));
    snapshot!("fmt-both", place.shown(&["fmt", "-", "ugly.lsmp"]));
}

#[test]
fn fmt_from_standard_input() {
    let place = Place::new();
    let run = |arguments: &[&str], input: &str| {
        let mut child = place
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        shown(&child.wait_with_output().unwrap())
    };
    assert_eq!(
        run(&["fmt", "-"], UGLY),
        format!("exit code: 0\n----- stdout\n{NEAT}")
    );
    assert_eq!(
        run(&["fmt", "--check", "-"], UGLY),
        "exit code: 1\n----- stdout\n<stdin>\n"
    );
    assert_eq!(run(&["fmt", "--check", "-"], NEAT), "exit code: 0\n");
    snapshot!("fmt-standard-input-errors", run(&["fmt", "-"], "deny\n"));
}

/// Policy files in and below a directory.
fn policies(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            policies(&path, found);
        } else if path.extension().is_some_and(|end| end == "lsmp") {
            found.push(path);
        }
    }
}

/// The tables of a policy: what `lsmpc show --tables` says of its image, places
/// of rules aside.
fn tables(place: &Place, policy: &Path) -> Option<String> {
    let lsmpc = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_lsmpc"))
            .args(arguments)
            .output()
            .unwrap()
    };
    let image = place.0.path().join("image");
    let image = image.to_str().unwrap();
    let built = lsmpc(&["build", policy.to_str().unwrap(), "-o", image]);
    if built.status.code() != Some(0) {
        return None;
    }
    let shown = lsmpc(&["show", "--tables", "--image", image]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    let (tables, rules) = shown.split_once("\nrules\n").unwrap();
    // The size of the image is that of its sources, too.
    let tables: Vec<&str> = tables.lines().filter(|line| line.contains(": ")).collect();
    Some(format!("{}\n{}", tables.join("\n"), rules.lines().count()))
}

#[test]
fn fmt_keeps_what_policies_mean() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for directory in ["examples", "tests/corpus/ok"] {
        policies(&root.join(directory), &mut found);
    }
    found.sort();
    let place = Place::new();
    let mut compared = 0;
    for path in found {
        // Beside the original, so that its includes are found.
        let copy = place.0.path().join("policy.lsmp");
        let text = fs::read_to_string(&path).unwrap();
        if text.contains("include ") {
            continue;
        }
        fs::write(&copy, &text).unwrap();
        let before = tables(&place, &copy);
        assert_eq!(place.code(&["fmt", "policy.lsmp"]), 0, "{}", path.display());
        assert_eq!(place.code(&["fmt", "--check", "policy.lsmp"]), 0);
        assert_eq!(tables(&place, &copy), before, "{}", path.display());
        compared += usize::from(before.is_some());
    }
    assert!(compared > 10, "{compared}");
}

#[test]
fn the_examples_are_laid_out() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let place = Place::new();
    assert_eq!(place.shown(&["fmt", "--check", examples]), "exit code: 0\n");
}
