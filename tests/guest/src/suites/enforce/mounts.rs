//! Hooks on mounts. What is allowed happens in a mount namespace of the child's own.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::json;

use super::case::{ACTOR, Case};
use super::{Ground, shows};
use crate::actor::Actor;

pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    mounted(&mut all);
    others(&mut all);
    all
}

fn new(
    hook: &'static str,
    field: &str,
    hit: &str,
    miss: &str,
    call: &'static str,
    request: &'static [&'static str],
) -> Case {
    Case::of_child(hook, field, hit, miss, call, request).with(|site| {
        fs::create_dir_all(&site.path)?;
        Ok(fs::create_dir_all(&site.other)?)
    })
}

fn mounted(all: &mut Vec<Case>) {
    const MOUNT: &[&str] = &["mount", "the source", "{path}", "tmpfs", "nodev,nosuid"];
    const BIND: &[&str] = &["mount", "/t", "{path}", "-", "bind"];
    let mount =
        |field: &str, hit: &str, miss: &str| new("sb_mount", field, hit, miss, "mount", MOUNT);
    all.push(mount("path", "path == \"{path}\"", "path == \"{path}x\""));
    all.push(
        mount("source", "source == \"the *\"", "source == \"the\"").shows("source", "the source"),
    );
    all.push(mount("fs", "fs == \"tmpfs\"", "fs == \"rootfs\"").shows("fs", "tmpfs"));
    all.push(
        mount(
            "mount.flags",
            "mount.flags has [MS_NODEV, MS_NOSUID]",
            "mount.flags has any [MS_BIND, MS_RDONLY]",
        )
        .shows("mount.flags", json!(["MS_NOSUID", "MS_NODEV"])),
    );
    // The mount point's.
    for (field, hit, miss) in [
        ("file.uid", "file.uid == 0", "file.uid == 1"),
        ("file.gid", "file.gid == 0", "file.gid == 1"),
        ("file.nlink", "file.nlink == 2", "file.nlink == 1"),
        (
            "file.mode",
            "file.mode has S_IRWXU",
            "file.mode has S_ISUID",
        ),
        ("file.owned", "file.owned", "not file.owned"),
        ("file.running", "not file.running", "file.running"),
        ("file.is_exe", "not file.is_exe", "file.is_exe"),
    ] {
        all.push(mount(field, hit, miss));
    }
    all.push(mount("file.type", "file.type == DIR", "file.type == REG").shows("file.type", "DIR"));
    all.push(
        new(
            "sb_mount",
            "bind",
            "mount.flags has MS_BIND and source == \"/t\" and fs != \"**\"",
            "fs == \"**\"",
            "mount",
            BIND,
        )
        .shows("mount.flags", json!(["MS_BIND"])),
    );
}

fn others(all: &mut Vec<Case>) {
    const UMOUNT: &[&str] = &["umount", "{path}"];
    const REMOUNT: &[&str] = &["remount", "{path}"];
    const MOVE: &[&str] = &["move-mount", "{path}", "{other}"];
    const PIVOT: &[&str] = &["pivot", "{path}"];
    for (field, hit, miss) in [
        ("path", "path == \"{path}\"", "path == \"/t\""),
        ("fs", "fs == \"tmpfs\"", "fs == \"rootfs\""),
    ] {
        all.push(new("sb_umount", field, hit, miss, "umount", UMOUNT).shows("fs", "tmpfs"));
    }
    all.push(
        new(
            "sb_remount",
            "fs",
            "fs == \"tmpfs\"",
            "fs == \"proc\"",
            "mount",
            REMOUNT,
        )
        .shows("fs", "tmpfs"),
    );
    for (field, hit, miss) in [
        ("path", "path == \"{path}\"", "path == \"{other}\""),
        (
            "new_path",
            "new_path == \"{other}\"",
            "new_path == \"{path}\"",
        ),
        ("any_path", "any_path == \"{other}\"", "any_path == \"/t\""),
    ] {
        all.push(new("move_mount", field, hit, miss, "move_mount", MOVE));
    }
    // In the namespace that it makes, the child's paths begin at its new root.
    for (field, hit, miss) in [
        ("path", "path == \"/a/old\"", "path == \"/a\""),
        ("new_path", "new_path == \"/a\"", "new_path == \"/a/old\""),
    ] {
        all.push(
            new("sb_pivotroot", field, hit, miss, "pivot_root", PIVOT).shows("new_path", "/a"),
        );
    }
}

/// No kernel tells the mount point at `sb_remount`: what depends on it is in doubt.
pub(super) fn remounted_path(ground: &mut Ground) -> Result<()> {
    const RULE: &str = "@id(\"doubt\") deny sb_remount \
                        when path == \"/t/elsewhere\" and exe == \"/t/actor\"\n";
    fs::create_dir_all("/t/remounted")?;
    let request = &["as", "remounter", "remount", "/t/remounted"];
    ground.apply(RULE)?;
    let mut actor = Actor::start(ACTOR)?;
    actor.ask(request)?.refused("mount")?;
    let event = ground
        .events()?
        .wait("the doubt", |event| event.text("hook") == "sb_remount")?;
    shows(&event, "unknown", &json!(true))?;
    ensure!(event.get("path").is_null(), "a path: {}", event.0);
    ground.apply(&format!("{RULE}on_error allow sb_remount\n"))?;
    actor.must(request).map(drop)
}
