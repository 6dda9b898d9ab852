//! What sticks to the acting task of an event.
//!
//! Owns which bits can be set together (those of inherited scopes as they like,
//! those of `ancestor.exe` as some programs set them), and how they become a part of
//! an event. It must not know diagrams.

use std::collections::BTreeMap;

use lsmpc_abi::CLASS_FIRST;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

use super::frame::{Frame, Undecided, translator};
use super::world::World;
use crate::event::{Event, FieldValue, Value};
use crate::ir::{Cond, Ir, Sticky};
use crate::lower::formula::Formulas;
use crate::lower::variable::{Order, TestId};

/// Bits that are set, bits that are not, and bits of which that is unknown; others
/// are open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bits {
    set: u64,
    unset: u64,
    unknown: u64,
}

impl Bits {
    /// With the bits of a mask, too.
    pub(crate) fn with(self, mask: u64, set: bool) -> Self {
        if set {
            Self {
                set: self.set | mask,
                ..self
            }
        } else {
            Self {
                unset: self.unset | mask,
                ..self
            }
        }
    }

    /// With the bits of a mask unknown.
    pub(crate) fn doubting(self, mask: u64) -> Self {
        Self {
            unknown: self.unknown | mask,
            ..self
        }
    }
}

/// What can stick to a task.
#[derive(Debug, Default)]
pub(crate) struct Stuck {
    /// The bits of inherited scopes, with the scopes' names.
    scopes: Vec<(u64, String)>,
    /// The bits of `ancestor.exe`.
    ancestors: u64,
    /// A program of each class, with the bits that it sets.
    programs: Vec<(u64, Vec<u8>)>,
}

impl Stuck {
    /// All that sticks under a policy.
    pub(crate) fn new(ir: &Ir, frame: &mut Frame) -> Result<Self, Undecided> {
        let order = Order::all().into_iter().next().ok_or_else(String::new)?;
        let mut stuck = Self::default();
        let mut bits: BTreeMap<TestId, u64> = BTreeMap::new();
        for (number, sticky) in (0_u32..).zip(&ir.sticky) {
            let bit = 1_u64.checked_shl(number).unwrap_or(0);
            match sticky {
                Sticky::Scope { scope, .. } => {
                    let name = ir.scopes.get(*scope as usize).cloned().unwrap_or_default();
                    stuck.scopes.push((bit, name));
                }
                Sticky::Ancestor { program } => {
                    stuck.ancestors |= bit;
                    let mut formulas = Formulas::default();
                    let asked = translator(ir, &mut frame.variables, &mut formulas, &order)
                        .cond(&Cond::Test(*program))
                        .map_err(|error| error.to_string())?;
                    let mut vars = Vec::new();
                    formulas.vars(asked, u128::MAX, &mut vars);
                    for (_, test) in vars.iter().filter_map(|var| frame.variables.get(*var)) {
                        *bits.entry(test).or_default() |= bit;
                    }
                }
            }
        }
        if !bits.is_empty() {
            stuck.programs = programs(&bits, frame)?;
        }
        Ok(stuck)
    }

    /// Whether an event can say of these bits that they are unknown: of those of
    /// `ancestor.exe`, not of those of scopes.
    pub(crate) fn is_told(&self, mask: u64) -> bool {
        mask & !self.ancestors == 0
    }

    /// Whether some task has bits like these.
    pub(crate) fn fits(&self, bits: Bits) -> bool {
        // One ancestor that is unknown might set any bit.
        let doubt = bits.unknown & self.ancestors != 0;
        bits.set & bits.unset == 0
            && (bits.set | bits.unset) & bits.unknown == 0
            && !(doubt && bits.unset & self.ancestors != 0)
            && self.ancestors_of(bits).is_some()
    }

    /// Programs of ancestors that set what is to be set of `ancestor.exe`, and
    /// nothing that is not or may not be.
    fn ancestors_of(&self, bits: Bits) -> Option<Vec<&[u8]>> {
        let mut missing = bits.set & self.ancestors;
        let mut found = Vec::new();
        for (sets, program) in &self.programs {
            if missing & sets != 0 && (bits.unset | bits.unknown) & sets == 0 {
                missing &= !sets;
                found.push(program.as_slice());
            }
        }
        (missing == 0).then_some(found)
    }

    /// Gives an event's task bits that fit; the scopes of which that is unknown.
    pub(crate) fn put(&self, bits: Bits, event: &mut Event) -> Vec<String> {
        let scopes = |mask: u64| {
            let scopes = self.scopes.iter().filter(move |(bit, _)| mask & bit != 0);
            scopes.map(|(_, name)| name.clone()).collect()
        };
        event.inherited = scopes(bits.set);
        if self.ancestors != 0 {
            let ancestors = self.ancestors_of(bits).unwrap_or_default();
            let list = ancestors.into_iter().map(|one| Some(one.to_vec()));
            let doubt = (bits.unknown & self.ancestors != 0).then_some(None);
            let value = FieldValue::Known(Value::List(list.chain(doubt).collect()));
            event.values.insert(FieldId::AncestorExe, value);
        }
        scopes(bits.unknown)
    }
}

/// A program of each class of the tests, with the bits of those that it passes.
fn programs(
    bits: &BTreeMap<TestId, u64>,
    frame: &mut Frame,
) -> Result<Vec<(u64, Vec<u8>)>, Undecided> {
    let tests = bits.keys().copied().collect();
    let id = frame.classifier(FieldId::Exe, tests)?;
    let values = frame
        .values(HookId::FileOpen, FieldId::Exe, &World::default(), id)
        .map_err(|error| error.to_string())?;
    let classifier = frame.classifiers.get(id);
    let passed = |tests: &[u32]| {
        tests
            .iter()
            .filter_map(|test| bits.get(&TestId(*test)))
            .fold(0, |all, bit| all | bit)
    };
    Ok((CLASS_FIRST..)
        .zip(values.iter())
        .filter_map(|(class, value)| {
            let tests = classifier?.holds(class);
            match value {
                Some(Value::Bytes(path)) => Some((passed(tests), path.clone())),
                _ => None,
            }
        })
        .collect())
}
