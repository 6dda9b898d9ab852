use std::path::PathBuf;

use lsmpc_abi::field::FieldId;
use lsmpc_engine::image::Image;

use super::open::{Fate, fate};
use super::{Tested, meets, run};
use crate::event::{Answer, Event, Verdict};
use crate::hir::{Expected, Hir};
use crate::lower::{LowerOptions, lower};
use crate::source::MemoryReader;
use crate::tables::Tables;
use crate::{Options, analyse};

fn policy(text: &str) -> (Hir, Tables) {
    let reader = MemoryReader::default().file("/p.lsmp", text);
    let analysis = analyse(&[PathBuf::from("/p.lsmp")], &reader, &Options::default());
    let (Some(hir), Some(ir)) = (analysis.hir, analysis.ir) else {
        panic!("{:#?}", analysis.diagnostics);
    };
    let lowered = lower(&ir, &LowerOptions::default()).unwrap();
    let image = Image::from_bytes(lowered.bytes).unwrap();
    (hir, Tables::new(image).unwrap())
}

/// The tests of a policy.
fn tested(text: &str) -> Vec<Tested> {
    let (hir, tables) = policy(text);
    run(&hir, &tables)
}

/// What the label of a policy's only failing expectation says.
fn label(text: &str) -> String {
    let tests = tested(text);
    let [failure] = &tests[0].failures[..] else {
        panic!("{:#?}", tests[0].failures);
    };
    failure.primary.as_ref().unwrap().text.clone()
}

/// The fields that decide whether an event is allowed; whether it is, if none do.
fn open(text: &str, event: &str) -> Result<bool, Vec<&'static str>> {
    let (hir, _) = policy(text);
    let event = Event::from_json_line(event).unwrap();
    let allowed = |answer: &Answer| answer.verdict == Verdict::Allow;
    match fate(&hir, &event, &allowed) {
        Fate::Settled { met, answer, .. } => {
            assert_eq!(met, allowed(&answer));
            Ok(met)
        }
        Fate::Depends(swings) => {
            for swing in &swings {
                assert!(allowed(&swing.met.answer), "{swing:?}");
                assert!(!allowed(&swing.missed.answer), "{swing:?}");
                assert_ne!(swing.met.value, swing.missed.value);
            }
            Err(swings.iter().map(|swing| swing.field.name()).collect())
        }
        Fate::TooMany(fields) => panic!("{fields:?}"),
    }
}

#[test]
fn only_fields_that_matter_are_named() {
    let text = "deny file_open when path == \"/a\" and uid == 0 and access has write";
    let event = |rest: &str| format!("{{\"hook\":\"file_open\",\"exe\":\"/x\"{rest}}}");
    assert_eq!(open(text, &event("")), Err(vec!["uid", "path", "access"]));
    assert_eq!(
        open(text, &event(",\"uid\":0")),
        Err(vec!["path", "access"])
    );
    assert_eq!(open(text, &event(",\"uid\":1")), Ok(true));
    assert_eq!(
        open(
            text,
            &event(",\"path\":\"/a\",\"access\":[\"write\"],\"uid\":0")
        ),
        Ok(false)
    );
}

#[test]
fn whatever_the_value_is_may_be_settled() {
    let event = r#"{"hook":"file_open","exe":"/x"}"#;
    // Unknown to the reference, but every value is denied.
    let always = "deny file_open when uid < 10\ndeny file_open when uid >= 10";
    assert_eq!(open(always, event), Ok(false));
    let almost = "deny file_open when uid < 10\ndeny file_open when uid > 10";
    assert_eq!(open(almost, event), Err(vec!["uid"]));
    // No value is both.
    let never = "deny file_open when path == \"/a/*\" and path == \"/b/*\"";
    assert_eq!(open(never, event), Ok(true));
    let both = "deny file_open when path == \"/a/*b\" and path == \"/a/c*\"";
    assert_eq!(open(both, event), Err(vec!["path"]));
    // A stricter rule decides whatever else matches.
    let shadowed = "deny file_open\naudit file_open when uid == 0";
    assert_eq!(open(shadowed, event), Ok(false));
}

