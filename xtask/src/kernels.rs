//! The kernels that guests boot: Debian's cloud kernels, unpacked and never
//! installed, cached under `target/vm/kernels`.
//!
//! Old versions vanish from the archive, so a kernel is named by its series
//! and resolved to a version when it is first wanted; what was taken is
//! recorded beside it. A few modules of the same version are kept with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::apt::{Suite, View};
use crate::architecture::Architecture;
use crate::image::Extra;
use crate::process;
use crate::progress::{Step, note};

/// The kernels the guest suites run on. `newest` is the newest that Debian's
/// backports to the current release have.
pub(crate) const TESTED: &[&str] = &["6.1", "6.12", "newest"];

/// The modules that suites load, without what they may depend on.
const MODULES: &[&str] = &["overlay"];

/// Download the kernels that guests boot, and list them.
#[derive(Args)]
pub(crate) struct Arguments {
    /// A series such as 6.1 or 6.18, or `newest` [default: all that are tested]
    names: Vec<String>,
    /// Resolve again instead of using what was downloaded before
    #[arg(long)]
    refresh: bool,
    /// The processor they are for
    #[arg(long, value_enum, default_value = "x86_64")]
    architecture: Architecture,
}

/// A kernel to boot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kernel {
    /// What it was asked for by: a series, `newest`, or a file's name.
    pub(crate) name: String,
    /// Debian's package and version, empty for a kernel of the user's own.
    pub(crate) package: String,
    pub(crate) version: String,
    /// Of the image file.
    pub(crate) sha256: String,
    #[serde(skip)]
    pub(crate) image: PathBuf,
    /// Those of [`MODULES`] that are at hand.
    #[serde(skip)]
    pub(crate) modules: Vec<Extra>,
    /// The processor it is for.
    #[serde(skip)]
    pub(crate) architecture: Architecture,
}

pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    let names: Vec<&str> = if arguments.names.is_empty() {
        TESTED.to_vec()
    } else {
        arguments.names.iter().map(String::as_str).collect()
    };
    if arguments.refresh {
        for name in &names {
            let directory = directory(arguments.architecture, name)?;
            if directory.exists() {
                fs::remove_dir_all(&directory)?;
            }
        }
    }
    for kernel in ensure_all_for(arguments.architecture, &names)? {
        println!("{:7} {} {}", kernel.name, kernel.package, kernel.version);
    }
    Ok(true)
}

/// A kernel image that the user names.
pub(crate) fn own(architecture: Architecture, image: &Path) -> Result<Kernel> {
    let bytes = fs::read(image).with_context(|| format!("reading {}", image.display()))?;
    Ok(Kernel {
        name: image
            .file_name()
            .unwrap_or(image.as_os_str())
            .to_string_lossy()
            .into_owned(),
        package: String::new(),
        version: String::new(),
        sha256: sha256(&bytes),
        image: image.to_owned(),
        modules: Vec::new(),
        architecture,
    })
}

/// The kernels of these names for x86-64, downloaded where they are not at hand.
pub(crate) fn ensure_all(names: &[&str]) -> Result<Vec<Kernel>> {
    ensure_all_for(Architecture::X86_64, names)
}

/// The same for an architecture.
pub(crate) fn ensure_all_for(architecture: Architecture, names: &[&str]) -> Result<Vec<Kernel>> {
    let mut archive = Archive {
        architecture,
        view: None,
    };
    let mut kernels = Vec::new();
    for name in names {
        let mut kernel = match cached(architecture, name)? {
            Some(kernel) => kernel,
            None => download(archive.view()?, architecture, name)?,
        };
        if !modules_directory(architecture, name)?.exists() {
            add_modules(&mut archive, &kernel)?;
        }
        kernel.modules = modules(architecture, name)?;
        kernels.push(kernel);
    }
    Ok(kernels)
}

/// Debian's archive, once something is wanted of it.
struct Archive {
    architecture: Architecture,
    view: Option<View>,
}

