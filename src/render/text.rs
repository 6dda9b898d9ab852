//! Words, numbers and columns for people, and making foreign text harmless.

use std::borrow::Cow;

/// `1 rule`, `2 rules`, `0 classes`.
pub(crate) fn count(number: usize, word: &str) -> String {
    if number == 1 {
        format!("1 {word}")
    } else if let Some(stem) = word
        .strip_suffix("on")
        .filter(|_| word.ends_with("automaton"))
    {
        format!("{number} {stem}a")
    } else if word.ends_with('s') {
        format!("{number} {word}es")
    } else {
        format!("{number} {word}s")
    }
}

/// `20 KiB`; below a KiB in bytes.
pub(crate) fn bytes(number: usize) -> String {
    const UNITS: [(usize, &str); 2] = [(1 << 20, "MiB"), (1 << 10, "KiB")];
    for (size, unit) in UNITS {
        if number >= size {
            let tenths = number * 10 / size;
            return if tenths.is_multiple_of(10) || tenths >= 1000 {
                format!("{} {unit}", tenths / 10)
            } else {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{number} bytes")
}

/// Whether a terminal might take the character for a command, or show the text
/// around it in another order than it has.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Source text for a terminal: of the same length in bytes, with stand-ins for
/// what a terminal would act on.
pub(crate) fn harmless_source(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| matches!(byte, b'\n' | b'\t' | b' '..=b'~');
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => harmless.push(c),
            '\r' => harmless.push(' '),
            c if is_unsafe(c) && c.len_utf8() == 3 => harmless.push('\u{fffd}'),
            c if is_unsafe(c) => harmless.extend(std::iter::repeat_n('?', c.len_utf8())),
            c => harmless.push(c),
        }
    }
    Cow::Owned(harmless)
}

/// One word of a line for a terminal: control characters escaped.
pub(crate) fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            harmless.extend(c.escape_default());
        } else {
            harmless.push(c);
        }
    }
    harmless
}

/// A value of an event: as it is where that is one plain word, else quoted.
pub(crate) fn word(text: &str) -> String {
    let plain = !text.is_empty()
        && text
            .chars()
            .all(|c| !is_unsafe(c) && !c.is_whitespace() && !matches!(c, '"' | '=' | '\\'));
    if plain {
        text.to_owned()
    } else {
        format!("{text:?}")
    }
}

/// Rows in columns, two spaces apart, without trailing space.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows.iter().map(Vec::len).max().unwrap_or(0))
        .map(width)
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The columns of text for people, wrapped at `width` with `indent` before every
/// line.
pub(crate) fn wrapped(words: &str, indent: usize, width: usize) -> String {
    let mut text = String::new();
    let mut line = " ".repeat(indent);
    for word in words.split_whitespace() {
        let used = line.chars().count();
        if used > indent && used + 1 + word.chars().count() > width {
            text.push_str(line.trim_end());
            text.push('\n');
            line = " ".repeat(indent);
        }
        if line.len() > indent {
            line.push(' ');
        }
        line.push_str(word);
    }
    text.push_str(line.trim_end());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(bytes(20 * 1024), "20 KiB");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(5), "5 bytes");
        assert_eq!(bytes(3 << 20), "3 MiB");
        assert_eq!(count(1, "class"), "1 class");
        assert_eq!(count(3, "class"), "3 classes");
        assert_eq!(count(0, "rule"), "0 rules");
    }

    #[test]
    fn terminals_are_given_nothing_to_act_on() {
        assert_eq!(harmless("a\u{1b}[31m"), "a\\u{1b}[31m");
        assert_eq!(harmless("a\u{202e}b"), "a\\u{202e}b");
        let source = "x\u{1b}y\u{85}z\u{202e}ü\r\n";
        assert_eq!(harmless_source(source), "x?y??z\u{fffd}ü \n");
        assert_eq!(harmless_source(source).len(), source.len());
        assert_eq!(word("/usr/bin/cat"), "/usr/bin/cat");
        assert_eq!(word("a b"), "\"a b\"");
        assert_eq!(word(""), "\"\"");
        assert_eq!(word("a\n"), "\"a\\n\"");
    }

    #[test]
    fn text_is_laid_out() {
        let rows = [
            vec!["a".into(), "b".into()],
            vec!["long".into(), "c".into()],
        ];
        assert_eq!(columns(&rows), "a     b\nlong  c\n");
        assert_eq!(wrapped("one two three", 2, 10), "  one two\n  three");
    }
}
