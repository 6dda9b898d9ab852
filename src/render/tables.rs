//! An image's decision structure, for those who want to see it.

use std::collections::{BTreeMap, BTreeSet};

use lsmpc_abi::CLASS_FIRST;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::{
    BUCKET_SIZE, CLASSIFIER_U64, EDGE_SIZE, H_EDGE_MASK, H_EDGES, KEY_CLASS, NODE_BITS, NODE_DENSE,
    NODE_HASHED, REF_TERMINAL, is_terminal,
};
use lsmpc_engine::image::Image;
use lsmpc_engine::report::Report;

use super::text::{bytes, count, harmless};

/// The structure as text.
pub(crate) fn tables(image: &Image, report: &Report<'_>) -> String {
    let reader = Reader::new(image);
    let mut shown = format!(
        "image: {}, {} of tables, made by lsmpc {}\n",
        bytes(image.bytes().len()),
        bytes(image.tables_end() as usize),
        harmless(&report.compiler),
    );
    for (hook, entry) in image.hooks() {
        let fields: Vec<&str> = FieldId::ALL
            .iter()
            .filter(|field| {
                let number = **field as usize;
                entry.needs.get(number / 64).copied().unwrap_or(0) >> (number % 64) & 1 == 1
            })
            .map(|field| field.name())
            .collect();
        shown.push_str(&format!(
            "\nhook {}: start at {}, at most {}, reads {}\n",
            hook.name(),
            target(entry.root),
            count(entry.worst_steps as usize, "step"),
            if fields.is_empty() {
                "nothing".to_owned()
            } else {
                fields.join(" ")
            },
        ));
        reader.nodes(entry.root, &mut shown);
    }
    shown.push_str("\noutcomes\n");
    for (number, outcome) in report.outcomes.iter().enumerate() {
        let mut words = vec![format!("{:?}", outcome.verdict).to_lowercase()];
        words.extend(outcome.errno.as_deref().map(str::to_owned));
        if outcome.record {
            words.push("record".to_owned());
        }
        if outcome.unknown {
            words.push("in doubt".to_owned());
        }
        let rules: Vec<String> = outcome
            .rules
            .iter()
            .map(|rule| format!("#{rule}"))
            .collect();
        if !rules.is_empty() {
            words.push(format!("by {}", rules.join(" ")));
        }
        shown.push_str(&format!("  {number}: {}\n", words.join(", ")));
    }
    shown.push_str("\nrules\n");
    for (number, rule) in report.rules.iter().enumerate() {
        shown.push_str(&format!(
            "  #{number}: {} {} ({}:{}:{})\n",
            rule.kind,
            harmless(&rule.id),
            harmless(&rule.file),
            rule.line,
            rule.column
        ));
    }
    shown
}

/// A ref in words.
fn target(reference: u32) -> String {
    if is_terminal(reference) {
        format!("outcome {}", reference & !REF_TERMINAL)
    } else {
        format!("node {reference:#x}")
    }
}

/// Reads the tables of a checked image.
struct Reader<'i> {
    image: &'i Image,
    /// Exceptions of hashed nodes, by the node's offset: class and ref.
    exceptions: BTreeMap<u32, Vec<(u32, u32)>>,
}

impl<'i> Reader<'i> {
    fn new(image: &'i Image) -> Self {
        let mut reader = Self {
            image,
            exceptions: BTreeMap::new(),
        };
        let start = reader.word(H_EDGES as u32);
        if start != 0 {
            let buckets = u64::from(reader.word(H_EDGE_MASK as u32)) + 1;
            let end = u64::from(start) + buckets * u64::from(BUCKET_SIZE);
            let mut at = start;
            while u64::from(at) < end {
                let key = reader.word(at + 12);
                if key & KEY_CLASS != 0 {
                    let exception = (key & !KEY_CLASS, reader.word(at + 8));
                    let from = reader.word(at);
                    reader.exceptions.entry(from).or_default().push(exception);
                }
                at += EDGE_SIZE;
            }
            for list in reader.exceptions.values_mut() {
                list.sort_unstable();
            }
        }
        reader
    }

