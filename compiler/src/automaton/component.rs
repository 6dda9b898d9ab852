//! Path globs seen component by component.
//!
//! Owns the positions that a glob can be in between two components, and what
//! one component does to each. A position is "what is left to match from here
//! on"; inside `**` the position is that of the `**` itself, from where a
//! component is either swallowed whole (stay) or matched by the pieces that
//! follow. It must not know of sets of positions: that is `path`.

use super::bytes::{ALL_BYTES, Step, Steps};
use super::{Pool, WildId};
use crate::glob::{ByteSet, Glob, Piece};
use crate::intern::number;

/// Longest component that an edge of the image can hold.
const LONGEST_LITERAL: usize = lsmpc_abi::NAME_MAX_BYTES;

/// What a component must look like to follow an [`Arc`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape<'g> {
    /// Exactly these bytes.
    Literal(&'g [u8]),
    /// Anything.
    Any,
    /// This pattern.
    Wild(WildId),
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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arc<'g> {
    /// The component.
    pub(crate) shape: Shape<'g>,
    /// Where it leads.
    pub(crate) target: Target,
}

/// A glob and its tag.
#[derive(Debug)]
struct Entry<'g> {
    tag: u32,
    glob: &'g Glob,
}

/// Where a position is.
#[derive(Debug, Clone, Copy)]
struct Place {
    glob: u32,
    piece: u32,
    /// Among the bytes of a literal piece.
    byte: u32,
    /// It is a `**`.
    deep: bool,
}

/// Globs with positions numbered one glob after the other, each from its start to its
/// end.
#[derive(Debug, Default)]
pub(crate) struct Globs<'g> {
    entries: Vec<Entry<'g>>,
    /// Of each position.
    places: Vec<Place>,
}

impl<'g> Globs<'g> {
    /// Adds a glob that stands for `tag`; its first position.
    pub(crate) fn add(&mut self, tag: u32, glob: &'g Glob) -> u32 {
        let first = number(self.places.len());
        let index = number(self.entries.len());
        let place = |piece, byte| Place {
            glob: index,
            piece,
            byte,
            deep: false,
        };
        let mut last = place(0, 0);
        for (at, piece) in (0..).zip(glob.pieces.iter()) {
            match piece {
                Piece::Literal(bytes) => {
                    for (byte, _) in (1..).zip(bytes).filter(|(_, byte)| **byte == b'/') {
                        self.places.push(last);
                        last = if byte as usize == bytes.len() {
                            place(at + 1, 0)
                        } else {
                            place(at, byte)
                        };
                    }
                }
                Piece::DeepStar => {
                    if (last.piece, last.byte) != (at, 0) {
                        self.places.push(last);
                        last = place(at, 0);
                    }
                    last.deep = true;
                }
                Piece::Class(_) | Piece::Star => {}
            }
        }
        self.places.push(last);
        self.entries.push(Entry { tag, glob });
        first
    }

    /// The number of the glob that a position belongs to, and whether the
    /// position is a `**`.
    pub(crate) fn place(&self, position: u32) -> (u32, bool) {
        self.places
            .get(position as usize)
            .map_or((u32::MAX, false), |place| (place.glob, place.deep))
    }

    /// The first glob with this tag.
    pub(crate) fn with_tag(&self, tag: u32) -> u32 {
        self.entries
            .iter()
            .position(|entry| entry.tag == tag)
            .map_or(u32::MAX, number)
    }

    /// The tag of a glob.
    pub(crate) fn tag(&self, glob: u32) -> u32 {
        self.entries
            .get(glob as usize)
            .map_or(u32::MAX, |entry| entry.tag)
    }

    /// Every way on from a position; the work it took.
    pub(crate) fn arcs(&self, position: u32, pool: &mut Pool, into: &mut Vec<Arc<'g>>) -> usize {
        let Some(place) = self.places.get(position as usize) else {
            return 0;
        };
        let Some(entry) = self.entries.get(place.glob as usize) else {
            return 0;
        };
        let rest = entry
            .glob
            .pieces
            .get(place.piece as usize..)
            .unwrap_or_default();
        let (head, after) = match rest.split_first() {
            Some((Piece::Literal(bytes), after)) => (
                bytes.get(place.byte as usize..).unwrap_or_default(),
                Some(after),
            ),
            Some(_) => (&[][..], None),
            None => (&[][..], Some(rest)),
        };
        let slash = head.iter().position(|byte| *byte == b'/');
        let whole = match (slash, after) {
            (Some(end), _) => head.get(..end).map(|head| (head, position + 1)),
            (None, Some([])) => Some((head, position)),
            _ => None,
        };
        if let Some((bytes, next)) = whole.filter(|(bytes, _)| bytes.len() <= LONGEST_LITERAL) {
            into.push(Arc {
                shape: Shape::Literal(bytes),
                target: if slash.is_some() {
                    Target::Position(next)
                } else {
                    Target::Accept(entry.tag)
                },
            });
            return bytes.len() + 1;
        }
        let mut walk = Walk {
            position,
            work: 1,
            steps: Vec::new(),
        };
        walk.arcs(*place, entry, rest, pool, into);
        walk.work
    }
}

/// The way from a position to the end of its component.
struct Walk {
    /// The last one passed.
    position: u32,
    work: usize,
    steps: Vec<Step>,
}

impl Walk {
    fn arcs<'g>(
        &mut self,
        place: Place,
        entry: &Entry<'g>,
        rest: &'g [Piece],
        pool: &mut Pool,
        into: &mut Vec<Arc<'g>>,
    ) {
        let mut skip = place.byte as usize;
        let mut is_first = true;
        for piece in rest {
            match piece {
                Piece::Literal(bytes) => {
                    for byte in bytes.iter().skip(skip) {
                        if *byte == b'/' {
                            let target = Target::Position(self.position + 1);
                            into.push(self.arc(pool, target));
                            return;
                        }
                        self.steps.push(Step::Byte(*byte));
                    }
                    skip = 0;
                }
                Piece::Class(set) => self.steps.push(Step::Set(*set)),
                Piece::Star | Piece::DeepStar => {
                    if !matches!(self.steps.last(), Some(Step::Run(_))) {
                        self.steps.push(Step::Run(ALL_BYTES));
                    }
                    if *piece == Piece::DeepStar {
                        if !is_first {
                            self.position += 1;
                        }
                        let target = Target::Position(self.position);
                        into.push(self.arc(pool, target));
                    }
                }
            }
            is_first = false;
        }
        into.push(self.arc(pool, Target::Accept(entry.tag)));
    }

    fn arc<'g>(&mut self, pool: &mut Pool, target: Target) -> Arc<'g> {
        self.work += self.steps.len();
        let shape = if let [Step::Run(_)] = self.steps.as_slice() {
            Shape::Any
        } else {
            Shape::Wild(pool.wild(&self.steps))
        };
        Arc { shape, target }
    }
}

/// The steps of a glob over a name: nothing splits it.
pub(crate) fn name_steps(glob: &Glob) -> Steps {
    let mut steps = Vec::new();
    for piece in glob.pieces.iter() {
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
