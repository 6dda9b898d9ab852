//! Runs a program under ptrace and stops or kills it at a system call of
//! choice.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd};

use anyhow::{Context, Result, bail};

use crate::architecture::{self, Registers};

/// A system call about to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) number: i64,
    /// The first argument: of `bpf(2)`, the command.
    pub(crate) first: u64,
}

impl Call {
    /// Whether the call takes part in changing state that outlives the
    /// program, be it by looking at it.
    pub(crate) fn matters(self) -> bool {
        self.changes()
            || [
                libc::SYS_bpf,
                libc::SYS_openat,
                libc::SYS_flock,
                libc::SYS_fcntl,
                libc::SYS_exit_group,
            ]
            .contains(&self.number)
            || architecture::OLD_OPEN.contains(&self.number)
    }

    /// Whether it removes a file.
    pub(crate) fn unlinks(self) -> bool {
        self.number == libc::SYS_unlinkat || architecture::OLD_UNLINK.contains(&self.number)
    }

    /// Whether others can see a difference after the call, even when the
    /// program is killed then. What only makes a descriptor is not among them,
    /// unless that attaches something.
    pub(crate) fn changes(self) -> bool {
        const MAP_UPDATE_ELEM: u64 = 2;
        const MAP_DELETE_ELEM: u64 = 3;
        const OBJ_PIN: u64 = 6;
        const RAW_TRACEPOINT_OPEN: u64 = 17;
        const MAP_FREEZE: u64 = 22;
        const MAP_UPDATE_BATCH: u64 = 26;
        const LINK_CREATE: u64 = 28;
        const LINK_UPDATE: u64 = 29;
        const LINK_DETACH: u64 = 34;
        const COMMANDS: [u64; 9] = [
            MAP_UPDATE_ELEM,
            MAP_DELETE_ELEM,
            OBJ_PIN,
            RAW_TRACEPOINT_OPEN,
            MAP_FREEZE,
            MAP_UPDATE_BATCH,
            LINK_CREATE,
            LINK_UPDATE,
            LINK_DETACH,
        ];
        const CALLS: [libc::c_long; 9] = [
            libc::SYS_renameat,
            libc::SYS_renameat2,
            libc::SYS_unlinkat,
            libc::SYS_mkdirat,
            libc::SYS_linkat,
            libc::SYS_symlinkat,
            libc::SYS_ftruncate,
            libc::SYS_mount,
            libc::SYS_umount2,
        ];
        if self.number == libc::SYS_bpf {
            COMMANDS.contains(&self.first)
        } else {
            CALLS.contains(&self.number) || architecture::OLD_CHANGES.contains(&self.number)
        }
    }
}

/// What to do at a system call.
pub(crate) enum Decision {
    /// Let it happen.
    Go,
    /// Kill the program before it happens.
    Kill,
    /// Leave the program stopped before it.
    Stay,
}

/// How a traced run ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Exited(i32),
    Killed,
    Stayed,
}

/// A traced program.
pub(crate) struct Traced {
    pid: i32,
    output: File,
    live: bool,
}

