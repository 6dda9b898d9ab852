//! `scopes`: what holds for a task because of what it is, what it was, and what it
//! comes from: plain scopes, inherited ones, and conditions on ancestors.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context as _, Result};

use super::Suite;
use crate::actor::Actor;
use crate::cli::{self, apply, lsmpc};
use crate::console::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "scopes",
    run,
};

const ACTOR: &str = "/t/actor";
const WEB: &str = "/t/web";
const CHILD: &str = "/t/child";
const LOGIN: &str = "/t/login";

type Test = fn() -> Result<()>;

const TESTS: &[(&str, Test)] = &[
    ("a_plain_scope_holds_while_its_condition_does", plain),
    ("a_scope_only_restricts", only_restricts),
    ("unless_and_errnos_in_a_scope", unless_and_errnos),
    ("on_error_of_a_scope", on_error),
    ("an_inherited_scope_stays_through_fork_and_exec", inherited),
    ("until_ends_an_inherited_scope", until),
    ("what_held_before_a_fork_is_inherited", held_before_fork),
    ("a_cgroup_made_later_is_inherited", cgroup_made_later),
    ("tasks_older_than_the_policy", older_tasks),
    ("a_swap_keeps_scopes_by_name", swap_keeps),
    ("a_swap_computes_other_scopes_anew", swap_anew),
    ("a_swap_that_changes_nothing", swap_same),
    ("scopes_of_scopes", scopes_of_scopes),
    ("ancestors_do_not_include_the_task", ancestor),
    ("an_ancestor_at_any_depth", deep_ancestor),
    ("ancestors_of_tasks_older_than_the_policy", older_ancestors),
    ("eval_says_what_the_kernel_does", eval),
];

fn run(report: &mut Report, _arguments: &[String]) -> Result<()> {
    fs::create_dir_all("/t")?;
    fs::set_permissions("/t", fs::Permissions::from_mode(0o777))?;
    for path in ["/t/p", "/t/q", "/t/r"] {
        fs::write(path, "plain\n")?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    }
    for (name, test) in TESTS {
        report.test(&format!("scopes::{name}"), *test);
    }
    report.test("scopes::remove_allows_everything", || {
        let mut actor = Actor::start(ACTOR)?;
        actor.enter(WEB)?;
        cli::remove()?;
        passes(&mut actor, "/t/p")
    });
    Ok(())
}

fn refused(actor: &mut Actor, path: &str) -> Result<()> {
    actor
        .ask(&["open", path, "r"])?
        .refused("open")
        .with_context(|| path.to_owned())
}

fn passes(actor: &mut Actor, path: &str) -> Result<()> {
    actor.must(&["open", path, "r"]).map(drop)
}

/// A policy whose one scope denies one file.
fn scope(head: &str, path: &str) -> String {
    format!("scope {head} {{ deny file_open when path == \"{path}\" }}\n")
}

/// An inherited scope of the web server's.
fn web(path: &str) -> String {
    scope(&format!("web when exe == \"{WEB}\" inherit"), path)
}

fn plain() -> Result<()> {
    apply(&scope("s when euid == 1234", "/t/p"))?;
    let mut actor = Actor::start(ACTOR)?;
    passes(&mut actor, "/t/p")?;
    actor.must(&["uids", "0", "1234", "0"])?;
    refused(&mut actor, "/t/p")?;
    passes(&mut actor, "/t/q")?;
    // Nothing sticks.
    actor.must(&["uids", "0", "0", "0"])?;
    passes(&mut actor, "/t/p")?;
    apply(&scope("s when exe == \"/t/web\"", "/t/p"))?;
    actor.enter(WEB)?;
    refused(&mut actor, "/t/p")?;
    actor.enter(CHILD)?;
    passes(&mut actor, "/t/p")
}

fn only_restricts() -> Result<()> {
    apply(&format!(
        "deny file_open when path == \"/t/p\"\n\
         scope s when exe == \"{ACTOR}\" {{\n\
           default deny file_open\n\
           allow file_open when path in [\"/t/p\", \"/t/q\"]\n\
         }}\n"
    ))?;
    let mut actor = Actor::start("/t/starter")?;
    passes(&mut actor, "/t/r")?;
    // The program itself has to be opened before the scope holds for it.
    actor.become_program(ACTOR)?;
    refused(&mut actor, "/t/p")?;
    passes(&mut actor, "/t/q")?;
    refused(&mut actor, "/t/r")
}

