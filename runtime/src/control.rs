//! The `meta` map: what the pins are, in words that every version can read.
//!
//! Owns its layout: who pinned, of which ABI version, which epoch comes next, and
//! when the image in force was applied. It is pinned first and removed last, so
//! that whatever an interrupted command left behind can be told for what it is.
//! Its first 16 bytes never change their meaning.

use lsmpc_abi::ABI_VERSION;
use lsmpc_abi::hook::{HOOK_SLOTS, HookId};

use crate::sys::{MAP_TYPE_ARRAY, MapShape};

/// Bytes of the map's one value.
pub(crate) const SIZE: usize = 256;
const MAGIC: [u8; 8] = *b"LSMPMETA";
const LAYOUT: u32 = 1;
const REMOVING: u32 = 1;
const _: () = assert!(HOOK_SLOTS <= u128::BITS as usize);

/// The map.
pub(crate) const SHAPE: MapShape = MapShape {
    kind: MAP_TYPE_ARRAY,
    key_size: 4,
    value_size: SIZE as u32,
    max_entries: 1,
    flags: 0,
};

/// When an image was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Application {
    /// Its epoch; 0: none.
    pub(crate) epoch: u32,
    /// Who applied it.
    pub(crate) uid: u32,
    /// Seconds since 1970.
    pub(crate) time: u64,
    /// Hooks that the policy names and that `--best-effort` left out: bit *n* is
    /// hook *n*.
    pub(crate) left_out: u128,
}

impl Application {
    /// Whether a hook was left out on purpose.
    pub(crate) fn leaves_out(&self, hook: HookId) -> bool {
        self.left_out >> (hook as u16) & 1 != 0
    }

    /// The set of hooks as bits.
    pub(crate) fn bits(hooks: impl IntoIterator<Item = HookId>) -> u128 {
        hooks
            .into_iter()
            .fold(0, |bits, hook| bits | 1 << (hook as u16))
    }
}

/// The value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Control {
    /// SHA-256 of the object that the programs come from.
    pub(crate) object: [u8; 32],
    /// A remove has begun.
    pub(crate) removing: bool,
    /// The next image's epoch.
    pub(crate) next_epoch: u32,
    /// The application before last and the last one, in either order: the slot
    /// of the image in force is never overwritten before the next is in force.
    pub(crate) applications: [Application; 2],
}

/// What a `meta` map holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// One of ours.
    Ours(Control),
    /// Not written yet: all zero.
    Blank,
    /// Of an lsmpc with another layout or ABI version.
    OtherAbi(u32),
    /// Not lsmpc's.
    Foreign,
}

impl Control {
    pub(crate) fn new(object: [u8; 32]) -> Self {
        Self {
            object,
            removing: false,
            next_epoch: 1,
            applications: [Application::default(); 2],
        }
    }

    /// Notes an application; `in_force` is the epoch that must stay known.
    pub(crate) fn note(&mut self, application: Application, in_force: u32) {
        let [first, second] = &mut self.applications;
        let slot = if first.epoch == in_force && in_force != 0 {
            second
        } else {
            first
        };
        *slot = application;
    }

    /// The application of an epoch.
    pub(crate) fn application(&self, epoch: u32) -> Option<Application> {
        self.applications
            .iter()
            .copied()
            .find(|application| application.epoch == epoch && epoch != 0)
    }

    pub(crate) fn encode(&self) -> [u8; SIZE] {
        let mut bytes = Vec::with_capacity(SIZE);
        bytes.extend(MAGIC);
        bytes.extend(LAYOUT.to_le_bytes());
        bytes.extend(ABI_VERSION.to_le_bytes());
        bytes.extend(self.object);
        bytes.extend(u32::from(self.removing).to_le_bytes());
        bytes.extend(self.next_epoch.to_le_bytes());
        for application in &self.applications {
            bytes.extend(application.epoch.to_le_bytes());
            bytes.extend(application.uid.to_le_bytes());
            bytes.extend(application.time.to_le_bytes());
            bytes.extend(application.left_out.to_le_bytes());
        }
        bytes.resize(SIZE, 0);
        let mut value = [0; SIZE];
        for (to, from) in value.iter_mut().zip(bytes) {
            *to = from;
        }
        value
    }

    pub(crate) fn decode(bytes: &[u8]) -> Reading {
        if bytes.iter().all(|byte| *byte == 0) {
            return Reading::Blank;
        }
        Self::decode_written(bytes).unwrap_or(Reading::Foreign)
    }

    fn decode_written(bytes: &[u8]) -> Option<Reading> {
        let word = |at: usize| -> Option<u32> {
            let end = at.checked_add(4)?;
            Some(u32::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
        };
        let long = |at: usize| -> Option<u64> {
            Some(u64::from(word(at)?) | u64::from(word(at + 4)?) << 32)
        };
        if bytes.get(..8)? != MAGIC {
            return None;
        }
        let abi = word(12)?;
        if word(8)? != LAYOUT || abi != ABI_VERSION {
            return Some(Reading::OtherAbi(abi));
        }
        let application = |at: usize| -> Option<Application> {
            Some(Application {
                epoch: word(at)?,
                uid: word(at + 4)?,
                time: long(at + 8)?,
                left_out: u128::from(long(at + 16)?) | u128::from(long(at + 24)?) << 64,
            })
        };
        Some(Reading::Ours(Self {
            object: bytes.get(16..48)?.try_into().ok()?,
            removing: word(48)? & REMOVING != 0,
            next_epoch: word(52)?,
            applications: [application(56)?, application(88)?],
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u32) -> Application {
        Application {
            epoch,
            uid: 5,
            time: 1 << 40,
            left_out: Application::bits([HookId::FileOpen, HookId::Syslog]),
        }
    }

    #[test]
    fn a_value_is_read_back() {
        let mut control = Control::new([7; 32]);
        control.removing = true;
        control.next_epoch = 9;
        control.note(at(8), 0);
        assert_eq!(Control::decode(&control.encode()), Reading::Ours(control));
    }

    #[test]
    fn the_image_in_force_stays_known_through_failed_attempts() {
        let mut control = Control::new([0; 32]);
        control.note(at(1), 0);
        for failed in 2..6 {
            control.note(at(failed), 1);
            assert_eq!(control.application(1), Some(at(1)));
        }
        control.note(at(6), 1);
        control.note(at(7), 6);
        assert_eq!(control.application(6), Some(at(6)));
        assert_eq!(control.application(7), Some(at(7)));
        assert_eq!(control.application(0), None);
    }

    #[test]
    fn others_are_told_apart() {
        assert_eq!(Control::decode(&[0; SIZE]), Reading::Blank);
        assert_eq!(Control::decode(&[1; SIZE]), Reading::Foreign);
        assert_eq!(Control::decode(b"LSMP"), Reading::Foreign);
        let mut other = Control::new([0; 32]).encode();
        other[12] = 200;
        assert_eq!(Control::decode(&other), Reading::OtherAbi(200));
    }
}
