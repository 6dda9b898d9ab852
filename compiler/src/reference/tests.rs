//! Sentence by sentence after LANGUAGE §5 and §8.

use std::path::PathBuf;

use super::evaluate;
use crate::check;
use crate::event::Event;
use crate::hir::Hir;
use crate::load;
use crate::options::Options;
use crate::source::MemoryReader;

/// The typed form, also of what cannot be enforced yet.
fn policy(text: &str) -> Hir {
    let reader = MemoryReader::default().file("/p.lsmp", text);
    let loaded = load::load(&[PathBuf::from("/p.lsmp")], &reader, false, 1 << 20);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let checked = check::check(
        &loaded.sources,
        &loaded.files,
        check::Text::Whole,
        &Options::default(),
    );
    for diagnostic in &checked.diagnostics {
        assert!(!diagnostic.is_error(), "{diagnostic:?}");
    }
    checked.hir
}

/// The answer in short: verdict, errno, `r` for a record, `u` for unknown, rules.
fn answer(policy: &Hir, event: &str) -> String {
    let answer = evaluate(policy, &Event::from_json_line(event).unwrap()).unwrap();
    let errno = answer
        .errno
        .and_then(lsmpc_abi::catalogue::errno_name)
        .unwrap_or("-");
    format!(
        "{} {errno} {}{} {}",
        answer.verdict.as_str(),
        if answer.record { "r" } else { "" },
        if answer.unknown { "u" } else { "" },
        answer.rules.join(",")
    )
}

/// Events of file_open by path and uid: `null` is none, `?` unknown.
fn opened(policy: &Hir, path: &str, uid: &str) -> String {
    let mut event = String::from("{\"hook\":\"file_open\"");
    if path != "?" {
        event.push_str(&format!(",\"path\":{path}"));
    }
    if uid != "?" {
        event.push_str(&format!(",\"uid\":{uid}"));
    }
    event.push('}');
    answer(policy, &event)
}

#[test]
fn verdicts_of_a_module() {
    let p = policy(
        "@id(\"a\") allow file_open when uid < 10\n\
         @id(\"d\") deny with EACCES file_open when path == \"/d\"\n\
         @id(\"e\") deny with ENOENT file_open when path == \"/d\" and uid == 5\n\
         @id(\"k\") kill file_open when path == \"/k\"\n\
         @id(\"l\") audit file_open when path == \"/l\"\n\
         default deny file_open",
    );
    assert_eq!(opened(&p, "\"/x\"", "1"), "allow -  a");
    assert_eq!(opened(&p, "\"/x\"", "11"), "deny EPERM r default:");
    assert_eq!(opened(&p, "\"/d\"", "1"), "deny EACCES r d");
    assert_eq!(opened(&p, "\"/d\"", "5"), "deny ENOENT r d,e");
    assert_eq!(opened(&p, "\"/k\"", "1"), "kill EPERM r k");
    assert_eq!(opened(&p, "\"/l\"", "1"), "allow - r a,l");
    assert_eq!(opened(&p, "\"/l\"", "11"), "deny EPERM r default:,l");
    assert_eq!(answer(&p, "{\"hook\":\"file_lock\"}"), "allow -  ");
}

#[test]
fn none_is_false_and_unknown_is_unknown() {
    let p = policy(
        "@id(\"eq\") audit file_open when path == \"/a\"\n\
         @id(\"ne\") audit file_open when path != \"/a\"\n\
         @id(\"in\") audit file_open when uid not in [1, 2]\n\
         @id(\"or\") audit file_open when uid == 1 or path == \"/a\"",
    );
    assert_eq!(opened(&p, "null", "null"), "allow - r in,ne");
    assert_eq!(opened(&p, "\"/a\"", "1"), "allow - r eq,or");
    assert_eq!(opened(&p, "?", "1"), "allow - r or");
    assert_eq!(opened(&p, "?", "2"), "allow - r ");
}

