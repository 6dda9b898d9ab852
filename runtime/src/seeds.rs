//! What is to stick to the tasks that are there when a policy comes.
//!
//! Between attaching the programs and putting the image in force every process gets a
//! *seed*: the bits that are to stick to it. A scope that the policy in force has, too,
//! is kept as it is; everything else follows from what the process and its ancestors
//! are now, the farthest first. Nobody looks at seeds of an image that is not in force,
//! so that an interruption leaves nothing but some memory used.
//!
//! No task is missed: one that is forked meanwhile gets its parent's seed by the
//! program at `task_alloc`, if the parent has one, and else it is in the list of
//! processes the next time. So the list is gone through until nothing new is found.
//! What a task executes meanwhile it notices itself when it takes its seed over.
//!
//! Owns seeds. Must not know when they are needed: that is [`crate::swap`]'s.

mod kept;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::{Bits, Masks};
use lsmpc_abi::maps;
use lsmpc_abi::state::{LONG_PART, Seed, Seeds, Sticky, TaskState};
use lsmpc_engine::host::{Slice, Value};
use lsmpc_engine::report::StickyReport;
use lsmpc_engine::{decide_from, sticky};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::error::{Error, Result};
use crate::pins::Layout;
use crate::process::{self, Process};
use crate::sys;
use crate::system::System;
use kept::{Kept, Path, decode_seeds, encode_seeds};

/// How often the list of processes is gone through. A machine on which there is
/// always something new that has no seed does not exist: a fork gives its own on.
const PASSES: usize = 64;

/// What is to come.
pub(crate) struct Coming<'a> {
    /// The image.
    pub(crate) image: &'a [u8],
    /// Its epoch.
    pub(crate) epoch: u32,
    /// What sticks under it, by bit.
    pub(crate) sticky: &'a [StickyReport],
}

/// What is in force.
#[derive(Debug, Clone, Default)]
pub(crate) struct InForce {
    /// Its epoch; 0: nothing is.
    pub(crate) epoch: u32,
    /// What sticks under it, by bit.
    pub(crate) sticky: Vec<StickyReport>,
}

/// Gives every process its seed.
pub(crate) fn plant(
    layout: &Layout,
    system: &System,
    coming: &Coming<'_>,
    in_force: &InForce,
) -> Result<()> {
    let open = |name: &str| {
        sys::open_pin(&layout.map(name)).map_err(|source| Error::map("opening", name, source))
    };
    let opened =
        |names: [&str; 3]| -> Result<Vec<OwnedFd>> { names.map(open).into_iter().collect() };
    let planter = Planter {
        system,
        coming,
        in_force,
        tasks: open(maps::TASK)?,
        seeds: open(maps::SEEDS)?,
        own: opened(maps::TASK_LONG)?,
        parents: opened(maps::PARENT_LONG)?,
        initial: process::initial_mount_namespace(system),
    };
    for _ in 0..PASSES {
        if planter.pass()? == 0 {
            return Ok(());
        }
    }
    Err(Error::system(
        "finding what is to stick to running tasks",
        io::Error::other("there were always new ones"),
    ))
}

struct Planter<'a> {
    system: &'a System,
    coming: &'a Coming<'a>,
    in_force: &'a InForce,
    tasks: OwnedFd,
    seeds: OwnedFd,
    own: Vec<OwnedFd>,
    parents: Vec<OwnedFd>,
    initial: Option<Vec<u8>>,
}

/// A process that has no seed yet.
struct Bare {
    task: OwnedFd,
    process: Process,
    state: Option<Kept>,
    old: Seeds,
}

/// What is known of a process.
enum Known {
    Seeded(Seed),
    Bare(Box<Bare>),
}

