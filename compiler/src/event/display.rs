//! Values of fields in words, for messages.
//!
//! Owns how a value reads beside source text: as a policy would spell it. Nothing
//! here is escaped for a terminal but what stands in quotes.

use std::net::Ipv6Addr;

use lsmpc_abi::catalogue::{self, FieldInfo, FieldType};
use lsmpc_abi::field::FieldId;

use super::{FieldValue, Value};

/// `"/tmp/x"`, `1000`, `[read, write]`; `none` and `unknown` as such.
pub(super) fn value(field: FieldId, value: &FieldValue) -> String {
    match value {
        FieldValue::None => "none".to_owned(),
        FieldValue::Unknown => "unknown".to_owned(),
        FieldValue::Known(value) => known(catalogue::field(field), value),
    }
}

fn known(field: &FieldInfo, value: &Value) -> String {
    match value {
        Value::Bytes(bytes) => quoted(bytes),
        Value::List(list) => {
            let items: Vec<String> = list
                .iter()
                .map(|item| item.as_deref().map_or("unknown".to_owned(), quoted))
                .collect();
            format!("[{}]", items.join(", "))
        }
        Value::Address(bits) => format!("\"{}\"", Ipv6Addr::from_bits(*bits).to_canonical()),
        Value::Int(number) => match field.ty {
            FieldType::Bool => (*number != 0).to_string(),
            FieldType::Mode => format!("{number:#o}"),
            FieldType::Flags => format!("[{}]", flags(field, *number).join(", ")),
            _ => match field.name_of(*number) {
                Some(name) => name.to_owned(),
                None => number.to_string(),
            },
        },
    }
}

fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        text.extend(chunk.valid().chars().flat_map(char::escape_debug));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text.push('"');
    text
}

/// The names of the bits set, what has no name as one number.
fn flags(field: &FieldInfo, number: u64) -> Vec<String> {
    let mut rest = number;
    let mut names = Vec::new();
    for known in field.enumerators {
        if known.value != 0 && rest & known.value == known.value {
            names.push(known.name.to_owned());
            rest &= !known.value;
        }
    }
    if rest != 0 {
        names.push(format!("{rest:#x}"));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::value;
    use crate::event::{FieldValue, Value};
    use lsmpc_abi::field::FieldId;

    #[test]
    fn as_a_policy_spells_them() {
        let shown = |field, known| value(field, &FieldValue::Known(known));
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        assert_eq!(shown(FieldId::Path, bytes(b"/a b")), "\"/a b\"");
        assert_eq!(
            shown(FieldId::Path, bytes(b"/\"\\\x1b\xff")),
            "\"/\\\"\\\\\\u{1b}\\xff\""
        );
        assert_eq!(shown(FieldId::Access, Value::Int(3)), "[read, write]");
        assert_eq!(shown(FieldId::Access, Value::Int(0x100)), "[0x100]");
        assert_eq!(shown(FieldId::FileMode, Value::Int(0o640)), "0o640");
        assert_eq!(shown(FieldId::Signal, Value::Int(9)), "SIGKILL");
        assert_eq!(shown(FieldId::Uid, Value::Int(9)), "9");
        assert_eq!(shown(FieldId::FileOwned, Value::Int(0)), "false");
        assert_eq!(
            shown(FieldId::Addr, Value::Address(0xffff_0a00_0001)),
            "\"10.0.0.1\""
        );
        let list = Value::List(vec![Some(b"/a".to_vec()), None]);
        assert_eq!(shown(FieldId::AncestorExe, list), "[\"/a\", unknown]");
        assert_eq!(value(FieldId::Port, &FieldValue::None), "none");
    }
}
