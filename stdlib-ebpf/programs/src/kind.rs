//! What events are about, and how a hook's program is written.

use aya_ebpf::programs::LsmContext;
use lsmpc_abi::Presence;

use crate::maps::{Arguments, Slot};

/// What events are about: one kind for all hooks whose objects are read in the
/// same way. A kind reads the slot's copy of the hook's arguments, which are plain
/// numbers there, put in the kind's order by the hook's program.
pub(crate) trait Kind {
    /// Whether the first argument is a task, with the fields of TARGET.
    const HAS_TARGET: bool = false;
    /// Whether a hook of this kind is the one that asks about programs to run, with a
    /// `linux_binprm` as the second argument.
    const EXECUTES: bool = false;

    /// Whether all of its hooks are about a file, which `look` fills in what is seen of.
    const IS_SEEN: bool = false;

    /// Looks at the object of an event that is to be recorded, where the types of the
    /// hook's arguments are known.
    fn look(_ctx: &LsmContext, _hook: u32, _slot: *mut Slot) {}

    /// Writes a scalar field or an address into the work.
    fn value(slot: &mut Slot, field: u8);

    /// Puts a string field into the work's text buffer.
    fn text(slot: &mut Slot, field: u8) -> Presence;
}

/// [`Kind`] through global functions, with names of their own.
// VERIFIER: they are gone through on their own, once each, and not as a part of
// the loop that calls them.
pub(crate) trait Functions: Kind {
    fn call_value(slot: *mut Slot, field: u8);
    fn call_text(slot: *mut Slot, field: u8);
    fn call_record(slot: *mut Slot);
}

/// Defines the global functions of a kind.
macro_rules! functions {
    ($kind:ty, $value:ident, $text:ident, $record:ident) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $value(slot: *mut $crate::maps::Slot, field: u64) -> u64 {
            // SAFETY: null or the slot claimed by this event.
            if let Some(slot) = unsafe { slot.as_mut() } {
                <$kind as $crate::kind::Kind>::value(slot, field as u8);
            }
            0
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $text(slot: *mut $crate::maps::Slot, field: u64) -> u64 {
            // SAFETY: null or the slot claimed by this event.
            if let Some(slot) = unsafe { slot.as_mut() } {
                $crate::event::text::<$kind>(slot, field as u8);
            }
            0
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $record(slot: *mut $crate::maps::Slot) -> u64 {
            // SAFETY: null or the slot claimed by this event.
            if let Some(slot) = unsafe { slot.as_mut() } {
                $crate::record::emit::<$kind>(slot);
            }
            0
        }

        impl $crate::kind::Functions for $kind {
            #[inline(always)]
            fn call_value(slot: *mut $crate::maps::Slot, field: u8) {
                $value(slot, u64::from(field));
            }

            #[inline(always)]
            fn call_text(slot: *mut $crate::maps::Slot, field: u8) {
                $text(slot, u64::from(field));
            }

            #[inline(always)]
            fn call_record(slot: *mut $crate::maps::Slot) {
                $record(slot);
            }
        }
    };
}
pub(crate) use functions;

/// Defines the programs of hooks: the hook, how many of its arguments are read,
/// the kind of its object, and a function that puts the arguments in the order
/// that the kind expects.
macro_rules! programs {
    ($(
        $(#[$doc:meta])*
        $name:ident = $section:literal, $hook:ident($arguments:literal) => $kind:ty, $arrange:expr;
    )*) => {
        $(
            $(#[$doc])*
            #[unsafe(no_mangle)]
            #[unsafe(link_section = $section)]
            extern "C" fn $name(ctx: *mut core::ffi::c_void) -> i32 {
                $crate::event::decide::<$kind, $arguments>(
                    &aya_ebpf::programs::LsmContext::new(ctx),
                    lsmpc_abi::hook::HookId::$hook,
                    $arrange,
                )
            }
        )*
    };
}
pub(crate) use programs;

/// Leaves the arguments as they are.
#[inline(always)]
pub(crate) fn as_given(_arguments: &mut Arguments) {}