#[test]
fn on_error_decides_where_unknowns_matter() {
    let rules = "@id(\"d\") deny with EACCES file_open when path == \"/d\"\n";
    let deny = policy(rules);
    let allow = policy(&format!("{rules}on_error allow file_open"));
    assert_eq!(opened(&deny, "?", "1"), "deny EPERM ru ");
    assert_eq!(opened(&allow, "?", "1"), "allow - u ");

    // An unknown that cannot change the verdict does not matter.
    let rules = "@id(\"d\") deny with EACCES file_open when uid == 1\n\
                 @id(\"e\") deny file_open when path == \"/d\"\n";
    assert_eq!(opened(&policy(rules), "?", "1"), "deny EACCES r d");

    // Between deny and kill the loosest possible verdict is deny.
    let rules = "@id(\"d\") deny with EACCES file_open when uid == 1\n\
                 @id(\"k\") kill file_open when path == \"/d\"\n";
    assert_eq!(opened(&policy(rules), "?", "1"), "deny EPERM ru d");
    let allow = policy(&format!("{rules}on_error allow file_open"));
    assert_eq!(opened(&allow, "?", "1"), "deny EACCES ru d");
}

#[test]
fn unknown_allows() {
    let rules = "@id(\"a\") allow file_open when path == \"/a\"\n";
    let deny = policy(&format!("{rules}default deny file_open"));
    assert_eq!(opened(&deny, "?", "1"), "deny EPERM ru ");
    let loose = policy(&format!(
        "{rules}default deny file_open\non_error allow file_open"
    ));
    assert_eq!(opened(&loose, "?", "1"), "allow - u ");
    // Under `default audit` an unknown allow records, and lists nothing.
    let audit = policy(&format!("{rules}default audit file_open"));
    assert_eq!(opened(&audit, "?", "1"), "allow - r ");
    assert_eq!(opened(&audit, "\"/a\"", "1"), "allow -  a");
    assert_eq!(opened(&audit, "\"/b\"", "1"), "allow - r default:");
}

#[test]
fn quiet_rules_and_exempt_subjects() {
    let p = policy(
        "@quiet(true) @id(\"q\") deny file_open when path == \"/q\"\n\
         @id(\"l\") audit file_open\n\
         exempt when uid == 0",
    );
    assert_eq!(opened(&p, "\"/q\"", "1"), "deny EPERM r l,q");
    assert_eq!(opened(&p, "\"/q\"", "0"), "allow -  ");
    assert_eq!(opened(&p, "\"/q\"", "?"), "deny EPERM r l,q");
    let p = policy("@quiet(true) @id(\"q\") deny file_open when path == \"/q\"");
    assert_eq!(opened(&p, "\"/q\"", "1"), "deny EPERM  q");
    // `on_error` is no rule, and not quiet.
    assert_eq!(opened(&p, "?", "1"), "deny EPERM ru ");
}

#[test]
fn scopes_restrict_and_never_loosen() {
    let p = policy(
        "@id(\"o\") deny file_open when path == \"/o\"\n\
         scope web when uid == 33 {\n\
           default deny file_open\n\
           @id(\"w\") allow file_open when path in [\"/o\", \"/w\"]\n\
         }",
    );
    assert_eq!(opened(&p, "\"/w\"", "1"), "allow -  ");
    assert_eq!(opened(&p, "\"/w\"", "33"), "allow -  w");
    assert_eq!(opened(&p, "\"/o\"", "33"), "deny EPERM r o,w");
    assert_eq!(opened(&p, "\"/x\"", "33"), "deny EPERM r default:web");
    // The scope is unknown: its statements are at most unknown.
    assert_eq!(opened(&p, "\"/x\"", "?"), "deny EPERM ru ");
    assert_eq!(opened(&p, "\"/o\"", "?"), "deny EPERM ru o");
}

