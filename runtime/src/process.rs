//! A process as `/proc` shows it: the subject's fields, as far as they can be read.
//!
//! Owns reading and parsing; names of fields are the ABI's. Must not know what is
//! asked of them. What programs have kept of a process says more than this, where
//! there is any: see [`crate::seeds`].

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;

use lsmpc_abi::field::FieldId;
use lsmpc_engine::host::{Event, Value};

use crate::system::System;

/// The kernel's thread that starts the others: it never leaves the initial
/// namespaces.
const KTHREADD: u32 = 2;

/// A process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// The process that has forked it, or has adopted it; 0: none.
    pub(crate) parent: u32,
    /// Its program.
    pub(crate) exe: Value,
    /// Its name.
    pub(crate) comm: Value,
    fields: Vec<(FieldId, Value)>,
}

/// The processes there are, in the order of their numbers.
pub(crate) fn list(system: &System) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(system.path("/proc"))? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
            found.push(pid);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The mount namespace that the machine began with, as `/proc` names it.
pub(crate) fn initial_mount_namespace(system: &System) -> Option<Vec<u8>> {
    let name = system.text(&format!("/proc/{KTHREADD}/comm")).ok()?;
    if name.trim_end() != "kthreadd" {
        return None;
    }
    mount_namespace(system, KTHREADD)
}

fn mount_namespace(system: &System, pid: u32) -> Option<Vec<u8>> {
    let link = fs::read_link(system.path(&format!("/proc/{pid}/ns/mnt"))).ok()?;
    Some(link.into_os_string().into_vec())
}

/// Reads a process. `None`: it is gone, or as good as.
pub(crate) fn read(system: &System, pid: u32, initial: Option<&[u8]>) -> Option<Process> {
    let file = |name: &str| system.text(&format!("/proc/{pid}/{name}")).ok();
    let status = Status(file("status")?);
    if status
        .line("State")
        .is_none_or(|state| state.starts_with(['Z', 'X']))
    {
        return None;
    }
    let scalar = |value: Option<u64>| value.map_or(Value::Unknown, Value::Scalar);
    let number = |line: &str, word: usize| {
        let word = status.word(line, word);
        scalar(word.and_then(|word| word.parse().ok()))
    };
    let mut fields = vec![
        (FieldId::Uid, number("Uid", 0)),
        (FieldId::Euid, number("Uid", 1)),
        (FieldId::Gid, number("Gid", 0)),
        (FieldId::Egid, number("Gid", 1)),
    ];
    let caps = status
        .word("CapEff", 0)
        .and_then(|hex| u64::from_str_radix(hex, 16).ok());
    let level = status
        .line("NSpid")
        .map(|all| u64::from(all.split_ascii_whitespace().count() > 1));
    let login = file("loginuid").and_then(|text| text.trim().parse().ok());
    let first = initial.and_then(|initial| {
        let own = mount_namespace(system, pid)?;
        Some(u64::from(own == initial))
    });
    let cgroup = file("cgroup").and_then(|text| {
        let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
        Some(path.as_bytes().to_vec())
    });
    let comm = fs::read(system.path(&format!("/proc/{pid}/comm"))).ok();
    let comm = comm.map(|mut comm| {
        comm.pop_if(|last| *last == b'\n');
        comm
    });
    let text = |value: Option<Vec<u8>>| value.map_or(Value::Unknown, Value::Text);
    fields.extend([
        (FieldId::Pid, Value::Scalar(pid.into())),
        (FieldId::Auid, scalar(login)),
        (FieldId::Caps, scalar(caps)),
        (FieldId::Containerized, scalar(level)),
        (FieldId::InitialMntns, scalar(first)),
        (FieldId::Cgroup, text(cgroup)),
    ]);
    Some(Process {
        parent: status.word("PPid", 0)?.parse().ok()?,
        exe: program(system, pid),
        comm: text(comm),
        fields,
    })
}

impl Process {
    /// The subject of an event of which nothing else is known.
    pub(crate) fn subject(&self) -> Event {
        let mut event = Event::new()
            .with(FieldId::Exe, self.exe.clone())
            .with(FieldId::Comm, self.comm.clone());
        for (field, value) in &self.fields {
            event.set(*field, value.clone());
        }
        event
    }
}

/// The text of a `status` file.
struct Status(String);