fn unless_and_errnos() -> Result<()> {
    apply(&format!(
        "deny with ENOENT file_open when path == \"/t/q\" and comm == \"worker\"\n\
         scope s when exe == \"{WEB}\" inherit {{\n\
           deny with EACCES file_open when path in [\"/t/p\", \"/t/q\"] unless uid == 1234\n\
         }}\n"
    ))?;
    let mut actor = Actor::start(WEB)?;
    actor.enter(CHILD)?;
    let open = ["open", "/t/p", "r"];
    actor.ask(&open)?.refused_with("open", libc::EACCES)?;
    actor.must(&["comm", "worker"])?;
    // The smallest errno wins.
    actor
        .ask(&["open", "/t/q", "r"])?
        .refused_with("open", libc::ENOENT)?;
    actor.must(&["uids", "1234", "0", "0"])?;
    passes(&mut actor, "/t/p")
}

fn on_error() -> Result<()> {
    // Deeper than a path can be long.
    let component = "l".repeat(250);
    apply(&format!(
        "on_error deny file_open\n\
         scope lenient when exe == \"{WEB}\" inherit {{\n\
           on_error allow file_open\n\
           deny file_open when path == \"/t/never\"\n\
         }}\n\
         scope strict when exe == \"{LOGIN}\" inherit {{ deny file_open when path == \"/t/never\" }}\n"
    ))?;
    let below = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
    let create = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::RDWR;
    let mode = rustix::fs::Mode::from_raw_mode(0o777);
    fs::create_dir_all("/t/deep")?;
    let mut directory: std::os::fd::OwnedFd = fs::File::open("/t/deep")?.into();
    for _ in 0..18 {
        let _ = rustix::fs::mkdirat(&directory, component.as_str(), mode);
        directory = rustix::fs::openat(&directory, component.as_str(), below, mode)?;
    }
    rustix::fs::openat(&directory, "file", create, mode)?;
    let descend = |program: &str| -> Result<Actor> {
        let mut actor = Actor::start(program)?;
        actor.enter(CHILD)?;
        actor.must(&["chdir", "/t/deep"])?;
        for _ in 0..18 {
            actor.must(&["chdir", &component])?;
        }
        Ok(actor)
    };
    passes(&mut descend(ACTOR)?, "file")?;
    passes(&mut descend(WEB)?, "file")?;
    refused(&mut descend(LOGIN)?, "file")
}

fn inherited() -> Result<()> {
    apply(&web("/t/p"))?;
    let mut actor = Actor::start(ACTOR)?;
    passes(&mut actor, "/t/p")?;
    actor.enter(WEB)?;
    refused(&mut actor, "/t/p")?;
    passes(&mut actor, "/t/q")?;
    actor.enter(CHILD)?;
    refused(&mut actor, "/t/p")?;
    actor.enter("/t/other")?;
    refused(&mut actor, "/t/p")?;
    for program in ["/t/third", CHILD] {
        actor.become_program(program)?;
        refused(&mut actor, "/t/p")?;
        passes(&mut actor, "/t/q")?;
    }
    // Those who started them are not concerned.
    for _ in 0..3 {
        actor.leave()?;
    }
    passes(&mut actor, "/t/p")?;
    actor.enter(CHILD)?;
    passes(&mut actor, "/t/p")
}

fn until() -> Result<()> {
    apply(&scope(
        &format!(
            "web when exe in [\"{WEB}\", \"/t/both\"] inherit until exe in [\"{LOGIN}\", \"/t/both\"]"
        ),
        "/t/p",
    ))?;
    let mut actor = Actor::start(WEB)?;
    actor.enter(CHILD)?;
    refused(&mut actor, "/t/p")?;
    actor.enter(LOGIN)?;
    passes(&mut actor, "/t/p")?;
    actor.enter(CHILD)?;
    passes(&mut actor, "/t/p")?;
    actor.enter(WEB)?;
    refused(&mut actor, "/t/p")?;
    actor.become_program(CHILD)?;
    refused(&mut actor, "/t/p")?;
    // `until` wins over the scope's own condition.
    actor.become_program("/t/both")?;
    passes(&mut actor, "/t/p")?;
    actor.become_program(CHILD)?;
    passes(&mut actor, "/t/p")
}

fn held_before_fork() -> Result<()> {
    apply(&scope("u when uid == 1234 inherit", "/t/p"))?;
    let mut actor = Actor::start(ACTOR)?;
    actor.must(&["uids", "1234", "0", "0"])?;
    refused(&mut actor, "/t/p")?;
    actor.enter(CHILD)?;
    actor.must(&["uids", "0", "0", "0"])?;
    refused(&mut actor, "/t/p")?;
    actor.leave()?;
    // It had held when the task forked.
    actor.must(&["uids", "0", "0", "0"])?;
    refused(&mut actor, "/t/p")
}

