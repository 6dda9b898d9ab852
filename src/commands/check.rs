//! `lsmpc check`: is the policy right?

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lsmpc_compiler::lower::Stats;
use serde_json::json;

use super::Outcome;
use crate::arguments::CompileArguments;
use crate::failure::Failure;
use crate::output::{Output, Style, Terminal, paint};
use crate::policy::Policy;
use crate::render::{Selection, Tally, human_diagnostics, json_diagnostic, sarif_log, text};

/// Check a policy and say what is wrong with it.
///
/// Needs no kernel and no privileges. Several files, and all that they include,
/// make one policy.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lsmpc check policy.lsmp
  lsmpc check --strict --deny-warnings --kernel 6.1 policy.lsmp
  lsmpc check --stats policy.lsmp             what does it cost?
  lsmpc check --format json policy.lsmp       for editors and scripts
  lsmpc check --format sarif policy.lsmp      for services that collect findings

Exit codes: 0 no errors, 1 errors (or warnings, with --deny-warnings), 2 a file cannot be read.")]
pub(crate) struct Check {
    /// The policy's files
    #[arg(required = true, value_name = "POLICY")]
    policy: Vec<PathBuf>,

    /// Say what the tables cost: classes, bytes, worst case per hook
    #[arg(long)]
    stats: bool,

    /// Show all warnings and hints: hints beside errors, and those that are alike
    #[arg(long)]
    all: bool,

    /// For people, as JSON: one object a line, or as one SARIF 2.1.0 log
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,

    #[command(flatten)]
    compile: CompileArguments,
}

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    #[default]
    Human,
    Json,
    Sarif,
}

impl Check {
    pub(crate) fn run(&self, terminal: Terminal) -> Result<Outcome, Failure> {
        let policy = Policy::compile_and_test(&self.policy, &self.compile)?;
        let mut output = Output::new();
        match self.format {
            Format::Human => {
                let selection = Selection::new(&policy.diagnostics, self.all);
                let shown = selection.shown().iter().copied();
                output.text(human_diagnostics(shown, &policy.sources, terminal.stdout))?;
                let denied = self.compile.deny_warnings;
                output.line(summary(&policy, &selection, denied, terminal.stdout))?;
                if let (true, Some(stats)) = (self.stats, policy.stats()) {
                    output.line("")?;
                    output.text(table(stats))?;
                }
            }
            Format::Json => {
                for diagnostic in &policy.diagnostics {
                    output.json(&json_diagnostic(diagnostic, &policy.sources))?;
                }
                if let (true, Some(stats)) = (self.stats, policy.stats()) {
                    output.json(&json!({ "stats": stats }))?;
                }
            }
            Format::Sarif => {
                // Without a directory, paths stay as they were given.
                let directory = std::env::current_dir().unwrap_or_default();
                let stats = policy.stats().filter(|_| self.stats);
                output.json(&sarif_log(
                    &policy.diagnostics,
                    &policy.sources,
                    &directory,
                    policy.outcome(false) != Outcome::Impossible,
                    stats.map(|stats| json!({ "stats": stats })),
                ))?;
            }
        }
        output.flush()?;
        Ok(policy.outcome(self.compile.deny_warnings))
    }
}

/// `ok: 12 rules, 1 scope, 3 hooks, 20 KiB image` or `2 errors, 1 warning`.
fn summary(policy: &Policy, selection: &Selection, deny_warnings: bool, color: bool) -> String {
    let tally = selection.all();
    if deny_warnings && tally.errors == 0 && tally.warnings != 0 {
        let text = format!("warnings are denied: {}", selection.summary());
        return paint(color, Style::Red, text);
    }
    let Some(stats) = policy.stats().filter(|_| tally.errors == 0) else {
        return paint(color, Style::Red, selection.summary());
    };
    let mut parts = vec![text::count(stats.rules, "rule")];
    if stats.scopes != 0 {
        parts.push(text::count(stats.scopes, "scope"));
    }
    let tested = match policy.tests {
        0 => String::new(),
        tests => format!(", {} passed", text::count(tests, "test")),
    };
    let mut line = format!(
        "{}: {}, {}, {} image{tested}",
        paint(color, Style::Green, "ok"),
        parts.join(", "),
        text::count(stats.hooks.len(), "hook"),
        text::bytes(stats.bytes),
    );
    if tally != Tally::default() {
        let summary = paint(color, Style::Yellow, selection.summary());
        line = format!("{line}; {summary}");
    }
    line
}

/// The costs for people.
fn table(stats: &Stats) -> String {
    let mut rows = vec![
        ["HOOK", "STEPS", "NODES", "OUTCOMES", "CLASSES"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for hook in &stats.hooks {
        let classes: Vec<String> = hook
            .fields
            .iter()
            .filter(|field| field.classes != 0)
            .map(|field| format!("{} {}", field.field, field.classes))
            .collect();
        rows.push(vec![
            hook.hook.to_owned(),
            hook.worst_steps.to_string(),
            hook.nodes.to_string(),
            hook.outcomes.to_string(),
            classes.join(", "),
        ]);
    }
    let mut shown = text::columns(&rows);
    shown.push_str(&format!(
        "\nimage: {}: {} of tables ({} a rule), {} of report\n\
         paths: {}, {}; {} with {}\n",
        text::bytes(stats.bytes),
        text::bytes(stats.table_bytes),
        text::bytes(stats.bytes_per_rule),
        text::bytes(stats.report_bytes),
        text::count(stats.states, "state"),
        text::count(stats.edges, "edge"),
        text::count(stats.automata, "byte automaton"),
        text::count(stats.automaton_states, "state"),
    ));
    if !stats.costliest_globs.is_empty() {
        shown.push_str("\nglobs that take part in most states:\n");
        let mut globs = stats.costliest_globs.clone();
        globs.dedup();
        for glob in &globs {
            shown.push_str(&format!(
                "  {:>8}  {}\n",
                glob.states,
                text::harmless(&glob.glob)
            ));
        }
    }
    shown
}
