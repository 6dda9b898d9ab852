use std::path::PathBuf;

use super::{Explanation, Reason, Truth, explain};
use crate::event::{Event, Verdict};
use crate::hir::Hir;
use crate::source::MemoryReader;
use crate::{Options, analyse};

fn policy(text: &str) -> Hir {
    let reader = MemoryReader::default().file("/p.lsmp", text);
    let analysis = analyse(&[PathBuf::from("/p.lsmp")], &reader, &Options::default());
    analysis
        .hir
        .unwrap_or_else(|| panic!("{:#?}", analysis.diagnostics))
}

fn explained<'h>(policy: &'h Hir, event: &str) -> Explanation<'h> {
    explain(policy, &Event::from_json_line(event).unwrap()).unwrap()
}

const POLICY: &str = r#"
exempt when uid == 4242
@id("a") deny file_open when path == "/a/**" and (uid == 0 or comm == "x") unless exe != "/x"
@id("b") audit file_open when not (path == "/a/**" and uid == 0)
@id("c") deny with EACCES file_open when path == "/c"
scope s when exe == "/s" {
  default deny file_open
  on_error allow file_open
  @id("d") allow file_open when path == "/d"
}
"#;

fn truths<'e>(explanation: &'e Explanation<'_>) -> Vec<(&'e str, Truth, bool)> {
    explanation
        .rules()
        .map(|rule| (rule.rule.id.as_str(), rule.truth, rule.effective))
        .collect()
}

#[test]
fn every_rule_is_judged() {
    let policy = policy(POLICY);
    let explanation = explained(
        &policy,
        r#"{"hook":"file_open","exe":"/x","uid":0,"comm":"y","path":"/a/b"}"#,
    );
    assert_eq!(
        truths(&explanation),
        [
            ("a", Truth::True, true),
            ("b", Truth::False, false),
            ("c", Truth::False, false),
            ("d", Truth::False, false),
        ]
    );
    assert_eq!(explanation.answer.verdict, Verdict::Deny);
    let [outer, scope] = &explanation.modules[..] else {
        panic!();
    };
    assert_eq!((outer.holds, scope.holds), (Truth::True, Truth::False));
    assert!(matches!(scope.reason, Reason::Conditions { .. }));
    assert!(!outer.by_default && !scope.by_default);
    let deciding: Vec<&str> = explanation
        .deciding()
        .map(|module| module.module.name())
        .collect();
    assert_eq!(deciding, [""]);
}

#[test]
fn parts_and_their_values() {
    let policy = policy(POLICY);
    let explanation = explained(
        &policy,
        r#"{"hook":"file_open","exe":"/y","uid":0,"comm":"y","path":"/a/b"}"#,
    );
    let rule = explanation.rules().next().unwrap();
    let when = rule.when.as_ref().unwrap();
    let said: Vec<(Truth, String)> = when
        .tests()
        .into_iter()
        .map(|test| (test.truth, test.why()))
        .collect();
    assert_eq!(
        said,
        [
            (Truth::True, "`path` is \"/a/b\"".to_owned()),
            (Truth::True, "`uid` is 0".to_owned()),
            (Truth::False, "`comm` is \"y\"".to_owned()),
        ]
    );
    // `!=` is one test, as it is written.
    let unless = rule.unless.as_ref().unwrap();
    assert!(unless.is_test() && unless.truth == Truth::True);
    assert_eq!(rule.obstacle().unwrap().why(), "`exe` is \"/y\"");
    assert_eq!(rule.distance(), 1);
}

