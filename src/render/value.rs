//! Values of fields, with the names that the catalogue has for them.

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_abi::field::FieldId;
use lsmpc_runtime::events::{Text, Value};
use serde_json::Value as Json;

use super::text::word;

/// A byte string as JSON: text, or hex where it is not UTF-8.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    const HEX: &str = "bytes:";
    match str::from_utf8(bytes) {
        Ok(text) if !text.starts_with(HEX) => text.to_owned(),
        _ => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{HEX}{hex}")
        }
    }
}

/// A string field; `None` where it could not be read, null where it does not
/// apply.
pub(crate) fn text_json(text: &Text) -> Option<Json> {
    match text {
        Text::None => Some(Json::Null),
        Text::Unknown => None,
        Text::Known(known) => Some(bytes(known).into()),
    }
}

/// A scalar field, likewise.
pub(crate) fn value_json(field: FieldId, value: Value) -> Option<Json> {
    match value {
        Value::None => Some(Json::Null),
        Value::Unknown => None,
        Value::Address(address) => Some(address.to_string().into()),
        Value::Number(number) => Some(number_json(field, number)),
    }
}

/// A number, or the names that it stands for.
pub(crate) fn number_json(field: FieldId, number: u64) -> Json {
    let info = catalogue::field(field);
    match info.ty {
        FieldType::Bool => (number != 0).into(),
        FieldType::Enum { .. } => info
            .name_of(number)
            .map_or_else(|| number.into(), Json::from),
        FieldType::Flags => flags(field, number).into(),
        _ => number.into(),
    }
}

/// The names of the bits set; what has no name as one hexadecimal number.
fn flags(field: FieldId, number: u64) -> Vec<String> {
    let mut rest = number;
    let mut names = Vec::new();
    for known in catalogue::field(field).enumerators {
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

/// A string field as a word of a line.
pub(crate) fn text_word(text: &Text) -> String {
    match text {
        Text::None => "-".to_owned(),
        Text::Unknown => "?".to_owned(),
        Text::Known(known) => word(&bytes(known)),
    }
}

/// A scalar field as a word of a line.
pub(crate) fn value_word(field: FieldId, value: Value) -> String {
    match value {
        Value::None => "-".to_owned(),
        Value::Unknown => "?".to_owned(),
        Value::Address(address) => address.to_string(),
        Value::Number(number) => {
            let info = catalogue::field(field);
            match info.ty {
                FieldType::Bool => (number != 0).to_string(),
                FieldType::Mode => format!("{number:#o}"),
                FieldType::Enum { .. } => info
                    .name_of(number)
                    .map_or_else(|| number.to_string(), str::to_owned),
                FieldType::Flags => format!("[{}]", flags(field, number).join(",")),
                _ => number.to_string(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_named() {
        let number = |field, number| value_json(field, Value::Number(number)).unwrap();
        assert_eq!(number(FieldId::Signal, 9), json!("SIGKILL"));
        assert_eq!(number(FieldId::Signal, 0), json!(0));
        assert_eq!(number(FieldId::Access, 3), json!(["read", "write"]));
        assert_eq!(number(FieldId::Access, 1 << 40), json!(["0x10000000000"]));
        assert_eq!(number(FieldId::Port, 443), json!(443));
        assert_eq!(number(FieldId::FileOwned, 1), json!(true));
        assert_eq!(number(FieldId::FileMode, 0o755), json!(493));
        assert_eq!(value_json(FieldId::Port, Value::None), Some(Json::Null));
        assert_eq!(value_json(FieldId::Port, Value::Unknown), None);
        assert_eq!(
            value_word(FieldId::FileMode, Value::Number(0o4755)),
            "0o4755"
        );
        assert_eq!(
            value_word(FieldId::Prot, Value::Number(5)),
            "[PROT_READ,PROT_EXEC]"
        );
        assert_eq!(
            text_word(&Text::Known(b"/tmp/\xff".to_vec())),
            "bytes:2f746d702fff"
        );
        assert_eq!(
            text_word(&Text::Known(b"/tmp/a b".to_vec())),
            "\"/tmp/a b\""
        );
        assert_eq!(text_word(&Text::Unknown), "?");
    }
}
