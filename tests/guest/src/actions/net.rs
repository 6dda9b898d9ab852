//! The actor's sockets: `connect`, `bind` and others, each `KIND ADDRESS PORT` or
//! `unix-stream|unix-datagram PATH` (`@name` is an abstract one).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::{
    AddressFamily, Protocol, SendFlags, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType,
    ipproto,
};

use super::uring::{Entry, Ring};
use super::{At, Done, Failed, check, done, nonsense, number};

/// What a socket is to be, and the address to use it with.
struct Plan {
    family: AddressFamily,
    kind: SocketType,
    protocol: Option<Protocol>,
    address: SocketAddrAny,
}

fn plan(words: &[&str]) -> Result<Plan, Failed> {
    match *words {
        [kind @ ("unix-stream" | "unix-datagram"), path] => Ok(Plan {
            family: AddressFamily::UNIX,
            kind: if kind == "unix-stream" {
                SocketType::STREAM
            } else {
                SocketType::DGRAM
            },
            protocol: None,
            address: match path.strip_prefix('@') {
                Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
                None => SocketAddrUnix::new(path),
            }
            .at("address")?
            .into(),
        }),
        [kind, address, port] => {
            let address: IpAddr = address.parse().map_err(|_| nonsense("address"))?;
            let (kind, protocol) = match kind {
                "tcp" => (SocketType::STREAM, None),
                "tcp-named" => (SocketType::STREAM, Some(ipproto::TCP)),
                "udp" => (SocketType::DGRAM, None),
                "udp-named" => (SocketType::DGRAM, Some(ipproto::UDP)),
                _ => return Err(nonsense("kind")),
            };
            Ok(Plan {
                family: match address {
                    IpAddr::V4(_) => AddressFamily::INET,
                    IpAddr::V6(_) => AddressFamily::INET6,
                },
                kind,
                protocol,
                address: SocketAddr::new(address, number(port)?).into(),
            })
        }
        _ => Err(nonsense("socket")),
    }
}

pub(super) fn act(words: &[&str]) -> Option<Done> {
    Some(match *words {
        ["connect", ref words @ ..] => connect(words),
        ["bind", ref words @ ..] => bind(words),
        ["listen", ref words @ ..] => listen(words),
        ["accept", ref words @ ..] => accept(words),
        ["send-to", ref words @ ..] => send_to(words),
        ["send", ref words @ ..] => send(words),
        ["fast-open", address, port] => fast_open(&["tcp", address, port]),
        ["uring-connect", address, port] => uring_connect(address, port),
        ["socket", family, kind, protocol] => make(family, kind, protocol),
        _ => return None,
    })
}

/// Makes a socket from three numbers, and closes it.
fn make(family: &str, kind: &str, protocol: &str) -> Done {
    let (family, kind, protocol) = (number(family)?, number(kind)?, number(protocol)?);
    // SAFETY: no memory.
    let socket = unsafe { libc::socket(family, kind, protocol) };
    check(i64::from(socket), "socket")?;
    drop(super::files::owned(i64::from(socket)));
    Ok(serde_json::Value::Null)
}

/// A socket that is bound.
fn bound(plan: &Plan) -> Result<OwnedFd, Failed> {
    let socket =
        rustix::net::socket_with(plan.family, plan.kind, SocketFlags::CLOEXEC, plan.protocol)
            .at("socket")?;
    // A port is used again by the next test.
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true).at("setsockopt")?;
    rustix::net::bind(&socket, &plan.address).at("bind")?;
    Ok(socket)
}

fn listen(words: &[&str]) -> Done {
    done(rustix::net::listen(bound(&plan(words)?)?, 1).at("listen"))
}

/// Connects to itself and takes the connection.
fn accept(words: &[&str]) -> Done {
    let plan = plan(words)?;
    let listening = bound(&plan)?;
    rustix::net::listen(&listening, 1).at("listen")?;
    let socket = rustix::net::socket(plan.family, plan.kind, plan.protocol).at("socket")?;
    rustix::net::connect(&socket, &plan.address).at("connect")?;
    done(rustix::net::accept(&listening).at("accept"))
}

/// Sends to an address without connecting.
fn send_to(words: &[&str]) -> Done {
    let plan = plan(words)?;
    let socket = rustix::net::socket(plan.family, plan.kind, plan.protocol).at("socket")?;
    done(rustix::net::sendto(&socket, b"x", SendFlags::empty(), &plan.address).at("sendto"))
}

/// Connects over TCP by sending.
fn fast_open(words: &[&str]) -> Done {
    let plan = plan(words)?;
    let socket = rustix::net::socket(plan.family, plan.kind, plan.protocol).at("socket")?;
    let flags = SendFlags::from_bits_retain(libc::MSG_FASTOPEN as u32);
    done(rustix::net::sendto(&socket, b"x", flags, &plan.address).at("sendto"))
}

/// Connects over TCP by a request of io_uring.
fn uring_connect(address: &str, port: &str) -> Done {
    const CONNECT: u8 = 16;
    let address: Ipv4Addr = address.parse().map_err(|_| nonsense("address"))?;
    let port: u16 = number(port)?;
    let to = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(address).to_be(),
        },
        sin_zero: [0; 8],
    };
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).at("socket")?;
    done(Ring::new(0)?.submit(&Entry {
        opcode: CONNECT,
        file: socket.as_raw_fd(),
        offset: size_of_val(&to) as u64,
        address: (&raw const to) as u64,
        ..Entry::default()
    }))
}

/// Connects and sends.
fn send(words: &[&str]) -> Done {
    let plan = plan(words)?;
    let socket = rustix::net::socket(plan.family, plan.kind, plan.protocol).at("socket")?;
    rustix::net::connect(&socket, &plan.address).at("connect")?;
    done(rustix::net::send(&socket, b"x", SendFlags::NOSIGNAL).at("send"))
}

/// Connects, and closes again.
fn connect(words: &[&str]) -> Done {
    let plan = plan(words)?;
    let socket = rustix::net::socket_with(
        plan.family,
        plan.kind,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        plan.protocol,
    )
    .at("socket")?;
    done(rustix::net::connect(&socket, &plan.address).at("connect"))
}

/// Binds, and closes again.
fn bind(words: &[&str]) -> Done {
    done(bound(&plan(words)?))
}
