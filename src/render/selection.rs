//! Which diagnostics people are shown: every error, and of warnings and hints so
//! many that they do not hide anything.

use std::collections::BTreeMap;

use lsmpc_compiler::diagnostic::{Code, Diagnostic, Severity};

use super::Tally;

/// So many warnings or hints of one code are shown.
const ALIKE: usize = 5;

/// What is shown, and how much is not.
pub(crate) struct Selection<'d> {
    shown: Vec<&'d Diagnostic>,
    all: Tally,
    hidden: Tally,
}

impl<'d> Selection<'d> {
    /// Everything, or what matters most: no hints beside errors, and only some of
    /// those that are alike.
    pub(crate) fn new(list: &'d [Diagnostic], everything: bool) -> Self {
        let all = Tally::of(list);
        let mut alike: BTreeMap<Code, usize> = BTreeMap::new();
        let (shown, hidden): (Vec<_>, Vec<_>) = list.iter().partition(|diagnostic| {
            let number = alike.entry(diagnostic.code).or_default();
            *number += 1;
            everything
                || match diagnostic.severity {
                    Severity::Error => true,
                    Severity::Warning => *number <= ALIKE,
                    Severity::Hint => *number <= ALIKE && all.errors == 0,
                }
        });
        Self {
            shown,
            all,
            hidden: Tally::of(hidden),
        }
    }

    /// Those that are shown, in their order.
    pub(crate) fn shown(&self) -> &[&'d Diagnostic] {
        &self.shown
    }

    /// How many of each severity there are, shown or not.
    pub(crate) fn all(&self) -> Tally {
        self.all
    }

    /// How many there are, how many of them are not shown, and how to learn more.
    pub(crate) fn summary(&self) -> String {
        let mut text = self.all.text();
        if self.hidden != Tally::default() {
            text = format!(
                "{text}; {} not shown: see `lsmpc check --all`",
                self.hidden.text()
            );
        }
        let mut codes = self.shown.iter().map(|diagnostic| diagnostic.code);
        let Some(first) = codes.next() else {
            return text;
        };
        let code = if codes.all(|code| code == first) {
            first.as_str()
        } else {
            "CODE"
        };
        format!("{text}; `lsmpc explain {code}` says more")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(codes: &[(Code, usize)]) -> Vec<Diagnostic> {
        codes
            .iter()
            .flat_map(|&(code, count)| vec![Diagnostic::placeless(code, "x"); count])
            .collect()
    }

    #[test]
    fn nothing_drowns() {
        let hints = list(&[(Code::ChildrenOnly, 7), (Code::UnusedLet, 1)]);
        let some = Selection::new(&hints, false);
        assert_eq!(some.shown().len(), 6);
        assert_eq!(
            some.summary(),
            "1 warning, 7 hints; 2 hints not shown: see `lsmpc check --all`; \
             `lsmpc explain CODE` says more"
        );
        assert_eq!(Selection::new(&hints, true).shown().len(), 8);

        let errors = list(&[(Code::ChildrenOnly, 1), (Code::UnknownHook, 20)]);
        let some = Selection::new(&errors, false);
        assert_eq!(some.shown().len(), 20);
        assert_eq!(
            some.summary(),
            "20 errors, 1 hint; 1 hint not shown: see `lsmpc check --all`; \
             `lsmpc explain LSMP1001` says more"
        );
        assert_eq!(Selection::new(&[], false).summary(), "");
    }
}
