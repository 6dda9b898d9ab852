//! Other ways to a socket.

use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use anyhow::{Context as _, Result};

use super::route::{Answer, Route, Site, steps};

const CONNECTS: &str = "deny socket_connect when port == 4001";
const SENDS: &str = "deny socket_sendmsg when port == 4001";
const PATH: &str = "deny socket_connect when unix_path == \"/srv/s/secret\"";
const HERE: &str = "127.0.0.1";

pub(super) fn routes() -> Vec<Route> {
    let to_port = |name, how, go| {
        Route::to_file(name, how, go).obvious(CONNECTS, |actor, site| {
            actor.ask(&["connect", "tcp", HERE, site.port])
        })
    };
    let to_path = |name, how, go| {
        Route::to_file(name, how, go).obvious(PATH, |actor, site| {
            actor.ask(&["connect", "unix-stream", &path(site)])
        })
    };
    vec![
        to_port(
            "sendto",
            "UDP: send to an address without connecting",
            |actor, site| actor.ask(&["send-to", "udp", HERE, site.port]),
        )
        .through(SENDS, "sendto"),
        to_port(
            "fast_open",
            "TCP Fast Open: connect by `sendto` with `MSG_FASTOPEN`",
            |actor, site| actor.ask(&["fast-open", HERE, site.port]),
        )
        .through(SENDS, "sendto"),
        Route {
            answer: Answer::Blocked { at: "io_uring" },
            missing: super::files::missing_uring,
            ..to_port("io_uring_connect", "connect by io_uring", |actor, site| {
                actor.ask(&["uring-connect", HERE, site.port])
            })
        },
        to_path(
            "abstract_socket",
            "the same service at an abstract address, which has no file",
            |actor, site| actor.ask(&["connect", "unix-stream", &format!("@{}", site.name)]),
        )
        .through(
            "deny socket_connect when unix_path == \"@secret\"",
            "connect",
        ),
        to_path(
            "socket_symlink",
            "connect through a symbolic link to the socket",
            |actor, site| {
                let link = "/srv/e/new";
                let connect = ["connect", "unix-stream", link];
                steps(actor, &[&["symlink", &path(site), link], &connect])
            },
        )
        .through(
            "deny unix_stream_connect when unix_path == \"/srv/s/secret\"",
            "connect",
        ),
    ]
}

fn path(site: Site) -> String {
    format!("/srv/s/{}", site.name)
}

/// Those who listen while the suite runs.
pub(super) struct Servers {
    _tcp: Vec<TcpListener>,
    _udp: Vec<UdpSocket>,
    _unix: Vec<UnixListener>,
}

impl Servers {
    pub(super) fn start() -> Result<Self> {
        let mut servers = Self {
            _tcp: Vec::new(),
            _udp: Vec::new(),
            _unix: Vec::new(),
        };
        std::fs::create_dir_all("/srv/s")?;
        for site in [Site::SECRET, Site::PUBLIC] {
            let address = format!("{HERE}:{}", site.port);
            servers
                ._tcp
                .push(TcpListener::bind(&address).context("tcp")?);
            servers._udp.push(UdpSocket::bind(&address).context("udp")?);
            servers
                ._unix
                .push(UnixListener::bind(path(site)).context("unix")?);
            let name = SocketAddr::from_abstract_name(site.name)?;
            servers
                ._unix
                .push(UnixListener::bind_addr(&name).context("abstract")?);
        }
        Ok(servers)
    }
}
