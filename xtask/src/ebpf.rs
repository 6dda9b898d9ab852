//! `cargo xtask ebpf`: builds the hook programs, so that the same source gives
//! the same bytes wherever the repository lies.
//!
//! The shipped objects, their hashes and the versions of the tools that made
//! them are in `stdlib-ebpf/prebuilt`. `--check` builds them anew and compares.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::kernels::sha256;
use crate::progress::{Step, note};
use crate::toolchain::{Toolchain, Tools, Versions};
use crate::{btf_ext, process, repository, rustc_wrapper};

/// Names a directory of objects that guests use instead of the shipped ones.
pub(crate) const OBJECT_DIRECTORY: &str = "LSMPC_OBJECT_DIR";

const TARGET: &str = "bpfel-unknown-none";
const BINARY: &str = "lsmpc";
pub(crate) const OBJECT: &str = "lsmpc.bpf.o";
/// The engine alone, on events that it is given.
const EVALUATOR: &str = "evaluator";
/// What the hook programs are measured against by `bench`.
const REFERENCE: &str = "reference";
const SUMS: &str = "SHA256SUMS";
const TOOLCHAIN: &str = "toolchain.json";

/// Variants of the programs, each a cargo feature of their package: broken on
/// purpose, for the tests that must notice.
pub(crate) const VARIANTS: &[&str] = &["variant-two-lookups", "variant-percpu-scratch"];

/// Flags that every object is built with.
const FLAGS: &[&str] = &[
    "-Cdebuginfo=2",
    "-Clink-arg=--btf",
    "-Ctarget-cpu=v3",
    "--cfg=bpf_target_arch=\"x86_64\"",
];

/// Build the hook programs, or check that the shipped ones are reproduced.
#[derive(Args, Default)]
pub(crate) struct Arguments {
    /// Build beside the shipped objects and compare, changing nothing
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    tools: Tools,
}

/// What was built with which tools.
#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    versions: Versions,
    target: String,
    flags: Vec<String>,
}

