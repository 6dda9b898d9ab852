//! Every object field of socket_connect, socket_bind and task_kill.

use std::fs;

use serde_json::json;

use super::case::{Case, Site, TARGET, words};

pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for hook in ["socket_connect", "socket_bind"] {
        addresses(hook, &mut all);
        kinds(hook, &mut all);
        unix(hook, &mut all);
    }
    signals(&mut all);
    made(&mut all);
    taken(&mut all);
    sent(&mut all);
    unix_peers(&mut all);
    all
}

fn made(all: &mut Vec<Case>) {
    const UDP: &[&str] = &["socket", "2", "2", "17"];
    let new = |field: &str, hit: &str, miss: &str| {
        Case::of_child("socket_create", field, hit, miss, "socket", UDP)
    };
    all.push(new("family", "family == AF_INET", "family == AF_INET6").shows("family", "AF_INET"));
    all.push(new("type", "type == SOCK_DGRAM", "type == SOCK_STREAM").shows("type", "SOCK_DGRAM"));
    all.push(
        new(
            "protocol",
            "protocol == IPPROTO_UDP",
            "protocol == IPPROTO_TCP",
        )
        .shows("protocol", "IPPROTO_UDP"),
    );
    all.push(
        Case::of_child(
            "socket_create",
            "raw",
            "type == SOCK_RAW and family in [AF_INET, AF_PACKET]",
            "type == SOCK_RAW and family == AF_INET6",
            "socket",
            &["socket", "2", "3", "1"],
        )
        .shows("type", "SOCK_RAW"),
    );
}

/// Listening sockets and what they take.
fn taken(all: &mut Vec<Case>) {
    for (hook, call, port) in [
        ("socket_listen", "listen", 31_000),
        ("socket_accept", "accept", 32_000),
    ] {
        for (number, (field, hit, miss)) in [
            ("family", "family == AF_INET", "family == AF_INET6"),
            ("type", "type == SOCK_STREAM", "type == SOCK_DGRAM"),
            (
                "protocol",
                "protocol == IPPROTO_TCP",
                "protocol == IPPROTO_UDP",
            ),
        ]
        .into_iter()
        .enumerate()
        {
            all.push(
                Case::of_child(hook, field, hit, miss, call, &[])
                    .by(move |site| {
                        let port = port + 10 * number as u16 + site.slot as u16;
                        site.as_child(&[call, "tcp", "127.0.0.1", &port.to_string()])
                    })
                    .shows("family", "AF_INET")
                    .shows("type", "SOCK_STREAM")
                    .shows("protocol", "IPPROTO_TCP"),
            );
        }
    }
}

/// Messages, with an address of their own and over a connection.
fn sent(all: &mut Vec<Case>) {
    let new = |field: &str,
               hit: &str,
               miss: &str,
               call: &'static str,
               kind: &'static str,
               to: &'static str| {
        let word = if call == "sendto" { "send-to" } else { "send" };
        let mut case = Case::of_child("socket_sendmsg", field, hit, miss, call, &[])
            .by(move |site| site.as_child(&[word, kind, to, &site.port.to_string()]))
            .told_by(|site| format!("port == {}", site.port))
            .or(&[libc::ECONNREFUSED]);
        case.expect.push((
            "family",
            json!(if to.contains(':') {
                "AF_INET6"
            } else {
                "AF_INET"
            }),
        ));
        case
    };
    all.push(
        new(
            "addr",
            "addr == \"127.0.0.1\"",
            "addr == \"127.0.0.2\"",
            "sendto",
            "udp",
            "127.0.0.1",
        )
        .shows("addr", "127.0.0.1")
        .shows("type", "SOCK_DGRAM"),
    );
    all.push(
        new(
            "addr-v6",
            "addr == \"::1\"",
            "addr == \"::2\"",
            "sendto",
            "udp",
            "::1",
        )
        .shows("addr", "::1"),
    );
    all.push(
        new(
            "connected",
            "addr == \"127.0.0.0/8\"",
            "addr == \"10.0.0.0/8\"",
            "send",
            "udp",
            "127.0.0.1",
        )
        .shows("addr", "127.0.0.1"),
    );
    all.push(
        new(
            "connected-v6",
            "addr == \"::1\"",
            "addr == \"127.0.0.1\"",
            "send",
            "udp",
            "::1",
        )
        .shows("addr", "::1"),
    );
    all.push(
        new(
            "connected-mapped",
            "addr == \"127.0.0.1\"",
            "addr == \"::1\"",
            "send",
            "udp",
            "::ffff:127.0.0.1",
        )
        .shows("addr", "127.0.0.1"),
    );
    for (field, hit, miss) in [
        ("type", "type == SOCK_DGRAM", "type == SOCK_STREAM"),
        (
            "protocol",
            "protocol == IPPROTO_UDP",
            "protocol == IPPROTO_TCP",
        ),
        ("port", "port in [1025..65535]", "port < 1024"),
    ] {
        all.push(new(field, hit, miss, "sendto", "udp", "127.0.0.1"));
    }
    all.push(
        Case::of_child(
            "socket_sendmsg",
            "unix_path",
            "unix_path == \"{path}\"",
            "unix_path == \"{path}x\"",
            "sendto",
            &["send-to", "unix-datagram", "{path}"],
        )
        .with(datagram_receiver),
    );
    for (field, unix_to, call) in [
        ("unix_path-address", "send-to", "sendto"),
        ("unix_path-connected", "send", "send"),
    ] {
        let mut case = Case::of_child(
            "socket_sendmsg",
            field,
            "family == AF_UNIX and port != 1",
            "family == AF_INET",
            call,
            &[],
        )
        .told_by(|site| format!("unix_path == \"{}\"", site.path))
        .with(datagram_receiver)
        .by(move |site| site.as_child(&[unix_to, "unix-datagram", &site.path]));
        case.expect.push(("type", json!("SOCK_DGRAM")));
        all.push(case);
    }
}

