//! The bytes of a task's state and of its seeds, as the programs lay them out.

use lsmpc_abi::Presence;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::Bits;
use lsmpc_abi::state::{INLINE_EXE, Seed, Seeds, Sticky, TaskState};
use lsmpc_engine::host::{Event, Value};

/// A path of a task's state.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Path {
    Value(Value),
    /// In parts, and so long.
    Long(usize),
}

/// A task's state.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    /// The first word of the program's entry.
    pub(super) head: u64,
    pub(super) exe: Path,
    pub(super) parent: Path,
    pub(super) parent_comm: Vec<u8>,
    pub(super) sticky: Sticky,
}

impl Kept {
    /// `None` if the programs have not filled it in.
    pub(super) fn decode(bytes: &[u8; size_of::<TaskState>()]) -> Option<Self> {
        use std::mem::offset_of;
        let word = |at: usize| {
            let bytes = bytes.get(at..at + 8)?;
            Some(u64::from_le_bytes(bytes.try_into().ok()?))
        };
        let path = |at: usize| {
            let head = word(at)?;
            let length = (head >> 16 & 0xffff) as usize;
            Some(match head & 0xff {
                known if known == Presence::Known as u64 && head & 0x100 != 0 => Path::Long(length),
                known if known == Presence::Known as u64 => {
                    let text = bytes.get(at + 8..at + 8 + length.min(INLINE_EXE))?;
                    Path::Value(Value::Text(text.to_vec()))
                }
                none if none == Presence::None as u64 => Path::Value(Value::None),
                _ => Path::Value(Value::Unknown),
            })
        };
        let head = word(offset_of!(TaskState, exe)).filter(|head| *head != 0)?;
        let comm = offset_of!(TaskState, parent_comm);
        let sticky = offset_of!(TaskState, sticky);
        let comm = bytes.get(comm..comm + 16)?;
        Some(Self {
            head,
            exe: path(offset_of!(TaskState, exe))?,
            parent: path(offset_of!(TaskState, parent))?,
            parent_comm: comm.split(|byte| *byte == 0).next()?.to_vec(),
            sticky: decode_sticky(bytes.get(sticky..)?)?,
        })
    }

    /// What it says of the subject.
    pub(super) fn add_to(&self, subject: &mut Event) {
        for (field, path) in [
            (FieldId::Exe, &self.exe),
            (FieldId::ParentExe, &self.parent),
        ] {
            let value = match path {
                Path::Value(value) => value.clone(),
                Path::Long(_) => Value::Unknown,
            };
            subject.set(field, value);
        }
        subject.set(FieldId::ParentComm, Value::Text(self.parent_comm.clone()));
    }
}

fn decode_words<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(bytes.get(..N * 8)?.chunks_exact(8)) {
        *word = u64::from_le_bytes(bytes.try_into().ok()?);
    }
    Some(words)
}

fn decode_sticky(bytes: &[u8]) -> Option<Sticky> {
    let [epoch, set, unknown] = decode_words(bytes)?;
    Some(Sticky {
        epoch: u32::try_from(epoch & u64::from(u32::MAX)).ok()?,
        reserved: 0,
        bits: Bits { set, unknown },
    })
}

/// Seeds as the programs and this keep them.
pub(super) fn decode_seeds(bytes: &[u8; size_of::<Seeds>()]) -> Seeds {
    let seed = |at: usize| {
        let bytes = bytes.get(at..)?;
        let [set, unknown, exe] = decode_words(bytes.get(size_of::<Sticky>()..)?)?;
        Some(Seed {
            sticky: decode_sticky(bytes)?,
            program: Bits { set, unknown },
            exe,
        })
    };
    Seeds {
        of: [0, size_of::<Seed>()].map(|at| seed(at).unwrap_or_default()),
    }
}

/// The same as bytes.
pub(super) fn encode_seeds(seeds: &Seeds) -> Vec<u8> {
    seeds
        .of
        .iter()
        .flat_map(|seed| {
            [
                u64::from(seed.sticky.epoch),
                seed.sticky.bits.set,
                seed.sticky.bits.unknown,
                seed.program.set,
                seed.program.unknown,
                seed.exe,
            ]
        })
        .flat_map(u64::to_le_bytes)
        .collect()
}

// The words above are in the ABI's order.
const _: () = assert!(size_of::<Seed>() == 48 && size_of::<Sticky>() == 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_read_back() {
        let seed = |epoch: u32| Seed {
            sticky: Sticky {
                epoch,
                reserved: 0,
                bits: Bits { set: 5, unknown: 2 },
            },
            program: Bits {
                set: 8,
                unknown: 16,
            },
            exe: 0x1234_5678_9abc_def0,
        };
        let seeds = Seeds {
            of: [seed(7), seed(u32::MAX)],
        };
        let bytes: [u8; size_of::<Seeds>()] = encode_seeds(&seeds).try_into().unwrap();
        assert_eq!(decode_seeds(&bytes), seeds);
    }

    #[test]
    fn states_are_read() {
        use std::mem::offset_of;
        let mut bytes = [0; size_of::<TaskState>()];
        assert_eq!(Kept::decode(&bytes), None);
        let exe = offset_of!(TaskState, exe);
        bytes[exe..exe + 8].copy_from_slice(&[2, 4, 5, 0, 9, 0, 0, 0]);
        bytes[exe + 8..exe + 13].copy_from_slice(b"/bin/");
        let parent = offset_of!(TaskState, parent);
        bytes[parent..parent + 4].copy_from_slice(&[2, 5, 0, 4]);
        let comm = offset_of!(TaskState, parent_comm);
        bytes[comm..comm + 2].copy_from_slice(b"sh");
        let sticky = offset_of!(TaskState, sticky);
        bytes[sticky] = 3;
        bytes[sticky + 8] = 1;
        bytes[sticky + 16] = 2;
        let kept = Kept::decode(&bytes).unwrap();
        assert_eq!(kept.exe, Path::Value(Value::Text(b"/bin/".to_vec())));
        assert_eq!(kept.parent, Path::Long(0x400));
        assert_eq!(kept.parent_comm, b"sh");
        assert_eq!(kept.sticky.epoch, 3);
        assert_eq!(kept.sticky.bits, Bits { set: 1, unknown: 2 });
    }
}
