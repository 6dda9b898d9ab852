//! From tables to an image's bytes ([`lsmpc_abi::image`]).
//!
//! Owns the order of things in the image, the header, and the report at its end.
//! Equal tables give equal bytes. It must not know how tables came about.
//!
//! What every event reads comes first: nodes from the roots down (they begin in
//! page 0), then classifiers, path states, automata and keys, outcomes, and the
//! edge table.

mod automata;
mod edges;
mod layout;
mod report;
mod statistics;

use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use lsmpc_abi::ABI_VERSION;
use lsmpc_abi::hook::HOOK_SLOTS;
use lsmpc_abi::image::{
    H_ABI, H_DIGEST, H_EDGE_MASK, H_EDGES, H_EXE_CLASSIFIER, H_HOOKS, H_MASK_COUNT, H_MASKS,
    H_OUTCOME_COUNT, H_OUTCOMES, H_PAGES, H_REPORT, H_REPORT_LEN, H_SEED, H_SUBJECT, H_TABLES_END,
    HOOK_ENTRY_SIZE, HOOK_USED, MAGIC, MASKS_SIZE, MAX_PAGES, Masks, NODE_BITS, NODE_DENSE,
    NODE_HASHED, OUTCOME_SIZE, PAGE_SIZE, REF_TERMINAL,
};

use crate::ir::{Ir, RuleId};
use crate::lower::{
    ClassifierId, Leads, LowerError, LowerOptions, Node, Outcome, Ref, TableImage, Tables,
};
use edges::{Edge, Key};
use layout::{Full, Writer};

/// Bytes of the header: hook entries end it.
const HEADER: usize = H_HOOKS + HOOK_SLOTS * HOOK_ENTRY_SIZE;
/// Bytes of a node without what follows it.
const NODE_SIZE: usize = 16;
/// Bytes of a test of bits.
const BITS_SIZE: usize = 48;

/// Writes the image.
pub(crate) fn emit(
    ir: &Ir,
    tables: &Tables,
    options: &LowerOptions<'_>,
) -> Result<TableImage, LowerError> {
    let limit = options
        .limits
        .bytes
        .min(u64::from(MAX_PAGES) * PAGE_SIZE as u64);
    Emitter::new(tables, limit)
        .run(ir, options)
        .map_err(|Full { wanted }| LowerError::TooLarge {
            bytes: wanted,
            limit,
            rule: None,
        })
}

struct Emitter<'t> {
    tables: &'t Tables,
    writer: Writer,
    /// Nodes in the order they are written.
    order: Vec<u32>,
    /// Offsets of nodes.
    nodes: FxHashMap<u32, u32>,
    /// New numbers of outcomes, by old number.
    outcomes: FxHashMap<u32, u32>,
    /// The outcomes in use, by new number.
    used: Vec<&'t Outcome>,
    edges: Vec<Edge>,
}

impl<'t> Emitter<'t> {
    fn new(tables: &'t Tables, limit: u64) -> Self {
        let mut emitter = Self {
            tables,
            writer: Writer::new(HEADER, limit),
            order: Vec::new(),
            nodes: FxHashMap::default(),
            outcomes: FxHashMap::default(),
            used: Vec::new(),
            edges: Vec::new(),
        };
        emitter.use_outcome(0);
        emitter
    }

    fn use_outcome(&mut self, old: u32) {
        if let Some(outcome) = self.tables.outcomes.list().get(old as usize) {
            let fresh = u32::try_from(self.used.len()).unwrap_or(u32::MAX);
            self.outcomes.insert(old, fresh);
            self.used.push(outcome);
        }
    }

    /// Finds nodes and outcomes, breadth first from the roots.
    fn collect(&mut self) {
        let tables = self.tables;
        let mut seen = FxHashMap::default();
        let mut visit = |emitter: &mut Self, reference: Ref| match reference.leads() {
            Leads::Outcome(outcome) => {
                if outcome.masks().is_none() && !emitter.outcomes.contains_key(&outcome.0) {
                    emitter.use_outcome(outcome.0);
                }
            }
            Leads::Node(node) => {
                if seen.insert(node, ()).is_none() {
                    emitter.order.push(node);
                }
            }
        };
        for hook in &tables.hooks {
            visit(self, hook.root);
        }
        if let Some(root) = tables.subject {
            visit(self, root);
        }
        let mut next = 0;
        while let Some(node) = self.order.get(next).copied() {
            next += 1;
            if let Some(node) = tables.nodes.list().get(node as usize) {
                for child in node.children() {
                    visit(self, child);
                }
            }
        }
    }

