//! What statements mean together: effects, errnos, scopes, defaults,
//! exemptions, sets, includes, fields without a value.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::case::{ACTOR, plain_file, program_file};
use super::{Ground, shows};
use crate::actor::Actor;
use crate::cli::{self, lsmpc};
use crate::console::Report;

type Test = fn(&mut Ground) -> Result<()>;

const TESTS: &[(&str, Test)] = &[
    ("deny_with_an_errno", deny_with_an_errno),
    ("smallest_errno_wins", smallest_errno_wins),
    ("kill_at_file_open", kill_at_file_open),
    ("kill_at_path_unlink", kill_at_path_unlink),
    ("kill_at_bprm_check_security", kill_at_bprm),
    ("kill_at_socket_connect", kill_at_socket_connect),
    ("kill_at_task_kill", kill_at_task_kill),
    ("kill_at_mmap_file", kill_at_mmap_file),
    ("quiet_leaves_no_record", quiet_leaves_no_record),
    ("unless", unless),
    ("let_and_sets", let_and_sets),
    ("one_rule_for_several_hooks", one_rule_for_several_hooks),
    ("include", include),
    ("deny_beats_allow", deny_beats_allow),
    ("exempt", exempt),
    (
        "default_deny_with_an_allow_list",
        default_deny_with_an_allow_list,
    ),
    ("default_audit", default_audit),
    ("ids_change_without_an_exec", ids_change_without_an_exec),
    ("none_is_not_equal", none_is_not_equal),
    ("annotations_reach_the_record", annotations_reach_the_record),
    ("first_look_of_the_language", first_look_of_the_language),
];

pub(super) fn run(report: &mut Report, ground: &mut Ground) {
    for (name, test) in TESTS {
        report.test(&format!("enforce::rules::{name}"), || test(ground));
    }
}

fn deny_with_an_errno(ground: &mut Ground) -> Result<()> {
    plain_file("/t/e1")?;
    program_file("/t/e2")?;
    ground.apply(
        "deny with EACCES file_open when path == \"/t/e1\"\n\
         deny with ENOENT bprm_check_security when path == \"/t/e2\"\n\
         deny with ECONNREFUSED socket_connect when port == 4001\n\
         deny with EADDRINUSE socket_bind when port == 4002\n\
         deny with EAGAIN task_kill when signal == SIGUSR1\n",
    )?;
    let mut actor = Actor::start(ACTOR)?;
    let target = ground.target.pid().to_string();
    let refusals: [(&[&str], &str, i32); 5] = [
        (&["open", "/t/e1", "r"], "open", libc::EACCES),
        (&["exec", "/t/e2"], "exec", libc::ENOENT),
        (
            &["connect", "udp", "127.0.0.1", "4001"],
            "connect",
            libc::ECONNREFUSED,
        ),
        (
            &["bind", "tcp", "127.0.0.1", "4002"],
            "bind",
            libc::EADDRINUSE,
        ),
        (&["kill", &target, "10"], "kill", libc::EAGAIN),
    ];
    for (request, call, errno) in refusals {
        actor.ask(request)?.refused_with(call, errno)?;
    }
    let event = ground
        .events()?
        .wait("the open", |event| event.text("hook") == "file_open")?;
    ensure!(event.text("errno") == "EACCES", "errno: {}", event.0);
    Ok(())
}

fn smallest_errno_wins(ground: &mut Ground) -> Result<()> {
    plain_file("/t/e3")?;
    ground.apply(
        "deny with EACCES file_open when path == \"/t/e3\"\n\
         deny with ENOENT file_open when path == \"/t/e3\" and uid == 0\n\
         deny with EBUSY file_open when path == \"/t/e*\" and uid == 1\n",
    )?;
    let mut actor = Actor::start(ACTOR)?;
    actor
        .ask(&["open", "/t/e3", "r"])?
        .refused_with("open", libc::ENOENT)
}

