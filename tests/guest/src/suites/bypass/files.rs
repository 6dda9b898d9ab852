//! Other names for a file, and other calls than open(2).

use super::route::{Answer, Route, open, steps};

const RENAMES: &str = "deny path_rename when any_path == \"/srv/d/secret\"";
const LINKS: &str = "deny path_link when any_path == \"/srv/d/secret\"";
const NEW: &str = "/srv/e/new";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::to_file(
            "rename",
            "rename the file, open the new name",
            |actor, site| {
                steps(
                    actor,
                    &[&["rename", &site.path(), NEW], &["open", NEW, "r"]],
                )
            },
        )
        .through(RENAMES, "rename"),
        Route::to_file(
            "rename_exchange",
            "exchange the file with another, open that name",
            |actor, site| {
                actor.must(&["mkdir", NEW, "755"])?;
                steps(
                    actor,
                    &[&["exchange", &site.path(), NEW], &["open", NEW, "r"]],
                )
            },
        )
        .through(RENAMES, "rename"),
        Route::to_file(
            "rename_over",
            "replace the file by renaming another over it",
            |actor, site| {
                actor.must(&["open", NEW, "wc"])?;
                steps(actor, &[&["rename", NEW, &site.path()]])
            },
        )
        .obvious(
            "deny file_open when path == \"/srv/d/secret\" and access has write",
            |actor, site| actor.ask(&["open", &site.path(), "w"]),
        )
        .through(RENAMES, "rename"),
        Route::to_file(
            "rename_directory",
            "rename the directory above the file",
            |actor, site| {
                let new = format!("{NEW}/{}", site.name);
                steps(actor, &[&["rename", "/srv/d", NEW], &["open", &new, "r"]])
            },
        )
        .through("deny path_rename when any_path == \"/srv/d\"", "rename")
        .spares(|actor, _| actor.ask(&["rename", "/srv/empty", "/srv/e/empty"])),
        Route::to_file("hard_link", "make a hard link, open that", |actor, site| {
            steps(actor, &[&["link", &site.path(), NEW], &["open", NEW, "r"]])
        })
        .through(LINKS, "link"),
        Route::to_file(
            "symlink",
            "make a symbolic link, open that",
            |actor, site| {
                steps(
                    actor,
                    &[&["symlink", &site.path(), NEW], &["open", NEW, "r"]],
                )
            },
        ),
        Route::to_file("handle", "`open_by_handle_at`", |actor, site| {
            actor.ask(&["open-by-handle", &site.path()])
        })
        .blocked("open_by_handle_at"),
        Route::to_file(
            "path_descriptor",
            "open with `O_PATH`, then `/proc/self/fd/N`",
            |actor, site| actor.ask(&["reopen", &site.path()]),
        ),
        Route::to_file(
            "truncate",
            "truncate(2), which opens nothing",
            |actor, site| actor.ask(&["truncate", &site.path()]),
        )
        .obvious(
            "deny file_open when path == \"/srv/d/secret\" and access has write",
            |actor, site| actor.ask(&["open", &site.path(), "w"]),
        )
        .through(
            "deny path_truncate when path == \"/srv/d/secret\"",
            "truncate",
        ),
        uring("io_uring_open", "open by io_uring", |actor, site| {
            actor.ask(&["uring-open", &site.path(), "now"])
        }),
        uring(
            "io_uring_worker",
            "open by a worker thread of io_uring; the rule names the program",
            |actor, site| actor.ask(&["uring-open", &site.path(), "worker"]),
        )
        .obvious(BY_ACTOR, open),
        uring(
            "io_uring_polling",
            "open by a polling thread of io_uring; the rule names the program",
            |actor, site| actor.ask(&["uring-open", &site.path(), "poll"]),
        )
        .obvious(BY_ACTOR, open),
    ]
}

const BY_ACTOR: &str =
    "deny file_open when path == \"/srv/d/secret\" and exe == \"/srv/bin/actor\"";

fn uring(name: &'static str, how: &'static str, go: super::Go) -> Route {
    Route {
        answer: Answer::Blocked { at: "io_uring" },
        missing: missing_uring,
        ..Route::to_file(name, how, go)
    }
}

/// Why io_uring cannot be used.
pub(super) fn missing_uring() -> Option<String> {
    let mut parameters = [0u32; 30];
    // SAFETY: `struct io_uring_params` has 120 bytes.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) };
    if ring < 0 {
        let error = std::io::Error::last_os_error();
        return Some(format!("the kernel has no io_uring: {error}"));
    }
    // SAFETY: the descriptor made above.
    unsafe { libc::close(ring as i32) };
    None
}
