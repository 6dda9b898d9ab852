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
pub(crate) mod node;
pub(crate) mod notation;
mod options;
pub(crate) mod outcome;
pub(crate) mod residual;
pub(crate) mod space;
mod stats;
pub(crate) mod subject;
pub(crate) mod variable;

use std::collections::{BTreeMap, BTreeSet};

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

pub use error::LowerError;
pub use options::{Limits, LowerOptions, SourceText};
pub use stats::{FieldStats, GlobStats, HookStats, Stats};

pub(crate) use classify::{ClassifierId, Classifiers, Method};
pub(crate) use node::{Leads, Node, Nodes, Ref, Survey};
pub(crate) use outcome::{Outcome, OutcomeId, Outcomes};

use classify::Failure;
use diagram::{Builder, Model, Progress};
use formula::{ExprId, Formulas};
use residual::{Decision, HookModel, Residual};
use space::Space;
use subject::Subject;
use variable::{Order, TestForm, TestId, Translator, Variables, is_cached};

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
pub fn lower(ir: &Ir, options: &LowerOptions) -> Result<TableImage, LowerError> {
    let mut tables = Tables::new(ir, &options.limits)?;
    // What conditions test is all in the tables now.
    tables.variables = Variables::default();
    crate::emit::emit(ir, &tables, options)
}

/// Everything that an image is made of.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) classifiers: Classifiers,
    /// The classifier of programs, if any is looked at.
    pub(crate) exe: Option<ClassifierId>,
    pub(crate) nodes: Nodes,
    pub(crate) outcomes: Outcomes,
    /// In the order of the hooks' numbers.
    pub(crate) hooks: Vec<HookTable>,
    /// Where the subject's diagram starts, if anything sticks to tasks.
    pub(crate) subject: Option<Ref>,
    variables: Variables,
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

/// The tests of each field that need a classifier.
type FieldTests = BTreeMap<FieldId, BTreeSet<TestId>>;

/// A hook, or the subject, ready for its diagram.
struct Prepared<D> {
    model: D,
    formulas: Formulas,
    residual: Residual,
}

fn prepare<D>(
    ir: &Ir,
    variables: &mut Variables,
    order: &Order,
    model: impl FnOnce(&mut Translator<'_>) -> Result<(D, Residual), LowerError>,
) -> Result<Prepared<D>, LowerError> {
    let mut formulas = Formulas::default();
    let mut translator = Translator {
        ir,
        variables,
        formulas: &mut formulas,
        order,
        exact: false,
    };
    let (model, residual) = model(&mut translator)?;
    Ok(Prepared {
        model,
        formulas,
        residual,
    })
}

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

impl<D: Decision> Prepared<D> {
    fn tests(&self, variables: &Variables) -> FieldTests {
        let mut vars = Vec::new();
        for (_, expr) in &self.residual {
            self.formulas.vars(*expr, u128::MAX, &mut vars);
        }
        vars.sort_unstable();
        vars.dedup();
        let mut tests = FieldTests::new();
        for (field, test) in vars.iter().filter_map(|var| variables.get(*var)) {
            if !variables.form(test).is_some_and(TestForm::is_bits) {
                tests.entry(field).or_default().insert(test);
            }
        }
        tests
    }

    /// The first rule whose condition contains one of the tests.
    fn rule_with(&self, variables: &Variables, test: Option<TestId>) -> Option<RuleId> {
        self.residual.iter().find_map(|(item, expr)| {
            let mut vars = Vec::new();
            self.formulas.vars(*expr, u128::MAX, &mut vars);
            vars.iter()
                .any(|var| variables.get(*var).map(|(_, test)| test) == test)
                .then(|| self.model.rule(*item))
                .flatten()
        })
    }
}

impl Tables {
    fn new(ir: &Ir, limits: &Limits) -> Result<Self, LowerError> {
        let orders = Order::all();
        let first = orders
            .first()
            .ok_or(LowerError::Internal("no order of fields"))?;
        let mut tables = Self::default();
        let mut prepared = Vec::new();
        for hook in &ir.hooks {
            prepared.push(prepare(ir, &mut tables.variables, first, |translator| {
                HookModel::new(hook, translator)
            })?);
        }
        let subject = if ir.sticky.is_empty() {
            None
        } else {
            Some(prepare(ir, &mut tables.variables, first, Subject::new)?)
        };
        let tests: Vec<FieldTests> = prepared
            .iter()
            .map(|hook| hook.tests(&tables.variables))
            .chain(
                subject
                    .iter()
                    .map(|subject| subject.tests(&tables.variables)),
            )
            .collect();

        let cached: BTreeSet<TestId> = tests
            .iter()
            .flatten()
            .filter(|(field, _)| is_cached(**field))
            .flat_map(|(_, tests)| tests.iter().copied())
            .collect();
        let blame = |failure: Failure, variables: &Variables| {
            let rule = prepared
                .iter()
                .find_map(|hook| hook.rule_with(variables, failure.test));
            failure.error.at(rule)
        };
        if !cached.is_empty() {
            let tests = cached.into_iter().collect();
            let exe = tables
                .classifiers
                .intern(FieldId::Exe, tests, &tables.variables, limits)
                .map_err(|failure| blame(failure, &tables.variables))?;
            tables.exe = Some(exe);
        }
        let mut by_field = Vec::new();
        for tests in &tests {
            let mut fields = BTreeMap::new();
            for (field, tests) in tests {
                let id = match tables.exe {
                    Some(exe) if is_cached(*field) => exe,
                    _ => {
                        let tests = tests.iter().copied().collect();
                        tables
                            .classifiers
                            .intern(*field, tests, &tables.variables, limits)
                            .map_err(|failure| blame(failure, &tables.variables))?
                    }
                };
                fields.insert(*field, id);
            }
            by_field.push(fields);
        }
        if let (Some(prepared), Some(fields)) = (subject, by_field.get(ir.hooks.len())) {
            let again = |translator: &mut Translator<'_>| Subject::new(translator);
            let root = tables.diagram(ir, prepared, again, fields, &orders, limits)?;
            tables.subject = Some(root);
        }
        for ((hook, prepared), fields) in ir.hooks.iter().zip(prepared).zip(by_field) {
            let again = |translator: &mut Translator<'_>| HookModel::new(hook, translator);
            let root = tables.diagram(ir, prepared, again, &fields, &orders, limits)?;
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
        prepared: Prepared<D>,
        again: impl Fn(&mut Translator<'_>) -> Result<(D, Residual), LowerError>,
        by_field: &BTreeMap<FieldId, ClassifierId>,
        orders: &[Order],
        limits: &Limits,
    ) -> Result<Ref, LowerError> {
        let mut prepared = Some(prepared);
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
                None => prepare(ir, &mut self.variables, order, &again)?,
            };
            let mut model = Lowering {
                model: &hook.model,
                outcomes: &mut self.outcomes,
            };
            let mut builder = Builder {
                model: &mut model,
                space: &Space::everything(),
                formulas: &mut hook.formulas,
                variables: &self.variables,
                order,
                classifiers: &self.classifiers,
                by_field,
                nodes: &mut self.nodes,
                limits: &limits,
                progress: Progress::default(),
            };
            match builder.build(hook.residual) {
                Ok(root) => return Ok(root),
                Err(error @ LowerError::TooComplex { .. }) => {
                    failure.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(failure.unwrap_or(LowerError::Internal("no order of fields")))
    }
}
