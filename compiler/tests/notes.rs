//! What a policy says of its rules arrives where records are explained.

use lsmpc_compiler::ir::RuleKind;
use lsmpc_compiler::source::MemoryReader;
use lsmpc_compiler::{Options, analyse};

const POLICY: &str = r#"@id("a") @message("told") @severity("high") @tag("t") @tag("u") @reference("r")
deny file_open when uid == 1
  default audit path_unlink
scope s when uid == 2 {
  kill file_open
  audit file_open
}
default deny file_open
allow file_open
"#;

#[test]
fn rules_keep_what_is_said_of_them() {
    let reader = MemoryReader::default().file("/p.lsmp", POLICY.as_bytes());
    let ir = analyse(&["/p.lsmp".into()], &reader, &Options::default())
        .ir
        .unwrap();
    let told = ir.rules.iter().find(|rule| rule.id == "a").unwrap();
    assert_eq!(told.message.as_deref(), Some("told"));
    assert_eq!(told.severity.as_deref(), Some("high"));
    assert_eq!(told.tags, ["t", "u"]);
    assert_eq!(told.reference.as_deref(), Some("r"));
    assert_eq!((&*told.file, told.line, told.column), ("p.lsmp", 2, 1));

    let mut found: Vec<_> = ir
        .rules
        .iter()
        .map(|rule| (rule.line, rule.column, rule.kind, rule.id.as_str()))
        .collect();
    found.sort_by_key(|rule| rule.0);
    assert_eq!(
        found,
        [
            (2, 1, RuleKind::Deny, "a"),
            (3, 3, RuleKind::Default, "default:"),
            (5, 3, RuleKind::Kill, "p.lsmp:5"),
            (6, 3, RuleKind::Audit, "p.lsmp:6"),
            (8, 1, RuleKind::Default, "default:"),
            (9, 1, RuleKind::Allow, "p.lsmp:9"),
        ]
    );
    assert!(ir.rules.iter().skip(1).all(|rule| rule.message.is_none()));
}