    fn reference(&self, reference: Ref) -> u32 {
        match reference.leads() {
            Leads::Outcome(outcome) => {
                let number = outcome
                    .masks()
                    .or_else(|| self.outcomes.get(&outcome.0).copied());
                REF_TERMINAL | number.unwrap_or_default()
            }
            Leads::Node(node) => self.nodes.get(&node).copied().unwrap_or_default(),
        }
    }

    fn run(mut self, ir: &Ir, options: &LowerOptions<'_>) -> Result<TableImage, Full> {
        self.collect();
        let tables = self.tables;
        let list = tables.nodes.list();
        for number in &self.order {
            let size = match list.get(*number as usize) {
                Some(Node::Bits { .. }) => BITS_SIZE,
                Some(node) if is_dense(node) => NODE_SIZE + dense_entries(node) * 4,
                _ => NODE_SIZE,
            };
            self.nodes.insert(*number, self.writer.place(size, 16)?);
        }
        let written = automata::write(&mut self.writer, &tables.classifiers, &mut self.edges)?;
        let classifier = |id: ClassifierId| {
            written
                .classifiers
                .get(id.0 as usize)
                .copied()
                .unwrap_or_default()
        };
        for number in std::mem::take(&mut self.order) {
            if let Some(node) = list.get(number as usize) {
                let offset = self.nodes.get(&number).copied().unwrap_or_default();
                self.node(offset, node, classifier);
            }
        }

        let outcomes = self
            .writer
            .place(self.used.len() * OUTCOME_SIZE as usize, 16)?;
        let mut buckets: FxHashMap<&[RuleId], u32> = FxHashMap::default();
        for (number, outcome) in (0_u32..).zip(&self.used) {
            let errno = outcome.errno.map_or(0, i32::from);
            // Records about the same rules share a bucket of the rate limit.
            let fresh = u32::try_from(buckets.len()).unwrap_or(u32::MAX);
            let bucket = *buckets.entry(&outcome.rules).or_insert(fresh);
            let words = [
                errno.wrapping_neg().cast_unsigned(),
                outcome.flags(),
                bucket,
                0,
            ];
            self.writer
                .put_u32s(outcomes + number * OUTCOME_SIZE, &words);
        }
        let masks = self.masks(tables.outcomes.masks())?;
        let table = edges::write(&mut self.writer, &tables.classifiers.pool, &self.edges)?;
        let tables_end = self.writer.end_page()?;

        let report = report::build(ir, tables, &self.used, options);
        let report_at = self.writer.place(0, PAGE_SIZE)?;
        self.writer.append(|bytes| report.write(bytes))?;
        drop(report);
        let report_length = self.writer.len() - report_at as usize;
        let end = self.writer.end_page()?;

        let exe = tables.exe.map(classifier).unwrap_or_default();
        let header = [
            (H_ABI, ABI_VERSION),
            (H_PAGES, end / PAGE_SIZE as u32),
            (H_EDGES, table.offset),
            (H_EDGE_MASK, table.mask),
            (H_OUTCOMES, outcomes),
            (
                H_OUTCOME_COUNT,
                u32::try_from(self.used.len()).unwrap_or(u32::MAX),
            ),
            (H_EXE_CLASSIFIER, exe),
            (H_REPORT, report_at),
            (
                H_REPORT_LEN,
                u32::try_from(report_length).unwrap_or(u32::MAX),
            ),
            (H_TABLES_END, tables_end),
            (
                H_SUBJECT,
                tables.subject.map_or(0, |root| self.reference(root)),
            ),
            (H_MASKS, masks),
            (
                H_MASK_COUNT,
                u32::try_from(tables.outcomes.masks().len()).unwrap_or(u32::MAX),
            ),
        ];
        self.writer.put(0, &MAGIC);
        for (offset, value) in header {
            self.writer.put_u32s(offset as u32, &[value]);
        }
        self.writer.put_u64s(H_SEED as u32, &[table.seed]);
        for hook in &tables.hooks {
            let at = H_HOOKS as u32 + hook.hook as u32 * HOOK_ENTRY_SIZE as u32;
            let needs = hook.survey.needs;
            let root = self.reference(hook.root);
            self.writer.put_u32s(at, &[root, HOOK_USED]);
            self.writer
                .put_u64s(at + 8, &[needs as u64, (needs >> 64) as u64]);
            self.writer.put_u32s(at + 24, &[hook.survey.worst_steps]);
        }
        for hook in 0..HOOK_SLOTS as u32 {
            if !tables.hooks.iter().any(|used| used.hook as u32 == hook) {
                let at = H_HOOKS as u32 + hook * HOOK_ENTRY_SIZE as u32;
                self.writer.put_u32s(at, &[REF_TERMINAL]);
            }
        }

        let stats = statistics::collect(
            ir,
            tables,
            &written,
            &statistics::Sizes {
                edges: self.edges.len(),
                outcomes: self.used.len(),
                nodes: self.nodes.len(),
                table_bytes: tables_end as usize,
                report_bytes: report_length,
                bytes: self.writer.len(),
            },
        );
        let mut bytes = self.writer.finish();
        let digest = Sha256::digest(&bytes);
        if let Some(room) = bytes.get_mut(H_DIGEST..H_DIGEST + 32) {
            room.copy_from_slice(&digest);
        }
        Ok(TableImage { bytes, stats })
    }

