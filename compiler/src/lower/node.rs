//! The nodes of decision diagrams.
//!
//! Owns refs, hash-consed nodes of all hooks, and what can be said of a finished
//! diagram: its size, longest walk and fields. It must not know of rules.

use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::REF_TERMINAL;
use rustc_hash::{FxHashMap, FxHashSet};

use super::classify::ClassifierId;
use super::outcome::OutcomeId;
use crate::intern::Interner;

/// An outcome or a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ref(u32);

/// Where a ref leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leads {
    /// To an outcome.
    Outcome(OutcomeId),
    /// To a node.
    Node(u32),
}

impl Ref {
    /// The ref of an outcome.
    pub(crate) fn outcome(outcome: OutcomeId) -> Self {
        Self(outcome.0 | REF_TERMINAL)
    }

    /// Where it leads.
    pub(crate) fn leads(self) -> Leads {
        if self.0 & REF_TERMINAL == 0 {
            Leads::Node(self.0)
        } else {
            Leads::Outcome(OutcomeId(self.0 & !REF_TERMINAL))
        }
    }

    fn node(self) -> Option<u32> {
        match self.leads() {
            Leads::Node(node) => Some(node),
            Leads::Outcome(_) => None,
        }
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// By the field's class.
    Classes {
        /// The field.
        field: FieldId,
        /// Makes the class; `None` for a class cached by task.
        classifier: Option<ClassifierId>,
        /// One more than the largest class.
        classes: u32,
        /// Of class 0 and of every class without an exception.
        default: Ref,
        /// By class, sorted; each differs from the default.
        exceptions: Box<[(u32, Ref)]>,
    },
    /// By `value & mask == want`.
    Bits {
        /// The field.
        field: FieldId,
        /// The mask.
        mask: u64,
        /// What it must leave.
        want: u64,
        /// None, unknown, false, true.
        refs: [Ref; 4],
    },
}

impl Node {
    /// The field that it looks at.
    pub(crate) fn field(&self) -> FieldId {
        match self {
            Self::Classes { field, .. } | Self::Bits { field, .. } => *field,
        }
    }

    /// What follows.
    pub(crate) fn children(&self) -> impl Iterator<Item = Ref> {
        let (default, exceptions, refs): (_, &[(u32, Ref)], &[Ref]) = match self {
            Self::Classes {
                default,
                exceptions,
                ..
            } => (Some(*default), exceptions, &[]),
            Self::Bits { refs, .. } => (None, &[], refs),
        };
        default
            .into_iter()
            .chain(exceptions.iter().map(|(_, child)| *child))
            .chain(refs.iter().copied())
    }

    /// Entries that it takes.
    pub(crate) fn entries(&self) -> usize {
        match self {
            Self::Classes { exceptions, .. } => exceptions.len() + 1,
            Self::Bits { .. } => 4,
        }
    }
}

/// All nodes of an image. Children come before what refers to them.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    nodes: Interner<Node>,
}

impl Nodes {
    /// Every node.
    pub(crate) fn list(&self) -> &[Node] {
        self.nodes.list()
    }

    /// A node, or what it would always lead to; the entries that are new.
    pub(crate) fn intern(&mut self, node: Node) -> (Ref, usize) {
        let mut children = node.children();
        if let Some(first) = children.next()
            && children.all(|child| child == first)
        {
            return (first, 0);
        }
        drop(children);
        let entries = node.entries();
        let (id, is_new) = self.nodes.intern(node);
        (Ref(id & !REF_TERMINAL), if is_new { entries } else { 0 })
    }

    /// What can be said of the diagram that starts at `root`.
    pub(crate) fn survey(&self, root: Ref) -> Survey {
        let mut reached: FxHashSet<u32> = FxHashSet::default();
        let mut stack: Vec<u32> = root.node().into_iter().collect();
        let mut survey = Survey::default();
        let mut outcomes: FxHashSet<u32> = FxHashSet::default();
        if let Leads::Outcome(outcome) = root.leads() {
            outcomes.insert(outcome.0);
        }
        while let Some(node) = stack.pop() {
            if !reached.insert(node) {
                continue;
            }
            let Some(body) = self.nodes.get(node) else {
                continue;
            };
            for child in body.children() {
                match child.leads() {
                    Leads::Node(child) => stack.push(child),
                    Leads::Outcome(outcome) => {
                        outcomes.insert(outcome.0);
                    }
                }
            }
        }
        let mut order: Vec<u32> = reached.into_iter().collect();
        order.sort_unstable();
        // Children first, so that their longest walks are known.
        let mut longest: FxHashMap<u32, u32> = FxHashMap::default();
        for node in &order {
            let Some(body) = self.nodes.get(*node) else {
                continue;
            };
            let below = body
                .children()
                .filter_map(Ref::node)
                .filter_map(|child| longest.get(&child).copied())
                .max()
                .unwrap_or(0);
            longest.insert(*node, below + 1);
            survey.needs |= 1_u128 << (body.field() as u8 & 127);
        }
        survey.worst_steps = root
            .node()
            .and_then(|node| longest.get(&node).copied())
            .unwrap_or(0);
        survey.outcomes = outcomes.len();
        survey.nodes = order;
        survey
    }
}

/// What [`Nodes::survey`] finds.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Every node, children first.
    pub(crate) nodes: Vec<u32>,
    /// Most nodes of one walk.
    pub(crate) worst_steps: u32,
    /// Bit *n*: field *n* is looked at.
    pub(crate) needs: u128,
    /// Distinct outcomes.
    pub(crate) outcomes: usize,
}
