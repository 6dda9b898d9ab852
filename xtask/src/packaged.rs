//! Programs of Debian's packages that are compared with: the ones that are installed,
//! or those of the packages, unpacked and not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::progress::Step;
use crate::{process, repository};

/// Where packages put programs, from the root.
const PLACES: [&str; 4] = ["usr/sbin", "usr/bin", "sbin", "bin"];
/// Where the libraries of unpacked packages are gathered.
const LIBRARIES: &str = "libraries";
/// Where an unpacked package's version is kept.
const VERSION: &str = "version";

/// A program of a package.
pub(crate) struct Program {
    path: PathBuf,
    /// The directory of the libraries that were unpacked with it.
    libraries: Option<PathBuf>,
    /// The package's version.
    pub(crate) version: String,
}

/// AppArmor's compiler.
pub(crate) fn apparmor_parser() -> Result<Program> {
    Program::find("apparmor_parser", "apparmor", &[])
}

/// SELinux's compiler.
pub(crate) fn secilc() -> Result<Program> {
    Program::find("secilc", "secilc", &["libsepol2"])
}

/// The command that compiles a profile to what the kernel loads.
pub(crate) fn compile_profile(parser: &Program, profile: &Path, output: &Path) -> Command {
    let mut command = parser.command();
    command
        .args(["--quiet", "--skip-kernel-load", "--skip-cache", "--ofile"])
        .arg(output)
        .arg(profile);
    command
}

impl Program {
    /// Finds it, or gets it with the libraries that it needs from the archive of the
    /// machine's own release.
    fn find(name: &str, package: &str, libraries: &[&str]) -> Result<Self> {
        let installed = process::in_path(name).or_else(|| in_root(Path::new("/"), name));
        if let Some(path) = installed {
            let mut query = Command::new("dpkg-query");
            let said = process::text(query.args(["-W", "-f", "${Version}", package]));
            return Ok(Self {
                path,
                libraries: None,
                version: said.unwrap_or_else(|_| "not of a package".to_owned()),
            });
        }
        Self::unpacked(
            &repository::target().join("packages"),
            name,
            package,
            libraries,
        )
    }

    fn unpacked(under: &Path, name: &str, package: &str, libraries: &[&str]) -> Result<Self> {
        let root = under.join(package);
        let kept = root.join(VERSION);
        if !kept.is_file() {
            let step = Step::start(format!("downloading {package}"));
            let wanted: Vec<&str> = [package]
                .into_iter()
                .chain(libraries.iter().copied())
                .collect();
            let version = download(&root, &wanted)?;
            fs::write(&kept, version).with_context(|| format!("writing {}", kept.display()))?;
            step.done("unpacked");
        }
        let path = in_root(&root, name);
        Ok(Self {
            path: path.with_context(|| format!("Debian's package {package} has no {name}"))?,
            libraries: (!libraries.is_empty()).then(|| root.join(LIBRARIES)),
            version: fs::read_to_string(&kept)?,
        })
    }

    /// The program, with its libraries.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }
}

fn in_root(root: &Path, name: &str) -> Option<PathBuf> {
    let mut places = PLACES.iter().map(|place| root.join(place).join(name));
    places.find(|place| place.is_file())
}

/// Unpacks packages; the version of the first. Their libraries are gathered.
fn download(to: &Path, packages: &[&str]) -> Result<String> {
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    let mut get = Command::new("apt-get");
    let names = packages.join(", ");
    process::quiet(get.arg("download").args(packages).current_dir(to))
        .with_context(|| format!("{names} could not be downloaded: install them"))?;
    let mut version = None;
    for entry in fs::read_dir(to)?.flatten() {
        let file = entry.path();
        if file.extension().is_none_or(|extension| extension != "deb") {
            continue;
        }
        let field =
            |name: &str| process::text(Command::new("dpkg-deb").arg("-f").arg(&file).arg(name));
        if packages.first() == Some(&field("Package")?.trim()) {
            version = Some(field("Version")?.trim().to_owned());
        }
        process::quiet(Command::new("dpkg-deb").arg("-x").arg(&file).arg(to))?;
        fs::remove_file(&file)?;
    }
    for place in ["usr/lib", "lib"] {
        gather(&to.join(place), &to.join(LIBRARIES))?;
    }
    version.with_context(|| format!("apt-get download left no file for {names}"))
}

/// Copies the shared libraries of a tree into one directory.
fn gather(from: &Path, to: &Path) -> Result<()> {
    let mut directories = vec![from.to_owned()];
    while let Some(directory) = directories.pop() {
        // A package without libraries has no such directory.
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                directories.push(path);
            } else if entry.file_name().to_string_lossy().contains(".so") {
                fs::create_dir_all(to)?;
                fs::copy(&path, to.join(entry.file_name()))
                    .with_context(|| format!("copying {}", path.display()))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_gathered() {
        let root = std::env::temp_dir().join(format!("lsmpc-packaged-{}", std::process::id()));
        let deep = root.join("usr/lib/x86_64-linux-gnu");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("libx.so.2"), "x").unwrap();
        fs::write(deep.join("notes"), "x").unwrap();
        let to = root.join(LIBRARIES);
        gather(&root.join("usr/lib"), &to).unwrap();
        gather(&root.join("lib"), &to).unwrap();
        let found = fs::read_dir(&to).unwrap().count();
        assert_eq!(found, 1);
        fs::remove_dir_all(&root).unwrap();
    }
}
