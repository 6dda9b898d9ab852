//! What the guest of `bench` is given: policies of many rules, compiled, and profiles of
//! AppArmor with the same globs.
//!
//! They are compiled on the host, with the same static `lsmpc` that runs in the guest:
//! what is measured there is the kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::image::{self, Extra};
use crate::progress::Step;
use crate::rules::Names;
use crate::{packaged, process, repository, rules};

/// Where the suite looks for it.
const IN_GUEST: &str = "/material";

/// Policies about one hook, and numbers of their rules. The name is the suite's.
const POLICIES: [(&str, &[usize]); 6] = [
    ("open", &[1, 100, 1_000, 4_000, 10_000, 100_000]),
    ("other", &[10_000]),
    ("program", &[4_000]),
    ("stat", &[1, 10_000]),
    ("connect", &[1, 10_000]),
    ("exec", &[1, 10_000]),
];
/// Sizes of AppArmor's profiles.
const PROFILES: [usize; 4] = [100, 1_000, 4_000, 10_000];
/// How many globs the suite is given for programs that go through them.
const SCANNED: usize = 10_000;

/// Files for the guest.
pub(crate) struct Material {
    pub(crate) extras: Vec<Extra>,
    /// AppArmor's compiler.
    pub(crate) parser: String,
}

/// Makes everything anew.
pub(crate) fn make() -> Result<Material> {
    let lsmpc = image::release_tool()?;
    let directory = repository::target().join("bench");
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    for part in ["policies", "profiles"] {
        fs::create_dir_all(directory.join(part))?;
    }
    let mut extras = vec![Extra {
        from: lsmpc.clone(),
        to: "/usr/bin/lsmpc".to_owned(),
    }];
    let mut give = |path: PathBuf, name: String| {
        extras.push(Extra {
            from: path,
            to: format!("{IN_GUEST}/{name}"),
        });
    };

    let list = directory.join("globs");
    let globs: String = rules::globs(SCANNED, Names::Counted)
        .map(|glob| glob + "\n")
        .collect();
    write(&list, &globs)?;
    give(list, "globs".to_owned());
    for (kind, sizes) in POLICIES {
        let step = Step::start(format!("compiling policies: {kind}"));
        for &size in sizes {
            let name = format!("policies/{kind}-{size}.img");
            let image = directory.join(&name);
            let source = image.with_extension("lsmp");
            write(&source, &policy(kind, size))?;
            let mut build = Command::new(&lsmpc);
            process::quiet(build.arg("build").arg(&source).arg("-o").arg(&image))?;
            give(image, name);
        }
        step.done("done");
    }
    let parser = packaged::apparmor_parser()?;
    for size in PROFILES {
        let step = Step::start(format!("compiling a profile of {size} rules for AppArmor"));
        let name = format!("profiles/{size}");
        let binary = directory.join(&name);
        let source = binary.with_extension("txt");
        write(&source, &rules::apparmor(size, Names::Counted))?;
        process::quiet(&mut packaged::compile_profile(&parser, &source, &binary))?;
        give(binary, name);
        step.done("done");
    }
    Ok(Material {
        extras,
        parser: parser.version,
    })
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

fn policy(kind: &str, count: usize) -> String {
    let (hook, also) = match kind {
        "other" => ("file_open", "exe == \"/usr/bin/another\" and "),
        "program" => return rules::lsmp_of_program(count, Names::Counted),
        "stat" => ("inode_getattr", ""),
        "exec" => ("bprm_check_security", ""),
        "connect" => {
            let ports = (0..count).map(|number| {
                let port = 20_000 + number;
                format!("deny socket_connect when port == {port}\n")
            });
            return ports.collect();
        }
        _ => ("file_open", ""),
    };
    rules::lsmp(count, Names::Counted, hook, also)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_rules_as_asked_for() {
        for (kind, _) in POLICIES {
            assert_eq!(policy(kind, 8).matches("deny ").count(), 8, "{kind}");
        }
    }
}
