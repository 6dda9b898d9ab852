//! One record, checked and owned.
//!
//! The bytes come from the kernel's side of a ring buffer that root can write to
//! as well: whatever they are, decoding gives a record or an error, never a panic.

use std::net::{IpAddr, Ipv6Addr};
use std::time::SystemTime;

use lsmpc_abi::ABI_VERSION;
use lsmpc_abi::event::{
    EventHeader, EventStrings, EventText, EventValue, MAX_TEXTS, MAX_VALUES, STRINGS_PART,
};
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_abi::image::{OUTCOME_KILL, OUTCOME_UNKNOWN};
use lsmpc_abi::kernel::namespaces;

use super::clock::BootClock;
use super::strings::Strings;

/// Why some bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Fewer bytes than the record says it has.
    #[error("the record ends early")]
    Short,
    /// It is of another ABI version.
    #[error("the record is of ABI version {0}")]
    Abi(u16),
    /// The hook's number is unknown.
    #[error("the record names hook {0}, which does not exist")]
    Hook(u16),
    /// A field's number is unknown.
    #[error("the record names field {0}, which does not exist")]
    Field(u8),
    /// A presence is unknown.
    #[error("the record has presence {0}, which does not exist")]
    Presence(u8),
    /// More values or texts than a record can have.
    #[error("the record has more parts than fit one")]
    Count,
}

/// A scalar field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// The field does not apply.
    None,
    /// It applies, but could not be read.
    Unknown,
    /// A number: an id, an enumerator, flags, a bool.
    Number(u64),
    /// An address.
    Address(IpAddr),
}

/// A string field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// The field does not apply.
    None,
    /// It applies, but could not be read.
    Unknown,
    /// The bytes, which need not be UTF-8.
    Known(Vec<u8>),
}

impl Text {
    /// The bytes, if known.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Known(bytes) => Some(bytes),
            Self::None | Self::Unknown => None,
        }
    }
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// The hook.
    pub hook: HookId,
    /// `CLOCK_BOOTTIME`, ns.
    pub boot_time: u64,
    /// The same on the wall clock.
    pub time: SystemTime,
    /// Epoch of the image that decided.
    pub epoch: u32,
    /// Number of the outcome in that image.
    pub outcome: u32,
    /// What the hook returned: 0 or a negative errno.
    pub ret: i32,
    /// `OUTCOME_*` flags.
    pub flags: u32,
    /// Process id.
    pub pid: u32,
    /// Thread id.
    pub tid: u32,
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Effective group id.
    pub egid: u32,
    /// Process id of the parent at fork.
    pub parent_pid: Option<u32>,
    /// CPU.
    pub cpu: u32,
    /// The task's name.
    pub comm: Vec<u8>,
    /// cgroup-v2 id.
    pub cgroup_id: u64,
    /// Effective capabilities.
    pub caps: u64,
    /// The parent's name at fork.
    pub parent_comm: Option<Vec<u8>>,
    /// Login user id; `u32::MAX`: unset.
    pub auid: u32,
    /// Whether the pid namespace is not the initial one, if it could be read.
    pub containerized: Option<bool>,
    /// Whether the mount namespace is the initial one, if it could be read.
    pub initial_mntns: Option<bool>,
    /// Scalar fields of the object, in the order recorded.
    pub values: Vec<(FieldId, Value)>,
    /// String fields of subject and object, in the order recorded.
    pub texts: Vec<(FieldId, Text)>,
    /// What a program about to run is given; `None` where the event is no execution.
    pub strings: Option<Box<Strings>>,
}

/// Reads little-endian numbers one after another.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| DecodeError::Short)
    }

    fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }
}

fn field(number: u8) -> Result<FieldId, DecodeError> {
    FieldId::from_number(number).ok_or(DecodeError::Field(number))
}

/// What stands between absence and a value.
fn presence<T>(
    number: u8,
    none: T,
    unknown: T,
    known: impl FnOnce() -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    match number {
        0 => Ok(none),
        1 => Ok(unknown),
        2 => known(),
        other => Err(DecodeError::Presence(other)),
    }
}

fn ip_address(high: u64, low: u64) -> IpAddr {
    let address = Ipv6Addr::from(u128::from(high) << 64 | u128::from(low));
    address
        .to_ipv4_mapped()
        .map_or(IpAddr::V6(address), IpAddr::V4)
}

// The reads below go through the header field by field in the ABI's order; this
// keeps them honest.
const _: () = assert!(size_of::<EventHeader>() == 128);
const _: () = assert!(size_of::<EventValue>() == 24);
const _: () = assert!(size_of::<EventText>() == 12);
const _: () = assert!(size_of::<EventStrings>() == 24);

