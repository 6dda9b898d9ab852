//! What BPF LSM links exist, asked of the kernel itself, so that no tool has
//! to be believed.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result, bail};
use aya::Btf;
use lsmpc_abi::hook::HookId;
use lsmpc_abi::image::PAGE_SIZE;
use lsmpc_runtime::btf::KernelBtf;

const BPF_LINK_GET_FD_BY_ID: libc::c_long = 30;
const BPF_LINK_GET_NEXT_ID: libc::c_long = 31;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const BPF_LINK_TYPE_TRACING: u32 = 2;
const BPF_LSM_MAC: u32 = 27;

/// A program attached to an LSM hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LsmLink {
    pub(crate) id: u32,
    pub(crate) program: u32,
    /// BTF id of the function `bpf_lsm_HOOK`.
    function: u32,
}

/// `bpf(2)` with an attribute of so many words of 32 bits.
fn bpf<const N: usize>(command: libc::c_long, attribute: &mut [u32; N]) -> std::io::Result<i32> {
    // SAFETY: the kernel reads and writes at most the size given, which is
    // that of the array.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            attribute.as_mut_ptr(),
            size_of_val(attribute),
        )
    };
    if result < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(result as i32)
}

/// Every LSM link in the kernel, in the order of their ids.
pub(crate) fn lsm_links() -> Result<Vec<LsmLink>> {
    let mut links = Vec::new();
    let mut id = 0;
    loop {
        let mut attribute = [id, 0, 0, 0, 0, 0, 0, 0];
        match bpf(BPF_LINK_GET_NEXT_ID, &mut attribute) {
            Ok(_) => id = attribute[1],
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(links),
            Err(error) => return Err(error).context("BPF_LINK_GET_NEXT_ID"),
        }
        match link_of(id) {
            Ok(Some(link)) => links.push(link),
            Ok(None) => {}
            // Gone between the two calls.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            Err(error) => return Err(error).with_context(|| format!("BPF link {id}")),
        }
    }
}

fn link_of(id: u32) -> std::io::Result<Option<LsmLink>> {
    let descriptor = bpf(BPF_LINK_GET_FD_BY_ID, &mut [id, 0, 0, 0, 0, 0, 0, 0])?;
    let mut info = [0u32; 32];
    let address = (&raw mut info) as u64;
    let mut attribute = [
        descriptor as u32,
        size_of_val(&info) as u32,
        address as u32,
        (address >> 32) as u32,
        0,
        0,
        0,
        0,
    ];
    let result = bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attribute);
    // SAFETY: the descriptor is ours and not used afterwards.
    unsafe { libc::close(descriptor) };
    result?;
    let [kind, id, program, _, attach, _, function, ..] = info;
    Ok(
        (kind == BPF_LINK_TYPE_TRACING && attach == BPF_LSM_MAC).then_some(LsmLink {
            id,
            program,
            function,
        }),
    )
}

/// What the kernel says of a loaded program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProgramCost {
    /// Instructions that the verifier went through.
    pub(crate) verified: u32,
    /// Bytes of machine code.
    pub(crate) jited: u32,
}

/// Asks about a program by its id.
pub(crate) fn program_cost(id: u32) -> Result<ProgramCost> {
    const BPF_PROG_GET_FD_BY_ID: libc::c_long = 13;
    // `struct bpf_prog_info`, in words of 32 bits.
    const JITED: usize = 4;
    const VERIFIED: usize = 54;
    let program = bpf(BPF_PROG_GET_FD_BY_ID, &mut [id, 0, 0, 0, 0, 0, 0, 0])
        .with_context(|| format!("BPF program {id}"))?;
    // SAFETY: the kernel made this descriptor for us.
    let program = unsafe { OwnedFd::from_raw_fd(program) };
    let mut info = [0u32; 58];
    let [low, high] = halves((&raw mut info) as u64);
    let mut attribute = [
        program.as_raw_fd() as u32,
        size_of_val(&info) as u32,
        low,
        high,
        0,
        0,
        0,
        0,
    ];
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attribute).context("asking about a program")?;
    Ok(ProgramCost {
        verified: info[VERIFIED],
        jited: info[JITED],
    })
}