#[test]
fn every_type_of_field() {
    let open_file = r#"{"hook":"file_open","exe":"/x"}"#;
    let connect = r#"{"hook":"socket_connect","exe":"/x"}"#;
    for (text, event, field) in [
        ("deny file_open when comm == \"a*b\"", open_file, "comm"),
        (
            "deny file_open when file.mode has S_ISUID",
            open_file,
            "file.mode",
        ),
        (
            "deny file_open when file.mode == 0o4755",
            open_file,
            "file.mode",
        ),
        (
            "deny file_open when file.type == DIR",
            open_file,
            "file.type",
        ),
        ("deny file_open when file.owned", open_file, "file.owned"),
        (
            "deny file_open when access has any [write, append]",
            open_file,
            "access",
        ),
        ("deny socket_connect when port == 65535", connect, "port"),
        (
            "deny socket_connect when addr == \"10.0.0.0/8\"",
            connect,
            "addr",
        ),
        (
            "deny socket_connect when addr == \"fe80::/10\"",
            connect,
            "addr",
        ),
        (
            "deny socket_connect when family == AF_INET6",
            connect,
            "family",
        ),
        ("deny socket_connect when family == 4711", connect, "family"),
        // None, and nothing else, is denied.
        (
            "deny socket_connect when port > 65535 or not port >= 0",
            connect,
            "port",
        ),
    ] {
        let text = format!("@silence(\"LSMP2005\") {text}");
        assert_eq!(open(&text, event), Err(vec![field]), "{text}");
    }
    // A user id always applies.
    let text = "@silence(\"LSMP2005\") deny file_open when not uid >= 0";
    assert_eq!(open(text, open_file), Ok(true));
    // A file that is opened has an owner, a mapping need not have a file.
    let text = |hook: &str| format!("@silence(\"LSMP2005\") deny {hook} when not file.uid >= 0");
    assert_eq!(open(&text("file_open"), open_file), Ok(true));
    let map = r#"{"hook":"mmap_file"}"#;
    assert_eq!(open(&text("mmap_file"), map), Err(vec!["file.uid"]));
}

#[test]
fn scopes_and_exemptions_are_open_too() {
    let text = "scope s when exe == \"/s\" { default deny file_open }\nexempt when uid == 7";
    let event = |rest: &str| format!("{{\"hook\":\"file_open\"{rest}}}");
    assert_eq!(open(text, &event("")), Err(vec!["exe", "uid"]));
    assert_eq!(open(text, &event(",\"exe\":\"/s\"")), Err(vec!["uid"]));
    assert_eq!(open(text, &event(",\"exe\":\"/t\"")), Ok(true));
    assert_eq!(open(text, &event(",\"uid\":7")), Ok(true));
}

#[test]
fn too_many_flags_are_given_up_on() {
    let names = lsmpc_abi::catalogue::field(FieldId::MmapFlags).enumerators;
    let mut bits = 0;
    let mut text = String::new();
    for known in names {
        if known.value.is_power_of_two() && bits & known.value == 0 {
            bits |= known.value;
            text.push_str(&format!(
                "deny mmap_file when mmap.flags has {}\n",
                known.name
            ));
        }
    }
    assert!(bits.count_ones() > 12);
    text.push_str("test \"t\" { expect deny mmap_file }");
    let said = label(&text);
    assert!(said.starts_with("`mmap.flags` may matter"), "{said}");
}

