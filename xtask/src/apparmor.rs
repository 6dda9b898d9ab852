//! AppArmor's compiler: the one that is installed, or that of Debian's package,
//! unpacked and not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::progress::Step;
use crate::{process, repository};

/// Where packages put it, from the root.
const PLACES: [&str; 2] = ["usr/sbin/apparmor_parser", "sbin/apparmor_parser"];

/// The compiler.
pub(crate) struct Parser {
    path: PathBuf,
    /// What it says of itself.
    pub(crate) version: String,
}

impl Parser {
    /// Finds it, or gets it from the archive of the machine's own release.
    pub(crate) fn find() -> Result<Self> {
        let unpacked = repository::target().join("apparmor");
        let found = process::in_path("apparmor_parser")
            .or_else(|| in_root(Path::new("/")))
            .or_else(|| in_root(&unpacked));
        let path = match found {
            Some(path) => path,
            None => {
                download(&unpacked)?;
                in_root(&unpacked).context("Debian's package apparmor has no apparmor_parser")?
            }
        };
        let said = process::text(Command::new(&path).arg("--version"))?;
        let version = said.lines().next().unwrap_or_default();
        let version = version.rsplit(' ').next().unwrap_or_default().to_owned();
        Ok(Self { path, version })
    }

    /// The command that compiles a profile to what the kernel loads.
    pub(crate) fn compile(&self, profile: &Path, output: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(["--skip-kernel-load", "--skip-cache", "--ofile"])
            .arg(output)
            .arg(profile);
        command
    }
}

fn in_root(root: &Path) -> Option<PathBuf> {
    let mut places = PLACES.iter().map(|place| root.join(place));
    places.find(|place| place.is_file())
}

fn download(to: &Path) -> Result<()> {
    let step = Step::start("downloading AppArmor's compiler");
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    let mut get = Command::new("apt-get");
    process::quiet(get.args(["download", "apparmor"]).current_dir(to))
        .context("the package apparmor could not be downloaded: install it")?;
    for entry in fs::read_dir(to)?.flatten() {
        let file = entry.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            process::quiet(Command::new("dpkg-deb").arg("-x").arg(&file).arg(to))?;
            fs::remove_file(&file)?;
        }
    }
    step.done("unpacked");
    Ok(())
}
