//! Debian's archive: the machine's own packages, and a private view of other
//! releases that leaves the machine's configuration alone.
//!
//! Mirrors are taken from the machine's own apt configuration. Signatures are
//! always verified, against Debian's own keyring.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::progress::Step;

/// Names a mirror of the main archive where apt's configuration has none.
const MIRROR_VARIABLE: &str = "LSMPC_DEBIAN_MIRROR";
/// The same for the security archive.
const SECURITY_MIRROR_VARIABLE: &str = "LSMPC_DEBIAN_SECURITY_MIRROR";

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Comes with the releases of the keyring package that know trixie.
const TRIXIE_KEY: &str = "usr/share/keyrings/debian-archive-trixie-automatic.gpg";

/// The releases of Debian whose suites may appear in apt's configuration.
const DEBIAN_SUITES: &[&str] = &[
    "bookworm",
    "trixie",
    "forky",
    "sid",
    "stable",
    "oldstable",
    "testing",
    "unstable",
];

/// Where this machine gets Debian's packages from.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mirrors {
    main: Option<String>,
    security: Option<String>,
}

impl Mirrors {
    /// Reads apt's configuration, in both of its formats.
    pub(crate) fn of_this_machine() -> Self {
        let mut found = Self {
            main: std::env::var(MIRROR_VARIABLE).ok(),
            security: std::env::var(SECURITY_MIRROR_VARIABLE).ok(),
        };
        let parts = fs::read_dir("/etc/apt/sources.list.d")
            .into_iter()
            .flatten()
            .flatten();
        // A sorted order, so that the same machine always gives the same.
        let files: BTreeSet<_> = parts.map(|entry| entry.path()).collect();
        for path in std::iter::once(PathBuf::from("/etc/apt/sources.list")).chain(files) {
            let Ok(text) = fs::read_to_string(&path) else {
                continue;
            };
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("sources") => found.add_stanzas(&text),
                Some("list") => found.add_lines(&text),
                _ => {}
            }
        }
        found
    }

    fn add(&mut self, uri: &str, suite: &str) {
        let uri = uri.trim_end_matches('/');
        let (release, rest) = suite.split_once(['-', '/']).unwrap_or((suite, ""));
        if !DEBIAN_SUITES.contains(&release) {
            return;
        }
        let slot = if rest.starts_with("security") || rest == "updates" && uri.contains("security")
        {
            &mut self.security
        } else {
            &mut self.main
        };
        slot.get_or_insert_with(|| uri.to_owned());
    }

    /// The format of `*.sources`.
    fn add_stanzas(&mut self, text: &str) {
        for stanza in text.split("\n\n") {
            let field = |name: &str| {
                stanza
                    .lines()
                    .filter(|line| !line.starts_with('#'))
                    .filter_map(|line| line.split_once(':'))
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map_or("", |(_, value)| value.trim())
            };
            if field("Enabled").eq_ignore_ascii_case("no")
                || !field("Types").split_whitespace().any(|kind| kind == "deb")
            {
                continue;
            }
            for uri in field("URIs").split_whitespace().take(1) {
                for suite in field("Suites").split_whitespace() {
                    self.add(uri, suite);
                }
            }
        }
    }

    /// The format of `*.list`.
    fn add_lines(&mut self, text: &str) {
        for line in text.lines() {
            let Some(rest) = line.trim().strip_prefix("deb ") else {
                continue;
            };
            let rest = rest.trim_start();
            let rest = match rest.strip_prefix('[') {
                Some(options) => options.split_once(']').map_or("", |(_, rest)| rest),
                None => rest,
            };
            let mut words = rest.split_whitespace();
            if let (Some(uri), Some(suite)) = (words.next(), words.next()) {
                self.add(uri, suite);
            }
        }
    }

    fn main(&self) -> Result<&str> {
        self.main.as_deref().with_context(|| {
            format!("apt's configuration names no Debian mirror; set {MIRROR_VARIABLE}")
        })
    }

    fn security(&self) -> Result<&str> {
        self.security.as_deref().with_context(|| {
            format!(
                "apt's configuration names no mirror of Debian's security archive; \
                 set {SECURITY_MIRROR_VARIABLE}"
            )
        })
    }
}

