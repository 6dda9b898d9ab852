//! `smoke`: is this a kernel that the other suites can use at all?

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result, ensure};

use super::Suite;
use crate::actor::Actor;
use crate::console::Report;
use crate::machine;
use crate::tracing::{Decision, End, Traced};

pub(crate) const SUITE: Suite = Suite { name: "smoke", run };

fn run(report: &mut Report, _arguments: &[String]) -> Result<()> {
    report.test("smoke::bpf_is_an_active_lsm", bpf_is_an_active_lsm);
    report.test("smoke::kernel_has_btf", kernel_has_btf);
    report.test("smoke::bpffs_is_writable", bpffs_is_writable);
    report.test("smoke::loopback_is_up", loopback_is_up);
    report.test("smoke::nothing_is_left_to_reap", || {
        ensure!(
            machine::reap() == 0,
            "process 1 has children that nobody started"
        );
        Ok(())
    });
    report.test("smoke::actors_act", actors_act);
    report.json(&serde_json::json!({
        "suite": "smoke",
        "kernel": machine::release(),
        "lsm": active_lsms()?,
    }))
}

/// Without a policy everything that suites ask of actors succeeds.
fn actors_act() -> Result<()> {
    fs::create_dir_all("/t")?;
    fs::write("/t/file", "x")?;
    let mut actor = Actor::start("/t/actor")?;
    let pid = actor.pid().to_string();
    let requests: &[&[&str]] = &[
        &["nothing"],
        &["open", "/t/file", "rw"],
        &["open", "/t/file", "wac"],
        &["mmap", "/t/file", "r", "private"],
        &["mmap", "/t/file", "rw", "shared"],
        &["mmap-anonymous", "rx", "private"],
        &["rename", "/t/file", "/t/other"],
        &["unlink", "/t/other"],
        &["connect", "udp", "127.0.0.1", "9"],
        &["connect", "udp-named", "::1", "9"],
        &["bind", "tcp", "127.0.0.1", "9009"],
        &["bind", "tcp-named", "::1", "9009"],
        &["bind", "unix-stream", "/t/socket"],
        &["bind", "unix-datagram", "@abstract"],
        &["kill", &pid, "10"],
        &["kill", &pid, "0"],
        &["exec", "/t/actor", "act-once", "nothing"],
        &["comm", "another"],
        &["flood", "3", "/init"],
        &["measure", "wall", "4", "2", "open", "/init"],
        &["unshare", "mount"],
        &["gids", "0", "1234", "0"],
        &["uids", "0", "1234", "0"],
    ];
    for request in requests {
        actor.must(request)?;
    }
    let mut actor = Actor::start("/t/actor")?;
    actor.enter("/t/child")?;
    actor.enter_memory("hidden")?;
    actor.leave()?;
    actor.leave()?;
    actor.become_program("/t/child")?;
    actor.must(&["chroot", "/t"])?;
    ensure!(
        actor.must(&["exec", "/actor", "act-once", "nothing"])?["code"] == 0,
        "the program failed"
    );
    fs::write("/t/tiny", super::enforce::tiny_program())?;
    fs::set_permissions("/t/tiny", fs::Permissions::from_mode(0o755))?;
    ensure!(
        actor.must(&["exec", "/tiny"])?["code"] == 0,
        "the shortest program failed"
    );
    let calls = std::cell::Cell::new(0);
    let mut traced = Traced::start("/t/tiny", &[])?;
    let end = traced.run(|_| {
        calls.set(calls.get() + 1);
        Decision::Go
    })?;
    ensure!(
        end == End::Exited(0) && calls.get() == 1,
        "traced: {end:?} after {} calls",
        calls.get()
    );
    Ok(())
}

fn active_lsms() -> Result<String> {
    fs::read_to_string("/sys/kernel/security/lsm").context("reading /sys/kernel/security/lsm")
}

fn bpf_is_an_active_lsm() -> Result<()> {
    let active = active_lsms()?;
    ensure!(
        active.trim().split(',').any(|name| name == "bpf"),
        "active: {active}"
    );
    Ok(())
}

fn kernel_has_btf() -> Result<()> {
    let size = fs::metadata("/sys/kernel/btf/vmlinux")
        .context("/sys/kernel/btf/vmlinux")?
        .len();
    ensure!(size > 0, "/sys/kernel/btf/vmlinux is empty");
    Ok(())
}

fn bpffs_is_writable() -> Result<()> {
    let directory = "/sys/fs/bpf/smoke";
    fs::create_dir(directory).with_context(|| format!("creating {directory}"))?;
    fs::remove_dir(directory).with_context(|| format!("removing {directory}"))
}

fn loopback_is_up() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").context("binding to 127.0.0.1")?;
    TcpStream::connect(listener.local_addr()?).context("connecting to 127.0.0.1")?;
    Ok(())
}
