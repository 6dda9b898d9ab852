//! Every object field of the hooks on files, with a value that fits and one
//! that nearly does.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;

use anyhow::{Context, Result};
use rustix::fs::{FileType, Mode};
use serde_json::json;

use super::case::{ACTOR, Case, Site, TARGET, plain_file, program_file, words};

/// Hooks that offer the fields FILE, tested on regular files.
const FILE_HOOKS: &[&str] = &[
    "file_open",
    "bprm_check_security",
    "mmap_file",
    "path_unlink",
    "path_rename",
    "path_link",
    "path_chmod",
    "path_chown",
    "path_truncate",
    "inode_getattr",
    "file_truncate",
    "file_lock",
    "file_receive",
    "file_ioctl",
    "file_mprotect",
    "kernel_read_file",
];

/// The file that a hook is tested with, before a case changes it.
fn usual(hook: &str, path: &str) -> Result<()> {
    if hook == "bprm_check_security" {
        program_file(path)
    } else {
        plain_file(path)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for hook in FILE_HOOKS {
        every_file_field(hook, &mut all);
    }
    access(&mut all);
    mappings(&mut all);
    types(&mut all);
    renames(&mut all);
    all
}

/// The fields that every file has, tested in the same way at each hook.
fn every_file_field(hook: &'static str, all: &mut Vec<Case>) {
    let new = |field: &str, hit: &str, miss: &str| Case::new(hook, field, hit, miss);
    all.push(new("path", "path == \"{path}\"", "path == \"{path}x\"").shows("file.type", "REG"));
    all.push(new(
        "path-glob",
        "path == \"/t/*-{slot}\"",
        "path == \"/t/*-{slot}/**\"",
    ));
    all.push(new(
        "any_path",
        "any_path == \"{path}\"",
        "any_path == \"/t/none\"",
    ));
    all.push(new("fs", "fs == \"rootfs\"", "fs == \"root\"").shows("fs", "rootfs"));
    all.push(
        new("file.uid", "file.uid == 1234", "file.uid == 1235")
            .with(move |site| {
                usual(hook, &site.path)?;
                chown(&site.path, Some(1234), None).context("chown")
            })
            .shows("file.uid", 1234),
    );
    all.push(
        new(
            "file.gid",
            "file.gid in [1230..1234]",
            "file.gid in [1230..1233]",
        )
        .with(move |site| {
            usual(hook, &site.path)?;
            chown(&site.path, None, Some(1234)).context("chown")
        })
        .shows("file.gid", 1234),
    );
    all.push(
        new("file.nlink", "file.nlink > 1", "file.nlink > 2")
            .with(move |site| {
                usual(hook, &site.path)?;
                let link = format!("{}-link", site.path);
                let _ = fs::remove_file(&link);
                fs::hard_link(&site.path, link).context("link")
            })
            .shows("file.nlink", 2),
    );
    let with_mode = move |site: &Site, mode: u32| -> Result<()> {
        usual(hook, &site.path)?;
        fs::set_permissions(&site.path, fs::Permissions::from_mode(mode)).context("chmod")
    };
    all.push(
        new("file.mode", "file.mode == 0o755", "file.mode == 0o4755")
            .with(move |site| with_mode(site, 0o755))
            .shows("file.mode", 0o755),
    );
    all.push(
        new(
            "file.mode-has",
            "file.mode has S_ISUID",
            "file.mode has [S_ISUID, S_ISGID]",
        )
        .with(move |site| with_mode(site, 0o4755)),
    );
    all.push(new("file.type", "file.type == REG", "file.type == DIR"));
    all.push(new("file.owned", "file.owned", "not file.owned").shows("file.owned", true));
    all.push(
        new("file.owned-not", "not file.owned", "file.owned").with(move |site| {
            usual(hook, &site.path)?;
            chown(&site.path, Some(77), None).context("chown")
        }),
    );
    all.push(
        new("file.running-not", "not file.running", "file.running").shows("file.running", false),
    );
    // A program that is running cannot be cut.
    if hook.ends_with("truncate") {
        all.push(new("file.is_exe-not", "not file.is_exe", "file.is_exe"));
        return;
    }
    // Another name of the program that the actor runs.
    let name_of = |program: &'static str| {
        move |site: &Site| -> Result<()> {
            let _ = fs::remove_file(&site.path);
            fs::hard_link(program, &site.path).context("link")
        }
    };
    let quick = |case: Case| -> Case {
        if hook == "bprm_check_security" {
            case.by(|site| words(&["exec", &site.path, "act-once", "nothing"]))
        } else {
            case
        }
    };
    all.push(quick(
        new("file.is_exe", "file.is_exe", "not file.is_exe").with(name_of(ACTOR)),
    ));
    all.push(quick(
        new("file.running", "file.running", "not file.running")
            .with(name_of(TARGET))
            .shows("file.running", true),
    ));
    all.push(quick(
        new("file.is_exe-not", "not file.is_exe", "file.is_exe").with(name_of(TARGET)),
    ));
}

fn access(all: &mut Vec<Case>) {
    let new = |name: &str, hit: &str, miss: &str| Case::new("file_open", name, hit, miss);
    all.push(
        new("access-read", "access has read", "access has write").shows("access", json!(["read"])),
    );
    all.push(new("access-write", "access has write", "access has read").opened("w"));
    all.push(
        new(
            "access-both",
            "access has [read, write]",
            "access has append",
        )
        .opened("rw"),
    );
    all.push(new("access-append", "access has append", "access has trunc").opened("wa"));
    all.push(new("access-trunc", "access has trunc", "access has append").opened("wt"));
    all.push(
        new(
            "access-create",
            "access has create",
            "access has [create, exec]",
        )
        .opened("wc"),
    );
    all.push(new(
        "access-any",
        "access has any [exec, read]",
        "access has any [exec, write]",
    ));
    let mut exec = new("access-exec", "access has exec", "access has write")
        .with(|site| program_file(&site.path))
        .by(|site| words(&["exec", &site.path]));
    exec.call = "exec";
    all.push(exec);
}