/// A suite of Debian's archive, such as `trixie-security`.
#[derive(Clone, Copy)]
pub(crate) enum Suite {
    Main(&'static str),
    Security(&'static str),
}

/// A private view of the archive: own sources, own lists, own cache.
pub(crate) struct View {
    root: PathBuf,
    options: Vec<String>,
}

impl View {
    /// A view of `suites` for one of Debian's architectures that is kept under
    /// `root` and knows nothing of what is installed here.
    pub(crate) fn detached(root: &Path, architecture: &str, suites: &[Suite]) -> Result<Self> {
        let keyring = if suites
            .iter()
            .any(|suite| suite.name().starts_with("trixie"))
        {
            keyring_with_trixie(root)?
        } else {
            KEYRING.into()
        };
        let mut view = Self::of(root, suites, &keyring)?;
        let status = root.join("status");
        fs::write(&status, "").with_context(|| format!("writing {}", status.display()))?;
        view.options
            .push(format!("Dir::State::status={}", status.display()));
        for option in ["APT::Architecture", "APT::Architectures"] {
            view.options.push(format!("{option}={architecture}"));
        }
        Ok(view)
    }

    /// A view of `suites` from which packages can be installed here.
    pub(crate) fn of_this_machine(root: &Path, suites: &[Suite]) -> Result<Self> {
        Self::of(root, suites, Path::new(KEYRING))
    }

    fn of(root: &Path, suites: &[Suite], keyring: &Path) -> Result<Self> {
        let mirrors = Mirrors::of_this_machine();
        for directory in ["sources.d", "lists/partial", "cache/archives/partial"] {
            let path = root.join(directory);
            fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        }
        let mut text = String::new();
        for suite in suites {
            let uri = match suite {
                Suite::Main(_) => mirrors.main()?,
                Suite::Security(_) => mirrors.security()?,
            };
            text += &format!(
                "Types: deb\nURIs: {uri}\nSuites: {}\nComponents: main\nSigned-By: {}\n\n",
                suite.name(),
                keyring.display(),
            );
        }
        let sources = root.join("sources.d/debian.sources");
        fs::write(&sources, text).with_context(|| format!("writing {}", sources.display()))?;
        let options = vec![
            "Dir::Etc::sourcelist=/dev/null".to_owned(),
            format!("Dir::Etc::sourceparts={}", root.join("sources.d").display()),
            "Dir::Etc::preferences=/dev/null".to_owned(),
            "Dir::Etc::preferencesparts=/dev/null".to_owned(),
            format!("Dir::State::Lists={}", root.join("lists").display()),
            format!("Dir::Cache={}", root.join("cache").display()),
            // The directories are this user's, not apt's own user's.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Retries=3".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
        ];
        Ok(Self {
            root: root.to_owned(),
            options,
        })
    }

    /// One of apt's programs with this view's options.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        self.add_options(&mut command);
        command
    }

    /// Adds this view's options to a command line that ends in an apt program.
    pub(crate) fn add_options(&self, command: &mut Command) {
        for option in &self.options {
            command.args(["-o", option]);
        }
    }

    /// Fetches the package lists.
    pub(crate) fn update(&self) -> Result<()> {
        process::quiet(self.command("apt-get").arg("update")).context(
            "Debian's package lists could not be fetched: is there a network, and do \
             the mirrors of apt's configuration carry these suites?",
        )
    }

    /// Downloads one version of a package; returns the file.
    pub(crate) fn download(&self, package: &str, version: &str) -> Result<PathBuf> {
        let directory = self.root.join("cache/download");
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        let wanted = format!("{package}={version}");
        process::quiet(
            self.command("apt-get")
                .args(["download", &wanted])
                .current_dir(&directory),
        )
        .with_context(|| format!("the package {wanted} could not be downloaded"))?;
        let file = fs::read_dir(&directory)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"));
        file.with_context(|| format!("apt-get download left no file for {wanted}"))
    }
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Self::Main(name) | Self::Security(name) => name,
        }
    }
}

/// A keyring that knows trixie's keys: the machine's own, or the one in the
/// newest keyring package, which the machine's own keys vouch for.
fn keyring_with_trixie(root: &Path) -> Result<PathBuf> {
    if Path::new("/").join(TRIXIE_KEY).exists() {
        return Ok(KEYRING.into());
    }
    let unpacked = root.join("keyring");
    let keyring = unpacked.join(KEYRING.trim_start_matches('/'));
    if unpacked.join(TRIXIE_KEY).exists() {
        return Ok(keyring);
    }
    if !Path::new(KEYRING).exists() {
        bail!(
            "{KEYRING} is missing: install debian-archive-keyring, or name a kernel of \
             your own with --kernel-image"
        );
    }
    let step = Step::start("fetching Debian's archive keys");
    let own = View::of(
        &root.join("keyring-apt"),
        &[Suite::Main("bookworm"), Suite::Main("bookworm-updates")],
        Path::new(KEYRING),
    )?;
    own.update()?;
    let version = own.candidate("debian-archive-keyring")?;
    let package = own.download("debian-archive-keyring", &version)?;
    process::quiet(
        Command::new("dpkg-deb")
            .arg("-x")
            .arg(package)
            .arg(&unpacked),
    )?;
    if !unpacked.join(TRIXIE_KEY).exists() {
        bail!("debian-archive-keyring {version} has no key for trixie");
    }
    step.done(&version);
    Ok(keyring)
}

