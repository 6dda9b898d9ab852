//! Putting a policy in force: why no event ever sees none, half of one, or a mix.
//!
//! # The commit point
//!
//! A policy is one immutable image: an array of pages. The programs find it
//! through the map `POLICY`, an array of maps with a single slot, and each program
//! looks that slot up exactly once per event and reads everything else through
//! what it got. So all that `apply` does falls into three parts:
//!
//! 1. **Before.** Programs for hooks that the new policy names and the old one did
//!    not are loaded against the pinned maps, attached and pinned; the image is
//!    written into a new array that nobody else can see, frozen, read back and
//!    compared. Whatever happens here, up to the loss of the process, the policy
//!    in force is the old one: a program asks the image in the slot whether the
//!    policy names its hook, and allows when it does not or when the slot is empty.
//! 2. **The commit point**: one `BPF_MAP_UPDATE_ELEM` on the slot. In the kernel it
//!    is an exchange of one pointer. Events that began before it finish by the old
//!    image, which stays in memory until an RCU grace period has passed; those
//!    that begin after it see the new one. The call returns after that grace
//!    period, so when `apply` returns no event is being decided by the old policy.
//! 3. **After.** Links of hooks that only the old policy named are removed. The
//!    programs behind them already allow everything.
//!
//! There is no state to undo across the commit point, therefore `kill -9` at any
//! system call leaves the old policy whole or the new one whole, and at most some
//! pins more than it needs. [`crate::pins`] recognises these; the next `apply`
//! takes into use those that it needs and removes the others. A first `apply` is no
//! different: its programs run over an empty slot until the update fills it.
//!
//! An error before the commit point takes back what this run made.
//!
//! # Links are not touched
//!
//! Hooks that stay keep their link: detaching and attaching again would leave a
//! gap, and `BPF_LINK_UPDATE` does not exist for LSM links. New programs share the
//! *pinned* maps with those already there, which is why their shapes are compared
//! and the ABI version is checked before.
//!
//! # Replacing programs
//!
//! With `--replace` (another ABI version is pinned, or maps are to be resized) a
//! complete second set is built beside the first, in `DIR-next`, and put in force
//! there; for a moment both decide, and the stricter one wins. Then the two
//! directories are exchanged by one `renameat2`, and the old set is removed. An
//! interruption leaves the old one in force, or both, or the new one; a `DIR-next`
//! that is found is removed by whatever command comes next.
//!
//! # Epochs
//!
//! Each load gets an epoch larger than any before it under the same maps, written
//! into the header of its copy. What programs cache per task is tagged with it.
//! The next epoch is stored before an image is published, so that an interrupted
//! run never leads to two images with the same one.

mod directory;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use lsmpc_abi::hook::HookId;
use lsmpc_abi::maps;

use crate::applied::{Applied, ApplyOptions, Step};
use crate::attach::{self, LoadPlan};
use crate::btf::KernelBtf;
use crate::control::{self, Application, Control};
use crate::error::{Error, Result};
use crate::image::{self, CheckedImage, Header};
use crate::object::ProgramObject;
use crate::offsets;
use crate::pins::{self, Group, KernelPins, Layout, State, Survey};
use crate::preflight::{self, Preflight};
use crate::seeds::{self, Coming, InForce};
use crate::store;
use crate::support::{self, Unsupported};
use crate::sys;
use crate::system::{RunningKernel, System};
use crate::teardown;

pub(crate) use directory::lock_existing;
use directory::take_lock;

/// What all of an apply needs to know.
struct Context<'a> {
    system: &'a System,
    object: &'a ProgramObject,
    options: &'a ApplyOptions,
    kernel: KernelBtf,
    /// Hooks to enforce.
    hooks: Vec<HookId>,
    left_out: Vec<Unsupported>,
    /// What the first epoch under new maps is: epochs go on through a replacement,
    /// so that a reader of events can tell its images apart.
    first_epoch: u32,
    observe: &'a mut dyn FnMut(Step),
}

