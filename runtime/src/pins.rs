//! What is pinned, and which state that is.
//!
//! Owns the layout of the pin directory and the classification of what is found
//! there. It never guesses: a state that no lsmpc command leaves behind, finished
//! or interrupted, is named as such. Must not change anything.
//!
//! ```text
//! DIR/meta          the control map: pinned first, removed last
//! DIR/maps/NAME     the programs' maps
//! DIR/progs/HOOK    the programs
//! DIR/links/HOOK    what keeps them attached
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use lsmpc_abi::maps;

use crate::control::{Control, Reading};
use crate::support::{TRACKERS, companions};
use crate::sys::{self, LinkInfo, MapInfo, ObjectInfo, ProgramInfo};
use lsmpc_abi::hook::HookId;

/// Where pins are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    dir: PathBuf,
}

/// The three directories of pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Maps,
    Programs,
    Links,
}

impl Group {
    pub(crate) const ALL: [Self; 3] = [Self::Maps, Self::Programs, Self::Links];

    fn name(self) -> &'static str {
        match self {
            Self::Maps => "maps",
            Self::Programs => "progs",
            Self::Links => "links",
        }
    }
}

impl Layout {
    pub(crate) fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn meta(&self) -> PathBuf {
        self.dir.join("meta")
    }

    pub(crate) fn group(&self, group: Group) -> PathBuf {
        self.dir.join(group.name())
    }

    pub(crate) fn pin(&self, group: Group, name: &str) -> PathBuf {
        self.group(group).join(name)
    }

    pub(crate) fn map(&self, name: &str) -> PathBuf {
        self.pin(Group::Maps, name)
    }

    /// Where `apply --replace` builds.
    pub(crate) fn sibling(&self) -> Self {
        let mut name = self.dir.as_os_str().to_owned();
        name.push("-next");
        Self { dir: name.into() }
    }
}

/// How pins are looked into; a test replaces it.
pub(crate) trait Inspect {
    /// What a pin stands for.
    fn object(&self, path: &Path) -> io::Result<ObjectInfo>;
    /// The value of the control map.
    fn control(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// The hooks of the image in force, if there is one.
    fn image(&self, policy: &Path) -> io::Result<Option<ImageInForce>>;
}

/// What the slot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageInForce {
    pub(crate) map: u32,
    /// `None`: page 0 is not an image's.
    pub(crate) header: Option<crate::image::Header>,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Survey {
    pub(crate) exists: bool,
    pub(crate) control: Option<Control>,
    pub(crate) other_abi: Option<u32>,
    pub(crate) maps: BTreeMap<String, MapInfo>,
    pub(crate) programs: BTreeMap<String, ProgramInfo>,
    pub(crate) links: BTreeMap<String, LinkInfo>,
    pub(crate) image: Option<ImageInForce>,
    pub(crate) foreign: Vec<PathBuf>,
}

/// What the pins amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Nothing is there.
    Absent,
    /// A policy is in force and all of it is there.
    Whole,
    /// An apply was interrupted. What was in force before still is; the next
    /// apply completes or clears what is left.
    Interrupted {
        /// Whether a policy is in force.
        in_force: bool,
        /// What is left over, in words.
        left: Vec<String>,
    },
    /// A remove was interrupted: no policy is in force.
    HalfRemoved,
    /// Another lsmpc's pins.
    OtherAbi {
        /// Its ABI version.
        found: u32,
    },
    /// Somebody else's file or pin is in the directory.
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// Pins are missing that no lsmpc command removes.
    Broken {
        /// What is wrong, in words.
        reason: String,
        /// Hooks that the policy names and no program is attached to: the next
        /// apply attaches them.
        unattached: Vec<String>,
    },
}

fn names(directory: &Path) -> io::Result<Vec<(String, bool)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        found.push((name, entry.file_type()?.is_dir()));
    }
    found.sort();
    Ok(found)
}

