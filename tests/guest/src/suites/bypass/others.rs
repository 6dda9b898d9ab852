//! Through other processes: tracing them, and taking their descriptors.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;

use anyhow::{Context as _, Result, ensure};

use super::KEEPER;
use super::route::{Answer, Route, Site, open};
use crate::actor::{Actor, Outcome};

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
    let mut byte = *b"x";
    let mut part = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: 1,
    };
    let mut control = [0u64; 3];
    // SAFETY: all bytes zero are an empty message; the parts outlive the call, and the
    // control buffer has room for a header and one descriptor.
    let sent = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(4) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(header)
            .cast::<i32>()
            .write_unaligned(file.as_raw_fd());
        libc::sendmsg(socket.as_raw_fd(), &raw const message, 0)
    };
    ensure!(
        sent == 1,
        "sending the descriptor: {}",
        std::io::Error::last_os_error()
    );
    actor.answer()
}
