//! Explanations as JSON.

use lsmpc_abi::catalogue;
use lsmpc_compiler::event::{Answer, Event};
use lsmpc_compiler::explain::{Explanation, Judged, JudgedModule, JudgedRule, Reason, State};
use lsmpc_compiler::hir::DefaultEffect;
use lsmpc_compiler::source::SourceMap;
use lsmpc_syntax::Span;
use serde_json::{Value as Json, json};

use crate::render::place_of;

/// One object: the event, the answer, and what led to it.
pub(crate) fn json(event: &Event, explanation: &Explanation<'_>, sources: &SourceMap) -> Json {
    let event = parsed(&event.to_json_line());
    let objects = Objects {
        event: &event,
        sources,
    };
    json!({
        "event": event,
        "answer": parsed(&explanation.answer.to_json_line()),
        "exempt": explanation.exempted().is_some(),
        "exempts": explanation.exempts.iter().map(|exempt| objects.cond(exempt)).collect::<Vec<_>>(),
        "modules": explanation.modules.iter().map(|module| objects.module(module)).collect::<Vec<_>>(),
    })
}

/// What the compiler wrote as a line.
fn parsed(line: &str) -> Json {
    serde_json::from_str(line).unwrap_or_default()
}

struct Objects<'a> {
    event: &'a Json,
    sources: &'a SourceMap,
}

impl Objects<'_> {
    fn place(&self, span: Span) -> Json {
        serde_json::to_value(place_of(span, self.sources)).unwrap_or_default()
    }

    fn module(&self, module: &JudgedModule<'_>) -> Json {
        let scope = module.module.scope.as_ref();
        let (inherited, when, until) = match &module.reason {
            Reason::Always => (false, Json::Null, Json::Null),
            Reason::Inherited => (true, Json::Null, Json::Null),
            Reason::Conditions { when, until } => (
                false,
                self.cond(when),
                until.as_ref().map_or(Json::Null, |until| self.cond(until)),
            ),
        };
        let default = module.default.map(|default| {
            json!({
                "effect": match default.effect {
                    DefaultEffect::Deny => "deny",
                    DefaultEffect::Allow => "allow",
                    DefaultEffect::Audit => "audit",
                },
                "decides": module.by_default,
                "place": self.place(default.span),
            })
        });
        let doubt = module.doubt.as_ref().map(|doubt| {
            json!({
                "on_error": doubt.statement.map(|statement| if statement.deny { "deny" } else { "allow" }),
                "loosest": doubt.loosest.as_str(),
                "strictest": doubt.strictest.as_str(),
                "place": doubt.statement.map(|statement| self.place(statement.span)),
            })
        });
        json!({
            "scope": scope.map(|scope| &scope.name.node),
            "holds": module.holds.as_str(),
            "inherited": inherited,
            "when": when,
            "until": until,
            "verdict": module.answer.verdict.as_str(),
            "errno": errno(&module.answer),
            "record": module.answer.record,
            "default": default,
            "doubt": doubt,
            "rules": module.rules.iter().map(|rule| self.rule(rule)).collect::<Vec<_>>(),
        })
    }

    fn rule(&self, rule: &JudgedRule<'_>) -> Json {
        json!({
            "id": rule.rule.id,
            "effect": rule.rule.effect.keyword(),
            "matches": rule.truth.as_str(),
            "effective": rule.effective,
            "place": self.place(rule.rule.effect_span),
            "when": rule.when.as_ref().map(|when| self.cond(when)),
            "unless": rule.unless.as_ref().map(|unless| self.cond(unless)),
        })
    }

    fn cond(&self, judged: &Judged<'_>) -> Json {
        let fields: Vec<Json> = judged
            .fields
            .iter()
            .map(|seen| {
                let name = seen.field.name();
                let known = seen.state != State::Unknown;
                json!({ "field": name, "known": known, "value": self.event.get(name) })
            })
            .collect();
        json!({
            "truth": judged.truth.as_str(),
            "text": self.sources.snippet(judged.cond.span),
            "place": self.place(judged.cond.span),
            "fields": fields,
            "parts": judged.parts.iter().map(|part| self.cond(part)).collect::<Vec<_>>(),
        })
    }
}

fn errno(answer: &Answer) -> Option<String> {
    let number = answer.errno?;
    let name = catalogue::errno_name(number);
    Some(name.map_or_else(|| number.to_string(), str::to_owned))
}
