//! `.rodata` constants: what the loader tells the programs of this kernel.

use aya_ebpf::Global;
use lsmpc_abi::{
    ABI_VERSION,
    hook::{HOOK_SLOTS, HookId},
    kernel::{self, DEFAULT_RATE, NO_ARGUMENTS, NUMBERS, UNSET},
};
use lsmpc_engine::bits::bound;

/// The contract that this object was built for. Read in the file by the runtime.
#[unsafe(no_mangle)]
#[used]
static LSMPC_ABI: Global<u32> = Global::new(ABI_VERSION);

#[unsafe(no_mangle)]
static EXECUTED_IS_MARKED: Global<u32> = Global::new(0);

/// Whether an inode tells that it is being executed.
#[inline(always)]
pub(crate) fn executed_is_marked() -> bool {
    EXECUTED_IS_MARKED.load() == 1
}

#[unsafe(no_mangle)]
static CPU_COUNT: Global<u32> = Global::new(0);

#[unsafe(no_mangle)]
static RENAME_LOCK_ADDR: Global<u64> = Global::new(0);

#[unsafe(no_mangle)]
static MOUNT_LOCK_ADDR: Global<u64> = Global::new(0);

#[unsafe(no_mangle)]
static SEQCOUNT_TYPE: Global<u32> = Global::new(0);

#[unsafe(no_mangle)]
static INIT_NSPROXY_ADDR: Global<u64> = Global::new(0);

#[unsafe(no_mangle)]
static PAGE_OFFSET_BASE_ADDR: Global<u64> = Global::new(0);

#[unsafe(no_mangle)]
static PGDIR_SHIFT_ADDR: Global<u64> = Global::new(0);

#[unsafe(no_mangle)]
static SME_ME_MASK_ADDR: Global<u64> = Global::new(0);

#[unsafe(no_mangle)]
static RATE_PER_SECOND: Global<u32> = Global::new(DEFAULT_RATE);

/// How many arguments each hook has, by its number.
#[unsafe(no_mangle)]
static HOOK_ARGUMENTS: ArgumentCounts = ArgumentCounts([NO_ARGUMENTS; HOOK_SLOTS]);

#[repr(transparent)]
struct ArgumentCounts([u8; HOOK_SLOTS]);

/// How many arguments this kernel gives the hook.
#[inline(always)]
pub(crate) fn arguments_of(hook: HookId) -> u8 {
    let counts = (&raw const HOOK_ARGUMENTS).cast::<u8>();
    // SAFETY: every hook has an entry. Volatile: the loader has changed it.
    let count = unsafe { counts.add(hook as usize).read_volatile() };
    if count == NO_ARGUMENTS {
        refuse();
    }
    count
}

/// The catalogue's numbers of what the kernel counts in its own way, by the
/// kernel's numbers; 0: not known.
#[repr(transparent)]
struct Numbers([u8; NUMBERS]);

impl Numbers {
    #[inline(always)]
    fn get(&self, number: u64) -> Option<u64> {
        if number >= NUMBERS as u64 {
            return None;
        }
        let at = bound::<{ NUMBERS as u64 - 1 }>(number) as usize;
        // SAFETY: in the table. Volatile: the loader has changed it.
        let known = unsafe { (&raw const self.0).cast::<u8>().add(at).read_volatile() };
        if known == 0 {
            return None;
        }
        Some(u64::from(known))
    }
}

#[unsafe(no_mangle)]
static READING_NUMBERS: Numbers = Numbers([0; NUMBERS]);

#[unsafe(no_mangle)]
static LOADING_NUMBERS: Numbers = Numbers([0; NUMBERS]);

#[unsafe(no_mangle)]
static LOCKDOWN_NUMBERS: Numbers = Numbers([0; NUMBERS]);

/// `kread.id` of an `enum kernel_read_file_id`.
#[inline(always)]
pub(crate) fn reading(number: u64) -> Option<u64> {
    READING_NUMBERS.get(number & 0xffff_ffff)
}

/// `kread.id` of an `enum kernel_load_data_id`.
#[inline(always)]
pub(crate) fn loading(number: u64) -> Option<u64> {
    LOADING_NUMBERS.get(number & 0xffff_ffff)
}

/// `what` of an `enum lockdown_reason`.
#[inline(always)]
pub(crate) fn lockdown(number: u64) -> Option<u64> {
    LOCKDOWN_NUMBERS.get(number & 0xffff_ffff)
}

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

/// The number of `struct seqcount` among the kernel's types, or 0.
#[inline(always)]
pub(crate) fn seqcount_type() -> u32 {
    SEQCOUNT_TYPE.load()
}

/// Address of `init_nsproxy`, or 0.
#[inline(always)]
pub(crate) fn init_nsproxy() -> u64 {
    INIT_NSPROXY_ADDR.load()
}

/// Address of `page_offset_base`, or 0.
#[inline(always)]
pub(crate) fn page_offset_base() -> u64 {
    PAGE_OFFSET_BASE_ADDR.load()
}

/// Address of `pgdir_shift`, or 0.
#[inline(always)]
pub(crate) fn pgdir_shift() -> u64 {
    PGDIR_SHIFT_ADDR.load()
}

/// Address of `sme_me_mask`, or 0.
#[inline(always)]
pub(crate) fn sme_me_mask() -> u64 {
    SME_ME_MASK_ADDR.load()
}

/// Records a second of one rate-limit bucket; 0: no limit.
#[inline(always)]
pub(crate) fn rate() -> u32 {
    RATE_PER_SECOND.load()
}

/// An offset in a kernel structure that the program cannot do without.
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

/// An offset in a kernel structure that some fields alone are read with.
pub(crate) struct FieldOffset(Global<u32>);

impl FieldOffset {
    /// Its value; `None` if this kernel's structure has no such member.
    #[inline(always)]
    pub(crate) fn get(&self) -> Option<u64> {
        let value = self.0.load();
        (value != UNSET).then_some(u64::from(value))
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
    ($(
        $global:ident $structure:literal [$($member:literal),+] $(tells [$($field:ident),+])?,
    )*) => {
        $(statics!(@ $global $($($field)+)?);)*
    };
    (@ $global:ident) => {
        #[unsafe(no_mangle)]
        pub(crate) static $global: Offset = Offset(Global::new(kernel::UNSET));
    };
    (@ $global:ident $($field:ident)+) => {
        #[unsafe(no_mangle)]
        pub(crate) static $global: FieldOffset = FieldOffset(Global::new(kernel::UNSET));
    };
}
lsmpc_abi::kernel_offsets!(statics);