/// Moves an actor into a cgroup.
fn move_to(actor: &Actor, cgroup: &str) -> Result<()> {
    let directory = format!("/sys/fs/cgroup{cgroup}");
    fs::create_dir_all(&directory)?;
    let members = format!("{directory}/cgroup.procs");
    fs::write(&members, actor.pid().to_string()).with_context(|| format!("writing {members}"))
}

fn cgroup_made_later() -> Result<()> {
    apply(&format!(
        "{}{}",
        scope("plain when cgroup == \"/scopes/**\"", "/t/p"),
        scope("kept when cgroup == \"/scopes/kept/*\" inherit", "/t/q"),
    ))?;
    let mut actor = Actor::start(ACTOR)?;
    passes(&mut actor, "/t/p")?;
    move_to(&actor, "/scopes/one")?;
    refused(&mut actor, "/t/p")?;
    passes(&mut actor, "/t/q")?;
    move_to(&actor, "/scopes/kept/one")?;
    refused(&mut actor, "/t/q")?;
    actor.enter(CHILD)?;
    refused(&mut actor, "/t/q")?;
    actor.leave()?;
    move_to(&actor, "/")?;
    passes(&mut actor, "/t/p")?;
    refused(&mut actor, "/t/q")?;
    actor.enter(CHILD)?;
    refused(&mut actor, "/t/q")
}

fn older_tasks() -> Result<()> {
    let _ = cli::remove();
    crate::bpf::await_no_links()?;
    let mut child = Actor::start(WEB)?;
    child.enter("/t/middle")?;
    child.enter(CHILD)?;
    let mut other = Actor::start(ACTOR)?;
    other.enter(CHILD)?;
    let mut ended = Actor::start(WEB)?;
    ended.enter(LOGIN)?;
    ended.enter(CHILD)?;
    apply(&scope(
        &format!("web when exe == \"{WEB}\" inherit until exe == \"{LOGIN}\""),
        "/t/p",
    ))?;
    // The one that has it of an ancestor has never been seen before.
    refused(&mut child, "/t/p")?;
    passes(&mut child, "/t/q")?;
    child.enter("/t/another")?;
    refused(&mut child, "/t/p")?;
    passes(&mut other, "/t/p")?;
    passes(&mut ended, "/t/p")?;
    other.enter(WEB)?;
    refused(&mut other, "/t/p")
}

fn swap_keeps() -> Result<()> {
    apply(&web("/t/p"))?;
    let mut web_child = Actor::start(WEB)?;
    web_child.become_program(CHILD)?;
    refused(&mut web_child, "/t/p")?;
    // Never asked about anything between the swaps.
    let mut silent = Actor::start(WEB)?;
    silent.become_program(CHILD)?;
    let mut other = Actor::start(ACTOR)?;
    for path in ["/t/q", "/t/r", "/t/q"] {
        apply(&format!(
            "{}{}",
            scope("first when uid == 4294967294 inherit", "/t/p"),
            scope("web when exe == \"/t/nothing\" inherit", path)
        ))?;
        refused(&mut web_child, path)?;
        passes(&mut web_child, "/t/p")?;
        passes(&mut other, path)?;
    }
    refused(&mut silent, "/t/q")?;
    silent.enter("/t/another")?;
    refused(&mut silent, "/t/q")?;
    passes(&mut silent, "/t/r")
}

fn swap_anew() -> Result<()> {
    apply(&web("/t/p"))?;
    let mut child = Actor::start(WEB)?;
    child.enter(CHILD)?;
    let mut alone = Actor::start(WEB)?;
    alone.become_program(CHILD)?;
    // Another name: what the tasks and their ancestors are now counts.
    apply(&scope(
        &format!("other when exe == \"{WEB}\" inherit"),
        "/t/p",
    ))?;
    refused(&mut child, "/t/p")?;
    passes(&mut alone, "/t/p")?;
    apply(&scope(&format!("plain when exe == \"{WEB}\""), "/t/p"))?;
    passes(&mut child, "/t/p")?;
    // The name has been away in between.
    apply(&scope("other when exe == \"/t/nothing\" inherit", "/t/p"))?;
    passes(&mut child, "/t/p")
}

fn swap_same() -> Result<()> {
    let mut actor = Actor::start(ACTOR)?;
    for _ in 0..3 {
        apply(&web("/t/p"))?;
        passes(&mut actor, "/t/p")?;
        actor.enter(CHILD)?;
        passes(&mut actor, "/t/p")?;
        let mut inside = Actor::start(WEB)?;
        inside.enter(CHILD)?;
        refused(&mut inside, "/t/p")?;
    }
    Ok(())
}