impl Traced {
    /// Starts a program, stopped before its first instruction.
    pub(crate) fn start(program: &str, arguments: &[&str]) -> Result<Self> {
        let words = std::iter::once(program)
            .chain(arguments.iter().copied())
            .map(CString::new)
            .collect::<Result<Vec<_>, _>>()?;
        let mut pointers: Vec<_> = words.iter().map(|word| word.as_ptr()).collect();
        pointers.push(std::ptr::null());
        let environment = [c"NO_COLOR=1".as_ptr(), std::ptr::null()];
        let mut ends = [0; 2];
        // SAFETY: the kernel writes two descriptors.
        if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
            return Err(std::io::Error::last_os_error()).context("pipe");
        }
        // SAFETY: both descriptors are new and ours.
        let (output, input) = unsafe { (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1])) };
        // SAFETY: the child makes only async-signal-safe calls before it
        // executes another program.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: all pointers were made before the fork and end in null.
            unsafe {
                // A group of its own: waiting for its threads must not take
                // the ends of other children.
                libc::setpgid(0, 0);
                libc::dup2(input.as_raw_fd(), 1);
                libc::dup2(input.as_raw_fd(), 2);
                libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
                libc::execve(words[0].as_ptr(), pointers.as_ptr(), environment.as_ptr());
                libc::_exit(127);
            }
        }
        if pid < 0 {
            return Err(std::io::Error::last_os_error()).context("fork");
        }
        drop(input);
        let traced = Self {
            pid,
            output,
            live: true,
        };
        traced.wait(pid)?;
        let options =
            libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACECLONE;
        traced.request(pid, libc::PTRACE_SETOPTIONS, options as usize)?;
        Ok(traced)
    }

    /// Runs it, asking before each system call.
    pub(crate) fn run(&mut self, mut decide: impl FnMut(Call) -> Decision) -> Result<End> {
        let mut entering = std::collections::BTreeMap::new();
        let mut stopped = self.pid;
        let mut signal = 0;
        loop {
            // A thread that is gone cannot be continued; the wait tells.
            let _ = self.request(stopped, libc::PTRACE_SYSCALL, signal);
            signal = 0;
            let (pid, status) = self.wait(-self.pid)?;
            if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
                if pid == self.pid {
                    self.live = false;
                    return Ok(if libc::WIFEXITED(status) {
                        End::Exited(libc::WEXITSTATUS(status))
                    } else {
                        End::Killed
                    });
                }
                stopped = pid;
                continue;
            }
            stopped = pid;
            let stop = libc::WSTOPSIG(status);
            if stop == libc::SIGTRAP | 0x80 {
                let entry = entering.entry(pid).or_insert(true);
                let is_entry = std::mem::replace(entry, !*entry);
                if !is_entry {
                    continue;
                }
                match decide(self.call(pid)?) {
                    Decision::Go => {}
                    Decision::Stay => return Ok(End::Stayed),
                    Decision::Kill => {
                        self.kill()?;
                        return Ok(End::Killed);
                    }
                }
            } else if stop != libc::SIGTRAP && stop != libc::SIGSTOP {
                signal = stop as usize;
            }
        }
    }

    /// What it has written by now, once it has ended.
    pub(crate) fn output(mut self) -> Result<String> {
        let mut text = String::new();
        if self.live {
            self.kill()?;
        }
        self.output.read_to_string(&mut text)?;
        Ok(text)
    }

    fn call(&self, pid: i32) -> Result<Call> {
        let registers = Registers::of(pid).context("the registers of a stopped program")?;
        Ok(Call {
            number: registers.call(),
            first: registers.first(),
        })
    }

    fn request(&self, pid: i32, request: libc::c_uint, data: usize) -> Result<()> {
        // SAFETY: these requests take a number as data and no pointer.
        if unsafe { libc::ptrace(request, pid, 0, data) } != 0 {
            return Err(std::io::Error::last_os_error())
                .with_context(|| format!("ptrace request {request}"));
        }
        Ok(())
    }

    fn wait(&self, pid: i32) -> Result<(i32, i32)> {
        let mut status = 0;
        // SAFETY: the kernel writes one integer.
        let pid = unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) };
        if pid < 0 {
            bail!(
                "waiting for the traced program: {}",
                std::io::Error::last_os_error()
            );
        }
        Ok((pid, status))
    }

    /// SIGKILL, and waits until nothing of it is left.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if !self.live {
            return Ok(());
        }
        // SAFETY: takes no pointers.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        loop {
            let (pid, status) = self.wait(-self.pid)?;
            if pid == self.pid && (libc::WIFSIGNALED(status) || libc::WIFEXITED(status)) {
                self.live = false;
                return Ok(());
            }
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
