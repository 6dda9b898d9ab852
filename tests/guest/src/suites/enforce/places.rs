//! The fields of their own that hooks on names and attributes of files have.

use std::os::unix::fs::PermissionsExt;

use anyhow::Context as _;
use serde_json::json;

use super::case::{Case, Site, plain_file, words};

pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    directories(&mut all);
    made(&mut all);
    changed(&mut all);
    open_files(&mut all);
    protections(&mut all);
    attributes(&mut all);
    all
}

/// Hooks on directories: the fields of FILE that a directory can have.
fn directories(all: &mut Vec<Case>) {
    for hook in ["path_rmdir", "path_chroot"] {
        let new = |field: &str, hit: &str, miss: &str| Case::new(hook, field, hit, miss);
        all.push(new("path", "path == \"{path}\"", "path == \"{path}x\""));
        all.push(new(
            "any_path",
            "any_path == \"/t/*-{slot}\"",
            "any_path == \"/t/none\"",
        ));
        all.push(
            new("file.type", "file.type == DIR", "file.type == REG").shows("file.type", "DIR"),
        );
        all.push(new("fs", "fs == \"rootfs\"", "fs == \"root\"").shows("fs", "rootfs"));
        all.push(new("file.uid", "file.uid == 0", "file.uid == 1").shows("file.uid", 0));
        all.push(new("file.nlink", "file.nlink == 2", "file.nlink == 1").shows("file.nlink", 2));
        all.push(new("file.owned", "file.owned", "not file.owned").shows("file.owned", true));
        all.push(new("file.gid", "file.gid == 0", "file.gid in [1..9]").shows("file.gid", 0));
        all.push(
            new("file.mode", "file.mode == 0o750", "file.mode == 0o755")
                .with(|site| {
                    std::fs::create_dir_all(&site.path)?;
                    let mode = std::fs::Permissions::from_mode(0o750);
                    Ok(std::fs::set_permissions(&site.path, mode)?)
                })
                .shows("file.mode", 0o750),
        );
        // Nobody runs a directory.
        all.push(new("file.running", "not file.running", "file.running"));
        all.push(new("file.is_exe", "not file.is_exe", "file.is_exe"));
    }
}

/// Where nothing is yet.
fn nothing_there(case: Case) -> Case {
    case.with(|site| {
        let _ = std::fs::remove_file(&site.path);
        let _ = std::fs::remove_dir(&site.path);
        Ok(())
    })
}

fn by(case: Case, call: &'static str, request: impl Fn(&Site) -> Vec<String> + 'static) -> Case {
    let mut case = nothing_there(case).by(request);
    case.call = call;
    case
}

/// What is being made.
fn made(all: &mut Vec<Case>) {
    let mkdir = |field: &str, hit: &str, miss: &str| {
        by(Case::at("path_mkdir", field, hit, miss), "mkdir", |site| {
            words(&["mkdir", &site.path, "750"])
        })
    };
    all.push(mkdir("path", "path == \"{path}\"", "path == \"{path}/x\""));
    all.push(mkdir("mode", "mode has [S_IRWXU, S_IRGRP]", "mode has S_IWGRP").shows("mode", 0o750));
    all.push(mkdir("mode-equal", "mode == 0o750", "mode == 0o755"));
    let mknod = |field: &str, hit: &str, miss: &str, mode: &'static str| {
        by(
            Case::at("path_mknod", field, hit, miss),
            "mknod",
            move |site| words(&["mknod", &site.path, mode]),
        )
    };
    all.push(mknod(
        "path",
        "path == \"{path}\"",
        "path == \"/t\"",
        "100644",
    ));
    all.push(mknod("mode", "mode == 0o640", "mode == 0o600", "100640").shows("mode", 0o640));
    for (name, mode) in [("REG", "644"), ("FIFO", "10644"), ("SOCK", "140644")] {
        all.push(
            mknod(
                &format!("file.type-{name}"),
                &format!("file.type == {name}"),
                "file.type == BLK",
                mode,
            )
            .shows("file.type", name),
        );
    }
    let mut open = by(
        Case::at(
            "path_mknod",
            "by-open",
            "file.type == REG and mode == 0o600",
            "file.type == DIR",
        ),
        "open",
        |site| words(&["open", &site.path, "wc"]),
    );
    open.expect.push(("file.type", json!("REG")));
    all.push(open);
    let symlink = |field: &str, hit: &str, miss: &str| {
        by(
            Case::at("path_symlink", field, hit, miss),
            "symlink",
            |site| words(&["symlink", "/etc/shadow", &site.path]),
        )
    };
    all.push(symlink("path", "path == \"{path}\"", "path == \"{path}x\""));
    all.push(
        symlink("target", "target == \"/etc/*\"", "target == \"/etc\"")
            .shows("target", "/etc/shadow"),
    );
    let link = |field: &str, hit: &str, miss: &str| {
        Case::new("path_link", field, hit, miss).with(|site| {
            let _ = std::fs::remove_file(&site.other);
            plain_file(&site.path)
        })
    };
    all.push(link(
        "new_path",
        "new_path == \"{other}\"",
        "new_path == \"{path}\"",
    ));
    all.push(link(
        "any_path-new",
        "any_path == \"{other}\"",
        "any_path == \"{other}x\"",
    ));
}

