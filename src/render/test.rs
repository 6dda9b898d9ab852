//! Results of tests: as a test runner prints them, as JSON, as a JUnit report.

use lsmpc_compiler::source::SourceMap;
use lsmpc_compiler::testing::Tested;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value as Json, json};

use super::{human_diagnostics, json_diagnostic};
use crate::failure::Failure;
use crate::output::{Style, paint};
use crate::render::text::{count, harmless};

/// What became of a policy's tests.
pub(crate) struct Results<'a> {
    /// Those that were asked for, in source order.
    pub(crate) tests: &'a [Tested],
    /// How many others there are.
    pub(crate) filtered: usize,
    pub(crate) sources: &'a SourceMap,
}

/// The tests of one file.
struct Group<'a> {
    file: String,
    tests: Vec<&'a Tested>,
}

impl<'a> Results<'a> {
    /// How many failed.
    pub(crate) fn failed(&self) -> usize {
        self.tests.iter().filter(|test| !test.passed()).count()
    }

    fn file(&self, test: &Tested) -> String {
        let file = self.sources.get(test.span.file);
        file.map_or_else(String::new, |file| file.path().display().to_string())
    }

    fn line(&self, test: &Tested) -> Option<u32> {
        Some(self.sources.position(test.span)?.line)
    }

    fn groups(&self) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        for test in self.tests {
            let file = self.file(test);
            match groups.iter_mut().find(|group| group.file == file) {
                Some(group) => group.tests.push(test),
                None => groups.push(Group {
                    file,
                    tests: vec![test],
                }),
            }
        }
        groups
    }

    /// A line for each test, then what failed, then the counts.
    pub(crate) fn human(&self, color: bool) -> String {
        let mut shown = String::new();
        for group in self.groups() {
            shown.push_str(&format!(
                "{}: {}\n",
                harmless(&group.file),
                count(group.tests.len(), "test")
            ));
            for test in group.tests {
                let result = if test.passed() {
                    paint(color, Style::Green, "ok")
                } else {
                    paint(color, Style::Red, "FAILED")
                };
                let name = harmless(&test.name);
                shown.push_str(&format!("test \"{name}\" ... {result}\n"));
            }
            shown.push('\n');
        }
        for test in self.tests.iter().filter(|test| !test.passed()) {
            shown.push_str(&human_diagnostics(&test.failures, self.sources, color));
        }
        let failed = self.failed();
        let passed = format!("{} passed", self.tests.len() - failed);
        let failed = match failed {
            0 => paint(color, Style::Green, format!("ok: {passed}, 0 failed")),
            _ => paint(
                color,
                Style::Red,
                format!("FAILED: {passed}, {failed} failed"),
            ),
        };
        shown.push_str(&failed);
        if self.filtered > 0 {
            shown.push_str(&format!(", {} filtered out", self.filtered));
        }
        shown.push('\n');
        shown
    }

    /// An object for each test, then one with the counts.
    pub(crate) fn json(&self) -> Vec<Json> {
        let mut lines: Vec<Json> = self
            .tests
            .iter()
            .map(|test| {
                let failures: Vec<_> = test
                    .failures
                    .iter()
                    .map(|failure| json_diagnostic(failure, self.sources))
                    .collect();
                json!({
                    "test": test.name,
                    "file": self.file(test),
                    "line": self.line(test),
                    "ok": test.passed(),
                    "expectations": test.expectations,
                    "failures": failures,
                })
            })
            .collect();
        let failed = self.failed();
        lines.push(json!({
            "passed": self.tests.len() - failed,
            "failed": failed,
            "filtered": self.filtered,
        }));
        lines
    }

    /// A suite for each file.
    pub(crate) fn junit(&self) -> Result<String, Failure> {
        let mut report = Report::new("lsmpc test");
        for group in self.groups() {
            let mut suite = TestSuite::new(group.file.as_str());
            for test in group.tests {
                let status = if test.passed() {
                    TestCaseStatus::success()
                } else {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    let first = test.failures.first();
                    let label = first.and_then(|failure| failure.primary.as_ref());
                    if let (Some(failure), Some(label)) = (first, label) {
                        status.set_message(label.text.as_str());
                        status.set_type(failure.code.as_str());
                    }
                    status.set_description(human_diagnostics(&test.failures, self.sources, false));
                    status
                };
                let mut case = TestCase::new(test.name.as_str(), status);
                case.set_classname(group.file.as_str());
                suite.add_test_case(case);
            }
            report.add_test_suite(suite);
        }
        report.to_string().map_err(|error| {
            Failure::new("LSMP9001", format!("the report cannot be written: {error}"))
                .help("please report it, with the policy if you can")
        })
    }
}
