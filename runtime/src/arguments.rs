//! What the programs take each hook's arguments for.
//!
//! Owns the shapes that `programs/src/hooks/` counts on, and the comparison with those
//! that this kernel has. A kernel that has changed a hook would otherwise have its
//! program read one thing for another. Must not know what any argument means.

use lsmpc_abi::hook::HookId::{self, *};

use crate::btf::{KernelBtf, Shape};

/// An argument, as a program takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// It is not read.
    Not,
    Number,
    /// A `kuid_t` or `kgid_t`.
    Id,
    /// A pointer to one of these.
    To(&'static [&'static str]),
}

use Read::{Id, Not, Number, To};

const FILE: Read = To(&["file"]);
const PATH: Read = To(&["path"]);
const DENTRY: Read = To(&["dentry"]);
const TEXT: Read = To(&["char"]);
const SOCKET: Read = To(&["socket"]);
const ADDRESS: Read = To(&["sockaddr", "sockaddr_unsized"]);
const SOCK: Read = To(&["sock"]);
const TASK: Read = To(&["task_struct"]);
const CRED: Read = To(&["cred"]);

/// The arguments up to the last one that is read.
const fn read(hook: HookId) -> &'static [Read] {
    match hook {
        FileOpen | FileReceive | FileLock | FileTruncate => &[FILE],
        FileIoctl | KernelReadFile => &[FILE, Number],
        MmapFile => &[FILE, Not, Number, Number],
        FileMprotect => &[To(&["vm_area_struct"]), Not, Number],
        BprmCheckSecurity => &[To(&["linux_binprm"])],
        PathUnlink | PathRmdir => &[PATH, DENTRY],
        PathMkdir | PathMknod => &[PATH, DENTRY, Number],
        PathSymlink => &[PATH, DENTRY, TEXT],
        PathLink => &[DENTRY, PATH, DENTRY],
        PathRename => &[PATH, DENTRY, PATH, DENTRY, Number],
        PathChmod => &[PATH, Number],
        PathChown => &[PATH, Id, Id],
        PathChroot | PathTruncate | InodeGetattr => &[PATH],
        InodeSetxattr | InodeRemovexattr => &[Not, DENTRY, TEXT],
        SbMount => &[TEXT, PATH, TEXT, Number],
        SbUmount => &[To(&["vfsmount"])],
        SbRemount => &[To(&["super_block"])],
        MoveMount | SbPivotroot => &[PATH, PATH],
        SocketCreate => &[Number, Number, Number],
        SocketBind | SocketConnect => &[SOCKET, ADDRESS, Number],
        SocketSendmsg => &[SOCKET, To(&["msghdr"])],
        SocketListen | SocketAccept => &[SOCKET],
        UnixStreamConnect => &[SOCK, SOCK],
        UnixMaySend => &[SOCKET, SOCKET],
        TaskKill => &[TASK, Not, Number],
        PtraceAccessCheck | TaskSetrlimit => &[TASK, Number],
        PtraceTraceme | TaskSetnice | TaskSetscheduler => &[TASK],
        TaskFixSetuid | TaskFixSetgid => &[CRED],
        Capable => &[Not, Not, Number],
        Bpf | KernelLoadData | LockedDown | Syslog => &[Number],
        BpfMap | BpfMapCreate => &[To(&["bpf_map"])],
        BpfProg | BpfProgLoad => &[To(&["bpf_prog"])],
        BpfTokenCreate => &[Not, Not, PATH],
        BpfTokenCmd | BpfTokenCapable => &[Not, Number],
        KernelModuleRequest => &[TEXT],
        UsernsCreate | PerfEventOpen | UringOverrideCreds | UringSqpoll | UringCmd | KeyAlloc
        | Settime | Quotactl => &[],
    }
}

fn fits(shape: &Shape<'_>, read: Read) -> bool {
    match read {
        Not => true,
        Number => *shape == Shape::Number,
        Id => *shape == Shape::Structure,
        To(names) => matches!(shape, Shape::Pointer(name) if names.contains(name)),
    }
}

/// Whether a kernel function of a hook has the arguments that the hook's program reads.
/// A function that is not there has them.
pub(crate) fn as_read(kernel: &KernelBtf, hook: HookId, function: &str) -> bool {
    let Some(shapes) = kernel.shapes(function) else {
        return true;
    };
    let read = read(hook);
    shapes.len() >= read.len()
        && shapes
            .iter()
            .zip(read)
            .all(|(shape, read)| fits(shape, *read))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::tests::Blob;

    #[test]
    fn another_argument_is_noticed() {
        let mut blob = Blob::default();
        let int = blob.int("unsigned int", 4);
        let file = blob.structure("file", 8, &[("f_mode", int, 0)]);
        let inode = blob.structure("inode", 8, &[("i_mode", int, 0)]);
        let (file, inode) = (blob.pointer(file), blob.pointer(inode));
        blob.function_of("right", &[file, int]);
        blob.function_of("more", &[file, int, inode]);
        blob.function_of("other", &[inode, int]);
        blob.function_of("exchanged", &[int, file]);
        blob.function_of("fewer", &[file]);
        let kernel = KernelBtf::parse(blob.bytes()).unwrap();
        let fits = |function| as_read(&kernel, FileIoctl, function);
        assert!(fits("right") && fits("more") && fits("absent"));
        assert!(!fits("other") && !fits("exchanged") && !fits("fewer"));
    }

    #[test]
    fn this_machines_kernel_has_what_is_read() {
        let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            eprintln!("SKIPPED: no /sys/kernel/btf/vmlinux here");
            return;
        };
        let kernel = KernelBtf::parse(bytes).unwrap();
        for hook in HookId::ALL {
            let function = format!("bpf_lsm_{}", hook.name());
            let shapes = kernel.shapes(&function);
            assert!(as_read(&kernel, *hook, &function), "{function}: {shapes:?}");
        }
    }
}
