//! Which path a file is taken to have: under another root, through bind and
//! nested mounts, once it is deleted, when it is very long.

use std::ffi::CString;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use rustix::mount::{MountFlags, UnmountFlags};

use super::Ground;
use super::case::{ACTOR, plain_file};
use crate::actor::Actor;
use crate::console::Report;

type Test = fn(&mut Ground) -> Result<()>;

const TESTS: &[(&str, Test)] = &[
    ("under_another_root", under_another_root),
    ("bind_mount", bind_mount),
    ("nested_mount", nested_mount),
    ("another_mount_namespace", another_mount_namespace),
    ("relative_names", relative_names),
    ("dot_dot_and_doubled_slashes", dot_dot),
    ("deleted_file", deleted_file),
    ("name_that_ends_in_deleted", name_that_ends_in_deleted),
    ("very_long_path", very_long_path),
    ("names_of_255_bytes", names_of_255_bytes),
    ("bytes_that_are_not_utf8", bytes_that_are_not_utf8),
    ("direct_children_and_whole_tree", children_and_tree),
    ("new_file", new_file),
    ("pipes_have_no_path_below_the_root", pipes),
    (
        "message_queues_are_in_a_mount_of_the_kernel",
        message_queues,
    ),
];

pub(super) fn run(report: &mut Report, ground: &mut Ground) {
    for (name, test) in TESTS {
        report.test(&format!("enforce::paths::{name}"), || test(ground));
    }
}

/// A policy that denies opening, removing and renaming one path.
fn deny_path(path: &str) -> String {
    format!("@id(\"p\") deny file_open, path_unlink, path_rename when any_path == \"{path}\"\n")
}

fn mount(kind: &str, from: &str, to: &str, flags: MountFlags) -> Result<()> {
    let data = CString::default();
    rustix::mount::mount(from, to, kind, flags, data.as_c_str())
        .with_context(|| format!("mounting {from} at {to}"))
}

/// Takes a mount away again when a test is over.
struct Mounted(&'static str);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0, UnmountFlags::DETACH);
    }
}

fn under_another_root(ground: &mut Ground) -> Result<()> {
    fs::create_dir_all("/t/root/etc")?;
    plain_file("/t/root/etc/shadow")?;
    plain_file("/t/root/etc/other")?;
    ground.apply(&deny_path("/t/root/etc/shadow"))?;
    let mut actor = Actor::start(ACTOR)?;
    actor.must(&["chroot", "/t/root"])?;
    actor.ask(&["open", "/etc/shadow", "r"])?.refused("open")?;
    let event = ground.events()?.of_rule("p")?;
    ensure!(
        event.text("path") == "/t/root/etc/shadow",
        "path: {}",
        event.0
    );
    actor.ask(&["unlink", "/etc/shadow"])?.refused("unlink")?;
    actor
        .ask(&["rename", "/etc/shadow", "/etc/new"])?
        .refused("rename")?;
    actor.must(&["open", "/etc/other", "r"])?;
    // The name seen inside says nothing.
    ground.apply(&deny_path("/etc/shadow"))?;
    actor.must(&["open", "/etc/shadow", "r"])?;
    // A program executed inside is named in full as well.
    crate::actor::install("/t/root/inside")?;
    ground.apply(
        "@id(\"p\") deny file_open when exe == \"/t/root/inside\" and path == \"/t/root/etc/other\"",
    )?;
    actor.enter("/inside").ok();
    actor.ask(&["open", "/etc/other", "r"])?.refused("open")
}

fn bind_mount(ground: &mut Ground) -> Result<()> {
    fs::create_dir_all("/t/bound")?;
    fs::create_dir_all("/t/source")?;
    plain_file("/t/source/f")?;
    mount("", "/t/source", "/t/bound", MountFlags::BIND)?;
    let _mounted = Mounted("/t/bound");
    let mut actor = Actor::start(ACTOR)?;
    ground.apply(&deny_path("/t/bound/f"))?;
    actor.ask(&["open", "/t/bound/f", "r"])?.refused("open")?;
    actor.ask(&["unlink", "/t/bound/f"])?.refused("unlink")?;
    actor.must(&["open", "/t/source/f", "r"])?;
    ground.apply(&deny_path("/t/source/f"))?;
    actor.must(&["open", "/t/bound/f", "r"])?;
    actor
        .ask(&["rename", "/t/source/f", "/t/source/g"])?
        .refused("rename")
}