/// The actor is killed by the request and the record says so.
fn killed_by(ground: &mut Ground, rule: &str, request: &[&str]) -> Result<()> {
    ground.apply(&format!("@id(\"k\") kill {rule}"))?;
    let mut actor = Actor::start(ACTOR)?;
    actor.must(&["nothing"])?;
    actor.ask(request)?.killed()?;
    let event = ground.events()?.of_rule("k")?;
    ensure!(event.text("verdict") == "kill", "verdict: {}", event.0);
    shows(&event, "pid", &actor.pid().into())
}

fn kill_at_file_open(ground: &mut Ground) -> Result<()> {
    let _ = fs::remove_file("/t/k1");
    fs::create_dir_all("/t/kd")?;
    killed_by(
        ground,
        "file_open when path == \"/t/kd/k1\"",
        &["open", "/t/kd/k1", "rwc"],
    )
}

fn kill_at_path_unlink(ground: &mut Ground) -> Result<()> {
    plain_file("/t/k2")?;
    killed_by(
        ground,
        "path_unlink when path == \"/t/k2\"",
        &["unlink", "/t/k2"],
    )?;
    ensure!(Path::new("/t/k2").exists(), "the file was removed");
    Ok(())
}

fn kill_at_bprm(ground: &mut Ground) -> Result<()> {
    program_file("/t/k3")?;
    ground.apply("@id(\"k\") kill bprm_check_security when path == \"/t/k3\"")?;
    let mut actor = Actor::start(ACTOR)?;
    // The fork that was to execute it dies, the actor lives on: either the
    // failed call or the signal is seen, never the program's exit.
    match actor.ask(&["exec", "/t/k3"])? {
        crate::actor::Outcome::Done(value) => {
            ensure!(value["signal"] == libc::SIGKILL, "it ran: {value}");
        }
        crate::actor::Outcome::Failed { .. } => {}
        other => anyhow::bail!("{other}"),
    }
    actor.ask(&["become", "/t/k3"])?.killed()
}

fn kill_at_socket_connect(ground: &mut Ground) -> Result<()> {
    killed_by(
        ground,
        "socket_connect when port == 4003",
        &["connect", "udp", "127.0.0.1", "4003"],
    )
}

fn kill_at_task_kill(ground: &mut Ground) -> Result<()> {
    let target = ground.target.pid().to_string();
    killed_by(
        ground,
        &format!("task_kill when target.pid == {target} and signal == SIGKILL"),
        &["kill", &target, "9"],
    )?;
    ground.target.must(&["nothing"]).map(drop)
}

fn kill_at_mmap_file(ground: &mut Ground) -> Result<()> {
    plain_file("/t/k4")?;
    killed_by(
        ground,
        "mmap_file when path == \"/t/k4\"",
        &["mmap", "/t/k4", "r", "private"],
    )
}

fn quiet_leaves_no_record(ground: &mut Ground) -> Result<()> {
    plain_file("/t/q1")?;
    plain_file("/t/q2")?;
    ground.apply(
        "@id(\"q1\") @quiet(true) deny file_open when path == \"/t/q1\"\n\
         @id(\"q2\") deny file_open when path == \"/t/q2\"\n",
    )?;
    let mut actor = Actor::start(ACTOR)?;
    actor.ask(&["open", "/t/q1", "r"])?.refused("open")?;
    actor.ask(&["open", "/t/q2", "r"])?.refused("open")?;
    let events = ground.events()?;
    events.of_rule("q2")?;
    let rest = events.settle(std::time::Duration::from_millis(200))?;
    ensure!(
        !rest.iter().any(|event| event.has_rule("q1")),
        "a quiet rule left a record"
    );
    Ok(())
}

fn unless(ground: &mut Ground) -> Result<()> {
    plain_file("/t/u1")?;
    ground.apply("deny file_open when path == \"/t/u1\" unless exe == \"/t/keeper\"")?;
    Actor::start(ACTOR)?
        .ask(&["open", "/t/u1", "r"])?
        .refused("open")?;
    Actor::start("/t/keeper")?
        .must(&["open", "/t/u1", "r"])
        .map(drop)
}