impl Archive {
    fn view(&mut self) -> Result<&View> {
        if self.view.is_none() {
            let step = Step::start("fetching Debian's package lists for guest kernels");
            let new = View::detached(
                &self.architecture.cache("apt"),
                self.architecture.debian(),
                &[
                    Suite::Security("bookworm-security"),
                    Suite::Security("trixie-security"),
                    Suite::Main("trixie-backports"),
                ],
            )?;
            new.update()?;
            step.done("done");
            self.view = Some(new);
        }
        self.view.as_ref().context("no view of the archive")
    }
}

fn modules_directory(architecture: Architecture, name: &str) -> Result<PathBuf> {
    Ok(directory(architecture, name)?.join("modules"))
}

/// The modules that are kept with a kernel, and where the guest looks for them.
fn modules(architecture: Architecture, name: &str) -> Result<Vec<Extra>> {
    let mut found = Vec::new();
    let releases = fs::read_dir(modules_directory(architecture, name)?);
    for release in releases.into_iter().flatten().flatten() {
        for module in fs::read_dir(release.path())?.flatten() {
            let inside = [release.file_name(), module.file_name()]
                .map(|name| name.to_string_lossy().into_owned())
                .join("/");
            found.push(Extra {
                from: module.path(),
                to: format!("/lib/modules/{inside}"),
            });
        }
    }
    Ok(found)
}

/// Keeps the modules of a kernel's own version with it. Where the archive has no such
/// version any more, that is remembered; suites go without, and say so.
fn add_modules(archive: &mut Archive, kernel: &Kernel) -> Result<()> {
    let to = modules_directory(kernel.architecture, &kernel.name)?;
    let file = match fetch_modules(archive, kernel) {
        Ok(file) => file,
        Err(error) => {
            note(&format!(
                "tests that need modules of kernel {} are skipped, until \
                 `cargo xtask kernels --refresh` finds some: {error:#}",
                kernel.name
            ));
            fs::create_dir_all(to)?;
            return Ok(());
        }
    };
    let unpacked = directory(kernel.architecture, &kernel.name)?.join("unpacked");
    process::quiet(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&unpacked))?;
    for libraries in ["usr/lib/modules", "lib/modules"] {
        let releases = fs::read_dir(unpacked.join(libraries));
        for release in releases.into_iter().flatten().flatten() {
            let kept = to.join(release.file_name());
            fs::create_dir_all(&kept)?;
            take_modules(&release.path(), &kept)?;
        }
    }
    fs::remove_dir_all(&unpacked)?;
    fs::remove_file(&file)?;
    Ok(())
}

fn fetch_modules(archive: &mut Archive, kernel: &Kernel) -> Result<PathBuf> {
    let view = archive.view()?;
    let step = Step::start(format!("downloading modules of kernel {}", kernel.name));
    // From 7.0 on they are in a package of their own.
    let package = kernel.package.replace("linux-binary-", "linux-modules-");
    let file = view.download(&package, &kernel.version)?;
    step.done(&format!("{package} {}", kernel.version));
    Ok(file)
}

