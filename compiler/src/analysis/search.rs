//! From a terminal of a diagram back to an event that leads there.
//!
//! Owns the ways from node to node that some task can go, with fields known or, if
//! that is asked for, unknown; and how a way becomes an event. It must not know what
//! terminals mean.

use std::collections::BTreeSet;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::{CLASS_FIRST, CLASS_UNKNOWN};

use super::frame::{Decided, Part, Undecided};
use super::stuck::{Bits, Stuck};
use crate::event::{Event, FieldValue, Value};
use crate::lower::node::{Leads, Node, Ref};
use crate::lower::outcome::OutcomeId;

/// Nodes looked at for one event.
const MAX_STEPS: usize = 1 << 16;

/// A way from a node to one of its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// The class of a field.
    Class(FieldId, u32),
    /// The bits of a field that a mask names: all or none of them set.
    Bits(FieldId, u64, bool),
    /// The field is none.
    None(FieldId),
    /// The field is unknown.
    Unknown(FieldId),
    /// It is unknown whether this sticks to the task.
    Doubt(u64),
}

/// What an event may leave open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// Nothing.
    Known,
    /// Fields may be unknown, programs of ancestors too.
    Unknown,
    /// So may be whether inherited scopes stick to the task, which no event can say.
    Doubtful,
}

/// An event that leads to a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) event: Event,
    /// Inherited scopes of which it is unknown whether they stick to its task.
    pub(crate) doubtful: Vec<String>,
}

impl<M> Decided<M> {
    /// An event with all fields known that leads to a wanted terminal.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if there are too many ways to look at.
    pub(crate) fn event(
        &self,
        stuck: &Stuck,
        wanted: impl Fn(OutcomeId) -> bool,
    ) -> Result<Option<Event>, Undecided> {
        let found = self.find(stuck, Reach::Known, wanted)?;
        Ok(found.map(|found| found.event))
    }

    /// An event that leads to a wanted terminal and leaves open what it may.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if there are too many ways to look at.
    pub(crate) fn find(
        &self,
        stuck: &Stuck,
        reach: Reach,
        wanted: impl Fn(OutcomeId) -> bool,
    ) -> Result<Option<Found>, Undecided> {
        let mut steps = 0;
        for part in &self.parts {
            let mut search = Search {
                decided: self,
                part,
                stuck,
                reach,
                good: BTreeSet::new(),
                wanted: &wanted,
            };
            search.look_back();
            let mut way = Vec::new();
            if let Some(bits) = search.go(part.root, Bits::default(), &mut way, &mut steps)? {
                let mut event = self.event_of(part, &way);
                let doubtful = stuck.put(bits, &mut event);
                return Ok(Some(Found { event, doubtful }));
            }
        }
        Ok(None)
    }

    /// An event that goes that way, but for what sticks to its task; what the way
    /// leaves open has some value.
    fn event_of(&self, part: &Part, way: &[Choice]) -> Event {
        let mut event = Event::new(self.hook);
        for field in self
            .fields
            .iter()
            .filter(|field| **field != FieldId::Sticky)
        {
            let value = if part.world.is_none(*field) {
                FieldValue::None
            } else if let Some(values) = part.values.get(field) {
                let first = values.iter().flatten().next();
                first.map_or(FieldValue::None, |value| FieldValue::Known(value.clone()))
            } else {
                FieldValue::Known(Value::Int(0))
            };
            event.values.insert(*field, value);
        }
        for choice in way {
            let (field, value) = match *choice {
                Choice::Bits(FieldId::Sticky, ..) | Choice::Doubt(_) => continue,
                Choice::None(field) => (field, FieldValue::None),
                Choice::Unknown(field) => (field, FieldValue::Unknown),
                Choice::Class(field, class) => {
                    let index = class.saturating_sub(CLASS_FIRST) as usize;
                    let values = part.values.get(&field);
                    let value = values.and_then(|values| values.get(index)?.clone());
                    (field, value.map_or(FieldValue::Unknown, FieldValue::Known))
                }
                Choice::Bits(field, mask, set) => {
                    let before = match event.get(field) {
                        FieldValue::Known(Value::Int(bits)) => *bits,
                        _ => 0,
                    };
                    let bits = if set { before | mask } else { before & !mask };
                    (field, FieldValue::Known(Value::Int(bits)))
                }
            };
            event.values.insert(field, value);
        }
        event
    }
}

