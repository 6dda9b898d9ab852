//! The actor's load: one call made over and over, and counted.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rustix::fs::{Access, Mode, OFlags};
use rustix::io::Errno;
use serde_json::{Value, json};

use super::{At, Done};

/// How often each path opened, was refused with EPERM, and failed otherwise.
#[derive(Default, Clone, Copy)]
struct Tally {
    opened: u64,
    refused: u64,
    other: u64,
    last_errno: i32,
}

/// Opens a path, or connects to the port of `udp:PORT`.
fn once(object: &str) -> Result<(), Errno> {
    let Some(port) = object.strip_prefix("udp:") else {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        return rustix::fs::open(object, flags, Mode::empty()).map(drop);
    };
    thread_local! {
        static SOCKET: Option<UdpSocket> = UdpSocket::bind("127.0.0.1:0").ok();
    }
    let port = port.parse().map_err(|_| Errno::INVAL)?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    SOCKET.with(|socket| match socket {
        Some(socket) => rustix::net::connect(socket, &address),
        None => Err(Errno::BADF),
    })
}

impl Tally {
    fn count(&mut self, path: &str) {
        match once(path) {
            Ok(()) => self.opened += 1,
            Err(Errno::PERM) => self.refused += 1,
            Err(errno) => {
                self.other += 1;
                self.last_errno = errno.raw_os_error();
            }
        }
    }
}

fn tallies(paths: &[&str], all: &[Tally]) -> Value {
    paths
        .iter()
        .zip(all)
        .map(|(path, tally)| {
            json!({
                "path": path,
                "opened": tally.opened,
                "refused": tally.refused,
                "other": tally.other,
                "errno": tally.last_errno,
            })
        })
        .collect()
}

/// Opens each path in turn until a file of the name `stop` exists, at most ten
/// minutes.
pub(super) fn open_loop(stop: &str, paths: &[&str]) -> Done {
    let mut all = vec![Tally::default(); paths.len()];
    let end = Instant::now() + Duration::from_secs(600);
    loop {
        for _ in 0..32 {
            for (path, tally) in paths.iter().zip(&mut all) {
                tally.count(path);
            }
        }
        if rustix::fs::access(stop, Access::EXISTS).is_ok() || Instant::now() > end {
            return Ok(tallies(paths, &all));
        }
    }
}

/// As [`open_loop`], with real-time priority and a pause after each round that
/// is never quite the same.
pub(super) fn pulse(stop: &str, microseconds: u64, paths: &[&str]) -> Done {
    let priority = libc::sched_param { sched_priority: 10 };
    // SAFETY: the kernel reads one `sched_param`.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) } != 0 {
        return Err(std::io::Error::last_os_error()).at("sched_setscheduler");
    }
    let mut all = vec![Tally::default(); paths.len()];
    let end = Instant::now() + Duration::from_secs(600);
    let mut odd = microseconds;
    loop {
        for _ in 0..64 {
            odd = (odd * 1_103_515_245 + 12_345) % (1 << 31);
            std::thread::sleep(Duration::from_micros(microseconds + odd % 97));
            for (path, tally) in paths.iter().zip(&mut all) {
                tally.count(path);
            }
        }
        if rustix::fs::access(stop, Access::EXISTS).is_ok() || Instant::now() > end {
            return Ok(tallies(paths, &all));
        }
    }
}

/// Opens each path in turn, so many times.
pub(super) fn flood(times: u64, paths: &[&str]) -> Done {
    let mut all = vec![Tally::default(); paths.len()];
    for _ in 0..times {
        for (path, tally) in paths.iter().zip(&mut all) {
            tally.count(path);
        }
    }
    Ok(tallies(paths, &all))
}