/// What changes.
fn changed(all: &mut Vec<Case>) {
    let chmod = |field: &str, hit: &str, miss: &str| {
        Case::new("path_chmod", field, hit, miss)
            .by(|site| words(&["chmod", &site.path, "4755"]))
            .shows("mode", 0o4755)
    };
    all.push(chmod("mode-setuid", "mode has S_ISUID", "mode has S_ISGID"));
    all.push(chmod("mode-equal", "mode == 0o4755", "mode == 0o755"));
    all.push(chmod(
        "mode-old",
        "file.mode == 0o666",
        "file.mode == 0o4755",
    ));
    let chown = |field: &str, hit: &str, miss: &str, uid: &'static str, gid: &'static str| {
        Case::new("path_chown", field, hit, miss)
            .by(move |site| words(&["chown", &site.path, uid, gid]))
    };
    all.push(
        chown("owner.uid", "owner.uid == 7", "owner.uid == 8", "7", "8").shows("owner.uid", 7),
    );
    all.push(
        chown("owner.gid", "owner.gid == 8", "owner.gid == 7", "7", "8").shows("owner.gid", 8),
    );
    all.push(chown(
        "owner.uid-none",
        "owner.uid != 7 and owner.gid == 8",
        "owner.uid in [0..4294967295]",
        "-",
        "8",
    ));
    all.push(chown(
        "owner.gid-none",
        "owner.gid != 8 and owner.uid == 7",
        "owner.gid in [0..4294967295]",
        "7",
        "-",
    ));
}

fn open_files(all: &mut Vec<Case>) {
    all.push(
        Case::new(
            "file_ioctl",
            "ioctl.cmd",
            "ioctl.cmd == 2",
            "ioctl.cmd == 3",
        )
        .shows("ioctl.cmd", 2),
    );
    let mut setlk = Case::new(
        "file_lock",
        "by-fcntl",
        "path == \"{path}\"",
        "path == \"/x\"",
    )
    .by(|site| words(&["setlk", &site.path]));
    setlk.call = "fcntl";
    all.push(setlk);
}

fn protections(all: &mut Vec<Case>) {
    let new = |field: &str, hit: &str, miss: &str| Case::new("file_mprotect", field, hit, miss);
    all.push(
        new("prot", "prot has PROT_EXEC", "prot has PROT_WRITE")
            .shows("prot", json!(["PROT_READ", "PROT_EXEC"])),
    );
    all.push(
        new("vma.kind-FILE", "vma.kind == FILE", "vma.kind == ANON").shows("vma.kind", "FILE"),
    );
    all.push(new(
        "vma.start",
        "vma.start > 4096 and vma.end > 8192",
        "vma.start < 4096",
    ));
    all.push(new("vma.end", "vma.end > 8192", "vma.end < 8192"));
    for (name, kind) in [
        ("STACK", &["mprotect-of", "stack"] as &[_]),
        ("HEAP", &["mprotect-of", "heap"]),
        ("ANON", &["mprotect-of", "anon"]),
    ] {
        all.push(
            Case::of_child(
                "file_mprotect",
                &format!("vma.kind-{name}"),
                &format!("vma.kind == {name} and prot has PROT_EXEC and path != \"/**\""),
                "vma.kind == FILE",
                "mprotect",
                kind,
            )
            .shows("vma.kind", name),
        );
    }
}

/// Extended attributes: the hooks do not tell a path.
fn attributes(all: &mut Vec<Case>) {
    for (hook, call, request) in [
        (
            "inode_setxattr",
            "setxattr",
            &["setxattr", "{path}", "trusted.lsmpc"] as &[_],
        ),
        (
            "inode_removexattr",
            "removexattr",
            &["removexattr", "{path}", "trusted.lsmpc"],
        ),
    ] {
        let new = |field: &str, hit: &str, miss: &str| {
            Case::of_child(hook, field, hit, miss, call, request)
                .with(|site| plain_file(&site.path).context("a file"))
                .or(&[libc::EOPNOTSUPP, libc::ENODATA])
        };
        all.push(
            new("xattr", "xattr == \"trusted.*\"", "xattr == \"user.*\"")
                .shows("xattr", "trusted.lsmpc"),
        );
        all.push(new("fs", "fs == \"rootfs\"", "fs == \"tmpfs\"").shows("fs", "rootfs"));
        all.push(
            new("file.mode", "file.mode == 0o666", "file.mode == 0o644").shows("file.mode", 0o666),
        );
        all.push(new("file.type", "file.type == REG", "file.type == DIR"));
        for (field, hit, miss) in [
            ("file.uid", "file.uid == 0", "file.uid == 1"),
            ("file.gid", "file.gid == 0", "file.gid == 1"),
            ("file.nlink", "file.nlink == 1", "file.nlink == 2"),
            ("file.owned", "file.owned", "not file.owned"),
            ("file.running", "not file.running", "file.running"),
            ("file.is_exe", "not file.is_exe", "file.is_exe"),
        ] {
            all.push(new(field, hit, miss));
        }
    }
}
