//! A compiler wrapper that makes symbol names independent of where the
//! repository lies.
//!
//! Cargo derives `-C metadata`, and through it every mangled name, from the
//! absolute path of a package outside the workspace's own directory, which is
//! what `engine` and `abi` are to the hook programs. For code built for BPF the
//! wrapper puts the package's name and version in its place.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// Set for the cargo that is to use the wrapper.
pub(crate) const ASK: &str = "LSMPC_XTASK_RUSTC_WRAPPER";

/// Acts as the wrapper when cargo has called this program as one.
pub(crate) fn run_if_asked() -> Option<ExitCode> {
    std::env::var_os(ASK)?;
    let mut arguments = std::env::args_os().skip(1);
    let rustc = arguments.next()?;
    let identity = format!(
        "{}-{}",
        std::env::var("CARGO_PKG_NAME").unwrap_or_default(),
        std::env::var("CARGO_PKG_VERSION").unwrap_or_default(),
    );
    let arguments = rewrite(arguments.collect(), &identity);
    let code = match Command::new(&rustc).args(arguments).status() {
        Ok(status) => status.code().unwrap_or(1),
        Err(error) => {
            eprintln!("xtask: starting {}: {error}", rustc.display());
            1
        }
    };
    Some(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

fn rewrite(arguments: Vec<OsString>, identity: &str) -> Vec<OsString> {
    let for_bpf = arguments
        .windows(2)
        .any(|pair| pair[0] == "--target" && pair[1].to_string_lossy().starts_with("bpf"));
    if !for_bpf {
        return arguments;
    }
    arguments
        .into_iter()
        .map(|argument| {
            if argument.to_string_lossy().starts_with("metadata=") {
                format!("metadata={identity}").into()
            } else {
                argument
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    #[test]
    fn only_metadata_for_bpf_is_replaced() {
        let line = |target: &str, metadata: &str| {
            ["--target", target, "-C", metadata]
                .map(Into::into)
                .to_vec()
        };
        assert_eq!(
            rewrite(line("bpfel-unknown-none", "metadata=0a1b"), "engine-0.1.0"),
            line("bpfel-unknown-none", "metadata=engine-0.1.0"),
        );
        let host = line("x86_64-unknown-linux-gnu", "metadata=0a1b");
        assert_eq!(rewrite(host.clone(), "engine-0.1.0"), host);
    }
}
