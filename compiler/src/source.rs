//! Source files: where they come from, what they hold, what places in them are
//! called.
//!
//! Owns [`SourceReader`], [`SourceMap`] and positions. It must not know what the
//! text means; `load` decides which files make a policy.

mod memory;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lsmpc_syntax::{FileId, MAX_FILE_BYTES, Span};

use crate::code::Code;
use crate::diagnostic::Diagnostic;

pub use memory::MemoryReader;

/// The compiler's only way to files. Paths are passed on as they are written.
pub trait SourceReader {
    /// The bytes of a file; at most `limit + 1` of them, so that a file that is
    /// too large can be told without being read.
    ///
    /// # Errors
    ///
    /// Whatever reading says; a directory is an error.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;

    /// The names in a directory, in any order.
    ///
    /// # Errors
    ///
    /// Whatever reading says.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>>;

    /// The path without links, `.` and `..`: what tells two files apart.
    ///
    /// # Errors
    ///
    /// Whatever resolving says; a path that leads nowhere is `NotFound`.
    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf>;

    /// Whether the path leads to a directory.
    fn is_dir(&self, path: &Path) -> bool;
}

/// A place for people: both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// One file of a policy.
#[derive(Debug, Clone)]
pub struct SourceFile {
    path: PathBuf,
    relative: Arc<str>,
    text: String,
    /// Offsets at which lines begin.
    lines: Vec<u32>,
}

impl SourceFile {
    fn new(path: PathBuf, relative: Arc<str>, text: String) -> Self {
        let mut lines = vec![0];
        for (offset, byte) in text.bytes().enumerate() {
            if byte == b'\n' {
                lines.push(u32::try_from(offset).unwrap_or(u32::MAX).saturating_add(1));
            }
        }
        Self {
            path,
            relative,
            text,
            lines,
        }
    }

    /// The path as it was given or as includes lead to it: what messages show.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path relative to the directory of the root file: what rule ids show.
    #[must_use]
    pub fn relative(&self) -> &str {
        &self.relative
    }

    /// The same, to keep.
    pub(crate) fn name(&self) -> Arc<str> {
        Arc::clone(&self.relative)
    }

    /// What the file holds.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many lines there are; a final newline begins one more.
    #[must_use]
    pub const fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// The byte offset at which a line (from 1) begins.
    #[must_use]
    pub fn line_start(&self, line: u32) -> Option<u32> {
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        self.lines.get(index).copied()
    }

    /// A line (from 1) without its newline.
    #[must_use]
    pub fn line(&self, line: u32) -> Option<&str> {
        let start = usize::try_from(self.line_start(line)?).ok()?;
        let rest = self.text.get(start..)?;
        let text = rest.split('\n').next()?;
        Some(text.strip_suffix('\r').unwrap_or(text))
    }

    /// Where a byte offset is. Beyond the end it is the end.
    #[must_use]
    pub fn position(&self, offset: u32) -> Position {
        let line = self.lines.partition_point(|&start| start <= offset).max(1);
        let start = self
            .lines
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or_default();
        let from = usize::try_from(start).unwrap_or(usize::MAX);
        let to = usize::try_from(offset).unwrap_or(usize::MAX);
        let column = self
            .text
            .bytes()
            .skip(from)
            .take(to.saturating_sub(from))
            .filter(|byte| byte & 0xc0 != 0x80)
            .count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Position {
            line: count(line),
            column: count(column).saturating_add(1),
        }
    }

    /// The text of a byte range.
    #[must_use]
    pub fn slice(&self, start: u32, end: u32) -> Option<&str> {
        self.text
            .get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }
}

/// The files of one policy; a span's [`FileId`] is an index into them.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// Adds a file.
    pub fn add(
        &mut self,
        path: impl Into<PathBuf>,
        relative: impl Into<String>,
        text: impl Into<String>,
    ) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(SourceFile::new(
            path.into(),
            relative.into().into(),
            text.into(),
        ));
        id
    }

    /// Adds a file as it was read. Of a text that is not UTF-8 each bad byte is
    /// replaced by a character of three bytes, and the first is reported. A text that
    /// is too large to be parsed is reported and not kept: nobody wants it shown.
    pub(crate) fn decode(
        &mut self,
        path: &Path,
        relative: String,
        bytes: Vec<u8>,
    ) -> (FileId, Option<Diagnostic>) {
        if bytes.len() > MAX_FILE_BYTES {
            let message = format!(
                "`{}` has more than {MAX_FILE_BYTES} bytes, the most that a policy file may have",
                path.display()
            );
            let diagnostic = Diagnostic::placeless(Code::FileTooLarge, message)
                .help("split it, and `include` the parts");
            return (self.add(path, relative, String::new()), Some(diagnostic));
        }
        let error = match String::from_utf8(bytes) {
            Ok(text) => return (self.add(path, relative, text), None),
            Err(error) => error,
        };
        let offset = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(offset).copied().unwrap_or_default();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let id = self.add(path, relative, text);
        let at = u32::try_from(offset).unwrap_or(u32::MAX);
        let diagnostic = Diagnostic::new(
            Code::NotUtf8,
            format!(
                "`{}` is not UTF-8: byte {byte:#04x} at offset {offset}",
                path.display()
            ),
            Span::new(id, at, at.saturating_add(3)),
            "this byte is no part of any character",
        )
        .help("save the file as UTF-8; in a string such a byte is written `\\xNN`");
        (id, Some(diagnostic))
    }

    /// The file of that number.
    #[must_use]
    pub fn get(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(usize::try_from(id.0).ok()?)
    }

    /// All files, in the order in which they were reached.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files
            .iter()
            .zip(0..)
            .map(|(file, number)| (FileId(number), file))
    }

    /// How many files there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Where a span begins.
    #[must_use]
    pub fn position(&self, span: Span) -> Option<Position> {
        Some(self.get(span.file)?.position(span.start))
    }

    /// The text of a span.
    #[must_use]
    pub fn snippet(&self, span: Span) -> Option<&str> {
        self.get(span.file)?.slice(span.start, span.end)
    }
}

#[cfg(test)]
mod tests {
    use super::{Position, SourceMap};

    #[test]
    fn positions_count_characters() {
        let mut map = SourceMap::default();
        let id = map.add("a.lsmp", "a.lsmp", "ab\nü€x\n\nlast");
        let file = map.get(id).unwrap();
        let at = |line, column| Position { line, column };
        assert_eq!(file.position(0), at(1, 1));
        assert_eq!(file.position(2), at(1, 3));
        assert_eq!(file.position(3), at(2, 1));
        assert_eq!(file.position(8), at(2, 3));
        assert_eq!(file.position(10), at(3, 1));
        assert_eq!(file.position(11), at(4, 1));
        assert_eq!(file.position(99), at(4, 5));
        assert_eq!(file.line(2), Some("ü€x"));
        assert_eq!(file.line(5), None);
        assert_eq!(file.line(0), None);
        assert_eq!(file.line_count(), 4);
    }
}