/// Looks at everything under the pin directory.
pub(crate) fn survey(layout: &Layout, inspect: &dyn Inspect) -> io::Result<Survey> {
    let mut survey = Survey::default();
    let entries = match names(layout.dir()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(survey),
        Err(error) => return Err(error),
    };
    survey.exists = true;
    for (name, is_dir) in entries {
        let group = Group::ALL.into_iter().find(|group| group.name() == name);
        match group {
            Some(group) if is_dir => survey.group(layout, group, inspect)?,
            None if name == "meta" && !is_dir => survey.meta(&layout.meta(), inspect),
            _ => survey.foreign.push(layout.dir().join(name)),
        }
    }
    if survey.maps.contains_key(maps::POLICY) {
        survey.image = inspect.image(&layout.map(maps::POLICY))?;
    }
    Ok(survey)
}

impl Survey {
    fn meta(&mut self, path: &Path, inspect: &dyn Inspect) {
        match inspect.control(path).map(|bytes| Control::decode(&bytes)) {
            Ok(Reading::Ours(control)) => self.control = Some(control),
            Ok(Reading::OtherAbi(abi)) => self.other_abi = Some(abi),
            // Pinned, and the command ended before it wrote to it.
            Ok(Reading::Blank) => self.control = Some(Control::new([0; 32])),
            Ok(Reading::Foreign) | Err(_) => self.foreign.push(path.to_owned()),
        }
    }

