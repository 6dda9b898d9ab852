//! `smoke`: is this a kernel that the other suites can use at all?

use std::fs;
use std::net::{TcpListener, TcpStream};

use anyhow::{Context, Result, ensure};

use super::Suite;
use crate::console::Report;
use crate::machine;

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
    report.json(&serde_json::json!({
        "suite": "smoke",
        "kernel": machine::release(),
        "lsm": active_lsms()?,
    }))
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
