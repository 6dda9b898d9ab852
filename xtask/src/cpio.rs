//! Writes the kernel's initramfs format: a cpio archive of the kind `newc`.
//!
//! Owners are root and times are zero, so that the same files give the same
//! bytes.

use std::collections::BTreeMap;

/// What stands at a path.
enum Entry {
    Directory,
    File { mode: u32, bytes: Vec<u8> },
    CharacterDevice { major: u32, minor: u32 },
}

/// An archive in the making; later entries replace earlier ones.
#[derive(Default)]
pub(crate) struct Archive {
    entries: BTreeMap<String, Entry>,
}

impl Archive {
    /// Adds a directory, and those above it.
    pub(crate) fn directory(&mut self, path: &str) {
        let path = path.trim_matches('/');
        self.parents(path);
        self.entries
            .entry(path.to_owned())
            .or_insert(Entry::Directory);
    }

    /// Adds a file with its permission bits.
    pub(crate) fn file(&mut self, path: &str, mode: u32, bytes: Vec<u8>) {
        let path = path.trim_matches('/');
        self.parents(path);
        self.entries
            .insert(path.to_owned(), Entry::File { mode, bytes });
    }

    /// Adds a character device that only root may use.
    pub(crate) fn character_device(&mut self, path: &str, major: u32, minor: u32) {
        let path = path.trim_matches('/');
        self.parents(path);
        self.entries
            .insert(path.to_owned(), Entry::CharacterDevice { major, minor });
    }

    fn parents(&mut self, path: &str) {
        for (end, _) in path.match_indices('/') {
            let parent = path[..end].to_owned();
            self.entries.entry(parent).or_insert(Entry::Directory);
        }
    }

    /// The archive's bytes.
    pub(crate) fn finish(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // A map's order puts directories before what is in them.
        for (inode, (path, entry)) in (1..).zip(&self.entries) {
            let (mode, bytes, device): (u32, &[u8], (u32, u32)) = match entry {
                Entry::Directory => (0o040_755, &[], (0, 0)),
                Entry::File { mode, bytes } => (0o100_000 | mode, bytes, (0, 0)),
                Entry::CharacterDevice { major, minor } => (0o020_600, &[], (*major, *minor)),
            };
            append(&mut out, inode, path, mode, bytes, device);
        }
        append(&mut out, 0, "TRAILER!!!", 0, &[], (0, 0));
        out
    }
}

fn append(out: &mut Vec<u8>, inode: u32, path: &str, mode: u32, bytes: &[u8], device: (u32, u32)) {
    let links = if mode & 0o170_000 == 0o040_000 { 2 } else { 1 };
    let fields = [
        inode,
        mode,
        0, // owner
        0, // group
        links,
        0, // time
        bytes.len() as u32,
        0, // device of the file system
        0,
        device.0,
        device.1,
        path.len() as u32 + 1,
        0, // checksum, unused
    ];
    out.extend_from_slice(b"070701");
    for field in fields {
        out.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    out.extend_from_slice(path.as_bytes());
    out.push(0);
    align(out);
    out.extend_from_slice(bytes);
    align(out);
}

fn align(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn parents_come_before_their_files_and_all_is_aligned() {
        let mut archive = Archive::default();
        archive.file("/a/b/c", 0o644, b"hello".to_vec());
        archive.character_device("/dev/console", 5, 1);
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8_lossy(&bytes);
        let order = [
            "a\0",
            "a/b\0",
            "a/b/c\0",
            "dev\0",
            "dev/console\0",
            "TRAILER!!!\0",
        ];
        let mut from = 0;
        for name in order {
            from += text[from..].find(name).unwrap();
        }
        assert_eq!(text.matches("070701").count(), order.len());
    }
}
