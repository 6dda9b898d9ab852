//! What `diff` finds out, case by case: which events two policies answer differently,
//! and where an inherited scope begins or ends for other tasks.

use lsmpc_abi::hook::HookId;
use lsmpc_compiler::analysis::diff::{Answered, Comparison, ScopePart, Side, compare};
use lsmpc_compiler::hir::Hir;
use lsmpc_compiler::source::MemoryReader;
use lsmpc_compiler::{Options, analyse};

fn policy(text: &str) -> Hir {
    let reader = MemoryReader::default().file("/p.lsmp", text);
    let analysis = analyse(&["/p.lsmp".into()], &reader, &Options::default());
    let said = &analysis.diagnostics;
    analysis.hir.unwrap_or_else(|| panic!("{said:?}\n{text}"))
}

/// What a policy does, the rules that decided, and the scopes that the event must not
/// name.
fn does(said: &Answered) -> String {
    let mut text = said.reaction.verdict.as_str().to_owned();
    if let Some(errno) = said.reaction.errno {
        text.push_str(&format!(" with {errno}"));
    }
    if said.reaction.record {
        text.push_str(" and record");
    }
    if said.on_error {
        text.push_str(", by on_error");
    }
    for decider in &said.deciders {
        text.push_str(&format!(", by {} at {}", decider.id, decider.span.start));
    }
    if !said.without.is_empty() {
        text.push_str(&format!(" (without {})", said.without.join(", ")));
    }
    text
}

/// One line for each finding.
fn shown(found: &Comparison) -> String {
    let mut lines = Vec::new();
    for change in &found.changes {
        let kinds: Vec<&str> = change.kinds().iter().map(|kind| kind.as_str()).collect();
        let mut line = format!("{}: {}", change.hook.name(), kinds.join(", "));
        if !change.unknown.is_empty() {
            let unknown: Vec<&str> = change.unknown.iter().map(|field| field.name()).collect();
            line.push_str(&format!(", where {} is unknown", unknown.join(", ")));
        }
        if !change.doubtful.is_empty() {
            let doubtful = change.doubtful.join(", ");
            line.push_str(&format!(", where it is unknown whether {doubtful} sticks"));
        }
        line.push_str(&format!("\n  {}", change.event.to_json_line()));
        for (when, said) in [("before", &change.before), ("after", &change.after)] {
            line.push_str(&format!("\n  {when}: {}", does(said)));
        }
        lines.push(line);
    }
    for change in &found.scopes {
        let part = match change.part {
            ScopePart::Begins => "begins",
            ScopePart::Ends => "ends",
        };
        lines.push(format!(
            "scope {} {part}: {}, then {}\n  {}",
            change.scope,
            change.before.as_str(),
            change.after.as_str(),
            change.subject.to_json_line()
        ));
    }
    for hook in &found.equal {
        lines.push(format!("{}: equal", hook.name()));
    }
    for open in &found.undecided {
        lines.push(format!("{}: not decided, {}", open.about, open.reason));
    }
    lines.push(if found.is_equivalent() {
        "equivalent".to_owned()
    } else {
        "not equivalent".to_owned()
    });
    lines.join("\n")
}

/// A scope with that head that denies.
fn scope(head: &str) -> String {
    format!("scope s when {head} {{\n  @id(\"r\") deny file_open\n}}")
}

