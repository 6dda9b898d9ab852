//! Through other processes: tracing them, and taking their descriptors.

use std::fs::File;
use std::os::unix::net::UnixListener;

use anyhow::{Context as _, Result};

use super::KEEPER;
use super::route::{Answer, Route, Site, open};
use crate::actor::{Actor, Outcome};
use crate::passing;

const UNLESS_KEEPER: &str =
    "deny file_open when path == \"/srv/d/secret\" unless exe == \"/srv/bin/keeper\"";
const RECEIVES: &str = "deny file_receive when path == \"/srv/d/secret\"";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::to_file(
            "ptrace",
            "trace a program that may open the file, and make it do so",
            |actor, site| {
                let keeper = Actor::start(KEEPER)?;
                // By a child: with its end the keeper is let go.
                let pid = keeper.pid().to_string();
                actor.ask(&["as", "tracer", "inject-open", &pid, &site.path()])
            },
        )
        .obvious(UNLESS_KEEPER, open)
        .through(
            "deny ptrace_access_check when ptrace.mode has PTRACE_MODE_ATTACH",
            "ptrace",
        )
        .spares(|actor, _| {
            let keeper = Actor::start(KEEPER)?;
            actor.ask(&["kill", &keeper.pid().to_string(), "0"])
        }),
        Route::to_file(
            "stolen_descriptor",
            "`pidfd_getfd` from a program that has the file open",
            stolen,
        )
        .obvious(UNLESS_KEEPER, open)
        .through(RECEIVES, "pidfd_getfd"),
        Route {
            answer: Answer::Through {
                rule: RECEIVES,
                instead: false,
                at: "receive",
                errno: libc::EBADF,
            },
            ..Route::to_file(
                "passed_descriptor",
                "be sent the open file over a unix socket; the message then comes without it",
                passed,
            )
            .obvious(UNLESS_KEEPER, open)
        },
    ]
}

fn stolen(actor: &mut Actor, site: Site) -> Result<Outcome> {
    let mut keeper = Actor::start(KEEPER)?;
    keeper.must(&["hold", &site.path(), "r"])?;
    let pid = keeper.pid().to_string();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        let entry = entry?;
        if std::fs::read_link(entry.path())?.as_os_str() == site.path().as_str() {
            let number = entry.file_name().to_string_lossy().into_owned();
            return actor.ask(&["steal", &pid, &number]);
        }
    }
    anyhow::bail!("the keeper does not hold {}", site.path())
}

/// This process opens the file and sends it.
fn passed(actor: &mut Actor, site: Site) -> Result<Outcome> {
    let at = "/srv/e/passing";
    let listener = UnixListener::bind(at)?;
    let file = File::open(site.path())?;
    actor.tell(&["receive-from", at])?;
    let (socket, _) = listener
        .accept()
        .context("nobody came for the descriptor")?;
    passing::send(&socket, &file).context("sending the descriptor")?;
    actor.answer()
}
