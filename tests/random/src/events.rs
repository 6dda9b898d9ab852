//! Random events, near to what the random policies ask about.

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_compiler::event::{Event, FieldValue, Value};
use proptest::prelude::*;

use crate::policies::{address, int};

fn path() -> impl Strategy<Value = Vec<u8>> {
    let component = prop_oneof![
        12 => prop::sample::select(vec![
            "a", "b", "c", "ab", "ac", "bc", "abc", "abcdefgh", "abcdefghi", "xy", "axby", "axxyy",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => Just(Vec::new()),
        1 => Just(vec![b'a'; 255]),
        1 => Just(vec![b'a', 0x80, 0xff]),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    let absolute = prop::collection::vec(component, 1..6).prop_map(|parts| {
        let mut text = Vec::new();
        for part in parts {
            text.push(b'/');
            text.extend(part);
        }
        text
    });
    prop_oneof![
        20 => absolute,
        1 => Just(b"memfd:x".to_vec()),
        1 => Just(Vec::new()),
        1 => Just(b"/".to_vec()),
        1 => Just([&b"/a"[..]; 2047].concat()),
        1 => Just(vec![b'/'; 4095]),
    ]
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![6 => prop::sample::select(&b"abx/"[..]), 1 => any::<u8>()];
    prop::collection::vec(byte, 0..6)
}

/// Values with names.
fn named(field: FieldId) -> Vec<u64> {
    let known = catalogue::field(field).enumerators.iter();
    known.map(|known| known.value).take(7).collect()
}

fn value(field: FieldId) -> BoxedStrategy<FieldValue> {
    let known = match catalogue::field(field).ty {
        FieldType::Path if field == FieldId::AncestorExe => {
            let program = prop_oneof![8 => path().prop_map(Some), 1 => Just(None)];
            prop::collection::vec(program, 0..4)
                .prop_map(Value::List)
                .boxed()
        }
        FieldType::Path => path().prop_map(Value::Bytes).boxed(),
        FieldType::Name => name().prop_map(Value::Bytes).boxed(),
        FieldType::Address => address().prop_map(Value::Address).boxed(),
        FieldType::Flags | FieldType::Mode => {
            let all = named(field);
            let most = all.len().min(3);
            let named = prop::sample::subsequence(all, 0..=most)
                .prop_map(|flags| flags.into_iter().fold(0, |all, flag| all | flag));
            prop_oneof![1 => 0..16_u64, 1 => int(), 3 => named]
                .prop_map(Value::Int)
                .boxed()
        }
        FieldType::Enum { .. } => prop_oneof![1 => int(), 2 => prop::sample::select(named(field))]
            .prop_map(Value::Int)
            .boxed(),
        FieldType::Int { .. } => int().prop_map(Value::Int).boxed(),
        FieldType::Bool => (0..2_u64).prop_map(Value::Int).boxed(),
    };
    prop_oneof![
        8 => known.prop_map(FieldValue::Known),
        1 => Just(FieldValue::None),
        1 => Just(FieldValue::Unknown),
    ]
    .boxed()
}

/// An event of a hook that gives these fields values, of a task that some of these
/// scopes stick to.
pub fn event(hook: HookId, asked: &[FieldId], inherited: &[String]) -> BoxedStrategy<Event> {
    let values: Vec<_> = FieldId::ALL
        .iter()
        .copied()
        .filter(|field| catalogue::hook(hook).has(*field) && asked.contains(field))
        .map(|field| (Just(field), value(field)))
        .collect();
    let inherited = prop::sample::subsequence(inherited.to_vec(), 0..=inherited.len());
    (values, inherited)
        .prop_map(move |(values, inherited)| {
            let mut event = Event::new(hook);
            event.values.extend(values);
            event.inherited = inherited;
            event
        })
        .boxed()
}
