//! Loading, attaching and pinning programs; and the way back.
//!
//! Owns what has to happen so that a hook's program runs, or does so no longer.
//! Must not know which hooks are wanted, nor in which order commands do things.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aya::programs::{Lsm, Program, ProgramError};
use aya::{Btf, Ebpf, EbpfError, EbpfLoader, Endianness};
use lsmpc_abi::maps;

use crate::error::{Error, Result};
use crate::object::ProgramObject;
use crate::offsets::Constant;
use crate::parallel;
use crate::pins::{Group, Layout, Survey};
use crate::support::TRACKERS;
use crate::sys::{self, LinkInfo, MapShape};

/// What loading takes beside the object.
#[derive(Debug)]
pub(crate) struct LoadPlan<'a> {
    pub(crate) object: &'a ProgramObject,
    pub(crate) layout: &'a Layout,
    pub(crate) constants: &'a [Constant],
    /// The kernel's function that makes typed pointers, where programs can call it.
    pub(crate) cast: Option<u32>,
    /// Possible CPUs: what is claimed per CPU is sized by it.
    pub(crate) cpus: u32,
    pub(crate) event_bytes: u32,
}

/// Compares the pinned maps with what the object declares: a program that took a
/// map of another shape would read beside what it means.
pub(crate) fn check_shapes(object: &ProgramObject, survey: &Survey, layout: &Layout) -> Result<()> {
    for (name, declared) in object.shapes() {
        let Some(pinned) = survey.maps.get(name).map(|map| map.shape) else {
            continue;
        };
        let sized_at_load = [maps::SCRATCH, maps::RECORDS, maps::EVENTS].contains(&name);
        let expected = MapShape {
            max_entries: if sized_at_load {
                pinned.max_entries
            } else {
                declared.max_entries
            },
            ..declared
        };
        let same = if name == maps::POLICY {
            pinned == crate::store::SLOT
        } else {
            pinned == expected
        };
        if !same {
            return Err(Error::PinnedShape {
                path: layout.map(name),
                reason: format!("expected {expected:?}, found {pinned:?}"),
            });
        }
    }
    Ok(())
}

/// Programs that are in the kernel and not attached yet.
pub(crate) struct Loaded {
    programs: Vec<(String, OwnedFd)>,
}

/// Programs that are verified at a time: for each the kernel takes tens of megabytes
/// while it does.
const AT_ONCE: usize = 4;

/// Loads the programs for `hooks`, several at a time where there are processors for it.
/// Maps that are pinned are taken, the others made and pinned.
pub(crate) fn load(plan: &LoadPlan<'_>, hooks: &[String]) -> Result<Loaded> {
    let btf =
        Btf::parse_file("/sys/kernel/btf/vmlinux", Endianness::default()).map_err(|error| {
            Error::KernelTypes {
                path: "/sys/kernel/btf/vmlinux".into(),
                reason: error.to_string(),
            }
        })?;
    let mut ebpf = open(plan, &btf)?;
    let mut known: HashMap<&str, &mut Program> = ebpf.programs_mut().collect();
    let mut wanted: Vec<(&str, &mut Lsm)> = Vec::with_capacity(hooks.len());
    for hook in hooks {
        let program = known
            .remove(hook.as_str())
            .and_then(|program| program.try_into().ok())
            .ok_or_else(|| Error::ObjectInvalid {
                reason: format!("it has no LSM program {hook}"),
            })?;
        wanted.push((hook, program));
    }
    let programs = parallel::each(wanted, AT_ONCE, |(hook, program)| {
        program
            .load(hook, &btf)
            .map_err(|error| refused(hook, error))?;
        let fd = program.fd().map_err(|error| refused(hook, error))?;
        let fd = sys::duplicate(fd.as_fd())
            .map_err(|source| Error::system("duplicating a descriptor", source))?;
        Ok((hook.to_owned(), fd))
    })?;
    Ok(Loaded { programs })
}

fn open(plan: &LoadPlan<'_>, btf: &Btf) -> Result<Ebpf> {
    let mut loader = EbpfLoader::new();
    let per_cpu = |count: u32| plan.cpus.saturating_mul(count);
    loader
        .btf(Some(btf))
        .allow_unsupported_maps()
        .map_max_entries(maps::SCRATCH, per_cpu(maps::SLOTS_PER_CPU))
        .map_max_entries(maps::RECORDS, per_cpu(maps::RECORDS_PER_CPU))
        .map_max_entries(maps::EVENTS, plan.event_bytes);
    for (name, _) in plan.object.shapes() {
        loader.map_pin_path(name, plan.layout.map(name));
    }
    for constant in plan.constants {
        loader.override_global(constant.name, constant.value.as_slice(), true);
    }
    let bytes = plan.object.with_cast(plan.cast)?;
    loader.load(&bytes).map_err(|error| not_loaded(&error))
}

