//! Everything that evaluation can reach lies where it must.
//!
//! Owns the walk over hooks, nodes, classifiers, states, edges and automata. No
//! recursion, and work in proportion to the tables (each thing is looked at once
//! for each thing that owns it).

use std::{
    collections::{HashMap, HashSet},
    vec::Vec,
};

use lsmpc_abi::{
    CLASS_FIRST, NAME_MAX_BYTES,
    catalogue::{self, FieldType},
    field::FieldId,
    hook::HOOK_SLOTS,
    image::{
        BUCKET_ENTRIES, BUCKET_SIZE, CLASSIFIER_NAME, CLASSIFIER_PATH, CLASSIFIER_U64,
        CLASSIFIER_U128, EDGE_SIZE, H_EDGE_MASK, H_EDGES, H_EXE_CLASSIFIER, H_HOOKS, H_MASK_COUNT,
        H_MASKS, H_OUTCOME_COUNT, H_OUTCOMES, H_SUBJECT, HOOK_ENTRY_SIZE, HOOK_USED, KEY_CLASS,
        MASKS_SIZE, MAX_BOUNDARIES, MAX_STEPS, NODE_BITS, NODE_DENSE, NODE_HASHED, OUTCOME_ALLOW,
        OUTCOME_SIZE, PAGE_SIZE, REF_TERMINAL, STATE_SIZE, is_terminal,
    },
};

use super::{ImageError, hook_entry, invalid, u32_of, u64_of};

/// End of the header: nothing else begins before.
const HEADER: usize = H_HOOKS + HOOK_SLOTS * HOOK_ENTRY_SIZE;
/// Most states of a byte automaton.
const MAX_AUTOMATON_STATES: usize = 65_536;

/// Checks tables (the image up to its report); the fields that the subject's diagram
/// reads, by bit.
pub(super) fn check(tables: &[u8]) -> Result<u128, ImageError> {
    let mut checker = Checker {
        tables,
        outcomes: 0,
        edges: Vec::new(),
        classifiers: HashMap::new(),
        bodies: HashSet::new(),
        nodes: HashMap::new(),
    };
    checker.outcomes()?;
    checker.edges()?;
    let exe = checker.u32(H_EXE_CLASSIFIER)?;
    if exe != 0 {
        let classifier = checker.classifier(exe)?;
        if classifier.kind != CLASSIFIER_PATH {
            return Err(invalid("classifier of programs", H_EXE_CLASSIFIER));
        }
    }
    for hook in 0..HOOK_SLOTS {
        let at = H_HOOKS + hook * HOOK_ENTRY_SIZE;
        let entry = hook_entry(tables, hook);
        if entry.flags & HOOK_USED == 0 {
            if entry.root != REF_TERMINAL | OUTCOME_ALLOW {
                return Err(invalid("root of an unused hook", at));
            }
            continue;
        }
        let summary = checker.diagram(entry.root, at)?;
        let needs = u128::from(entry.needs[1]) << 64 | u128::from(entry.needs[0]);
        if summary.needs & !needs != 0 {
            return Err(invalid("list of a hook's fields", at + 8));
        }
        if summary.steps > entry.worst_steps || entry.worst_steps > MAX_STEPS {
            return Err(invalid("longest walk of a hook", at + 24));
        }
    }
    checker.subject()
}

/// An entry of the edge table.
#[derive(Clone, Copy)]
struct Edge {
    from: u32,
    to: u32,
    key: u32,
    at: usize,
}

/// A classifier that has been checked.
#[derive(Clone, Copy)]
struct Classifier {
    kind: u32,
    /// One more than the largest class.
    classes: u32,
}

/// What can be said of a checked ref.
#[derive(Clone, Copy, Default)]
struct Summary {
    steps: u32,
    needs: u128,
}

struct Checker<'t> {
    tables: &'t [u8],
    outcomes: u32,
    /// Sorted by `from`.
    edges: Vec<Edge>,
    classifiers: HashMap<u32, Classifier>,
    /// Maps and transitions that have been checked: states, columns, offsets.
    bodies: HashSet<(u32, u32, u32, u32)>,
    nodes: HashMap<u32, Summary>,
}