/// A search for a way to a wanted terminal that some task can go.
struct Search<'a, M, W> {
    decided: &'a Decided<M>,
    part: &'a Part,
    stuck: &'a Stuck,
    reach: Reach,
    /// The nodes from which a wanted terminal is reached.
    good: BTreeSet<u32>,
    wanted: &'a W,
}

impl<M, W: Fn(OutcomeId) -> bool> Search<'_, M, W> {
    /// Finds out which nodes are good.
    fn look_back(&mut self) {
        // Children come first.
        for node in self.decided.nodes.survey(self.part.root).nodes {
            let leads = |(_, child): (Choice, Ref)| match child.leads() {
                Leads::Outcome(outcome) => (self.wanted)(outcome),
                Leads::Node(node) => self.good.contains(&node),
            };
            let body = self.decided.nodes.list().get(node as usize);
            if body.is_some_and(|body| self.choices(body).into_iter().any(leads)) {
                self.good.insert(node);
            }
        }
    }

    /// The ways on from a node: one for each class that leads elsewhere than the
    /// default, and one for the default; unknowns last.
    fn choices(&self, node: &Node) -> Vec<(Choice, Ref)> {
        let field = node.field();
        let none = self.part.world.may_be_none(self.decided.hook, field);
        let unknown = self.decided.unknown && self.reach >= Reach::Unknown;
        match node {
            Node::Bits { mask, refs, .. } => {
                let [when_none, when_unknown, unset, set] = *refs;
                let mut ways = vec![
                    (Choice::Bits(field, *mask, false), unset),
                    (Choice::Bits(field, *mask, true), set),
                ];
                if field == FieldId::Sticky {
                    if unknown && (self.stuck.is_told(*mask) || self.reach == Reach::Doubtful) {
                        ways.push((Choice::Doubt(*mask), when_unknown));
                    }
                    return ways;
                }
                // Where other bits are known these are, and lead where unset ones do.
                if none && when_none != unset {
                    ways.push((Choice::None(field), when_none));
                }
                if unknown && when_unknown != unset {
                    ways.push((Choice::Unknown(field), when_unknown));
                }
                ways
            }
            Node::Classes {
                classes,
                default,
                exceptions,
                ..
            } => {
                let values = self.part.values.get(&field);
                let possible = |class: u32| {
                    let index = class.checked_sub(CLASS_FIRST).map(|index| index as usize);
                    values.zip(index).is_some_and(|(values, index)| {
                        values.get(index).is_some_and(Option::is_some)
                    })
                };
                let mut ways = Vec::new();
                let listed = |class: u32| {
                    exceptions
                        .binary_search_by_key(&class, |(class, _)| *class)
                        .ok()
                        .and_then(|index| exceptions.get(index))
                        .map(|(_, child)| *child)
                };
                let plain = (CLASS_FIRST..*classes)
                    .find(|class| possible(*class) && listed(*class).is_none());
                ways.extend(plain.map(|class| (Choice::Class(field, class), *default)));
                if none {
                    ways.push((Choice::None(field), *default));
                }
                let others = exceptions.iter().filter(|(class, _)| possible(*class));
                ways.extend(others.map(|(class, child)| (Choice::Class(field, *class), *child)));
                if unknown {
                    let child = listed(CLASS_UNKNOWN).unwrap_or(*default);
                    ways.push((Choice::Unknown(field), child));
                }
                ways
            }
        }
    }

    /// Goes on from `at`: whether it leads there, and with which bits.
    fn go(
        &self,
        at: Ref,
        bits: Bits,
        way: &mut Vec<Choice>,
        steps: &mut usize,
    ) -> Result<Option<Bits>, Undecided> {
        let node = match at.leads() {
            Leads::Outcome(outcome) => return Ok((self.wanted)(outcome).then_some(bits)),
            Leads::Node(node) if self.good.contains(&node) => node,
            Leads::Node(_) => return Ok(None),
        };
        *steps += 1;
        if *steps > MAX_STEPS {
            return Err("too many tests of `ancestor.exe` exclude one another".to_owned());
        }
        let Some(body) = self.decided.nodes.list().get(node as usize) else {
            return Ok(None);
        };
        for (choice, child) in self.choices(body) {
            let with = match choice {
                Choice::Bits(FieldId::Sticky, mask, set) => bits.with(mask, set),
                Choice::Doubt(mask) => bits.doubting(mask),
                _ => bits,
            };
            if with != bits && !self.stuck.fits(with) {
                continue;
            }
            way.push(choice);
            if let Some(found) = self.go(child, with, way, steps)? {
                return Ok(Some(found));
            }
            way.pop();
        }
        Ok(None)
    }
}
