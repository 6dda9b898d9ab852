//! The path that programs find is the one that the kernel itself tells of the opened
//! file, byte for byte, whatever it was reached through; and what is decided by it.
//!
//! The kernel's is what `/proc/self/fd/N` says to a process with the first root.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};

use super::Ground;
use crate::cli::Event;
use crate::console::Report;
use crate::machine;

/// Everything is below this, on a file system of its own.
const BASE: &str = "/t/shapes";
/// Longest path that is known.
const LONGEST: usize = 4095;
/// Random shapes are made from these.
const SEEDS: [u64; 3] = [1, 7, 4242];
/// So many of each.
const RANDOM: usize = 12;

pub(super) fn run(report: &mut Report, ground: &mut Ground) {
    report.test("enforce::shapes::as_the_kernel_says", || {
        within_base(ground, |ground, base| examine(ground, all_kinds(base)?))
    });
    for seed in SEEDS {
        report.test(&format!("enforce::shapes::random_{seed}"), || {
            within_base(ground, |ground, base| {
                let mut random = Random(seed);
                let shapes: Result<Vec<Shape>> =
                    (0..RANDOM).map(|_| any_kind(base, &mut random)).collect();
                examine(ground, shapes?)
            })
        });
    }
}

/// Makes the place, and takes it away with all that was mounted in it.
fn within_base(
    ground: &mut Ground,
    test: impl FnOnce(&mut Ground, &mut Base) -> Result<()>,
) -> Result<()> {
    // A policy about paths would be in the way.
    ground.apply("audit settime")?;
    fs::create_dir_all(BASE)?;
    rustix::mount::mount("base", BASE, "tmpfs", MountFlags::empty(), None)?;
    let mut base = Base { sources: 0 };
    let result = test(ground, &mut base);
    rustix::mount::unmount(BASE, UnmountFlags::DETACH)?;
    result
}

/// A file to open, and another beside it.
struct Shape {
    what: String,
    directory: OwnedFd,
    name: Vec<u8>,
    /// A file without a name, which is opened through this.
    deleted: Option<OwnedFd>,
}

impl Shape {
    fn open(&self) -> rustix::io::Result<OwnedFd> {
        match &self.deleted {
            Some(place) => rustix::fs::open(descriptor(place), OFlags::RDONLY, Mode::empty()),
            None => open_at(&self.directory, &self.name, OFlags::RDONLY),
        }
    }

    /// A file whose name begins as this one's.
    fn open_near(&self) -> rustix::io::Result<OwnedFd> {
        open_at(&self.directory, &near(&self.name), OFlags::RDONLY)
    }
}

fn near(name: &[u8]) -> Vec<u8> {
    let mut name = name.to_vec();
    if let Some(last) = name.last_mut() {
        *last = if *last == b'~' { b'-' } else { b'~' };
    }
    name
}