#[test]
fn the_nearest_way_to_a_match() {
    let policy = policy(POLICY);
    let far = |event: &str| {
        let explanation = explained(&policy, event);
        let distances: Vec<usize> = explanation.rules().map(|rule| rule.distance()).collect();
        distances
    };
    assert_eq!(
        far(r#"{"hook":"file_open","exe":"/x","uid":0,"comm":"y","path":"/a/b"}"#),
        // b: one of the two; c and d: the path.
        [0, 1, 1, 1]
    );
    assert_eq!(
        far(r#"{"hook":"file_open","exe":"/y","uid":1,"comm":"y","path":"/c"}"#),
        [3, 0, 0, 1]
    );
    let explanation = explained(
        &policy,
        r#"{"hook":"file_open","exe":"/x","uid":0,"comm":"y","path":"/a/b"}"#,
    );
    // Both parts make the conjunction true, so it is the obstacle as a whole.
    let obstacle = explanation.rules().nth(1).unwrap().obstacle().unwrap();
    assert_eq!(obstacle.why(), "`path` is \"/a/b\", `uid` is 0");
    assert_eq!(obstacle.truth, Truth::True);
}

#[test]
fn the_part_that_makes_it_so() {
    let policy = policy(
        "deny file_open when (uid == 1 and gid == 1) or not (euid == 1 or egid == 1)\n\
         deny file_open when uid == 1 and gid == 1 and euid == 1",
    );
    let event = |rest: &str| format!(r#"{{"hook":"file_open"{rest}}}"#);
    let of = |rest: &str| {
        let explanation = explained(&policy, &event(rest));
        let when: Vec<_> = explanation.rules().flat_map(|rule| &rule.when).collect();
        let said = when.iter().map(|when| (when.reason().why(), when.why()));
        let far = when
            .iter()
            .map(|when| [true, false].map(|to| when.distance(to)));
        let said: Vec<(String, String)> = said.collect();
        (said, far.collect::<Vec<_>>())
    };
    let all = "`uid` is 1, `gid` is 1, `euid` is 0, …";
    let three = "`uid` is 1, `gid` is 1, `euid` is 0";
    let (said, far) = of(r#","uid":1,"gid":1,"euid":0,"egid":0"#);
    assert_eq!(said[0], ("`uid` is 1, `gid` is 1".into(), all.into()));
    assert_eq!(said[1], ("`euid` is 0".into(), three.into()));
    // Both parts would have to be otherwise; one of the second's is enough.
    assert_eq!(far, [[0, 2], [1, 0]]);
    // The first part that is not known makes it unknown.
    let (said, _) = of(r#","uid":0,"euid":0"#);
    assert_eq!(said[0].0, "`egid` is not known");
    assert_eq!(said[1].0, "`uid` is 0");
    let (said, _) = of(r#","uid":1,"euid":1,"egid":0"#);
    assert_eq!(said[0].0, "`gid` is not known");
    assert_eq!(said[1].0, "`gid` is not known");
    let (_, far) = of(r#","uid":0,"gid":0,"euid":1,"egid":1"#);
    assert_eq!(far[0], [2, 0]);
    let explanation = explained(&policy, &event(""));
    let when = explanation.rules().next().unwrap().when.as_ref().unwrap();
    assert!(!when.is_test() && when.tests()[0].is_test());
}

#[test]
fn doubt_and_defaults() {
    let policy = policy(POLICY);
    let explanation = explained(
        &policy,
        r#"{"hook":"file_open","exe":"/s","uid":1,"comm":"x"}"#,
    );
    let [outer, scope] = &explanation.modules[..] else {
        panic!();
    };
    let doubt = outer.doubt.as_ref().unwrap();
    assert!(doubt.statement.is_none());
    assert_eq!(
        (doubt.loosest, doubt.strictest),
        (Verdict::Allow, Verdict::Deny)
    );
    let doubt = scope.doubt.as_ref().unwrap();
    assert!(doubt.statement.is_some_and(|statement| !statement.deny));
    assert_eq!(scope.answer.verdict, Verdict::Allow);
    assert!(!scope.by_default);
    // What is certain comes first among obstacles.
    let first = outer.rules[0].obstacle().unwrap();
    assert_eq!(first.why(), "`exe` is \"/s\"");

    let explanation = explained(
        &policy,
        r#"{"hook":"file_open","exe":"/s","uid":1,"comm":"x","path":"/e"}"#,
    );
    let scope = &explanation.modules[1];
    assert!(scope.by_default && scope.doubt.is_none());
    let explanation = explained(
        &policy,
        r#"{"hook":"file_open","exe":"/s","uid":1,"comm":"x","path":"/d"}"#,
    );
    assert!(!explanation.modules[1].by_default);
    assert!(explanation.modules[1].rules[0].effective);
}

#[test]
fn exemptions_end_it() {
    let policy = policy(POLICY);
    let explanation = explained(&policy, r#"{"hook":"file_open","uid":4242}"#);
    assert!(explanation.modules.is_empty());
    assert_eq!(explanation.exempted().unwrap().why(), "`uid` is 4242");
    let explanation = explained(&policy, r#"{"hook":"file_open","exe":"/x"}"#);
    assert!(explanation.exempted().is_none());
    assert_eq!(explanation.exempts[0].truth, Truth::Unknown);
    assert_eq!(explanation.exempts[0].why(), "`uid` is not known");
    // No statement is about this hook.
    let explanation = explained(&policy, r#"{"hook":"task_kill","uid":1,"exe":null}"#);
    assert!(explanation.modules.is_empty());
}

#[test]
fn fields_that_do_not_apply() {
    let policy = policy("deny path_rename when any_path == \"/a\" and exe == \"/x\"");
    let explanation = explained(
        &policy,
        r#"{"hook":"path_rename","exe":null,"path":"/b","new_path":"/a"}"#,
    );
    let rule = explanation.rules().next().unwrap();
    let tests = rule.when.as_ref().unwrap().tests();
    assert_eq!(tests[0].why(), "`path` is \"/b\", `new_path` is \"/a\"");
    assert_eq!(tests[1].why(), "`exe` does not apply");
}