/// What a check came to.
pub(crate) enum Checked {
    /// The same bytes came out.
    Same,
    /// Other bytes came out, or the shipped files contradict each other.
    Differ(Vec<String>),
    /// The recorded tools are not here; what others built is in `objects`.
    OtherTools {
        why: String,
        objects: Option<PathBuf>,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    if !arguments.check {
        let toolchain = arguments.tools.find()?;
        build_all(&toolchain, &repository::prebuilt())?;
        return Ok(true);
    }
    match check(&arguments.tools)? {
        Checked::Same => {
            note("the shipped objects are reproduced byte by byte");
            Ok(true)
        }
        Checked::Differ(differences) => {
            for difference in differences {
                eprintln!("xtask: {difference}");
            }
            eprintln!("xtask: run `cargo xtask ebpf` and commit what it writes");
            Ok(false)
        }
        Checked::OtherTools { why, objects } => {
            note(&why);
            if let Some(objects) = objects {
                let shown = objects.display();
                note(&format!(
                    "set {OBJECT_DIRECTORY}={shown} to test freshly built objects"
                ));
            }
            Ok(true)
        }
    }
}

/// Builds anew and compares with what is shipped.
pub(crate) fn check(tools: &Tools) -> Result<Checked> {
    let shipped = repository::prebuilt();
    let mut differences = contradictions(&shipped)?;
    let path = shipped.join(TOOLCHAIN);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let record: Record =
        serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;

    let objects = repository::target().join("ebpf/objects");
    let toolchain = match tools.find() {
        Ok(toolchain) => toolchain,
        Err(error) if differences.is_empty() => {
            let why = format!("the shipped objects could not be built anew: {error:#}");
            return Ok(Checked::OtherTools { why, objects: None });
        }
        Err(_) => return Ok(Checked::Differ(differences)),
    };
    build_all(&toolchain, &objects)?;
    if toolchain.versions != record.versions && differences.is_empty() {
        let why = format!(
            "the shipped objects were built with {:?}, here is {:?}: bytes are not compared",
            record.versions, toolchain.versions
        );
        return Ok(Checked::OtherTools {
            why,
            objects: Some(objects),
        });
    }
    for name in names() {
        let same = fs::read(shipped.join(&name)).ok() == fs::read(objects.join(&name)).ok();
        if !same {
            differences.push(format!("{name} is not what its source gives"));
        }
    }
    Ok(if differences.is_empty() {
        Checked::Same
    } else {
        Checked::Differ(differences)
    })
}

/// The directory whose objects go into guests.
pub(crate) fn object_directory() -> PathBuf {
    std::env::var_os(OBJECT_DIRECTORY).map_or_else(repository::prebuilt, PathBuf::from)
}

/// What suites are told about where their objects come from: nothing, unless
/// they are to load those of the image instead of those built into the tool.
pub(crate) fn guest_environment() -> Vec<(String, String)> {
    match std::env::var_os(OBJECT_DIRECTORY) {
        Some(_) => vec![(OBJECT_DIRECTORY.to_owned(), "/objects".to_owned())],
        None => Vec::new(),
    }
}

/// An object to build.
struct Target {
    /// Its path, from the directory of the objects.
    name: String,
    binary: &'static str,
    feature: Option<&'static str>,
}

fn targets() -> Vec<Target> {
    let shipped = [
        (BINARY, OBJECT.to_owned()),
        (EVALUATOR, format!("{EVALUATOR}.bpf.o")),
    ];
    let shipped = shipped.into_iter().map(|(binary, name)| Target {
        name,
        binary,
        feature: None,
    });
    let variants = VARIANTS.iter().map(|&variant| Target {
        name: format!("variants/{variant}.bpf.o"),
        binary: BINARY,
        feature: Some(variant),
    });
    let reference = Target {
        name: format!("bench/{REFERENCE}.bpf.o"),
        binary: REFERENCE,
        feature: None,
    };
    shipped.chain(variants).chain([reference]).collect()
}

/// The objects' paths, from their directory.
fn names() -> Vec<String> {
    targets().into_iter().map(|target| target.name).collect()
}

/// Builds the programs and their variants into `directory`, with the record.
fn build_all(toolchain: &Toolchain, directory: &Path) -> Result<()> {
    for part in ["variants", "bench"] {
        fs::create_dir_all(directory.join(part))
            .with_context(|| format!("creating {}", directory.display()))?;
    }
    fetch(toolchain)?;
    let mut sums = String::new();
    for target in targets() {
        let name = &target.name;
        let step = Step::start(format!("building {name}"));
        let built = build(toolchain, &target)?;
        let mut bytes = fs::read(&built).with_context(|| format!("reading {}", built.display()))?;
        btf_ext::without_lines(&mut bytes).with_context(|| format!("trimming {name}"))?;
        let lean = built.with_extension("lean");
        fs::write(&lean, bytes).with_context(|| format!("writing {}", lean.display()))?;
        let to = directory.join(name);
        // The relocations of BTF are for linkers: the places hold what they say.
        process::quiet(
            Command::new(&toolchain.strip)
                .args(["-g", "-R", ".rel.BTF", "-R", ".rel.BTF.ext"])
                .arg("-o")
                .arg(&to)
                .arg(&lean),
        )?;
        let bytes = fs::read(&to).with_context(|| format!("reading {}", to.display()))?;
        has_btf(&bytes).with_context(|| format!("{name} is not usable"))?;
        sums += &format!("{}  {name}\n", sha256(&bytes));
        step.done(&format!("{} bytes", bytes.len()));
    }
    let record = Record {
        versions: toolchain.versions.clone(),
        target: TARGET.to_owned(),
        flags: FLAGS.iter().map(|&flag| flag.to_owned()).collect(),
    };
    fs::write(directory.join(SUMS), sums)?;
    fs::write(
        directory.join(TOOLCHAIN),
        serde_json::to_string_pretty(&record)? + "\n",
    )?;
    Ok(())
}

/// Downloads what the programs depend on, so that the paths that [`flags`]
/// replaces exist before they are looked for.
fn fetch(toolchain: &Toolchain) -> Result<()> {
    let mut cargo = process::other_cargo(&toolchain.cargo);
    cargo
        .current_dir(repository::programs())
        .args(["fetch", "--locked", "--target", TARGET])
        .env("RUSTC", &toolchain.rustc)
        .env("RUSTC_BOOTSTRAP", "1");
    process::quiet(&mut cargo).context(
        "what the hook programs depend on could not be fetched: is crates.io within reach?",
    )
}

/// Builds one object; returns it as it was linked.
fn build(toolchain: &Toolchain, target: &Target) -> Result<PathBuf> {
    // A directory for each set of tools: cargo does not notice a new linker.
    let tools = sha256(serde_json::to_string(&toolchain.versions)?.as_bytes());
    let target_directory = repository::target().join(format!("ebpf/build-{}", &tools[..8]));
    let mut cargo = process::other_cargo(&toolchain.cargo);
    cargo
        .current_dir(repository::programs())
        .args([
            "build",
            "--release",
            "--locked",
            "-Zbuild-std=core",
            "--target",
            TARGET,
        ])
        .args(["--bin", target.binary])
        .env("CARGO_TARGET_DIR", &target_directory)
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &toolchain.linker)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(toolchain).join("\u{1f}"))
        .env("RUSTC", &toolchain.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env(
            "RUSTC_WRAPPER",
            std::env::current_exe().context("finding this program's file")?,
        )
        .env(rustc_wrapper::ASK, "1");
    if let Some(feature) = target.feature {
        cargo.args(["--features", feature]);
    }
    process::quiet(&mut cargo).context("the hook programs could not be built")?;
    let release = target_directory.join(TARGET).join("release");
    Ok(release.join(target.binary))
}