/// A program of somebody else for an LSM hook: it allows everything. It goes when it is
/// dropped.
pub(crate) struct Stranger {
    program: OwnedFd,
    link: Option<OwnedFd>,
}

impl Stranger {
    /// Loads one under a name.
    pub(crate) fn load(name: &str, hook: &str) -> Result<Self> {
        const BPF_PROG_LOAD: libc::c_long = 5;
        const BPF_PROG_TYPE_LSM: u32 = 29;
        /// `r0 = 0; exit`.
        const ALLOW: [u64; 2] = [0xb7, 0x95];
        let kernel = KernelBtf::parse(std::fs::read("/sys/kernel/btf/vmlinux")?)?;
        let function = kernel
            .function(&format!("bpf_lsm_{hook}"))
            .with_context(|| format!("no hook {hook}"))?;
        let mut attribute = [0u32; 28];
        attribute[..2].copy_from_slice(&[BPF_PROG_TYPE_LSM, 2]);
        attribute[2..4].copy_from_slice(&halves(ALLOW.as_ptr() as u64));
        attribute[4..6].copy_from_slice(&halves(c"GPL".as_ptr() as u64));
        for (at, byte) in name.bytes().take(15).enumerate() {
            attribute[12 + at / 4] |= u32::from(byte) << (8 * (at % 4));
        }
        attribute[17] = BPF_LSM_MAC;
        attribute[27] = function;
        let program = bpf(BPF_PROG_LOAD, &mut attribute)
            .with_context(|| format!("loading {name} for {hook}"))?;
        Ok(Self {
            // SAFETY: the kernel made this descriptor for us.
            program: unsafe { OwnedFd::from_raw_fd(program) },
            link: None,
        })
    }

    /// Attaches it.
    pub(crate) fn attach(&mut self) -> Result<()> {
        const BPF_RAW_TRACEPOINT_OPEN: libc::c_long = 17;
        let program = self.program.as_raw_fd() as u32;
        let link =
            bpf(BPF_RAW_TRACEPOINT_OPEN, &mut [0, 0, program, 0]).context("attaching a program")?;
        // SAFETY: the kernel made this descriptor for us.
        self.link = Some(unsafe { OwnedFd::from_raw_fd(link) });
        Ok(())
    }
}

/// Names the hooks of links.
pub(crate) struct HookNames {
    by_function: BTreeMap<u32, &'static str>,
}

impl HookNames {
    /// Reads the running kernel's BTF.
    pub(crate) fn read() -> Result<Self> {
        let btf = Btf::from_sys_fs().context("the kernel's BTF")?;
        let trackers = [
            "file_ioctl_compat",
            "inode_free_security",
            "task_alloc",
            "task_free",
            "bprm_committed_creds",
            "bprm_creds_for_exec",
            "bprm_creds_from_file",
            "bprm_committing_creds",
            "file_free_security",
            "file_alloc_security",
        ];
        let by_function = HookId::ALL
            .iter()
            .map(|hook| hook.name())
            .chain(trackers)
            .filter_map(|name| {
                btf.id_by_type_name_kind(&format!("bpf_lsm_{name}"), aya_obj::btf::BtfKind::Func)
                    .ok()
                    .map(|id| (id, name))
            })
            .collect();
        Ok(Self { by_function })
    }

    /// Whether this kernel has the hook.
    pub(crate) fn knows(&self, hook: &str) -> bool {
        self.by_function.values().any(|name| *name == hook)
    }

    /// The hook of each link, sorted.
    pub(crate) fn of(&self, links: &[LsmLink]) -> Result<Vec<&'static str>> {
        let mut names = links
            .iter()
            .map(|link| {
                self.by_function
                    .get(&link.function)
                    .copied()
                    .with_context(|| format!("link {} is on an unknown hook", link.id))
            })
            .collect::<Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(names)
    }
}

