//! LSM programs that are not lsmpc's.
//!
//! Owns the walk over the kernel's links and programs by number, which takes
//! CAP_SYS_ADMIN. Must not know what anybody does about them.

use std::io;
use std::os::fd::AsFd;

use lsmpc_abi::hook::HookId;

use crate::pins::Survey;
use crate::support::TRACKERS;
use crate::sys;

/// A program for an LSM hook that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OtherProgram {
    /// Number of the link that attaches it; `None` where no link to the hook does: it is
    /// attached to cgroups, or not at all.
    pub link_id: Option<u32>,
    /// Number of the program.
    pub program_id: u32,
    /// Name of the program, as short as the kernel keeps it.
    pub name: String,
    /// The kernel function that it is for.
    pub target: Option<String>,
}

impl OtherProgram {
    /// The hook that it is for.
    #[must_use]
    pub fn hook(&self) -> Option<&str> {
        self.target.as_deref()?.strip_prefix("bpf_lsm_")
    }

    /// Whether that is a hook which lsmpc has programs for, too.
    #[must_use]
    pub fn shares_a_hook(&self) -> bool {
        self.hook().is_some_and(|hook| {
            HookId::from_name(hook).is_some()
                || TRACKERS.contains(&hook)
                || hook == "file_ioctl_compat"
        })
    }
}

/// All of them: those that are attached by a link, then those that are not.
pub(crate) fn others(
    ours: &Survey,
    function: &dyn Fn(u32) -> Option<String>,
) -> io::Result<Vec<OtherProgram>> {
    let mut found = Vec::new();
    let mut seen: Vec<u32> = ours.links.values().map(|link| link.program).collect();
    let mut last = 0;
    while let Some(id) = sys::next_link(last)? {
        last = id;
        let Some(fd) = sys::link_by_id(id)? else {
            continue;
        };
        let Some(link) = sys::link_info(fd.as_fd())? else {
            continue;
        };
        let pinned = ours.links.values().any(|ours| ours.id == link.id);
        if link.attach_type != sys::ATTACH_LSM_MAC || pinned {
            continue;
        }
        let name = sys::program_by_id(link.program)?
            .and_then(|program| sys::program_info(program.as_fd()).ok())
            .map(|program| program.name)
            .unwrap_or_default();
        seen.push(link.program);
        found.push(OtherProgram {
            link_id: Some(link.id),
            program_id: link.program,
            name,
            target: function(link.target),
        });
    }
    let mut last = 0;
    while let Some(id) = sys::next_program(last)? {
        last = id;
        let Some(fd) = sys::program_by_id(id)? else {
            continue;
        };
        let program = sys::program_info(fd.as_fd())?;
        if program.kind == sys::PROG_TYPE_LSM && !seen.contains(&id) {
            found.push(OtherProgram {
                link_id: None,
                program_id: id,
                name: program.name,
                target: function(program.target),
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_shared_by_name() {
        let on = |target: &str| OtherProgram {
            link_id: None,
            program_id: 1,
            name: "x".into(),
            target: Some(target.into()),
        };
        assert_eq!(on("bpf_lsm_file_open").hook(), Some("file_open"));
        for shared in ["file_open", "task_alloc", "file_ioctl_compat"] {
            assert!(on(&format!("bpf_lsm_{shared}")).shares_a_hook());
        }
        assert!(!on("bpf_lsm_inode_permission").shares_a_hook());
        assert!(!on("file_open").shares_a_hook());
    }
}
