//! JSON Lines of events and answers.
//!
//! Owns how values are spelled there. What types fields have is the catalogue's.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use lsmpc_abi::catalogue::{self, FieldInfo, FieldType};
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use serde_json::{Map, Value as Json};

use super::{Answer, Event, FieldValue, Value};
use crate::suggest;

/// Marks a byte string in hexadecimal.
const BYTES: &str = "bytes:";

pub(super) fn event(line: &str) -> Result<Event, String> {
    let json: Json = serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
    let Json::Object(object) = json else {
        return Err("an event is a JSON object".to_owned());
    };
    let hook = match object.get("hook") {
        Some(Json::String(name)) => HookId::from_name(name).ok_or_else(|| {
            let names = HookId::ALL.iter().map(|hook| hook.name());
            format!("unknown hook `{name}`{}", meant(name, names))
        })?,
        Some(_) => return Err("`hook` is not a string".to_owned()),
        None => return Err("an event needs a `hook`".to_owned()),
    };
    let mut values = BTreeMap::new();
    let mut inherited = Vec::new();
    for (key, json) in &object {
        match key.as_str() {
            "hook" => {}
            "inherited" => inherited = names(json)?,
            "any_path" => {
                return Err("`any_path` is derived from `path` and `new_path`; give those".into());
            }
            _ => {
                let field = FieldId::from_name(key).ok_or_else(|| {
                    let names = FieldId::ALL.iter().map(|field| field.name());
                    format!("unknown key `{key}`{}", meant(key, names))
                })?;
                values.insert(field, value(catalogue::field(field), json)?);
            }
        }
    }
    Ok(Event {
        hook,
        values,
        inherited,
    })
}

fn meant<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> String {
    suggest::closest(word, names)
        .map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn names(json: &Json) -> Result<Vec<String>, String> {
    let wrong = || "`inherited` is a list of scope names".to_owned();
    let Json::Array(items) = json else {
        return Err(wrong());
    };
    items
        .iter()
        .map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong))
        .collect()
}

fn value(field: &FieldInfo, json: &Json) -> Result<FieldValue, String> {
    if json.is_null() {
        return Ok(FieldValue::None);
    }
    let name = field.id.name();
    let known = match field.ty {
        FieldType::Path | FieldType::Name if field.id == FieldId::AncestorExe => {
            let Json::Array(items) = json else {
                return Err(format!("`{name}` is a list of paths, nearest first"));
            };
            let mut list = Vec::with_capacity(items.len());
            for item in items {
                list.push(match item {
                    Json::Null => None,
                    Json::String(text) => Some(bytes(name, text)?),
                    _ => return Err(format!("`{name}` is a list of paths and `null`s")),
                });
            }
            Value::List(list)
        }
        FieldType::Path | FieldType::Name => match json {
            Json::String(text) => Value::Bytes(bytes(name, text)?),
            _ => return Err(format!("`{name}` is a {}: a string", field.ty.name())),
        },
        FieldType::Address => match json.as_str().map(str::parse::<IpAddr>) {
            Some(Ok(address)) => Value::Address(mapped(address)),
            _ => {
                return Err(format!(
                    "`{name}` is an address: a string like \"10.1.2.3\""
                ));
            }
        },
        FieldType::Int { max, .. } => Value::Int(number(field, json, Some(max))?),
        FieldType::Enum { max } => Value::Int(number(field, json, max)?),
        FieldType::Mode => match json.as_u64() {
            Some(mode) if mode <= 0o7777 => Value::Int(mode),
            _ => return Err(format!("`{name}` is a mode: a number up to 4095 (0o7777)")),
        },
        FieldType::Bool => match json.as_bool() {
            Some(value) => Value::Int(u64::from(value)),
            None => return Err(format!("`{name}` is a bool: true or false")),
        },
        FieldType::Flags => {
            let Json::Array(items) = json else {
                return Err(format!("`{name}` is flags: a list of names"));
            };
            let mut bits = 0;
            for item in items {
                let Some(word) = item.as_str() else {
                    return Err(format!("`{name}` is flags: a list of names"));
                };
                bits |= enumerator(field, word)?;
            }
            Value::Int(bits)
        }
    };
    Ok(FieldValue::Known(known))
}