impl Checker<'_> {
    fn u32(&self, offset: usize) -> Result<u32, ImageError> {
        u32_of(self.tables, offset).ok_or(invalid("offset", offset))
    }

    fn u64(&self, offset: usize) -> Result<u64, ImageError> {
        u64_of(self.tables, offset).ok_or(invalid("offset", offset))
    }

    /// Whether `size` bytes at `offset` lie in the tables, aligned, beyond the
    /// header.
    fn place(
        &self,
        offset: u32,
        size: usize,
        align: usize,
        what: &'static str,
    ) -> Result<usize, ImageError> {
        let at = offset as usize;
        let end = at.checked_add(size);
        if at < HEADER || !at.is_multiple_of(align) || end.is_none_or(|end| end > self.tables.len())
        {
            return Err(invalid(what, at));
        }
        Ok(at)
    }

    fn outcomes(&mut self) -> Result<(), ImageError> {
        let count = self.u32(H_OUTCOME_COUNT)?;
        let size = (count as usize).saturating_mul(OUTCOME_SIZE as usize);
        let table = self.place(self.u32(H_OUTCOMES)?, size, 16, "table of outcomes")?;
        if count == 0 || self.u32(table)? != 0 || self.u32(table + 4)? != 0 {
            return Err(invalid("first outcome", table));
        }
        for number in 0..count as usize {
            let at = table + number * OUTCOME_SIZE as usize;
            if !(-4095..=0).contains(&self.u32(at)?.cast_signed()) {
                return Err(invalid("return value of an outcome", at));
            }
        }
        self.outcomes = count;
        Ok(())
    }

    /// Checks what sticks to tasks. Its diagram ends in numbers of masks, and so
    /// shares no nodes with the hooks'.
    fn subject(&mut self) -> Result<u128, ImageError> {
        let root = self.u32(H_SUBJECT)?;
        let count = self.u32(H_MASK_COUNT)?;
        if root == 0 {
            return Ok(0);
        }
        let size = (count as usize).saturating_mul(MASKS_SIZE as usize);
        self.place(self.u32(H_MASKS)?, size, 16, "table of masks")?;
        self.outcomes = count;
        self.nodes.clear();
        let summary = self.diagram(root, H_SUBJECT)?;
        let subject = FieldId::ALL
            .iter()
            .chain([&FieldId::Sticky])
            .filter(|field| field.is_subject())
            .fold(0_u128, |fields, field| fields | 1 << *field as u8);
        if summary.needs & !subject != 0 {
            return Err(invalid("field of the subject", H_SUBJECT));
        }
        Ok(summary.needs)
    }

    fn edges(&mut self) -> Result<(), ImageError> {
        let offset = self.u32(H_EDGES)?;
        if offset == 0 {
            return Ok(());
        }
        let buckets = u64::from(self.u32(H_EDGE_MASK)?) + 1;
        if !buckets.is_power_of_two() {
            return Err(invalid("mask of the edge table", H_EDGE_MASK));
        }
        let size = usize::try_from(buckets * u64::from(BUCKET_SIZE)).unwrap_or(usize::MAX);
        let table = self.place(offset, size, BUCKET_SIZE as usize, "edge table")?;
        let entries = usize::try_from(buckets * u64::from(BUCKET_ENTRIES)).unwrap_or(0);
        for entry in 0..entries {
            let at = table + entry * EDGE_SIZE as usize;
            let from = self.u32(at)?;
            if from != 0 {
                self.edges.push(Edge {
                    from,
                    to: self.u32(at + 8)?,
                    key: self.u32(at + 12)?,
                    at,
                });
            }
        }
        self.edges.sort_by_key(|edge| edge.from);
        Ok(())
    }

    fn edges_of(&self, from: u32) -> Vec<Edge> {
        let start = self.edges.partition_point(|edge| edge.from < from);
        self.edges
            .get(start..)
            .unwrap_or_default()
            .iter()
            .take_while(|edge| edge.from == from)
            .copied()
            .collect()
    }

    /// Checks all that follows a ref: no circle, no walk too long.
    fn diagram(&mut self, root: u32, named_at: usize) -> Result<Summary, ImageError> {
        if let Some(summary) = self.summary(root, named_at)? {
            return Ok(summary);
        }
        // Nodes entered, each with the children not yet finished.
        let mut stack: Vec<(u32, Vec<u32>)> = Vec::new();
        let mut entered: HashSet<u32> = HashSet::new();
        stack.push((root, self.node(root)?));
        entered.insert(root);
        while let Some((node, pending)) = stack.last_mut() {
            let (node, next) = (*node, pending.last().copied());
            let Some(child) = next else {
                stack.pop();
                self.finish(node)?;
                entered.remove(&node);
                continue;
            };
            if self.summary(child, node as usize)?.is_some() {
                if let Some((_, pending)) = stack.last_mut() {
                    pending.pop();
                }
                continue;
            }
            if !entered.insert(child) {
                return Err(invalid("circle of nodes", child as usize));
            }
            if stack.len() >= MAX_STEPS as usize {
                return Err(invalid("walk that is too long", child as usize));
            }
            let children = self.node(child)?;
            stack.push((child, children));
        }
        self.summary(root, named_at)?
            .ok_or(invalid("root", named_at))
    }

    /// The summary of a ref, once it is known.
    fn summary(&self, reference: u32, named_at: usize) -> Result<Option<Summary>, ImageError> {
        if !is_terminal(reference) {
            return Ok(self.nodes.get(&reference).copied());
        }
        if reference & !REF_TERMINAL >= self.outcomes {
            return Err(invalid("number of an outcome", named_at));
        }
        Ok(Some(Summary::default()))
    }

    fn finish(&mut self, node: u32) -> Result<(), ImageError> {
        let field = (self.u32(node as usize)? >> 8) & 0x7f;
        let mut summary = Summary {
            steps: 0,
            needs: 1 << field,
        };
        for child in self.children(node)? {
            if let Some(child) = self.summary(child, node as usize)? {
                summary.steps = summary.steps.max(child.steps);
                summary.needs |= child.needs;
            }
        }
        summary.steps += 1;
        if summary.steps > MAX_STEPS {
            return Err(invalid("walk that is too long", node as usize));
        }
        self.nodes.insert(node, summary);
        Ok(())
    }

    /// Checks a node's own parts; its children.
    fn node(&mut self, offset: u32) -> Result<Vec<u32>, ImageError> {
        let at = self.place(offset, 16, 16, "node")?;
        let head = self.u32(at)?;
        let classifier = self.u32(at + 4)?;
        let field = u8::try_from(head >> 8 & 0xff)
            .ok()
            .and_then(FieldId::from_number);
        let Some(field) = field.filter(|_| head >> 16 == 0) else {
            return Err(invalid("field of a node", at));
        };
        let kind = head.to_le_bytes()[0];
        if kind == NODE_BITS {
            self.place(offset, 48, 16, "test of bits")?;
            if classifier != 0 || value_kind(field) != CLASSIFIER_U64 {
                return Err(invalid("test of bits", at));
            }
            return self.children(offset);
        }
        if kind != NODE_DENSE && kind != NODE_HASHED || field == FieldId::Sticky {
            return Err(invalid("kind of a node", at));
        }
        let cached = matches!(
            field,
            FieldId::Exe | FieldId::ParentExe | FieldId::TargetExe
        );
        let classes = if classifier == 0 {
            let exe = self.u32(H_EXE_CLASSIFIER)?;
            if !cached || exe == 0 {
                return Err(invalid("node without a classifier", at));
            }
            self.classifier(exe)?.classes
        } else {
            let checked = self.classifier(classifier)?;
            if cached || checked.kind != value_kind(field) {
                return Err(invalid("classifier of a node", at));
            }
            checked.classes
        };
        if kind == NODE_DENSE {
            let entries = self.u32(at + 8)?;
            if entries < classes {
                return Err(invalid("number of a node's entries", at));
            }
            let size = (entries as usize).saturating_mul(4).saturating_add(16);
            self.place(offset, size, 16, "node")?;
        }
        self.children(offset)
    }

    /// The refs of a node whose parts have been checked.
    fn children(&self, offset: u32) -> Result<Vec<u32>, ImageError> {
        let at = offset as usize;
        let argument = self.u32(at + 8)?;
        let kind = self.u32(at)?.to_le_bytes()[0];
        match kind {
            NODE_BITS => (0..4).map(|entry| self.u32(at + 32 + entry * 4)).collect(),
            NODE_DENSE => (0..argument as usize)
                .map(|entry| self.u32(at + 16 + entry * 4))
                .collect(),
            _ => {
                let mut children = Vec::from([argument]);
                for edge in self.edges_of(offset) {
                    if edge.key & KEY_CLASS != 0 {
                        children.push(edge.to);
                    }
                }
                Ok(children)
            }
        }
    }

    fn classifier(&mut self, offset: u32) -> Result<Classifier, ImageError> {
        if let Some(classifier) = self.classifiers.get(&offset) {
            return Ok(*classifier);
        }
        let at = self.place(offset, 16, 16, "classifier")?;
        let kind = self.u32(at)?;
        let (a, b) = (self.u32(at + 4)?, self.u32(at + 8)?);
        let classes = match kind {
            CLASSIFIER_U64 | CLASSIFIER_U128 => {
                self.boundaries(a, b, kind == CLASSIFIER_U128)?;
                CLASS_FIRST + a + 1
            }
            CLASSIFIER_NAME => {
                let mut largest = 0;
                for class in self.automaton(a)? {
                    if !(CLASS_FIRST..KEY_CLASS).contains(&class) {
                        return Err(invalid("class of a name", a as usize));
                    }
                    largest = largest.max(class);
                }
                largest + 1
            }
            CLASSIFIER_PATH => self.states(a)?,
            _ => return Err(invalid("kind of a classifier", at)),
        };
        let classifier = Classifier { kind, classes };
        self.classifiers.insert(offset, classifier);
        Ok(classifier)
    }

    fn boundaries(&self, count: u32, offset: u32, wide: bool) -> Result<(), ImageError> {
        if count > MAX_BOUNDARIES {
            return Err(invalid("number of boundaries", offset as usize));
        }
        if count == 0 {
            return Ok(());
        }
        let size = if wide { 16 } else { 8 };
        let at = self.place(offset, count as usize * size, 8, "boundaries")?;
        let mut last = None;
        for index in 0..count as usize {
            let value = if wide {
                u128::from(self.u64(at + index * 16)?) << 64
                    | u128::from(self.u64(at + index * 16 + 8)?)
            } else {
                u128::from(self.u64(at + index * 8)?)
            };
            if last.is_some_and(|last| last >= value) {
                return Err(invalid("order of boundaries", at + index * size));
            }
            last = Some(value);
        }
        Ok(())
    }

    /// Checks an automaton; its accepts.
    fn automaton(&mut self, offset: u32) -> Result<Vec<u32>, ImageError> {
        let at = self.place(offset, 32, 16, "byte automaton")?;
        let states = self.u32(at)?;
        let columns = self.u32(at + 4)?;
        let map = self.u32(at + 8)?;
        let transitions = self.u32(at + 12)?;
        let accepts = self.u32(at + 16)?;
        if states == 0
            || states as usize > MAX_AUTOMATON_STATES
            || !(1..=256).contains(&columns)
            || self.u32(at + 20)? >= states
        {
            return Err(invalid("byte automaton", at));
        }
        if self.bodies.insert((states, columns, map, transitions)) {
            let map = self.place(map, 256, 256, "byte map")?;
            let bytes = self.tables.get(map..map + 256).unwrap_or_default();
            if bytes.iter().any(|column| u32::from(*column) >= columns) {
                return Err(invalid("byte map", map));
            }
            let (rows, columns) = (states as usize, columns as usize);
            let table = self.place(transitions, rows * columns * 2, 2, "transitions")?;
            let cells = self
                .tables
                .get(table..table + rows * columns * 2)
                .unwrap_or_default();
            for (index, cell) in cells.chunks_exact(2).enumerate() {
                let next = cell.try_into().map(u16::from_le_bytes).unwrap_or(u16::MAX);
                if u32::from(next) >= states || (index < columns && next != 0) {
                    return Err(invalid("transition", table + index * 2));
                }
            }
        }
        let accepts = self.place(accepts, states as usize * 4, 4, "accepts")?;
        (0..states as usize)
            .map(|state| self.u32(accepts + state * 4))
            .collect()
    }

    /// Checks all states that can be reached from `start`; one more than the
    /// largest class.
    fn states(&mut self, start: u32) -> Result<u32, ImageError> {
        let mut seen: HashSet<u32> = HashSet::from([start]);
        let mut automata: HashSet<u32> = HashSet::new();
        let mut pending = Vec::from([start]);
        let mut largest = CLASS_FIRST;
        while let Some(offset) = pending.pop() {
            let at = self.place(offset, STATE_SIZE as usize, 16, "path state")?;
            let class = self.u32(at)?;
            if !(CLASS_FIRST..KEY_CLASS).contains(&class) {
                return Err(invalid("class of a path state", at));
            }
            largest = largest.max(class);
            let automaton = self.u32(at + 8)?;
            let mut next = Vec::from([self.u32(at + 4)?]);
            if automaton != 0 && automata.insert(automaton) {
                next.extend(self.automaton(automaton)?);
            }
            for edge in self.edges_of(offset) {
                self.record(edge)?;
                next.push(edge.to);
            }
            for state in next {
                if seen.insert(state) {
                    pending.push(state);
                }
            }
        }
        Ok(largest + 1)
    }

    /// Checks the key record of an edge of a state.
    fn record(&self, edge: Edge) -> Result<(), ImageError> {
        let at = edge.key as usize;
        let length = self
            .tables
            .get(at..at.saturating_add(2))
            .and_then(|bytes| bytes.try_into().ok())
            .map(u16::from_le_bytes);
        let Some(length) = length.filter(|length| usize::from(*length) <= NAME_MAX_BYTES) else {
            return Err(invalid("key of an edge", edge.at));
        };
        let size = 2 + usize::from(length).next_multiple_of(8);
        if at < HEADER || at % 8 != 6 || at % PAGE_SIZE + size > PAGE_SIZE {
            return Err(invalid("key of an edge", edge.at));
        }
        Ok(())
    }
}

/// The classifier that suits a field's values.
fn value_kind(field: FieldId) -> u32 {
    match catalogue::field(field).ty {
        FieldType::Path => CLASSIFIER_PATH,
        FieldType::Name => CLASSIFIER_NAME,
        FieldType::Address => CLASSIFIER_U128,
        FieldType::Int { .. }
        | FieldType::Enum { .. }
        | FieldType::Flags
        | FieldType::Mode
        | FieldType::Bool => CLASSIFIER_U64,
    }
}
