//! `demo`: a policy at work, told to somebody who sees one for the first time.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Suite;
use crate::actor::{Actor, Outcome};
use crate::bpf;
use crate::cli::{self, Event, Events, lsmpc};
use crate::console::Report;
use crate::machine;

pub(crate) const SUITE: Suite = Suite { name: "demo", run };

const FIRST: &str = "\
# Programs that lie in /tmp may not open any file.
@id(\"scratch\") @message(\"programs in /tmp may not open files\")
deny file_open when exe == \"/tmp/*\"
";

const SECOND: &str = "\
# Nobody opens the secret, not even root.
@id(\"secret\") @message(\"nobody opens the secret\")
deny file_open when path == \"/etc/secret\"
";

fn run(report: &mut Report, _arguments: &[String]) -> Result<()> {
    fs::write("/etc/motd", "hello\n")?;
    fs::write("/etc/secret", "42\n")?;
    let result = tell(report);
    report.test("demo", || result);
    Ok(())
}

/// Says a heading.
fn step(report: &mut Report, number: u32, text: &str) {
    report.say("");
    report.say(&format!("{number}. {text}"));
}

/// Says a command and what it printed.
fn command(report: &mut Report, arguments: &[&str]) -> Result<()> {
    report.say(&format!("   # lsmpc {}", arguments.join(" ")));
    let run = lsmpc(arguments)?.expect_code(0)?;
    // What checking has to say is shown once, where it is checked.
    let shown = if arguments.first() == Some(&"check") {
        run.text()
    } else {
        run.stdout
    };
    for line in shown.lines().filter(|line| !line.trim().is_empty()) {
        report.say(&format!("     {line}"));
    }
    Ok(())
}

/// Says what a program tried and what came of it.
fn attempt(report: &mut Report, program: &str, actor: &mut Actor, path: &str) -> Result<Outcome> {
    let outcome = actor.ask(&["open", path, "r"])?;
    let told = match &outcome {
        Outcome::Done(_) => "opened".to_owned(),
        Outcome::Failed { errno, .. } => {
            format!("REFUSED: {}", std::io::Error::from_raw_os_error(*errno))
        }
        other => other.to_string(),
    };
    report.say(&format!("   {program:<18} opens {path:<12} {told}"));
    Ok(outcome)
}

fn show_policy(report: &mut Report, path: &str, text: &str) -> Result<()> {
    fs::create_dir_all("/etc/lsmpc")?;
    fs::write(path, text)?;
    report.say(&format!("   {path}:"));
    for line in text.lines() {
        report.say(&format!("     {line}"));
    }
    Ok(())
}

fn say_event(report: &mut Report, event: &Event) {
    report.say(&format!(
        "     {} {}  rule {}  program {} (pid {})  file {}",
        event.text("hook"),
        event.text("verdict"),
        event.rules().join(", "),
        event.text("exe"),
        event.get("pid"),
        event.text("path"),
    ));
}

fn tell(report: &mut Report) -> Result<()> {
    report.say(&format!(
        "This is Linux {} in a virtual machine that was started a moment ago.",
        machine::release()
    ));
    report.say("lsmpc gives its kernel rules about what programs may do, and takes them back.");

    step(report, 1, "A rule, written down.");
    show_policy(report, "/etc/lsmpc/first.lsmp", FIRST)?;
    report.say("   Is it right? Checking needs no privileges and changes nothing.");
    command(report, &["check", "/etc/lsmpc/first.lsmp"])?;

    step(report, 2, "Before: one program, at two places.");
    let mut scratch = Actor::start("/tmp/program")?;
    let mut installed = Actor::start("/usr/bin/program")?;
    attempt(report, "/tmp/program", &mut scratch, "/etc/motd")?.done()?;
    attempt(report, "/usr/bin/program", &mut installed, "/etc/motd")?.done()?;

    step(report, 3, "The rule is put in force.");
    command(report, &["apply", "/etc/lsmpc/first.lsmp"])?;
    report.say("   Both programs are still running; nothing was restarted.");
    attempt(report, "/tmp/program", &mut scratch, "/etc/motd")?.refused("open")?;
    attempt(report, "/usr/bin/program", &mut installed, "/etc/motd")?.done()?;
    report.say("   root may do anything, except what the policy denies: both run as root.");

    step(report, 4, "What was refused is on record.");
    let mut events = Events::follow()?;
    let event = events.of_rule("scratch")?;
    report.say("   # lsmpc events --follow");
    say_event(report, &event);

    step(
        report,
        5,
        "Another policy takes its place, while a program opens files without pause.",
    );
    show_policy(report, "/etc/lsmpc/second.lsmp", SECOND)?;
    let mut busy = Actor::start("/usr/bin/busy")?;
    let _ = fs::remove_file("/run/demo-stop");
    busy.tell(&["loop", "/run/demo-stop", "/etc/motd", "/etc/secret"])?;
    std::thread::sleep(Duration::from_millis(500));
    command(report, &["apply", "/etc/lsmpc/second.lsmp"])?;
    std::thread::sleep(Duration::from_millis(500));
    fs::write("/run/demo-stop", "")?;
    let tallies = busy.answer()?.done()?;
    for tally in tallies.as_array().into_iter().flatten() {
        report.say(&format!(
            "   /usr/bin/busy      opened {} {} times and was refused {} times",
            tally["path"].as_str().unwrap_or_default(),
            tally["opened"],
            tally["refused"],
        ));
    }
    ensure!(
        tallies[0]["refused"] == 0,
        "a file was refused that no policy names: {tallies}"
    );
    ensure!(
        tallies[1]["opened"].as_u64() > Some(0) && tallies[1]["refused"].as_u64() > Some(0),
        "the swap was not seen: {tallies}"
    );
    report.say(
        "   The change came between two opens: no moment without a policy, none with half of one.",
    );
    attempt(report, "/tmp/program", &mut scratch, "/etc/motd")?.done()?;
    attempt(report, "/usr/bin/program", &mut installed, "/etc/secret")?.refused("open")?;
    let event = events.wait("the secret", |event| {
        event.has_rule("secret") && event.text("exe") == "/usr/bin/program"
    });
    match event {
        Ok(event) => say_event(report, &event),
        // The busy program's records may have used up the rule's rate.
        Err(_) => say_event(report, &events.of_rule("secret")?),
    }
    command(report, &["status"])?;

    step(report, 6, "The policy is removed.");
    drop(events);
    command(report, &["remove"])?;
    attempt(report, "/tmp/program", &mut scratch, "/etc/motd")?.done()?;
    attempt(report, "/usr/bin/program", &mut installed, "/etc/secret")?.done()?;
    bpf::await_no_links()?;
    report.say("   Nothing is attached to the kernel any more.");
    cli::lsmpc(&["status"])?;
    Ok(())
}
