//! The root file system of a guest: what is in it, and building that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::architecture::Architecture;
use crate::cpio::Archive;
use crate::progress::Step;
use crate::{cross, ebpf, process, repository};

/// A directory of the repository that is copied into the guest.
struct Tree {
    from: &'static str,
    to: &'static str,
    /// Only files whose names end so.
    suffix: &'static str,
}

/// Copied in this order; later files replace earlier ones.
const TREES: &[Tree] = &[
    Tree {
        from: "examples",
        to: "/examples",
        suffix: ".lsmp",
    },
    Tree {
        from: "tests/guest/files",
        to: "/",
        suffix: "",
    },
];

/// A file of the caller's that goes into the guest.
#[derive(Clone, Debug)]
pub(crate) struct Extra {
    pub(crate) from: PathBuf,
    pub(crate) to: String,
}

/// Builds the guest's programs for x86-64 and its archive; returns the
/// archive's path.
pub(crate) fn build(extras: &[Extra]) -> Result<PathBuf> {
    build_for(Architecture::X86_64, extras)
}

/// The same for an architecture.
pub(crate) fn build_for(architecture: Architecture, extras: &[Extra]) -> Result<PathBuf> {
    let step = Step::start("building the guest's programs and root file system");
    let programs = build_programs(architecture)?;
    let mut archive = Archive::default();
    for directory in [
        "proc", "sys", "dev", "tmp", "run", "etc", "bin", "home", "root", "var",
    ] {
        archive.directory(directory);
    }
    // Before devtmpfs is mounted, the kernel opens this for process 1.
    archive.character_device("/dev/console", 5, 1);
    archive.file("/init", 0o755, read(&programs.join("lsmpc-guest"))?);
    archive.file("/usr/bin/lsmpc", 0o755, read(&programs.join("lsmpc"))?);
    for tree in TREES {
        let from = repository::root().join(tree.from);
        if from.is_dir() {
            add_tree(
                &mut archive,
                &from,
                tree.to.trim_end_matches('/'),
                tree.suffix,
            )?;
        }
    }
    let objects = ebpf::object_directory();
    add_tree(&mut archive, &objects, "/objects", ".bpf.o")
        .context("there are no hook programs: `cargo xtask ebpf` builds them")?;
    for extra in extras {
        archive.file(&extra.to, 0o755, read(&extra.from)?);
    }

    let bytes = archive.finish();
    let directory = repository::vm_cache().join("images");
    fs::create_dir_all(&directory)?;
    // Named by content, so that a guest that is starting never sees another's.
    let digest = crate::kernels::sha256(&bytes);
    let path = directory.join(format!("{}.cpio", &digest[..16]));
    if !path.exists() {
        remove_old(&directory);
        let unfinished = directory.join(format!("{}.unfinished", std::process::id()));
        fs::write(&unfinished, &bytes)
            .with_context(|| format!("writing {}", unfinished.display()))?;
        fs::rename(&unfinished, &path)?;
    }
    step.done(&format!("{} KiB", bytes.len() / 1024));
    Ok(path)
}

/// Builds `/init` and the command line tool as static programs; returns their
/// directory.
fn build_programs(architecture: Architecture) -> Result<PathBuf> {
    let mut cargo = small_static("build", architecture)?;
    cargo.args(["--bins", "-p", "lsmpc-guest", "-p", "lsmpc"]);
    process::quiet(&mut cargo).context("the guest's programs could not be built")?;
    Ok(built(architecture).join("debug"))
}

