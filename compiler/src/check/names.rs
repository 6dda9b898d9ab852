//! Names of hooks, fields and errnos, and whether they can be had.
//!
//! Owns suggestions for what is close, and for what other systems call the same.

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_syntax::Spanned;
use lsmpc_syntax::ast::Name;

use super::Checker;
use super::condition::Uses;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::hir::FieldRef;
use crate::suggest;

/// What people may call a hook.
const HOOKS: &[(&str, &str)] = &[
    ("open", "file_open"),
    ("openat", "file_open"),
    ("read", "file_open"),
    ("file_permission", "file_open"),
    ("exec", "bprm_check_security"),
    ("execve", "bprm_check_security"),
    ("bprm_check", "bprm_check_security"),
    ("bprm_creds_for_exec", "bprm_check_security"),
    ("mmap", "mmap_file"),
    ("mprotect", "file_mprotect"),
    ("ioctl", "file_ioctl"),
    ("file_ioctl_compat", "file_ioctl"),
    ("stat", "inode_getattr"),
    ("unlink", "path_unlink"),
    ("inode_unlink", "path_unlink"),
    ("rmdir", "path_rmdir"),
    ("inode_rmdir", "path_rmdir"),
    ("mkdir", "path_mkdir"),
    ("inode_mkdir", "path_mkdir"),
    ("mknod", "path_mknod"),
    ("symlink", "path_symlink"),
    ("link", "path_link"),
    ("inode_link", "path_link"),
    ("rename", "path_rename"),
    ("inode_rename", "path_rename"),
    ("chmod", "path_chmod"),
    ("chown", "path_chown"),
    ("chroot", "path_chroot"),
    ("mount", "sb_mount"),
    ("umount", "sb_umount"),
    ("pivot_root", "sb_pivotroot"),
    ("socket", "socket_create"),
    ("bind", "socket_bind"),
    ("connect", "socket_connect"),
    ("listen", "socket_listen"),
    ("accept", "socket_accept"),
    ("sendmsg", "socket_sendmsg"),
    ("signal", "task_kill"),
    ("ptrace", "ptrace_access_check"),
    ("setuid", "task_fix_setuid"),
    ("setgid", "task_fix_setgid"),
    ("perf_event", "perf_event_open"),
];

/// What people may call a field.
const FIELDS: &[(&str, &str)] = &[
    ("binary", "exe"),
    ("program", "exe"),
    ("process", "exe"),
    ("executable", "exe"),
    ("file", "path"),
    ("filename", "path"),
    ("file.path", "path"),
    ("name", "comm"),
    ("user", "uid"),
    ("group", "gid"),
    ("loginuid", "auid"),
    ("parent", "parent.exe"),
    ("ppath", "parent.exe"),
    ("ancestor", "ancestor.exe"),
    ("ip", "addr"),
    ("address", "addr"),
    ("dport", "port"),
    ("proto", "protocol"),
    ("sig", "signal"),
    ("filesystem", "fs"),
    ("fstype", "fs"),
];

/// What no condition can be about, with a reason.
const OUT_OF_SCOPE: &[(&[&str], &str)] = &[
    (
        &["argv", "args", "argc", "arguments", "cmdline"],
        "a program's arguments are no condition: any program can change its own after the check; \
         records carry them",
    ),
    (
        &["env", "environ", "environment", "envp"],
        "a program's environment is no condition: any program can change its own after the check; \
         records carry it",
    ),
    (
        &[
            "hash", "sha1", "sha256", "sha512", "md5", "digest", "checksum",
        ],
        "hashes of files are not computed while an event waits; fs-verity and IMA do that",
    ),
    (
        &["container", "image", "pod", "namespace"],
        "the kernel knows no container images or names; `cgroup`, `containerized` and \
         `initial_mntns` tell containers apart",
    ),
    (
        &["rate", "count", "frequency", "limit"],
        "a verdict depends on nothing but the event at hand, so there are no rates",
    ),
];