fn scopes_of_scopes() -> Result<()> {
    // Three at once, two of them for one task.
    apply(&format!(
        "{}{}{}",
        web("/t/p"),
        scope(&format!("login when exe == \"{LOGIN}\" inherit"), "/t/q"),
        scope(
            &format!("below when ancestor.exe == \"{WEB}\" and uid == 1234 inherit"),
            "/t/r"
        ),
    ))?;
    let mut actor = Actor::start(WEB)?;
    actor.enter(LOGIN)?;
    actor.become_program(CHILD)?;
    refused(&mut actor, "/t/p")?;
    refused(&mut actor, "/t/q")?;
    passes(&mut actor, "/t/r")?;
    actor.must(&["uids", "1234", "0", "0"])?;
    refused(&mut actor, "/t/r")?;
    actor.become_program(CHILD)?;
    actor.must(&["uids", "0", "0", "0"])?;
    refused(&mut actor, "/t/r")
}

fn below(program: &str, path: &str) -> String {
    format!("deny file_open when ancestor.exe == \"{program}\" and path == \"{path}\"\n")
}

fn ancestor() -> Result<()> {
    apply(&below(WEB, "/t/p"))?;
    let mut actor = Actor::start(WEB)?;
    passes(&mut actor, "/t/p")?;
    actor.enter(CHILD)?;
    refused(&mut actor, "/t/p")?;
    // Its ancestors stay what they are, whatever it executes.
    actor.become_program(WEB)?;
    refused(&mut actor, "/t/p")?;
    passes(&mut actor, "/t/q")?;
    let mut actor = Actor::start(ACTOR)?;
    actor.enter(CHILD)?;
    passes(&mut actor, "/t/p")?;
    // A swap that asks for the same keeps it.
    let mut actor = Actor::start(WEB)?;
    actor.enter(CHILD)?;
    apply(&below(WEB, "/t/q"))?;
    refused(&mut actor, "/t/q")?;
    apply(&below("/t/{web,nothing}", "/t/q"))?;
    refused(&mut actor, "/t/q")
}

fn deep_ancestor() -> Result<()> {
    apply(&format!(
        "{}{}",
        below(WEB, "/t/p"),
        below("/t/never", "/t/q")
    ))?;
    let mut actor = Actor::start(WEB)?;
    for _ in 0..30 {
        actor.enter(CHILD)?;
    }
    refused(&mut actor, "/t/p")?;
    passes(&mut actor, "/t/q")?;
    for _ in 0..30 {
        actor.leave()?;
    }
    passes(&mut actor, "/t/p")
}

fn older_ancestors() -> Result<()> {
    let _ = cli::remove();
    crate::bpf::await_no_links()?;
    let mut actor = Actor::start(WEB)?;
    for _ in 0..3 {
        actor.enter(CHILD)?;
    }
    let mut top = Actor::start(WEB)?;
    apply(&below(WEB, "/t/p"))?;
    refused(&mut actor, "/t/p")?;
    passes(&mut actor, "/t/q")?;
    passes(&mut top, "/t/p")?;
    top.enter(CHILD)?;
    refused(&mut top, "/t/p")
}

/// The same by `lsmpc eval`.
fn eval() -> Result<()> {
    let policy = cli::policy_file(&format!("{}{}", web("/t/p"), below("/t/top", "/t/q")))?;
    let events = format!("{policy}.events");
    for (event, verdict) in [
        (
            r#""path":"/t/p","inherited":["web"],"ancestor.exe":[]"#,
            "deny",
        ),
        (r#""path":"/t/p","ancestor.exe":["/t/top"]"#, "allow"),
        (r#""path":"/t/q","ancestor.exe":["/t/x","/t/top"]"#, "deny"),
        (r#""path":"/t/q","ancestor.exe":["/t/x"]"#, "allow"),
        // Denied in doubt.
        (r#""path":"/t/q","ancestor.exe":["/t/x",null]"#, "deny"),
    ] {
        let line = format!("{{\"hook\":\"file_open\",\"exe\":\"/t/child\",{event}}}\n");
        fs::write(&events, line)?;
        lsmpc(&["eval", &policy, "--events", &events])?
            .expect_code(0)?
            .expect_words(&[&format!("\"verdict\":\"{verdict}\"")])
            .with_context(|| event.to_owned())?;
    }
    Ok(())
}