/// Builds tests of the compiler that these suites run in the guest.
pub(crate) fn tests_of<'s>(
    architecture: Architecture,
    suites: impl IntoIterator<Item = &'s str>,
) -> Result<Vec<Extra>> {
    const TESTS: [&str; 2] = ["agreement", "mutations"];
    if !suites.into_iter().any(|suite| suite == "evaluators") {
        return Ok(Vec::new());
    }
    let step = Step::start("building tests that run in guests");
    let mut cargo = small_static("test", architecture)?;
    cargo.args([
        "--no-run",
        "--message-format",
        "json",
        "-p",
        "lsmpc-compiler",
    ]);
    for test in TESTS {
        cargo.args(["--test", test]);
    }
    let said = process::text(&mut cargo).context("the guest's tests could not be built")?;
    let mut extras = Vec::new();
    for line in said.lines() {
        let message: serde_json::Value =
            serde_json::from_str(line).context("reading what cargo built")?;
        let name = message["target"]["name"].as_str().unwrap_or_default();
        if let Some(file) = message["executable"].as_str()
            && TESTS.contains(&name)
        {
            extras.push(Extra {
                from: file.into(),
                to: format!("/usr/bin/{name}"),
            });
        }
    }
    ensure!(extras.len() == TESTS.len(), "cargo did not name every test");
    step.done(&format!("{} programs", extras.len()));
    Ok(extras)
}

/// Builds the command line tool as users have it, but static; returns its file.
pub(crate) fn release_tool() -> Result<PathBuf> {
    let step = Step::start("building lsmpc for the guest");
    let mut cargo = static_cargo("build", Architecture::X86_64)?;
    cargo
        .args(["--release", "--bin", "lsmpc", "-p", "lsmpc"])
        .env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
    process::quiet(&mut cargo).context("lsmpc could not be built")?;
    step.done("built");
    Ok(built(Architecture::X86_64).join("release/lsmpc"))
}

/// Where the programs for an architecture are built.
fn target_directory(architecture: Architecture) -> PathBuf {
    repository::target().join(match architecture {
        Architecture::X86_64 => "guest",
        Architecture::Aarch64 => "guest-aarch64",
    })
}

/// Where the profiles of such a build are.
fn built(architecture: Architecture) -> PathBuf {
    target_directory(architecture).join(architecture.target())
}

/// Cargo for small static programs that are built fast.
fn small_static(command: &str, architecture: Architecture) -> Result<Command> {
    let mut cargo = static_cargo(command, architecture)?;
    cargo
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("CARGO_PROFILE_DEV_STRIP", "debuginfo");
    Ok(cargo)
}

fn static_cargo(command: &str, architecture: Architecture) -> Result<Command> {
    let mut flags = vec!["-C".to_owned(), "target-feature=+crt-static".to_owned()];
    let mut cargo = if architecture == Architecture::of_this_machine()? {
        process::cargo()
    } else {
        let (cargo, more) = cross::cargo(architecture)?;
        flags.extend(more);
        cargo
    };
    cargo
        .args([command, "--locked", "--target", architecture.target()])
        .arg("--target-dir")
        .arg(target_directory(architecture))
        // RUSTFLAGS would be cut at the spaces that a path may have.
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env("CARGO_INCREMENTAL", "0");
    Ok(cargo)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

fn add_tree(archive: &mut Archive, from: &Path, to: &str, suffix: &str) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| format!("reading {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let to = format!("{to}/{name}");
        // Follows links: the guest has no use for one out of its image.
        let metadata = fs::metadata(entry.path())
            .with_context(|| format!("reading {}", entry.path().display()))?;
        if metadata.is_dir() {
            add_tree(archive, &entry.path(), &to, suffix)?;
        } else if name.ends_with(suffix) {
            use std::os::unix::fs::PermissionsExt;
            let mode = if metadata.permissions().mode() & 0o100 != 0 {
                0o755
            } else {
                0o644
            };
            archive.file(&to, mode, read(&entry.path())?);
        }
    }
    Ok(())
}

/// Removes archives of earlier days; one that is still in use is left, since
/// QEMU reads it within the first second.
fn remove_old(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let age = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .map(|at| at.elapsed());
        if matches!(age, Ok(Ok(age)) if age.as_secs() > 3600) {
            // Only a cache: what cannot be removed costs disk space.
            let _ = fs::remove_file(entry.path());
        }
    }
}
