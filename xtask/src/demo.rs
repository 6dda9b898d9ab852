//! `cargo xtask demo`: a policy at work, told line by line.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use crate::console::{self, Line};
use crate::progress::Step;
use crate::vm::{self, Spec};
use crate::{ebpf, image, kernels, qemu};

const SUITE: &str = "demo";

/// Watch a policy being enforced in a guest.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The kernel: 6.1, 6.12, newest, or another series of Debian's archive
    #[arg(long, default_value = "6.12")]
    kernel: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    qemu::for_x86_64()?;
    let kernel = kernels::ensure_all(&[&arguments.kernel])?
        .pop()
        .context("no kernel was resolved")?;
    let image = image::build(&[])?;
    let mut spec = Spec::new(kernel, image, SUITE);
    spec.timeout = Duration::from_secs(180);
    spec.environment = ebpf::guest_environment();
    let mut boot = Some(Step::start(format!("booting Linux {}", spec.kernel.name)));
    let outcome = vm::run_guest(&spec, |line| match console::read(line) {
        Some(Ok(Line::Begin(_))) => {
            if let Some(boot) = boot.take() {
                boot.done("up");
            }
        }
        Some(Ok(Line::Say(text))) => println!("{text}"),
        _ => {}
    })?;
    drop(boot);
    if !outcome.passed() {
        let why = outcome.broken.as_deref().unwrap_or("a step failed");
        eprintln!(
            "{}\n\nxtask: {why}; above is the end of the console",
            outcome.last_lines()
        );
    }
    Ok(outcome.passed())
}
