//! The fields of a socket and of the address that it is to be bound or connected
//! to.

use lsmpc_abi::{Presence, field::FieldId};
use lsmpc_engine::{
    Work,
    bits::{bound, text_u8},
    repeat::{Step, repeat},
};

use crate::{
    globals::{OFF_SOCK_FAMILY, OFF_SOCK_PROTOCOL, OFF_SOCKET_SK, OFF_SOCKET_TYPE},
    maps::Slot,
    read::{copy, copy_string, pointer, read},
};

const AF_UNSPEC: u16 = 0;
const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// Least lengths that the kernel takes: `sizeof(sockaddr_in)`,
/// `SIN6_LEN_RFC2133`.
const INET_LENGTH: u32 = 16;
const INET6_LENGTH: u32 = 24;
/// Most bytes of a unix address' path.
const UNIX_PATH: u32 = 108;

/// The scalar fields, for records.
pub(crate) const VALUES: [FieldId; 5] = [
    FieldId::Family,
    FieldId::Type,
    FieldId::Protocol,
    FieldId::Addr,
    FieldId::Port,
];

/// A `struct socket` and a `struct sockaddr` in kernel memory.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) socket: u64,
    pub(crate) address: u64,
    pub(crate) length: u32,
    /// Whether `AF_UNSPEC` stands for `AF_INET` (as it does for bind).
    pub(crate) unspec_is_inet: bool,
}

const FAMILY: u8 = FieldId::Family as u8;
const TYPE: u8 = FieldId::Type as u8;
const PROTOCOL: u8 = FieldId::Protocol as u8;
const PORT: u8 = FieldId::Port as u8;

impl Peer {
    #[inline(always)]
    fn family(&self) -> Option<u16> {
        let sock = pointer(self.socket + OFF_SOCKET_SK.get());
        read(sock + OFF_SOCK_FAMILY.get())
    }

    /// The address's family; `AF_UNSPEC` if it has none that counts here.
    #[inline(always)]
    fn inet(&self) -> Option<u16> {
        let socket = self.family()?;
        if socket != AF_INET && socket != AF_INET6 {
            return Some(AF_UNSPEC);
        }
        if self.length < 2 {
            return None;
        }
        let family = read(self.address)?;
        if family == AF_UNSPEC && self.unspec_is_inet && socket == AF_INET {
            return Some(AF_INET);
        }
        Some(family)
    }

    /// Writes a scalar field or the address into the work.
    #[inline(always)]
    pub(crate) fn value(&self, field: u8, work: &mut Work) {
        let (presence, high, low) = if field == FieldId::Addr as u8 {
            self.address()
        } else {
            let (presence, value) = self.scalar(field);
            (presence, 0, value)
        };
        work.set_wide(high, low);
        work.set_presence(presence);
    }

    #[inline(always)]
    fn scalar(&self, field: u8) -> (Presence, u64) {
        let value: Option<u64> = match field {
            FAMILY => self.family().map(u64::from),
            TYPE => read::<u16>(self.socket + OFF_SOCKET_TYPE.get()).map(u64::from),
            PROTOCOL => {
                let sock = pointer(self.socket + OFF_SOCKET_SK.get());
                read::<u16>(sock + OFF_SOCK_PROTOCOL.get()).map(u64::from)
            }
            PORT => match self.inet() {
                Some(AF_INET | AF_INET6) if self.length >= 4 => {
                    read::<u16>(self.address + 2).map(|port| u64::from(u16::from_be(port)))
                }
                Some(AF_INET | AF_INET6) | None => None,
                Some(_) => return (Presence::None, 0),
            },
            _ => None,
        };
        match value {
            Some(value) => (Presence::Known, value),
            None => (Presence::Unknown, 0),
        }
    }

