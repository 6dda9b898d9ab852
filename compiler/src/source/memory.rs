//! Files that exist in memory only: for tests and for embedding.
//!
//! Owns a small tree of absolute paths. It must not touch the machine's files.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::SourceReader;

/// A [`SourceReader`] over files given as text. Relative paths count from `/`.
#[derive(Debug, Clone, Default)]
pub struct MemoryReader {
    files: BTreeMap<PathBuf, Vec<u8>>,
    links: BTreeMap<PathBuf, PathBuf>,
    unreadable: BTreeSet<PathBuf>,
}

impl MemoryReader {
    /// Adds a file; its directories come with it.
    #[must_use]
    pub fn file(mut self, path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(absolute(path.as_ref()), bytes.into());
        self
    }

    /// Adds a link to a file or directory.
    #[must_use]
    pub fn link(mut self, path: impl AsRef<Path>, to: impl AsRef<Path>) -> Self {
        self.links
            .insert(absolute(path.as_ref()), absolute(to.as_ref()));
        self
    }

    /// Adds a file that may not be read.
    #[must_use]
    pub fn unreadable(mut self, path: impl AsRef<Path>) -> Self {
        self.unreadable.insert(absolute(path.as_ref()));
        self.file(path, "")
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        let mut found = PathBuf::from("/");
        for component in absolute(path).components() {
            if let Component::Normal(name) = component {
                found.push(name);
                if let Some(to) = self.links.get(&found) {
                    found.clone_from(to);
                }
            }
        }
        found
    }

    fn is_directory(&self, path: &Path) -> bool {
        self.files
            .keys()
            .chain(self.links.keys())
            .any(|file| file != path && file.starts_with(path))
    }
}

fn absolute(path: &Path) -> PathBuf {
    let mut found = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => found.push(name),
            Component::ParentDir => {
                found.pop();
            }
            _ => {}
        }
    }
    found
}

impl SourceReader for MemoryReader {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let path = self.resolve(path);
        if self.unreadable.contains(&path) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        match self.files.get(&path) {
            Some(bytes) => {
                let most = usize::try_from(limit)
                    .unwrap_or(usize::MAX)
                    .saturating_add(1);
                Ok(bytes.iter().copied().take(most).collect())
            }
            None if self.is_directory(&path) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let path = self.resolve(path);
        let names: BTreeSet<OsString> = self
            .files
            .keys()
            .chain(self.links.keys())
            .filter_map(|file| file.strip_prefix(&path).ok())
            .filter_map(|rest| Some(rest.components().next()?.as_os_str().to_owned()))
            .collect();
        Ok(names.into_iter().collect())
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        let path = self.resolve(path);
        if self.files.contains_key(&path) || self.is_directory(&path) {
            Ok(path)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.is_directory(&self.resolve(path))
    }
}
