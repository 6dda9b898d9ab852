//! Path globs seen component by component.
//!
//! Owns the positions that a glob can be in between two components, and what
//! one component does to each. A position is "what is left to match from item
//! *i* on"; inside `**` the position is that of the `**` itself, from where a
//! component is either swallowed whole (stay) or matched by the pieces that
//! follow. It must not know of sets of positions: that is `path`.

use super::bytes::{ALL_BYTES, Step, Steps};
use crate::glob::{ByteSet, Glob, Piece};

/// Longest component that an edge of the image can hold.
const LONGEST_LITERAL: usize = lsmpc_abi::NAME_MAX_BYTES;

/// A piece of a glob, one byte wide or a run.
#[derive(Debug, Clone)]
enum Item {
    Byte(u8),
    Set(ByteSet),
    Star,
    Deep,
    Slash,
}

/// What a component must look like to follow an [`Arc`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Exactly these bytes.
    Literal(Box<[u8]>),
    /// Anything.
    Any,
    /// These steps.
    Wild(Steps),
}

/// Where a component leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Target {
    /// The glob of this tag matches if the string ends here.
    Accept(u32),
    /// This position, for the next component.
    Position(u32),
}

/// One way on from a position.
#[derive(Debug, Clone)]
pub(crate) struct Arc {
    /// The component.
    pub(crate) shape: Shape,
    /// Where it leads.
    pub(crate) target: Target,
}

/// A glob and the number of its first position.
#[derive(Debug)]
struct Entry {
    tag: u32,
    first: u32,
    items: Vec<Item>,
}

/// Globs with consecutively numbered positions.
#[derive(Debug, Default)]
pub(crate) struct Globs {
    entries: Vec<Entry>,
    /// Of each position: its glob, and whether it is a `**`.
    places: Vec<(u32, bool)>,
}

impl Globs {
    /// Adds a glob that stands for `tag`; its first position.
    pub(crate) fn add(&mut self, tag: u32, glob: &Glob) -> u32 {
        let first = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let items = items(glob);
        let deep = items.iter().map(|item| matches!(item, Item::Deep));
        self.places
            .extend(deep.chain([false]).map(|deep| (index, deep)));
        self.entries.push(Entry { tag, first, items });
        first
    }

    /// The number of the glob that a position belongs to, and whether the
    /// position is a `**`.
    pub(crate) fn place(&self, position: u32) -> (u32, bool) {
        self.places
            .get(position as usize)
            .copied()
            .unwrap_or((u32::MAX, false))
    }

    /// The first glob with this tag.
    pub(crate) fn with_tag(&self, tag: u32) -> u32 {
        self.entries
            .iter()
            .position(|entry| entry.tag == tag)
            .and_then(|index| u32::try_from(index).ok())
            .unwrap_or(u32::MAX)
    }

    /// The tag of a glob.
    pub(crate) fn tag(&self, glob: u32) -> u32 {
        self.entries
            .get(glob as usize)
            .map_or(u32::MAX, |entry| entry.tag)
    }

    /// Every way on from a position; the work it took.
    pub(crate) fn arcs(&self, position: u32, into: &mut Vec<Arc>) -> usize {
        let (glob, _) = self.place(position);
        let Some(entry) = self.entries.get(glob as usize) else {
            return 0;
        };
        let mut work = 1;
        let mut steps: Vec<Step> = Vec::new();
        let from = position.wrapping_sub(entry.first) as usize;
        let rest = entry.items.get(from..).unwrap_or_default();
        for (here, item) in (position..).zip(rest) {
            match item {
                Item::Byte(byte) => steps.push(Step::Byte(*byte)),
                Item::Set(set) => steps.push(Step::Set(*set)),
                Item::Star | Item::Deep => {
                    if !matches!(steps.last(), Some(Step::Run(_))) {
                        steps.push(Step::Run(ALL_BYTES));
                    }
                    if matches!(item, Item::Deep) {
                        work += steps.len();
                        into.push(Arc {
                            shape: shape(&steps),
                            target: Target::Position(here),
                        });
                    }
                }
                Item::Slash => {
                    work += steps.len();
                    into.push(Arc {
                        shape: shape(&steps),
                        target: Target::Position(here + 1),
                    });
                    return work;
                }
            }
        }
        work += steps.len();
        into.push(Arc {
            shape: shape(&steps),
            target: Target::Accept(entry.tag),
        });
        work
    }
}

fn items(glob: &Glob) -> Vec<Item> {
    let mut items = Vec::new();
    for piece in &glob.pieces {
        match piece {
            Piece::Literal(bytes) => items.extend(bytes.iter().map(|byte| match byte {
                b'/' => Item::Slash,
                byte => Item::Byte(*byte),
            })),
            Piece::Class(set) => items.push(Item::Set(*set)),
            Piece::Star => items.push(Item::Star),
            Piece::DeepStar => items.push(Item::Deep),
        }
    }
    items
}

fn shape(steps: &[Step]) -> Shape {
    if let [Step::Run(_)] = steps {
        return Shape::Any;
    }
    let literal: Option<Box<[u8]>> = steps
        .iter()
        .map(|step| match step {
            Step::Byte(byte) => Some(*byte),
            Step::Set(_) | Step::Run(_) => None,
        })
        .collect();
    match literal {
        Some(bytes) if bytes.len() <= LONGEST_LITERAL => Shape::Literal(bytes),
        // Longer than an edge can hold: matched byte by byte.
        _ => Shape::Wild(steps.into()),
    }
}

/// The steps of a glob over a name: nothing splits it.
pub(crate) fn name_steps(glob: &Glob) -> Steps {
    let mut steps = Vec::new();
    for piece in &glob.pieces {
        match piece {
            Piece::Literal(bytes) => steps.extend(bytes.iter().copied().map(Step::Byte)),
            Piece::Class(set) => steps.push(Step::Set(*set)),
            Piece::Star => steps.push(Step::Run(without_slash())),
            Piece::DeepStar => steps.push(Step::Run(ALL_BYTES)),
        }
    }
    steps.into()
}

fn without_slash() -> ByteSet {
    let mut set = ByteSet::default();
    for byte in (0..=u8::MAX).filter(|byte| *byte != b'/') {
        set.insert(byte);
    }
    set
}
