//! The actor's sockets: `connect` and `bind`, each `KIND ADDRESS PORT` or
//! `unix-stream|unix-datagram PATH` (`@name` is an abstract one).

use std::net::{IpAddr, SocketAddr};

use rustix::net::{
    AddressFamily, Protocol, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType, ipproto,
};

use super::{At, Done, Failed, done, nonsense, number};

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

/// Connects, and closes again.
pub(super) fn connect(words: &[&str]) -> Done {
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
pub(super) fn bind(words: &[&str]) -> Done {
    let plan = plan(words)?;
    let socket =
        rustix::net::socket_with(plan.family, plan.kind, SocketFlags::CLOEXEC, plan.protocol)
            .at("socket")?;
    // A port is used again by the next test.
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true).at("setsockopt")?;
    done(rustix::net::bind(&socket, &plan.address).at("bind"))
}