#[test]
fn inherited_scopes() {
    let p = policy(
        "scope web when exe == \"/w\" inherit until exe == \"/u\" {\n\
           @id(\"d\") deny file_open\n\
         }",
    );
    let event = |rest: &str| answer(&p, &format!("{{\"hook\":\"file_open\",{rest}}}"));
    assert_eq!(event("\"exe\":\"/w\""), "deny EPERM r d");
    assert_eq!(event("\"exe\":\"/x\""), "allow -  ");
    assert_eq!(
        event("\"exe\":\"/x\",\"inherited\":[\"web\"]"),
        "deny EPERM r d"
    );
    let wrong = Event::from_json_line("{\"hook\":\"file_open\",\"inherited\":[\"w\"]}").unwrap();
    assert!(evaluate(&p, &wrong).is_err());
}

#[test]
fn any_path_is_either_path() {
    let p = policy("@id(\"d\") deny path_rename, file_open when any_path == \"/s\"");
    let renamed = |path: &str, new: &str| {
        let event = format!("{{\"hook\":\"path_rename\",\"path\":{path},\"new_path\":{new}}}");
        answer(&p, &event)
    };
    assert_eq!(renamed("\"/s\"", "\"/x\""), "deny EPERM r d");
    assert_eq!(renamed("\"/x\"", "\"/s\""), "deny EPERM r d");
    assert_eq!(renamed("\"/x\"", "null"), "allow -  ");
    assert_eq!(opened(&p, "\"/s\"", "0"), "deny EPERM r d");
    // A file_open has no new_path, whatever the event says.
    assert_eq!(
        answer(&p, r#"{"hook":"file_open","path":"/x","new_path":"/s"}"#),
        "allow -  "
    );
}

#[test]
fn ancestors_flags_and_addresses() {
    let p = policy("@id(\"d\") audit file_open when ancestor.exe == \"/s\"");
    let event = |list: &str| {
        answer(
            &p,
            &format!("{{\"hook\":\"file_open\",\"ancestor.exe\":{list}}}"),
        )
    };
    assert_eq!(event("[\"/a\",\"/s\"]"), "allow - r d");
    assert_eq!(event("[null,\"/s\"]"), "allow - r d");
    assert_eq!(event("[null,\"/a\"]"), "allow - r ");
    assert_eq!(event("[]"), "allow -  ");

    let p = policy(
        "@id(\"all\") audit file_open when access has [read, write]\n\
         @id(\"any\") audit file_open when access has any [read, exec]\n\
         @id(\"x\") audit file_open when file.mode has S_IRWXO",
    );
    let event = |rest: &str| answer(&p, &format!("{{\"hook\":\"file_open\",{rest}}}"));
    let rest = ",\"file.mode\":0";
    assert_eq!(
        event(&format!("\"access\":[\"read\"]{rest}")),
        "allow - r any"
    );
    assert_eq!(
        event(&format!("\"access\":[\"read\",\"write\"]{rest}")),
        "allow - r all,any"
    );
    assert_eq!(event("\"access\":[],\"file.mode\":7"), "allow - r x");
    assert_eq!(event("\"access\":[],\"file.mode\":6"), "allow -  ");

    let p = policy(
        "@id(\"4\") audit socket_connect when addr == \"10.0.0.0/8\"\n\
         @id(\"6\") audit socket_connect when addr == \"::/0\"",
    );
    let event = |addr: &str| {
        answer(
            &p,
            &format!("{{\"hook\":\"socket_connect\",\"addr\":\"{addr}\"}}"),
        )
    };
    assert_eq!(event("10.9.9.9"), "allow - r 4");
    assert_eq!(event("::ffff:10.9.9.9"), "allow - r 4");
    assert_eq!(event("11.0.0.1"), "allow -  ");
    assert_eq!(event("fe80::1"), "allow - r 6");
}

#[test]
fn rules_without_an_id_are_named_by_their_place() {
    let p = policy("audit file_open\naudit file_open audit file_open when uid == 1\n");
    assert_eq!(
        opened(&p, "null", "1"),
        "allow - r p.lsmp:1,p.lsmp:2:1,p.lsmp:2:17"
    );
}
