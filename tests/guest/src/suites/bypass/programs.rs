//! Other ways to run a program's code.

use anyhow::{Context as _, Result};

use super::INTERPRETER;
use super::route::{Route, Site};
use crate::actor::{Actor, Outcome};

const SCRIPT: &str = "deny bprm_check_security when path == \"/srv/d/secret.act\"";
const READS: &str = "deny file_open when path == \"/srv/d/secret\" and access has read";
const MAPS: &str = "deny mmap_file when path == \"/srv/d/secret\" and prot has PROT_EXEC";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::to_program("exec_by_thread", "execute from a thread", |actor, site| {
            actor.ask(&["exec-by-thread", &site.path()])
        }),
        Route::to_program(
            "execveat",
            "`execveat` of an `O_PATH` descriptor",
            |actor, site| actor.ask(&["exec-descriptor", &site.path()]),
        ),
        Route::to_program(
            "memfd",
            "copy the program into a memfd, execute that",
            |actor, site| actor.ask(&["exec-memory", &site.path()]),
        )
        .through("deny bprm_check_security when path == \"memfd:*\"", "exec")
        .spares(|actor, site| actor.ask(&["exec", &site.path()])),
        Route::to_program(
            "copy",
            "copy the program to another name, execute that",
            |actor, site| actor.ask(&["exec-copy", &site.path(), "/srv/e/new"]),
        )
        .through(READS, "open"),
        Route::to_program("script", "execute a script", |actor, site| {
            actor.ask(&["exec", &script(site)])
        })
        .obvious(SCRIPT, |actor, site| actor.ask(&["exec", &script(site)])),
        Route {
            outlives_exempt: false,
            ..Route::to_program(
                "interpreter",
                "hand the script to its interpreter: `sh script`",
                by_hand,
            )
        }
        .obvious(SCRIPT, |actor, site| actor.ask(&["exec", &script(site)]))
        .through(
            "deny file_open when path == \"/srv/d/secret.act\"",
            "script",
        ),
        Route::to_program(
            "loader",
            "map the program and jump into it, as `ld.so program` does",
            |actor, site| actor.ask(&["load", &site.path()]),
        )
        .through(MAPS, "load"),
        Route::to_program(
            "loader_that_copies",
            "read the program into memory made executable",
            |actor, site| actor.ask(&["load-copy", &site.path()]),
        )
        .obvious(
            "deny bprm_check_security, mmap_file when path == \"/srv/d/secret\"",
            |actor, site| actor.ask(&["load", &site.path()]),
        )
        .through(READS, "open"),
        Route::to_program(
            "mprotect",
            "map the file for reading, then make that executable",
            |actor, site| actor.ask(&["mprotect", &site.path()]),
        )
        .obvious(MAPS, |actor, site| {
            actor.ask(&["mmap", &site.path(), "rx", "private"])
        })
        .through(
            "deny file_mprotect when path == \"/srv/d/secret\" and prot has PROT_EXEC",
            "mprotect",
        ),
    ]
}

fn script(site: Site) -> String {
    format!("{}.act", site.path())
}

/// Runs the interpreter with the script as its argument; what the script came to.
fn by_hand(actor: &mut Actor, site: Site) -> Result<Outcome> {
    let output = actor.must(&["output", INTERPRETER, &script(site)])?;
    let said = output["stdout"].as_str().unwrap_or_default();
    let answer: serde_json::Value = serde_json::from_str(said).context("the script's answer")?;
    let errno = answer["errno"].as_i64().context("no errno")? as i32;
    Ok(match errno {
        0 => Outcome::Done(serde_json::Value::Null),
        _ => Outcome::Failed {
            at: answer["at"].as_str().unwrap_or_default().to_owned(),
            errno,
        },
    })
}
