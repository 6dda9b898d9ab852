//! `lsmpc show`: the policy in force, or an image's, read back.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use lsmpc_engine::image::Image;

use super::Outcome;
use crate::evaluator::{checked, unusable};
use crate::failure::Failure;
use crate::machine::PinsArgument;
use crate::output::{Output, Style, Terminal, paint};
use crate::render::tables::tables;
use crate::render::text;

/// Show the policy in force, as the kernel holds it.
///
/// The sources are part of the image, so what is shown is what was compiled,
/// whatever has become of the files since.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo lsmpc show
  sudo lsmpc show --tables
  lsmpc show --image policy.img

Exit codes: 0 done, 2 no policy is in force, or the image cannot be used.")]
pub(crate) struct Show {
    /// The source texts (the default)
    #[arg(long, conflicts_with = "tables")]
    source: bool,

    /// The decision structure: hooks, nodes, classes, outcomes, rules
    #[arg(long)]
    tables: bool,

    /// Look at an image file instead of the kernel
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,

    #[command(flatten)]
    pins: PinsArgument,
}

impl Show {
    pub(crate) fn run(&self, terminal: Terminal) -> Result<Outcome, Failure> {
        let bytes = match &self.image {
            Some(path) => read(path)?,
            None => self.pins.runtime().read_image()?,
        };
        let image: Image = checked(&bytes)?;
        let report = image.report().map_err(|error| unusable(&error))?;
        let mut output = Output::new();
        if self.tables {
            output.text(tables(&image, &report))?;
        } else {
            for (number, source) in report.sources.iter().enumerate() {
                if report.sources.len() > 1 {
                    let gap = if number == 0 { "" } else { "\n" };
                    let head = format!("# ===== {} =====", text::harmless(&source.name));
                    output.line(format!(
                        "{gap}{}",
                        paint(terminal.stdout, Style::Bold, head)
                    ))?;
                }
                // A terminal could take some bytes of a file for commands.
                if std::io::stdout().is_terminal() {
                    output.text(text::harmless_source(&source.text))?;
                } else {
                    output.text(&source.text)?;
                }
                if !source.text.ends_with('\n') {
                    output.line("")?;
                }
            }
        }
        output.flush()?;
        Ok(Outcome::Done)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        Failure::new(
            "LSMP4901",
            format!("cannot read {}: {error}", path.display()),
        )
        .help("--image takes a file made by `lsmpc build`")
    })
}