fn let_and_sets(ground: &mut Ground) -> Result<()> {
    for path in ["/t/l1", "/t/l2.key", "/t/l3"] {
        plain_file(path)?;
    }
    ground.apply(
        "let more = \"/t/*.key\"\n\
         let secret = [\"/t/l1\", more]\n\
         let local = addr in [\"127.0.0.0/8\", \"::1\"]\n\
         deny file_open when path in secret\n\
         deny socket_connect when local and port not in [1..4099, 4101..65535]\n",
    )?;
    let mut actor = Actor::start(ACTOR)?;
    actor.ask(&["open", "/t/l1", "r"])?.refused("open")?;
    actor.ask(&["open", "/t/l2.key", "r"])?.refused("open")?;
    actor.must(&["open", "/t/l3", "r"])?;
    actor
        .ask(&["connect", "udp", "127.0.0.1", "4100"])?
        .refused("connect")?;
    actor.must(&["connect", "udp", "127.0.0.1", "4099"])?;
    actor
        .ask(&["connect", "udp", "::1", "4100"])?
        .refused("connect")
}

fn one_rule_for_several_hooks(ground: &mut Ground) -> Result<()> {
    plain_file("/t/s1")?;
    ground
        .apply("@id(\"s\") deny file_open, path_unlink, path_rename when any_path == \"/t/s1\"")?;
    let mut actor = Actor::start(ACTOR)?;
    actor.ask(&["open", "/t/s1", "r"])?.refused("open")?;
    actor.ask(&["unlink", "/t/s1"])?.refused("unlink")?;
    actor
        .ask(&["rename", "/t/s1", "/t/s2"])?
        .refused("rename")?;
    plain_file("/t/s3")?;
    actor.ask(&["rename", "/t/s3", "/t/s1"])?.refused("rename")
}

fn include(ground: &mut Ground) -> Result<()> {
    fs::create_dir_all("/run/including/parts.d")?;
    plain_file("/t/i1")?;
    plain_file("/t/i2")?;
    fs::write(
        "/run/including/root.lsmp",
        "include \"parts.d\"\ndeny file_open when path == second\n",
    )?;
    fs::write(
        "/run/including/parts.d/10.lsmp",
        "@id(\"first\")\ndeny file_open when path == \"/t/i1\"\n",
    )?;
    fs::write(
        "/run/including/parts.d/20.lsmp",
        "let second = \"/t/i2\"\ninclude \"10.lsmp\"\n",
    )?;
    lsmpc(&["apply", "/run/including/root.lsmp"])?.expect_code(0)?;
    let mut actor = Actor::start(ACTOR)?;
    actor.ask(&["open", "/t/i1", "r"])?.refused("open")?;
    actor.ask(&["open", "/t/i2", "r"])?.refused("open")?;
    let events = ground.events()?;
    let first = events.of_rule("first")?;
    ensure!(
        first.get("rules")[0]["file"] == "parts.d/10.lsmp" && first.get("rules")[0]["line"] == 2,
        "the place of the rule: {}",
        first.0
    );
    // A rule without an id is named by where it stands.
    events.of_rule("root.lsmp:2").map(drop)
}

fn deny_beats_allow(ground: &mut Ground) -> Result<()> {
    for path in ["/t/b/1", "/t/b/2", "/t/b/3"] {
        fs::create_dir_all("/t/b")?;
        plain_file(path)?;
    }
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let statements = [
            "allow file_open when path == \"/t/b/*\"\n",
            "deny file_open when path == \"/t/b/2\"\n",
            "allow file_open when exe == \"/t/actor\" and path == \"/t/b/2\"\n",
        ];
        let text: String = order.map(|number| statements[number]).concat();
        ground.apply(&format!(
            "default deny file_open\n{text}exempt when exe != \"{ACTOR}\"\n"
        ))?;
        let mut actor = Actor::start(ACTOR)?;
        actor.must(&["open", "/t/b/1", "r"])?;
        actor.ask(&["open", "/t/b/2", "r"])?.refused("open")?;
        actor.ask(&["open", "/t/e1", "r"])?.refused("open")?;
    }
    Ok(())
}

