//! The machine as this crate reads it.
//!
//! Owns where things are read from: a prefix before every path, so that a test
//! can put a directory of fixtures in place of `/`, and the trial loads, which a
//! test replaces. Must not know what the answers mean.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// How a trial load went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// It loaded.
    Loads,
    /// EPERM and an empty verifier log.
    RefusedSilently,
    /// Another error.
    Fails(i32),
}

impl Trial {
    fn from_result(result: io::Result<bool>) -> Self {
        match result {
            Ok(true) => Self::Loads,
            Ok(false) => Self::RefusedSilently,
            Err(error) => Self::Fails(error.raw_os_error().unwrap_or(0)),
        }
    }
}

/// What has to be tried rather than read.
pub trait Trials {
    /// Loads (and drops) a trivial program of an everyday type.
    fn everyday(&self) -> Trial;
    /// Loads (and drops) a trivial LSM program for the function of that BTF id.
    /// Nothing is attached.
    fn lsm(&self, hook_btf_id: u32) -> Trial;
}

/// The running kernel.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunningKernel;

impl Trials for RunningKernel {
    fn everyday(&self) -> Trial {
        Trial::from_result(crate::sys::socket_filter_loads())
    }

    fn lsm(&self, hook_btf_id: u32) -> Trial {
        Trial::from_result(crate::sys::lsm_program_loads(hook_btf_id))
    }
}

/// The file system under a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    root: PathBuf,
}

impl Default for System {
    fn default() -> Self {
        Self::at("/")
    }
}

impl System {
    /// The machine itself has the prefix `/`.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where an absolute path is.
    #[must_use]
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// A small text file.
    pub(crate) fn text(&self, absolute: &str) -> io::Result<String> {
        fs::read_to_string(self.path(absolute))
    }

    /// A file.
    pub(crate) fn bytes(&self, absolute: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(absolute))
    }

    /// Type of the file system that holds `path`, from the mount table.
    pub(crate) fn file_system_of(&self, path: &Path) -> io::Result<Option<String>> {
        let table = self.bytes("/proc/self/mountinfo")?;
        Ok(file_system_of(&table, path))
    }
}

/// The last mount among those with the longest mount point above `path`. Mount points
/// are any bytes: users name them, too.
fn file_system_of(mountinfo: &[u8], path: &Path) -> Option<String> {
    let mut best: Option<(usize, &[u8])> = None;
    for line in mountinfo.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b' ');
        let point = fields.nth(4);
        // Optional fields end with a dash.
        let kind = fields.skip_while(|field| *field != b"-").nth(1);
        let (Some(point), Some(kind)) = (point, kind) else {
            continue;
        };
        let point = PathBuf::from(OsString::from_vec(unescape(point)));
        let depth = point.components().count();
        if path.starts_with(&point) && best.is_none_or(|(known, _)| depth >= known) {
            best = Some((depth, kind));
        }
    }
    best.map(|(_, kind)| String::from_utf8_lossy(kind).into_owned())
}

/// Undoes the octal escapes of mountinfo.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut rest = field;
    let mut bytes = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        let code = after
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(code.unwrap_or(*first));
        rest = match code {
            Some(_) => after.get(3..).unwrap_or_default(),
            None => after,
        };
    }
    bytes
}

/// A kernel's version as far as decisions need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
}

impl KernelVersion {
    /// From a release such as `6.12.3-amd64`.
    #[must_use]
    pub fn parse(release: &str) -> Option<Self> {
        let mut numbers = release.trim().split(|c: char| !c.is_ascii_digit());
        Some(Self {
            major: numbers.next()?.parse().ok()?,
            minor: numbers.next()?.parse().ok()?,
        })
    }
}

impl std::fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"\
22 1 0:20 / / rw - ext4 /dev/sda rw
23 22 0:21 / /sys rw - sysfs sysfs rw
24 23 0:22 / /sys/fs/bpf rw - bpf bpf rw
24 22 0:22 / /raw\xff rw shared:1 - fuse fuse rw
25 22 0:23 / /a\\040b rw shared:2 master:1 - tmpfs tmpfs rw
cut off
";

    #[test]
    fn the_deepest_mount_decides() {
        let kind = |path: &str| file_system_of(MOUNTS, Path::new(path));
        assert_eq!(kind("/sys/fs/bpf/lsmpc").as_deref(), Some("bpf"));
        assert_eq!(kind("/sys/fs").as_deref(), Some("sysfs"));
        assert_eq!(kind("/sys/fs/bpffoo").as_deref(), Some("sysfs"));
        assert_eq!(kind("/a b/c").as_deref(), Some("tmpfs"));
        assert_eq!(kind("/etc").as_deref(), Some("ext4"));
    }

    #[test]
    fn releases_are_read() {
        let version = KernelVersion::parse("6.12.117+deb13-cloud-amd64\n").unwrap();
        assert_eq!((version.major, version.minor), (6, 12));
        assert!(version > KernelVersion { major: 6, minor: 1 });
        assert!(KernelVersion::parse("x").is_none());
    }
}