fn nested_mount(ground: &mut Ground) -> Result<()> {
    fs::create_dir_all("/t/outer")?;
    mount("tmpfs", "tmpfs", "/t/outer", MountFlags::empty())?;
    let _outer = Mounted("/t/outer");
    fs::create_dir_all("/t/outer/x/inner")?;
    mount("tmpfs", "tmpfs", "/t/outer/x/inner", MountFlags::empty())?;
    let _inner = Mounted("/t/outer/x/inner");
    fs::create_dir_all("/t/outer/x/inner/y")?;
    plain_file("/t/outer/x/inner/y/f")?;
    plain_file("/t/outer/x/inner/f")?;
    ground.apply(
        "@id(\"p\") deny file_open, path_unlink, path_rename \
         when any_path == \"/t/outer/x/inner/**\" and fs == \"tmpfs\"",
    )?;
    let mut actor = Actor::start(ACTOR)?;
    for path in ["/t/outer/x/inner/y/f", "/t/outer/x/inner/f"] {
        actor.ask(&["open", path, "r"])?.refused("open")?;
        let event = ground.events()?.of_rule("p")?;
        ensure!(event.text("path") == path, "path: {}", event.0);
        actor.ask(&["unlink", path])?.refused("unlink")?;
        let event = ground
            .events()?
            .wait("unlink", |event| event.text("hook") == "path_unlink")?;
        ensure!(event.text("path") == path, "path: {}", event.0);
        let to = format!("{path}-new");
        actor.ask(&["rename", path, &to])?.refused("rename")?;
        ground.events()?.of_rule("p")?;
    }
    Ok(())
}

fn another_mount_namespace(ground: &mut Ground) -> Result<()> {
    plain_file("/t/ns")?;
    ground.apply(&deny_path("/t/ns"))?;
    let mut actor = Actor::start(ACTOR)?;
    actor.must(&["unshare", "mount"])?;
    actor.ask(&["open", "/t/ns", "r"])?.refused("open")?;
    actor.ask(&["unlink", "/t/ns"])?.refused("unlink")
}

fn relative_names(ground: &mut Ground) -> Result<()> {
    fs::create_dir_all("/t/rel/sub")?;
    plain_file("/t/rel/sub/f")?;
    ground.apply(&deny_path("/t/rel/sub/f"))?;
    let mut actor = Actor::start(ACTOR)?;
    actor.must(&["chdir", "/t/rel"])?;
    actor.ask(&["open", "sub/f", "r"])?.refused("open")?;
    actor.ask(&["unlink", "sub/f"])?.refused("unlink")?;
    actor.must(&["chdir", "sub"])?;
    actor.ask(&["open", "f", "r"])?.refused("open")?;
    actor.ask(&["rename", "f", "g"])?.refused("rename")
}

fn dot_dot(ground: &mut Ground) -> Result<()> {
    fs::create_dir_all("/t/rel/sub")?;
    plain_file("/t/rel/f2")?;
    ground.apply(&deny_path("/t/rel/f2"))?;
    let mut actor = Actor::start(ACTOR)?;
    for name in ["/t/rel/sub/../f2", "/t//rel/./f2", "/t/../t/rel/f2"] {
        actor.ask(&["open", name, "r"])?.refused("open")?;
        actor.ask(&["unlink", name])?.refused("unlink")?;
    }
    Ok(())
}

fn deleted_file(ground: &mut Ground) -> Result<()> {
    plain_file("/t/dead")?;
    let mut actor = Actor::start(ACTOR)?;
    // Opened anew through a descriptor, after its name is gone.
    let held = fs::File::open("/t/dead")?;
    fs::remove_file("/t/dead")?;
    ground.apply(&deny_path("/t/dead"))?;
    let name = format!("/proc/1/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&held));
    actor.ask(&["open", &name, "r"])?.refused("open")?;
    let event = ground.events()?.of_rule("p")?;
    ensure!(event.text("path") == "/t/dead", "path: {}", event.0);
    Ok(())
}

fn name_that_ends_in_deleted(ground: &mut Ground) -> Result<()> {
    plain_file("/t/f (deleted)")?;
    plain_file("/t/f")?;
    ground.apply(&deny_path("/t/f (deleted)"))?;
    let mut actor = Actor::start(ACTOR)?;
    actor
        .ask(&["open", "/t/f (deleted)", "r"])?
        .refused("open")?;
    actor.must(&["open", "/t/f", "r"])?;
    ground.apply(&deny_path("/t/f"))?;
    actor.must(&["open", "/t/f (deleted)", "r"])?;
    actor.ask(&["open", "/t/f", "r"])?.refused("open")
}

fn very_long_path(ground: &mut Ground) -> Result<()> {
    // A policy about paths, as the test before left it, would be in the way: to
    // it the deepest are unknown.
    ground.apply("deny file_open when uid == 4294967294\n")?;
    // Walked down in steps: no single call may be given so long a name.
    let component = "l".repeat(250);
    let mode = rustix::fs::Mode::from_raw_mode(0o777);
    let create = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::RDWR;
    let below = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
    fs::create_dir_all("/t/deep")?;
    let mut directory: std::os::fd::OwnedFd = fs::File::open("/t/deep")?.into();
    for _ in 1..=20 {
        let _ = rustix::fs::mkdirat(&directory, component.as_str(), mode);
        directory = rustix::fs::openat(&directory, component.as_str(), below, mode)?;
        for name in ["secret", "public"] {
            rustix::fs::openat(&directory, name, create, mode)?;
        }
    }
    ground.apply(
        "on_error deny file_open\n\
         @id(\"p\") deny file_open when path == \"/t/deep/**/secret\"\n\
         @id(\"n\") deny file_open when path == \"/t/never\"\n",
    )?;
    let mut actor = Actor::start(ACTOR)?;
    actor.must(&["chdir", "/t/deep"])?;
    for depth in 1..=20 {
        actor.must(&["chdir", &component])?;
        actor.ask(&["open", "secret", "r"])?.refused("open")?;
        // From 4 096 bytes on the path is unknown, and on_error decides.
        let public = actor.ask(&["open", "public", "r"])?;
        if depth <= 16 {
            public.done()?;
        } else {
            public.refused("open")?;
        }
    }
    Ok(())
}

fn names_of_255_bytes(ground: &mut Ground) -> Result<()> {
    let long = format!("/t/{}", "n".repeat(255));
    let near = format!("/t/{}m", "n".repeat(254));
    plain_file(&long)?;
    plain_file(&near)?;
    ground.apply(&deny_path(&long))?;
    let mut actor = Actor::start(ACTOR)?;
    actor.ask(&["open", &long, "r"])?.refused("open")?;
    actor.ask(&["unlink", &long])?.refused("unlink")?;
    actor.must(&["open", &near, "r"]).map(drop)
}

fn bytes_that_are_not_utf8(ground: &mut Ground) -> Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::OsStr::from_bytes(b"/t/raw\xff");
    fs::write(path, "x")?;
    ground.apply("@id(\"p\") deny file_open when path == \"/t/raw\\xff\"\n")?;
    // This process opens it: an actor's requests are UTF-8.
    let refused = fs::File::open(path)
        .err()
        .and_then(|error| error.raw_os_error());
    ensure!(refused == Some(libc::EPERM), "opened: {refused:?}");
    let event = ground.events()?.of_rule("p")?;
    ensure!(
        event.text("path") == "bytes:2f742f726177ff",
        "path: {}",
        event.0
    );
    Ok(())
}