impl Checker<'_> {
    /// The hooks of a statement, without repetitions.
    pub(super) fn hooks(&mut self, names: &[Name]) -> Vec<Spanned<HookId>> {
        let mut hooks: Vec<Spanned<HookId>> = Vec::with_capacity(names.len());
        for name in names {
            let Some(hook) = self.hook(name) else {
                continue;
            };
            if let Some(first) = hooks.iter().find(|known| known.node == hook) {
                let first = first.span;
                self.report(
                    Diagnostic::new(
                        Code::RepeatedHook,
                        format!("`{}` is listed twice", name.node),
                        name.span,
                        "listed again here",
                    )
                    .also(first, "first listed here")
                    .help("remove one of the two"),
                );
                continue;
            }
            hooks.push(Spanned::new(hook, name.span));
        }
        hooks
    }

    /// The hook of that name, if it is known; also says whether it can be had.
    pub(super) fn hook(&mut self, name: &Name) -> Option<HookId> {
        let word = name.node.as_str();
        let Some(hook) = HookId::from_name(word) else {
            let help = alias(HOOKS, word)
                .map(|hook| format!("the hook for that is `{hook}`"))
                .or_else(|| {
                    suggest::did_you_mean(word, HookId::ALL.iter().map(|hook| hook.name()))
                });
            self.report(
                Diagnostic::new(
                    Code::UnknownHook,
                    format!("unknown hook `{word}`"),
                    name.span,
                    "not a hook that a rule can name",
                )
                .help("`lsmpc hooks` lists the hooks and their fields")
                .maybe_help(help),
            );
            return None;
        };
        if let Some(lack) = self.hook_lack(hook) {
            self.report(lack.at(name.span));
        }
        Some(hook)
    }

    /// The field of that name, if it is known.
    pub(super) fn field(&mut self, name: &Name) -> Option<FieldRef> {
        let word = name.node.as_str();
        if word == "any_path" {
            return Some(FieldRef::AnyPath);
        }
        if let Some(field) = FieldId::from_name(word) {
            return Some(FieldRef::Field(field));
        }
        let parts = || word.split('.');
        let refused = OUT_OF_SCOPE
            .iter()
            .find(|(words, _)| parts().any(|part| words.contains(&part)));
        if let Some((_, reason)) = refused {
            self.report(
                Diagnostic::new(
                    Code::OutOfScope,
                    format!("no condition can be about `{word}`"),
                    name.span,
                    "not something that a policy can ask for",
                )
                .note(*reason)
                .help("ask for something that the event itself says, such as `exe` or `path`"),
            );
            return None;
        }
        let (label, help) = if self.find_let(word).is_some() {
            // Already a name, only not of a field.
            (
                "a `let`, not a field",
                Some("the field comes first: `FIELD == VALUE`".to_owned()),
            )
        } else if HookId::from_name(word).is_some() {
            (
                "a hook, not a field",
                Some("name the hook before `when`: `deny HOOK when …`".to_owned()),
            )
        } else if catalogue::is_enumerator(word) {
            (
                "a value, not a field",
                Some("the field comes first: `FIELD == VALUE`".to_owned()),
            )
        } else {
            (
                "not a field",
                alias(FIELDS, word)
                    .map(|field| format!("the field for that is `{field}`"))
                    .or_else(|| suggest::did_you_mean(word, field_names())),
            )
        };
        self.report(
            Diagnostic::new(
                Code::UnknownField,
                format!("unknown field `{word}`"),
                name.span,
                label,
            )
            .help("`lsmpc hooks` lists the hooks and their fields")
            .maybe_help(help),
        );
        None
    }

    /// The errno of that name.
    pub(super) fn errno(&mut self, name: &Name) -> Option<u16> {
        let word = name.node.as_str();
        let number = catalogue::errno(word);
        if number.is_none() {
            let help = suggest::did_you_mean(word, catalogue::ERRNOS.iter().map(|(name, _)| *name));
            self.report(
                Diagnostic::new(
                    Code::UnknownErrno,
                    format!("unknown errno `{word}`"),
                    name.span,
                    "not an errno",
                )
                .help("write one as in errno.h, such as `EACCES`")
                .maybe_help(help),
            );
        }
        number
    }

    /// Reports fields that the hooks do not have, or that cannot be had.
    pub(super) fn fields_available(&mut self, uses: &Uses, hooks: &[Spanned<HookId>]) {
        for used in uses.iter() {
            let field = used.field;
            let name = field.name();
            let lacking: Vec<&Spanned<HookId>> = hooks
                .iter()
                .filter(|hook| !catalogue::hook(hook.node).has(field.field()))
                .collect();
            if !lacking.is_empty() {
                let who: Vec<String> = lacking
                    .iter()
                    .map(|hook| format!("`{}`", hook.node.name()))
                    .collect();
                let verb = if who.len() == 1 { "has" } else { "have" };
                let mut diagnostic = Diagnostic::new(
                    Code::FieldNotOnHook,
                    format!("{} {verb} no field `{name}`", who.join(", ")),
                    used.span,
                    if hooks.len() == 1 {
                        "not a field of this hook"
                    } else {
                        "not a field of every hook of the rule"
                    },
                )
                .help(if lacking.len() == hooks.len() {
                    "ask for a field that the hook has, or name another hook"
                } else {
                    "write a rule of its own for these hooks, or ask for a field that all have"
                });
                if let Some(inside) = used.inside {
                    diagnostic = diagnostic.also(inside, "the field is named here");
                }
                if lacking.len() == hooks.len() {
                    diagnostic = diagnostic.note(hooks_with(used.field));
                }
                for hook in lacking.iter().take(4) {
                    diagnostic = diagnostic
                        .also(hook.span, format!("has no `{name}`"))
                        .note(fields_of(hook.node));
                }
                self.report(diagnostic);
                continue;
            }
            if let Some(lack) = self.field_lack(field) {
                let mut diagnostic = lack.at(used.span);
                if let Some(inside) = used.inside {
                    diagnostic = diagnostic.also(inside, "the field is named here");
                }
                self.report(diagnostic);
            }
        }
    }

    /// Reports object fields where there is only a subject.
    pub(super) fn subject_only(&mut self, uses: &Uses, what: &str) {
        for used in uses.iter() {
            let name = used.field.name();
            if used.field.field().is_subject() {
                continue;
            }
            let subject: Vec<&str> = FieldId::ALL
                .iter()
                .filter(|field| field.is_subject())
                .map(|field| field.name())
                .collect();
            let mut diagnostic = Diagnostic::new(
                Code::ObjectField,
                format!("`{name}` is a field of the object, and {what} is about the subject"),
                used.span,
                "not a subject field",
            )
            .help(if what == "`exempt`" {
                "write a rule with `unless` for exceptions that depend on the object"
            } else {
                "put the condition into the rules of the scope"
            })
            .note(format!("subject fields: {}", subject.join(", ")));
            if let Some(inside) = used.inside {
                diagnostic = diagnostic.also(inside, "the field is named here");
            }
            self.report(diagnostic);
        }
        let subject = uses.of_subject();
        self.fields_available(&subject, &[]);
    }
}

