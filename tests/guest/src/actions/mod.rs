//! What an actor can do: one system call (or the few that lead to it) per
//! request, and the errno that came of it.
//!
//! An actor is this binary, started as `PROGRAM act`. It reads requests from
//! standard input, each a JSON array of words on one line, and answers each
//! with one JSON object: `{"errno":0}`, `{"errno":1,"at":"open"}` when the call
//! of that name failed, with `"value"` where a request asks for something.
//! `PROGRAM act-once WORDS…` does one request, and its exit code is the errno.
//!
//! One actor can *enter* another program: it starts it, hands over its input
//! and output, and answers again when that one has ended.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::ExitCode;
use std::time::Duration;

use rustix::fs::{Access, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

mod descriptors;
mod files;
mod itself;
mod kernel;
mod load;
mod mounts;
mod net;
mod programs;
mod tasks;
mod timed;
mod tokens;
mod uring;

/// What a request came to: the answer's value, or the call that failed and
/// its errno.
type Done = Result<Value, Failed>;

/// A call that failed.
struct Failed {
    at: &'static str,
    errno: i32,
}

/// Names the call that an error belongs to.
trait At<T> {
    fn at(self, at: &'static str) -> Result<T, Failed>;
}

impl<T> At<T> for Result<T, Errno> {
    fn at(self, at: &'static str) -> Result<T, Failed> {
        self.map_err(|errno| Failed {
            at,
            errno: errno.raw_os_error(),
        })
    }
}

impl<T> At<T> for std::io::Result<T> {
    fn at(self, at: &'static str) -> Result<T, Failed> {
        self.map_err(|error| Failed {
            at,
            errno: error.raw_os_error().unwrap_or(libc::EIO),
        })
    }
}

/// The request itself makes no sense: errno −1, for the suite's author.
fn nonsense(at: &'static str) -> Failed {
    Failed { at, errno: -1 }
}

/// What an actor holds between requests.
#[derive(Default)]
struct Actor {
    held: Vec<OwnedFd>,
}

/// Acts when the command line asks for it.
pub(crate) fn run_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("act") => Some(serve()),
        Some("act-once") => {
            let words: Vec<String> = arguments.collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            // Says nothing: its output may be another actor's.
            Some(match Actor::default().act(&words) {
                Ok(_) => ExitCode::SUCCESS,
                Err(failed) => ExitCode::from(u8::try_from(failed.errno).unwrap_or(u8::MAX)),
            })
        }
        // A script's interpreter is given the script's path: the script's text
        // is its request.
        Some(path) if path.ends_with(".act") => Some(interpret(path)),
        _ => None,
    }
}

/// Serves requests until the input ends.
fn serve() -> ExitCode {
    ignore_signals();
    say(&json!({ "ready": std::process::id() }));
    let mut actor = Actor::default();
    while let Some(line) = read_line() {
        let Ok(words) = serde_json::from_str::<Vec<String>>(&line) else {
            say(&json!({ "errno": -1, "at": "request" }));
            continue;
        };
        if words.first().is_some_and(|word| word == "leave") {
            break;
        }
        say(&actor.answer(&words));
    }
    ExitCode::SUCCESS
}

/// Runs a script: its lines after the first are requests.
fn interpret(path: &str) -> ExitCode {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            say(&json!({ "errno": error.raw_os_error().unwrap_or(-1), "at": "script" }));
            return ExitCode::FAILURE;
        }
    };
    let mut actor = Actor::default();
    for line in text.lines().skip(1) {
        match serde_json::from_str::<Vec<String>>(line) {
            Ok(words) => say(&actor.answer(&words)),
            Err(_) => say(&json!({ "errno": -1, "at": "script" })),
        }
    }
    ExitCode::SUCCESS
}

/// Signals that tests send have no effect of their own.
fn ignore_signals() {
    for signal in [libc::SIGUSR1, libc::SIGUSR2, libc::SIGHUP, libc::SIGTERM] {
        // SAFETY: ignoring a signal installs no handler.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Reads one line, byte by byte, so that nothing is taken that belongs to a
/// program that is entered.
fn read_line() -> Option<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    let input = std::io::stdin();
    loop {
        match rustix::io::read(input.as_fd(), &mut byte) {
            Ok(0) | Err(_) => return None,
            Ok(_) if byte == *b"\n" => return String::from_utf8(line).ok(),
            Ok(_) => line.extend(byte),
        }
    }
}

fn say(answer: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("{answer}\n").as_bytes());
    let _ = out.flush();
}

