//! Documentation that cannot drift: code blocks are checked, links lead
//! somewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages, those of the codes included.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ] {
        pages.push(root().join(name));
    }
    for directory in ["docs", "docs/codes", "examples", "editors"] {
        let Ok(entries) = fs::read_dir(root().join(directory)) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

/// A fenced block: what follows the fence, its text, its first line's number.
struct Block {
    info: String,
    text: String,
    line: usize,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(usize, Block)> = None;
    for (index, line) in page.lines().enumerate() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        match &mut open {
            None => {
                if let Some(info) = trimmed.strip_prefix("```") {
                    let block = Block {
                        info: info.trim().to_owned(),
                        text: String::new(),
                        line: index + 2,
                    };
                    open = Some((indent, block));
                }
            }
            Some((indent, block)) => {
                if trimmed == "```" {
                    found.extend(open.take().map(|(_, block)| block));
                } else {
                    block.text.push_str(line.get(*indent..).unwrap_or_default());
                    block.text.push('\n');
                }
            }
        }
    }
    assert!(open.is_none(), "a code block is not closed");
    found
}

/// The codes that `check` reports, and whether it accepts the policy.
fn check(text: &str) -> (bool, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.lsmp");
    fs::write(&file, text).unwrap();
    let users = directory.path().join("users");
    fs::write(&users, "user root 0\nuser www-data 33\ngroup adm 4\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_lsmpc"))
        .args(["check", "--format", "json", "--users"])
        .args([&users, &file])
        .output()
        .unwrap();
    let codes = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            json["code"].as_str().unwrap().to_owned()
        })
        .collect();
    (output.status.success(), codes)
}

#[test]
fn policies_in_the_documentation_are_what_they_say() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let shown = page.strip_prefix(root()).unwrap().display().to_string();
        for block in blocks(&text) {
            let (language, rest) = block.info.split_once(',').unwrap_or((&block.info, ""));
            if language != "lsmp" || rest == "ignore" {
                continue;
            }
            checked += 1;
            let (accepted, codes) = check(&block.text);
            // `error=CODE`, `warning=CODE`, or nothing: then the block is clean.
            let right = match rest.split_once('=') {
                None => accepted && codes.is_empty(),
                Some(("error", code)) => !accepted && codes.iter().any(|found| found == code),
                Some((_, code)) => accepted && codes.iter().any(|found| found == code),
            };
            if !right {
                wrong.push(format!(
                    "{shown}:{}: `{}` gives {codes:?}",
                    block.line, block.info
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 10);
}

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let directory = page.parent().unwrap();
        for link in text.split("](").skip(1) {
            let Some((target, _)) = link.split_once(')') else {
                continue;
            };
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            if file.starts_with("http") {
                continue;
            }
            let path = if file.is_empty() {
                page.clone()
            } else {
                directory.join(file)
            };
            if !path.exists() {
                wrong.push(format!("{}: {target}", page.display()));
            } else if !anchor.is_empty() && !anchors(&path).iter().any(|known| known == anchor) {
                wrong.push(format!("{}: no heading for {target}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The anchors of a page's headings.
fn anchors(page: &Path) -> Vec<String> {
    fs::read_to_string(page)
        .unwrap_or_default()
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter_map(|c| match c {
                    ' ' => Some('-'),
                    c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                    _ => None,
                })
                .collect()
        })
        .collect()
}

#[test]
fn every_page_of_the_book_is_in_its_summary() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    for page in pages() {
        let Ok(name) = page.strip_prefix(root().join("docs")) else {
            continue;
        };
        let name = name.display().to_string();
        assert!(
            name == "SUMMARY.md" || summary.contains(&format!("({name})")),
            "{name} is not in docs/SUMMARY.md"
        );
    }
}