impl Planter<'_> {
    /// Goes through the processes; how many got a seed.
    fn pass(&self) -> Result<usize> {
        let pids = process::list(self.system)
            .map_err(|source| Error::system("listing the processes", source))?;
        let mut known = BTreeMap::new();
        for pid in pids {
            if let Some(one) = self.look(pid)? {
                known.insert(pid, one);
            }
        }
        let parents: HashMap<u32, u32> = known
            .iter()
            .filter_map(|(pid, one)| match one {
                Known::Bare(bare) => Some((*pid, bare.process.parent)),
                Known::Seeded(_) => None,
            })
            .collect();
        let mut done: HashMap<u32, Seed> = HashMap::new();
        let mut planted = 0;
        for (pid, one) in &known {
            if let Known::Seeded(seed) = one {
                done.insert(*pid, *seed);
            }
        }
        for pid in known.keys() {
            // The farthest ancestor first.
            for pid in line_of(*pid, &parents, |pid| done.contains_key(&pid)) {
                let Some(Known::Bare(bare)) = known.get(&pid) else {
                    continue;
                };
                let parent = done.get(&bare.process.parent);
                let names = known.get(&bare.process.parent);
                let seed = self.seed(bare, parent, names)?;
                if self.write(bare, seed)? {
                    planted += 1;
                }
                done.insert(pid, seed);
            }
        }
        Ok(planted)
    }

    fn look(&self, pid: u32) -> Result<Option<Known>> {
        let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        // First of all: what is read afterwards is of this process, or it is gone,
        // and then nothing can be written to it.
        let Ok(task) = pidfd_open(number, PidfdFlags::empty()) else {
            return Ok(None);
        };
        let old = self
            .lookup::<{ size_of::<Seeds>() }>(&self.seeds, &task)?
            .map(|bytes| decode_seeds(&bytes))
            .unwrap_or_default();
        let state = self.state(&task)?;
        let now = state.as_ref().map_or(0, |state| state.head);
        let seeded = old
            .of
            .iter()
            .find(|seed| seed.sticky.epoch == self.coming.epoch && is_same(seed.exe, now));
        if let Some(seed) = seeded {
            return Ok(Some(Known::Seeded(*seed)));
        }
        let process = process::read(self.system, pid, self.initial.as_deref());
        Ok(process.map(|process| {
            Known::Bare(Box::new(Bare {
                task,
                process,
                state,
                old,
            }))
        }))
    }

    /// What is to stick to a process, given what is to its parent.
    fn seed(&self, bare: &Bare, parent: Option<&Seed>, above: Option<&Known>) -> Result<Seed> {
        let mut bits = parent.map_or_else(Bits::default, |parent| {
            sticky::inherited(parent.sticky.bits, parent.program)
        });
        let (kept, mask) = self.kept(bare);
        bits = Bits {
            set: bits.set & !mask | kept.set,
            unknown: bits.unknown & !mask | kept.unknown,
        };
        let masks = self.masks(bare, above, bits)?;
        let fresh = sticky::executed(bits, &masks);
        let held = sticky::held(bits, &masks);
        Ok(Seed {
            sticky: Sticky {
                epoch: self.coming.epoch,
                reserved: 0,
                bits: Bits {
                    set: fresh.set & !mask | held.set & mask,
                    unknown: fresh.unknown & !mask | held.unknown & mask,
                },
            },
            program: masks.program,
            exe: bare.state.as_ref().map_or(0, |state| state.head),
        })
    }

    /// The bits that the process has by the policy in force and keeps, and which
    /// those are.
    fn kept(&self, bare: &Bare) -> (Bits, u64) {
        let of_state = bare.state.as_ref().map(|state| state.sticky);
        let had = of_state
            .into_iter()
            .chain(bare.old.of.iter().map(|seed| seed.sticky))
            .find(|sticky| sticky.epoch != 0 && sticky.epoch == self.in_force.epoch);
        let mut kept = Bits::default();
        let mut mask = 0;
        let Some(had) = had else {
            return (kept, mask);
        };
        for (bit, name) in (0_u32..).zip(self.coming.sticky) {
            let before = self.in_force.sticky.iter().position(|old| old == name);
            let Some(before) = before.and_then(|before| u32::try_from(before).ok()) else {
                continue;
            };
            let place = |word: u64| (word.checked_shr(before).unwrap_or(0) & 1) << bit;
            mask |= 1_u64.checked_shl(bit).unwrap_or(0);
            kept.set |= place(had.bits.set);
            kept.unknown |= place(had.bits.unknown);
        }
        (kept, mask)
    }

    /// What the subject's diagram says of a process.
    fn masks(&self, bare: &Bare, above: Option<&Known>, bits: Bits) -> Result<Masks> {
        let mut subject = bare.process.subject();
        let parent = match above {
            Some(Known::Bare(parent)) => Some(parent.as_ref()),
            _ => None,
        };
        match &bare.state {
            Some(state) => state.add_to(&mut subject),
            None => {
                let value = |of: fn(&Process) -> &Value| {
                    parent.map_or(Value::Unknown, |parent| of(&parent.process).clone())
                };
                subject.set(FieldId::ParentExe, value(|process| &process.exe));
                subject.set(FieldId::ParentComm, value(|process| &process.comm));
            }
        }
        subject.set(FieldId::Sticky, Value::Bits(bits));
        let image = Slice(self.coming.image);
        sticky::subject(&image)
            .and_then(|root| decide_from(&image, root, &mut subject))
            .and_then(|number| sticky::masks(&image, number))
            .map_err(|fault| Error::ImageInvalid {
                reason: format!("it cannot be evaluated: {fault:?}"),
            })
    }

    /// Writes a seed; `false`: the process is gone.
    fn write(&self, bare: &Bare, seed: Seed) -> Result<bool> {
        // What the process may still need under the policy in force stays.
        let current = bare
            .old
            .of
            .iter()
            .find(|old| old.sticky.epoch != 0 && old.sticky.epoch == self.in_force.epoch);
        let seeds = Seeds {
            of: [current.copied().unwrap_or_default(), seed],
        };
        let key = key(bare.task.as_fd());
        match sys::map_update(self.seeds.as_fd(), key, &encode_seeds(&seeds)) {
            Ok(()) => Ok(true),
            Err(error) if is_gone(&error) => Ok(false),
            Err(source) => Err(Error::map("writing", maps::SEEDS, source)),
        }
    }

    fn lookup<const SIZE: usize>(
        &self,
        map: &OwnedFd,
        task: &OwnedFd,
    ) -> Result<Option<[u8; SIZE]>> {
        let mut value = [0; SIZE];
        match sys::map_lookup(map.as_fd(), key(task.as_fd()), &mut value) {
            Ok(found) => Ok(found.then_some(value)),
            Err(error) if is_gone(&error) => Ok(None),
            Err(source) => Err(Error::map("reading", maps::TASK, source)),
        }
    }

    /// What the programs have kept of a task.
    fn state(&self, task: &OwnedFd) -> Result<Option<Kept>> {
        let Some(bytes) = self.lookup::<{ size_of::<TaskState>() }>(&self.tasks, task)? else {
            return Ok(None);
        };
        let Some(state) = Kept::decode(&bytes) else {
            return Ok(None);
        };
        let text = |path: &Path, parts: &[OwnedFd]| -> Result<Value> {
            match path {
                Path::Value(value) => Ok(value.clone()),
                Path::Long(length) => {
                    let mut text = Vec::new();
                    for map in parts {
                        if let Some(part) = self.lookup::<LONG_PART>(map, task)? {
                            text.extend(part);
                        }
                    }
                    let known = text.len() >= *length;
                    text.truncate(*length);
                    Ok(if known {
                        Value::Text(text)
                    } else {
                        Value::Unknown
                    })
                }
            }
        };
        let exe = text(&state.exe, &self.own)?;
        let parent = text(&state.parent, &self.parents)?;
        Ok(Some(Kept {
            exe: Path::Value(exe),
            parent: Path::Value(parent),
            ..state
        }))
    }
}

