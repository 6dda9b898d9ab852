//! The machine under the suites: mounts, loopback, the kernel command line,
//! the children of process 1, and the switch that turns it all off.

use std::ffi::CString;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::mount::MountFlags;

use crate::architecture::Exit;

/// A file system that is mounted before a suite starts.
struct Mount {
    kind: &'static str,
    at: &'static str,
    data: &'static str,
    /// Whether a kernel may be without it.
    optional: bool,
}

/// In the order in which they are mounted.
const MOUNTS: &[Mount] = &[
    Mount {
        kind: "proc",
        at: "/proc",
        data: "",
        optional: false,
    },
    Mount {
        kind: "sysfs",
        at: "/sys",
        data: "",
        optional: false,
    },
    Mount {
        kind: "securityfs",
        at: "/sys/kernel/security",
        data: "",
        optional: false,
    },
    Mount {
        kind: "tracefs",
        at: "/sys/kernel/tracing",
        data: "",
        optional: true,
    },
    Mount {
        kind: "bpf",
        at: "/sys/fs/bpf",
        data: "mode=0700",
        optional: false,
    },
    Mount {
        kind: "cgroup2",
        at: "/sys/fs/cgroup",
        data: "",
        optional: false,
    },
    Mount {
        kind: "devtmpfs",
        at: "/dev",
        data: "mode=0755",
        optional: false,
    },
    Mount {
        kind: "devpts",
        at: "/dev/pts",
        data: "ptmxmode=0666",
        optional: true,
    },
    Mount {
        kind: "tmpfs",
        at: "/dev/shm",
        data: "mode=1777",
        optional: false,
    },
    Mount {
        kind: "tmpfs",
        at: "/tmp",
        data: "mode=1777",
        optional: false,
    },
    Mount {
        kind: "tmpfs",
        at: "/run",
        data: "mode=0755",
        optional: false,
    },
];

/// Mounts the usual file systems and raises the loopback interface.
pub(crate) fn prepare() -> Result<()> {
    for mount in MOUNTS {
        if let Err(error) = mount_one(mount)
            && !mount.optional
        {
            return Err(error);
        }
    }
    raise_loopback()
}

fn mount_one(mount: &Mount) -> Result<()> {
    fs::create_dir_all(mount.at).with_context(|| format!("creating {}", mount.at))?;
    let data = CString::new(mount.data)?;
    rustix::mount::mount(
        mount.kind,
        mount.at,
        mount.kind,
        MountFlags::empty(),
        data.as_c_str(),
    )
    .with_context(|| format!("mounting {} at {}", mount.kind, mount.at))
}

/// Sets the flag UP of the interface `lo`.
fn raise_loopback() -> Result<()> {
    // SAFETY: a socket call with constant arguments.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(std::io::Error::last_os_error()).context("a socket to raise lo with");
    }
    // SAFETY: all fields of the C structure may be zero.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the kernel reads one `ifreq` and keeps no pointer to it.
    let result = unsafe { libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &raw const request) };
    let error = std::io::Error::last_os_error();
    // SAFETY: the descriptor is ours and not used afterwards.
    unsafe { libc::close(socket) };
    if result < 0 {
        return Err(error).context("raising lo");
    }
    Ok(())
}

/// The kernel's release, as `uname -r` gives it.
pub(crate) fn release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").map_or_else(
        |_| "unknown".to_owned(),
        |release| release.trim().to_owned(),
    )
}

/// Loads a module that is in the image.
///
/// # Errors
/// Where the image holds none for this kernel, or the kernel does not take it.
pub(crate) fn load_module(name: &str) -> Result<()> {
    const COMPRESSED: libc::c_int = 4;
    let directory = format!("/lib/modules/{}", release());
    for (suffix, flags) in [("ko", 0), ("ko.xz", COMPRESSED), ("ko.zst", COMPRESSED)] {
        let Ok(file) = fs::File::open(format!("{directory}/{name}.{suffix}")) else {
            continue;
        };
        // SAFETY: a descriptor and a string that ends in NUL.
        let result = unsafe {
            libc::syscall(
                libc::SYS_finit_module,
                std::os::fd::AsRawFd::as_raw_fd(&file),
                c"".as_ptr(),
                flags,
            )
        };
        let error = std::io::Error::last_os_error();
        if result == 0 || error.raw_os_error() == Some(libc::EEXIST) {
            return Ok(());
        }
        return Err(error).with_context(|| format!("loading the module {name}"));
    }
    bail!("{directory} has no module {name}")
}

