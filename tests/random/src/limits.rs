//! Policies whose tables are as large as they can be, in one way or another.

use std::fmt::Write as _;

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::{MAX_STEPS, STICKY_BITS};

/// One rule that asks that many questions, all of which have to be answered by yes, and
/// the event that does.
///
/// # Panics
///
/// If they are fewer than there are fields and flags.
#[must_use]
pub fn long_walk(steps: usize) -> (String, String) {
    let flags = [FieldId::Caps, FieldId::MountFlags].map(|field| {
        let info = catalogue::field(field);
        let single = info
            .enumerators
            .iter()
            .filter(|flag| flag.value.count_ones() == 1);
        let mut names: Vec<(u64, &str)> = single.map(|flag| (flag.value, flag.name)).collect();
        names.sort_unstable();
        names.dedup_by_key(|(value, _)| *value);
        let names = names.into_iter().map(move |(_, name)| (field, name));
        names.take(30).collect::<Vec<_>>()
    });
    let mut conds = Vec::new();
    let mut event = String::from(r#"{"hook":"sb_mount""#);
    for names in &flags {
        let Some((field, _)) = names.first() else {
            continue;
        };
        let set: Vec<String> = names.iter().map(|(_, name)| format!("{name:?}")).collect();
        let _ = write!(event, ",{:?}:[{}]", field.name(), set.join(","));
        conds.extend(
            names
                .iter()
                .map(|(field, name)| format!("{} has {name}", field.name())),
        );
    }
    for field in ["uid", "gid", "pid"] {
        conds.push(format!("{field} == 1"));
        let _ = write!(event, ",\"{field}\":1");
    }
    let programs = steps - conds.len();
    conds.extend((0..programs).map(|number| format!("ancestor.exe == \"/p{number}\"")));
    let list: Vec<String> = (0..programs)
        .map(|number| format!("\"/p{number}\""))
        .collect();
    let _ = write!(event, ",\"ancestor.exe\":[{}]}}", list.join(","));
    (format!("deny sb_mount when {}", conds.join(" and ")), event)
}

/// Policies at a limit each: the longest walk, all that can stick to a task, the longest
/// components and paths, and an automaton of thousands of states.
#[must_use]
pub fn policies() -> Vec<String> {
    let ancestors: Vec<String> = (0..STICKY_BITS)
        .map(|number| format!("ancestor.exe == \"/p{number}\""))
        .collect();
    let component = |last: char| format!("{}{last}", "a".repeat(254));
    let longest = |last: char| format!("{}/{}{last}", "/a".repeat(1919), "b".repeat(254));
    vec![
        long_walk(MAX_STEPS as usize).0,
        format!("deny file_open when {}", ancestors.join(" and ")),
        format!(
            "deny file_open when path in [\"/{0}/{0}\", \"/{0}/{1}\", \"/{0}/*\", \"/{0}?\"]",
            component('b'),
            component('c'),
        ),
        format!(
            "deny file_open when path == \"{}\"\nkill file_open when path == \"{}\"",
            longest('x'),
            longest('y'),
        ),
        "deny file_open when path in [\"/*a????????????\", \"/**/x*y?????\"]".to_owned(),
    ]
}
