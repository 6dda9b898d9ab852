//! Filling in [`Stats`].

use lsmpc_abi::field::FieldId;

use super::automata::Written;
use crate::ir::Ir;
use crate::lower::{FieldStats, HookStats, Stats, Tables};

/// Sizes that only the emitter knows.
pub(super) struct Sizes {
    pub(super) edges: usize,
    pub(super) outcomes: usize,
    pub(super) nodes: usize,
    pub(super) table_bytes: usize,
    pub(super) report_bytes: usize,
    pub(super) bytes: usize,
}

/// The statistics of an image.
pub(super) fn collect(ir: &Ir, tables: &Tables, written: &Written, sizes: &Sizes) -> Stats {
    Stats {
        rules: ir.rules.len(),
        scopes: ir.scopes.len(),
        sticky: ir.sticky.len(),
        hooks: tables
            .hooks
            .iter()
            .map(|hook| HookStats {
                hook: hook.hook.name(),
                nodes: hook.survey.nodes.len(),
                worst_steps: hook.survey.worst_steps,
                outcomes: hook.survey.outcomes,
                fields: FieldId::ALL
                    .iter()
                    .chain([&FieldId::Sticky])
                    .filter(|field| hook.survey.needs >> (**field as u8) & 1 == 1)
                    .map(|field| FieldStats {
                        field: field.name(),
                        classes: hook
                            .fields
                            .get(field)
                            .and_then(|id| tables.classifiers.get(*id))
                            .map_or(0, |classifier| classifier.classes()),
                    })
                    .collect(),
            })
            .collect(),
        nodes: sizes.nodes,
        outcomes: sizes.outcomes,
        states: written.states,
        edges: sizes.edges,
        automata: written.automata,
        automaton_states: written.automaton_states,
        table_bytes: sizes.table_bytes,
        report_bytes: sizes.report_bytes,
        bytes: sizes.bytes,
        bytes_per_rule: sizes.table_bytes / ir.rules.len().max(1),
        costliest_globs: tables.classifiers.costliest_globs(),
    }
}