/// The common flags, and those that keep this machine's paths out.
///
/// Of several prefixes that fit, the compiler takes the last.
fn flags(toolchain: &Toolchain) -> Vec<String> {
    let mut flags: Vec<String> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
    let mut remap = |from: &Path, to: &str| {
        flags.push(format!("--remap-path-prefix={}={to}", from.display()));
    };
    remap(repository::root(), "/lsmpc");
    if let Some(home) = cargo_home() {
        remap(&home, "/cargo");
        // The directory's name depends on the registry's address.
        for entry in fs::read_dir(home.join("registry/src"))
            .into_iter()
            .flatten()
            .flatten()
        {
            remap(&entry.path(), "/cargo/registry");
        }
    }
    remap(&toolchain.rust_source, "/rust");
    flags
}

fn cargo_home() -> Option<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    named.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))
}

/// An object without BTF loads nowhere.
fn has_btf(bytes: &[u8]) -> Result<()> {
    use object::{Object, ObjectSection};
    let file = object::File::parse(bytes).context("reading the object")?;
    for name in [".BTF", ".BTF.ext"] {
        if file
            .section_by_name(name)
            .is_none_or(|section| section.size() == 0)
        {
            bail!(
                "it has no section {name}: was it linked with another LLVM than it was compiled?"
            );
        }
    }
    Ok(())
}

/// Where the shipped objects are not what their list of hashes says.
fn contradictions(shipped: &Path) -> Result<Vec<String>> {
    let path = shipped.join(SUMS);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let mut found = Vec::new();
    let mut listed = Vec::new();
    for line in text.lines() {
        let Some((sum, name)) = line.split_once("  ") else {
            bail!("{}: cannot read {line:?}", path.display());
        };
        listed.push(name.to_owned());
        match fs::read(shipped.join(name)) {
            Ok(bytes) if sha256(&bytes) == sum => {}
            Ok(_) => found.push(format!("{name} does not have the hash in {SUMS}")),
            Err(error) => found.push(format!("{name}: {error}")),
        }
    }
    if listed != names() {
        found.push(format!(
            "{SUMS} lists {}, expected {}",
            listed.join(", "),
            names().join(", ")
        ));
    }
    Ok(found)
}