/// Applies an image.
pub(crate) fn apply(
    layout: &Layout,
    system: &System,
    object_path: Option<&Path>,
    image: &[u8],
    options: &ApplyOptions,
    observe: &mut dyn FnMut(Step),
) -> Result<Applied> {
    let image = CheckedImage::new(image)?;
    let object = ProgramObject::open(object_path)?;
    observe(Step::ImageChecked);
    let (checks, kernel) =
        preflight::with_types(system, layout.dir(), &RunningKernel, Some(&object));
    if !checks.passed() {
        return Err(failed(layout, checks));
    }
    let kernel = kernel.map_or_else(|| kernel_types(system), Ok)?;
    let left_out = support::of_image(&image, &kernel, &object, system)?;
    if !left_out.is_empty() && !options.best_effort {
        return Err(Error::NotEnforceable(left_out));
    }
    observe(Step::PreflightPassed);
    let mut context = Context {
        system,
        object: &object,
        options,
        kernel,
        hooks: image
            .header
            .hooks
            .iter()
            .copied()
            .filter(|hook| !left_out.iter().any(|one| one.hook() == Some(*hook)))
            .collect(),
        left_out,
        first_epoch: 1,
        observe,
    };
    let was_there = layout.dir().exists();
    let _lock = take_lock(layout)?;
    (context.observe)(Step::Locked);
    let outcome = context.under_lock(layout, image);
    if outcome.is_err() && !was_there {
        // Only if nothing is in it.
        let _ = fs::remove_dir(layout.dir());
    }
    outcome
}

/// Why checks failed: what a policy in force refuses looks like what the machine cannot
/// do.
pub(crate) fn failed(layout: &Layout, checks: Preflight) -> Error {
    match survey(layout) {
        Err(refused @ Error::PinsRefused { .. }) => refused,
        _ => Error::Preflight(Box::new(checks)),
    }
}

/// Reads the running kernel's types.
pub(crate) fn kernel_types(system: &System) -> Result<KernelBtf> {
    const PATH: &str = "/sys/kernel/btf/vmlinux";
    let failed = |reason: String| Error::KernelTypes {
        path: PATH.into(),
        reason,
    };
    let bytes = system
        .bytes(PATH)
        .map_err(|error| failed(error.to_string()))?;
    KernelBtf::parse(bytes).map_err(|error| failed(error.to_string()))
}

/// Looks at the pins.
pub(crate) fn survey(layout: &Layout) -> Result<Survey> {
    pins::survey(layout, &KernelPins).map_err(|source| match source.raw_os_error() {
        Some(libc::EPERM) => Error::PinsRefused {
            dir: layout.dir().to_owned(),
            source,
        },
        _ => Error::system(
            format!("looking at the pins under {}", layout.dir().display()),
            source,
        ),
    })
}