#[test]
fn cases() {
    let by_ancestor = |cond: &str| format!("@id(\"r\") deny file_open when {cond}");
    let lax = |cond: &str| format!("on_error allow file_open\n{}", by_ancestor(cond));
    let a = "ancestor.exe == \"/a\"";
    let in_scope = |on_error: &str| {
        format!(
            "@id(\"o\") deny with ENOENT file_open when uid == 2\n\
             scope s when uid == 1 inherit {{\n  on_error {on_error} file_open\n  \
             @id(\"r\") deny file_open when uid == 2\n}}"
        )
    };
    // Without an event of its own that is denied by EPERM.
    let always = "@id(\"o\") deny with EACCES file_open when uid == 2";
    let doubtful = |cond: &str| {
        format!(
            "{always}\nscope s when uid == 1 inherit {{\n  \
             @id(\"r\") deny with ENOENT file_open when uid == 2 and exe != \"/x\"\n}}\n\
             scope t when exe == \"/x\" {{\n  \
             @id(\"t\") deny with ENOENT file_open when {cond}\n}}"
        )
    };
    let two_scopes = |one: &str, other: &str| {
        format!(
            "scope silent when uid == {one} inherit {{ default allow file_open }}\n{}",
            scope(&format!("gid == {other} inherit"))
        )
    };
    let cases: Vec<(&str, String, String)> = vec![
        (
            "verdicts that become stricter",
            "@id(\"d\") deny file_open when uid == 2".into(),
            "@id(\"d\") deny file_open when uid == 1\n@id(\"k\") kill file_open when uid in [2, 3]"
                .into(),
        ),
        (
            "verdicts that become looser",
            "@id(\"d\") deny file_open when uid == 1\n@id(\"k\") kill file_open when uid in [2, 3]"
                .into(),
            "@id(\"d\") deny file_open when uid == 2".into(),
        ),
        (
            "another errno, and records",
            "@id(\"d\") deny with EACCES file_open when uid == 1\n@id(\"a\") audit task_kill".into(),
            "@id(\"d\") deny with ENOENT file_open when uid == 1\n@id(\"a\") audit file_open when uid == 2"
                .into(),
        ),
        (
            "a program among the ancestors",
            String::new(),
            by_ancestor(a),
        ),
        (
            "two programs among the ancestors, and one that is not",
            String::new(),
            by_ancestor(
                "ancestor.exe == \"/a\" and ancestor.exe == \"/b\" and not ancestor.exe == \"/c\"",
            ),
        ),
        (
            "a program among the ancestors that is not one of its kind",
            String::new(),
            by_ancestor("ancestor.exe == \"/a/*\" and not ancestor.exe == \"/a/b\""),
        ),
        (
            "no task has an ancestor that both passes and does not",
            "@id(\"x\") audit task_kill".into(),
            format!(
                "@id(\"x\") audit task_kill\n{}",
                by_ancestor("ancestor.exe == \"/a/b\" and not ancestor.exe == \"/a/*\"")
            ),
        ),
        (
            "ancestors that are unknown",
            by_ancestor(a),
            lax(a),
        ),
        (
            "a field that is unknown",
            by_ancestor("file.uid == 1"),
            lax("file.uid == 1"),
        ),
        (
            "an inherited scope that one has",
            scope("uid == 1 inherit"),
            scope("uid == 1"),
        ),
        (
            "an inherited scope of another name",
            scope("uid == 1 inherit"),
            scope("uid == 1 inherit").replace("scope s", "scope t"),
        ),
        (
            "an inherited scope that begins elsewhere",
            scope("uid == 1 inherit"),
            scope("uid in [1, 2] inherit"),
        ),
        (
            "an inherited scope that ends elsewhere",
            scope("uid == 1 inherit"),
            scope("uid == 1 inherit until gid == 5"),
        ),
        (
            "an inherited scope that begins in other words",
            scope("uid in [1, 2] inherit until gid == 1"),
            scope("uid == 1 or uid == 2 inherit until not gid != 1"),
        ),
        (
            "where an inherited scope begins does not matter if it says nothing",
            "scope s when uid == 1 inherit { default allow file_open }".into(),
            "scope s when uid == 2 inherit { default allow file_open }".into(),
        ),
        (
            "whether an inherited scope sticks is unknown",
            in_scope("deny"),
            in_scope("allow"),
        ),
        (
            "several scopes and ancestors that one has",
            String::new(),
            format!(
                "{}\n{}\n{}",
                scope("uid == 1 inherit"),
                scope("uid == 2 inherit")
                    .replace("scope s", "scope t")
                    .replace("\"r\") deny", "\"k\") kill"),
                by_ancestor(a).replace("\"r\") deny", "\"q\") @quiet(true) deny with EACCES"),
            ),
        ),
        (
            "exemptions",
            "@id(\"d\") deny file_open".into(),
            "exempt when exe == \"/x\"\nexempt when uid == 7\n@id(\"d\") deny file_open".into(),
        ),
        (
            "defaults",
            "default deny file_open\nallow file_open when uid == 1".into(),
            "default audit file_open\nallow file_open when uid == 1".into(),
        ),
        (
            "one rule more",
            "@id(\"d\") deny file_open when uid == 1".into(),
            "@id(\"d\") deny file_open when uid == 1\n@id(\"e\") deny file_open when gid == 1".into(),
        ),
        (
            "one module more",
            "@id(\"d\") deny file_open when uid == 1".into(),
            format!("@id(\"d\") deny file_open when uid == 1\n{}", scope("gid == 1")),
        ),
        (
            "a scope that holds elsewhere",
            scope("uid == 1"),
            scope("uid == 2"),
        ),
        (
            "another effect of the same condition",
            "@id(\"d\") deny file_open when uid == 1".into(),
            "@id(\"d\") kill file_open when uid == 1".into(),
        ),
        (
            "a record less of the same condition",
            "@id(\"d\") deny file_open when uid == 1".into(),
            "@id(\"d\") @quiet(true) deny file_open when uid == 1".into(),
        ),
        (
            "certain changes come first",
            "@id(\"d\") deny with EACCES file_open when uid == 1".into(),
            String::new(),
        ),
        (
            "so do they where it is unknown whether a scope sticks",
            format!(
                "{}\nscope s when uid == 1 inherit {{\n  \
                 @id(\"r\") deny with ENOENT file_open when uid == 2\n}}",
                always
            ),
            always.into(),
        ),
        (
            "events with everything known are looked for first",
            "@id(\"d\") deny file_open when exe == \"/x\"\n\
             @id(\"e\") deny with EACCES file_open when gid == 5"
                .into(),
            String::new(),
        ),
        (
            "and so of flags",
            "@id(\"d\") deny file_open when exe == \"/x\"\n\
             @id(\"e\") deny with EACCES file_open when caps has CAP_KILL"
                .into(),
            String::new(),
        ),
        (
            "then those with fields unknown, and then those of unknown scopes",
            doubtful("gid == 5"),
            always.into(),
        ),
        (
            "ancestors can be said to be unknown, scopes cannot",
            doubtful(a),
            always.into(),
        ),
        (
            "an ancestor that is unknown may be any program",
            by_ancestor(a).replace("deny", "deny with ENOENT"),
            by_ancestor("not ancestor.exe == \"/b\"").replace("deny", "deny with EACCES"),
        ),
        (
            "three programs among the ancestors",
            String::new(),
            by_ancestor("ancestor.exe == \"/c\" and ancestor.exe == \"/b\" and ancestor.exe == \"/a\""),
        ),
        (
            "of two inherited scopes the one that says something",
            two_scopes("1", "1"),
            two_scopes("2", "2"),
        ),
        (
            "addresses next to one for documentation",
            String::new(),
            "@id(\"d\") deny socket_connect when addr == \"192.0.2.0\"\n\
             @id(\"e\") deny with EACCES socket_connect when addr == \"fe80::/10\""
                .into(),
        ),
        (
            "a record beside a quiet denial",
            String::new(),
            "@id(\"q\") @quiet(true) deny file_open when uid == 1\n\
             @id(\"a\") audit file_open when gid == 2"
                .into(),
        ),
        (
            "a kill beside a record",
            String::new(),
            "@id(\"a\") audit file_open when uid == 1\n@id(\"k\") kill file_open when uid == 1 and gid == 2".into(),
        ),
        (
            "some bits of a mode",
            String::new(),
            "@id(\"m\") deny file_open when file.mode has any [S_ISUID, S_ISGID]".into(),
        ),
        (
            "more rules than one of a kind",
            "@id(\"a\") deny file_open when uid == 1\n@id(\"b\") deny file_open when gid == 1".into(),
            "@id(\"b\") deny file_open when gid == 1\n@id(\"c\") deny file_open when euid == 1".into(),
        ),
    ];
    let mut text = String::new();
    for (what, before, after) in cases {
        let (before, after) = (policy(&before), policy(&after));
        let found = compare(Side::whole(&before), Side::whole(&after));
        text.push_str(&format!("== {what}\n{}\n\n", shown(&found)));
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots/compiler");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    insta::assert_snapshot!("differences", text);
}

#[test]
fn a_hook_that_is_left_out_allows_everything() {
    let denies = policy("@id(\"d\") deny file_open, task_kill when uid == 1");
    let left_out = Side {
        policy: &denies,
        left_out: &[HookId::FileOpen],
    };
    let found = compare(left_out, Side::whole(&denies));
    assert_eq!(
        shown(&found),
        "file_open: now denied, now recorded\n  \
         {\"hook\":\"file_open\",\"uid\":1}\n  before: allow\n  \
         after: deny with 1 and record, by d at 9\n\
         task_kill: equal\nnot equivalent"
    );
    assert!(compare(left_out, left_out).is_equivalent());
}

#[test]
fn more_sticks_to_tasks_than_can_be_told_apart() {
    let ancestors = |from: u32| {
        let rules = (from..from + 33).map(|number| {
            format!("@id(\"r{number}\") deny file_open when ancestor.exe == \"/a{number}\"\n")
        });
        rules.collect::<String>()
    };
    let found = |from: u32| {
        let (one, other) = (policy(&ancestors(0)), policy(&ancestors(from)));
        shown(&compare(Side::whole(&one), Side::whole(&other)))
    };
    assert_eq!(
        found(33),
        "file_open: not decided, the two together have more than 64 things that stick to tasks\n\
         not equivalent"
    );
    assert!(found(31).starts_with("file_open: now "), "{}", found(31));
}