fn exempt(ground: &mut Ground) -> Result<()> {
    plain_file("/t/x1")?;
    ground.apply(
        "@id(\"x\") deny file_open when path == \"/t/x1\"\n\
         @id(\"a\") audit file_open when path == \"/t/x1\"\n\
         exempt when exe == \"/t/exempt\"\n",
    )?;
    let mut exempt = Actor::start("/t/exempt")?;
    exempt.must(&["open", "/t/x1", "r"])?;
    let mut actor = Actor::start(ACTOR)?;
    actor.ask(&["open", "/t/x1", "r"])?.refused("open")?;
    let events = ground.events()?;
    let event = events.of_rule("x")?;
    ensure!(
        event.rules() == ["a", "x"],
        "rules are not a and x: {}",
        event.0
    );
    let pid = Value::from(exempt.pid());
    let rest = events.settle(std::time::Duration::from_millis(200))?;
    ensure!(
        !rest.iter().any(|event| *event.get("pid") == pid),
        "an exempt program left a record"
    );
    Ok(())
}

fn default_deny_with_an_allow_list(ground: &mut Ground) -> Result<()> {
    plain_file("/t/d1")?;
    plain_file("/t/d2")?;
    ground.apply(&format!(
        "default deny file_open, socket_connect\n\
         allow file_open when path == \"/t/d1\" or exe != \"{ACTOR}\"\n\
         allow socket_connect when port in [53, 4200..4202] and addr == \"127.0.0.0/8\"\n\
         exempt when exe != \"{ACTOR}\"\n"
    ))?;
    let mut actor = Actor::start(ACTOR)?;
    actor.must(&["open", "/t/d1", "r"])?;
    actor.ask(&["open", "/t/d2", "r"])?.refused("open")?;
    ground.events()?.of_rule("default:")?;
    for port in ["53", "4200", "4202"] {
        actor.must(&["connect", "udp", "127.0.0.1", port])?;
    }
    for port in ["52", "4199", "4203"] {
        actor
            .ask(&["connect", "udp", "127.0.0.1", port])?
            .refused("connect")?;
    }
    ground.target.must(&["open", "/t/d2", "r"]).map(drop)
}

fn default_audit(ground: &mut Ground) -> Result<()> {
    plain_file("/t/t1")?;
    plain_file("/t/t2")?;
    ground.apply(&format!(
        "default audit file_open\n\
         @id(\"listed\") allow file_open when path == \"/t/t1\"\n\
         exempt when exe != \"{ACTOR}\"\n"
    ))?;
    let mut actor = Actor::start(ACTOR)?;
    actor.must(&["open", "/t/t1", "r"])?;
    actor.must(&["open", "/t/t2", "r"])?;
    let event = ground
        .events()?
        .wait("/t/t2", |event| event.text("path") == "/t/t2")?;
    ensure!(event.text("verdict") == "allow", "{}", event.0);
    ensure!(event.rules() == ["default:"], "{}", event.0);
    Ok(())
}

fn ids_change_without_an_exec(ground: &mut Ground) -> Result<()> {
    plain_file("/t/w1")?;
    ground.apply("@id(\"g\") deny file_open when path == \"/t/w*\" and uid == 1234")?;
    let mut actor = Actor::start(ACTOR)?;
    actor.must(&["open", "/t/w1", "r"])?;
    actor.must(&["uids", "1234", "0", "0"])?;
    actor.ask(&["open", "/t/w1", "r"])?.refused("open")?;
    actor.must(&["uids", "0", "0", "0"])?;
    actor.must(&["open", "/t/w1", "r"]).map(drop)
}

fn none_is_not_equal(ground: &mut Ground) -> Result<()> {
    ground.apply(&format!(
        "@id(\"n1\") deny mmap_file when exe == \"{ACTOR}\" and not path == \"/**\" \
           and prot has PROT_EXEC\n\
         @id(\"n2\") audit socket_connect when port != 80 and family == AF_UNIX\n"
    ))?;
    let mut actor = Actor::start(ACTOR)?;
    actor
        .ask(&["mmap-anonymous", "rx", "private"])?
        .refused("mmap")?;
    actor.must(&["mmap-anonymous", "rw", "private"])?;
    actor
        .ask(&["connect", "unix-stream", "/t/nobody"])?
        .refused_with("connect", libc::ENOENT)?;
    ground.events()?.of_rule("n2").map(drop)
}

