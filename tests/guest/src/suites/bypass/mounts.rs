//! Other places for a file: mounts, roots and namespaces.

use anyhow::Result;

use super::route::{Route, Site, open, steps};
use crate::actor::{Actor, Outcome};
use crate::machine;

const AT: &str = "/srv/at";

fn at(site: Site) -> String {
    format!("{AT}/{}", site.name)
}

pub(super) fn routes() -> Vec<Route> {
    let fresh = |actor: &mut Actor, _: Site| {
        steps(actor, &[&["private"], &["mount", "none", AT, "tmpfs", "-"]])
    };
    vec![
        Route::to_file(
            "bind_mount",
            "bind the directory elsewhere",
            |actor, site| {
                let bind = ["mount", "/srv/d", AT, "-", "bind"];
                steps(actor, &[&["private"], &bind, &["open", &at(site), "r"]])
            },
        )
        .through("deny sb_mount when mount.flags has MS_BIND", "mount")
        .spares(fresh),
        Route::to_file(
            "bind_by_move_mount",
            "the same by `open_tree` and `move_mount`",
            |actor, site| {
                let bind = ["bind-by-move", "/srv/d", AT];
                steps(actor, &[&["private"], &bind, &["open", &at(site), "r"]])
            },
        )
        .through("deny move_mount", "move_mount")
        .spares(fresh),
        Route::to_file(
            "detached_mount",
            "open in a copy of the mount that is mounted nowhere (`open_tree`)",
            |actor, site| actor.ask(&["open-detached", "/srv/d", site.name]),
        )
        .spares(open_public),
        Route::to_program(
            "detached_program",
            "execute in a copy of the mount that is mounted nowhere",
            |actor, site| actor.ask(&["exec-detached", "/srv/d", site.name]),
        )
        .spares(|actor, site| actor.ask(&["exec", &site.path()])),
        Route::to_file(
            "umounted",
            "open in a mount that has been taken away while it was in use",
            |actor, site| {
                let bind = ["mount", "/srv/d", AT, "-", "bind"];
                let away = ["open-umounted", AT, site.name];
                steps(actor, &[&["private"], &bind, &away])
            },
        )
        .spares(open_public),
        Route {
            missing: missing_overlay,
            ..Route::to_file(
                "overlay",
                "mount an overlay with the directory as its lower one",
                |actor, site| {
                    let overlay = ["overlay", "/srv/d:/srv/empty", AT];
                    steps(actor, &[&["private"], &overlay, &["open", &at(site), "r"]])
                },
            )
        }
        .through("deny sb_mount when fs == \"overlay\"", "mount")
        .spares(fresh),
        Route {
            missing: missing_overlay,
            ..Route::to_file(
                "detached_overlay",
                "open in an overlay that is mounted nowhere (`fsopen`, `fsmount`)",
                |actor, site| actor.ask(&["open-overlay", "/srv/d:/srv/empty", site.name]),
            )
        }
        .spares(open_public),
        Route::to_file("chroot", "chroot into the directory", |actor, site| {
            let inside = format!("/{}", site.name);
            steps(actor, &[&["chroot", "/srv/d"], &["open", &inside, "r"]])
        }),
        Route::to_file(
            "mount_namespace",
            "a mount namespace of its own",
            |actor, site| {
                actor.must(&["private"])?;
                open(actor, site)
            },
        ),
        Route::to_file(
            "process_root",
            "`/proc/PID/root` of a process in another mount namespace",
            |actor, site| {
                let mut other = Actor::start(super::KEEPER)?;
                other.must(&["private"])?;
                let path = format!("/proc/{}/root{}", other.pid(), site.path());
                actor.ask(&["open", &path, "r"])
            },
        ),
    ]
}

/// What is not denied where a path is unknown: another file at its own place.
fn open_public(actor: &mut Actor, site: Site) -> Result<Outcome> {
    open(actor, site)
}

fn missing_overlay() -> Option<String> {
    let error = machine::load_module("overlay").err()?;
    Some(format!("no overlays: {error:#}"))
}
