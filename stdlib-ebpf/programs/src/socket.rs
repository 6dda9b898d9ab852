//! The kind of object that is a socket, with the address that it is to be bound or
//! connected to, or the socket at its other end.

use lsmpc_abi::{Presence, field::FieldId, hook::HookId};
use lsmpc_engine::{
    Work,
    bits::{bound, text_u8},
    repeat::{Step, repeat},
};

use crate::{
    file::presence,
    globals::{
        OFF_MSG_NAME, OFF_MSG_NAMELEN, OFF_SOCK_ADDRESS, OFF_SOCK_ADDRESS6, OFF_SOCK_FAMILY,
        OFF_SOCK_PORT, OFF_SOCK_PROTOCOL, OFF_SOCK_SOCKET, OFF_SOCKET_SK, OFF_SOCKET_TYPE,
        OFF_UNIX_ADDR, OFF_UNIX_ADDR_LEN, OFF_UNIX_ADDR_NAME, OFF_UNIX_PATH, OFF_UNIX_PEER,
    },
    kind::{Kind, functions},
    maps::{Arguments, Slot},
    path::resolve,
    place::{dentry_of, mount_of},
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

/// A `struct socket` and the address at hand.
#[derive(Clone, Copy)]
struct Peer {
    socket: u64,
    /// A `struct sockaddr` in kernel memory; 0: the address that it is connected to.
    address: u64,
    length: u32,
    /// Whether `AF_UNSPEC` stands for `AF_INET` (as it does for bind).
    unspec_is_inet: bool,
}

/// Hooks about sockets. Arguments: the socket; the address and its length; the
/// `struct sock` at the other end, if that is given. Without a socket (it is still
/// to be made): 0, family, type, protocol.
pub(crate) struct Sockets;

const SOCKET_BIND: u32 = HookId::SocketBind as u32;

impl Kind for Sockets {
    #[inline(always)]
    fn value(slot: &mut Slot, field: u8) {
        if slot.arguments[0] == 0 {
            let [_, family, kind, protocol, ..] = slot.arguments;
            slot.work.set_scalar(match field {
                FAMILY => family & 0xffff_ffff,
                TYPE => kind & 0xffff_ffff,
                _ => protocol & 0xffff_ffff,
            });
        } else {
            Peer::of(slot).value(field, &mut slot.work);
        }
    }

    #[inline(always)]
    fn text(slot: &mut Slot, field: u8) -> Presence {
        if field != FieldId::UnixPath as u8 {
            return Presence::Unknown;
        }
        let peer = Peer::of(slot);
        let other = slot.arguments[3];
        if other != 0 {
            bound_to(slot, other)
        } else if peer.address == 0 {
            peer.connected_to(slot)
        } else {
            peer.unix_path(slot)
        }
    }
}

functions!(
    Sockets,
    lsmpc_socket_value,
    lsmpc_socket_text,
    lsmpc_socket_record
);

const FAMILY: u8 = FieldId::Family as u8;
const TYPE: u8 = FieldId::Type as u8;
const PROTOCOL: u8 = FieldId::Protocol as u8;
const PORT: u8 = FieldId::Port as u8;

impl Peer {
    #[inline(always)]
    fn of(slot: &Slot) -> Self {
        Self {
            socket: slot.arguments[0],
            address: slot.arguments[1],
            length: slot.arguments[2] as u32,
            unspec_is_inet: slot.hook == SOCKET_BIND,
        }
    }

    #[inline(always)]
    fn sock(&self) -> u64 {
        pointer(self.socket + OFF_SOCKET_SK.get())
    }

    #[inline(always)]
    fn family(&self) -> Option<u16> {
        read(self.sock() + OFF_SOCK_FAMILY.get())
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
    fn value(&self, field: u8, work: &mut Work) {
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
            PROTOCOL => read::<u16>(self.sock() + OFF_SOCK_PROTOCOL.get()).map(u64::from),
            PORT if self.address == 0 => return self.connected_port(),
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
        if self.address == 0 {
            return self.connected_address();
        }
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

    /// The port at the other end.
    #[inline(always)]
    fn connected_port(&self) -> (Presence, u64) {
        match self.family() {
            Some(AF_INET | AF_INET6) => match read::<u16>(self.sock() + OFF_SOCK_PORT.get()) {
                Some(0) => (Presence::None, 0),
                Some(port) => (Presence::Known, u64::from(u16::from_be(port))),
                None => (Presence::Unknown, 0),
            },
            Some(_) => (Presence::None, 0),
            None => (Presence::Unknown, 0),
        }
    }

    /// The address at the other end; IPv6 sockets keep IPv4 ones as mapped, too.
    #[inline(always)]
    fn connected_address(&self) -> (Presence, u64, u64) {
        let address = match self.family() {
            Some(AF_INET) => read::<u32>(self.sock() + OFF_SOCK_ADDRESS.get()).map(|address| {
                let low = 0xffff_0000_0000 | u64::from(u32::from_be(address));
                (address == 0, 0, low)
            }),
            Some(AF_INET6) => read::<[u64; 2]>(self.sock() + OFF_SOCK_ADDRESS6.get())
                .map(|[high, low]| (high | low == 0, u64::from_be(high), u64::from_be(low))),
            Some(_) => Some((true, 0, 0)),
            None => None,
        };
        match address {
            Some((false, high, low)) => (Presence::Known, high, low),
            Some((true, ..)) => (Presence::None, 0, 0),
            None => (Presence::Unknown, 0, 0),
        }
    }

    /// `unix_path` of what the socket is connected to.
    #[inline(always)]
    fn connected_to(&self, slot: *mut Slot) -> Presence {
        match self.family() {
            None => return Presence::Unknown,
            Some(AF_UNIX) => {}
            Some(_) => return Presence::None,
        }
        let Some(to_peer) = OFF_UNIX_PEER.get() else {
            return Presence::Unknown;
        };
        match read::<u64>(self.sock() + to_peer) {
            None => Presence::Unknown,
            Some(0) => Presence::None,
            Some(other) => bound_to(slot, other),
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

/// `unix_path` of a unix socket: the file that it is bound to, or its abstract name.
#[inline(always)]
fn bound_to(slot: *mut Slot, sock: u64) -> Presence {
    let (Some(to_path), Some(to_address), Some(to_length), Some(to_name)) = (
        OFF_UNIX_PATH.get(),
        OFF_UNIX_ADDR.get(),
        OFF_UNIX_ADDR_LEN.get(),
        OFF_UNIX_ADDR_NAME.get(),
    ) else {
        return Presence::Unknown;
    };
    let path = sock + to_path;
    let dentry = dentry_of(path);
    if dentry != 0 {
        return presence(resolve(slot, dentry, mount_of(path)));
    }
    let Some(address) = read::<u64>(sock + to_address) else {
        return Presence::Unknown;
    };
    if address == 0 {
        return Presence::None;
    }
    let Some(length) = read::<u32>(address + to_length) else {
        return Presence::Unknown;
    };
    if length <= 2 || length > 2 + UNIX_PATH {
        return Presence::Unknown;
    }
    let length = length - 2;
    // SAFETY: the slot is claimed by this event; at most 127 bytes are written.
    unsafe {
        let work = &mut (*slot).work;
        let into = work.text.as_mut_ptr();
        if !copy::<0x7f>(into, address + to_name + 2, length) || *into != 0 {
            return Presence::Unknown;
        }
        *into = b'@';
        work.start = 0;
        work.end = length;
    }
    Presence::Known
}

/// `SOCK_STREAM`.
const STREAM: u16 = 1;

/// From (socket, message) to the socket and where the message goes: a stream that
/// is connected takes no other address.
#[inline(always)]
pub(crate) fn message(arguments: &mut Arguments) {
    let [socket, message, ..] = *arguments;
    let address = pointer(message + OFF_MSG_NAME.get());
    let length = read::<u32>(message + OFF_MSG_NAMELEN.get()).unwrap_or(0);
    let sock = pointer(socket + OFF_SOCKET_SK.get());
    let stream = read(socket + OFF_SOCKET_TYPE.get()) == Some(STREAM);
    let connected = read::<u16>(sock + OFF_SOCK_PORT.get()).unwrap_or(0) != 0;
    let inet = read(sock + OFF_SOCK_FAMILY.get()) != Some(AF_UNIX);
    arguments[1] = if stream && inet && connected {
        0
    } else {
        address
    };
    arguments[2] = u64::from(length);
    arguments[3] = 0;
}

/// From (family, type, protocol) to no socket and these.
#[inline(always)]
pub(crate) fn to_be_made(arguments: &mut Arguments) {
    let [family, kind, protocol, ..] = *arguments;
    *arguments = [0, family, kind, protocol, 0, 0];
}

/// From (socket, …) to just that.
#[inline(always)]
pub(crate) fn alone(arguments: &mut Arguments) {
    arguments[1] = 0;
    arguments[3] = 0;
}

/// From (socket, address, length) to these.
#[inline(always)]
pub(crate) fn addressed(arguments: &mut Arguments) {
    arguments[3] = 0;
}

/// From (sock, other sock) to the first one's socket and the other.
#[inline(always)]
pub(crate) fn sock_to_sock(arguments: &mut Arguments) {
    let [sock, other, ..] = *arguments;
    arguments[0] = pointer(sock + OFF_SOCK_SOCKET.get());
    arguments[1] = 0;
    arguments[3] = other;
}

/// From (socket, other socket) to the first one and the other's sock.
#[inline(always)]
pub(crate) fn socket_to_socket(arguments: &mut Arguments) {
    let other = arguments[1];
    arguments[1] = 0;
    arguments[3] = pointer(other + OFF_SOCKET_SK.get());
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
