//! One file by itself, in the one canonical layout.
//!
//! Owns what is said of a file that cannot be laid out, and the proof that the
//! layout changed nothing. It must not know includes or meanings: how a file is
//! laid out is the syntax crate's.

use std::path::Path;

use lsmpc_syntax::{FileId, parse, strip_spans};

use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::source::SourceMap;

/// What became of a file.
#[derive(Debug, Default)]
pub struct Formatted {
    /// The file as it was, alone.
    pub sources: SourceMap,
    /// Its new text; absent if there are errors.
    pub text: Option<String>,
    /// What is wrong with it: text and syntax only.
    pub diagnostics: Vec<Diagnostic>,
}

/// Lays out the bytes of a file, called `path` in what is said of it.
#[must_use]
pub fn format(path: &Path, bytes: Vec<u8>) -> Formatted {
    let mut formatted = Formatted::default();
    let shown = path.to_string_lossy().into_owned();
    let (id, bad) = formatted.sources.decode(path, shown, bytes);
    if let Some(bad) = bad {
        formatted.diagnostics.push(bad);
        return formatted;
    }
    let text = formatted.sources.get(id).map_or("", |file| file.text());
    match lsmpc_syntax::format(text) {
        Err(errors) => {
            let errors = errors.into_iter().map(Diagnostic::from);
            formatted.diagnostics.extend(errors);
        }
        Ok(new) if says_the_same(text, &new) => formatted.text = Some(new),
        Ok(_) => formatted.diagnostics.push(
            Diagnostic::placeless(
                Code::Internal,
                format!(
                    "the layout of `{}` would change its meaning",
                    path.display()
                ),
            )
            .help("please report it, with the file if you can; it stays as it is"),
        ),
    }
    formatted
}

/// Whether both texts have the same tree, places aside.
fn says_the_same(old: &str, new: &str) -> bool {
    let tree = |text| {
        let parsed = parse(FileId::default(), text);
        (parsed.errors.is_empty(), strip_spans(parsed.file))
    };
    tree(old) == tree(new)
}

#[cfg(test)]
mod tests {
    use super::format;
    use crate::code::Code;
    use std::path::Path;

    #[test]
    fn new_text_or_what_is_wrong() {
        let format = |bytes: &[u8]| format(Path::new("a.lsmp"), bytes.to_vec());
        let good = format(b"deny   file_open when not(a&&b) # x");
        assert_eq!(
            good.text.as_deref(),
            Some("deny file_open when not (a and b) # x\n")
        );
        assert!(good.diagnostics.is_empty());
        for (bytes, code) in [
            (&b"deny"[..], Code::UnexpectedToken),
            (b"deny \xff", Code::NotUtf8),
        ] {
            let bad = format(bytes);
            assert_eq!(bad.text, None);
            assert_eq!(bad.diagnostics.len(), 1);
            assert_eq!(bad.diagnostics[0].code, code);
            assert_eq!(bad.sources.len(), 1);
        }
    }
}
