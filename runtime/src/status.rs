//! What is in force, read from the kernel.
//!
//! Owns looking; changes nothing and takes no lock, so while another command is
//! at work it may show a state between two.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lsmpc_abi::hook::HookId;
use lsmpc_abi::image::PAGE_SIZE;
use lsmpc_abi::maps;
use lsmpc_abi::state::Counter;

use crate::error::{Error, Result};
use crate::image::Header;
use crate::lock;
use crate::object::ProgramObject;
use crate::offsets;
use crate::others::{self, OtherProgram};
use crate::pins::{Group, Layout, State, Survey};
use crate::store;
use crate::support::TRACKERS;
use crate::swap;
use crate::sys;
use crate::system::System;

/// All that can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The pin directory.
    pub dir: PathBuf,
    /// What the pins amount to.
    pub state: State,
    /// The policy in force.
    pub policy: Option<PolicyStatus>,
    /// Hooks with a pinned link.
    pub hooks: Vec<HookStatus>,
    /// The pinned maps.
    pub maps: Vec<MapStatus>,
    /// The programs' counters, summed over CPUs.
    pub counters: Option<Counters>,
    /// Digest of the object that the programs come from.
    pub object: Option<[u8; 32]>,
    /// Whether that is this lsmpc's object.
    pub object_is_ours: bool,
    /// The process that is applying or removing right now.
    pub changer: Option<Holder>,
    /// The process that reads the events.
    pub reader: Option<Holder>,
    /// LSM programs that others brought in.
    pub others: Vec<OtherProgram>,
}

/// A process that holds a lock, if it can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: Option<u32>,
}

/// The policy in force.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyStatus {
    /// SHA-256 of the image.
    pub digest: [u8; 32],
    /// Its epoch.
    pub epoch: u32,
    /// Its size in the kernel.
    pub bytes: usize,
    /// Number of the map that holds it.
    pub map_id: u32,
    /// The hooks that it names.
    pub hooks: Vec<HookId>,
    /// Those of them that `--best-effort` left out.
    pub left_out: Vec<HookId>,
    /// When it was applied.
    pub applied_at: Option<SystemTime>,
    /// Who applied it.
    pub applied_by: Option<u32>,
}

/// A hook with a pinned link.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HookStatus {
    /// Kernel name.
    pub hook: String,
    /// Attached whatever the policy names.
    pub tracker: bool,
    /// Number of the link.
    pub link_id: u32,
    /// Number of the program.
    pub program_id: u32,
    /// The kernel function that it is attached to.
    pub target: Option<String>,
}

/// A pinned map.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapStatus {
    /// Name of its pin.
    pub name: String,
    /// Number.
    pub id: u32,
    /// The kernel's `BPF_MAP_TYPE_*`.
    pub kind: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Elements, or bytes of a ring buffer.
    pub max_entries: u32,
}

/// The programs' counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    values: [u64; Counter::COUNT as usize],
}

impl Counters {
    /// One of them.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.values.get(counter as usize).copied().unwrap_or(0)
    }

    /// How much each has grown since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut values = self.values;
        for (value, before) in values.iter_mut().zip(before.values) {
            *value = value.saturating_sub(before);
        }
        Self { values }
    }
}

/// Reads the counters from their pinned map.
pub(crate) fn counters(layout: &Layout, system: &System) -> Result<Counters> {
    let failed = |source| Error::map("reading", maps::COUNTERS, source);
    let map = sys::open_pin(&layout.map(maps::COUNTERS)).map_err(failed)?;
    let cpus = offsets::possible_cpus(system)?;
    let mut counters = Counters::default();
    let mut value = vec![0; cpus as usize * 8];
    for (number, sum) in (0..).zip(&mut counters.values) {
        sys::map_lookup(map.as_fd(), number, &mut value).map_err(failed)?;
        *sum = value
            .chunks_exact(8)
            .filter_map(|cpu| cpu.try_into().ok().map(u64::from_ne_bytes))
            .fold(0, u64::wrapping_add);
    }
    Ok(counters)
}

