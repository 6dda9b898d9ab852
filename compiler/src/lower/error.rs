//! Why a policy cannot become tables.

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

use crate::ir::RuleId;

/// Why a policy cannot become tables, and what to look at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LowerError {
    /// The conditions of a hook combine in too many ways.
    #[error("the conditions on {} combine in too many ways", hook.map_or("what sticks to tasks", HookId::name))]
    TooComplex {
        /// The hook; none: what sticks to tasks.
        hook: Option<HookId>,
        /// The rule that adds most to it.
        rule: Option<RuleId>,
    },
    /// The globs on a field need too large an automaton.
    #[error("the globs on {} need too many states; `{glob}` costs most", field.name())]
    GlobTooCostly {
        /// The field.
        field: FieldId,
        /// The glob that costs most, in the language's notation.
        glob: String,
        /// The first rule that uses it.
        rule: Option<RuleId>,
    },
    /// Too many distinct values of a field are told apart.
    #[error("too many values of {} are told apart", field.name())]
    TooManyValues {
        /// The field.
        field: FieldId,
        /// The first rule that looks at it.
        rule: Option<RuleId>,
    },
    /// The image would be larger than an image may be.
    #[error("the tables take {bytes} bytes, more than {limit}")]
    TooLarge {
        /// What it would take.
        bytes: u64,
        /// The limit.
        limit: u64,
        /// The rule that adds most to it, where one does.
        rule: Option<RuleId>,
    },
    /// A condition nests deeper than lowering follows.
    #[error("a condition nests too deep")]
    Nesting,
    /// A fault of the compiler's own.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

impl LowerError {
    /// The rule to show, where one is known.
    #[must_use]
    pub fn rule(&self) -> Option<RuleId> {
        match self {
            Self::TooComplex { rule, .. }
            | Self::GlobTooCostly { rule, .. }
            | Self::TooManyValues { rule, .. }
            | Self::TooLarge { rule, .. } => *rule,
            Self::Nesting | Self::Internal(_) => None,
        }
    }

    /// The same, naming `named` where no rule is named yet.
    pub(crate) fn at(mut self, named: Option<RuleId>) -> Self {
        match &mut self {
            Self::TooComplex { rule, .. }
            | Self::GlobTooCostly { rule, .. }
            | Self::TooManyValues { rule, .. }
            | Self::TooLarge { rule, .. } => *rule = rule.or(named),
            Self::Nesting | Self::Internal(_) => {}
        }
        self
    }
}
