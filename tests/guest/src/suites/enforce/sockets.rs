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
    all
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
