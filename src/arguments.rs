//! The command line. Each subcommand's own arguments stand in its file under
//! [`crate::commands`]; what several share stands here.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use lsmpc_compiler::KernelVersion;
use lsmpc_compiler::options::BadKernelVersion;

use crate::commands::{
    apply, build, check, completions, diff, doctor, eval, events, explain, fmt, hooks, remove,
    show, status, test, why,
};
use crate::output::{Color, Format};

/// Check, build and enforce BPF LSM policies.
///
/// A policy is one or more .lsmp files. `lsmpc` checks it, turns it into tables
/// and has programs in the kernel enforce them.
#[derive(Debug, Parser)]
#[command(
    name = "lsmpc",
    version,
    max_term_width = 100,
    propagate_version = false,
    after_help = "\
Examples:
  lsmpc check policy.lsmp                         is it right?
  lsmpc fmt policy.lsmp                           lay it out
  lsmpc test policy.lsmp                          do its tests hold?
  lsmpc eval policy.lsmp --events events.jsonl    what would it do?
  lsmpc diff old.lsmp new.lsmp                    what does a new version change?
  sudo lsmpc apply policy.lsmp                    enforce it
  sudo lsmpc events --follow                      watch it

Exit codes:
  0  done
  1  the policy has errors or a test fails, an event given to `eval` is bad, `doctor`
     misses something, `fmt --check` would change a file, `diff` finds a difference
  2  wrong usage, or the machine cannot do it"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Colours: auto is on terminals, unless NO_COLOR is set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: Color,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(check::Check),
    Fmt(fmt::Fmt),
    Build(build::Build),
    Test(test::Test),
    Eval(eval::Eval),
    Why(why::Why),
    Diff(diff::Diff),
    Apply(apply::Apply),
    Status(status::Status),
    Events(events::Events),
    Show(show::Show),
    Remove(remove::Remove),
    Hooks(hooks::Hooks),
    Explain(explain::Explain),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
}

/// How data is written.
#[derive(Debug, Args)]
pub(crate) struct FormatArgument {
    /// For people, or as JSON: one object a line
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) format: Format,
}

/// A kernel to check against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KernelArgument {
    /// Any of that version.
    Version(KernelVersion),
    /// The one that this runs on.
    Running,
}

impl FromStr for KernelArgument {
    type Err = BadKernelVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "running" => Ok(Self::Running),
            version => version.parse().map(Self::Version),
        }
    }
}

/// What changes how sources are read and checked.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Checking")]
pub(crate) struct CompileArguments {
    /// Check against a kernel, too: one of a version (such as 6.1), or the one `running`
    ///
    /// Each rule that it cannot enforce is an error. A version is looked up in the list that
    /// `lsmpc hooks` prints; the running kernel is asked itself, as `apply` does.
    #[arg(long, value_name = "VERSION|running")]
    pub(crate) kernel: Option<KernelArgument>,

    /// Warn about rules without @id
    #[arg(long)]
    pub(crate) strict: bool,

    /// Treat warnings as errors
    #[arg(long)]
    pub(crate) deny_warnings: bool,

    /// Let files be included from outside the root file's directory
    #[arg(long)]
    pub(crate) allow_outside: bool,

    /// Look names of users and groups up in FILE, not on this machine
    ///
    /// Lines are `user NAME ID` and `group NAME ID`; those that begin with `#` are comments.
    #[arg(long, value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,
}
