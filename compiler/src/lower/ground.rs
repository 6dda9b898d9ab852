//! What a policy's tables and its analyses stand on: its tests, and the classifiers
//! made of them.
//!
//! Owns making both once, for tables; analyses start from there and add what they ask
//! besides. They may begin while the classifiers are being made. It must not know what is asked of either.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock};

use lsmpc_abi::field::FieldId;

use super::classify::{ClassifierId, Classifiers, Failure};
use super::error::LowerError;
use super::formula::Formulas;
use super::options::{Limits, LowerOptions};
use super::residual::{Decision, HookModel, Residual};
use super::subject::Subject;
use super::variable::{Order, TestForm, TestId, Translator, Variables, is_cached};
use super::{TableImage, Tables};
use crate::ir::{Ir, RuleId};

/// A policy with its conditions translated, ready for its tables.
#[derive(Debug)]
pub struct Groundwork<'ir> {
    ir: &'ir Ir,
    limits: Limits,
    variables: Arc<Variables>,
    translated: Result<Translated<'ir>, LowerError>,
    ground: Ground,
    /// For the ground.
    classified: Sender<Arc<Classifiers>>,
}

/// What analyses of a policy start from; by default nothing.
#[derive(Debug, Clone, Default)]
pub struct Ground(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    variables: Arc<Variables>,
    classifiers: OnceLock<Arc<Classifiers>>,
    coming: Mutex<Option<Receiver<Arc<Classifiers>>>>,
}

impl Ground {
    /// The policy's tests.
    pub(crate) fn variables(&self) -> &Variables {
        &self.0.variables
    }

    /// The classifiers that tables need, as soon as they are there.
    pub(crate) fn classifiers(&self) -> &Classifiers {
        self.0.classifiers.get_or_init(|| {
            let coming = self
                .0
                .coming
                .lock()
                .ok()
                .and_then(|mut coming| coming.take());
            // None come where a policy cannot be lowered.
            coming
                .and_then(|coming| coming.recv().ok())
                .unwrap_or_default()
        })
    }
}

/// The hooks, and the subject, with their conditions translated.
#[derive(Debug)]
struct Translated<'ir> {
    hooks: Vec<Prepared<HookModel<'ir>>>,
    subject: Option<Prepared<Subject>>,
}

/// What is left to do for the tables.
#[derive(Debug)]
pub(super) struct Plans<'ir> {
    /// The classifier of programs, if any is looked at.
    pub(super) exe: Option<ClassifierId>,
    /// By hook, in the policy's order.
    pub(super) hooks: Vec<Plan<HookModel<'ir>>>,
    pub(super) subject: Option<Plan<Subject>>,
}

/// A hook, or the subject, ready for its diagram.
#[derive(Debug)]
pub(super) struct Plan<D> {
    pub(super) prepared: Prepared<D>,
    /// The classifiers of its fields.
    pub(super) fields: BTreeMap<FieldId, ClassifierId>,
}

/// A hook, or the subject, with its conditions translated.
#[derive(Debug)]
pub(super) struct Prepared<D> {
    pub(super) model: D,
    pub(super) formulas: Formulas,
    pub(super) residual: Residual,
}

/// The tests of each field that need a classifier.
type FieldTests = BTreeMap<FieldId, BTreeSet<TestId>>;