impl View {
    /// The newest version of a package that the view offers.
    fn candidate(&self, package: &str) -> Result<String> {
        self.versions(package)?
            .into_iter()
            .next()
            .with_context(|| format!("the package {package} is not in the archive"))
    }

    /// All versions of a package that the view offers, newest first.
    pub(crate) fn versions(&self, package: &str) -> Result<Vec<String>> {
        let text = process::text(self.command("apt-cache").args(["madison", package]))?;
        let mut versions: Vec<String> = Vec::new();
        for version in text.lines().filter_map(|line| line.split('|').nth(1)) {
            let version = version.trim();
            if versions.last().is_none_or(|last| last != version) {
                versions.push(version.to_owned());
            }
        }
        Ok(versions)
    }

    /// The names in a package's `Depends`, versions and alternatives cut off.
    pub(crate) fn dependencies(&self, package: &str, version: &str) -> Result<Vec<String>> {
        let wanted = format!("{package}={version}");
        let text = process::text(self.command("apt-cache").args(["show", &wanted]))?;
        let depends = text
            .lines()
            .find_map(|line| line.strip_prefix("Depends: "))
            .unwrap_or("");
        let first_word = |item: &str| item.split_whitespace().next().map(str::to_owned);
        Ok(depends.split(',').filter_map(first_word).collect())
    }

    /// All package names that begin so.
    pub(crate) fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let text = process::text(self.command("apt-cache").args(["pkgnames", prefix]))?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// Which of `packages` are not installed here.
pub(crate) fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    let installed = |package: &str| {
        Command::new("dpkg-query")
            .args(["-W", "-f", "${Status}", package])
            .output()
            .is_ok_and(|output| output.stdout.ends_with(b" installed"))
    };
    packages
        .iter()
        .copied()
        .filter(|package| !installed(package))
        .collect()
}

/// How packages can be installed here.
pub(crate) enum Installer {
    Root,
    Sudo,
    Nobody,
}

impl Installer {
    /// Root, or a sudo that asks for no password.
    pub(crate) fn find() -> Self {
        if fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
            return Self::Root;
        }
        let sudo = Command::new("sudo").args(["-n", "true"]).output();
        if sudo.is_ok_and(|output| output.status.success()) {
            Self::Sudo
        } else {
            Self::Nobody
        }
    }

    /// Runs apt-get with rights to install, or says what to install by hand.
    pub(crate) fn apt_get(
        &self,
        view: Option<&View>,
        arguments: &[&str],
        by_hand: &str,
    ) -> Result<()> {
        let mut command = match self {
            Self::Root => Command::new("apt-get"),
            Self::Sudo => {
                let mut command = Command::new("sudo");
                command.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
                command
            }
            Self::Nobody => bail!("this needs root: install by hand: {by_hand}"),
        };
        if let Some(view) = view {
            view.add_options(&mut command);
        }
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments);
        process::quiet(&mut command).with_context(|| format!("installing {by_hand}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Mirrors;

    fn mirrors(main: &str, security: &str) -> Mirrors {
        Mirrors {
            main: Some(main.into()),
            security: Some(security.into()),
        }
    }

    #[test]
    fn stanzas_name_mirrors() {
        let mut found = Mirrors::default();
        found.add_stanzas(
            "Types: deb\n# URIs: http://no.example/\nURIs: http://a.example/debian/\n\
             Suites: bookworm bookworm-updates\n\n\
             Types: deb\nURIs: http://a.example/debian-security\nSuites: bookworm-security\n\n\
             Types: deb\nURIs: http://other.example\nSuites: nodistro\n",
        );
        assert_eq!(
            found,
            mirrors(
                "http://a.example/debian",
                "http://a.example/debian-security"
            )
        );
    }

    #[test]
    fn lines_name_mirrors() {
        let mut found = Mirrors::default();
        found.add_lines(
            "# deb http://no.example bookworm main\n\
             deb http://other.example cloud-sdk main\n\
             deb [arch=amd64 signed-by=/k] http://a.example/debian trixie main\n\
             deb http://a.example/security trixie-security main\n",
        );
        assert_eq!(
            found,
            mirrors("http://a.example/debian", "http://a.example/security")
        );
    }

    #[test]
    fn disabled_stanzas_do_not_count() {
        let mut found = Mirrors::default();
        found.add_stanzas("Enabled: no\nTypes: deb\nURIs: http://a.example\nSuites: trixie\n");
        assert_eq!(found, Mirrors::default());
    }
}
