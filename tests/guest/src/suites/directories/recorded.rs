//! The paths that records have.

use std::fs::{self, File};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::{FIRST, TOP, file};
use crate::cli::{Events, apply};

/// A record's path is put together from what is remembered of its directory, too.
pub(super) fn recorded() -> Result<()> {
    recorded_at(TOP)?;
    let tested = recorded_at(FIRST);
    fs::remove_dir_all(FIRST)?;
    tested
}

fn recorded_at(top: &str) -> Result<()> {
    let at = |path: &str| format!("{top}/{path}");
    for path in ["one/f", "one/g", "deep/er/f", "spare-file"] {
        file(&at(path))?;
    }
    apply(&format!(
        "@id(\"seen\") audit file_open when path == \"{top}/**/?\"\n"
    ))?;
    let mut events = Events::follow()?;
    let mut opened = |paths: &[&str]| -> Result<()> {
        for _ in 0..3 {
            for path in paths.iter().map(|path| at(path)) {
                File::open(&path).with_context(|| path.clone())?;
                let event = events.of_rule("seen")?;
                // Fewer a second than are recorded of a rule.
                thread::sleep(Duration::from_millis(20));
                ensure!(
                    event.text("path") == path,
                    "{path} is recorded as {}",
                    event.text("path")
                );
            }
        }
        Ok(())
    };
    opened(&["one/f", "one/g", "deep/er/f"])?;
    fs::rename(at("one"), at("two"))?;
    opened(&["two/f"])?;
    opened(&["two/f", "two/g"])?;
    fs::rename(at("two"), at("deep/er/two"))?;
    opened(&["deep/er/two/f", "deep/er/f"])?;
    fs::rename(at("deep"), at("a-name-that-is-longer"))?;
    opened(&["a-name-that-is-longer/er/two/f"])?;
    fs::remove_dir_all(at("a-name-that-is-longer"))?;
    // Nothing is renamed here: only that a directory is another one tells its path.
    for round in 0..8 {
        let directory = format!("anew-{round}");
        let name = format!("{directory}/f");
        fs::create_dir(at(&directory))?;
        fs::hard_link(at("spare-file"), at(&name))?;
        opened(&[&name])?;
        fs::remove_dir_all(at(&directory))?;
    }
    fs::remove_file(at("spare-file"))?;
    Ok(())
}