#[test]
fn what_words_mean() {
    let answer = |verdict, errno, record| Answer {
        verdict,
        errno,
        record,
        unknown: false,
        rules: Vec::new(),
    };
    let all = [
        Expected::Deny(None),
        Expected::Deny(Some(13)),
        Expected::Allow,
        Expected::Kill,
        Expected::Audit,
        Expected::Quiet,
    ];
    let met = |answer: &Answer| {
        let met: Vec<bool> = all.iter().map(|word| meets(*word, answer)).collect();
        <[bool; 6]>::try_from(met).unwrap()
    };
    let (t, f) = (true, false);
    assert_eq!(met(&answer(Verdict::Deny, Some(1), t)), [t, f, f, f, f, f]);
    assert_eq!(met(&answer(Verdict::Deny, Some(13), f)), [t, t, f, f, f, f]);
    assert_eq!(met(&answer(Verdict::Kill, Some(1), t)), [f, f, f, t, f, f]);
    assert_eq!(met(&answer(Verdict::Allow, None, t)), [f, f, t, f, t, f]);
    assert_eq!(met(&answer(Verdict::Allow, None, f)), [f, f, t, f, f, t]);
}

#[test]
fn given_values_last_until_they_are_replaced() {
    let tests = tested(
        r#"
deny file_open when path == "/a" and uid == 1
test "one" {
  given uid = 1
  expect deny file_open path = "/a"
  expect allow file_open path = "/a", uid = 2
  expect deny file_open path = "/a"
  given uid = 3
  expect allow file_open path = "/a"
}
test "another begins anew" {
  expect allow file_open path = "/a", uid = 2
  expect allow file_open path = "/a"
}
"#,
    );
    let [one, another] = &tests[..] else { panic!() };
    assert!(one.passed() && one.expectations == 4, "{one:#?}");
    assert_eq!(another.failures.len(), 1);
    assert_eq!(another.name, "another begins anew");
}

#[test]
fn what_is_shown() {
    assert_eq!(
        label("deny file_open\ntest \"t\" { expect deny with EACCES file_open }"),
        "expected `deny with EACCES`, but it is denied with EPERM"
    );
    assert_eq!(
        label("audit file_open\ntest \"t\" { expect quiet file_open }"),
        "expected `quiet`, but it is allowed, with a record"
    );
    assert_eq!(
        label("kill file_open\ntest \"t\" { expect deny file_open }"),
        "expected `deny`, but it is denied and killed"
    );
}

/// The labels beside the main one, as the text they are at and what they say.
fn beside(text: &str) -> Vec<(String, String)> {
    let tests = tested(text);
    let [failure] = &tests[0].failures[..] else {
        panic!("{:#?}", tests[0].failures);
    };
    let at = |span: lsmpc_syntax::Span| text[span.start as usize..span.end as usize].to_owned();
    failure
        .secondary
        .iter()
        .map(|label| (at(label.span), label.text.clone()))
        .collect()
}

fn pair(at: &str, says: &str) -> (String, String) {
    (at.to_owned(), says.to_owned())
}

#[test]
fn why_the_others_did_not_match() {
    let rules = r#"
deny file_open when path == "/a" and uid == 1 and comm == "x"
deny file_open when path == "/b" and uid == 1
deny file_open when uid == 2 unless comm == "y"
deny file_open when path == "/d" and uid == 1 and comm == "x"
audit file_open when uid == 9
"#;
    let text = format!(
        "{rules}test \"t\" {{ expect deny file_open path = \"/c\", uid = 2, comm = \"y\" }}"
    );
    // The nearest first, three at most, no `audit`.
    assert_eq!(
        beside(&text),
        [
            pair(
                "comm == \"y\"",
                "not matched, because this holds: `comm` is \"y\""
            ),
            pair("path == \"/b\"", "not matched: `path` is \"/c\""),
            pair("path == \"/a\"", "not matched: `path` is \"/c\""),
        ]
    );
}

