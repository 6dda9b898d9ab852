//! From the intermediate form to a table image.
//!
//! Owns the way from conditions to decision diagrams: variables and formulas
//! ([`variable`], [`formula`]), classes of field values ([`classify`]), what is
//! left to decide ([`residual`]), what sticks to tasks ([`subject`]), outcomes
//! ([`outcome`]), nodes ([`node`]) and their construction ([`diagram`]). Bytes are
//! [`crate::emit`]'s. It must know nothing of source text.

mod by_test;
pub(crate) mod classify;
pub(crate) mod diagram;
mod error;
pub(crate) mod formula;
mod ground;
pub(crate) mod node;
pub(crate) mod notation;
mod options;
pub(crate) mod outcome;
pub(crate) mod residual;
pub(crate) mod space;
mod stats;
pub(crate) mod subject;
pub(crate) mod variable;

use std::collections::BTreeMap;
use std::sync::Arc;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

pub use error::LowerError;
pub use ground::{Ground, Groundwork};
pub use options::{Limits, LowerOptions, SourceText};
pub use stats::{FieldStats, GlobStats, HookStats, Stats};

pub(crate) use classify::{ClassifierId, Classifiers, Method};
pub(crate) use node::{Leads, Node, Nodes, Ref, Survey};
pub(crate) use outcome::{Outcome, OutcomeId, Outcomes};

use diagram::{Builder, Model, Progress};
use formula::{ExprId, Formulas};
use ground::{Plan, Plans, prepare};
use residual::{Decision, HookModel, Residual};
use space::Space;
use subject::Subject;
use variable::{Order, Translator, Variables};

use crate::ir::{Ir, RuleId};

/// A policy as tables.
#[derive(Debug, Clone)]
pub struct TableImage {
    /// The image, as [`lsmpc_abi::image`] lays it out.
    pub bytes: Vec<u8>,
    /// How large it is, and why.
    pub stats: Stats,
}

/// Lowers a policy. The same policy gives the same bytes.
///
/// # Errors
///
/// [`LowerError`], where the tables would be larger than allowed, or look at a
/// field that they cannot.
pub fn lower(ir: &Ir, options: &LowerOptions<'_>) -> Result<TableImage, LowerError> {
    Groundwork::new(ir, &options.limits).lower(options)
}

/// Everything that an image is made of.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) classifiers: Arc<Classifiers>,
    /// The classifier of programs, if any is looked at.
    pub(crate) exe: Option<ClassifierId>,
    pub(crate) nodes: Nodes,
    pub(crate) outcomes: Outcomes,
    /// In the order of the hooks' numbers.
    pub(crate) hooks: Vec<HookTable>,
    /// Where the subject's diagram starts, if anything sticks to tasks.
    pub(crate) subject: Option<Ref>,
}

/// One hook's diagram.
#[derive(Debug)]
pub(crate) struct HookTable {
    pub(crate) hook: HookId,
    pub(crate) root: Ref,
    pub(crate) survey: Survey,
    /// The classifiers of its fields.
    pub(crate) fields: BTreeMap<FieldId, ClassifierId>,
}

/// All but the last order of fields get this part of the limits.
const EARLY: usize = 8;

/// Asks what happens: of an event its verdict, record, and the rules that took
/// effect, of a subject what sticks to it.
struct Lowering<'a, D> {
    model: &'a D,
    outcomes: &'a mut Outcomes,
}

impl<D: Decision> Model for Lowering<'_, D> {
    fn hook(&self) -> Option<HookId> {
        self.model.hook()
    }

    fn rule(&self, item: u32) -> Option<RuleId> {
        self.model.rule(item)
    }

    fn normalise(&self, formulas: &mut Formulas, residual: Residual) -> Residual {
        self.model.normalise(formulas, residual)
    }

    fn terminal(&mut self, residual: &[(u32, ExprId)]) -> OutcomeId {
        self.model.outcome(residual, self.outcomes)
    }
}

impl Tables {
    /// The tables of a policy, as planned.
    fn new(
        ir: &Ir,
        limits: &Limits,
        plans: Plans<'_>,
        mut variables: Arc<Variables>,
        classifiers: Arc<Classifiers>,
    ) -> Result<Self, LowerError> {
        let mut tables = Self {
            classifiers,
            exe: plans.exe,
            ..Self::default()
        };
        let orders = Order::all();
        if let Some(plan) = plans.subject {
            let again = |translator: &mut Translator<'_>| Subject::new(translator);
            let root = tables.diagram(ir, &mut variables, plan, again, &orders, limits)?;
            tables.subject = Some(root.0);
        }
        for (hook, plan) in ir.hooks.iter().zip(plans.hooks) {
            let again = |translator: &mut Translator<'_>| HookModel::new(hook, translator);
            let (root, fields) =
                tables.diagram(ir, &mut variables, plan, again, &orders, limits)?;
            let survey = tables.nodes.survey(root);
            tables.hooks.push(HookTable {
                hook: hook.hook,
                root,
                survey,
                fields,
            });
        }
        Ok(tables)
    }

    /// The diagram of a hook or of the subject, in the first order of fields that
    /// keeps it small.
    fn diagram<D: Decision>(
        &mut self,
        ir: &Ir,
        variables: &mut Arc<Variables>,
        plan: Plan<D>,
        again: impl Fn(&mut Translator<'_>) -> Result<(D, Residual), LowerError>,
        orders: &[Order],
        limits: &Limits,
    ) -> Result<(Ref, BTreeMap<FieldId, ClassifierId>), LowerError> {
        let fields = plan.fields;
        let mut prepared = Some(plan.prepared);
        let mut failure = None;
        for (attempt, order) in (1..).zip(orders) {
            let mut limits = *limits;
            if attempt < orders.len() {
                // Others are left to try.
                limits.work /= EARLY;
                limits.entries /= EARLY;
            }
            let mut hook = match prepared.take() {
                Some(hook) => hook,
                None => prepare(ir, Arc::make_mut(variables), order, &again)?,
            };
            let mut model = Lowering {
                model: &hook.model,
                outcomes: &mut self.outcomes,
            };
            let mut builder = Builder {
                model: &mut model,
                space: &Space::everything(),
                formulas: &mut hook.formulas,
                variables,
                order,
                classifiers: &self.classifiers,
                by_field: &fields,
                nodes: &mut self.nodes,
                limits: &limits,
                progress: Progress::default(),
            };
            match builder.build(hook.residual) {
                Ok(root) => return Ok((root, fields)),
                Err(error @ LowerError::TooComplex { .. }) => {
                    failure.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(failure.unwrap_or(LowerError::Internal("no order of fields")))
    }
}