impl Status {
    fn line(&self, name: &str) -> Option<&str> {
        self.0
            .lines()
            .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
    }

    fn word(&self, name: &str, number: usize) -> Option<&str> {
        self.line(name)?.split_ascii_whitespace().nth(number)
    }
}

/// The path of a process's program, as the hook programs would have it.
fn program(system: &System, pid: u32) -> Value {
    const DELETED: &[u8] = b" (deleted)";
    let link = system.path(&format!("/proc/{pid}/exe"));
    let path = match fs::read_link(&link) {
        Ok(path) => path.into_os_string(),
        // A thread of the kernel's.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Value::None,
        Err(_) => return Value::Unknown,
    };
    let path: &OsStr = &path;
    let bytes = path.as_bytes();
    let (Some(name), Ok(file)) = (bytes.strip_suffix(DELETED), fs::metadata(&link)) else {
        return Value::Text(bytes.to_vec());
    };
    if file.nlink() != 0 {
        // That is its name.
        return Value::Text(bytes.to_vec());
    }
    let name = match name.strip_prefix(b"/") {
        Some(pathless) if pathless.starts_with(b"memfd:") => pathless,
        _ => name,
    };
    Value::Text(name.to_vec())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_process_is_read() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        put(root, "proc/2/comm", "kthreadd\n");
        put(root, "proc/uptime", "1 1\n");
        put(
            root,
            "proc/7/status",
            "Name:\tsh\\n\nState:\tS (sleeping)\nPPid:\t3\nUid:\t1\t2\t3\t4\n\
             Gid:\t5\t6\t7\t8\nNSpid:\t7\t1\nCapEff:\t0000000000200000\n",
        );
        put(root, "proc/7/comm", "sh\n\n");
        put(root, "proc/7/loginuid", "4294967295");
        put(root, "proc/7/cgroup", "1:cpu:/x\n0::/a/b\n");
        for (pid, namespace) in [(2, "mnt:[1]"), (7, "mnt:[2]")] {
            fs::create_dir_all(root.join(format!("proc/{pid}/ns"))).unwrap();
            symlink(namespace, root.join(format!("proc/{pid}/ns/mnt"))).unwrap();
        }
        symlink("/bin/a (deleted)", root.join("proc/7/exe")).unwrap();
        put(root, "proc/8/status", "State:\tZ (zombie)\nPPid:\t3\n");
        let system = System::at(root);
        assert_eq!(list(&system).unwrap(), [2, 7, 8]);
        let initial = initial_mount_namespace(&system);
        assert_eq!(initial.as_deref(), Some(&b"mnt:[1]"[..]));
        assert!(read(&system, 8, None).is_none());
        assert!(read(&system, 9, None).is_none());
        let process = read(&system, 7, initial.as_deref()).unwrap();
        assert_eq!(process.parent, 3);
        let subject = process.subject();
        for (field, value) in [
            (FieldId::Uid, Value::Scalar(1)),
            (FieldId::Euid, Value::Scalar(2)),
            (FieldId::Gid, Value::Scalar(5)),
            (FieldId::Egid, Value::Scalar(6)),
            (FieldId::Pid, Value::Scalar(7)),
            (FieldId::Auid, Value::Scalar(u32::MAX.into())),
            (FieldId::Caps, Value::Scalar(1 << 21)),
            (FieldId::Containerized, Value::Scalar(1)),
            (FieldId::InitialMntns, Value::Scalar(0)),
            (FieldId::Cgroup, Value::Text(b"/a/b".to_vec())),
            (FieldId::Comm, Value::Text(b"sh\n".to_vec())),
            // The link leads nowhere here, so the file may well be named so.
            (FieldId::Exe, Value::Text(b"/bin/a (deleted)".to_vec())),
        ] {
            assert_eq!(*subject.value(field), value, "{}", field.name());
        }
        let process = read(&system, 7, None).unwrap();
        assert_eq!(
            *process.subject().value(FieldId::InitialMntns),
            Value::Unknown
        );
    }

    #[test]
    fn this_process_is_there() {
        let system = System::default();
        let pid = std::process::id();
        assert!(list(&system).unwrap().contains(&pid));
        let process = read(&system, pid, None).unwrap();
        let exe = std::env::current_exe().unwrap().into_os_string();
        assert_eq!(process.exe, Value::Text(exe.into_vec()));
    }
}
