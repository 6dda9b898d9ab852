//! Generated pages: hooks and fields, commands, codes. `LSMPC_UPDATE=1` renews
//! them; without it a page that differs fails.

use std::fs;
use std::path::Path;
use std::process::Command;

use lsmpc_abi::catalogue::{self, OLDEST_KERNEL, Since};
use lsmpc_abi::field::FieldId;

/// The page has to be this.
fn expect_page(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    if std::env::var_os("LSMPC_UPDATE").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/{name} is not up to date: LSMPC_UPDATE=1 cargo test --test pages"
    );
}

fn lsmpc(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_lsmpc"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn commands() {
    let mut page = String::from(
        "# Commands\n\n<!-- Generated from the program's help: LSMPC_UPDATE=1 cargo test --test pages -->\n\n",
    );
    let help = lsmpc(&["--help"]);
    page.push_str(&format!("```text\n{}\n```\n", help.trim_end()));
    for command in subcommands(&help) {
        let help = lsmpc(&[&command, "--help"]);
        page.push_str(&format!(
            "\n## lsmpc {command}\n\n```text\n{}\n```\n",
            help.trim_end()
        ));
    }
    expect_page("cli.md", &page);
}

/// The names in the section `Commands:` of the help.
fn subcommands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn since(since: Option<Since>) -> String {
    let (major, minor) = since.unwrap_or(OLDEST_KERNEL);
    format!("{major}.{minor}")
}

/// Enumerators, in full where they are few.
fn values(field: FieldId) -> String {
    let names: Vec<String> = catalogue::field(field)
        .enumerators
        .iter()
        .map(|known| format!("`{}`", known.name))
        .collect();
    match names.len() {
        0 => String::new(),
        1..=8 => names.join(" "),
        _ => format!("{} …", names[..4].join(" ")),
    }
}

#[test]
fn hooks() {
    let mut page = String::from(
        "# Hooks and fields\n\n\
         <!-- Generated from the catalogue: LSMPC_UPDATE=1 cargo test --test pages -->\n\n\
         Hooks are spelled as in the kernel. `lsmpc hooks` prints this list, and `lsmpc hooks\n\
         HOOK` one hook with all values of its fields. Where there is a `path` there is also\n\
         `any_path`: `path` or, where there is one, `new_path`.\n\n",
    );
    page.push_str(
        "## Hooks\n\n| hook | from Linux | when | fields of the object |\n|---|---|---|---|\n",
    );
    for hook in catalogue::hooks() {
        let fields: Vec<String> = hook
            .fields
            .iter()
            .map(|field| format!("`{}`", field.name()))
            .collect();
        page.push_str(&format!(
            "| `{}` | {} | {} | {} |\n",
            hook.id.name(),
            since(hook.since),
            hook.description,
            fields.join(" ")
        ));
    }
    page.push_str("\n## Fields\n\nThose of the subject are there in every hook.\n\n");
    page.push_str("| field | type | | values |\n|---|---|---|---|\n");
    for field in catalogue::fields() {
        let of = if field.id.is_subject() {
            "subject: "
        } else {
            ""
        };
        page.push_str(&format!(
            "| `{}` | {} | {of}{} | {} |\n",
            field.id.name(),
            field.ty.name(),
            field.description,
            values(field.id)
        ));
    }
    expect_page("hooks.md", &page);
}

#[test]
fn codes() {
    let mut page = String::from(
        "# Diagnostic codes\n\n\
         <!-- Generated from the list of codes: LSMPC_UPDATE=1 cargo test --test pages -->\n\n\
         `lsmpc explain CODE` prints the page of a code. `LSMP0xxx` is about the text, `1xxx` names\n\
         and types, `2xxx` meaning, `3xxx` limits, `4xxx` the machine, `9xxx` the compiler itself.\n\
         A code is never reused for something else.\n\n\
         | code | | |\n|---|---|---|\n",
    );
    let mut nested = String::new();
    for line in lsmpc(&["explain", "--list"]).lines() {
        let (code, rest) = line.split_once(' ').unwrap();
        let (severity, title) = rest.trim_start().split_once(' ').unwrap();
        let file = format!("codes/{code}.md");
        let shown = if Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("docs")
            .join(&file)
            .exists()
        {
            nested.push_str(&format!("  - [{code}]({file})\n"));
            format!("[{code}]({file})")
        } else {
            code.to_owned()
        };
        page.push_str(&format!("| {shown} | {severity} | {} |\n", title.trim()));
    }
    expect_page("codes.md", &page);

    let summary =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/SUMMARY.md")).unwrap();
    let mut expected = String::new();
    for line in summary.lines().filter(|line| !line.contains("(codes/")) {
        expected.push_str(line);
        expected.push('\n');
        if line.contains("(codes.md)") {
            expected.push_str(&nested);
        }
    }
    expect_page("SUMMARY.md", &expected);
}
