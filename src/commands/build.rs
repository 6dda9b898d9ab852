//! `lsmpc build`: from a policy to an image file.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Outcome;
use crate::arguments::CompileArguments;
use crate::failure::Failure;
use crate::output::{Output, Terminal};
use crate::policy::Policy;
use crate::render::text;

/// Compile a policy into an image file.
///
/// The image holds the tables that the kernel's programs read, and the policy's
/// source text. The same sources give the same bytes, whenever and wherever they
/// are compiled (names of users and groups are resolved here: see --users).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lsmpc build policy.lsmp -o policy.img
  lsmpc eval policy.img --events events.jsonl
  sudo lsmpc apply policy.img")]
pub(crate) struct Build {
    /// The policy's files
    #[arg(required = true, value_name = "POLICY")]
    policy: Vec<PathBuf>,

    /// Where to write the image; `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    compile: CompileArguments,
}

impl Build {
    pub(crate) fn run(&self, terminal: Terminal) -> Result<Outcome, Failure> {
        let policy = Policy::compile(&self.policy, &self.compile)?;
        let outcome = policy.outcome(self.compile.deny_warnings);
        policy.show_diagnostics(terminal);
        let (Outcome::Done, Some(image)) = (outcome, policy.image()) else {
            return Ok(outcome);
        };
        if self.output == Path::new("-") {
            let mut output = Output::new();
            output.bytes(image)?;
            output.flush()?;
            return Ok(Outcome::Done);
        }
        write(&self.output, image)?;
        eprintln!(
            "wrote {} ({})",
            self.output.display(),
            text::bytes(image.len())
        );
        Ok(Outcome::Done)
    }
}

/// Writes beside the file and renames, so that a reader sees the old image or the
/// whole new one.
fn write(path: &Path, image: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            "LSMP4904",
            format!("cannot write {}: {error}", path.display()),
        )
        .help("name a file in a directory that you may write to")
    };
    // Devices and pipes cannot be replaced, only written to.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return fs::write(path, image).map_err(failed);
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = PathBuf::from(name);
    let result = fs::File::create(&beside)
        .and_then(|mut file| file.write_all(image).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    if result.is_err() {
        // Best effort: the first error is the one to tell.
        drop(fs::remove_file(&beside));
    }
    result.map_err(failed)
}
