//! `bypass`: the routes around a rule that people try, one test each: what everybody
//! would write first, whether that blocks the route, and if not, the rule that does.
//!
//! The table in `docs/limits.md` lists the same ([`routes`]): a test of this crate
//! compares them.
//!
//! For each route the suite shows more than that a call fails: the same by a program
//! that is exempt gets through, and so does the same with an object that the rule is
//! not about.

mod files;
mod mounts;
mod names;
mod others;
mod programs;
mod route;
mod sockets;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context as _, Result, ensure};

use self::route::{Answer, Go, Route, Site};
use super::Suite;
use super::enforce::tiny_program;
use crate::actor::{Actor, Outcome, install};
use crate::cli;
use crate::console::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "bypass",
    run,
};

/// Where the objects are, on a file system of their own.
const SERVICE: &str = "/srv";
/// The program that a policy is about.
const ACTOR: &str = "/srv/bin/actor";
/// One that it is not about.
const EXEMPT: &str = "/srv/bin/exempt";
/// The interpreter of scripts.
const INTERPRETER: &str = "/srv/bin/interpreter";
/// One that may do what others may not.
const KEEPER: &str = "/srv/bin/keeper";

/// All routes, as the documentation lists them.
fn routes() -> Vec<Route> {
    let mut all = files::routes();
    all.extend(mounts::routes());
    all.extend(names::routes());
    all.extend(programs::routes());
    all.extend(others::routes());
    all.extend(sockets::routes());
    all
}

fn run(report: &mut Report, _arguments: &[String]) -> Result<()> {
    fs::create_dir_all(SERVICE)?;
    rustix::mount::mount(
        "srv",
        SERVICE,
        "tmpfs",
        rustix::mount::MountFlags::empty(),
        c"mode=0755",
    )?;
    for program in [ACTOR, EXEMPT, INTERPRETER, KEEPER] {
        install(program)?;
    }
    let _servers = sockets::Servers::start()?;
    for route in routes() {
        let name = format!("bypass::{}", route.name);
        match (route.missing)() {
            Some(reason) => report.skip(&name, &reason),
            None => report.test(&name, || whole(&route)),
        }
    }
    report.test("bypass::remove_blocks_nothing", || {
        cli::remove()?;
        attempt(route::open, ACTOR, Site::SECRET)?.done().map(drop)
    });
    Ok(())
}

/// Puts a policy in force that does not bind this suite itself.
fn apply(rules: &str) -> Result<()> {
    cli::apply(&format!(
        "exempt when exe in [\"/init\", \"{}\", \"{EXEMPT}\"]\n{rules}\n",
        cli::LSMPC
    ))
}

/// One route under the obvious rule and, if need be, under the one that blocks it.
fn whole(route: &Route) -> Result<()> {
    let try_it = |go: Go, program: &str, site: Site| {
        attempt(go, program, site)
            .with_context(|| format!("{program}, {}: {}", site.name, route.how))
    };
    apply(route.obvious)?;
    if let Some(direct) = route.direct {
        let outcome = try_it(direct, ACTOR, Site::SECRET)?;
        ensure!(
            matches!(
                outcome,
                Outcome::Failed {
                    errno: libc::EPERM,
                    ..
                }
            ),
            "the direct way is open: {outcome}"
        );
    }
    let outcome = try_it(route.go, ACTOR, Site::SECRET)?;
    let spared = |near: Go, errno| -> Result<()> {
        through(&try_it(near, ACTOR, Site::PUBLIC)?).context("what the rule is not about")?;
        if route.outlives_exempt {
            return through(&try_it(route.go, EXEMPT, Site::SECRET)?).context("exempt");
        }
        // What the program becomes is not exempt.
        try_it(route.go, EXEMPT, Site::SECRET)?.refused_with(route.stop(), errno)
    };
    match &route.answer {
        Answer::Blocked { at } => {
            outcome.refused(at).context("the obvious rule")?;
            spared(route.near.unwrap_or(route.go), libc::EPERM)
        }
        Answer::Through {
            rule,
            instead,
            at,
            errno,
        } => {
            through(&outcome).context("the obvious rule")?;
            through(&try_it(route.go, ACTOR, Site::PUBLIC)?)?;
            if *instead {
                apply(rule)?;
            } else {
                apply(&format!("{}\n{rule}", route.obvious))?;
            }
            try_it(route.go, ACTOR, Site::SECRET)?
                .refused_with(at, *errno)
                .context("the rule that blocks it")?;
            spared(route.near.unwrap_or(route.go), *errno)
        }
    }
}

/// It succeeded, and so did what it started.
fn through(outcome: &Outcome) -> Result<()> {
    let value = outcome.done()?;
    ensure!(
        value["signal"].is_null() && value["code"].as_i64().unwrap_or(0) == 0,
        "it did not end well: {value}"
    );
    Ok(())
}

/// Goes a route once, with everything put back in its place before.
fn attempt(go: Go, program: &str, site: Site) -> Result<Outcome> {
    arrange()?;
    go(&mut Actor::start(program)?, site)
}

/// Makes the files that tests are about, and nothing else, in `/srv/d` and `/srv/e`.
fn arrange() -> Result<()> {
    for directory in ["d", "e", "empty", "at"] {
        let directory = format!("{SERVICE}/{directory}");
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).with_context(|| directory)?;
    }
    for name in [Site::SECRET.name, Site::PUBLIC.name] {
        let script = format!("#!{INTERPRETER}\n[\"nothing\"]\n");
        for (suffix, contents) in [
            ("", tiny_program()),
            ("\n", tiny_program()),
            (".act", script.into_bytes()),
        ] {
            let path = format!("{SERVICE}/d/{name}{suffix}");
            fs::write(&path, contents)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
    }
    names::arrange()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The row of the table that a route should have.
    fn row(route: &Route) -> String {
        let (blocks, rule) = match &route.answer {
            Answer::Blocked { .. } => ("yes", "–".to_owned()),
            Answer::Through { rule, .. } => ("**no**", format!("`{rule}`")),
        };
        format!(
            "| `{}` | {} | `{}` | {blocks} | {rule} |",
            route.name, route.how, route.obvious
        )
    }

    #[test]
    fn the_documentation_has_a_row_for_each_route_and_no_other() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/limits.md");
        let text = fs::read_to_string(page).unwrap();
        let (_, section) = text.split_once("\n## Routes around a rule\n").unwrap();
        let section = section.split("\n## ").next().unwrap();
        let found: Vec<&str> = section
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        let wanted: Vec<String> = routes().iter().map(row).collect();
        assert!(
            found == wanted,
            "the table in docs/limits.md should be:\n{}",
            wanted.join("\n")
        );
    }

    #[test]
    fn names_are_given_once() {
        let mut names: Vec<_> = routes().iter().map(|route| route.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