impl EventRecord {
    /// Decodes one record; `bytes` may be longer than it.
    ///
    /// # Errors
    ///
    /// When the bytes are not a record of this ABI version.
    pub fn decode(bytes: &[u8], clock: &BootClock) -> Result<Self, DecodeError> {
        let mut at = Cursor { rest: bytes };
        let size = at.u32()? as usize;
        let abi = at.u16()?;
        if u32::from(abi) != ABI_VERSION {
            return Err(DecodeError::Abi(abi));
        }
        let whole = bytes.get(..size).ok_or(DecodeError::Short)?;
        at.rest = whole.get(6..).ok_or(DecodeError::Short)?;
        let hook = at.u16()?;
        let hook = HookId::from_number(hook).ok_or(DecodeError::Hook(hook))?;
        let boot_time = at.u64()?;
        let mut record = Self {
            hook,
            boot_time,
            time: clock.wall(boot_time),
            epoch: at.u32()?,
            outcome: at.u32()?,
            ret: at.u32()?.cast_signed(),
            flags: at.u32()?,
            pid: at.u32()?,
            tid: at.u32()?,
            uid: at.u32()?,
            gid: at.u32()?,
            euid: at.u32()?,
            egid: at.u32()?,
            parent_pid: Some(at.u32()?).filter(|pid| *pid != 0),
            cpu: at.u32()?,
            comm: until_nul(&at.array::<16>()?),
            cgroup_id: at.u64()?,
            caps: at.u64()?,
            parent_comm: Some(until_nul(&at.array::<16>()?)).filter(|comm| !comm.is_empty()),
            auid: at.u32()?,
            containerized: None,
            initial_mntns: None,
            values: Vec::new(),
            texts: Vec::new(),
            strings: None,
        };
        let bits = at.u32()?;
        let known = |unknown, set| (bits & unknown == 0).then_some(bits & set != 0);
        record.containerized = known(namespaces::CONTAINERIZED_UNKNOWN, namespaces::CONTAINERIZED);
        record.initial_mntns = known(namespaces::INITIAL_MNTNS_UNKNOWN, namespaces::INITIAL_MNTNS);
        let values = usize::from(at.u16()?);
        let texts = usize::from(at.u16()?);
        let strings = at.u32()? as usize;
        if values > MAX_VALUES || texts > MAX_TEXTS {
            return Err(DecodeError::Count);
        }
        for _ in 0..values {
            record.values.push(Self::value(&mut at)?);
        }
        for _ in 0..texts {
            record.texts.push(Self::text_entry(&mut at, whole)?);
        }
        if strings != 0 {
            let rest = whole.get(strings..).ok_or(DecodeError::Short)?;
            record.strings = Some(Box::new(Self::strings(&mut Cursor { rest })?));
        }
        Ok(record)
    }

    fn value(at: &mut Cursor<'_>) -> Result<(FieldId, Value), DecodeError> {
        let field = field(at.u8()?)?;
        let present = at.u8()?;
        at.take(6)?;
        let (value, low) = (at.u64()?, at.u64()?);
        let value = presence(present, Value::None, Value::Unknown, || {
            Ok(if field == FieldId::Addr {
                Value::Address(ip_address(value, low))
            } else {
                Value::Number(value)
            })
        })?;
        Ok((field, value))
    }

    fn text_entry(at: &mut Cursor<'_>, whole: &[u8]) -> Result<(FieldId, Text), DecodeError> {
        let field = field(at.u8()?)?;
        let present = at.u8()?;
        at.u16()?;
        let (start, length) = (at.u32()? as usize, at.u32()? as usize);
        let text = presence(present, Text::None, Text::Unknown, || {
            let end = start.checked_add(length).ok_or(DecodeError::Short)?;
            let bytes = whole.get(start..end).ok_or(DecodeError::Short)?;
            Ok(Text::Known(bytes.to_vec()))
        })?;
        Ok((field, text))
    }

    fn strings(at: &mut Cursor<'_>) -> Result<Strings, DecodeError> {
        let number = u8::try_from(at.u32()?).unwrap_or(u8::MAX);
        let [argc, envc, total] = [at.u32()?, at.u32()?, at.u32()?].map(|word| word as usize);
        let (head, tail) = (at.u32()? as usize, at.u32()? as usize);
        presence(number, Strings::Unknown, Strings::Unknown, || {
            if head > STRINGS_PART || tail > STRINGS_PART || tail != 0 && head != STRINGS_PART {
                return Err(DecodeError::Count);
            }
            let bytes = at.take(head.saturating_add(tail))?;
            Ok(Strings::split(bytes, head, argc, envc, total))
        })
    }

    /// A string field.
    #[must_use]
    pub fn text(&self, field: FieldId) -> Option<&Text> {
        self.texts
            .iter()
            .find_map(|(id, text)| (*id == field).then_some(text))
    }

    /// A scalar field.
    #[must_use]
    pub fn value_of(&self, field: FieldId) -> Option<Value> {
        self.values
            .iter()
            .find_map(|(id, value)| (*id == field).then_some(*value))
    }

    /// The task's program, if recorded.
    #[must_use]
    pub fn exe(&self) -> Option<&Text> {
        self.text(FieldId::Exe)
    }

    /// The parent's program, if recorded.
    #[must_use]
    pub fn parent_exe(&self) -> Option<&Text> {
        self.text(FieldId::ParentExe)
    }

    /// The errno that the event was denied with.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        (self.ret < 0).then(|| self.ret.saturating_neg())
    }

    /// Whether the acting task was killed.
    #[must_use]
    pub fn killed(&self) -> bool {
        self.flags & OUTCOME_KILL != 0
    }

    /// Whether something that could not be read mattered.
    #[must_use]
    pub fn unknown(&self) -> bool {
        self.flags & OUTCOME_UNKNOWN != 0
    }
}

fn until_nul(bytes: &[u8]) -> Vec<u8> {
    bytes
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or(&[])
        .to_vec()
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
