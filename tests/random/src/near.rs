//! Events near to what a policy asks about: paths that its globs match or nearly match,
//! numbers at the edges of its ranges, bits that it tests, and values that are as large
//! as they can be.

use lsmpc_abi::catalogue::{self, FieldType};
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use lsmpc_compiler::event::{Event, FieldValue, Value};
use lsmpc_compiler::glob::{Glob, Piece};
use lsmpc_compiler::ir::{Ir, Sticky, Test};

use crate::Choices;

/// Bytes of the longest path.
pub const LONGEST: usize = 4095;
/// Bytes of the longest component.
const COMPONENT: usize = 255;

/// What a policy asks, by field.
#[derive(Debug, Default)]
pub struct Asked<'a> {
    tests: Vec<(FieldId, &'a Test)>,
    ancestors: Vec<&'a Test>,
    inherited: Vec<String>,
    hooks: Vec<HookId>,
}

impl<'a> Asked<'a> {
    /// By this policy.
    #[must_use]
    pub fn by(ir: &'a Ir) -> Self {
        let mut asked = Self {
            tests: ir
                .predicates
                .iter()
                .map(|predicate| (predicate.field, &predicate.test))
                .collect(),
            hooks: ir.hooks.iter().map(|hook| hook.hook).collect(),
            ..Self::default()
        };
        for sticky in &ir.sticky {
            match sticky {
                Sticky::Scope { scope, .. } => {
                    asked.inherited.push(ir.scopes[*scope as usize].clone());
                }
                Sticky::Ancestor { program } => {
                    asked
                        .ancestors
                        .push(&ir.predicates[program.0 as usize].test);
                }
            }
        }
        asked
    }

    /// Whether events can be made: the policy has a hook.
    #[must_use]
    pub fn has_hooks(&self) -> bool {
        !self.hooks.is_empty()
    }

    /// An event of one of its hooks. Fields that it does not ask about are unknown.
    ///
    /// # Panics
    ///
    /// If it has no hooks.
    pub fn event(&self, choices: &mut Choices<'_>) -> Event {
        let mut event = Event::new(*choices.pick(&self.hooks));
        let known = catalogue::hook(event.hook);
        for field in FieldId::ALL.iter().filter(|field| known.has(**field)) {
            let tests: Vec<&Test> = self
                .tests
                .iter()
                .filter(|(asked, _)| asked == field)
                .map(|(_, test)| *test)
                .collect();
            if !tests.is_empty() {
                event.values.insert(*field, value(*field, &tests, choices));
            }
        }
        if !self.ancestors.is_empty() {
            event
                .values
                .insert(FieldId::AncestorExe, self.programs(choices));
        }
        let inherited = self.inherited.iter().filter(|_| choices.once_in(3));
        event.inherited = inherited.cloned().collect();
        event.inherited.sort();
        event.inherited.dedup();
        event
    }

    fn programs(&self, choices: &mut Choices<'_>) -> FieldValue {
        if let Some(absent) = absent(choices) {
            return absent;
        }
        let count = choices.below(4);
        let one = |choices: &mut Choices<'_>| {
            let Test::Globs(globs) = *choices.pick(&self.ancestors) else {
                return None;
            };
            (!choices.once_in(8)).then(|| text(globs, choices))
        };
        FieldValue::Known(Value::List((0..count).map(|_| one(choices)).collect()))
    }
}

fn absent(choices: &mut Choices<'_>) -> Option<FieldValue> {
    match choices.below(16) {
        14 => Some(FieldValue::None),
        15 => Some(FieldValue::Unknown),
        _ => None,
    }
}

fn value(field: FieldId, tests: &[&Test], choices: &mut Choices<'_>) -> FieldValue {
    if let Some(absent) = absent(choices) {
        return absent;
    }
    FieldValue::Known(match *choices.pick(tests) {
        Test::Globs(globs) => Value::Bytes(text(globs, choices)),
        Test::Ranges(ranges) => {
            let at = edge(ranges, choices, u64::wrapping_add);
            Value::Int(match catalogue::field(field).ty {
                FieldType::Bool => at & 1,
                FieldType::Int { max, .. } | FieldType::Enum { max: Some(max) } => at.min(max),
                _ => at,
            })
        }
        Test::Blocks(blocks) => Value::Address(edge(blocks, choices, u128::wrapping_add)),
        Test::HasAll(mask) => Value::Int(bits(*mask, choices)),
        Test::HasAny(masks) => {
            let mask = if masks.is_empty() {
                0
            } else {
                *choices.pick(masks)
            };
            Value::Int(bits(mask, choices))
        }
        Test::Sticky(_) => return FieldValue::Unknown,
    })
}

