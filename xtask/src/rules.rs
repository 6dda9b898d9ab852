//! Policies of many rules: what `bench` and `compare` measure with.
//!
//! The same globs in three languages, so that compilers are given the same to do.

/// A quarter each: files beside the one that `bench` opens; directories, trees, and
/// wildcards within components, beside its directory.
pub(crate) fn globs(rules: usize) -> impl Iterator<Item = String> {
    const DIRECTORY: &str = "/bench/directory/with-a-few";
    (0..rules).map(|number| match number % 4 {
        0 => format!("{DIRECTORY}/names/f{number}"),
        1 => format!("{DIRECTORY}/d{number}/*"),
        2 => format!("{DIRECTORY}/d{number}/**"),
        _ => format!("{DIRECTORY}/d{number}/conf*.d/x?"),
    })
}

/// The globs denied on one hook, to whoever meets a condition as well.
pub(crate) fn lsmp(rules: usize, hook: &str, also: &str) -> String {
    globs(rules)
        .map(|glob| format!("deny {hook} when {also}path == \"{glob}\"\n"))
        .collect()
}

/// The globs denied to one program.
pub(crate) fn lsmp_of_program(rules: usize) -> String {
    lsmp(rules, "file_open", "exe == \"/usr/bin/opener\" and ")
}

/// A profile of AppArmor: the globs denied to whom it confines, all else allowed.
pub(crate) fn apparmor(rules: usize) -> String {
    let rules_of = globs(rules).map(|glob| format!("  deny {glob} rw,\n"));
    let denied: String = rules_of.collect();
    format!("profile bench-{rules} {{\n  file,\n  capability,\n  signal,\n{denied}}}\n")
}

/// A policy of SELinux: what the globs match gets a type that one program's type may
/// not open, by a file context for each.
pub(crate) fn cil(rules: usize) -> String {
    let mut policy = String::from(
        "(handleunknown allow) (mls false)\n\
         (class file (open read write)) (class process (transition)) (classorder (process file))\n\
         (sid kernel) (sidorder (kernel)) (user u) (role r) (type opener_t) (type denied_t)\n\
         (roletype r opener_t) (roletype r denied_t) (userrole u r)\n\
         (sensitivity s0) (sensitivityorder (s0)) (level low (s0)) (levelrange low_low (low low))\n\
         (userlevel u low) (userrange u low_low) (sidcontext kernel (u r opener_t low_low))\n\
         (allow opener_t opener_t (file (open read write)))\n",
    );
    for glob in globs(rules) {
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
    use super::*;

    #[test]
    fn there_are_as_many_rules_as_asked_for() {
        let count = |text: &str, what: &str| text.matches(what).count();
        assert_eq!(
            count(&lsmp(8, "file_open", ""), "deny file_open when path"),
            8
        );
        assert_eq!(count(&lsmp_of_program(8), "deny file_open when exe"), 8);
        assert_eq!(count(&apparmor(8), "deny "), 8);
        assert!(apparmor(1).contains("deny /bench/directory/with-a-few/names/f0 rw,"));
        assert_eq!(count(&cil(8), "(filecon "), 8);
        assert!(cil(8).contains(r#"/d3/conf[^/]*\\.d/x[^/]""#));
    }
}
