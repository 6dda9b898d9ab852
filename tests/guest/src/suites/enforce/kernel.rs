//! Hooks on the kernel itself: modules, BPF, lockdown, clocks, keys, io_uring.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lsmpc_runtime::btf::KernelBtf;
use serde_json::json;

use super::case::{ACTOR, Case};
use super::{Ground, complete, shows};
use crate::actor::Actor;

pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    without_fields(&mut all);
    loads(&mut all);
    bpf(&mut all);
    tokens(&mut all);
    all
}

/// Hooks that have fields of the subject only.
fn without_fields(all: &mut Vec<Case>) {
    let hooks: [(_, _, &'static [_]); 7] = [
        ("perf_event_open", "perf_event_open", &["perf"]),
        ("settime", "clock_settime", &["set-clock"]),
        ("quotactl", "quotactl", &["quota-sync"]),
        ("key_alloc", "add_key", &["add-key"]),
        ("uring_sqpoll", "io_uring_setup", &["uring", "sqpoll"]),
        (
            "uring_override_creds",
            "io_uring",
            &["uring", "personality"],
        ),
        ("uring_cmd", "io_uring", &["uring", "command"]),
    ];
    for (hook, call, request) in hooks {
        all.push(
            Case::of_child(hook, "subject", "uid == 0", "uid == 1", call, request)
                .or(&[libc::EOPNOTSUPP]),
        );
    }
}

fn loads(all: &mut Vec<Case>) {
    const HARMLESS: &[i32] = &[libc::ENOEXEC, libc::EINVAL];
    all.push(
        Case::of_child(
            "kernel_load_data",
            "kread.id",
            "kread.id == LOADING_MODULE",
            "kread.id in [LOADING_UNKNOWN, LOADING_FIRMWARE, READING_MODULE]",
            "init_module",
            &["init-module"],
        )
        .or(HARMLESS)
        .shows("kread.id", "LOADING_MODULE"),
    );
    all.push(
        Case::new(
            "kernel_read_file",
            "kread.id",
            "kread.id == READING_MODULE",
            "kread.id in [READING_POLICY, READING_FIRMWARE, LOADING_MODULE]",
        )
        .shows("kread.id", "READING_MODULE"),
    );
    all.push(
        Case::of_child(
            "locked_down",
            "what",
            "what == LOCKDOWN_KCORE",
            "what in [LOCKDOWN_DEV_MEM, LOCKDOWN_KPROBES]",
            "open",
            &["open", "/proc/kcore", "r"],
        )
        .shows("what", "LOCKDOWN_KCORE"),
    );
    all.push(
        Case::of_child(
            "syslog",
            "syslog.type",
            "syslog.type == SYSLOG_ACTION_SIZE_BUFFER",
            "syslog.type == SYSLOG_ACTION_READ",
            "syslog",
            &["klog", "10"],
        )
        .shows("syslog.type", "SYSLOG_ACTION_SIZE_BUFFER"),
    );
}

fn bpf(all: &mut Vec<Case>) {
    const MAP: &[&str] = &["bpf-map", "hash"];
    const PROG: &[&str] = &["bpf-prog"];
    all.push(
        Case::of_child(
            "bpf",
            "cmd",
            "cmd == BPF_MAP_CREATE",
            "cmd in [BPF_PROG_LOAD, BPF_MAP_UPDATE_ELEM]",
            "bpf",
            MAP,
        )
        .shows("cmd", "BPF_MAP_CREATE"),
    );
    for hook in ["bpf_map", "bpf_map_create"] {
        all.push(
            Case::of_child(
                hook,
                "map.type",
                "map.type == BPF_MAP_TYPE_HASH",
                "map.type == BPF_MAP_TYPE_ARRAY",
                "bpf",
                MAP,
            )
            .shows("map.type", "BPF_MAP_TYPE_HASH"),
        );
    }
    for hook in ["bpf_prog", "bpf_prog_load"] {
        all.push(
            Case::of_child(
                hook,
                "prog.type",
                "prog.type == BPF_PROG_TYPE_SOCKET_FILTER",
                "prog.type in [BPF_PROG_TYPE_LSM, BPF_PROG_TYPE_XDP]",
                "bpf",
                PROG,
            )
            .shows("prog.type", "BPF_PROG_TYPE_SOCKET_FILTER"),
        );
    }
}

/// A token that is made, and one that stands in for privileges when a map is made.
fn tokens(all: &mut Vec<Case>) {
    const MAKE: &[&str] = &["token", "at", "{path}"];
    const MAP: &[&str] = &["token", "at", "{path}", "map"];
    let new = |hook, field: &str, hit: &str, miss: &str, request| {
        Case::of_child(hook, field, hit, miss, "bpf", request)
            .with(|site| Ok(fs::create_dir_all(&site.path)?))
    };
    let mut create = new(
        "bpf_token_create",
        "path",
        "path == \"{path}\"",
        "path == \"{path}/**\"",
        MAKE,
    );
    create.has_path = true;
    all.push(create);
    all.push(
        new(
            "bpf_token_cmd",
            "cmd",
            "cmd == BPF_MAP_CREATE",
            "cmd in [BPF_PROG_LOAD, BPF_BTF_LOAD, BPF_TOKEN_CREATE]",
            MAP,
        )
        .shows("cmd", "BPF_MAP_CREATE"),
    );
    all.push(
        new(
            "bpf_token_capable",
            "cap",
            "cap == CAP_BPF",
            "cap in [CAP_SYS_ADMIN, CAP_PERFMON, CAP_NET_ADMIN]",
            MAP,
        )
        .shows("cap", "CAP_BPF"),
    );
}

/// A command of bpf(2) is the same with attributes that all commands share.
pub(super) fn common_attributes(ground: &mut Ground) -> Result<()> {
    ground.apply("@id(\"make\") deny bpf when cmd == BPF_MAP_CREATE and exe == \"/t/actor\"")?;
    let mut actor = Actor::start(ACTOR)?;
    actor.ask(&["bpf-map", "hash"])?.refused("bpf")?;
    ground.events()?.of_rule("make")?;
    actor.ask(&["bpf-map-common"])?.refused("bpf")?;
    let event = ground.events()?.of_rule("make")?;
    shows(&event, "cmd", &json!("BPF_MAP_CREATE"))?;
    ground.apply("audit bpf when cmd == BPF_PROG_LOAD and exe == \"/t/actor\"")?;
    actor.must(&["bpf-map-common"]).map(drop)
}

/// Whether this kernel has such attributes.
pub(super) fn has_common_attributes() -> Result<bool> {
    let btf = KernelBtf::parse(fs::read("/sys/kernel/btf/vmlinux")?)?;
    Ok(btf.enumerator("BPF_COMMON_ATTRS").is_some())
}

/// A module that the kernel asks for: the caller is not told why it does not get
/// it, so what counts is whether the kernel's helper was started.
pub(super) fn module_request(ground: &mut Ground) -> Result<()> {
    const HELPER: &str = "/t/modprobe";
    const SETTING: &str = "/proc/sys/kernel/modprobe";
    const SEEN: &str = "/t/asked-";
    // A script for the actor: its name is what is asked for.
    fs::write(HELPER, format!("#!{ACTOR} /t/modprobe.act\n"))?;
    fs::write(
        "/t/modprobe.act",
        format!("#\n[\"open\", \"{SEEN}helper\", \"wc\"]\n"),
    )?;
    fs::set_permissions(HELPER, fs::Permissions::from_mode(0o755))?;
    let before = fs::read_to_string(SETTING)?;
    fs::write(SETTING, HELPER)?;
    let outcome = module_request_with_helper(ground, &format!("{SEEN}helper"));
    fs::write(SETTING, before)?;
    outcome
}

fn module_request_with_helper(ground: &mut Ground, seen: &str) -> Result<()> {
    ground.apply(
        "@id(\"no\") deny kernel_module_request when module == \"net-pf-33\"\n\
         @id(\"yes\") audit kernel_module_request when module == \"net-pf-{3,2}[0-9]\" \
         and module != \"net-pf-33\"\n",
    )?;
    let mut actor = Actor::start(ACTOR)?;
    let _ = fs::remove_file(seen);
    actor
        .ask(&["family", "33"])?
        .refused_with("socket", libc::EAFNOSUPPORT)?;
    let event = ground.events()?.of_rule("no")?;
    complete(&event, "kernel_module_request", "deny", ACTOR)?;
    shows(&event, "module", &json!("net-pf-33"))?;
    ensure!(!Path::new(seen).exists(), "the helper was started");

    actor
        .ask(&["family", "23"])?
        .refused_with("socket", libc::EAFNOSUPPORT)?;
    let event = ground.events()?.of_rule("yes")?;
    complete(&event, "kernel_module_request", "allow", ACTOR)?;
    shows(&event, "module", &json!("net-pf-23"))?;
    let end = Instant::now() + Duration::from_secs(5);
    while !Path::new(seen).exists() {
        ensure!(Instant::now() < end, "the helper was not started");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
