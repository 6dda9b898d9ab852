//! Names that are hard to write or to read.

use std::fs::File;
use std::os::fd::OwnedFd;

use anyhow::Result;
use rustix::fs::{Mode, OFlags};

use super::route::{Answer, Route, Site};
use crate::actor::{Actor, Outcome};

/// Deeper than an absolute path can name.
const DEPTH: usize = 18;

fn component() -> String {
    "l".repeat(250)
}

const UNKNOWN_DENIED: &str = "deny file_open when path == \"/srv/deep/**/secret\"";
const UNKNOWN_ALLOWED: &str =
    "on_error allow file_open deny file_open when path == \"/srv/deep/**/secret\"";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::to_file("newline", "a name with a newline", |actor, site| {
            actor.ask(&["open", &format!("/srv/d/{}\n", site.name), "r"])
        })
        .obvious(
            "deny file_open when path == \"/srv/d/secret\\n\"",
            |actor, site| actor.ask(&["open", &format!("/srv/d/{}\n", site.name), "r"]),
        )
        .spares(super::route::open),
        Route::to_file("not_utf8", "a name that is not UTF-8", raw)
            .obvious("deny file_open when path == \"/srv/d/secret\\xff\"", raw),
        Route::to_file(
            "long_path",
            "a path of 4 096 bytes or more: it is unknown, and denied in doubt",
            |actor, site| deep(actor, site, DEPTH),
        )
        .obvious(UNKNOWN_DENIED, |actor, site| deep(actor, site, 3))
        .spares(|actor, site| deep(actor, site, 3)),
        Route {
            answer: Answer::Through {
                rule: UNKNOWN_DENIED,
                instead: true,
                at: "open",
                errno: libc::EPERM,
            },
            ..Route::to_file(
                "long_path_on_error_allow",
                "the same with `on_error allow`; blocked without that",
                |actor, site| deep(actor, site, DEPTH),
            )
            .obvious(UNKNOWN_ALLOWED, |actor, site| deep(actor, site, 3))
            .spares(|actor, site| deep(actor, site, 3))
        },
    ]
}

fn raw(actor: &mut Actor, site: Site) -> Result<Outcome> {
    let path = format!("/srv/d/{}", site.name).into_bytes();
    let digits: String = path
        .iter()
        .chain([&0xff])
        .map(|byte| format!("{byte:02x}"))
        .collect();
    actor.ask(&["open-bytes", &digits])
}

/// Goes down step by step, as no single name could.
fn deep(actor: &mut Actor, site: Site, depth: usize) -> Result<Outcome> {
    actor.must(&["chdir", "/srv/deep"])?;
    for _ in 0..depth {
        actor.must(&["chdir", &component()])?;
    }
    actor.ask(&["open", site.name, "r"])
}

/// Makes the files with such names.
pub(super) fn arrange() -> Result<()> {
    use std::os::unix::ffi::OsStrExt;
    for site in [Site::SECRET, Site::PUBLIC] {
        let mut path = site.path().into_bytes();
        path.push(0xff);
        std::fs::write(std::ffi::OsStr::from_bytes(&path), "plain\n")?;
    }
    if std::path::Path::new("/srv/deep").exists() {
        return Ok(());
    }
    let below = OFlags::RDONLY | OFlags::DIRECTORY;
    let create = OFlags::CREATE | OFlags::RDWR;
    let mode = Mode::from_raw_mode(0o755);
    std::fs::create_dir("/srv/deep")?;
    let mut directory: OwnedFd = File::open("/srv/deep")?.into();
    for _ in 0..DEPTH {
        rustix::fs::mkdirat(&directory, component(), mode)?;
        directory = rustix::fs::openat(&directory, component(), below, mode)?;
        for site in [Site::SECRET, Site::PUBLIC] {
            rustix::fs::openat(&directory, site.name, create, mode)?;
        }
    }
    Ok(())
}
