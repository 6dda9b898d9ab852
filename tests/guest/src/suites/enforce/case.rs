//! One test of one field: a rule that holds and denies, the same that holds
//! and audits, and a near miss, each on an object of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::architecture::{ELF_MACHINE, EXIT_CODE};

/// Where cases have their objects.
pub(super) const GROUND: &str = "/t";
/// The program that acts.
pub(super) const ACTOR: &str = "/t/actor";
/// The program that signals are sent to.
pub(super) const TARGET: &str = "/t/target";

/// What a rule on an object is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Deny,
    Audit,
    Miss,
}

impl Slot {
    pub(super) const ALL: [Self; 3] = [Self::Deny, Self::Audit, Self::Miss];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Audit => "audit",
            Self::Miss => "miss",
        }
    }
}

/// An object: a file, an address, a signal, whichever the hook is about.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) slot: Slot,
    pub(super) path: String,
    /// A second path in the same directory: where a file is renamed to.
    pub(super) other: String,
    pub(super) port: u16,
    pub(super) signal: i32,
    pub(super) signal_name: &'static str,
    /// The process that signals are sent to.
    pub(super) target: u32,
    /// The same, as a word.
    pub(super) target_text: String,
    /// A name for a child that acts, where nothing else tells objects apart.
    pub(super) comm: String,
}

impl Site {
    pub(super) fn new(case: usize, slot: Slot, hook: &str, target: u32) -> Self {
        let (signal, signal_name) = match slot {
            Slot::Deny => (libc::SIGUSR1, "SIGUSR1"),
            Slot::Audit => (libc::SIGUSR2, "SIGUSR2"),
            Slot::Miss => (libc::SIGWINCH, "SIGWINCH"),
        };
        let path = format!("{GROUND}/{hook}-{case}-{}", slot.name());
        Self {
            slot,
            other: format!("{path}-new"),
            path,
            port: 20_000
                + 10 * case as u16
                + slot as u16
                + 3000 * u16::from(hook.ends_with("bind")),
            signal,
            signal_name,
            target,
            target_text: target.to_string(),
            comm: format!("{}-{case}", slot.name()),
        }
    }

    /// Something to ask of the kernel's log, its number and its name.
    fn action(&self) -> (&'static str, &'static str) {
        match self.slot {
            Slot::Deny => ("10", "SYSLOG_ACTION_SIZE_BUFFER"),
            Slot::Audit => ("9", "SYSLOG_ACTION_SIZE_UNREAD"),
            Slot::Miss => ("7", "SYSLOG_ACTION_CONSOLE_ON"),
        }
    }

    /// A request that a child of that name does.
    pub(super) fn as_child(&self, request: &[&str]) -> Words {
        let mut all = words(&["as", &self.comm]);
        all.extend(words(request));
        all
    }
}

type Words = Vec<String>;
type Arrange = Box<dyn Fn(&Site) -> Result<()>>;
type Request = Box<dyn Fn(&Site) -> Words>;

/// The test of one field at one hook.
pub(super) struct Case {
    pub(super) hook: &'static str,
    pub(super) field: String,
    /// A condition that holds for the objects.
    pub(super) hit: String,
    /// A condition that nearly does.
    pub(super) miss: String,
    /// The condition that tells an object from the others.
    pub(super) object: fn(&Site) -> String,
    pub(super) arrange: Arrange,
    pub(super) request: Request,
    /// The system call that is refused.
    pub(super) call: &'static str,
    /// What a refused call fails with.
    pub(super) errno: i32,
    /// What an allowed call may fail with for reasons of its own.
    pub(super) harmless: &'static [i32],
    /// Fields that the record has to hold.
    pub(super) expect: Vec<(&'static str, Value)>,
    /// Whether the record has to name the object's path.
    pub(super) has_path: bool,
}

/// Words of a request.
pub(super) fn words(all: &[&str]) -> Words {
    all.iter().map(|word| (*word).to_owned()).collect()
}

fn by_path(site: &Site) -> String {
    format!("path == \"{}\"", site.path)
}

pub(super) fn by_comm(site: &Site) -> String {
    format!("comm == \"{}\"", site.comm)
}

fn by_port(site: &Site) -> String {
    format!("port == {}", site.port)
}

fn by_signal(site: &Site) -> String {
    format!(
        "signal == {} and target.pid == {}",
        site.signal_name, site.target
    )
}

fn by_action(site: &Site) -> String {
    format!("syslog.type == {}", site.action().1)
}

/// An ioctl(2) that every regular file has.
const FIGETBSZ: &str = "2";

/// Words with `{path}`, `{other}`, `{target}` filled in.
fn filled<'a>(site: &'a Site, request: &'a [&'a str]) -> Vec<&'a str> {
    request
        .iter()
        .map(|word| match *word {
            "{path}" => site.path.as_str(),
            "{other}" => site.other.as_str(),
            "{target}" => site.target_text.as_str(),
            word => word,
        })
        .collect()
}