/// The processes from the first ancestor that is not done down to this one.
fn line_of(pid: u32, parents: &HashMap<u32, u32>, done: impl Fn(u32) -> bool) -> Vec<u32> {
    let mut line = Vec::new();
    let mut at = pid;
    // A process can be adopted while its ancestors are read: no circle is walked.
    while !done(at) && !line.contains(&at) {
        let Some(parent) = parents.get(&at) else {
            break;
        };
        line.push(at);
        at = *parent;
    }
    line.reverse();
    line
}

/// Whether a task whose state begins with `now` has executed nothing since its seed
/// was made: the programs' rule.
fn is_same(seed: u64, now: u64) -> bool {
    seed == now || (seed == 0 && now >> 8 & 0xfe == 2)
}

/// A task's key in task storage: a descriptor of it.
fn key(task: BorrowedFd<'_>) -> u32 {
    task.as_raw_fd().unsigned_abs()
}

/// Whether an operation failed because the task has ended.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ancestors_come_first() {
        let parents = HashMap::from([(1, 0), (5, 1), (9, 5), (3, 9), (7, 8), (8, 7)]);
        assert_eq!(line_of(3, &parents, |_| false), [1, 5, 9, 3]);
        assert_eq!(line_of(3, &parents, |pid| pid == 5), [9, 3]);
        assert_eq!(line_of(7, &parents, |_| false), [8, 7]);
        assert_eq!(line_of(1, &parents, |pid| pid == 1), [0; 0]);
    }
}
