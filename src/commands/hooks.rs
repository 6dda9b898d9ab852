//! `lsmpc hooks`: what a policy can be about.

use clap::Args;
use lsmpc_abi::catalogue::{self, FieldInfo, HookInfo, OLDEST_KERNEL, Since};
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use serde_json::{Value, json};

use super::Outcome;
use crate::arguments::FormatArgument;
use crate::failure::Failure;
use crate::output::{Format, Output, Style, Terminal, paint};
use crate::render::text;

/// List the hooks, or the fields of one.
///
/// Hooks are spelled as in the kernel. Some came after the oldest kernel that
/// policies are enforced on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lsmpc hooks                     all hooks
  lsmpc hooks file_open           its fields, their types and values
  lsmpc hooks --format json       everything, one object a line")]
pub(crate) struct Hooks {
    /// A hook, as the kernel spells it
    #[arg(value_name = "HOOK")]
    hook: Option<String>,

    #[command(flatten)]
    format: FormatArgument,
}

impl Hooks {
    pub(crate) fn run(&self, terminal: Terminal) -> Result<Outcome, Failure> {
        let one = self.hook.as_deref().map(find).transpose()?;
        let mut output = Output::new();
        match (self.format.format, one) {
            (Format::Human, None) => output.text(self.overview(terminal.stdout))?,
            (Format::Human, Some(hook)) => output.text(page(hook, terminal.stdout))?,
            (Format::Json, Some(hook)) => output.json(&as_json(hook))?,
            (Format::Json, None) => {
                for hook in catalogue::hooks() {
                    output.json(&as_json(hook))?;
                }
            }
        }
        output.flush()?;
        Ok(Outcome::Done)
    }

    fn overview(&self, color: bool) -> String {
        let mut rows = vec![["HOOK", "KERNEL", "WHEN"].map(str::to_owned).to_vec()];
        for hook in catalogue::hooks() {
            rows.push(vec![
                hook.id.name().to_owned(),
                since(hook.since),
                hook.description.to_owned(),
            ]);
        }
        let table = text::columns(&rows);
        let (head, rest) = table.split_once('\n').unwrap_or((&table, ""));
        format!("{}\n{rest}", paint(color, Style::Bold, head))
    }
}

fn find(name: &str) -> Result<&'static HookInfo, Failure> {
    if let Some(id) = HookId::from_name(name) {
        return Ok(catalogue::hook(id));
    }
    let near: Vec<&str> = HookId::ALL
        .iter()
        .map(|hook| hook.name())
        .filter(|known| known.contains(name) || name.contains(known))
        .collect();
    let help = if near.is_empty() {
        "`lsmpc hooks` lists them".to_owned()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    Err(Failure::new("LSMP4906", format!("there is no hook `{name}`")).help(help))
}

/// One hook for people.
fn page(hook: &HookInfo, color: bool) -> String {
    let mut page = format!(
        "{}: {}\nLinux {} and newer\n",
        paint(color, Style::Bold, hook.id.name()),
        hook.description,
        since(hook.since)
    );
    page.push_str("\nFields of the object:\n");
    page.push_str(&fields(hook.fields.iter().copied()));
    if hook.has(FieldId::Path) {
        let both = if hook.has(FieldId::NewPath) {
            "`path` or `new_path`, whichever fits"
        } else {
            "the same as `path`"
        };
        page.push_str(&format!("\nAnd `any_path`: {both}.\n"));
    }
    page.push_str("\nFields of the subject, in every hook:\n");
    page.push_str(&fields(
        FieldId::ALL
            .iter()
            .copied()
            .filter(|field| field.is_subject()),
    ));
    page
}

fn fields(ids: impl Iterator<Item = FieldId>) -> String {
    let mut listed: Vec<&FieldInfo> = Vec::new();
    let rows: Vec<Vec<String>> = ids
        .map(|id| {
            let field = catalogue::field(id);
            listed.push(field);
            vec![
                format!("  {}", id.name()),
                field.ty.name().to_owned(),
                field.description.to_owned(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "  none\n".to_owned();
    }
    let mut text = String::new();
    for (line, field) in text::columns(&rows).lines().zip(listed) {
        text.push_str(line);
        text.push('\n');
        if !field.enumerators.is_empty() {
            let names: Vec<&str> = field.enumerators.iter().map(|known| known.name).collect();
            text.push_str(&text::wrapped(&names.join(" "), 6, 96));
            text.push('\n');
        }
    }
    text
}

/// One hook for programs.
fn as_json(hook: &HookInfo) -> Value {
    let subject = FieldId::ALL.iter().copied().filter(|id| id.is_subject());
    let fields: Vec<Value> = hook
        .fields
        .iter()
        .copied()
        .chain(subject)
        .map(|id| {
            let field = catalogue::field(id);
            let enumerators: serde_json::Map<String, Value> = field
                .enumerators
                .iter()
                .map(|known| (known.name.to_owned(), known.value.into()))
                .collect();
            json!({
                "name": id.name(),
                "of": if id.is_subject() { "subject" } else { "object" },
                "type": field.ty.name(),
                "description": field.description,
                "kernel": since(field.since.max(hook.since)),
                "not_on": field.gaps.iter().map(|gap| since(Some(*gap))).collect::<Vec<_>>(),
                "enumerators": enumerators,
            })
        })
        .collect();
    json!({
        "hook": hook.id.name(),
        "description": hook.description,
        "kernel": since(hook.since),
        "any_path": hook.has(FieldId::Path),
        "fields": fields,
    })
}

fn since(since: Option<Since>) -> String {
    let (major, minor) = since.unwrap_or(OLDEST_KERNEL);
    format!("{major}.{minor}")
}