/// The shortest program there is: `exit(0)`.
pub(in crate::suites) fn tiny_program() -> Vec<u8> {
    const ENTRY: u64 = 0x40_0078;
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend([2, 0, ELF_MACHINE, 0, 1, 0, 0, 0]);
    elf.extend(ENTRY.to_le_bytes());
    elf.extend(64u64.to_le_bytes());
    elf.extend(0u64.to_le_bytes());
    elf.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    let size = 0x78 + EXIT_CODE.len() as u64;
    elf.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for word in [0, 0x40_0000, 0x40_0000, size, size, 0x1000u64] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(EXIT_CODE);
    elf
}

/// Writes a file that everybody may read and write.
pub(super) fn plain_file(path: &str) -> Result<()> {
    fs::write(path, "plain\n").with_context(|| format!("writing {path}"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    Ok(())
}

/// Writes a program that everybody may run.
pub(super) fn program_file(path: &str) -> Result<()> {
    fs::write(path, tiny_program()).with_context(|| format!("writing {path}"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

impl Case {
    /// A case of which the object is a path; the request is to be given.
    pub(super) fn at(hook: &'static str, field: &str, hit: &str, miss: &str) -> Self {
        let mut case = Self::new("file_open", field, hit, miss);
        case.hook = hook;
        case
    }

    /// A case with the hook's usual objects and request.
    pub(super) fn new(hook: &'static str, field: &str, hit: &str, miss: &str) -> Self {
        let mut case = Self {
            hook,
            field: field.to_owned(),
            hit: hit.to_owned(),
            miss: miss.to_owned(),
            object: by_path,
            arrange: Box::new(|site| plain_file(&site.path)),
            request: Box::new(|site| words(&["open", &site.path, "r"])),
            call: "open",
            errno: libc::EPERM,
            harmless: &[],
            expect: Vec::new(),
            has_path: true,
        };
        match hook {
            "file_open" => {}
            "bprm_check_security" => {
                case.arrange = Box::new(|site| program_file(&site.path));
                case.request = Box::new(|site| words(&["exec", &site.path]));
                case.call = "exec";
            }
            "mmap_file" => {
                case.request = Box::new(|site| words(&["mmap", &site.path, "r", "private"]));
                case.call = "mmap";
            }
            "path_unlink" => {
                case.request = Box::new(|site| words(&["unlink", &site.path]));
                case.call = "unlink";
            }
            "path_rename" => {
                case.request = Box::new(|site| words(&["rename", &site.path, &site.other]));
                case.call = "rename";
            }
            "socket_connect" | "socket_bind" => {
                case.object = by_port;
                case.arrange = Box::new(|_| Ok(()));
                case.call = if hook == "socket_bind" {
                    "bind"
                } else {
                    "connect"
                };
                case.harmless = &[
                    libc::ECONNREFUSED,
                    libc::EINPROGRESS,
                    libc::ENETUNREACH,
                    libc::ENOENT,
                ];
                case.has_path = false;
                case = case.socket("tcp", "127.0.0.1");
            }
            "task_kill" => {
                case.object = by_signal;
                case.arrange = Box::new(|_| Ok(()));
                case.request = Box::new(|site| {
                    words(&["kill", &site.target.to_string(), &site.signal.to_string()])
                });
                case.call = "kill";
                case.has_path = false;
            }
            "syslog" => {
                case.object = by_action;
                case.arrange = Box::new(|_| Ok(()));
                case.request = Box::new(|site| words(&["klog", site.action().0]));
                case.call = "syslog";
                case.has_path = false;
            }
            "path_rmdir" => case = case.of_directory("rmdir", &["rmdir", "{path}"]),
            "path_chroot" => case = case.of_directory("chroot", &["chroot-only", "{path}"]),
            "path_chmod" => case = case.of_file("chmod", &["chmod", "{path}", "755"]),
            "path_chown" => case = case.of_file("chown", &["chown", "{path}", "7", "8"]),
            "path_truncate" => case = case.of_file("truncate", &["truncate", "{path}"]),
            "path_link" => case = case.of_file("link", &["link", "{path}", "{other}"]),
            "inode_getattr" => case = case.of_file("stat", &["stat", "{path}"]),
            "file_truncate" => case = case.of_file("ftruncate", &["ftruncate", "{path}"]),
            "file_lock" => case = case.of_file("flock", &["flock", "{path}"]),
            "file_receive" => case = case.of_file("pidfd_getfd", &["receive", "{path}"]),
            "file_mprotect" => case = case.of_file("mprotect", &["mprotect", "{path}"]),
            "kernel_read_file" => {
                case = case.of_file("finit_module", &["finit-module", "{path}"]);
                case.harmless = &[libc::ENOEXEC, libc::EINVAL];
            }
            "file_ioctl" => {
                case = case.of_file("ioctl", &["ioctl", "{path}", FIGETBSZ]);
            }
            other => panic!("no usual request for {other}"),
        }
        case
    }

    /// A case of which the request tells the object, by the name of a child.
    pub(super) fn of_child(
        hook: &'static str,
        field: &str,
        hit: &str,
        miss: &str,
        call: &'static str,
        request: &'static [&'static str],
    ) -> Self {
        Self {
            hook,
            field: field.to_owned(),
            hit: hit.to_owned(),
            miss: miss.to_owned(),
            object: by_comm,
            arrange: Box::new(|_| Ok(())),
            request: Box::new(move |site| site.as_child(&filled(site, request))),
            call,
            errno: libc::EPERM,
            harmless: &[],
            expect: Vec::new(),
            has_path: false,
        }
    }

    /// A case on a file that is there, by a request about its path.
    fn of_file(mut self, call: &'static str, request: &'static [&'static str]) -> Self {
        self.call = call;
        self.by(move |site| words(&filled(site, request)))
    }

    /// A case on a directory.
    fn of_directory(mut self, call: &'static str, request: &'static [&'static str]) -> Self {
        self.call = call;
        self.with(|site| Ok(fs::create_dir_all(&site.path)?))
            .by(move |site| site.as_child(&filled(site, request)))
    }

    /// The kernel answers with an errno of its own when it is refused.
    pub(super) fn with_errno(mut self, errno: i32) -> Self {
        self.errno = errno;
        self
    }

    /// What an allowed call may fail with.
    pub(super) fn or(mut self, harmless: &'static [i32]) -> Self {
        self.harmless = harmless;
        self
    }

    /// The record has to hold this value.
    pub(super) fn shows(mut self, field: &'static str, value: impl Into<Value>) -> Self {
        self.expect.push((field, value.into()));
        self
    }

    /// Objects made another way.
    pub(super) fn with(mut self, arrange: impl Fn(&Site) -> Result<()> + 'static) -> Self {
        self.arrange = Box::new(arrange);
        self
    }

    /// Another request.
    pub(super) fn by(mut self, request: impl Fn(&Site) -> Words + 'static) -> Self {
        self.request = Box::new(request);
        self
    }

    /// An open with other flags.
    pub(super) fn opened(self, flags: &'static str) -> Self {
        self.by(move |site| words(&["open", &site.path, flags]))
    }

    /// A mapping of another kind.
    pub(super) fn mapped(self, prot: &'static str, flags: &'static str) -> Self {
        self.by(move |site| words(&["mmap", &site.path, prot, flags]))
    }

    /// A socket of another kind.
    pub(super) fn socket(self, kind: &'static str, address: &'static str) -> Self {
        let call = self.call;
        self.by(move |site| words(&[call, kind, address, &site.port.to_string()]))
    }

    /// Objects told apart by something else.
    pub(super) fn told_by(mut self, object: fn(&Site) -> String) -> Self {
        self.object = object;
        self
    }

    /// The rule's id for one slot.
    pub(super) fn rule_id(&self, slot: Slot) -> String {
        format!(
            "{}.{}.{}",
            self.hook,
            self.field.replace('/', "-"),
            slot.name()
        )
    }

    /// The rules of all slots, one a line.
    pub(super) fn rules(&self, sites: &[Site; 3]) -> String {
        sites
            .iter()
            .map(|site| {
                let (effect, condition) = match site.slot {
                    Slot::Deny => ("deny", &self.hit),
                    Slot::Audit => ("audit", &self.hit),
                    Slot::Miss => ("deny", &self.miss),
                };
                let fill = |text: &str| {
                    text.replace("{path}", &site.path)
                        .replace("{other}", &site.other)
                        .replace("{slot}", site.slot.name())
                };
                format!(
                    "@id(\"{}\") {effect} {} when {} and ({})\n",
                    self.rule_id(site.slot),
                    self.hook,
                    (self.object)(site),
                    fill(condition),
                )
            })
            .collect()
    }
}