#[test]
fn what_decided() {
    assert_eq!(
        beside(
            "deny file_open when uid == 1 unless comm == \"x\"\n\
             test \"t\" { expect allow file_open uid = 1, comm = \"y\" }"
        ),
        [
            pair("deny", "this rule denies"),
            pair(
                "comm == \"x\"",
                "this exception does not hold: `comm` is \"y\""
            ),
        ]
    );
    assert_eq!(
        beside(
            "scope s when exe == \"/s\" {\n default deny file_open\n \
             allow file_open when uid == 2\n deny file_open when uid == 3\n}\n\
             test \"t\" { expect allow file_open uid = 1, exe = \"/s\" }"
        ),
        [
            pair("file_open", "denied by this default"),
            pair("uid == 2", "not matched: `uid` is 1"),
        ]
    );
    assert_eq!(
        beside(
            "scope s when exe == \"/s\" { deny file_open }\n\
             test \"t\" { expect deny file_open exe = \"/t\" }"
        ),
        [pair(
            "exe == \"/s\"",
            "the scope does not hold: `exe` is \"/t\""
        )]
    );
    assert_eq!(
        beside(
            "deny file_open\nexempt when uid == 7\ntest \"t\" { expect deny file_open uid = 7 }"
        ),
        [pair("uid == 7", "exempt: `uid` is 7")]
    );
}

#[test]
fn tables_that_say_something_else_are_an_internal_error() {
    let (hir, _) = policy("deny file_open\ntest \"t\" { expect deny file_open }");
    let (_, tables) = policy("audit file_open");
    let tests = run(&hir, &tables);
    let failure = &tests[0].failures[0];
    assert_eq!(failure.code, crate::code::Code::Internal);
    assert!(failure.notes[0].contains("\"verdict\":\"deny\""));
    assert!(failure.notes[0].contains("\"verdict\":\"allow\""));
}

#[test]
fn hooks_that_no_statement_is_about() {
    let tests = tested("deny file_open\ntest \"t\" { expect deny task_kill }");
    let failure = &tests[0].failures[0];
    assert_eq!(
        failure.notes[0],
        "no statement of the policy is about `task_kill`"
    );
}

#[test]
fn opposites_leave_open_what_they_leave_open() {
    let (yes, no) = (Ok(true), Ok(false));
    let excepted = "deny file_open when path == \"/a\" unless uid == 0";
    let open_for = |uid: u32| open(excepted, &format!(r#"{{"hook":"file_open","uid":{uid}}}"#));
    assert_eq!(open_for(0), yes);
    assert_eq!(open_for(1), Err(vec!["path"]));
    let opposite = "deny file_open when not path == \"/a\" and uid == 1";
    let event = r#"{"hook":"file_open"}"#;
    assert_eq!(open(opposite, event), Err(vec!["uid", "path"]));
    let event = r#"{"hook":"file_open","path":"/b","uid":1}"#;
    assert_eq!(open(opposite, event), no);
}

#[test]
fn what_follows_from_one_field_may_ask_another() {
    let text = "deny file_open when uid == 1 and gid == 1 or uid != 1 and euid == 1";
    assert_eq!(
        open(text, r#"{"hook":"file_open"}"#),
        Err(vec!["uid", "gid", "euid"])
    );
    // A scope that sticks counts, whatever its own condition is.
    let text = "scope s when uid == 1 inherit { deny file_open when path == \"/a\" and gid == 1 }";
    assert_eq!(
        open(text, r#"{"hook":"file_open","uid":0,"inherited":["s"]}"#),
        Err(vec!["gid", "path"])
    );
}

#[test]
fn lists_are_bound_as_they_are_written() {
    for (cond, bound) in [
        ("access has read", "access = [read, read]"),
        ("ancestor.exe == \"/a\"", "ancestor.exe = [\"/b\", \"/a\"]"),
    ] {
        let tests = tested(&format!(
            "deny file_open when {cond}\ntest \"t\" {{ expect deny file_open {bound} }}"
        ));
        assert_eq!(tests[0].failures, []);
    }
}
