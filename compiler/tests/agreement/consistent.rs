//! Random events made consistent: what the kernel can really ask.

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_compiler::event::{Event, FieldValue, Value};

const INET: [u64; 2] = [2, 10];
const UNIX: u64 = 1;

/// The nearest event that can happen. What is unknown stays so.
pub(crate) fn consistent(event: &Event) -> Event {
    let mut event = event.clone();
    let hook = event.hook;
    for (field, value) in &mut event.values {
        match value {
            FieldValue::Known(known) => *known = possible(hook, *field, known),
            FieldValue::None if !may_be_none(hook, *field) => {
                *value = FieldValue::Known(possible(hook, *field, &Value::Int(0)));
            }
            _ => {}
        }
    }
    socket(&mut event);
    mapping(&mut event);
    event
}

/// The same with values instead of unknowns.
pub(crate) fn known(event: &Event) -> Event {
    let mut event = event.clone();
    for (field, value) in &mut event.values {
        if *value == FieldValue::Unknown {
            *value = FieldValue::Known(possible(event.hook, *field, &Value::Int(0)));
        }
    }
    consistent(&event)
}

fn is_file(field: FieldId) -> bool {
    use FieldId::*;
    matches!(
        field,
        Path | Fs
            | FileUid
            | FileGid
            | FileNlink
            | FileMode
            | FileType
            | FileRunning
            | FileOwned
            | FileIsExe
    )
}

fn may_be_none(hook: HookId, field: FieldId) -> bool {
    use FieldId::*;
    match field {
        AncestorExe | Exe | ParentExe | ParentComm | TargetExe | Addr | Port | UnixPath
        | OwnerUid | OwnerGid | Source | NewFileRunning => true,
        Fs if hook == HookId::SbMount => true,
        field => hook == HookId::MmapFile && is_file(field),
    }
}

fn possible(hook: HookId, field: FieldId, value: &Value) -> Value {
    let info = catalogue::field(field);
    let number = match value {
        Value::Int(number) => *number,
        _ => 0,
    };
    match info.ty {
        FieldType::Path if field == FieldId::AncestorExe => {
            let programs = match value {
                Value::List(list) => list.iter().flatten(),
                _ => [].iter().flatten(),
            };
            let program = |one: &Vec<u8>| {
                let one = Value::Bytes(one.clone());
                Some(path(hook, FieldId::Exe, &one))
            };
            Value::List(programs.map(program).collect())
        }
        FieldType::Path => Value::Bytes(path(hook, field, value)),
        FieldType::Name => {
            let mut bytes = match value {
                Value::Bytes(bytes) => bytes.clone(),
                _ => Vec::new(),
            };
            bytes.retain(|byte| *byte != 0);
            bytes.truncate(15);
            if bytes.is_empty() && matches!(field, FieldId::Fs) {
                bytes.push(b'x');
            }
            Value::Bytes(bytes)
        }
        FieldType::Address => match value {
            Value::Address(_) => value.clone(),
            _ => Value::Address(1),
        },
        FieldType::Int { max, .. } | FieldType::Enum { max: Some(max) } => {
            Value::Int(if number > max { max } else { number })
        }
        FieldType::Enum { max: None } => {
            let known = info.enumerators;
            if known.iter().any(|known| known.value == number) {
                return value.clone();
            }
            Value::Int(known[number as usize % known.len()].value)
        }
        FieldType::Mode => Value::Int(number & 0o7777),
        FieldType::Bool => Value::Int(number & 1),
        FieldType::Flags => {
            let all = info
                .enumerators
                .iter()
                .fold(0, |all, known| all | known.value);
            Value::Int(number & all)
        }
    }
}

fn path(hook: HookId, field: FieldId, value: &Value) -> Vec<u8> {
    let bytes = match value {
        Value::Bytes(bytes) => bytes.as_slice(),
        _ => b"",
    };
    let forms: &[&[u8]] = match field {
        FieldId::Exe | FieldId::ParentExe | FieldId::TargetExe => &[b"memfd:"],
        FieldId::UnixPath => &[b"@"],
        FieldId::Path if !matches!(hook, HookId::PathUnlink | HookId::PathRename) => {
            &[b"memfd:", b"pipe:[", b"socket:[", b"anon_inode:"]
        }
        _ => &[],
    };
    if forms.iter().any(|form| bytes.starts_with(form)) {
        return bytes.to_vec();
    }
    let mut text = Vec::new();
    for part in bytes.split(|byte| *byte == b'/').take(200) {
        let mut part = part.to_vec();
        part.retain(|byte| *byte != 0);
        if !part.is_empty() && part != b"." && part != b".." {
            text.push(b'/');
            text.extend(part);
        }
    }
    if text.is_empty() {
        text.push(b'/');
    }
    text
}

/// An address is of the socket's family, and whole or not there.
fn socket(event: &mut Event) {
    if !catalogue::hook(event.hook).has(FieldId::Addr) {
        return;
    }
    let is = |event: &Event, field, wanted: fn(&FieldValue) -> bool| {
        event.values.get(&field).is_some_and(wanted)
    };
    let known = |value: &FieldValue| matches!(value, FieldValue::Known(_));
    let none = |value: &FieldValue| *value == FieldValue::None;
    let family = match event.values.get(&FieldId::Family) {
        Some(FieldValue::Known(Value::Int(family))) => Some(*family),
        _ => None,
    };
    let inet = match family {
        Some(family) => INET.contains(&family),
        None => is(event, FieldId::Addr, known) || is(event, FieldId::Port, known),
    };
    let unix = match family {
        Some(family) => family == UNIX,
        None => !inet,
    };
    let absent = is(event, FieldId::Addr, none) || is(event, FieldId::Port, none);
    let mut clear = |field| {
        if let Some(value) = event.values.get_mut(&field) {
            *value = FieldValue::None;
        }
    };
    if !inet || absent {
        clear(FieldId::Addr);
        clear(FieldId::Port);
    }
    if !unix {
        clear(FieldId::UnixPath);
    }
}

/// A mapping has a file with all its fields, or none.
fn mapping(event: &mut Event) {
    if event.hook != HookId::MmapFile {
        return;
    }
    let anonymous = event
        .values
        .iter()
        .any(|(field, value)| is_file(*field) && *value == FieldValue::None);
    for (field, value) in &mut event.values {
        if is_file(*field) && anonymous {
            *value = FieldValue::None;
        }
    }
}
