//! How large an image is, and why.

use serde::Serialize;

/// Of a whole image.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Rules and defaults.
    pub rules: usize,
    /// Scopes.
    pub scopes: usize,
    /// Bits that stick to tasks: inherited scopes and tests of `ancestor.exe`.
    pub sticky: usize,
    /// By hook.
    pub hooks: Vec<HookStats>,
    /// Nodes of all hooks.
    pub nodes: usize,
    /// Distinct outcomes of all hooks.
    pub outcomes: usize,
    /// Path states of all classifiers.
    pub states: usize,
    /// Entries of the edge table.
    pub edges: usize,
    /// Byte automata.
    pub automata: usize,
    /// States of all byte automata.
    pub automaton_states: usize,
    /// Bytes of the tables.
    pub table_bytes: usize,
    /// Bytes of the report.
    pub report_bytes: usize,
    /// Bytes of the image: whole pages.
    pub bytes: usize,
    /// Bytes of the tables for each rule.
    pub bytes_per_rule: usize,
    /// The globs that take part in most path states, the costliest first.
    pub costliest_globs: Vec<GlobStats>,
}

/// Of one hook.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct HookStats {
    /// The hook.
    pub hook: &'static str,
    /// Nodes of its diagram.
    pub nodes: usize,
    /// Most nodes that one event passes.
    pub worst_steps: u32,
    /// Distinct outcomes.
    pub outcomes: usize,
    /// Fields that are looked at.
    pub fields: Vec<FieldStats>,
}

/// Of one field of a hook.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FieldStats {
    /// The field.
    pub field: &'static str,
    /// Classes that its values fall into, none and unknown included; 0 where
    /// only bits are tested.
    pub classes: u32,
}

/// Of one glob.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GlobStats {
    /// The glob.
    pub glob: String,
    /// Path states that it takes part in.
    pub states: u64,
}
