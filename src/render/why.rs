//! Explanations of verdicts: on the source for people, and as JSON.

use lsmpc_compiler::diagnostic::Label;
use lsmpc_compiler::event::{Answer, Event, Verdict};
use lsmpc_compiler::explain::{
    Doubt, Explanation, Judged, JudgedModule, JudgedRule, Reason, Truth,
};
use lsmpc_compiler::hir::{DefaultEffect, Effect, Module};
use lsmpc_compiler::source::SourceMap;
use lsmpc_syntax::Span;

use super::text::{columns, count, harmless};
use super::{Note, notes};
use crate::output::{Style, paint};

mod object;

pub(crate) use object::json;

/// How many rules that do not match are listed of one module.
const NEAREST: usize = 5;

/// An explanation for people.
pub(crate) struct Shown<'a> {
    pub(crate) event: &'a Event,
    pub(crate) explanation: &'a Explanation<'a>,
    pub(crate) sources: &'a SourceMap,
    /// Whether every rule that does not match is listed.
    pub(crate) all: bool,
}

impl Shown<'_> {
    /// Everything, the verdict last.
    pub(crate) fn human(&self, color: bool) -> String {
        let mut shown = format!("{}\n\n", self.headline());
        let exempt = self.exemptions();
        shown.push_str(&notes(&exempt, self.sources, color));
        for module in &self.explanation.modules {
            let title = format!("{}: {}", self.title(module.module), says(module));
            shown.push_str(&paint(color, Style::Bold, harmless(&title)));
            shown.push_str("\n\n");
            shown.push_str(&notes(&module_notes(module), self.sources, color));
            shown.push_str(&self.others(module));
        }
        shown.push_str(&self.verdict(color));
        shown
    }

    /// `scope web`; what stands outside scopes where there are any.
    fn title(&self, module: &Module) -> String {
        let mut modules = self.explanation.modules.iter();
        match module.name() {
            "" if modules.all(|module| module.module.scope.is_none()) => "the policy".to_owned(),
            "" => "outside scopes".to_owned(),
            name => format!("scope {name}"),
        }
    }

    /// The hook and what is known of the event.
    fn headline(&self) -> String {
        let mut words = vec![self.event.hook.name().to_owned()];
        for field in self.event.values.keys() {
            let value = self.event.describe(*field);
            words.push(format!("{} = {}", field.name(), harmless(&value)));
        }
        if !self.event.inherited.is_empty() {
            let scopes = self.event.inherited.join(", ");
            words.push(format!("inherited = [{}]", harmless(&scopes)));
        }
        words.join("  ")
    }

    fn exemptions(&self) -> Vec<Note> {
        let judged = self.explanation.exempts.iter();
        judged
            .filter_map(|exempt| {
                let text = match exempt.truth {
                    Truth::True => "the subject is exempt: allowed, and no record",
                    Truth::Unknown => "an exemption that is unknown does not apply",
                    Truth::False => return None,
                };
                let mut labels = tests(exempt).into_iter();
                Some(Note {
                    message: text.to_owned(),
                    primary: labels.next()?,
                    secondary: labels.collect(),
                })
            })
            .collect()
    }

    /// The rules that do not match, in short.
    fn others(&self, module: &JudgedModule<'_>) -> String {
        if module.holds == Truth::False {
            return String::new();
        }
        let mut rules: Vec<&JudgedRule<'_>> = module
            .rules
            .iter()
            .filter(|rule| rule.truth == Truth::False)
            .collect();
        if rules.is_empty() {
            return String::new();
        }
        rules.sort_by_key(|rule| rule.distance());
        let most = if self.all { rules.len() } else { NEAREST };
        let rows: Vec<Vec<String>> = rules
            .iter()
            .take(most)
            .map(|rule| {
                vec![
                    format!("  {}", rule.rule.effect.keyword()),
                    harmless(&rule.rule.id),
                    format!(
                        "{}:{}",
                        harmless(&rule.rule.place.file),
                        rule.rule.place.line
                    ),
                    self.obstacle(rule),
                ]
            })
            .collect();
        let mut shown = format!(
            "{} not matching:\n{}",
            count(rules.len(), "rule"),
            columns(&rows)
        );
        if rules.len() > most {
            let more = rules.len() - most;
            shown.push_str(&format!("  and {more} more: --all lists them\n"));
        }
        shown.push('\n');
        shown
    }

    /// The part that keeps a rule from matching, as it is written, and why.
    fn obstacle(&self, rule: &JudgedRule<'_>) -> String {
        let Some(part) = rule.obstacle() else {
            return String::new();
        };
        let source = self.sources.snippet(part.cond.span).unwrap_or_default();
        let mut words: String = source.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((cut, _)) = words.char_indices().nth(50) {
            words.truncate(cut);
            words.push('…');
        }
        let why = part.why();
        let text = format!("`{words}` is {}: {why}", part.truth.as_str());
        harmless(text.trim_end_matches([':', ' ']))
    }

    /// What it comes to, and which modules made it so.
    fn verdict(&self, color: bool) -> String {
        let answer = &self.explanation.answer;
        let style = match answer.verdict {
            Verdict::Allow => Style::Green,
            Verdict::Deny | Verdict::Kill => Style::Red,
        };
        let mut shown = format!("verdict: {}", paint(color, style, describe(answer)));
        let holding: Vec<&JudgedModule<'_>> = self
            .explanation
            .modules
            .iter()
            .filter(|module| module.holds != Truth::False)
            .collect();
        if self.explanation.exempted().is_some() {
            shown.push_str(", because the subject is exempt");
        } else if holding.is_empty() {
            shown.push_str(&format!(
                ", because no statement that counts is about `{}`",
                self.event.hook.name()
            ));
        } else if holding.len() > 1 {
            let strictest: Vec<String> = self
                .explanation
                .deciding()
                .filter(|module| module.holds != Truth::False)
                .map(|module| self.title(module.module))
                .collect();
            shown.push_str(&format!(
                ", the strictest of {}: {}",
                count(holding.len(), "verdict"),
                harmless(&strictest.join(", "))
            ));
        }
        shown.push('\n');
        shown
    }
}