/// The links of which the hook is one that a policy can name.
pub(crate) fn policy_hooks(names: &HookNames) -> Result<Vec<&'static str>> {
    let mut hooks = names.of(&lsm_links()?)?;
    hooks.retain(|name| HookId::from_name(name).is_some());
    Ok(hooks)
}

/// Waits until no LSM link is left: detaching is asynchronous.
pub(crate) fn await_no_links() -> Result<()> {
    for _ in 0..100 {
        if lsm_links()?.is_empty() {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    bail!("these LSM links are left: {:?}", lsm_links()?)
}

/// The two halves of an address, as they stand in an attribute.
fn halves(address: u64) -> [u32; 2] {
    [address as u32, (address >> 32) as u32]
}

/// A map, by a descriptor.
pub(crate) struct Map(OwnedFd);

impl Map {
    /// The map behind a pin.
    pub(crate) fn pinned(path: &str) -> Result<Self> {
        const BPF_OBJ_GET: libc::c_long = 7;
        let name = CString::new(path)?;
        let [low, high] = halves(name.as_ptr() as u64);
        let map = bpf(BPF_OBJ_GET, &mut [low, high, 0, 0, 0, 0, 0, 0])
            .with_context(|| format!("opening the pin {path}"))?;
        // SAFETY: the kernel made this descriptor for us.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(map) }))
    }

    /// An array of pages with these contents, as an image is kept.
    pub(crate) fn of_pages(bytes: &[u8]) -> Result<Self> {
        const BPF_MAP_CREATE: libc::c_long = 0;
        const BPF_MAP_FREEZE: libc::c_long = 22;
        const ARRAY: u32 = 2;
        const INNER_MAP: u32 = 1 << 12;
        let pages = bytes.len() / PAGE_SIZE;
        let mut attribute = [ARRAY, 4, PAGE_SIZE as u32, pages as u32, INNER_MAP, 0, 0, 0];
        let map = bpf(BPF_MAP_CREATE, &mut attribute).context("creating an array of pages")?;
        // SAFETY: the kernel made this descriptor for us.
        let map = Self(unsafe { OwnedFd::from_raw_fd(map) });
        for (number, page) in bytes.chunks_exact(PAGE_SIZE).enumerate() {
            map.set(number as u32, page)?;
        }
        bpf(BPF_MAP_FREEZE, &mut [map.raw(), 0, 0, 0, 0, 0, 0, 0]).context("freezing")?;
        Ok(map)
    }

    /// Puts another map into a slot of this one.
    pub(crate) fn set_map(&self, key: u32, map: &Self) -> Result<()> {
        self.set(key, &map.raw().to_ne_bytes())
    }

    fn set(&self, key: u32, value: &[u8]) -> Result<()> {
        const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
        self.element(BPF_MAP_UPDATE_ELEM, key, value.as_ptr() as u64)
            .context("changing a map")
    }

    fn get(&self, key: u32, value: &mut [u8]) -> Result<()> {
        const BPF_MAP_LOOKUP_ELEM: libc::c_long = 1;
        self.element(BPF_MAP_LOOKUP_ELEM, key, value.as_mut_ptr() as u64)
            .context("reading a map")
    }

    fn element(&self, command: libc::c_long, key: u32, value: u64) -> std::io::Result<()> {
        let [key_low, key_high] = halves((&raw const key) as u64);
        let [low, high] = halves(value);
        bpf(
            command,
            &mut [self.raw(), 0, key_low, key_high, low, high, 0, 0],
        )
        .map(drop)
    }

    fn raw(&self) -> u32 {
        self.0.as_raw_fd() as u32
    }
}

/// Writes bytes into the first value of a pinned array map.
pub(crate) fn patch_pinned_array(path: &str, size: usize, at: usize, bytes: &[u8]) -> Result<()> {
    let map = Map::pinned(path)?;
    let mut value = vec![0u8; size];
    map.get(0, &mut value)?;
    value[at..at + bytes.len()].copy_from_slice(bytes);
    map.set(0, &value)
}