/// Reads everything.
pub(crate) fn status(
    layout: &Layout,
    system: &System,
    object_path: Option<&Path>,
) -> Result<Status> {
    let found = swap::survey(layout)?;
    let kernel = swap::kernel_types(system).ok();
    let function = |id: u32| {
        let name = kernel.as_ref()?.name(id)?;
        Some(name.to_owned())
    };
    let object = found.control.map(|control| control.object);
    let ours = ProgramObject::open(object_path).ok();
    let held = |directory: &Path| {
        lock::is_held(directory).then(|| Holder {
            pid: lock::holder(directory),
        })
    };
    Ok(Status {
        dir: layout.dir().to_owned(),
        state: state(layout, &found),
        policy: policy(&found),
        hooks: found
            .links
            .iter()
            .map(|(hook, link)| HookStatus {
                hook: hook.clone(),
                tracker: TRACKERS.contains(&hook.as_str()),
                link_id: link.id,
                program_id: link.program,
                target: function(link.target),
            })
            .collect(),
        maps: found
            .maps
            .iter()
            .map(|(name, map)| MapStatus {
                name: name.clone(),
                id: map.id,
                kind: map.shape.kind,
                key_size: map.shape.key_size,
                value_size: map.shape.value_size,
                max_entries: map.shape.max_entries,
            })
            .collect(),
        counters: counters(layout, system).ok(),
        object,
        object_is_ours: object.is_some() && object == ours.map(|ours| ours.digest),
        changer: held(layout.dir()),
        reader: held(&layout.group(Group::Maps)),
        others: others::others(&found, &function).unwrap_or_default(),
    })
}

/// The state, with a second set of pins that a replacement has left beside.
fn state(layout: &Layout, found: &Survey) -> State {
    let next = layout.sibling();
    let state = found.state();
    if !next.dir().exists() {
        return state;
    }
    let beside = format!("{} of a replacement", next.dir().display());
    match state {
        State::Whole => State::Interrupted {
            in_force: true,
            left: vec![beside],
        },
        State::Absent => State::Interrupted {
            in_force: false,
            left: vec![beside],
        },
        State::Interrupted { in_force, mut left } => {
            left.push(beside);
            State::Interrupted { in_force, left }
        }
        other => other,
    }
}

fn policy(found: &Survey) -> Option<PolicyStatus> {
    let image = found.image.as_ref()?;
    let header = image.header.as_ref()?;
    let application = found.control?.application(header.epoch);
    Some(PolicyStatus {
        digest: header.digest,
        epoch: header.epoch,
        bytes: header.pages as usize * PAGE_SIZE,
        map_id: image.map,
        left_out: header
            .hooks
            .iter()
            .copied()
            .filter(|hook| application.is_some_and(|one| one.leaves_out(*hook)))
            .collect(),
        hooks: header.hooks.clone(),
        applied_at: application
            .and_then(|one| UNIX_EPOCH.checked_add(Duration::from_secs(one.time))),
        applied_by: application.map(|one| one.uid),
    })
}

/// The image in force: its header and, where asked for, all of its bytes.
pub(crate) fn image_in_force(layout: &Layout) -> Result<(Header, std::os::fd::OwnedFd)> {
    let nothing = || Error::NothingApplied {
        dir: layout.dir().to_owned(),
    };
    let failed = |source| Error::map("reading", maps::POLICY, source);
    let policy = match sys::open_pin(&layout.map(maps::POLICY)) {
        Ok(policy) => policy,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(nothing()),
        Err(error) => return Err(failed(error)),
    };
    let (_, map) = store::slot(policy.as_fd())
        .map_err(failed)?
        .ok_or_else(nothing)?;
    let first = store::read_pages(map.as_fd(), 0, 1).map_err(failed)?;
    Ok((Header::read(&first)?, map))
}

/// All bytes of the image in force.
pub(crate) fn read_image(layout: &Layout) -> Result<Vec<u8>> {
    let (header, map) = image_in_force(layout)?;
    store::read_all(map.as_fd(), header.pages)
        .map_err(|source| Error::map("reading", "image", source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_grow_and_never_below_zero() {
        let mut before = Counters::default();
        let mut after = Counters::default();
        after.values[Counter::LostFull as usize] = 5;
        before.values[Counter::LostFull as usize] = 2;
        before.values[Counter::Unknown as usize] = 2;
        let grown = after.since(&before);
        assert_eq!(grown.get(Counter::LostFull), 3);
        assert_eq!(grown.get(Counter::Unknown), 0);
    }
}