/// A name for what a descriptor refers to.
fn descriptor(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn open_at(directory: &OwnedFd, name: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let mode = Mode::from_raw_mode(0o644);
    rustix::fs::openat(directory, OsStr::from_bytes(name), flags, mode)
}

/// What is put on a directory before it is entered.
#[derive(Clone, Copy, Debug)]
enum On {
    Nothing,
    Mount,
    /// One mount, and another on that.
    Stack,
    Bind,
    Overlay,
}

/// Where directories that are bound and overlaid come from.
struct Base {
    sources: usize,
}

impl Base {
    /// A directory of its own outside of what is shaped.
    fn source(&mut self) -> Result<String> {
        self.sources += 1;
        let path = format!("{BASE}/source-{}", self.sources);
        fs::create_dir(&path)?;
        Ok(path)
    }

    /// The way down to a new file.
    fn descend(&mut self, steps: &[(Vec<u8>, On)], name: &[u8]) -> Result<Shape> {
        let start = self.source()?;
        let mut directory = rustix::fs::open(start, OFlags::DIRECTORY, Mode::empty())?;
        for (step, on) in steps {
            directory = self.enter(&directory, step, *on)?;
        }
        for name in [name, &near(name)] {
            open_at(&directory, name, OFlags::CREATE | OFlags::WRONLY)?;
        }
        Ok(Shape {
            what: steps.iter().map(|(_, on)| format!("{on:?} ")).collect(),
            directory,
            name: name.to_vec(),
            deleted: None,
        })
    }

    fn enter(&mut self, directory: &OwnedFd, name: &[u8], on: On) -> Result<OwnedFd> {
        let mode = Mode::from_raw_mode(0o755);
        rustix::fs::mkdirat(directory, OsStr::from_bytes(name), mode)?;
        let enter = || open_at(directory, name, OFlags::DIRECTORY);
        let tmpfs = |place: OwnedFd| {
            rustix::mount::mount("s", descriptor(&place), "tmpfs", MountFlags::empty(), None)
        };
        match on {
            On::Nothing => {}
            On::Mount => tmpfs(enter()?)?,
            On::Stack => {
                tmpfs(enter()?)?;
                tmpfs(enter()?)?;
            }
            On::Bind => {
                let source = self.source()?;
                rustix::mount::mount_bind(source, descriptor(&enter()?))?;
            }
            On::Overlay => {
                let parts = [self.source()?, self.source()?, self.source()?];
                let [lower, upper, work] = parts;
                let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
                let options = std::ffi::CString::new(options)?;
                rustix::mount::mount(
                    "overlay",
                    descriptor(&enter()?),
                    "overlay",
                    MountFlags::empty(),
                    options.as_c_str(),
                )?;
            }
        }
        Ok(enter()?)
    }

    /// A file whose path has so many bytes.
    fn of_length(&mut self, length: usize) -> Result<Shape> {
        let mut steps = Vec::new();
        let start = format!("{BASE}/source-{}", self.sources + 1).len();
        let mut left = length - start;
        while left > 256 {
            let step = (left - 2).min(256);
            steps.push((vec![b'd'; step - 1], On::Nothing));
            left -= step;
        }
        let mut shape = self.descend(&steps, &vec![b'f'; left - 1])?;
        shape.what = format!("{length} bytes");
        Ok(shape)
    }
}

/// What can be done on the way, where the kernel has it.
fn kinds() -> Vec<On> {
    let mut all = vec![On::Nothing, On::Mount, On::Stack, On::Bind];
    if machine::load_module("overlay").is_ok() {
        all.push(On::Overlay);
    }
    all
}

fn all_kinds(base: &mut Base) -> Result<Vec<Shape>> {
    const NAMES: [&[u8]; 5] = [b"f", b"a\nb", b"\xff\xfe raw", b"{*?[\\]}", b"f (deleted)"];
    let mut all = Vec::new();
    for on in kinds() {
        let on = |name: &[u8]| (name.to_vec(), on);
        all.push(base.descend(&[on(b"one")], b"f")?);
        all.push(base.descend(&[on(b"one"), on(b"two"), on(b"three")], b"f")?);
    }
    for name in NAMES {
        all.push(base.descend(&[(name.to_vec(), On::Mount)], name)?);
    }
    all.push(base.descend(&vec![(b"d".to_vec(), On::Nothing); 40], b"f")?);
    let long = (vec![b'n'; 255], On::Bind);
    all.push(base.descend(&[long], &[b'm'; 255])?);
    for length in [LONGEST - 1, LONGEST, LONGEST + 1, LONGEST + 200] {
        all.push(base.of_length(length)?);
    }
    let deleted = base.descend(&[(b"x".to_vec(), On::Mount)], b"gone")?;
    all.push(without_name(deleted)?);
    // What another mount has been put on, reached by a descriptor from before.
    let covered = base.descend(&[(b"x".to_vec(), On::Mount)], b"below")?;
    let place = rustix::fs::openat(&covered.directory, ".", OFlags::DIRECTORY, Mode::empty())?;
    rustix::mount::mount("s", descriptor(&place), "tmpfs", MountFlags::empty(), None)?;
    all.push(covered);
    Ok(all)
}

/// Takes the file's name away.
fn without_name(mut shape: Shape) -> Result<Shape> {
    shape.deleted = Some(open_at(&shape.directory, &shape.name, OFlags::PATH)?);
    let name = OsStr::from_bytes(&shape.name);
    rustix::fs::unlinkat(&shape.directory, name, AtFlags::empty())?;
    Ok(shape)
}

/// Numbers that look random, the same for each seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    /// A name of any bytes that a name can have.
    fn name(&mut self) -> Vec<u8> {
        let length = match self.below(8) {
            0 => 255,
            1 => 40,
            _ => 1 + self.below(12),
        };
        let mut name: Vec<u8> = (0..length)
            .map(|_| match self.below(256) as u8 {
                0 | b'/' => b'x',
                byte => byte,
            })
            .collect();
        if name.iter().all(|byte| *byte == b'.') {
            name[0] = b'y';
        }
        name
    }
}