/// What the kernel command line asks of the guest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CommandLine {
    pub(crate) suite: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) only: Option<String>,
}

impl CommandLine {
    /// Reads `/proc/cmdline`.
    pub(crate) fn read() -> Result<Self> {
        let text = fs::read_to_string("/proc/cmdline").context("reading /proc/cmdline")?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut run = None;
        let mut environment = Vec::new();
        let mut only = None;
        for word in text.split_whitespace() {
            if let Some(value) = word.strip_prefix("lsmpc.run=") {
                run = Some(value);
            } else if let Some(value) = word.strip_prefix("lsmpc.only=") {
                only = Some(decode(value)?);
            } else if let Some(value) = word.strip_prefix("lsmpc.env=") {
                let (name, value) = value
                    .split_once('=')
                    .with_context(|| format!("lsmpc.env={value} has no second `=`"))?;
                environment.push((decode(name)?, decode(value)?));
            }
        }
        let Some(run) = run else {
            bail!("it has no lsmpc.run=SUITE");
        };
        let mut words = run.split(',').map(decode);
        let suite = words.next().context("lsmpc.run= is empty")??;
        Ok(Self {
            suite,
            arguments: words.collect::<Result<_>>()?,
            environment,
            only,
        })
    }
}

/// Undoes the percent-encoding of one word.
fn decode(word: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()].map(|digit| digit.unwrap_or(b'?'));
        let value = std::str::from_utf8(&digits)
            .ok()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .with_context(|| format!("{word:?} has a `%` without two hex digits"))?;
        bytes.push(value);
    }
    String::from_utf8(bytes).with_context(|| format!("{word:?} is not UTF-8"))
}

/// Sets variables for this process and its children.
pub(crate) fn set_environment(variables: &[(String, String)]) {
    for (name, value) in variables {
        // SAFETY: called once, before any other thread exists.
        unsafe { std::env::set_var(name, value) };
    }
}

/// Waits for those children of process 1 that have ended, and returns how
/// many they were. Never blocks.
pub(crate) fn reap() -> usize {
    let mut reaped = 0;
    while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {
        reaped += 1;
    }
    reaped
}

/// What ends QEMU with a code.
pub(crate) struct PowerSwitch(Option<Exit>);

impl PowerSwitch {
    /// Gets hold of the switch, at a time when no policy can refuse it.
    pub(crate) fn take() -> Self {
        Self(Exit::take())
    }

    /// Ends QEMU with a code that says whether everything passed.
    pub(crate) fn off(self, passed: bool) -> ExitCode {
        // Lets the console drain.
        std::thread::sleep(Duration::from_millis(20));
        if let Some(exit) = self.0 {
            exit.now(passed);
        }
        // Without it: an ordinary power-off, which counts as failure.
        if !Path::new("/proc/self").exists() {
            return ExitCode::FAILURE;
        }
        // SAFETY: takes no pointers; does not return when it succeeds.
        unsafe { libc::reboot(libc::RB_POWER_OFF) };
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_names_suite_arguments_and_environment() {
        let parsed = CommandLine::parse(
            "console=ttyS0 lsmpc.run=swap,10%2c000,a%20b lsmpc.env=X=y%3dz lsmpc.only=kill\n",
        )
        .unwrap();
        assert_eq!(parsed.suite, "swap");
        assert_eq!(parsed.arguments, ["10,000", "a b"]);
        assert_eq!(parsed.environment, [("X".to_owned(), "y=z".to_owned())]);
        assert_eq!(parsed.only.as_deref(), Some("kill"));
    }

    #[test]
    fn command_line_without_a_suite_is_refused() {
        assert!(CommandLine::parse("console=ttyS0").is_err());
        assert!(CommandLine::parse("lsmpc.run=a%2").is_err());
    }
}