/// Moves the wanted modules from under one directory into another.
fn take_modules(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            take_modules(&entry.path(), to)?;
        } else if name
            .split_once(".ko")
            .is_some_and(|(module, _)| MODULES.contains(&module))
        {
            fs::rename(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

fn directory(architecture: Architecture, name: &str) -> Result<PathBuf> {
    ensure!(
        name == "newest"
            || name
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.'),
        "{name:?} is not a kernel series; there are {}, others such as 6.18, and \
         --kernel-image for a kernel of your own",
        TESTED.join(", "),
    );
    Ok(architecture.cache("kernels").join(name))
}

/// A kernel that was downloaded before and is still what it was.
fn cached(architecture: Architecture, name: &str) -> Result<Option<Kernel>> {
    let directory = directory(architecture, name)?;
    let Ok(text) = fs::read_to_string(directory.join("kernel.json")) else {
        return Ok(None);
    };
    let image = directory.join("vmlinuz");
    let kernel: Kernel = serde_json::from_str(&text)
        .with_context(|| format!("reading {}", directory.join("kernel.json").display()))?;
    match fs::read(&image) {
        Ok(bytes) if sha256(&bytes) == kernel.sha256 => Ok(Some(Kernel {
            image,
            architecture,
            ..kernel
        })),
        _ => {
            note(&format!(
                "{} is not what was recorded: fetching it again",
                image.display()
            ));
            Ok(None)
        }
    }
}

fn download(view: &View, architecture: Architecture, name: &str) -> Result<Kernel> {
    let step = Step::start(format!("downloading kernel {name}"));
    let (package, version) = resolve(view, architecture, name)?;
    // From 7.0 on the image is in a package of its own.
    let binary = view
        .dependencies(&package, &version)?
        .into_iter()
        .find(|dependency| dependency.starts_with("linux-binary-"));
    let package = binary.unwrap_or(package);
    let file = view.download(&package, &version)?;

    let directory = directory(architecture, name)?;
    let unpacked = directory.join("unpacked");
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir_all(&unpacked)?;
    process::quiet(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&unpacked))?;
    let found = find_image(&unpacked)
        .with_context(|| format!("the package {package} {version} holds no kernel image"))?;
    let image = directory.join("vmlinuz");
    fs::rename(&found, &image)?;
    fs::remove_dir_all(&unpacked)?;
    fs::remove_file(&file)?;

    let sha256 = sha256(&fs::read(&image)?);
    let kernel = Kernel {
        name: name.to_owned(),
        package,
        version,
        sha256,
        image,
        modules: Vec::new(),
        architecture,
    };
    fs::write(
        directory.join("kernel.json"),
        serde_json::to_string_pretty(&kernel)? + "\n",
    )?;
    step.done(&format!("{} {}", kernel.package, kernel.version));
    Ok(kernel)
}

/// The image package and version that a name stands for.
fn resolve(view: &View, architecture: Architecture, name: &str) -> Result<(String, String)> {
    let flavour = format!("cloud-{}", architecture.debian());
    let metapackage = &format!("linux-image-{flavour}");
    let series = format!("{name}.");
    let versions = view.versions(metapackage)?;
    let wanted = versions
        .iter()
        .find(|version| name == "newest" || version.starts_with(&series));
    if let Some(version) = wanted {
        let package = view
            .dependencies(metapackage, version)?
            .into_iter()
            .find(|dependency| dependency.starts_with("linux-image-"))
            .with_context(|| format!("{metapackage} {version} depends on no image"))?;
        return Ok((package, version.clone()));
    }
    // A series that no metapackage points at any more may still be there.
    let package = view
        .names(&format!("linux-image-{series}"))?
        .into_iter()
        .filter(|package| package.ends_with(&flavour))
        .max_by_key(|package| numbers(package));
    let Some(package) = package else {
        bail!(
            "the archive has no kernel {name}; it offers {}",
            versions.join(", ")
        );
    };
    let version = view.versions(&package)?.into_iter().next();
    let version = version.with_context(|| format!("the package {package} has no version"))?;
    Ok((package, version))
}

/// The numbers in a name, by which versions are ordered.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

/// The first file called `vmlinuz` or `vmlinuz-…` under `directory`.
fn find_image(directory: &Path) -> Option<PathBuf> {
    for entry in fs::read_dir(directory).ok()?.flatten() {
        let kind = entry.file_type().ok()?;
        if kind.is_dir() {
            if let Some(found) = find_image(&entry.path()) {
                return Some(found);
            }
        } else if kind.is_file() && entry.file_name().to_string_lossy().starts_with("vmlinuz") {
            return Some(entry.path());
        }
    }
    None
}

/// A SHA-256 in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_are_ordered_by_number() {
        assert!(numbers("linux-image-6.18.15+deb13") > numbers("linux-image-6.18.9+deb13"));
    }
}
