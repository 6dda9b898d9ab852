//! `cargo xtask`: the commands that build, prove and measure this repository.
//!
//! Each command is one module. What they share sits below them: [`repository`]
//! knows where things are, [`process`] runs programs, [`progress`] says what is
//! being waited for, [`table`] writes into documents, [`apt`] reaches Debian's archive,
//! [`packaged`] is what is compared with, [`rules`] what is measured with, [`kernels`], [`image`] and [`vm`] make guests.

mod apt;
mod architecture;
mod bench;
mod btf_ext;
mod ci;
mod compare;
mod console;
mod cpio;
mod cross;
mod demo;
mod ebpf;
mod fuzz;
mod image;
mod kernels;
mod matrix;
mod packaged;
mod process;
mod progress;
mod qemu;
mod repository;
mod rules;
mod rustc_wrapper;
mod setup;
mod stack;
mod suites;
mod table;
mod tally;
mod test;
mod toolchain;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what building the hook programs and booting guests needs.
    Setup(setup::Arguments),
    /// Build the hook programs, or check that the shipped ones are reproduced.
    Ebpf(ebpf::Arguments),
    /// Download the kernels that guests boot, and list them.
    Kernels(kernels::Arguments),
    /// Boot a guest and run one suite or program in it.
    Vm(vm::Arguments),
    /// Run the host's tests, then the suites in guests.
    Test(test::Arguments),
    /// Watch a policy being enforced in a guest.
    Demo(demo::Arguments),
    /// Count instructions in a deterministic guest and write the tables.
    Bench(bench::Arguments),
    /// Compile the same rules with other compilers, too, and write the tables.
    Compare(compare::Arguments),
    /// Fuzz, guided by coverage.
    Fuzz(fuzz::Arguments),
    /// Everything a change has to pass.
    Ci(ci::Arguments),
}

fn main() -> ExitCode {
    if let Some(code) = rustc_wrapper::run_if_asked() {
        return code;
    }
    let result = match Arguments::parse().command {
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Ebpf(arguments) => ebpf::run(&arguments),
        Command::Kernels(arguments) => kernels::run(&arguments),
        Command::Vm(arguments) => vm::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Ci(arguments) => ci::run(&arguments),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
