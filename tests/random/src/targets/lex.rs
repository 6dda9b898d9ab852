//! Any text: tokens and comments cover it, in order.

use lsmpc_syntax::{FileId, Span, parse, token_spans};

/// Tokens and comments stand in the order of the text, do not overlap, and what is
/// between them, up to the first error, is white space.
pub fn lex(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let parsed = parse(FileId(0), text);
    let mut pieces = token_spans(FileId(0), text);
    assert!(pieces.is_sorted_by(|a, b| a.end <= b.start), "{pieces:?}");
    let comments: Vec<Span> = parsed.comments.iter().map(|one| one.span).collect();
    assert!(
        comments.is_sorted_by(|a, b| a.end <= b.start),
        "{comments:?}"
    );
    pieces.extend(comments);
    pieces.sort_by_key(|span| span.start);
    assert!(pieces.is_sorted_by(|a, b| a.end <= b.start), "{pieces:?}");
    // After an error what follows may be skipped, as the text of a foreign comment is.
    let errors = parsed.errors.iter().map(|error| error.span.start as usize);
    let sound = errors.min().unwrap_or(text.len());
    let mut at = if text.starts_with('\u{feff}') { 3 } else { 0 };
    for span in pieces {
        let (start, end) = (span.start as usize, span.end as usize);
        assert!(text.get(start..end).is_some(), "{span:?}");
        between(&text[at.min(sound)..start.min(sound)]);
        at = end;
    }
    between(&text[at.min(sound)..sound]);
}

fn between(text: &str) {
    let is_white = |byte| b" \t\r\n".contains(&byte);
    assert!(text.bytes().all(is_white), "in no token: {text:?}");
}