fn annotations_reach_the_record(ground: &mut Ground) -> Result<()> {
    plain_file("/t/a1")?;
    ground.apply(
        "@id(\"noted\") @severity(\"high\") @message(\"not for you\") @tag(\"one\")\n\
         deny file_open when path == \"/t/a1\"\n",
    )?;
    let mut actor = Actor::start(ACTOR)?;
    actor.ask(&["open", "/t/a1", "r"])?.refused("open")?;
    let event = ground.events()?.of_rule("noted")?;
    shows(&event, "severity", &"high".into())?;
    shows(&event, "message", &"not for you".into())?;
    let rule = &event.get("rules")[0];
    ensure!(
        rule["line"] == 2 && rule["tags"][0] == "one" && rule["kind"] == "deny",
        "the rule: {}",
        event.0
    );
    Ok(())
}

fn first_look_of_the_language(ground: &mut Ground) -> Result<()> {
    for (path, text) in [
        ("/etc/shadow", "x"),
        ("/etc/gshadow", "x"),
        ("/etc/passwd", "x"),
    ] {
        fs::write(path, text)?;
    }
    fs::create_dir_all("/home/ann/.ssh")?;
    fs::write("/home/ann/.ssh/id_ed25519", "x")?;
    fs::write("/home/ann/.ssh/config", "x")?;
    ground.apply(
        "deny file_open when exe == \"/tmp/**\" or exe == \"/dev/shm/**\"\n\
         let secrets = [\"/etc/shadow\", \"/etc/gshadow\", \"/home/*/.ssh/id_*\"]\n\
         let keepers = [\"/usr/bin/passwd\", \"/usr/sbin/sshd\", \"/usr/bin/ssh\"]\n\
         @id(\"secrets\") @severity(\"high\") @message(\"private key or password file\")\n\
         deny file_open, path_unlink, path_rename when any_path in secrets unless exe in keepers\n\
         deny bprm_check_security when exe == \"/usr/sbin/nginx\"\n\
         deny socket_connect when exe == \"/usr/sbin/nginx\"\n\
           unless addr == \"10.0.0.0/8\" and port in [443, 5432..5433]\n\
         exempt when exe == \"/usr/sbin/sshd\"\n",
    )?;
    for program in ["/tmp/deep/er/x", "/dev/shm/x"] {
        Actor::start(program)?
            .ask(&["open", "/etc/passwd", "r"])?
            .refused("open")?;
    }
    let mut cat = Actor::start("/usr/bin/cat")?;
    cat.must(&["open", "/etc/passwd", "r"])?;
    for secret in ["/etc/shadow", "/etc/gshadow", "/home/ann/.ssh/id_ed25519"] {
        cat.ask(&["open", secret, "r"])?.refused("open")?;
        cat.ask(&["unlink", secret])?.refused("unlink")?;
        cat.ask(&["rename", secret, "/t/gone"])?.refused("rename")?;
    }
    cat.ask(&["rename", "/etc/passwd", "/etc/shadow"])?
        .refused("rename")?;
    cat.must(&["open", "/home/ann/.ssh/config", "r"])?;
    for keeper in ["/usr/bin/passwd", "/usr/sbin/sshd"] {
        Actor::start(keeper)?.must(&["open", "/etc/shadow", "r"])?;
    }
    let mut nginx = Actor::start("/usr/sbin/nginx")?;
    let unreachable = &[libc::ENETUNREACH, libc::EINPROGRESS, libc::ECONNREFUSED];
    for (address, port, allowed) in [
        ("10.1.2.3", "443", true),
        ("10.1.2.3", "5433", true),
        ("10.1.2.3", "80", false),
        ("11.1.2.3", "443", false),
        ("::ffff:10.1.2.3", "443", true),
    ] {
        let outcome = nginx.ask(&["connect", "tcp", address, port])?;
        if allowed {
            outcome.passed_or(unreachable)?;
        } else {
            outcome.refused("connect")?;
        }
    }
    program_file("/t/shell")?;
    nginx.ask(&["exec", "/t/shell"])?.refused("exec")?;
    cat.must(&["exec", "/t/shell"])?;
    cli::remove()
}