    /// Writes what the subject's diagram comes to; its offset, 0 without any.
    fn masks(&mut self, list: &[Masks]) -> Result<u32, Full> {
        if list.is_empty() {
            return Ok(0);
        }
        let table = self.writer.place(list.len() * MASKS_SIZE as usize, 16)?;
        for (number, masks) in (0_u32..).zip(list) {
            let words = [masks.when, masks.until, masks.program]
                .map(|bits| [bits.set, bits.unknown])
                .concat();
            self.writer.put_u64s(table + number * MASKS_SIZE, &words);
        }
        Ok(table)
    }

    fn node(&mut self, offset: u32, node: &Node, classifier: impl Fn(ClassifierId) -> u32) {
        let head = |kind: u8| u32::from(kind) | u32::from(node.field() as u8) << 8;
        match node {
            Node::Bits {
                mask, want, refs, ..
            } => {
                let refs = refs.map(|child| self.reference(child));
                self.writer.put_u32s(offset, &[head(NODE_BITS), 0, 0, 0]);
                self.writer.put_u64s(offset + 16, &[*mask, *want]);
                self.writer.put_u32s(offset + 32, &refs);
            }
            Node::Classes {
                classifier: id,
                classes,
                default,
                exceptions,
                ..
            } => {
                let by = id.map(classifier).unwrap_or_default();
                if is_dense(node) {
                    let mut refs = vec![self.reference(*default); *classes as usize];
                    for (class, child) in exceptions {
                        if let Some(slot) = refs.get_mut(*class as usize) {
                            *slot = self.reference(*child);
                        }
                    }
                    self.writer
                        .put_u32s(offset, &[head(NODE_DENSE), by, *classes, 0]);
                    self.writer.put_u32s(offset + 16, &refs);
                    return;
                }
                let common = most_common(*default, *classes, exceptions);
                let words = [head(NODE_HASHED), by, self.reference(common), 0];
                self.writer.put_u32s(offset, &words);
                let edge = |class: u32, to: u32| Edge {
                    from: offset,
                    to,
                    key: Key::Class(class),
                };
                if common == *default {
                    for (class, child) in exceptions {
                        self.edges.push(edge(*class, self.reference(*child)));
                    }
                    return;
                }
                let mut next = exceptions.iter().peekable();
                for class in 0..*classes {
                    let child = next
                        .next_if(|(other, _)| *other == class)
                        .map_or(*default, |(_, child)| *child);
                    if child != common {
                        self.edges.push(edge(class, self.reference(child)));
                    }
                }
            }
        }
    }
}

/// The ref of most classes.
fn most_common(default: Ref, classes: u32, exceptions: &[(u32, Ref)]) -> Ref {
    let mut counts: FxHashMap<Ref, usize> = FxHashMap::default();
    for (_, child) in exceptions {
        *counts.entry(*child).or_default() += 1;
    }
    let of_default = (classes as usize).saturating_sub(exceptions.len());
    counts.insert(default, of_default);
    counts
        .into_iter()
        .max_by_key(|(child, count)| (*count, std::cmp::Reverse(*child)))
        .map_or(default, |(child, _)| child)
}

fn dense_entries(node: &Node) -> usize {
    match node {
        Node::Classes { classes, .. } => *classes as usize,
        Node::Bits { .. } => 0,
    }
}

/// Whether a node is written out class by class: unless edges take clearly less.
fn is_dense(node: &Node) -> bool {
    let Node::Classes {
        classes,
        default,
        exceptions,
        ..
    } = node
    else {
        return false;
    };
    let dense = dense_entries(node) * 4;
    if dense <= 128 {
        return true;
    }
    let common = most_common(*default, *classes, exceptions);
    let edges = if common == *default {
        exceptions.len()
    } else {
        let same = exceptions
            .iter()
            .filter(|(_, child)| *child == common)
            .count();
        (*classes as usize).saturating_sub(same)
    };
    // An edge takes 16 bytes, in a table that is never quite full, and is dearer
    // to find than an entry.
    dense <= edges * 20 + 256
}