fn any_kind(base: &mut Base, random: &mut Random) -> Result<Shape> {
    let kinds = kinds();
    let steps: Vec<(Vec<u8>, On)> = (0..random.below(14))
        .map(|_| (random.name(), kinds[random.below(kinds.len())]))
        .collect();
    let mut name = random.name();
    // Another name, whatever its last byte is.
    name.insert(0, b'f');
    name.truncate(255);
    let shape = base.descend(&steps, &name)?;
    if random.below(4) == 0 {
        return without_name(shape);
    }
    Ok(shape)
}

/// Opens each file, compares what is recorded with what the kernel says, and has the
/// kernel's word decide.
fn examine(ground: &mut Ground, shapes: Vec<Shape>) -> Result<()> {
    ground.apply("@id(\"shape\") audit file_open when comm == \"shaper\"")?;
    let mut told = Vec::new();
    for shape in &shapes {
        // Records of one outcome are few in a second; and an overlay opens the file below
        // as well, after its own.
        ground.events()?.settle(Duration::from_millis(30))?;
        rustix::thread::set_name(c"shaper")?;
        let file = shape.open();
        rustix::thread::set_name(c"init")?;
        let file = file.with_context(|| shape.what.clone())?;
        let kernel = said_by_kernel(&file, shape.deleted.is_some())?;
        let event = ground.events()?.of_rule("shape")?;
        ensure!(
            recorded(&event)? == kernel,
            "{}: the kernel says {:?}, the record {}",
            shape.what,
            kernel.as_ref().map(|path| path.escape_ascii().to_string()),
            event.0
        );
        told.push(kernel);
    }
    let paths: Vec<String> = told.iter().flatten().map(|path| literal(path)).collect();
    ensure!(
        !paths.is_empty() && paths.len() + 2 >= shapes.len(),
        "{} of {} paths are known",
        paths.len(),
        shapes.len()
    );
    ground.apply(&format!(
        "@id(\"no\") deny file_open when path in [{}]",
        paths.join(", ")
    ))?;
    for (shape, kernel) in shapes.iter().zip(told) {
        let opened = shape.open().err();
        ensure!(opened == Some(Errno::PERM), "{}: {opened:?}", shape.what);
        // What has no known path is denied in doubt, and so is what lies beside it.
        let near = shape.open_near().err();
        let wanted = kernel.is_none().then_some(Errno::PERM);
        ensure!(near == wanted, "beside {}: {near:?}", shape.what);
    }
    Ok(())
}

/// The path of an opened file; none if the kernel has no room for it.
fn said_by_kernel(file: &OwnedFd, deleted: bool) -> Result<Option<Vec<u8>>> {
    let mut path = match fs::read_link(descriptor(file)) {
        Ok(path) => path.into_os_string().into_vec(),
        Err(error) if error.raw_os_error() == Some(libc::ENAMETOOLONG) => return Ok(None),
        Err(error) => return Err(error).context("reading a link of /proc"),
    };
    if deleted {
        let Some(rest) = path.strip_suffix(b" (deleted)") else {
            bail!("not deleted: {}", path.escape_ascii());
        };
        path = rest.to_vec();
    }
    Ok(Some(path))
}

/// The path of a record.
fn recorded(event: &Event) -> Result<Option<Vec<u8>>> {
    let Some(text) = event.get("path").as_str() else {
        return Ok(None);
    };
    let Some(digits) = text.strip_prefix("bytes:") else {
        return Ok(Some(text.as_bytes().to_vec()));
    };
    let bytes: Result<Vec<u8>, _> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16))
        .collect();
    Ok(Some(bytes?))
}

/// A pattern that matches this path alone.
fn literal(path: &[u8]) -> String {
    let quoted = |byte: &u8| match byte {
        b'/' | b'0'..=b'9' | b'a'..=b'z' => char::from(*byte).to_string(),
        byte => format!("\\\\\\x{byte:02x}"),
    };
    let text: String = path.iter().map(quoted).collect();
    format!("\"{text}\"")
}