/// A value at an edge of a range, or beside it.
fn edge<T>(ranges: &[(T, T)], choices: &mut Choices<'_>, add: impl Fn(T, T) -> T) -> T
where
    T: Copy + From<u8> + std::ops::Not<Output = T>,
{
    let zero = T::from(0);
    let (low, high) = if ranges.is_empty() {
        (zero, zero)
    } else {
        *choices.pick(ranges)
    };
    // All ones is minus one.
    let (one, less) = (T::from(1), !zero);
    match choices.below(7) {
        0 | 1 => low,
        2 => high,
        3 => add(low, less),
        4 => add(high, one),
        5 => less,
        _ => add(low, T::from(choices.byte())),
    }
}

fn bits(mask: u64, choices: &mut Choices<'_>) -> u64 {
    match choices.below(5) {
        0 | 1 => mask,
        2 => mask & !(1 << choices.below(64)),
        3 => mask | 1 << choices.below(64),
        _ => !mask,
    }
}

/// A text that one of the globs matches, or one close to it.
fn text(globs: &[Glob], choices: &mut Choices<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    if !globs.is_empty() {
        match_one(choices.pick(globs), choices, &mut text);
    }
    match choices.below(20) {
        0 => damage(&mut text, choices),
        1 => text.truncate(choices.below(text.len() + 1)),
        2 => text.push(choices.byte()),
        3 => text.extend_from_slice(b"/x"),
        4 => long(&mut text, choices),
        _ => {}
    }
    text.truncate(LONGEST);
    text
}

fn damage(text: &mut [u8], choices: &mut Choices<'_>) {
    let at = choices.below(text.len());
    if let Some(byte) = text.get_mut(at) {
        *byte = match choices.below(3) {
            0 => *byte ^ 0x80,
            1 => byte.wrapping_add(1),
            _ => choices.byte(),
        };
    }
}

/// As long as a path can be, in one way or another.
fn long(text: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let component = match choices.below(3) {
        0 => 1,
        1 => COMPONENT,
        _ => 1 + choices.below(COMPONENT),
    };
    let byte = *choices.pick(&[b'a', b'x', 0xff, 0x80]);
    while text.len() < LONGEST {
        text.push(b'/');
        text.resize(text.len() + component, byte);
    }
    let short = choices.below(3);
    text.truncate(LONGEST - short);
}

/// Appends what the glob matches.
fn match_one(glob: &Glob, choices: &mut Choices<'_>, text: &mut Vec<u8>) {
    for piece in glob.pieces.iter() {
        match piece {
            Piece::Literal(bytes) => text.extend_from_slice(bytes),
            Piece::Class(set) => {
                let start = choices.byte();
                let byte = (0..=u8::MAX)
                    .map(|step| start.wrapping_add(step))
                    .find(|byte| set.contains(*byte));
                text.extend(byte);
            }
            Piece::Star => fill(choices, text, false),
            Piece::DeepStar => fill(choices, text, true),
        }
    }
}

/// What a star stands for: from nothing to a whole component, and what other globs
/// look for.
fn fill(choices: &mut Choices<'_>, text: &mut Vec<u8>, deep: bool) {
    match choices.below(8) {
        0 | 1 => {}
        2 => text.push(b'x'),
        3 => text.extend_from_slice(b"xy"),
        4 => {
            let more = choices.below(12);
            for _ in 0..more {
                let byte = *choices.pick(b"abxy.-\x80\xff");
                text.push(byte);
            }
        }
        5 if deep => text.extend_from_slice(b"a/x/b"),
        6 if deep => {
            let more = choices.below(40);
            for _ in 0..more {
                text.extend_from_slice(b"a/");
            }
        }
        7 => text.resize(text.len() + choices.below(COMPONENT), b'a'),
        _ => text.push(b'a'),
    }
}