/// What an answer comes to.
fn describe(answer: &Answer) -> String {
    let what = answer.describe();
    match answer.verdict {
        Verdict::Allow => what,
        _ if answer.record => format!("{what}, with a record"),
        _ => format!("{what}, without a record"),
    }
}

/// What a module comes to, in one line.
fn says(module: &JudgedModule<'_>) -> String {
    match module.holds {
        Truth::False => "does not hold".to_owned(),
        Truth::True => describe(&module.answer),
        Truth::Unknown => format!("may hold; {}", describe(&module.answer)),
    }
}

fn module_notes(module: &JudgedModule<'_>) -> Vec<Note> {
    let mut found = Vec::new();
    found.extend(scope(module));
    if module.holds == Truth::False {
        return found;
    }
    found.extend(module.rules.iter().filter_map(rule));
    if let (true, Some(default)) = (module.by_default, module.default) {
        let (word, label) = match default.effect {
            DefaultEffect::Deny => ("denies", "`default deny`"),
            DefaultEffect::Audit => ("allows and records", "`default audit`"),
            DefaultEffect::Allow => ("allows", "`default allow`"),
        };
        found.push(Note {
            message: format!("no rule decides, so the default {word}"),
            primary: label_at(default.span, label.to_owned()),
            secondary: Vec::new(),
        });
    }
    if let Some(doubt) = &module.doubt {
        found.extend(doubtful(module, doubt));
    }
    found
}

/// Why a scope holds or does not.
fn scope(module: &JudgedModule<'_>) -> Option<Note> {
    let scope = module.module.scope.as_ref()?;
    let name = &scope.name.node;
    let secondary = match &module.reason {
        Reason::Always | Reason::Inherited => Vec::new(),
        Reason::Conditions { when, until } => {
            let mut labels = tests(when);
            labels.extend(until.iter().flat_map(tests));
            labels
        }
    };
    let message = match (&module.reason, module.holds) {
        (Reason::Inherited, _) => format!("the scope `{name}` was inherited"),
        (_, Truth::True) => format!("the scope `{name}` holds"),
        (_, Truth::False) => format!("the scope `{name}` does not hold"),
        (_, Truth::Unknown) => {
            format!("whether the scope `{name}` holds is unknown, so its rules are at most unknown")
        }
    };
    Some(Note {
        message,
        primary: label_at(scope.name.span, "this scope".to_owned()),
        secondary,
    })
}

/// A rule that matches or may.
fn rule(judged: &JudgedRule<'_>) -> Option<Note> {
    let id = &judged.rule.id;
    let word = judged.rule.effect.keyword();
    let (message, label) = match judged.truth {
        Truth::False => return None,
        Truth::Unknown => (format!("`{id}` may match"), format!("may {word}")),
        Truth::True if judged.effective => (
            format!("`{id}` matches"),
            match judged.rule.effect {
                Effect::Kill => "denies and kills",
                Effect::Deny(_) => "denies",
                Effect::Allow => "allows",
                Effect::Audit => "records",
            }
            .to_owned(),
        ),
        Truth::True => (
            format!("`{id}` matches, without effect"),
            "something stricter decides".to_owned(),
        ),
    };
    let when = judged.when.iter().flat_map(tests);
    let unless = judged.unless.iter().flat_map(tests);
    Some(Note {
        message,
        primary: label_at(judged.rule.effect_span, label),
        secondary: when.chain(unless).collect(),
    })
}

fn doubtful(module: &JudgedModule<'_>, doubt: &Doubt<'_>) -> Option<Note> {
    let message = format!(
        "what is unknown leaves the choice between {} and {}",
        doubt.loosest.as_str(),
        doubt.strictest.as_str()
    );
    let (span, label) = match doubt.statement {
        Some(statement) if statement.deny => (statement.span, "`on_error deny`: denied"),
        Some(statement) => (statement.span, "`on_error allow`: the loosest is taken"),
        None => {
            let unknown = module
                .rules
                .iter()
                .find(|rule| rule.truth == Truth::Unknown)
                .map(|rule| rule.rule.effect_span);
            let span = unknown.or_else(|| module.default.map(|default| default.span))?;
            (span, "denied in doubt, as no `on_error` says otherwise")
        }
    };
    Some(Note {
        message,
        primary: label_at(span, label.to_owned()),
        secondary: Vec::new(),
    })
}

/// The tests that a condition is made of, each with its truth and why.
fn tests(judged: &Judged<'_>) -> Vec<Label> {
    judged
        .tests()
        .into_iter()
        .map(|test| {
            let why = test.why();
            let truth = test.truth.as_str();
            let text = if why.is_empty() {
                truth.to_owned()
            } else {
                format!("{truth}: {why}")
            };
            label_at(test.cond.span, text)
        })
        .collect()
}

fn label_at(span: Span, text: String) -> Label {
    Label { span, text }
}