    fn group(&mut self, layout: &Layout, group: Group, inspect: &dyn Inspect) -> io::Result<()> {
        for (name, is_dir) in names(&layout.group(group))? {
            let path = layout.pin(group, &name);
            if is_dir {
                self.foreign.push(path);
                continue;
            }
            match (group, inspect.object(&path)) {
                (Group::Maps, Ok(ObjectInfo::Map(info))) => {
                    self.maps.insert(name, info);
                }
                (Group::Programs, Ok(ObjectInfo::Program(info))) => {
                    self.programs.insert(name, info);
                }
                (Group::Links, Ok(ObjectInfo::Link(info))) => {
                    self.links.insert(name, info);
                }
                // Gone between listing and opening.
                (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => {}
                (_, Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(error);
                }
                _ => self.foreign.push(path),
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.maps.is_empty() && self.programs.is_empty() && self.links.is_empty()
    }

    /// Whether there is something that a replacement would be exchanged for.
    pub(crate) fn is_occupied(&self) -> bool {
        self.control.is_some() || self.other_abi.is_some() || !self.is_empty()
    }

    /// Hooks whose link keeps a program of ours attached: the link's program is
    /// the pinned one, and it uses the pinned maps.
    pub(crate) fn attached(&self) -> Vec<String> {
        let policy = self.maps.get(maps::POLICY).map(|map| map.id);
        let ours = |name: &str, link: &LinkInfo| {
            self.programs.get(name).is_some_and(|program| {
                program.id == link.program
                    && (program.maps.is_empty()
                        || policy.is_none_or(|id| program.maps.contains(&id))
                        || self.maps.values().any(|map| program.maps.contains(&map.id)))
            })
        };
        self.links
            .iter()
            .filter(|(name, link)| ours(name, link))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Hooks that the image in force needs a program at.
    fn wanted(&self) -> Option<Vec<&'static str>> {
        let header = self.image.as_ref()?.header.as_ref()?;
        let application = self
            .control
            .as_ref()
            .and_then(|control| control.application(header.epoch))
            .unwrap_or_default();
        let hooks: Vec<HookId> = header
            .hooks
            .iter()
            .copied()
            .filter(|hook| !application.leaves_out(*hook))
            .collect();
        // Attached before the image was put in force, where the kernel has the hook.
        let companions = companions(&hooks).filter(|name| self.links.contains_key(*name));
        let names = hooks.iter().map(|hook| hook.name());
        Some(
            TRACKERS
                .iter()
                .copied()
                .chain(names)
                .chain(companions)
                .collect(),
        )
    }

    /// Which state this is.
    pub(crate) fn state(&self) -> State {
        if let Some(path) = self.foreign.first() {
            return State::Foreign { path: path.clone() };
        }
        if !self.exists {
            return State::Absent;
        }
        if let Some(found) = self.other_abi {
            return State::OtherAbi { found };
        }
        let Some(control) = &self.control else {
            return if self.is_empty() {
                State::Interrupted {
                    in_force: false,
                    left: vec!["an empty pin directory".into()],
                }
            } else {
                broken("the control map `meta` is missing")
            };
        };
        match &self.image {
            None if control.removing => State::HalfRemoved,
            None => State::Interrupted {
                in_force: false,
                left: self.leftovers(&[]),
            },
            Some(ImageInForce { header: None, .. }) => {
                broken("what is in force is not a table image")
            }
            Some(_) => self.state_in_force(),
        }
    }

    fn state_in_force(&self) -> State {
        if let Some(missing) = maps::ALL
            .iter()
            .find(|name| !self.maps.contains_key(**name))
        {
            return broken(format!("the map {missing} is not pinned"));
        }
        let wanted = self.wanted().unwrap_or_default();
        let attached = self.attached();
        let unattached: Vec<String> = wanted
            .iter()
            .filter(|name| !attached.iter().any(|hook| hook == *name))
            .map(|name| (*name).to_owned())
            .collect();
        if !unattached.is_empty() {
            return State::Broken {
                reason: format!("no program is attached to {}", unattached.join(", ")),
                unattached,
            };
        }
        let mut left = self.leftovers(&wanted);
        if self.control.is_some_and(|control| control.removing) {
            left.push("a remove that ended before it took effect".into());
        }
        if left.is_empty() {
            State::Whole
        } else {
            State::Interrupted {
                in_force: true,
                left,
            }
        }
    }

    /// Pins that the image in force does not need.
    fn leftovers(&self, wanted: &[&str]) -> Vec<String> {
        let extra = |kind: &str, name: &String| {
            (!wanted.contains(&name.as_str())).then(|| format!("{kind} {name}"))
        };
        let mut left: Vec<String> = self
            .links
            .keys()
            .filter_map(|name| extra("link", name))
            .chain(
                self.programs
                    .keys()
                    .filter_map(|name| extra("program", name)),
            )
            .collect();
        if wanted.is_empty() {
            left.extend(self.maps.keys().map(|name| format!("map {name}")));
            if left.is_empty() {
                left.push("an empty pin directory".into());
            }
        }
        left
    }
}

fn broken(reason: impl Into<String>) -> State {
    State::Broken {
        reason: reason.into(),
        unattached: Vec::new(),
    }
}

/// The kernel's own pins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KernelPins;

impl Inspect for KernelPins {
    fn object(&self, path: &Path) -> io::Result<ObjectInfo> {
        sys::object_info(sys::open_pin(path)?.as_fd())
    }

    fn control(&self, path: &Path) -> io::Result<Vec<u8>> {
        let map = sys::open_pin(path)?;
        let shape = sys::map_info(map.as_fd())?.shape;
        // Only ours is read: another map's value may need another buffer.
        if shape != crate::control::SHAPE {
            return Err(io::Error::other("it has another shape"));
        }
        let mut value = vec![0; crate::control::SIZE];
        sys::map_lookup(map.as_fd(), 0, &mut value)?;
        Ok(value)
    }

    fn image(&self, policy: &Path) -> io::Result<Option<ImageInForce>> {
        let outer = sys::open_pin(policy)?;
        let Some((map, fd)) = crate::store::slot(outer.as_fd())? else {
            return Ok(None);
        };
        let header = crate::store::read_pages(fd.as_fd(), 0, 1)
            .ok()
            .and_then(|page| crate::image::Header::read(&page).ok());
        Ok(Some(ImageInForce { map, header }))
    }
}

#[cfg(test)]
#[path = "pins_tests.rs"]
mod tests;