/// Why an object's maps could not be made.
pub(crate) fn not_loaded(error: &EbpfError) -> Error {
    let reason = chain(error);
    match os_error(error) {
        Some(source) => Error::system(format!("making the programs' maps ({reason})"), source),
        None => Error::ObjectInvalid { reason },
    }
}

/// The system's error at the bottom of an error's causes.
fn os_error(error: &(dyn std::error::Error + 'static)) -> Option<io::Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(found) = one.downcast_ref::<io::Error>() {
            return found.raw_os_error().map(io::Error::from_raw_os_error);
        }
        cause = one.source();
    }
    None
}

/// An error and its causes in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        text.push_str(": ");
        text.push_str(&one.to_string());
        cause = one.source();
    }
    text
}

/// Why a program could not be loaded or run.
pub(crate) fn refused(hook: &str, error: ProgramError) -> Error {
    match error {
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => {
            let log = verifier_log.to_string();
            if io_error.raw_os_error() == Some(libc::EPERM) && log.trim().is_empty() {
                return Error::TrampolinesRefused;
            }
            Error::ProgramRefused {
                hook: hook.to_owned(),
                source: io_error,
                log,
            }
        }
        other => Error::ProgramRefused {
            hook: hook.to_owned(),
            source: os_error(&other).unwrap_or_else(|| io::Error::other(chain(&other))),
            log: String::new(),
        },
    }
}

/// Attaches the programs, trackers first, and pins each program and then its
/// link: a link that is pinned always has its program beside it. The pins made
/// are added to `made` as they are made.
pub(crate) fn attach(layout: &Layout, loaded: &Loaded, made: &mut Vec<PathBuf>) -> Result<()> {
    let is_tracker = |hook: &str| TRACKERS.contains(&hook);
    let (trackers, others): (Vec<_>, Vec<_>) = loaded
        .programs
        .iter()
        .partition(|(hook, _)| is_tracker(hook));
    for (hook, program) in trackers.into_iter().chain(others) {
        let pinned = layout.pin(Group::Programs, hook);
        let linked = layout.pin(Group::Links, hook);
        // What an interrupted command left, or a link that is not ours.
        unpin(&linked)?;
        unpin(&pinned)?;
        let failed = |source| Error::Attach {
            hook: hook.clone(),
            source,
        };
        let link = sys::attach_lsm(program.as_fd()).map_err(failed)?;
        made.push(pinned.clone());
        sys::pin(program.as_fd(), &pinned).map_err(failed)?;
        made.push(linked.clone());
        sys::pin(link.as_fd(), &linked).map_err(failed)?;
    }
    Ok(())
}

/// Removes a pin; one that is not there is fine.
pub(crate) fn unpin(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::system(
            format!("removing the pin {}", path.display()),
            source,
        )),
    }
}

/// A hook whose pins are gone, to be waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Detaching {
    pub(crate) hook: String,
    link: LinkInfo,
}

/// Removes the pins of the hooks' links and programs.
pub(crate) fn detach(
    layout: &Layout,
    survey: &Survey,
    hooks: &BTreeSet<String>,
) -> Result<Vec<Detaching>> {
    let mut detaching = Vec::new();
    for hook in hooks {
        if unpin(&layout.pin(Group::Links, hook))?
            && let Some(link) = survey.links.get(hook)
        {
            detaching.push(Detaching {
                hook: hook.clone(),
                link: *link,
            });
        }
        unpin(&layout.pin(Group::Programs, hook))?;
    }
    Ok(detaching)
}

/// Waits until the kernel has detached them; returns those it has not.
///
/// A link's number disappears when the kernel begins to free it, its program's
/// when it has been taken off the hook. Somebody else may hold the program,
/// though, so that is waited for a short time only.
pub(crate) fn wait_detached(detaching: &[Detaching], timeout: Duration) -> Result<Vec<String>> {
    const STEP: Duration = Duration::from_millis(5);
    const FOR_PROGRAMS: Duration = Duration::from_secs(2);
    let failed = |source| Error::system("asking for a link by its number", source);
    let begin = Instant::now();
    let mut links: Vec<&Detaching> = detaching.iter().collect();
    loop {
        let mut left = Vec::new();
        for one in links {
            if sys::link_by_id(one.link.id).map_err(failed)?.is_some() {
                left.push(one);
            }
        }
        links = left;
        if links.is_empty() || begin.elapsed() >= timeout {
            break;
        }
        std::thread::sleep(STEP);
    }
    let begin = Instant::now();
    while links.is_empty() && begin.elapsed() < FOR_PROGRAMS.min(timeout) {
        let mut any = false;
        for one in detaching {
            any |= sys::program_by_id(one.link.program)
                .map_err(failed)?
                .is_some();
        }
        if !any {
            break;
        }
        std::thread::sleep(STEP);
    }
    Ok(links.into_iter().map(|one| one.hook.clone()).collect())
}
