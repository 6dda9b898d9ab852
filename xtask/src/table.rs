//! Markdown tables, and putting them into a document.

use std::fs;

use anyhow::{Context, Result};

use crate::repository;

/// A Markdown table with aligned columns: numbers to the right.
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<S: AsRef<str>>(columns: &[S]) -> Self {
        Self {
            columns: columns
                .iter()
                .map(|column| column.as_ref().to_owned())
                .collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, with a cell for each column.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(crate) fn markdown(&self) -> String {
        let shapes: Vec<(usize, bool)> = self
            .columns
            .iter()
            .enumerate()
            .map(|(number, column)| {
                let cells = || self.rows.iter().filter_map(|row| row.get(number));
                let width = cells().map(|cell| cell.chars().count());
                let width = width.chain([column.chars().count(), 4]).max().unwrap_or(4);
                let is_number = cells().all(|cell| cell.is_empty() || cell.parse::<f64>().is_ok());
                (width, is_number)
            })
            .collect();
        let line = |cells: &[String]| {
            let padded = cells
                .iter()
                .zip(&shapes)
                .map(|(cell, &(width, is_number))| {
                    if is_number {
                        format!("{cell:>width$}")
                    } else {
                        format!("{cell:<width$}")
                    }
                });
            format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
        };
        let mut text = line(&self.columns);
        let rule = shapes.iter().map(|&(width, is_number)| {
            if is_number {
                format!("{}:", "-".repeat(width - 1))
            } else {
                "-".repeat(width)
            }
        });
        text += &format!("| {} |\n", rule.collect::<Vec<_>>().join(" | "));
        for row in &self.rows {
            text += &line(row);
        }
        text
    }
}

/// The lines of `docs/performance.md` between which a command writes.
pub(crate) struct Place {
    begin: String,
    end: String,
}

impl Place {
    /// The place of a name.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            begin: format!("<!-- {name}: begin -->"),
            end: format!("<!-- {name}: end -->"),
        }
    }

    /// Puts text there, in place of what there was.
    pub(crate) fn write(&self, text: &str) -> Result<()> {
        let path = repository::root().join("docs/performance.md");
        let document =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let document = self.replaced(&document, text).with_context(|| {
            format!(
                "{} lacks the lines {} and {}",
                path.display(),
                self.begin,
                self.end
            )
        })?;
        fs::write(&path, document).with_context(|| format!("writing {}", path.display()))?;
        eprintln!("xtask: wrote {}", repository::shown(&path));
        Ok(())
    }

    /// `document` with `text` between the lines.
    fn replaced(&self, document: &str, text: &str) -> Option<String> {
        let Self { begin, end } = self;
        let (before, rest) = document.split_once(begin.as_str())?;
        let (_, after) = rest.split_once(end.as_str())?;
        Some(format!("{before}{begin}\n\n{text}\n{end}{after}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_aligned_to_the_right() {
        let mut table = Table::new(&["row", "instructions"]);
        table.row(vec!["open, no policy".into(), "9000".into()]);
        table.row(vec!["open".into(), "10".into()]);
        let expected = "\
| row             | instructions |
| --------------- | -----------: |
| open, no policy |         9000 |
| open            |           10 |
";
        assert_eq!(table.markdown(), expected);
    }

    #[test]
    fn text_goes_between_the_lines() {
        let place = Place::named("x");
        let document = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n";
        let expected = "a\n<!-- x: begin -->\n\nnew\n\n<!-- x: end -->\nb\n";
        assert_eq!(place.replaced(document, "new\n").as_deref(), Some(expected));
        assert_eq!(place.replaced("no lines", "new"), None);
    }
}