impl Actor {
    fn answer(&mut self, words: &[String]) -> Value {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match self.act(&words) {
            Ok(Value::Null) => json!({ "errno": 0 }),
            Ok(value) => json!({ "errno": 0, "value": value }),
            Err(Failed { at, errno }) => json!({ "errno": errno, "at": at }),
        }
    }

    /// Forks a child of that name, which does the request in this one's place, so
    /// that what it changes of itself goes with it.
    fn as_child(&mut self, name: &str, words: &[&str]) -> Done {
        let (mut read, mut write) = std::io::pipe().at("pipe")?;
        // SAFETY: this process has one thread.
        match unsafe { libc::fork() } {
            -1 => check(-1, "fork"),
            0 => {
                let name = text(name).unwrap_or_default();
                let answer = match rustix::thread::set_name(&name).at("comm") {
                    Ok(()) => self.act(words),
                    Err(failed) => Err(failed),
                };
                let line = match answer {
                    Ok(value) => value.to_string(),
                    Err(Failed { at, errno }) => format!("!{errno} {at}"),
                };
                let _ = write.write_all(line.as_bytes());
                // SAFETY: ends the child without what the parent would do at its end.
                unsafe { libc::_exit(0) }
            }
            child => {
                drop(write);
                let mut line = String::new();
                read.read_to_string(&mut line).at("read")?;
                let mut status = 0;
                // SAFETY: a live word.
                unsafe { libc::waitpid(child, &raw mut status, 0) };
                if libc::WIFSIGNALED(status) {
                    return Ok(json!({ "signal": libc::WTERMSIG(status) }));
                }
                match line.strip_prefix('!').and_then(|rest| rest.split_once(' ')) {
                    Some((errno, at)) => Err(Failed {
                        at: String::from(at).leak(),
                        errno: number(errno)?,
                    }),
                    None => serde_json::from_str(&line).map_err(|_| nonsense("child")),
                }
            }
        }
    }

    fn act(&mut self, words: &[&str]) -> Done {
        match *words {
            ["nothing"] => Ok(Value::Null),
            ["open", path, flags] => open(path, flags).map(|_| Value::Null),
            ["hold", path, flags] => {
                self.held.push(open(path, flags)?);
                Ok(Value::Null)
            }
            ["release"] => {
                self.held.clear();
                Ok(Value::Null)
            }
            ["read", path] => read(path),
            ["write", path, text] => write(path, text),
            ["mmap", path, prot, flags] => map(Some(path), prot, flags),
            ["mmap-anonymous", prot, flags] => map(None, prot, flags),
            ["unlink", path] => done(rustix::fs::unlink(path).at("unlink")),
            ["rename", from, to] => done(rustix::fs::rename(from, to).at("rename")),
            ["exchange", from, to] => done(
                rustix::fs::renameat_with(
                    rustix::fs::CWD,
                    from,
                    rustix::fs::CWD,
                    to,
                    RenameFlags::EXCHANGE,
                )
                .at("rename"),
            ),
            ["stat", path] => done(rustix::fs::stat(path).at("stat")),
            ["access", path] => done(rustix::fs::access(path, Access::EXISTS).at("access")),
            ["kill", pid, signal] => kill(pid, signal),
            ["sleep", milliseconds] => {
                std::thread::sleep(Duration::from_millis(number(milliseconds)?));
                Ok(Value::Null)
            }
            ["loop", stop, ref paths @ ..] => load::open_loop(stop, paths),
            ["pulse", stop, pause, ref paths @ ..] => load::pulse(stop, number(pause)?, paths),
            ["measure", clock, batches, rounds, ref calls @ ..] => {
                timed::measure(clock, number(batches)?, number(rounds)?, calls)
            }
            ["flood", times, ref paths @ ..] => load::flood(number(times)?, paths),
            ["as", name, ref words @ ..] => self.as_child(name, words),
            ["token", ref words @ ..] => self.token(words),
            _ => files::act(words)
                .or_else(|| itself::act(words))
                .or_else(|| tasks::act(words))
                .or_else(|| kernel::act(words))
                .or_else(|| mounts::act(words))
                .or_else(|| net::act(words))
                .or_else(|| descriptors::act(words))
                .or_else(|| programs::act(words))
                .unwrap_or_else(|| Err(nonsense("request"))),
        }
    }
}

