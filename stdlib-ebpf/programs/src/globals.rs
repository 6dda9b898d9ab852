//! `.rodata` constants: what the loader tells the programs of this kernel.

use aya_ebpf::Global;
use lsmpc_abi::{
    ABI_VERSION, kernel,
    kernel::{DEFAULT_RATE, UNSET},
};

/// The contract that this object was built for. Read in the file by the runtime.
#[unsafe(no_mangle)]
#[used]
static LSMPC_ABI: Global<u32> = Global::new(ABI_VERSION);

#[unsafe(no_mangle)]
static CPU_COUNT: Global<u32> = Global::new(0);

#[unsafe(no_mangle)]
static RENAME_LOCK_ADDR: Global<u64> = Global::new(0);

#[unsafe(no_mangle)]
static MOUNT_LOCK_ADDR: Global<u64> = Global::new(0);

#[unsafe(no_mangle)]
static INIT_NSPROXY_ADDR: Global<u64> = Global::new(0);

#[unsafe(no_mangle)]
static RATE_PER_SECOND: Global<u32> = Global::new(DEFAULT_RATE);

/// Number of possible CPUs.
#[inline(always)]
pub(crate) fn cpus() -> u32 {
    let count = CPU_COUNT.load();
    if count == 0 {
        refuse();
    }
    count
}

/// Address of `rename_lock`, or 0.
#[inline(always)]
pub(crate) fn rename_lock() -> u64 {
    RENAME_LOCK_ADDR.load()
}

/// Address of `mount_lock`, or 0.
#[inline(always)]
pub(crate) fn mount_lock() -> u64 {
    MOUNT_LOCK_ADDR.load()
}

/// Address of `init_nsproxy`, or 0.
#[inline(always)]
pub(crate) fn init_nsproxy() -> u64 {
    INIT_NSPROXY_ADDR.load()
}

/// Records a second of one rate-limit bucket; 0: no limit.
#[inline(always)]
pub(crate) fn rate() -> u32 {
    RATE_PER_SECOND.load()
}

/// An offset in a kernel structure.
pub(crate) struct Offset(Global<u32>);

impl Offset {
    /// Its value.
    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        let value = self.0.load();
        if value == UNSET {
            refuse();
        }
        u64::from(value)
    }
}

/// Makes the verifier refuse a program in which this can be reached.
// VERIFIER: the constants are known to it (frozen, read-only map), so with all of
// them set the branch is dead; a read above the frame is never allowed.
#[inline(always)]
fn refuse() {
    #[cfg(target_arch = "bpf")]
    // SAFETY: never executed: a program with this reachable does not load.
    unsafe {
        core::arch::asm!("{0} = *(u64 *)(r10 + 8)", out(reg) _);
    }
}

macro_rules! statics {
    ($($global:ident $structure:literal [$($member:literal),+],)*) => {
        $(
            #[unsafe(no_mangle)]
            pub(crate) static $global: Offset = Offset(Global::new(kernel::UNSET));
        )*
    };
}
lsmpc_abi::kernel_offsets!(statics);
