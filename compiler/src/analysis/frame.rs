//! Questions about a hook's statements, decided over classes of field values.
//!
//! Owns how a question becomes a diagram for each world of its hook, over the
//! values that events can have, within a budget. What is asked is a [`Model`]. It
//! must not know what answers mean.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;
use rustc_hash::FxHashMap;

use super::value::{self, Domain, Values};
use super::world::{World, worlds};
use crate::ir::Ir;
use crate::lower::classify::{ClassifierId, Classifiers};
use crate::lower::diagram::{Builder, Model, Progress};
use crate::lower::formula::{ExprId, FALSE, Formulas};
use crate::lower::node::{Leads, Node, Nodes, Ref};
use crate::lower::outcome::OutcomeId;
use crate::lower::residual::Residual;
use crate::lower::space::{Possible, Space};
use crate::lower::variable::{Order, TestForm, TestId, Translator, Variables};
use crate::lower::{Ground, Limits, LowerError};

/// How far one question may go. Beyond it the answer is "not decided".
const LIMITS: Limits = Limits {
    states: 1 << 20,
    edges: 1 << 20,
    automaton_states: 32_768,
    name_states: 65_535,
    entries: 1 << 20,
    work: 8_000_000,
    bytes: u64::MAX,
};

/// Why a question is not decided, in words: what was too much.
pub(crate) type Undecided = String;

/// Classifiers and values that questions share.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    pub(crate) variables: Variables,
    pub(crate) classifiers: Classifiers,
    values: FxHashMap<(ClassifierId, Domain), Rc<Values>>,
    /// Where the first classifiers come from.
    ground: Option<Ground>,
}

/// A question's diagrams.
#[derive(Debug)]
pub(crate) struct Decided<M> {
    pub(crate) hook: HookId,
    pub(crate) model: M,
    pub(crate) nodes: Nodes,
    pub(crate) parts: Vec<Part>,
    /// Every field that is asked about.
    pub(crate) fields: BTreeSet<FieldId>,
    /// Whether fields may be unknown.
    pub(crate) unknown: bool,
}

/// The diagram of one world.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) world: World,
    pub(crate) root: Ref,
    pub(crate) values: BTreeMap<FieldId, Rc<Values>>,
}

fn undecided(error: &LowerError) -> Undecided {
    match error {
        LowerError::TooComplex {
            hook: Some(hook), ..
        } => {
            format!(
                "the conditions on `{}` combine in too many ways",
                hook.name()
            )
        }
        error => error.to_string(),
    }
}

impl Frame {
    /// With what is there already.
    pub(crate) fn on(ground: &Ground) -> Self {
        Self {
            variables: ground.variables().clone(),
            ground: Some(ground.clone()),
            ..Self::default()
        }
    }

    /// Puts the classifiers that are there already in their place, before any others.
    fn settle(&mut self) {
        if let Some(ground) = self.ground.take() {
            self.classifiers = ground.classifiers().clone();
        }
    }

    /// Builds the diagrams of a question. `make` translates it, once for each
    /// order of fields that is tried.
    pub(crate) fn decide<M: Model>(
        &mut self,
        hook: HookId,
        unknown: bool,
        mut make: impl FnMut(&mut Variables, &mut Formulas, &Order) -> Result<(M, Residual), LowerError>,
    ) -> Result<Decided<M>, Undecided> {
        let [subjects, objects, dear] = Order::all();
        let mut failure = None;
        // Object first keeps rules about different subjects and objects apart.
        for order in [objects, subjects, dear] {
            let mut formulas = Formulas::default();
            let (model, residual) = make(&mut self.variables, &mut formulas, &order)
                .map_err(|error| undecided(&error))?;
            match self.build(hook, unknown, model, formulas, &residual, &order) {
                Ok(decided) => return Ok(decided),
                Err(LowerError::TooComplex { hook, rule }) => {
                    failure.get_or_insert(LowerError::TooComplex { hook, rule });
                }
                Err(error) => return Err(undecided(&error)),
            }
        }
        Err(failure.map_or_else(String::new, |error| undecided(&error)))
    }