fn children_and_tree(ground: &mut Ground) -> Result<()> {
    fs::create_dir_all("/t/tree/sub")?;
    plain_file("/t/tree/f")?;
    plain_file("/t/tree/sub/f")?;
    let mut actor = Actor::start(ACTOR)?;
    ground.apply("deny file_open when path == \"/t/tree/*\"")?;
    actor.ask(&["open", "/t/tree/f", "r"])?.refused("open")?;
    actor.ask(&["open", "/t/tree/sub", "r"])?.refused("open")?;
    actor.must(&["open", "/t/tree/sub/f", "r"])?;
    actor.must(&["open", "/t/tree", "r"])?;
    ground.apply("deny file_open when path == \"/t/tree/**\"")?;
    actor
        .ask(&["open", "/t/tree/sub/f", "r"])?
        .refused("open")?;
    actor.must(&["open", "/t/tree", "r"])?;
    ground.apply("deny file_open when path == \"/t/tree{,/**}\"")?;
    actor.ask(&["open", "/t/tree", "r"])?.refused("open")?;
    ground.apply("deny file_open when path == \"/**/sub/[e-g]\"")?;
    actor
        .ask(&["open", "/t/tree/sub/f", "r"])?
        .refused("open")?;
    actor.must(&["open", "/t/tree/f", "r"]).map(drop)
}

fn new_file(ground: &mut Ground) -> Result<()> {
    let _ = fs::remove_file("/t/created");
    ground.apply("deny file_open when path == \"/t/created\" and access has create")?;
    let mut actor = Actor::start(ACTOR)?;
    actor.ask(&["open", "/t/created", "rwc"])?.refused("open")?;
    plain_file("/t/created-elsewhere")?;
    fs::rename("/t/created-elsewhere", "/t/created")?;
    actor.must(&["open", "/t/created", "rw"]).map(drop)
}

fn pipes(ground: &mut Ground) -> Result<()> {
    ground.apply(
        "@id(\"p\") deny file_open when path == \"pipe:*\"\n\
         @id(\"q\") deny file_open when path == \"/t/q\"\n",
    )?;
    let (reader, _writer) = std::io::pipe()?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&reader);
    let mut actor = Actor::start(ACTOR)?;
    actor
        .ask(&["open", &format!("/proc/1/fd/{number}"), "rn"])?
        .refused("open")?;
    let event = ground.events()?.of_rule("p")?;
    ensure!(
        event.text("path").starts_with("pipe:["),
        "path: {}",
        event.0
    );
    Ok(())
}

/// A queue is a file of a mount that is in no namespace, but nobody's copy.
fn message_queues(ground: &mut Ground) -> Result<()> {
    ground.apply("@id(\"p\") deny file_open when path == \"/a-queue\"")?;
    let mut actor = Actor::start(ACTOR)?;
    actor.ask(&["queue", "a-queue"])?.refused("mq_open")?;
    let event = ground.events()?.of_rule("p")?;
    ensure!(event.text("fs") == "mqueue", "{}", event.0);
    actor.must(&["queue", "another-queue"]).map(drop)
}
