//! The actor's stopwatch: calls made over and over, and timed.

use std::ffi::CString;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ptr::{null, null_mut};
use std::time::Duration;

use serde_json::json;

use super::{At, Done, Failed, nonsense, number, text};
use crate::architecture;

/// Longer than the kernel takes to give back what an ended process had.
const REST: Duration = Duration::from_millis(40);

/// What is timed.
enum Call {
    Open {
        path: CString,
        errno: i32,
    },
    /// There and back.
    Rename {
        from: CString,
        to: CString,
    },
    /// Makes a directory, and in it another name of a file.
    Make {
        directory: CString,
        file: CString,
        name: CString,
    },
    /// Takes both away again.
    Unmake {
        directory: CString,
        name: CString,
    },
    Stat {
        path: CString,
    },
    /// Of one datagram socket, to a port of this machine.
    Connect {
        socket: UdpSocket,
        port: u16,
    },
    /// Starts a program and waits for its end.
    Spawn {
        path: CString,
    },
}

impl Call {
    fn of(words: &[&str]) -> Result<Self, Failed> {
        Ok(match *words {
            ["open", path] => Self::Open {
                path: text(path)?,
                errno: 0,
            },
            ["open-refused", path] => Self::Open {
                path: text(path)?,
                errno: libc::EPERM,
            },
            ["rename", from, to] => Self::Rename {
                from: text(from)?,
                to: text(to)?,
            },
            ["make", directory, file, name] => Self::Make {
                directory: text(directory)?,
                file: text(file)?,
                name: text(name)?,
            },
            ["unmake", directory, name] => Self::Unmake {
                directory: text(directory)?,
                name: text(name)?,
            },
            ["stat", path] => Self::Stat { path: text(path)? },
            ["connect", port] => Self::Connect {
                socket: UdpSocket::bind("127.0.0.1:0").at("bind")?,
                port: number(port)?,
            },
            ["spawn", path] => Self::Spawn { path: text(path)? },
            _ => return Err(nonsense("call")),
        })
    }

    /// Makes the call; whether it came to what is expected of it.
    // SAFETY (all of it): strings end in NUL, structures outlive the calls, and
    // descriptors are this function's own.
    fn make(&self) -> bool {
        match self {
            Self::Open { path, errno } => {
                let file = architecture::open(path);
                if file < 0 {
                    return last_errno() == *errno;
                }
                // SAFETY: as above.
                unsafe { libc::syscall(libc::SYS_close, file) };
                *errno == 0
            }
            Self::Rename { from, to } => {
                // SAFETY: as above.
                let there = unsafe { libc::rename(from.as_ptr(), to.as_ptr()) };
                // SAFETY: as above.
                let back = unsafe { libc::rename(to.as_ptr(), from.as_ptr()) };
                there == 0 && back == 0
            }
            Self::Make {
                directory,
                file,
                name,
            } => {
                // SAFETY: as above.
                let made = unsafe { libc::mkdir(directory.as_ptr(), 0o755) };
                // SAFETY: as above.
                let linked = unsafe { libc::link(file.as_ptr(), name.as_ptr()) };
                made == 0 && linked == 0
            }
            Self::Unmake { directory, name } => {
                // SAFETY: as above.
                let unlinked = unsafe { libc::unlink(name.as_ptr()) };
                // SAFETY: as above.
                let removed = unsafe { libc::rmdir(directory.as_ptr()) };
                unlinked == 0 && removed == 0
            }
            Self::Stat { path } => {
                // SAFETY: all bytes zero are a structure to be filled.
                let mut status: libc::stat = unsafe { std::mem::zeroed() };
                // SAFETY: as above.
                unsafe { libc::stat(path.as_ptr(), &raw mut status) == 0 }
            }
            Self::Connect { socket, port } => {
                rustix::net::connect(socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, *port)))
                    .is_ok()
            }
            Self::Spawn { path } => spawn(path),
        }
    }
}

fn last_errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Whether a program runs to its end.
fn spawn(path: &CString) -> bool {
    let mut child = 0;
    let mut status = -1;
    // SAFETY: lists that end in null; the child is waited for here.
    unsafe {
        let started = libc::posix_spawn(
            &raw mut child,
            path.as_ptr(),
            null(),
            null(),
            [path.as_ptr().cast_mut(), null_mut()].as_ptr(),
            [null_mut()].as_ptr(),
        );
        started == 0 && libc::waitpid(child, &raw mut status, 0) == child && status == 0
    }
}

/// Nanoseconds of a clock.
fn now(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a structure to be filled.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Makes calls (separated by `+`) in turn, in batches of so many rounds; nanoseconds of
/// one round, on average over the middle half of the batches: the processor's clock and
/// what waits for it fall into some batches and not into others. `wall`: as time passes;
/// `own`: in which this process has the processor.
pub(super) fn measure(clock: &str, batches: usize, rounds: u64, calls: &[&str]) -> Done {
    let clock = match clock {
        "wall" => libc::CLOCK_MONOTONIC,
        "own" => libc::CLOCK_PROCESS_CPUTIME_ID,
        _ => return Err(nonsense("clock")),
    };
    let calls = calls
        .split(|word| *word == "+")
        .map(Call::of)
        .collect::<Result<Vec<_>, _>>()?;
    let are_as_expected = || calls.iter().all(Call::make);
    if !are_as_expected() {
        return Err(std::io::Error::last_os_error()).at("measured call");
    }
    let rests = calls.iter().any(|call| matches!(call, Call::Spawn { .. }));
    let timed = |rounds: u64| {
        if rests {
            // What ended processes leave behind comes back after a grace period.
            std::thread::sleep(REST);
        }
        let start = now(clock);
        for _ in 0..rounds {
            for call in &calls {
                call.make();
            }
        }
        now(clock) - start
    };
    let reading = middle((0..batches).map(|_| timed(0)).collect());
    let all = middle((0..batches).map(|_| timed(rounds)).collect());
    if !are_as_expected() {
        return Err(std::io::Error::last_os_error()).at("measured call");
    }
    Ok(json!((all - reading) / rounds as f64))
}

/// The average of the middle half.
fn middle(mut times: Vec<u64>) -> f64 {
    times.sort_unstable();
    let quarter = times.len() / 4;
    let half = times.get(quarter..times.len() - quarter).unwrap_or(&[]);
    half.iter().sum::<u64>() as f64 / half.len().max(1) as f64
}