    fn build<M: Model>(
        &mut self,
        hook: HookId,
        unknown: bool,
        mut model: M,
        mut formulas: Formulas,
        residual: &[(u32, ExprId)],
        order: &Order,
    ) -> Result<Decided<M>, LowerError> {
        let mut tests: BTreeMap<FieldId, BTreeSet<TestId>> = BTreeMap::new();
        let mut vars = Vec::new();
        for (_, expr) in residual {
            formulas.vars(*expr, u128::MAX, &mut vars);
        }
        vars.sort_unstable();
        vars.dedup();
        let mut fields = BTreeSet::new();
        for (field, test) in vars.iter().filter_map(|var| self.variables.get(*var)) {
            fields.insert(field);
            if !self.variables.form(test).is_some_and(TestForm::is_bits) {
                tests.entry(field).or_default().insert(test);
            }
        }
        self.settle();
        let mut by_field = BTreeMap::new();
        for (field, tests) in tests {
            let tests = tests.into_iter().collect();
            let id = self
                .classifiers
                .intern(field, tests, &self.variables, &LIMITS)
                .map_err(|failure| failure.error)?;
            by_field.insert(field, id);
        }

        let mut nodes = Nodes::default();
        let mut parts = Vec::new();
        for world in worlds(hook, &fields) {
            let mut space = Space::default();
            space.unknown = unknown;
            let mut values = BTreeMap::new();
            for field in &fields {
                let none = world.may_be_none(hook, *field);
                let mut classes = Vec::new();
                if let Some(id) = by_field.get(field).copied() {
                    let of_field = self.values(hook, *field, &world, id)?;
                    classes = of_field.iter().map(Option::is_some).collect();
                    values.insert(*field, of_field);
                }
                space.limit(*field, Possible::new(none, classes));
            }
            let absent = fields
                .iter()
                .filter(|field| world.is_none(**field))
                .fold(0, |ranks, field| ranks | 1_u128 << order.rank(*field));
            let mut start = residual.to_vec();
            for (_, expr) in &mut start {
                *expr = formulas.restrict(*expr, absent, &|_| Some(FALSE));
            }
            start.retain(|(_, expr)| *expr != FALSE);
            let mut builder = Builder {
                model: &mut model,
                space: &space,
                formulas: &mut formulas,
                variables: &self.variables,
                order,
                classifiers: &self.classifiers,
                by_field: &by_field,
                nodes: &mut nodes,
                limits: &LIMITS,
                progress: Progress::default(),
            };
            let root = builder.build(start)?;
            parts.push(Part {
                world,
                root,
                values,
            });
        }
        Ok(Decided {
            hook,
            model,
            nodes,
            parts,
            fields,
            unknown,
        })
    }

    /// The classifier of tests of a field.
    pub(crate) fn classifier(
        &mut self,
        field: FieldId,
        tests: Vec<TestId>,
    ) -> Result<ClassifierId, Undecided> {
        self.settle();
        self.classifiers
            .intern(field, tests, &self.variables, &LIMITS)
            .map_err(|failure| undecided(&failure.error))
    }

    /// A value of each class that has one.
    pub(crate) fn values(
        &mut self,
        hook: HookId,
        field: FieldId,
        world: &World,
        id: ClassifierId,
    ) -> Result<Rc<Values>, LowerError> {
        let key = (id, value::domain(hook, field, world));
        if let Some(values) = self.values.get(&key) {
            return Ok(Rc::clone(values));
        }
        let classifier = self
            .classifiers
            .get(id)
            .ok_or(LowerError::Internal("a classifier that does not exist"))?;
        let values = value::values(classifier, &self.classifiers.pool, &key.1)
            .map_err(|_| LowerError::TooManyValues { field, rule: None })?;
        let values = Rc::new(values);
        self.values.insert(key, Rc::clone(&values));
        Ok(values)
    }
}

/// A translator for questions.
pub(crate) fn translator<'a>(
    ir: &'a Ir,
    variables: &'a mut Variables,
    formulas: &'a mut Formulas,
    order: &'a Order,
) -> Translator<'a> {
    Translator {
        ir,
        variables,
        formulas,
        order,
        exact: true,
    }
}

impl<M> Decided<M> {
    /// The terminals that events lead to, in any part, in order.
    pub(crate) fn terminals(&self) -> Vec<OutcomeId> {
        let mut found = Vec::new();
        let mut add = |reference: Ref| {
            if let Leads::Outcome(outcome) = reference.leads() {
                found.push(outcome);
            }
        };
        for part in &self.parts {
            add(part.root);
            for node in self.nodes.survey(part.root).nodes {
                let children = self.nodes.list().get(node as usize);
                children
                    .into_iter()
                    .flat_map(Node::children)
                    .for_each(&mut add);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}
