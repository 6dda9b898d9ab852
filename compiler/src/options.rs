//! What a caller can ask of an analysis.
//!
//! Owns the options, kernel versions and the user database. It must not know
//! where they come from (flags, files, the running machine).

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

/// How a policy is to be checked.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The kernel that must be able to enforce the policy; `None`: any that
    /// is supported.
    pub kernel: Option<Kernel>,
    /// Rules without `@id` are reported.
    pub strict: bool,
    /// Files outside the root file's directory may be included.
    pub allow_outside: bool,
    /// What `user("…")` and `group("…")` mean.
    pub users: UserDb,
}

/// The kernel that a policy is checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kernel {
    /// Any of that version, by what the catalogue says of it.
    Version(KernelVersion),
    /// One that was asked what it lacks.
    Asked(Lacking),
}

/// What one kernel cannot enforce, each with the reason in a few words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lacking {
    /// Hooks that it does not have.
    pub hooks: Vec<(HookId, String)>,
    /// Fields that are unknown there, whatever the event.
    pub fields: Vec<(FieldId, String)>,
}

/// The first two numbers of a kernel's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KernelVersion {
    /// `6` of `6.1`.
    pub major: u16,
    /// `1` of `6.1`.
    pub minor: u16,
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A text that is not a kernel version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kernel version; write one like `6.1`")]
pub struct BadKernelVersion(String);

impl FromStr for KernelVersion {
    type Err = BadKernelVersion;

    /// Takes `6.1`, and whatever `uname -r` says: `6.12.48+deb13-amd64`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadKernelVersion(text.to_owned());
        let (major, rest) = text.split_once('.').ok_or_else(bad)?;
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (minor, tail) = rest.split_at_checked(end).ok_or_else(bad)?;
        if !(tail.is_empty() || tail.starts_with(['.', '-', '+'])) {
            return Err(bad());
        }
        Ok(Self {
            major: major.parse().map_err(|_| bad())?,
            minor: minor.parse().map_err(|_| bad())?,
        })
    }
}

/// Names and numbers of users and groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserDb {
    users: BTreeMap<Vec<u8>, u32>,
    groups: BTreeMap<Vec<u8>, u32>,
}

/// A line of a user list that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct BadUserList {
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

impl UserDb {
    /// Reads lines `user NAME ID` and `group NAME ID`. Blank lines and lines that
    /// begin with `#` are passed over.
    ///
    /// # Errors
    ///
    /// The first line of another form.
    pub fn from_list(text: &str) -> Result<Self, BadUserList> {
        let mut database = Self::default();
        for (number, line) in text.lines().enumerate() {
            let bad = |message: String| BadUserList {
                line: number.saturating_add(1),
                message,
            };
            let mut words = line.split_ascii_whitespace();
            let Some(kind) = words.next().filter(|word| !word.starts_with('#')) else {
                continue;
            };
            let (Some(name), Some(id), None) = (words.next(), words.next(), words.next()) else {
                return Err(bad("expected `user NAME ID` or `group NAME ID`".to_owned()));
            };
            let id = id
                .parse()
                .map_err(|_| bad(format!("`{id}` is not a user or group id")))?;
            let previous = match kind {
                "user" => database.users.insert(name.as_bytes().to_vec(), id),
                "group" => database.groups.insert(name.as_bytes().to_vec(), id),
                _ => {
                    return Err(bad(format!("expected `user` or `group`, found `{kind}`")));
                }
            };
            if previous.is_some_and(|previous| previous != id) {
                return Err(bad(format!("{kind} `{name}` has two ids")));
            }
        }
        Ok(database)
    }

    /// Reads the bytes of `/etc/passwd` and `/etc/group`. Of two lines for one
    /// name the first counts, as it does for the C library; lines of another
    /// form (`+::::::`) are passed over.
    #[must_use]
    pub fn from_passwd(passwd: &[u8], group: &[u8]) -> Self {
        let mut database = Self::default();
        for (text, into) in [(passwd, &mut database.users), (group, &mut database.groups)] {
            for line in text.split(|&byte| byte == b'\n') {
                let mut fields = line.split(|&byte| byte == b':');
                let (Some(name), Some(_), Some(id)) = (fields.next(), fields.next(), fields.next())
                else {
                    continue;
                };
                let id = str::from_utf8(id).ok().and_then(|id| id.parse().ok());
                if let Some(id) = id.filter(|_| !name.is_empty()) {
                    into.entry(name.to_vec()).or_insert(id);
                }
            }
        }
        database
    }

    /// Adds a user.
    pub fn add_user(&mut self, name: impl Into<Vec<u8>>, id: u32) {
        self.users.insert(name.into(), id);
    }

    /// Adds a group.
    pub fn add_group(&mut self, name: impl Into<Vec<u8>>, id: u32) {
        self.groups.insert(name.into(), id);
    }

    /// The id of a user.
    #[must_use]
    pub fn user(&self, name: &[u8]) -> Option<u32> {
        self.users.get(name).copied()
    }

    /// The id of a group.
    #[must_use]
    pub fn group(&self, name: &[u8]) -> Option<u32> {
        self.groups.get(name).copied()
    }

    /// The names of all users.
    pub fn user_names(&self) -> impl Iterator<Item = &[u8]> {
        self.users.keys().map(Vec::as_slice)
    }

    /// The names of all groups.
    pub fn group_names(&self) -> impl Iterator<Item = &[u8]> {
        self.groups.keys().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::{KernelVersion, UserDb};

    #[test]
    fn kernel_versions() {
        let parse = |text: &str| text.parse::<KernelVersion>().ok();
        let version = |major, minor| Some(KernelVersion { major, minor });
        assert_eq!(parse("6.1"), version(6, 1));
        assert_eq!(parse("6.12.48+deb13-amd64"), version(6, 12));
        assert_eq!(parse("7.0-rc1"), version(7, 0));
        assert_eq!(parse("6"), None);
        assert_eq!(parse("6.x"), None);
        assert_eq!(parse("6.1x"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn user_lists() {
        let list = UserDb::from_list("# ids\nuser root 0\n\ngroup adm 4\n").unwrap();
        assert_eq!(list.user(b"root"), Some(0));
        assert_eq!(list.group(b"adm"), Some(4));
        assert_eq!(list.group(b"root"), None);
        assert_eq!(UserDb::from_list("user root").unwrap_err().line, 1);
        assert_eq!(UserDb::from_list("\nuser a -1").unwrap_err().line, 2);
        assert!(UserDb::from_list("users a 1").is_err());
        assert!(UserDb::from_list("user a 1\nuser a 2").is_err());
    }

    #[test]
    fn passwd() {
        let database = UserDb::from_passwd(
            b"root:x:0:0:root:/root:/bin/sh\n+::::::\nbad\nwww:x:33:33::/:/bin/false",
            b"adm:x:4:\n",
        );
        assert_eq!(database.user(b"www"), Some(33));
        assert_eq!(database.group(b"adm"), Some(4));
        assert_eq!(database.user_names().count(), 2);
    }
}
