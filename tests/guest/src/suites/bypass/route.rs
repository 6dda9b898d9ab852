//! What a route is: what it does, the rule that people write first, and what comes of
//! it.

use anyhow::Result;

use crate::actor::{Actor, Outcome};

/// The object that a test is about, or another that its rule is not about.
#[derive(Clone, Copy)]
pub(super) struct Site {
    pub(super) name: &'static str,
    /// Where a server listens.
    pub(super) port: &'static str,
}

impl Site {
    pub(super) const SECRET: Self = Self {
        name: "secret",
        port: "4001",
    };
    pub(super) const PUBLIC: Self = Self {
        name: "public",
        port: "4002",
    };

    /// The object's path.
    pub(super) fn path(self) -> String {
        format!("/srv/d/{}", self.name)
    }
}

/// Goes a route: the outcome of the call that failed, or of the last one.
pub(super) type Go = fn(&mut Actor, Site) -> Result<Outcome>;

/// What comes of a route under the obvious rule.
pub(super) enum Answer {
    /// It is blocked at the call of that name.
    Blocked { at: &'static str },
    /// It gets through; `rule` blocks it at that call, added to the obvious one or in
    /// its stead.
    Through {
        rule: &'static str,
        instead: bool,
        at: &'static str,
        errno: i32,
    },
}

/// One row of the table.
pub(super) struct Route {
    pub(super) name: &'static str,
    /// What it does, for the documentation.
    pub(super) how: &'static str,
    /// What everybody would write first.
    pub(super) obvious: &'static str,
    /// What that blocks for certain.
    pub(super) direct: Option<Go>,
    pub(super) go: Go,
    pub(super) answer: Answer,
    /// What the blocking rule must spare, where that is not the route itself with
    /// another object.
    pub(super) near: Option<Go>,
    /// Whether an exempt program is still exempt at the decisive call.
    pub(super) outlives_exempt: bool,
    /// Why the route cannot be gone on this kernel.
    pub(super) missing: fn() -> Option<String>,
}

impl Route {
    /// A route to a file that must not be opened.
    pub(super) fn to_file(name: &'static str, how: &'static str, go: Go) -> Self {
        Self {
            name,
            how,
            obvious: "deny file_open when path == \"/srv/d/secret\"",
            direct: Some(open),
            go,
            answer: Answer::Blocked { at: "open" },
            near: None,
            outlives_exempt: true,
            missing: || None,
        }
    }

    /// A route to a program that must not be executed.
    pub(super) fn to_program(name: &'static str, how: &'static str, go: Go) -> Self {
        Self {
            obvious: "deny bprm_check_security when path == \"/srv/d/secret\"",
            direct: Some(|actor, site| actor.ask(&["exec", &site.path()])),
            answer: Answer::Blocked { at: "exec" },
            ..Self::to_file(name, how, go)
        }
    }

    /// Another obvious rule, and what it blocks for certain.
    pub(super) fn obvious(self, obvious: &'static str, direct: Go) -> Self {
        Self {
            obvious,
            direct: Some(direct),
            ..self
        }
    }

    /// The obvious rule blocks it at that call.
    pub(super) fn blocked(self, at: &'static str) -> Self {
        Self {
            answer: Answer::Blocked { at },
            ..self
        }
    }

    /// The obvious rule does not block it, this one does at that call.
    pub(super) fn through(self, rule: &'static str, at: &'static str) -> Self {
        let answer = Answer::Through {
            rule,
            instead: false,
            at,
            errno: libc::EPERM,
        };
        Self { answer, ..self }
    }

    /// What the blocking rule must spare.
    pub(super) fn spares(self, near: Go) -> Self {
        Self {
            near: Some(near),
            ..self
        }
    }

    /// The call at which it is blocked in the end.
    pub(super) fn stop(&self) -> &'static str {
        match self.answer {
            Answer::Blocked { at } | Answer::Through { at, .. } => at,
        }
    }
}

/// Opens the object for reading.
pub(super) fn open(actor: &mut Actor, site: Site) -> Result<Outcome> {
    actor.ask(&["open", &site.path(), "r"])
}

/// Asks for one thing after the other until one fails.
pub(super) fn steps(actor: &mut Actor, all: &[&[&str]]) -> Result<Outcome> {
    let mut last = Outcome::Done(serde_json::Value::Null);
    for words in all {
        last = actor.ask(words)?;
        if !matches!(last, Outcome::Done(_)) {
            break;
        }
    }
    Ok(last)
}