fn mappings(all: &mut Vec<Case>) {
    let new = |name: &str, hit: &str, miss: &str| Case::new("mmap_file", name, hit, miss);
    all.push(
        new(
            "prot-exec",
            "prot has PROT_EXEC",
            "prot has [PROT_EXEC, PROT_WRITE]",
        )
        .mapped("rx", "private")
        .shows("prot", json!(["PROT_READ", "PROT_EXEC"])),
    );
    all.push(
        new(
            "prot-write",
            "prot has [PROT_READ, PROT_WRITE]",
            "prot has PROT_EXEC",
        )
        .mapped("rw", "shared"),
    );
    all.push(
        new(
            "mmap.flags-shared",
            "mmap.flags has MAP_SHARED",
            "mmap.flags has MAP_PRIVATE",
        )
        .mapped("r", "shared"),
    );
    all.push(
        new(
            "mmap.flags-private",
            "mmap.flags has MAP_PRIVATE",
            "mmap.flags has MAP_SHARED",
        )
        .mapped("r", "private"),
    );
    all.push(
        new(
            "mmap.flags-populate",
            "mmap.flags has [MAP_PRIVATE, MAP_POPULATE]",
            "mmap.flags has MAP_LOCKED",
        )
        .mapped("r", "private-populate"),
    );
}

/// Types of file other than regular ones.
fn types(all: &mut Vec<Case>) {
    all.push(
        Case::new(
            "file_open",
            "file.type-DIR",
            "file.type == DIR",
            "file.type == REG",
        )
        .with(|site| Ok(fs::create_dir_all(&site.path)?))
        .shows("file.type", "DIR"),
    );
    all.push(
        Case::new(
            "file_open",
            "file.type-FIFO",
            "file.type == FIFO",
            "file.type == SOCK",
        )
        .with(|site| node(&site.path, FileType::Fifo))
        .opened("rn")
        .shows("file.type", "FIFO"),
    );
    all.push(
        Case::new(
            "file_open",
            "file.type-CHR",
            "file.type == CHR",
            "file.type == BLK",
        )
        .with(|site| {
            let _ = fs::remove_file(&site.path);
            let mode = Mode::from_raw_mode(0o666);
            let null = rustix::fs::makedev(1, 3);
            rustix::fs::mknodat(
                rustix::fs::CWD,
                &site.path,
                FileType::CharacterDevice,
                mode,
                null,
            )
            .context("mknod")
        })
        .shows("file.type", "CHR"),
    );
    for hook in ["path_unlink", "path_rename"] {
        all.push(
            Case::new(
                hook,
                "file.type-LNK",
                "file.type == LNK",
                "file.type == REG",
            )
            .with(|site| {
                let _ = fs::remove_file(&site.path);
                std::os::unix::fs::symlink("/init", &site.path).context("symlink")
            })
            .shows("file.type", "LNK"),
        );
        all.push(
            Case::new(
                hook,
                "file.type-SOCK",
                "file.type == SOCK",
                "file.type == FIFO",
            )
            .with(|site| {
                let _ = fs::remove_file(&site.path);
                UnixListener::bind(&site.path).map(drop).context("bind")
            })
            .shows("file.type", "SOCK"),
        );
        all.push(
            Case::new(
                hook,
                "file.type-FIFO",
                "file.type == FIFO",
                "file.type == REG",
            )
            .with(|site| node(&site.path, FileType::Fifo)),
        );
    }
}

fn node(path: &str, kind: FileType) -> Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.mode() != 0) {
        fs::remove_file(path)?;
    }
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, Mode::from_raw_mode(0o666), 0).context("mknod")
}

fn renames(all: &mut Vec<Case>) {
    let new = |name: &str, hit: &str, miss: &str| Case::new("path_rename", name, hit, miss);
    all.push(new(
        "new_path",
        "new_path == \"{other}\"",
        "new_path == \"{path}\"",
    ));
    all.push(new(
        "any_path-new",
        "any_path == \"{other}\"",
        "any_path == \"{other}x\"",
    ));
    let onto_running = |case: Case| {
        case.with(|site| {
            plain_file(&site.path)?;
            let _ = fs::remove_file(&site.other);
            fs::hard_link(TARGET, &site.other).context("link")
        })
    };
    all.push(
        onto_running(new(
            "new_file.running",
            "new_file.running",
            "not new_file.running",
        ))
        .shows("new_file.running", true)
        .shows("file.running", false),
    );
    all.push(
        new(
            "new_file.running-not",
            "not new_file.running and new_file.running != true",
            "new_file.running",
        )
        .with(|site| {
            plain_file(&site.path)?;
            plain_file(&site.other)
        })
        .shows("new_file.running", false),
    );
    all.push(new(
        "new_file.running-none",
        "not new_file.running",
        "new_file.running",
    ));
    all.push(
        new(
            "exchange",
            "any_path == \"{other}\"",
            "any_path == \"{other}x\"",
        )
        .with(|site| {
            plain_file(&site.path)?;
            plain_file(&site.other)
        })
        .by(|site| words(&["exchange", &site.path, &site.other])),
    );
}
