//! The codes that are the command line's own, `LSMP4901` and up, and the one way
//! to look any code up.

use lsmpc_compiler::diagnostic::Code as LanguageCode;
use lsmpc_runtime::Code as RuntimeCode;

/// A code of this program, not of the libraries.
struct OwnCode {
    code: &'static str,
    title: &'static str,
    page: &'static str,
}

/// In order; numbers are never reused.
const OWN: &[OwnCode] = &[
    OwnCode {
        code: "LSMP4901",
        title: "a file cannot be read",
        page: "A file named on the command line does not exist, may not be read, or is something else \
               than the command takes. The message says which and why.",
    },
    OwnCode {
        code: "LSMP4902",
        title: "the output cannot be written",
        page: "Standard output could not be written to, most likely because the disk is full. A pipe \
               whose reader has gone is not an error: the command then ends quietly.",
    },
    OwnCode {
        code: "LSMP4903",
        title: "a bad list of users",
        page: "The file given by --users has lines `user NAME ID` and `group NAME ID`, blank lines and \
               lines that begin with `#`. Something else is in the line named.",
    },
    OwnCode {
        code: "LSMP4904",
        title: "a file cannot be written",
        page: "`lsmpc build` and `lsmpc fmt` write to a new file beside the one named and rename it, so \
               its directory has to be writable, and a file that is there already, too.",
    },
    OwnCode {
        code: "LSMP4905",
        title: "an image where sources are needed",
        page: "An image holds tables and the sources' text, not the policy's meaning. The reference \
               engine of `lsmpc eval` needs the .lsmp files, and an image cannot be given together \
               with other files.",
    },
    OwnCode {
        code: "LSMP4906",
        title: "no such hook or code",
        page: "`lsmpc hooks` lists the hooks. Codes have the form LSMP1001; `lsmpc explain --list` lists \
               them.",
    },
    OwnCode {
        code: "LSMP4907",
        title: "a file that is not an image of this version",
        page: "The file begins like an image and is not one that this lsmpc can use: it is cut short, \
               damaged, or of another version of the table format. Compile the policy again.",
    },
    OwnCode {
        code: "LSMP4908",
        title: "not an event",
        page: "`lsmpc why` takes events as `lsmpc eval` reads them, or records as `lsmpc events --format \
               json` prints them: JSON objects with a `hook` and values of fields. The message says what \
               is wrong with the one given.",
    },
];

/// What is known of a code.
pub(crate) struct Entry {
    /// `LSMP1001`
    pub(crate) code: String,
    /// One line.
    pub(crate) title: &'static str,
    /// `error`, `warning` or `hint`.
    pub(crate) severity: &'static str,
    page: Page,
}

enum Page {
    /// A whole Markdown page with its title.
    Whole(&'static str),
    /// One paragraph.
    Paragraph(&'static str),
}

impl Entry {
    /// The Markdown page.
    pub(crate) fn page(&self) -> String {
        match self.page {
            Page::Whole(page) => page.trim_end().to_owned(),
            Page::Paragraph(words) => format!(
                "# {}: {}\n\n{}",
                self.code,
                self.title,
                crate::render::text::wrapped(words, 0, 80)
            ),
        }
    }
}

/// Every code, in order.
pub(crate) fn all() -> Vec<Entry> {
    // Codes LSMP4xxx are the runtime's and this program's.
    let language = LanguageCode::ALL
        .iter()
        .filter(|code| !code.as_str().starts_with("LSMP4"))
        .map(|code| Entry {
            code: code.as_str().to_owned(),
            title: code.title(),
            severity: code.severity().as_str(),
            page: Page::Whole(code.explain()),
        });
    let runtime = RuntimeCode::ALL.iter().map(|code| Entry {
        code: code.to_string(),
        title: code.title(),
        severity: "error",
        page: Page::Paragraph(code.page()),
    });
    let own = OWN.iter().map(|own| Entry {
        code: own.code.to_owned(),
        title: own.title,
        severity: "error",
        page: Page::Paragraph(own.page),
    });
    let mut all: Vec<Entry> = language.chain(runtime).chain(own).collect();
    all.sort_by(|a, b| a.code.cmp(&b.code));
    all
}

/// The code that is written so: `LSMP1001`, `lsmp1001` or `1001`.
pub(crate) fn find(name: &str) -> Option<Entry> {
    let digits = name.to_ascii_uppercase();
    let digits = digits.strip_prefix("LSMP").unwrap_or(&digits);
    all()
        .into_iter()
        .find(|entry| entry.code.strip_prefix("LSMP") == Some(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_have_pages() {
        let all = all();
        for pair in all.windows(2) {
            assert!(pair[0].code < pair[1].code, "{} twice", pair[1].code);
        }
        for entry in &all {
            assert!(entry.page().starts_with(&format!("# {}: ", entry.code)));
            assert!(entry.page().lines().count() > 2, "{}", entry.code);
        }
        assert!(find("1001").is_some() && find("lsmp4001").is_some());
        assert!(find("LSMP").is_none() && find("").is_none());
    }
}
