//! `lsmpc apply --dry-run`: what would change?

use lsmpc_abi::hook::HookId;
use lsmpc_compiler::analysis::diff::{Comparison, Side, compare};
use lsmpc_compiler::hir::Hir;
use lsmpc_compiler::source::SourceMap;
use lsmpc_runtime::{Code, Error, Header, Missing, Runtime, Unsupported};
use serde_json::{Value as Json, json};

use super::{Apply, not_enforced};
use crate::arguments::CompileArguments;
use crate::failure::Failure;
use crate::output::{Style, Terminal, paint};
use crate::policy::{Input, Policy};
use crate::render::diff::Shown;
use crate::render::text;

/// What `apply` would change.
pub(super) struct Rehearsal {
    attach: Vec<String>,
    keep: Vec<String>,
    detach: Vec<String>,
    left_out: Vec<Unsupported>,
    bytes: usize,
    difference: Result<Difference, String>,
}

/// What the policy does differently from the one in force.
struct Difference {
    comparison: Comparison,
    before: SourceMap,
    after: SourceMap,
    /// Whether there is one in force; else it is compared with none.
    in_force: bool,
}

impl Difference {
    fn shown(&self) -> Shown<'_> {
        Shown {
            comparison: &self.comparison,
            before: &self.before,
            after: &self.after,
        }
    }
}

impl Rehearsal {
    /// All that `apply` checks, and what it would change.
    pub(super) fn new(command: &Apply, runtime: &Runtime, input: &Input) -> Result<Self, Failure> {
        let image = input.image()?;
        let header = Header::read(image)?;
        runtime.require()?;
        let left_out = runtime.unsupported(image)?;
        if !left_out.is_empty() && !command.best_effort {
            return Err(Error::NotEnforceable(left_out).into());
        }
        let status = runtime.status()?;
        let attached: Vec<String> = status.hooks.into_iter().map(|hook| hook.hook).collect();
        let missing: Vec<HookId> = left_out.iter().filter_map(Unsupported::hook).collect();
        let enforced: Vec<HookId> = header
            .hooks
            .iter()
            .copied()
            .filter(|hook| !missing.contains(hook))
            .collect();
        let wanted = runtime.programs(&enforced)?;
        let (keep, attach): (Vec<String>, Vec<String>) = wanted
            .iter()
            .cloned()
            .partition(|hook| attached.contains(hook));
        let detach: Vec<String> = attached
            .into_iter()
            .filter(|hook| !wanted.contains(hook))
            .collect();
        let without = status.policy.map(|policy| policy.left_out);
        let old_left_out = without.unwrap_or_default();
        let difference = difference(command, runtime, input, &old_left_out, &missing);
        Ok(Self {
            attach,
            keep,
            detach,
            left_out,
            bytes: image.len(),
            difference,
        })
    }

    /// For people.
    pub(super) fn human(&self, terminal: Terminal) -> String {
        let color = terminal.stdout;
        let mut shown = String::new();
        for (word, hooks) in [
            ("attach", &self.attach),
            ("keep", &self.keep),
            ("detach", &self.detach),
        ] {
            if !hooks.is_empty() {
                shown.push_str(&format!("would {word}: {}\n", hooks.join(", ")));
            }
        }
        shown.push_str(&not_enforced(&self.left_out, color));
        match &self.difference {
            Ok(difference) => {
                shown.push_str(if difference.in_force {
                    "compared with the policy in force:\n\n"
                } else {
                    "no policy is in force; compared with none:\n\n"
                });
                shown.push_str(&difference.shown().human(color));
                shown.push('\n');
            }
            Err(reason) => shown.push_str(&format!(
                "{} with the policy in force: {}\n",
                paint(color, Style::Yellow, "not compared"),
                text::harmless(reason)
            )),
        }
        shown.push_str(&format!(
            "{}: {} could be put in force; nothing was changed\n",
            paint(color, Style::Green, "ok"),
            text::bytes(self.bytes)
        ));
        shown
    }

    /// An object on the machine, then those of the comparison.
    pub(super) fn json(&self) -> Vec<Json> {
        let left_out: Vec<Json> = self
            .left_out
            .iter()
            .map(|one| {
                let reason = one.reason.to_string();
                match one.what {
                    Missing::Hook(hook) => json!({ "hook": hook.name(), "reason": reason }),
                    Missing::Field(field) => json!({ "field": field.name(), "reason": reason }),
                }
            })
            .collect();
        let mut first = json!({
            "attach": self.attach,
            "keep": self.keep,
            "detach": self.detach,
            "not_enforced": left_out,
            "bytes": self.bytes,
        });
        let mut more = Vec::new();
        let (key, value) = match &self.difference {
            Ok(difference) => {
                more = difference.shown().json();
                ("in_force", Json::from(difference.in_force))
            }
            Err(reason) => ("not_compared", Json::from(reason.as_str())),
        };
        if let Some(fields) = first.as_object_mut() {
            fields.insert(key.to_owned(), value);
        }
        more.insert(0, first);
        more
    }
}

/// What would be done differently; or why that cannot be said, which keeps nobody from
/// applying the policy.
fn difference(
    command: &Apply,
    runtime: &Runtime,
    input: &Input,
    old_left_out: &[HookId],
    left_out: &[HookId],
) -> Result<Difference, String> {
    let nothing = Hir::default();
    // Neither was compiled for a kernel that is named now.
    let arguments = CompileArguments {
        kernel: None,
        ..command.compile.clone()
    };
    let of_image = |bytes: &[u8]| {
        Policy::of_image(bytes, &arguments).map_err(|failure| match failure {
            Failure::Gone => String::new(),
            Failure::Told(told) => told.to_string(),
        })
    };
    let old = match runtime.read_image() {
        Ok(bytes) => Some(of_image(&bytes)?),
        Err(error) if error.code() == Code::NothingApplied => None,
        Err(error) => return Err(error.to_string()),
    };
    let read;
    let new = match input {
        Input::Policy(policy) => policy.as_ref(),
        Input::Image { bytes, .. } => {
            read = of_image(bytes)?;
            &read
        }
    };
    let meaning = |policy: &'_ Policy| -> Result<Hir, String> {
        let refused = "this version does not accept its sources";
        policy.hir.clone().ok_or_else(|| refused.to_owned())
    };
    let before = old.as_ref().map(meaning).transpose()?;
    let comparison = compare(
        Side {
            policy: before.as_ref().unwrap_or(&nothing),
            left_out: old_left_out,
        },
        Side {
            policy: &meaning(new)?,
            left_out,
        },
    );
    Ok(Difference {
        comparison,
        in_force: old.is_some(),
        before: old.map(|policy| policy.sources).unwrap_or_default(),
        after: new.sources.clone(),
    })
}
