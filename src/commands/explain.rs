//! `lsmpc explain`: the page of a code.

use clap::Args;

use super::Outcome;
use crate::codes;
use crate::failure::Failure;
use crate::output::{Output, Terminal};
use crate::render::text;

/// Explain a code, such as LSMP1002.
///
/// Every diagnostic and every error carries one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lsmpc explain LSMP1002
  lsmpc explain 4002
  lsmpc explain --list")]
pub(crate) struct Explain {
    /// The code
    #[arg(
        required_unless_present = "list",
        conflicts_with = "list",
        value_name = "CODE"
    )]
    code: Option<String>,

    /// List all codes
    #[arg(long)]
    list: bool,
}

impl Explain {
    pub(crate) fn run(&self, _terminal: Terminal) -> Result<Outcome, Failure> {
        let mut output = Output::new();
        match &self.code {
            None => {
                let rows: Vec<Vec<String>> = codes::all()
                    .iter()
                    .map(|entry| {
                        vec![
                            entry.code.clone(),
                            entry.severity.to_owned(),
                            entry.title.to_owned(),
                        ]
                    })
                    .collect();
                output.text(text::columns(&rows))?;
            }
            Some(code) => {
                let entry = codes::find(code).ok_or_else(|| {
                    Failure::new("LSMP4906", format!("there is no code `{code}`"))
                        .help("`lsmpc explain --list` lists them")
                })?;
                output.line(entry.page())?;
            }
        }
        output.flush()?;
        Ok(Outcome::Done)
    }
}