fn enumerator(field: &FieldInfo, word: &str) -> Result<u64, String> {
    match field.enumerator(word) {
        Some(known) => Ok(known.value),
        None => {
            let names = field.enumerators.iter().map(|known| known.name);
            Err(format!(
                "`{word}` is no value of `{}`{}",
                field.id.name(),
                meant(word, names)
            ))
        }
    }
}

fn number(field: &FieldInfo, json: &Json, max: Option<u64>) -> Result<u64, String> {
    let name = field.id.name();
    if let Some(word) = json.as_str().filter(|_| !field.enumerators.is_empty()) {
        return enumerator(field, word);
    }
    let Some(max) = max else {
        return Err(format!("`{name}` goes by name only: a string"));
    };
    match json.as_u64() {
        Some(number) if number <= max => Ok(number),
        Some(_) => Err(format!("`{name}` is at most {max}")),
        None => Err(format!("`{name}` is an {}: a number", field.ty.name())),
    }
}

fn bytes(name: &str, text: &str) -> Result<Vec<u8>, String> {
    let Some(hex) = text.strip_prefix(BYTES) else {
        return Ok(text.as_bytes().to_vec());
    };
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    hex.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect::<Option<_>>()
        .ok_or_else(|| format!("`{name}`: `bytes:` is followed by pairs of hexadecimal digits"))
}

/// An address as a number, IPv4 as IPv4-mapped IPv6.
fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn text(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) if !text.starts_with(BYTES) => text.to_owned(),
        _ => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{BYTES}{hex}")
        }
    }
}

pub(super) fn event_line(event: &Event) -> String {
    let mut object = Map::new();
    object.insert("hook".to_owned(), event.hook.name().into());
    for (&field, value) in &event.values {
        let json = match value {
            FieldValue::Unknown => continue,
            FieldValue::None => Json::Null,
            FieldValue::Known(value) => known(catalogue::field(field), value),
        };
        object.insert(field.name().to_owned(), json);
    }
    if !event.inherited.is_empty() {
        object.insert("inherited".to_owned(), event.inherited.clone().into());
    }
    Json::Object(object).to_string()
}

fn known(field: &FieldInfo, value: &Value) -> Json {
    match value {
        Value::Bytes(bytes) => text(bytes).into(),
        Value::List(list) => list
            .iter()
            .map(|item| item.as_deref().map(text))
            .collect::<Vec<_>>()
            .into(),
        Value::Address(bits) => Ipv6Addr::from_bits(*bits).to_canonical().to_string().into(),
        Value::Int(number) => match field.ty {
            FieldType::Bool => (*number != 0).into(),
            FieldType::Enum { .. } => match field.name_of(*number) {
                Some(name) => name.into(),
                None => (*number).into(),
            },
            FieldType::Flags => {
                let set = field.enumerators.iter();
                set.filter(|known| number & known.value == known.value)
                    .map(|known| known.name)
                    .collect::<Vec<_>>()
                    .into()
            }
            _ => (*number).into(),
        },
    }
}

pub(super) fn answer_line(answer: &Answer) -> String {
    let errno = answer.errno.map(|number| {
        catalogue::errno_name(number).map_or_else(|| number.to_string(), str::to_owned)
    });
    let mut object = Map::new();
    object.insert("verdict".to_owned(), answer.verdict.as_str().into());
    object.insert("errno".to_owned(), errno.into());
    object.insert("record".to_owned(), answer.record.into());
    object.insert("unknown".to_owned(), answer.unknown.into());
    object.insert("rules".to_owned(), answer.rules.clone().into());
    Json::Object(object).to_string()
}

#[cfg(test)]
mod tests;