    /// The address: an IPv4 one as IPv4-mapped.
    #[inline(always)]
    fn address(&self) -> (Presence, u64, u64) {
        let unknown = (Presence::Unknown, 0, 0);
        match self.inet() {
            Some(AF_INET) if self.length >= INET_LENGTH => match read::<u32>(self.address + 4) {
                Some(address) => {
                    let low = 0xffff_0000_0000 | u64::from(u32::from_be(address));
                    (Presence::Known, 0, low)
                }
                None => unknown,
            },
            Some(AF_INET6) if self.length >= INET6_LENGTH => {
                match read::<[u64; 2]>(self.address + 8) {
                    Some([high, low]) => (Presence::Known, u64::from_be(high), u64::from_be(low)),
                    None => unknown,
                }
            }
            Some(AF_INET | AF_INET6) | None => unknown,
            Some(_) => (Presence::None, 0, 0),
        }
    }

    /// `unix_path`, put into the slot's text buffer. The hook comes before the
    /// path is resolved: only an absolute one without `.`, `..` and repeated
    /// slashes is known.
    #[inline(always)]
    fn unix_path(&self, slot: *mut Slot) -> Presence {
        match self.family() {
            None => return Presence::Unknown,
            Some(AF_UNIX) => {}
            Some(_) => return Presence::None,
        }
        let family: Option<u16> = if self.length < 2 {
            None
        } else {
            read(self.address)
        };
        match family {
            Some(AF_UNIX) if self.length == 2 => return Presence::None,
            Some(AF_UNIX) if self.length <= 2 + UNIX_PATH => {}
            Some(AF_UNSPEC) => return Presence::None,
            _ => return Presence::Unknown,
        }
        let length = self.length - 2;
        // SAFETY: the slot is claimed by this event; at most 1 + 128 bytes of the
        // buffer are written.
        unsafe {
            let work = &mut (*slot).work;
            let into = work.text.as_mut_ptr().add(1);
            if !copy::<0x7f>(into, self.address + 2, length) {
                return Presence::Unknown;
            }
            if *into == 0 {
                *into = b'@';
                work.start = 1;
                work.end = 1 + length;
                return Presence::Known;
            }
            let size = bound::<0x7f>(u64::from(length) + 1) as u32;
            let Some(length) = copy_string(into, self.address + 2, size) else {
                return Presence::Unknown;
            };
            work.start = 1;
            work.end = 1 + length;
            if length == 0 || *into != b'/' {
                return Presence::Unknown;
            }
            // Ends the last component for the check.
            let end = bound::<0x7f>(u64::from(length)) as usize;
            *into.add(end) = b'/';
            (*slot).walk.scratch = [0; 2];
            repeat(UNIX_PATH, &mut Canonical { slot });
            if (*slot).walk.scratch[1] != 0 {
                return Presence::Unknown;
            }
        }
        Presence::Known
    }
}

/// Puts a string field into the work.
#[inline(always)]
pub(crate) fn text(peer: Peer, field: u8, slot: &mut Slot) -> Presence {
    if field == FieldId::UnixPath as u8 {
        peer.unix_path(slot)
    } else {
        Presence::Unknown
    }
}

/// Looks for components that the kernel would resolve away.
struct Canonical {
    slot: *mut Slot,
}

impl Step for Canonical {
    #[inline(always)]
    fn step(&mut self) -> bool {
        // SAFETY: the slot is claimed by this event.
        let slot = unsafe { &mut *self.slot };
        let at = slot.work.start + slot.walk.scratch[0];
        if at >= slot.work.end {
            return false;
        }
        slot.walk.scratch[0] += 1;
        let byte = |ahead| text_u8(&slot.work.text, at + ahead) as u8;
        if byte(0) != b'/' {
            return true;
        }
        let bad = match byte(1) {
            b'/' => true,
            b'.' => match byte(2) {
                b'/' => true,
                b'.' => byte(3) == b'/',
                _ => false,
            },
            _ => false,
        };
        if bad {
            slot.walk.scratch[1] = 1;
        }
        !bad
    }
}
