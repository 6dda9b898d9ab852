//! Any tree prints to a text that parses back to it.

use lsmpc_syntax::ast::{Exempt, File, StatementKind};
use lsmpc_syntax::{print, strip_spans};
use proptest::prelude::*;

use crate::parsed;
use crate::trees::{at, expr, file};

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn print_then_parse(file in file()) {
        let text = print(&file);
        let again = parsed(&text);
        prop_assert_eq!(&again.errors, &[], "{}", text);
        prop_assert_eq!(print(&again.file), text.clone());
        prop_assert_eq!(strip_spans(again.file), file, "{}", text);
    }

    #[test]
    fn lines_are_short_where_they_can_be(e in expr()) {
        let file = File { statements: vec![at(StatementKind::Exempt(Exempt { when: e }))] };
        let text = print(&file);
        prop_assert!(text.lines().all(|l| !l.ends_with(' ')), "{}", text);
    }
}