impl Context<'_> {
    fn under_lock(&mut self, layout: &Layout, image: CheckedImage) -> Result<Applied> {
        let mut recovered = Vec::new();
        let next = layout.sibling();
        if next.dir().exists() {
            recovered.push(format!(
                "{} of an interrupted replace",
                next.dir().display()
            ));
            teardown::remove_all(&next, self.options.detach_timeout)?;
        }
        let mut found = survey(layout)?;
        let dir = || layout.dir().to_owned();
        let replace = self.options.replace;
        match found.state() {
            State::Foreign { path } => return Err(Error::ForeignPin { path }),
            State::HalfRemoved => {
                recovered.push("what an interrupted remove had left".into());
                teardown::remove_contents(layout, self.options.detach_timeout)?;
                found = survey(layout)?;
            }
            // An empty directory may be the one just made for the lock.
            State::Interrupted { .. } if !found.is_occupied() => {}
            State::Interrupted { left, .. } => recovered.extend(left),
            State::OtherAbi { found } if !replace => {
                return Err(Error::PinnedAbi {
                    dir: dir(),
                    found,
                    expected: lsmpc_abi::ABI_VERSION,
                });
            }
            State::Broken { reason, unattached } if unattached.is_empty() && !replace => {
                return Err(Error::PinsUnreadable { dir: dir(), reason });
            }
            State::Broken { unattached, .. } => recovered.extend(unattached),
            State::Absent | State::Whole | State::OtherAbi { .. } => {}
        }
        let mut applied = if replace && found.exists && found.is_occupied() {
            self.replace(layout, &next, &found, image)?
        } else {
            self.install(layout, &found, image)?
        };
        applied.recovered = recovered;
        Ok(applied)
    }

    /// Builds a second set and exchanges it for the first.
    fn replace(
        &mut self,
        layout: &Layout,
        next: &Layout,
        found: &Survey,
        image: CheckedImage,
    ) -> Result<Applied> {
        let _next_lock = take_lock(next)?;
        self.first_epoch = found.control.map_or(1, |control| control.next_epoch);
        let fresh = survey(next)?;
        let applied = self.install(next, &fresh, image).inspect_err(|_| {
            // Empty: the installation took back what it had made.
            let _ = fs::remove_dir(next.dir());
        })?;
        rustix::fs::renameat_with(
            rustix::fs::CWD,
            next.dir(),
            rustix::fs::CWD,
            layout.dir(),
            rustix::fs::RenameFlags::EXCHANGE,
        )
        .map_err(|error| {
            let _ = teardown::remove_all(next, self.options.detach_timeout);
            Error::system("exchanging the pin directories", error.into())
        })?;
        teardown::remove_all(next, self.options.detach_timeout)?;
        Ok(applied)
    }

    /// Puts the image in force under one directory.
    fn install(&mut self, layout: &Layout, found: &Survey, image: CheckedImage) -> Result<Applied> {
        let mut made = Vec::new();
        let outcome = self.publish(layout, found, image, &mut made);
        let (mut applied, unused) = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                undo(&made);
                return Err(error);
            }
        };
        // From the commit point on nothing may fail the apply: the policy is in force.
        if let Ok(detaching) = attach::detach(layout, found, &unused) {
            applied.detached = detaching.iter().map(|one| one.hook.clone()).collect();
            applied.detach_pending = attach::wait_detached(&detaching, self.options.detach_timeout)
                .unwrap_or_else(|_| applied.detached.clone());
        }
        (self.observe)(Step::Detached);
        Ok(applied)
    }

    /// Everything up to and with the commit point. Returns the hooks to detach.
    fn publish(
        &mut self,
        layout: &Layout,
        found: &Survey,
        image: CheckedImage,
        made: &mut Vec<PathBuf>,
    ) -> Result<(Applied, BTreeSet<String>)> {
        attach::check_shapes(self.object, found, layout)?;
        let mut control = found
            .control
            .unwrap_or_else(|| Control::new(self.object.digest));
        control.removing = false;
        if found.links.is_empty() {
            control.object = self.object.digest;
        }
        self.directories(layout, &control, made)?;
        let attached = found.attached();
        let needed: BTreeSet<String> = support::programs(&self.hooks, &self.kernel, |name| {
            self.object.has_program(name)
        })
        .into_iter()
        .collect();
        let missing: Vec<String> = needed
            .iter()
            .filter(|hook| !attached.contains(hook))
            .cloned()
            .collect();
        let maps_missing = maps::ALL.iter().any(|name| !found.maps.contains_key(*name));
        if !missing.is_empty() || maps_missing {
            self.bring_up(layout, found, &missing, made)?;
        }
        (self.observe)(Step::ProgramsAttached);

        let policy = sys::open_pin(&layout.map(maps::POLICY))
            .map_err(|source| Error::map("opening", maps::POLICY, source))?;
        let in_force = found
            .image
            .as_ref()
            .and_then(|image| image.header.as_ref())
            .map(|header| header.epoch);
        let epoch = control
            .next_epoch
            .max(in_force.unwrap_or(0).saturating_add(1))
            .max(self.first_epoch);
        control.next_epoch = epoch.checked_add(1).ok_or_else(|| Error::PinsUnreadable {
            dir: layout.dir().to_owned(),
            reason: "the epochs are used up".into(),
        })?;
        control.note(
            Application {
                epoch,
                uid: rustix::process::getuid().as_raw(),
                time: SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |time| time.as_secs()),
                left_out: Application::bits(self.left_out.iter().filter_map(Unsupported::hook)),
            },
            in_force.unwrap_or(0),
        );
        let digest = image.header.digest;
        let sticky = image.sticky()?;
        let image = image.with_epoch(epoch);
        // Not between the image and the slot, so that little is.
        write_control(layout, &control)?;
        let stored = store::store(&image)?;
        (self.observe)(Step::ImageStored);
        if !sticky.is_empty() {
            let coming = Coming {
                image: &image,
                epoch,
                sticky: &sticky,
            };
            seeds::plant(
                layout,
                self.system,
                &coming,
                &what_sticks(policy.as_fd(), in_force),
            )?;
            (self.observe)(Step::TasksSeeded);
        }
        store::publish(policy.as_fd(), &stored)?;
        (self.observe)(Step::Published);

        let unused = found
            .links
            .keys()
            .chain(found.programs.keys())
            .filter(|hook| !needed.contains(*hook))
            .cloned()
            .collect();
        let applied = Applied {
            epoch,
            digest,
            bytes: image.len(),
            hooks: self.hooks.clone(),
            attached: missing,
            detached: Vec::new(),
            detach_pending: Vec::new(),
            not_enforced: self.left_out.clone(),
            recovered: Vec::new(),
            previous_epoch: in_force,
            older_programs: control.object != self.object.digest,
            frozen: stored.frozen,
        };
        Ok((applied, unused))
    }

    /// The control map and the directories.
    fn directories(
        &self,
        layout: &Layout,
        control: &Control,
        made: &mut Vec<PathBuf>,
    ) -> Result<()> {
        let meta = layout.meta();
        if !meta.exists() {
            let failed = |source| Error::map("creating", "meta", source);
            let map = sys::map_create("lsmpc_meta", control::SHAPE, None).map_err(failed)?;
            sys::map_update(map.as_fd(), 0, &control.encode()).map_err(failed)?;
            made.push(meta.clone());
            sys::pin(map.as_fd(), &meta).map_err(|source| Error::map("pinning", "meta", source))?;
        } else {
            write_control(layout, control)?;
        }
        for group in Group::ALL {
            let path = layout.group(group);
            match fs::create_dir(&path) {
                Ok(()) => made.push(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => {
                    return Err(Error::system(
                        format!("creating {}", path.display()),
                        source,
                    ));
                }
            }
        }
        Ok(())
    }

    /// Makes the maps that are missing and attaches the programs that are.
    fn bring_up(
        &mut self,
        layout: &Layout,
        found: &Survey,
        missing: &[String],
        made: &mut Vec<PathBuf>,
    ) -> Result<()> {
        for (name, _) in self.object.shapes() {
            if !found.maps.contains_key(name) {
                made.push(layout.map(name));
            }
        }
        if !found.maps.contains_key(maps::POLICY) {
            let slot = store::create_slot()?;
            sys::pin(slot.as_fd(), &layout.map(maps::POLICY))
                .map_err(|source| Error::map("pinning", maps::POLICY, source))?;
        }
        let cpus = offsets::possible_cpus(self.system)?;
        let (kernel, system) = (&self.kernel, self.system);
        let cast = offsets::cast(kernel, system);
        let constants = offsets::constants(kernel, system, cast.is_some(), cpus, self.options.rate);
        let plan = LoadPlan {
            object: self.object,
            layout,
            constants: &constants,
            cast,
            cpus,
            event_bytes: self.options.event_bytes,
        };
        let loaded = attach::load(&plan, missing)?;
        (self.observe)(Step::MapsReady);
        (self.observe)(Step::ProgramsLoaded(missing.len()));
        attach::attach(layout, &loaded, made)
    }
}

/// What sticks to tasks under the policy in force. One that cannot be read has nothing
/// to keep.
fn what_sticks(policy: BorrowedFd<'_>, epoch: Option<u32>) -> InForce {
    let read = || -> Option<InForce> {
        let (_, map) = store::slot(policy).ok()??;
        let first = store::read_pages(map.as_fd(), 0, 1).ok()?;
        let pages = Header::read(&first).ok()?.pages;
        let image = store::read_all(map.as_fd(), pages).ok()?;
        Some(InForce {
            epoch: epoch?,
            sticky: image::sticky(&image).ok()?,
        })
    };
    read().unwrap_or_default()
}

/// Writes the control map's value.
pub(crate) fn write_control(layout: &Layout, control: &Control) -> Result<()> {
    let failed = |source| Error::map("writing", "meta", source);
    let map = sys::open_pin(&layout.meta()).map_err(failed)?;
    sys::map_update(map.as_fd(), 0, &control.encode()).map_err(failed)
}

/// Takes back what was made, the last first.
fn undo(made: &[PathBuf]) {
    for path in made.iter().rev() {
        if fs::remove_file(path).is_err() {
            let _ = fs::remove_dir(path);
        }
    }
}
