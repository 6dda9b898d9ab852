//! What lowering is told beside the policy: limits, and what the report quotes.

/// Options of lowering.
#[derive(Debug, Clone, Default)]
pub struct LowerOptions<'s> {
    /// The policy's files, root first, for the report.
    pub sources: Vec<SourceText<'s>>,
    /// How large tables may grow.
    pub limits: Limits,
}

/// One source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceText<'s> {
    /// Its path relative to the root file's directory.
    pub name: &'s str,
    /// Its text.
    pub text: &'s str,
}

/// How large tables may grow. Beyond a limit lowering names the rule or glob
/// that costs most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Path states of one classifier.
    pub states: usize,
    /// Literal edges of one classifier.
    pub edges: usize,
    /// States of the byte automaton of one path state.
    pub automaton_states: usize,
    /// States of the byte automaton of a name.
    pub name_states: usize,
    /// Entries of all nodes of one hook.
    pub entries: usize,
    /// Steps that building one classifier or diagram may take.
    pub work: usize,
    /// Bytes of an image.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            states: 4 << 20,
            edges: 4 << 20,
            automaton_states: 32_768,
            name_states: 65_535,
            entries: 2 << 20,
            work: 50_000_000,
            bytes: 128 << 20,
        }
    }
}