/// A call's result: negative with `errno` set, or not.
fn check(result: i64, at: &'static str) -> Done {
    if result < 0 {
        return Err(std::io::Error::last_os_error()).at(at);
    }
    Ok(Value::Null)
}

/// A word for the kernel.
fn text(word: &str) -> Result<CString, Failed> {
    CString::new(word).map_err(|_| nonsense("text"))
}

fn done<T>(result: Result<T, Failed>) -> Done {
    result.map(|_| Value::Null)
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, Failed> {
    word.parse().map_err(|_| nonsense("number"))
}

/// Flags by letter: `r`, `w`, `rw`, then any of `a`ppend, `t`runcate, `c`reate,
/// `n`on-blocking, `d`irectory, `p`ath only.
fn open_flags(letters: &str) -> OFlags {
    let mut flags = OFlags::CLOEXEC | OFlags::NOCTTY;
    flags |= match (letters.contains('r'), letters.contains('w')) {
        (true, true) => OFlags::RDWR,
        (false, true) => OFlags::WRONLY,
        _ => OFlags::RDONLY,
    };
    for (letter, flag) in [
        ('a', OFlags::APPEND),
        ('t', OFlags::TRUNC),
        ('c', OFlags::CREATE),
        ('n', OFlags::NONBLOCK),
        ('d', OFlags::DIRECTORY),
        ('p', OFlags::PATH),
    ] {
        if letters.contains(letter) {
            flags |= flag;
        }
    }
    flags
}

fn open(path: &str, letters: &str) -> Result<OwnedFd, Failed> {
    rustix::fs::open(path, open_flags(letters), Mode::from_raw_mode(0o600)).at("open")
}

fn read(path: &str) -> Done {
    let mut text = String::new();
    File::from(open(path, "r")?)
        .read_to_string(&mut text)
        .at("read")?;
    Ok(text.into())
}

fn write(path: &str, text: &str) -> Done {
    done(
        File::from(open(path, "w")?)
            .write_all(text.as_bytes())
            .at("write"),
    )
}

/// Maps one page and unmaps it. `prot`: letters of `rwx`; `flags`: `private`,
/// `shared`, `shared-validate`, `private-denywrite`, `private-populate`.
fn map(path: Option<&str>, prot: &str, flags: &str) -> Done {
    let file = path
        .map(|path| open(path, if prot.contains('w') { "rw" } else { "r" }))
        .transpose()?;
    let protection = prot.bytes().fold(0, |all, letter| {
        all | match letter {
            b'r' => libc::PROT_READ,
            b'w' => libc::PROT_WRITE,
            b'x' => libc::PROT_EXEC,
            _ => 0,
        }
    });
    let mut bits = if flags.starts_with("shared-validate") {
        libc::MAP_SHARED_VALIDATE
    } else if flags.starts_with("shared") {
        libc::MAP_SHARED
    } else {
        libc::MAP_PRIVATE
    };
    for (word, bit) in [
        ("denywrite", libc::MAP_DENYWRITE),
        ("populate", libc::MAP_POPULATE),
        ("locked", libc::MAP_LOCKED),
    ] {
        if flags.contains(word) {
            bits |= bit;
        }
    }
    if file.is_none() {
        bits |= libc::MAP_ANONYMOUS;
    }
    let descriptor = file.as_ref().map_or(-1, AsRawFd::as_raw_fd);
    // SAFETY: a new mapping at an address of the kernel's choice; nothing
    // refers to it and it is unmapped below.
    let address =
        unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, bits, descriptor, 0) };
    if address == libc::MAP_FAILED {
        return Err(std::io::Error::last_os_error()).at("mmap");
    }
    // SAFETY: the mapping made above.
    unsafe { libc::munmap(address, 4096) };
    Ok(Value::Null)
}

fn kill(pid: &str, signal: &str) -> Done {
    let pid = Pid::from_raw(number(pid)?).ok_or(nonsense("pid"))?;
    let raw: i32 = number(signal)?;
    if raw == 0 {
        return done(rustix::process::test_kill_process(pid).at("kill"));
    }
    let signal = Signal::from_named_raw(raw).ok_or(nonsense("signal"))?;
    done(rustix::process::kill_process(pid, signal).at("kill"))
}
