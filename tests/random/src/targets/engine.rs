//! Some policies, and choices that make events of any values: the tables answer as the
//! policies do.

use std::sync::LazyLock;

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_abi::field::FieldId;
use lsmpc_compiler::event::{Event, FieldValue, Value};
use lsmpc_compiler::hir::Hir;
use lsmpc_compiler::ir::Ir;
use lsmpc_compiler::reference::evaluate;
use lsmpc_compiler::tables::Tables;
use lsmpc_engine::image::Image;

use crate::collisions::Components;
use crate::near::{Asked, LONGEST};
use crate::{Choices, damage};

/// Globs that overlap in every way, and literals that nearly agree.
const AWKWARD: &str = r#"
deny with EACCES file_open when path in [
  "/**x*y", "/**/x*y/**", "/{a,ab,abc}{d,}/*", "/a/[!a-c]?/**", "/a/?[x-z]*", "/**/a/**/b/**/c",
  "/abcdefgh", "/abcdefgi", "/abcdefghi", "/abcdefgh/i", "/abcdefgh/**",
]
audit file_open when path in ["/aaaaaaaaaaaaaaaa", "/aaaaaaaaaaaaaaab", "/*a*a*a*b", "memfd:*"]
kill path_rename when path == "/**/*.x" and new_path in ["/**/y*", "/z/*"] or comm == "*a*b?"
default deny socket_connect
on_error allow socket_connect
allow socket_connect when addr in ["10.0.0.0/8", "10.1.2.3", "::1", "fe80::/10"] and port in [1..1023, 8080]
allow socket_connect when unix_path in ["@x*", "/run/**"] unless uid in [0, 1000..1999]
scope s when exe == "/usr/**" inherit until exe == "/usr/bin/z*" {
  deny file_open when file.mode has any [S_ISUID, S_ISGID] or access has [write, create]
  deny task_kill when signal in [SIGKILL, SIGSTOP] and ancestor.exe == "/**x"
}
"#;

/// A policy in all its forms.
struct Policy {
    hir: Hir,
    ir: Ir,
    tables: Tables,
    components: Components,
}

static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    [damage::POLICY, AWKWARD]
        .into_iter()
        .map(|text| {
            let (hir, ir, bytes) = damage::compile(text);
            let image = Image::from_bytes(bytes).unwrap_or_else(|error| panic!("{error}"));
            Policy {
                hir,
                ir,
                components: Components::of(&image),
                tables: Tables::new(image).unwrap_or_else(|error| panic!("{error}")),
            }
        })
        .collect()
});

/// The answers to an event, known fields and unknown ones, are the same.
pub fn engine(bytes: &[u8]) {
    let mut choices = Choices::of(bytes);
    let policy = choices.pick(&POLICIES);
    let asked = Asked::by(&policy.ir);
    loop {
        let mut event = asked.event(&mut choices);
        if choices.once_in(3) {
            any_values(&mut event, &mut choices);
        }
        if choices.once_in(3) {
            policy.components.put_twins(&mut event, &mut choices);
        }
        let wanted = evaluate(&policy.hir, &event).map_err(|error| error.to_string());
        let given = policy.tables.evaluate(&event);
        let given = given.map_err(|error| error.to_string());
        assert_eq!(given, wanted, "on {}", event.to_json_line());
        if let Ok(Some([whole, by_directory, by_descent])) = policy.tables.by_directory(&event) {
            assert_eq!(whole, by_directory, "path of {}", event.to_json_line());
            assert_eq!(whole, by_descent, "path of {}", event.to_json_line());
        }
        if !choices.has_bytes() {
            break;
        }
    }
}

/// Replaces values by any of their type.
fn any_values(event: &mut Event, choices: &mut Choices<'_>) {
    let fields: Vec<FieldId> = event.values.keys().copied().collect();
    for field in fields {
        let value = match catalogue::field(field).ty {
            _ if choices.once_in(2) => continue,
            FieldType::Path if field == FieldId::AncestorExe => continue,
            FieldType::Path | FieldType::Name => Value::Bytes(any_text(choices)),
            FieldType::Address => {
                let high = u128::from(choices.number());
                Value::Address(high << 64 | u128::from(choices.number()))
            }
            FieldType::Bool => Value::Int(choices.number() & 1),
            _ => Value::Int(choices.number()),
        };
        event.values.insert(field, FieldValue::Known(value));
    }
}

/// Any bytes, up to the longest path.
fn any_text(choices: &mut Choices<'_>) -> Vec<u8> {
    let count = choices.below(64);
    let mut text: Vec<u8> = (0..count).map(|_| choices.byte()).collect();
    if choices.once_in(8) && !text.is_empty() {
        text = text.repeat(LONGEST.div_ceil(text.len()));
        let short = choices.below(4);
        text.truncate(LONGEST - short);
    }
    text
}