fn alias(table: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    let found = table.iter().find(|(known, _)| *known == word);
    found.map(|(_, name)| *name)
}

/// All names of fields.
pub(super) fn field_names() -> impl Iterator<Item = &'static str> {
    let names = FieldId::ALL.iter().map(|field| field.name());
    names.chain(["any_path"])
}

/// The hooks that have a field.
fn hooks_with(field: FieldRef) -> String {
    let names: Vec<&str> = catalogue::hooks()
        .iter()
        .filter(|hook| hook.has(field.field()))
        .map(|hook| hook.id.name())
        .collect();
    let some = names.iter().take(6).copied().collect::<Vec<_>>().join(", ");
    let more = if names.len() > 6 { " …" } else { "" };
    format!("hooks with `{}`: {some}{more}", field.name())
}

fn fields_of(hook: HookId) -> String {
    let fields = catalogue::hook(hook).fields;
    let mut names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
    if fields.contains(&FieldId::Path) {
        names.insert(1, "any_path");
    }
    if names.is_empty() {
        format!("`{}` has subject fields only", hook.name())
    } else {
        format!(
            "beside subject fields `{}` has {}",
            hook.name(),
            names.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_hooks_are_named_and_more_hinted_at() {
        let mut counts = std::collections::BTreeSet::new();
        for field in FieldId::ALL {
            let hooks = catalogue::hooks().iter().filter(|hook| hook.has(*field));
            let count = hooks.count();
            let text = hooks_with(FieldRef::Field(*field));
            assert_eq!(text.ends_with('…'), count > 6, "{}: {text}", field.name());
            counts.insert(count);
        }
        assert!(counts.contains(&6), "no field is at the limit");
    }
}
