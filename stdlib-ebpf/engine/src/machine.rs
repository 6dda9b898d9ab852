//! The evaluation as one flat loop.
//!
//! Each round does one small thing, chosen by `mode`, and leaves all that it
//! knows in [`Work`]: passes a node, halves an interval, matches a component,
//! reads some bytes. The verifier goes through a loop's body until nothing new
//! can come of it; with everything in a map value, of which it assumes nothing,
//! that is after the second time, and a flat body is gone through once each time
//! where nested loops would multiply.

use lsmpc_abi::{
    Presence,
    field::FieldId,
    image::{
        Bits, CLASSIFIER_NAME, CLASSIFIER_PATH, CLASSIFIER_U64, CLASSIFIER_U128, H_EDGE_MASK,
        H_EDGES, H_EXE_CLASSIFIER, H_SEED, MAX_BOUNDARIES, MAX_STEPS, NODE_BITS, REF_TERMINAL,
        is_terminal,
    },
};

use crate::{
    Fault, Source, automaton,
    bits::{bound, page_u32, page_u64},
    interval,
    memory::{Memory, page_of, u32_at},
    node::{self, Node},
    repeat::Step,
    text,
    work::Work,
};

/// At a node: ask for its field.
pub(crate) const NODE: u32 = 0;
/// The class is known: follow it.
pub(crate) const CLASS: u32 = 1;
/// Halve the interval.
pub(crate) const SEARCH: u32 = 2;
/// Take the next component.
pub(crate) const COMPONENT: u32 = 3;
/// Try the component's next candidate edge.
pub(crate) const EDGE: u32 = 4;
/// Read bytes of a component.
pub(crate) const BYTES: u32 = 5;
/// Read bytes of a whole text.
pub(crate) const NAME_BYTES: u32 = 6;

const PATH: u8 = FieldId::Path as u8;

pub(crate) struct Machine<'m, M, S> {
    memory: &'m M,
    source: &'m mut S,
}

impl<'m, M: Memory, S: Source> Machine<'m, M, S> {
    #[inline(always)]
    pub(crate) fn new(memory: &'m M, source: &'m mut S) -> Self {
        Self { memory, source }
    }

    /// Prepares the work.
    #[inline(always)]
    pub(crate) fn begin(&mut self, start: u32) -> Result<(), Fault> {
        let header = page_of(self.memory, 0)?;
        let work = self.source.work();
        work.seed = page_u64(header, H_SEED as u32);
        work.edges = page_u32(header, H_EDGES as u32);
        work.edge_mask = page_u32(header, H_EDGE_MASK as u32);
        work.mode = NODE;
        work.reference = start;
        work.nodes = 0;
        work.fault = 0;
        work.keep = 0;
        work.directory_of = 0;
        work.noted = 0;
        Ok(())
    }

    /// Asks for the field of the node at hand.
    #[inline(always)]
    fn node(&mut self) -> Result<bool, Fault> {
        let memory = self.memory;
        let work = self.source.work();
        let reference = work.reference;
        if work.nodes >= MAX_STEPS {
            return Err(Fault::Steps);
        }
        work.nodes += 1;
        let node = Node::read(memory, reference)?;
        work.field = u32::from(node.field);
        if node.kind == NODE_BITS {
            let (mask, want) = node::bits_test(memory, reference)?;
            self.source.value(node.field);
            let work = self.source.work();
            let bits = Bits {
                set: work.low,
                unknown: work.high,
            };
            let answer = node::answer(work.presence, bits, mask, want);
            let next = node::bits_ref(memory, reference, answer)?;
            return self.enter(next);
        }
        let mut classifier = node.classifier;
        if classifier == 0 {
            if let Some(class) = self.source.cached_class(node.field) {
                let work = self.source.work();
                work.class = class;
                work.mode = CLASS;
                return Ok(true);
            }
            self.source.work().keep = 1;
            classifier = u32_at(memory, H_EXE_CLASSIFIER as u32)?;
            if classifier == 0 {
                return Err(Fault::Classifier);
            }
        }
        self.ask(node.field, classifier)?;
        Ok(true)
    }