/// A socket that stays, for others to find.
fn datagram_receiver(site: &Site) -> anyhow::Result<()> {
    let _ = fs::remove_file(&site.path);
    std::mem::forget(std::os::unix::net::UnixDatagram::bind(&site.path)?);
    Ok(())
}

fn stream_listener(site: &Site) -> anyhow::Result<()> {
    let _ = fs::remove_file(&site.path);
    std::mem::forget(std::os::unix::net::UnixListener::bind(&site.path)?);
    Ok(())
}

/// Unix sockets by the other end: its file, or its abstract name.
fn unix_peers(all: &mut Vec<Case>) {
    let stream = |field: &str, hit: &str, miss: &str| {
        Case::of_child("unix_stream_connect", field, hit, miss, "connect", &[])
    };
    all.push(
        stream(
            "unix_path",
            "unix_path == \"{path}\"",
            "unix_path == \"{path}x\"",
        )
        .with(stream_listener)
        .by(|site| site.as_child(&["connect", "unix-stream", &site.path]))
        .shows("type", "SOCK_STREAM"),
    );
    // Found by another way: what counts is the socket's own file.
    all.push(
        stream(
            "unix_path-link",
            "unix_path == \"{path}\"",
            "unix_path == \"{other}\"",
        )
        .with(|site| {
            stream_listener(site)?;
            let _ = fs::remove_file(&site.other);
            Ok(std::os::unix::fs::symlink(&site.path, &site.other)?)
        })
        .by(|site| site.as_child(&["connect", "unix-stream", &site.other])),
    );
    all.push(
        stream(
            "unix_path-abstract",
            "unix_path == \"@{path}\"",
            "unix_path == \"{path}\"",
        )
        .with(|site| {
            use std::os::linux::net::SocketAddrExt;
            let name = std::os::unix::net::SocketAddr::from_abstract_name(&site.path)?;
            std::mem::forget(std::os::unix::net::UnixListener::bind_addr(&name)?);
            Ok(())
        })
        .by(|site| site.as_child(&["connect", "unix-stream", &format!("@{}", site.path)])),
    );
    all.push(
        stream("type", "type == SOCK_STREAM", "type == SOCK_SEQPACKET")
            .with(stream_listener)
            .by(|site| site.as_child(&["connect", "unix-stream", &site.path])),
    );
    let datagram = |field: &str, hit: &str, miss: &str| {
        Case::of_child("unix_may_send", field, hit, miss, "sendto", &[])
            .with(datagram_receiver)
            .by(|site| site.as_child(&["send-to", "unix-datagram", &site.path]))
            .shows("type", "SOCK_DGRAM")
    };
    all.push(datagram(
        "unix_path",
        "unix_path == \"{path}\"",
        "unix_path == \"/t\"",
    ));
    all.push(datagram(
        "type",
        "type == SOCK_DGRAM",
        "type == SOCK_STREAM",
    ));
}

