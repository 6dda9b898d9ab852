//! Policies of many rules: what `bench` and `compare` measure with.
//!
//! The same globs in three languages, so that compilers are given the same to do.

/// How the files and directories of rules are named.
#[derive(Clone, Copy)]
pub(crate) enum Names {
    /// By number: what a reader of a table can check.
    Counted,
    /// Without a pattern. A compiler that merges what is denied alike finds one in
    /// consecutive numbers: a handful of states stands for any number of them.
    Scattered,
}

impl Names {
    fn name(self, number: usize) -> String {
        match self {
            Self::Counted => number.to_string(),
            Self::Scattered => {
                let mut value = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                format!("{:08x}", (value ^ (value >> 31)) as u32)
            }
        }
    }
}

/// A quarter each: files beside the one that `bench` opens; directories, trees, and
/// wildcards within components, beside its directory.
pub(crate) fn globs(rules: usize, names: Names) -> impl Iterator<Item = String> {
    const DIRECTORY: &str = "/bench/directory/with-a-few";
    (0..rules).map(move |number| {
        let name = names.name(number);
        match number % 4 {
            0 => format!("{DIRECTORY}/names/f{name}"),
            1 => format!("{DIRECTORY}/d{name}/*"),
            2 => format!("{DIRECTORY}/d{name}/**"),
            _ => format!("{DIRECTORY}/d{name}/conf*.d/x?"),
        }
    })
}

/// The globs denied on one hook, to whoever meets a condition as well.
pub(crate) fn lsmp(rules: usize, names: Names, hook: &str, also: &str) -> String {
    globs(rules, names)
        .map(|glob| format!("deny {hook} when {also}path == \"{glob}\"\n"))
        .collect()
}

/// The globs denied to one program.
pub(crate) fn lsmp_of_program(rules: usize, names: Names) -> String {
    lsmp(rules, names, "file_open", "exe == \"/usr/bin/opener\" and ")
}

/// A profile of AppArmor: the globs denied to whom it confines, all else allowed.
pub(crate) fn apparmor(rules: usize, names: Names) -> String {
    let rules_of = globs(rules, names).map(|glob| format!("  deny {glob} rw,\n"));
    let denied: String = rules_of.collect();
    format!("profile bench-{rules} {{\n  file,\n  capability,\n  signal,\n{denied}}}\n")
}

/// A policy of SELinux: what the globs match gets a type that one program's type may
/// not open, by a file context for each.
pub(crate) fn cil(rules: usize, names: Names) -> String {
    let mut policy = String::from(
        "(handleunknown allow) (mls false)\n\
         (class file (open read write)) (class process (transition)) (classorder (process file))\n\
         (sid kernel) (sidorder (kernel)) (user u) (role r) (type opener_t) (type denied_t)\n\
         (roletype r opener_t) (roletype r denied_t) (userrole u r)\n\
         (sensitivity s0) (sensitivityorder (s0)) (level low (s0)) (levelrange low_low (low low))\n\
         (userlevel u low) (userrange u low_low) (sidcontext kernel (u r opener_t low_low))\n\
         (allow opener_t opener_t (file (open read write)))\n",
    );
    for glob in globs(rules, names) {
        let regex = glob
            .replace("**", "\u{1}")
            .replace('.', "\\\\.")
            .replace('*', "[^/]*")
            .replace('?', "[^/]")
            .replace('\u{1}', ".*");
        policy += &format!("(filecon \"{regex}\" file (u r denied_t low_low))\n");
    }
    policy
}

#[cfg(test)]
mod tests {
    use super::Names::{Counted, Scattered};
    use super::*;

    #[test]
    fn there_are_as_many_rules_as_asked_for() {
        let count = |text: &str, what: &str| text.matches(what).count();
        let plain = lsmp(8, Counted, "file_open", "");
        assert_eq!(count(&plain, "deny file_open when path"), 8);
        let of_program = lsmp_of_program(8, Scattered);
        assert_eq!(count(&of_program, "deny file_open when exe"), 8);
        assert_eq!(count(&apparmor(8, Counted), "deny "), 8);
        let first = "deny /bench/directory/with-a-few/names/f0 rw,";
        assert!(apparmor(1, Counted).contains(first));
        assert_eq!(count(&cil(8, Counted), "(filecon "), 8);
        assert!(cil(8, Counted).contains(r#"/d3/conf[^/]*\\.d/x[^/]""#));
    }

    #[test]
    fn names_are_names_of_one() {
        for names in [Counted, Scattered] {
            let mut all: Vec<String> = globs(100_000, names).collect();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), 100_000);
        }
    }
}