pub(super) fn prepare<D>(
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

impl<'ir> Groundwork<'ir> {
    /// Translates what a policy tests. What is wrong with that is said by
    /// [`Groundwork::lower`].
    #[must_use]
    pub fn new(ir: &'ir Ir, limits: &Limits) -> Self {
        let mut variables = Variables::default();
        let translated = translate(ir, &mut variables);
        let variables = Arc::new(variables);
        let (classified, coming) = mpsc::channel();
        let ground = Ground(Arc::new(Shared {
            variables: Arc::clone(&variables),
            classifiers: OnceLock::new(),
            coming: Mutex::new(Some(coming)),
        }));
        Self {
            ir,
            limits: *limits,
            variables,
            translated,
            ground,
            classified,
        }
    }

    /// What analyses of the same policy may start from. They wait for
    /// [`Groundwork::lower`]: it has to be called before them, or meanwhile.
    #[must_use]
    pub fn ground(&self) -> Ground {
        self.ground.clone()
    }

    /// Lowers the policy. The same policy gives the same bytes. The limits are those
    /// that this was made with, but for the image's size.
    ///
    /// # Errors
    ///
    /// [`LowerError`], where the tables would be larger than allowed, or look at a
    /// field that they cannot.
    pub fn lower(self, options: &LowerOptions<'_>) -> Result<TableImage, LowerError> {
        let mut classifiers = Classifiers::default();
        let plans = plans(
            self.translated?,
            &self.variables,
            &mut classifiers,
            &self.limits,
        );
        let classifiers = Arc::new(classifiers);
        // Nobody need be waiting for them.
        drop(self.classified.send(Arc::clone(&classifiers)));
        drop(self.ground);
        let tables = Tables::new(self.ir, &self.limits, plans?, self.variables, classifiers)?;
        crate::emit::emit(self.ir, &tables, options)
    }
}

fn translate<'ir>(ir: &'ir Ir, variables: &mut Variables) -> Result<Translated<'ir>, LowerError> {
    let [first, ..] = Order::all();
    let mut hooks = Vec::new();
    for hook in &ir.hooks {
        hooks.push(prepare(ir, variables, &first, |translator| {
            HookModel::new(hook, translator)
        })?);
    }
    let subject = if ir.sticky.is_empty() {
        None
    } else {
        Some(prepare(ir, variables, &first, Subject::new)?)
    };
    Ok(Translated { hooks, subject })
}

fn plans<'ir>(
    translated: Translated<'ir>,
    variables: &Variables,
    classifiers: &mut Classifiers,
    limits: &Limits,
) -> Result<Plans<'ir>, LowerError> {
    let Translated { hooks, subject } = translated;
    let of_hooks: Vec<FieldTests> = hooks.iter().map(|hook| hook.tests(variables)).collect();
    let of_subject = subject.as_ref().map(|subject| subject.tests(variables));

    let cached: BTreeSet<TestId> = of_hooks
        .iter()
        .chain(&of_subject)
        .flatten()
        .filter(|(field, _)| is_cached(**field))
        .flat_map(|(_, tests)| tests.iter().copied())
        .collect();
    let mut classify = |field: FieldId, tests: &BTreeSet<TestId>| {
        let tests = tests.iter().copied().collect();
        let found = classifiers.intern(field, tests, variables, limits);
        found.map_err(|failure: Failure| {
            let rule = hooks
                .iter()
                .find_map(|hook| hook.rule_with(variables, failure.test));
            failure.error.at(rule)
        })
    };
    let exe = if cached.is_empty() {
        None
    } else {
        Some(classify(FieldId::Exe, &cached)?)
    };
    let mut by_field = |tests: FieldTests| {
        let mut fields = BTreeMap::new();
        for (field, tests) in &tests {
            let id = match exe {
                Some(exe) if is_cached(*field) => exe,
                _ => classify(*field, tests)?,
            };
            fields.insert(*field, id);
        }
        Ok::<_, LowerError>(fields)
    };
    let of_hooks = of_hooks
        .into_iter()
        .map(&mut by_field)
        .collect::<Result<Vec<_>, _>>()?;
    let of_subject = of_subject.map(by_field).transpose()?;
    let plan = |(prepared, fields)| Plan { prepared, fields };
    Ok(Plans {
        exe,
        hooks: hooks.into_iter().zip(of_hooks).map(plan).collect(),
        subject: subject
            .zip(of_subject)
            .map(|(prepared, fields)| Plan { prepared, fields }),
    })
}