    /// Asks for a field's value and begins to classify it.
    #[inline(always)]
    fn ask(&mut self, field: u8, classifier: u32) -> Result<(), Fault> {
        let memory = self.memory;
        let page = page_of(memory, classifier)?;
        let base = bound::<0xff0>(u64::from(classifier)) as u32;
        let kind = page_u32(page, base);
        let first = page_u32(page, base + 4);
        let second = page_u32(page, base + 8);
        match kind {
            CLASSIFIER_U64 | CLASSIFIER_U128 => {
                if first > MAX_BOUNDARIES {
                    return Err(Fault::Classifier);
                }
                self.source.value(field);
                let work = self.source.work();
                work.least = 0;
                work.most = first;
                work.boundaries = second;
                work.wide = u32::from(kind == CLASSIFIER_U128);
                work.mode = SEARCH;
            }
            CLASSIFIER_PATH => {
                self.source.text(field);
                let work = self.source.work();
                let is_wanted = field == PATH && work.directory_of == 0;
                work.noting = if is_wanted { classifier } else { 0 };
                work.state = first;
                work.position = work.start;
                work.mode = COMPONENT;
            }
            CLASSIFIER_NAME => {
                automaton::begin(memory, self.source.work(), first)?;
                self.source.text(field);
                let work = self.source.work();
                work.byte = work.start;
                work.byte_end = work.end;
                work.mode = NAME_BYTES;
            }
            _ => return Err(Fault::Classifier),
        }
        let work = self.source.work();
        if work.presence != Presence::Known as u32 {
            // 0 none, 1 unknown: the numbers of their classes.
            work.class = work.presence & 1;
            work.mode = CLASS;
        } else if work.mode != SEARCH && (work.end > 4096 || work.start > work.end) {
            return Err(Fault::Text);
        }
        Ok(())
    }

    /// The class of one field's value.
    #[cfg(feature = "host")]
    pub(crate) fn classify(&mut self, field: u8, classifier: u32) -> Result<u32, Fault> {
        self.begin(0)?;
        self.ask(field, classifier)?;
        while self.source.work().mode != CLASS {
            if !self.step() {
                let fault = self.source.work().fault;
                return Err(Fault::from_number(fault).unwrap_or(Fault::Steps));
            }
        }
        Ok(self.source.work().class)
    }

    /// Follows the class.
    #[inline(always)]
    fn class(&mut self) -> Result<bool, Fault> {
        let work = self.source.work();
        let (reference, class) = (work.reference, work.class);
        if work.keep != 0 {
            work.keep = 0;
            let field = work.field as u8;
            self.source.keep_class(field, class);
        }
        let node = Node::read(self.memory, reference)?;
        let next = node::follow(self.memory, reference, node.kind, node.argument, class)?;
        self.enter(next)
    }

    /// Goes on from a ref.
    #[inline(always)]
    fn enter(&mut self, reference: u32) -> Result<bool, Fault> {
        let mut next = reference;
        if is_terminal(next)
            && let Some(other) = self.source.settled(self.memory, next & !REF_TERMINAL)?
        {
            self.source.work().nodes = 0;
            next = other;
        }
        let work = self.source.work();
        work.reference = next;
        work.mode = NODE;
        Ok(!is_terminal(next))
    }
}

impl<M: Memory, S: Source> Step for Machine<'_, M, S> {
    #[inline(always)]
    fn step(&mut self) -> bool {
        let result = match self.source.work().mode {
            NODE => self.node(),
            CLASS => self.class(),
            SEARCH => interval::step(self.memory, self.source.work()),
            COMPONENT | EDGE => text::step(self.memory, self.source.work()),
            _ => automaton::step(self.memory, self.source.work()),
        };
        match result {
            Ok(more) => more,
            Err(fault) => {
                self.source.work().fault = fault as u32;
                false
            }
        }
    }
}

/// Ends a classification.
#[inline(always)]
pub(crate) fn finish(work: &mut Work, class: u32) {
    work.class = class;
    work.mode = CLASS;
}