    /// The number at an offset; 0 beyond the end, which a checked image has no
    /// use for.
    fn word(&self, at: u32) -> u32 {
        let at = at as usize;
        self.image
            .bytes()
            .get(at..at.saturating_add(4))
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u32::from_le_bytes)
    }

    fn long(&self, at: u32) -> u64 {
        u64::from(self.word(at)) | u64::from(self.word(at.saturating_add(4))) << 32
    }

    /// Every node that can be reached, each once, in the order of walks.
    fn nodes(&self, root: u32, shown: &mut String) {
        let mut seen = BTreeSet::new();
        let mut pending = vec![root];
        while let Some(reference) = pending.pop() {
            if is_terminal(reference) || !seen.insert(reference) {
                continue;
            }
            let branches = self.node(reference, shown);
            pending.extend(branches.into_iter().rev());
        }
    }

    /// One node; where it leads.
    fn node(&self, at: u32, shown: &mut String) -> Vec<u32> {
        let head = self.word(at);
        let [kind, field, ..] = head.to_le_bytes();
        let name = FieldId::from_number(field).map_or("?", FieldId::name);
        let classifier = self.word(at + 4);
        let (a, _) = (self.word(at + 8), self.word(at + 12));
        let mut branches = Branches::default();
        let mut add = |reference: u32, class: u32| {
            let labels = branches.of(reference);
            match self.range(classifier, class) {
                Some((from, to)) => labels.range(from, to),
                None => labels.words.push(match class {
                    0 => "none".to_owned(),
                    1 => "unknown".to_owned(),
                    _ => class.to_string(),
                }),
            }
        };
        match kind {
            NODE_DENSE => {
                for class in 0..a {
                    let reference = self.word(at + 16 + 4 * class);
                    add(reference, class);
                }
            }
            NODE_HASHED => {
                for (class, reference) in self.exceptions.get(&at).into_iter().flatten() {
                    add(*reference, *class);
                }
                branches.of(a).words.push("all others".to_owned());
            }
            NODE_BITS => {
                let (mask, want) = (self.long(at + 16), self.long(at + 24));
                let test = format!("& {mask:#x} == {want:#x}");
                for (number, label) in ["none", "unknown", "false", "true"].iter().enumerate() {
                    let reference = self.word(at + 32 + 4 * number as u32);
                    branches.of(reference).words.push((*label).to_owned());
                }
                shown.push_str(&format!("  node {at:#x}: {name} {test}\n"));
            }
            _ => {}
        }
        if kind != NODE_BITS {
            shown.push_str(&format!("  node {at:#x}: class of {name}\n"));
        }
        for (reference, labels) in &branches.0 {
            shown.push_str(&format!("    {}: {}\n", labels.text(), target(*reference)));
        }
        branches
            .0
            .into_iter()
            .map(|(reference, _)| reference)
            .collect()
    }

    /// The range of integers that a class stands for.
    fn range(&self, classifier: u32, class: u32) -> Option<(u64, u64)> {
        let index = class.checked_sub(CLASS_FIRST)?;
        if classifier == 0 || self.word(classifier) != CLASSIFIER_U64 {
            return None;
        }
        let (boundaries, start) = (self.word(classifier + 4), self.word(classifier + 8));
        let boundary = |number: u32| self.long(start + 8 * number);
        let from = index.checked_sub(1).map_or(0, boundary);
        let to = (index < boundaries).then(|| boundary(index).saturating_sub(1));
        Some((from, to.unwrap_or(u64::MAX)))
    }
}

/// Where a node leads, and by which classes.
#[derive(Default)]
struct Branches(Vec<(u32, Labels)>);

impl Branches {
    fn of(&mut self, reference: u32) -> &mut Labels {
        let known = self.0.iter().position(|(known, _)| *known == reference);
        let index = known.unwrap_or_else(|| {
            self.0.push((reference, Labels::default()));
            self.0.len() - 1
        });
        &mut self.0[index].1
    }
}

/// Classes in words; of integers the ranges, joined where they touch.
#[derive(Default)]
struct Labels {
    words: Vec<String>,
    ranges: Vec<(u64, u64)>,
}

impl Labels {
    fn range(&mut self, from: u64, to: u64) {
        match self.ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(from) => *last = to,
            _ => self.ranges.push((from, to)),
        }
    }

    fn text(&self) -> String {
        const MOST: usize = 12;
        let ranges = self.ranges.iter().map(|range| match *range {
            (from, to) if from == to => from.to_string(),
            (from, u64::MAX) => format!("{from}.."),
            (from, to) => format!("{from}..{to}"),
        });
        let all: Vec<String> = self.words.iter().cloned().chain(ranges).collect();
        let mut text = all[..all.len().min(MOST)].join(", ");
        if all.len() > MOST {
            text.push_str(&format!(" and {} more", all.len() - MOST));
        }
        text
    }
}
