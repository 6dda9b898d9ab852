//! `lsmpc hooks` against the list of the language's specification.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::Place;

/// The specification's list, word for word.
const SPECIFICATION: &str = include_str!("../data/hooks.md");

const TYPES: &[&str] = &[
    "path", "name", "address", "int", "enum", "flags", "mode", "bool",
];

/// What the catalogue has beyond it.
const MORE: &[(&str, &str)] = &[("path_rename", "new_file.running")];

/// What a cell says: its fields, and the types and enumerators of those that it defines.
#[derive(Debug, Default)]
struct Cell {
    fields: BTreeSet<String>,
    types: BTreeMap<String, String>,
    values: BTreeMap<String, Vec<String>>,
}

/// Reads "`a` `b` int, `c` flags X Y" and the like.
fn cell(text: &str, groups: &BTreeMap<&str, BTreeSet<String>>) -> Cell {
    let mut cell = Cell::default();
    let (text, except) = match text.split_once(" except `") {
        Some((before, after)) => {
            let (name, rest) = after.split_once('`').unwrap();
            (format!("{before}{rest}"), Some(name.to_owned()))
        }
        None => (text.to_owned(), None),
    };
    for (group, fields) in groups {
        if text.contains(group) {
            cell.fields.extend(fields.iter().cloned());
        }
    }
    if let Some(name) = except {
        cell.fields.remove(&name);
    }
    // What stands in brackets explains.
    let mut plain = String::new();
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let mut before = None;
    for part in plain.split([',', ';']) {
        let mut names: Vec<String> = Vec::new();
        let mut words = part.split_whitespace().peekable();
        while let Some(word) = words.next() {
            if let Some(name) = word
                .strip_prefix('`')
                .and_then(|word| word.strip_suffix('`'))
            {
                names.push(name.to_owned());
            } else if word == "bools" {
                before = Some("bool");
            } else if TYPES.contains(&word) && !names.is_empty() {
                let values: Vec<String> = words
                    .by_ref()
                    .filter(|word| !word.starts_with('`'))
                    .map(str::to_owned)
                    .collect();
                for name in &names {
                    cell.types.insert(name.clone(), word.to_owned());
                    if word == "enum" || word == "flags" {
                        cell.values.insert(name.clone(), values.clone());
                    }
                }
            }
        }
        for name in names {
            if let Some(ty) = before {
                cell.types.insert(name.clone(), ty.to_owned());
            }
            cell.fields.insert(name);
        }
    }
    cell
}

/// The sentence that begins so, without its beginning.
fn sentence(start: &str) -> String {
    let at = SPECIFICATION.find(start).unwrap();
    let text = SPECIFICATION[at + start.len()..].replace('\n', " ");
    text.split(". ")
        .next()
        .unwrap()
        .trim_end_matches('.')
        .to_owned()
}

/// Each hook of the table: from which kernel on, and its cell.
fn table(groups: &BTreeMap<&str, BTreeSet<String>>) -> BTreeMap<String, (String, Cell)> {
    let mut found = BTreeMap::new();
    let rows = SPECIFICATION
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| hook"));
    for row in rows {
        let (hooks, fields) = row[2..].trim_end_matches(" |").split_once(" | ").unwrap();
        // One half of the cell for each hook, or all of it for all.
        let halves: Vec<&str> = fields.split(" / ").collect();
        for (number, hook) in hooks.split(", ").enumerate() {
            let (name, note) = hook.split_once(' ').unwrap_or((hook, ""));
            let kernel = note.trim_matches(['(', ')']);
            let kernel = if kernel.starts_with(|c: char| c.is_ascii_digit()) {
                kernel
            } else {
                "6.1"
            };
            let text = halves.get(number).unwrap_or(&halves[0]);
            found.insert(name.to_owned(), (kernel.to_owned(), cell(text, groups)));
        }
    }
    found
}

fn listed() -> BTreeMap<String, Value> {
    let output = Place::new().run(&["hooks", "--format", "json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|hook: Value| (hook["hook"].as_str().unwrap().to_owned(), hook))
        .collect()
}

/// The fields of a hook in the list: those of the subject, or of the object.
fn fields<'h>(hook: &'h Value, of: &str) -> BTreeMap<&'h str, &'h Value> {
    let all = hook["fields"].as_array().unwrap().iter();
    all.filter(|field| field["of"] == of)
        .map(|field| (field["name"].as_str().unwrap(), field))
        .collect()
}

fn names(fields: &BTreeMap<&str, &Value>) -> BTreeSet<String> {
    fields.keys().map(|name| (*name).to_owned()).collect()
}

/// Types and enumerators are those that are said.
fn as_said(said: &Cell, listed: &BTreeMap<&str, &Value>) {
    for (name, ty) in &said.types {
        assert_eq!(listed[name.as_str()]["type"], ty.as_str(), "{name}");
    }
    for (name, values) in &said.values {
        let known = listed[name.as_str()]["enumerators"].as_object().unwrap();
        assert!(!known.is_empty(), "{name}");
        for value in values {
            let found = match value.strip_suffix('*') {
                Some(prefix) => known.keys().any(|known| known.starts_with(prefix)),
                None => known.contains_key(value),
            };
            assert!(found, "{name}: {value}");
        }
    }
}

#[test]
fn the_list_is_the_specifications() {
    let none = BTreeMap::new();
    let file = cell(&sentence("**FILE** stands for: "), &none);
    let target = cell(&sentence("TARGET: "), &none);
    let attributes = file.fields.iter().filter(|name| name.starts_with("file."));
    let socket = ["family", "type", "protocol"].map(str::to_owned);
    let groups = BTreeMap::from([
        ("FILE", file.fields.clone()),
        ("TARGET", target.fields.clone()),
        ("`file.*`", attributes.cloned().collect()),
        ("the same", BTreeSet::from(socket)),
    ]);
    assert_eq!((file.fields.len(), target.fields.len()), (10, 4));

    let said = table(&groups);
    let listed = listed();
    let hooks = |names: Vec<&String>| names.into_iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(hooks(said.keys().collect()), hooks(listed.keys().collect()));
    let subject = cell(&sentence("**Subject fields**, in every hook: "), &none);
    for (name, (kernel, said)) in &said {
        let hook = &listed[name];
        assert_eq!(hook["kernel"], kernel.as_str(), "{name}");
        let object = fields(hook, "object");
        let mut expected = said.fields.clone();
        expected.remove("file.*");
        let more = MORE.iter().filter(|(of, _)| of == name);
        expected.extend(more.map(|(_, field)| (*field).to_owned()));
        assert_eq!(names(&object), expected, "{name}");
        as_said(said, &object);
        let has_path = object.contains_key("path");
        assert_eq!(hook["any_path"], has_path, "{name}");
        let of_subject = fields(hook, "subject");
        assert_eq!(names(&of_subject), subject.fields, "{name}");
        as_said(&subject, &of_subject);
    }
    as_said(&target, &fields(&listed["task_kill"], "object"));
    as_said(&file, &fields(&listed["file_open"], "object"));
}
