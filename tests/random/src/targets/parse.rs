//! Any text: what parses prints back, and is laid out once and for all.

use lsmpc_syntax::{FileId, format, parse as parse_text, print, strip_spans};

/// What parses without errors is the same after printing and after formatting.
pub fn parse(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let parsed = parse_text(FileId(0), text);
    for error in &parsed.errors {
        let places = error.secondary.iter().map(|(span, _)| *span);
        for span in places.chain([error.span]) {
            let place = text.get(span.start as usize..span.end as usize);
            assert!(place.is_some(), "{span:?}");
        }
    }
    if !parsed.errors.is_empty() {
        assert_eq!(format(text), Err(parsed.errors));
        return;
    }
    let printed = print(&parsed.file);
    let again = parse_text(FileId(0), &printed);
    assert_eq!(again.errors, [], "{printed}");
    assert_eq!(print(&again.file), printed);
    let tree = strip_spans(parsed.file);
    assert_eq!(strip_spans(again.file), tree, "{printed}");
    let laid_out = format(text).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(format(&laid_out).as_deref(), Ok(&*laid_out));
    let again = parse_text(FileId(0), &laid_out);
    assert_eq!(again.errors, [], "{laid_out}");
    assert_eq!(strip_spans(again.file), tree, "{laid_out}");
}
