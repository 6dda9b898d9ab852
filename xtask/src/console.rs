//! What a guest's console says: the protocol of `tests/guest/src/main.rs`, read.

use std::fmt;

const PREFIX: &str = "LSMPC-GUEST: ";

/// What one test came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    Failed(String),
    Skipped(String),
}

/// One test of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GuestTest {
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
}

/// One line of the protocol.
#[derive(Debug, PartialEq)]
pub(crate) enum Line {
    Begin(String),
    Test(GuestTest),
    Say(String),
    Json(serde_json::Value),
    Count(usize),
    End { ok: bool },
}

/// A protocol line that cannot be read.
#[derive(Debug)]
pub(crate) struct Garbled(String);

impl fmt::Display for Garbled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the guest said something that is not in the protocol: {}",
            self.0
        )
    }
}

/// A line of the console as a person should see it: without the carriage
/// returns and terminal sequences that firmware and kernel put in.
pub(crate) fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => {
                if characters.next_if(|&c| c == '[').is_some() {
                    while characters.next_if(|c| !c.is_ascii_alphabetic()).is_some() {}
                }
                characters.next();
            }
            '\t' => clean.push('\t'),
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    clean
}

/// Reads a cleaned line; none when it is not of the protocol.
///
/// The marker may come after the rest of a kernel message.
pub(crate) fn read(line: &str) -> Option<Result<Line, Garbled>> {
    let (_, rest) = line.split_once(PREFIX)?;
    Some(parse(rest).ok_or_else(|| Garbled(rest.to_owned())))
}

fn parse(text: &str) -> Option<Line> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    Some(match word {
        "begin" => Line::Begin(rest.to_owned()),
        "test" => {
            let (name, rest) = rest.split_once(' ')?;
            let (word, reason) = rest.split_once(' ').unwrap_or((rest, ""));
            let verdict = match word {
                "ok" => Verdict::Ok,
                "FAILED" => Verdict::Failed(reason.to_owned()),
                "skipped" => Verdict::Skipped(reason.to_owned()),
                _ => return None,
            };
            Line::Test(GuestTest {
                name: name.to_owned(),
                verdict,
            })
        }
        "say" => Line::Say(rest.to_owned()),
        "json" => Line::Json(serde_json::from_str(rest).ok()?),
        "count" => Line::Count(rest.trim().parse().ok()?),
        "end" => Line::End {
            ok: rest.trim() == "ok",
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Line {
        read(&format!("[    3.1] x{PREFIX}{text}"))
            .unwrap()
            .unwrap()
    }

    #[test]
    fn lines_are_read() {
        let test = |name: &str, verdict| {
            Line::Test(GuestTest {
                name: name.into(),
                verdict,
            })
        };
        assert_eq!(parsed("test a::b ok"), test("a::b", Verdict::Ok));
        assert_eq!(
            parsed("test a FAILED no luck"),
            test("a", Verdict::Failed("no luck".into()))
        );
        assert_eq!(
            parsed("test a skipped old"),
            test("a", Verdict::Skipped("old".into()))
        );
        assert_eq!(parsed("count 3"), Line::Count(3));
        assert_eq!(parsed("end ok"), Line::End { ok: true });
        assert_eq!(parsed("end FAILED"), Line::End { ok: false });
        assert_eq!(
            parsed(r#"json {"a":1}"#),
            Line::Json(serde_json::json!({"a": 1}))
        );
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert!(read(&format!("{PREFIX}test a maybe")).unwrap().is_err());
        assert!(read(&format!("{PREFIX}json {{")).unwrap().is_err());
        assert!(read("anything else").is_none());
    }

    #[test]
    fn terminal_sequences_go() {
        assert_eq!(clean(b"\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS\r"), "SeaBIOS");
        assert_eq!(clean(b"a\tb"), "a\tb");
    }
}