fn addresses(hook: &'static str, all: &mut Vec<Case>) {
    let new = |name: &str, hit: &str, miss: &str| Case::new(hook, name, hit, miss);
    all.push(
        new("addr", "addr == \"127.0.0.1\"", "addr == \"127.0.0.2\"").shows("addr", "127.0.0.1"),
    );
    all.push(new(
        "addr-block",
        "addr == \"127.0.0.0/8\"",
        "addr == \"126.0.0.0/8\"",
    ));
    all.push(new(
        "addr-blocks",
        "addr in [\"10.0.0.0/8\", \"127.0.0.0/31\"]",
        "addr in [\"10.0.0.0/8\", \"127.0.0.2/31\"]",
    ));
    all.push(
        new("addr-v6", "addr == \"::1\"", "addr == \"::2\"")
            .socket("tcp", "::1")
            .shows("addr", "::1"),
    );
    all.push(
        new(
            "addr-v6-block",
            "addr == \"::/64\"",
            "addr == \"fe80::/10\"",
        )
        .socket("tcp", "::1"),
    );
    all.push(
        new(
            "addr-mapped",
            "addr == \"127.0.0.0/8\"",
            "addr == \"::/64\"",
        )
        .socket("tcp", "::ffff:127.0.0.1"),
    );
    all.push(new(
        "addr-mapped-literal",
        "addr == \"::ffff:127.0.0.1\"",
        "addr == \"::ffff:127.0.0.3\"",
    ));
    all.push(new(
        "port-range",
        "port in [20000..29999]",
        "port in [1..19999, 30000..65535]",
    ));
    all.push(new("port-not", "port != 80", "port == 80"));
}

fn kinds(hook: &'static str, all: &mut Vec<Case>) {
    let new = |name: &str, hit: &str, miss: &str| Case::new(hook, name, hit, miss);
    all.push(new("family", "family == AF_INET", "family == AF_INET6").shows("family", "AF_INET"));
    all.push(new("family-v6", "family == AF_INET6", "family == AF_INET").socket("tcp", "::1"));
    all.push(new("type", "type == SOCK_STREAM", "type == SOCK_DGRAM").shows("type", "SOCK_STREAM"));
    all.push(
        new("type-udp", "type == SOCK_DGRAM", "type == SOCK_STREAM").socket("udp", "127.0.0.1"),
    );
    all.push(
        new(
            "protocol",
            "protocol == IPPROTO_TCP",
            "protocol == IPPROTO_UDP",
        )
        .socket("tcp-named", "127.0.0.1")
        .shows("protocol", "IPPROTO_TCP"),
    );
    all.push(
        new(
            "protocol-udp",
            "protocol == IPPROTO_UDP",
            "protocol == IPPROTO_TCP",
        )
        .socket("udp-named", "127.0.0.1"),
    );
}

fn unix(hook: &'static str, all: &mut Vec<Case>) {
    let call = if hook == "socket_bind" {
        "bind"
    } else {
        "connect"
    };
    let at_path = |field: &str, hit: &str, miss: &str| {
        Case::new(hook, field, hit, miss)
            .told_by(|site| format!("unix_path == \"{}\"", site.path))
            .with(|site: &Site| {
                let _ = fs::remove_file(&site.path);
                Ok(())
            })
            .by(move |site| words(&[call, "unix-stream", &site.path]))
    };
    all.push(at_path(
        "unix_path",
        "unix_path == \"/t/*\"",
        "unix_path == \"/x/*\"",
    ));
    all.push(at_path(
        "unix_path-port",
        "port != 80",
        "port in [0..65535]",
    ));
    all.push(at_path(
        "unix_path-family",
        "family == AF_UNIX",
        "family == AF_INET",
    ));
    all.push(
        Case::new(
            hook,
            "unix_path-abstract",
            "unix_path == \"@**\"",
            "unix_path == \"/**\"",
        )
        .told_by(|site| format!("unix_path == \"@{}\"", site.path))
        .by(move |site| words(&[call, "unix-datagram", &format!("@{}", site.path)])),
    );
}

fn signals(all: &mut Vec<Case>) {
    let new = |name: &str, hit: &str, miss: &str| Case::new("task_kill", name, hit, miss);
    all.push(
        new("signal", "signal in [SIGUSR1, SIGUSR2]", "signal == SIGHUP")
            .shows("signal", "SIGUSR2"),
    );
    all.push(new("signal-not", "signal != SIGKILL", "signal != SIGWINCH"));
    all.push(
        new(
            "target.exe",
            &format!("target.exe == \"{TARGET}\""),
            "target.exe == \"/t/targe\"",
        )
        .shows("target.exe", TARGET),
    );
    all.push(
        new(
            "target.comm",
            "target.comm == \"target\"",
            "target.comm == \"targe\"",
        )
        .shows("target.comm", "target"),
    );
    all.push(new("target.uid", "target.uid == 0", "target.uid == 1").shows("target.uid", json!(0)));
    all.push(new("target.pid", "target.pid > 1", "target.pid == 1"));
}
