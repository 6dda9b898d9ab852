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

/// A position.
#[derive(Debug, Clone, Copy)]
struct Place {
    glob: u32,
    /// It is a `**`.
    deep: bool,
    next: Next,
}

/// What follows a position.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// A literal component among [`Globs::text`], and the end of the glob, or another.
    Literal { start: u32, end: u32, last: bool },
    /// A star of either kind, and the end of the glob.
    Star,
    /// This piece, from this byte on if it is a literal one.
    Piece { piece: u32, byte: u32 },
}

/// Globs with positions numbered one glob after the other, each from its start to its
/// end.
#[derive(Debug, Default)]
pub(crate) struct Globs<'g> {
    entries: Vec<Entry<'g>>,
    /// Of each position.
    places: Vec<Place>,
    /// The literal components, so that they lie together.
    text: Vec<u8>,
    /// Bytes and wildcards of all globs.
    bytes: usize,
}

impl<'g> Globs<'g> {
    /// Adds a glob that stands for `tag`; its first position.
    pub(crate) fn add(&mut self, tag: u32, glob: &'g Glob) -> u32 {
        let first = number(self.places.len());
        let mut last = (0, 0);
        let mut deep = false;
        for (at, piece) in (0..).zip(glob.pieces.iter()) {
            self.bytes += match piece {
                Piece::Literal(bytes) => bytes.len(),
                Piece::Class(_) | Piece::Star | Piece::DeepStar => 1,
            };
            match piece {
                Piece::Literal(bytes) => {
                    for (byte, _) in (1..).zip(bytes).filter(|(_, byte)| **byte == b'/') {
                        self.position(glob, last, std::mem::take(&mut deep));
                        last = if byte as usize == bytes.len() {
                            (at + 1, 0)
                        } else {
                            (at, byte)
                        };
                    }
                }
                Piece::DeepStar => {
                    if last != (at, 0) {
                        self.position(glob, last, deep);
                        last = (at, 0);
                    }
                    deep = true;
                }
                Piece::Class(_) | Piece::Star => {}
            }
        }
        self.position(glob, last, deep);
        self.entries.push(Entry { tag, glob });
        first
    }

    fn position(&mut self, glob: &Glob, (piece, byte): (u32, u32), deep: bool) {
        let rest = glob.pieces.get(piece as usize..).unwrap_or_default();
        if let [Piece::Star | Piece::DeepStar] = rest {
            self.places.push(Place {
                glob: number(self.entries.len()),
                deep,
                next: Next::Star,
            });
            return;
        }
        let literal = match rest.split_first() {
            None => Some((&[][..], true)),
            Some((Piece::Literal(bytes), after)) => {
                let bytes = bytes.get(byte as usize..).unwrap_or_default();
                match bytes.iter().position(|byte| *byte == b'/') {
                    Some(end) => bytes.get(..end).map(|bytes| (bytes, false)),
                    None => after.is_empty().then_some((bytes, true)),
                }
            }
            Some(_) => None,
        };
        let next = match literal.filter(|(bytes, _)| bytes.len() <= LONGEST_LITERAL) {
            Some((bytes, last)) => {
                let start = number(self.text.len());
                self.text.extend_from_slice(bytes);
                let end = number(self.text.len());
                Next::Literal { start, end, last }
            }
            None => Next::Piece { piece, byte },
        };
        self.places.push(Place {
            glob: number(self.entries.len()),
            deep,
            next,
        });
    }

    /// How many globs there are.
    pub(crate) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Bytes and wildcards of all globs.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
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
    pub(crate) fn arcs<'s>(
        &'s self,
        position: u32,
        pool: &mut Pool,
        into: &mut Vec<Arc<'s>>,
    ) -> usize {
        let Some(place) = self.places.get(position as usize) else {
            return 0;
        };
        let (piece, byte) = match place.next {
            Next::Literal { start, end, last } => {
                let bytes = self.text.get(start as usize..end as usize);
                let bytes = bytes.unwrap_or_default();
                let target = if last {
                    Target::Accept(self.tag(place.glob))
                } else {
                    Target::Position(position + 1)
                };
                let shape = Shape::Literal(bytes);
                into.push(Arc { shape, target });
                return bytes.len() + 1;
            }
            Next::Star => {
                let shape = Shape::Any;
                let mut add = |target| into.push(Arc { shape, target });
                if place.deep {
                    add(Target::Position(position));
                }
                add(Target::Accept(self.tag(place.glob)));
                return 2 + usize::from(place.deep);
            }
            Next::Piece { piece, byte } => (piece, byte),
        };
        let Some(entry) = self.entries.get(place.glob as usize) else {
            return 0;
        };
        let mut walk = Walk {
            position,
            work: 1,
            steps: Vec::new(),
        };
        let rest = entry.glob.pieces.get(piece as usize..).unwrap_or_default();
        walk.arcs(byte as usize, entry.tag, rest, pool, into);
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
    /// `skip`: bytes of the first piece that were matched before.
    fn arcs(
        &mut self,
        mut skip: usize,
        tag: u32,
        rest: &[Piece],
        pool: &mut Pool,
        into: &mut Vec<Arc<'_>>,
    ) {
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
        into.push(self.arc(pool, Target::Accept(tag)));
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
