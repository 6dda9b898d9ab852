//! Whether an expectation depends on fields that a test leaves open.
//!
//! Owns the search: every way in which the open fields can answer the tests that
//! the policy asks of them, as a reduced decision diagram with two ends: the
//! expectation is met, or it is not. A field matters if, and only if, the diagram
//! asks it.

use std::collections::{BTreeMap, HashMap, HashSet};

use lsmpc_abi::field::FieldId;
use lsmpc_abi::hook::HookId;

use super::formula::{Formula, TestId, Tests};
use super::values::{self, Class};
use crate::event::{Answer, Event, FieldValue};
use crate::hir::{FieldTest, Hir, Module};
use crate::reference::{self, Oracle, Truth};

/// Tests looked at before the search gives up.
const MAX_WORK: usize = 50_000_000;

/// How an expectation fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// The same whatever the open fields are.
    Settled {
        /// Whether it is met.
        met: bool,
        /// The event, where the open fields that were asked have some value.
        event: Event,
        /// What comes out then.
        answer: Answer,
    },
    /// These fields matter.
    Depends(Vec<Swing>),
    /// There are too many ways to try; these fields are asked.
    TooMany(Vec<FieldId>),
}

/// A field that matters: two events that differ in nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Swing {
    pub(super) field: FieldId,
    /// The expectation is met.
    pub(super) met: Outcome,
    /// It is not.
    pub(super) missed: Outcome,
}

/// A value of an open field, and what comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) value: FieldValue,
    pub(super) answer: Answer,
}

/// Whether a policy meets an expectation, whatever the fields are that the event
/// leaves open.
pub(super) fn fate(policy: &Hir, event: &Event, met: &dyn Fn(&Answer) -> bool) -> Fate {
    let mut tests = Tests::default();
    let items = items(policy, event, &mut tests);
    let mut by_field: BTreeMap<FieldId, Vec<TestId>> = BTreeMap::new();
    for (number, (field, _)) in tests.list().iter().enumerate() {
        by_field.entry(*field).or_default().push(TestId(number));
    }
    let mut fields = Vec::new();
    for (field, ids) in &by_field {
        let asked: Vec<&FieldTest> = ids
            .iter()
            .filter_map(|id| tests.list().get(id.0).map(|(_, test)| *test))
            .collect();
        match values::classes(event.hook, *field, &asked) {
            Some(classes) => fields.push(Field {
                id: *field,
                tests: ids.clone(),
                classes,
            }),
            None => return Fate::TooMany(by_field.into_keys().collect()),
        }
    }
    // Few classes first: the diagram stays small at its top.
    fields.sort_by_key(|field| field.classes.len());
    let mut search = Search {
        policy,
        event,
        met,
        tests: &tests,
        fields: &fields,
        chosen: vec![None; fields.len()],
        nodes: Vec::new(),
        ids: HashMap::new(),
        known: HashMap::new(),
        work: 0,
    };
    match search.explore(0, items) {
        Err(TooMany) => Fate::TooMany(fields.iter().map(|field| field.id).collect()),
        Ok(root) => search.conclude(root),
    }
}

/// The formulas that the answer depends on.
fn items<'h>(policy: &'h Hir, event: &Event, tests: &mut Tests<'h>) -> Items {
    let exempt = Formula::or(
        policy
            .exempts
            .iter()
            .map(|exempt| tests.formula(exempt, event)),
    );
    let mut modules = Vec::new();
    for module in &policy.modules {
        let mut rules = Vec::new();
        for rule in module.rules.iter().filter(|rule| rule.is_about(event.hook)) {
            let when = rule.when.as_ref().map(|when| tests.formula(when, event));
            let unless = rule.unless.as_ref();
            let unless = unless.map(|unless| tests.formula(unless, event).not());
            rules.push(Formula::and(when.into_iter().chain(unless)));
        }
        if rules.is_empty() && module.default_for(event.hook).is_none() {
            continue;
        }
        modules.push((holds(module, event, tests), rules));
    }
    Items { exempt, modules }
}

/// When a module's statements count.
fn holds<'h>(module: &'h Module, event: &Event, tests: &mut Tests<'h>) -> Formula {
    match &module.scope {
        None => Formula::Const(true),
        Some(scope) if event.inherited.contains(&scope.name.node) => Formula::Const(true),
        Some(scope) => {
            let when = tests.formula(&scope.when, event);
            let until = scope.until.as_ref();
            let until = until.map(|until| tests.formula(until, event).not());
            Formula::and([when].into_iter().chain(until))
        }
    }
}

/// What is left to decide.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Items {
    exempt: Formula,
    /// When each module counts, and its rules.
    modules: Vec<(Formula, Vec<Formula>)>,
}

impl Items {
    /// What is left once some tests are decided; without what does not count.
    fn decide(&self, decided: &dyn Fn(TestId) -> Option<bool>) -> Self {
        let exempt = self.exempt.decide(decided);
        let mut modules = Vec::new();
        if exempt != Formula::Const(true) {
            for (holds, rules) in &self.modules {
                let holds = holds.decide(decided);
                let rules = if holds == Formula::Const(false) {
                    Vec::new()
                } else {
                    rules.iter().map(|rule| rule.decide(decided)).collect()
                };
                modules.push((holds, rules));
            }
        }
        Self { exempt, modules }
    }

    fn formulas(&self) -> impl Iterator<Item = &Formula> {
        let modules = self.modules.iter();
        let modules = modules.flat_map(|(holds, rules)| [holds].into_iter().chain(rules));
        [&self.exempt].into_iter().chain(modules)
    }
}

struct Field {
    id: FieldId,
    tests: Vec<TestId>,
    classes: Vec<Class>,
}

impl Field {
    /// What a value of a class says to a test.
    fn says(&self, class: usize, test: TestId) -> Option<bool> {
        let at = self.tests.iter().position(|known| *known == test)?;
        self.classes.get(class)?.truths.get(at).copied()
    }
}

struct TooMany;

/// Where a part of the diagram leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum To {
    End(bool),
    Node(usize),
}

struct Search<'a, 'h> {
    policy: &'h Hir,
    event: &'a Event,
    met: &'a dyn Fn(&Answer) -> bool,
    tests: &'a Tests<'h>,
    fields: &'a [Field],
    /// By field, the class that is being tried.
    chosen: Vec<Option<usize>>,
    /// A field, and by its classes what follows.
    nodes: Vec<(usize, Vec<To>)>,
    ids: HashMap<(usize, Vec<To>), usize>,
    known: HashMap<(usize, Items), To>,
    work: usize,
}

impl Search<'_, '_> {
    /// The diagram of what is left, from a field on.
    fn explore(&mut self, from: usize, items: Items) -> Result<To, TooMany> {
        let size: usize = items.formulas().map(Formula::size).sum();
        self.work = self.work.saturating_add(size);
        if self.work > MAX_WORK {
            return Err(TooMany);
        }
        let fields = self.fields;
        let asked = (from..)
            .zip(fields.get(from..).unwrap_or_default())
            .find(|(_, field)| {
                items
                    .formulas()
                    .any(|formula| formula.mentions(&|test| field.tests.contains(&test)))
            });
        let Some((index, field)) = asked else {
            return Ok(To::End((self.met)(&self.answer(&self.chosen))));
        };
        let key = (index, items);
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let mut follow = Vec::with_capacity(field.classes.len());
        for class in 0..field.classes.len() {
            self.choose(index, Some(class));
            let left = key.1.decide(&|test| field.says(class, test));
            follow.push(self.explore(index.saturating_add(1), left)?);
        }
        self.choose(index, None);
        let first = follow.first().copied();
        let to = match first {
            Some(first) if follow.iter().all(|to| *to == first) => first,
            _ => {
                let fresh = self.nodes.len();
                let id = *self.ids.entry((index, follow.clone())).or_insert(fresh);
                if id == fresh {
                    self.nodes.push((index, follow));
                }
                To::Node(id)
            }
        };
        self.known.insert(key, to);
        Ok(to)
    }

    fn choose(&mut self, field: usize, class: Option<usize>) {
        if let Some(chosen) = self.chosen.get_mut(field) {
            *chosen = class;
        }
    }

    /// The answer, where the open fields are of these classes.
    fn answer(&self, chosen: &[Option<usize>]) -> Answer {
        let oracle = Chosen {
            search: self,
            chosen,
        };
        reference::answer(self.policy, self.event, &oracle)
    }

    fn conclude(&self, root: To) -> Fate {
        let To::Node(_) = root else {
            let chosen: Vec<Option<usize>> = self.fields.iter().map(|_| Some(0)).collect();
            let mut event = self.event.clone();
            for field in self.fields {
                if let Some(class) = field.classes.first() {
                    event.values.insert(field.id, class.value.clone());
                }
            }
            return Fate::Settled {
                met: root == To::End(true),
                event,
                answer: self.answer(&chosen),
            };
        };
        let mut swings = Vec::new();
        for (index, field) in self.fields.iter().enumerate() {
            let mut path = vec![None; self.fields.len()];
            let mut seen = HashSet::new();
            if let Some((node, follow)) = self.find(root, index, &mut path, &mut seen) {
                swings.extend(self.swing(field, node, follow, path));
            }
        }
        swings.sort_by_key(|swing| swing.field);
        Fate::Depends(swings)
    }

    /// A node that asks the field, and the classes on the way to it.
    fn find(
        &self,
        at: To,
        field: usize,
        path: &mut Vec<Option<usize>>,
        seen: &mut HashSet<usize>,
    ) -> Option<(usize, &[To])> {
        let To::Node(id) = at else { return None };
        if !seen.insert(id) {
            return None;
        }
        let (asks, follow) = self.nodes.get(id)?;
        if *asks == field {
            return Some((field, follow));
        }
        if *asks > field {
            return None;
        }
        for (class, to) in follow.iter().enumerate() {
            if let Some(slot) = path.get_mut(*asks) {
                *slot = Some(class);
            }
            if let Some(found) = self.find(*to, field, path, seen) {
                return Some(found);
            }
        }
        if let Some(slot) = path.get_mut(*asks) {
            *slot = None;
        }
        None
    }

    /// Two events that differ in the field of a node, with different ends.
    fn swing(
        &self,
        field: &Field,
        node: usize,
        follow: &[To],
        path: Vec<Option<usize>>,
    ) -> Option<Swing> {
        let first = *follow.first()?;
        let other = follow.iter().position(|to| *to != first)?;
        let mut chosen = path;
        let (a, b) = self.part(first, *follow.get(other)?, &mut chosen)?;
        let mut outcome = |class: usize| {
            if let Some(slot) = chosen.get_mut(node) {
                *slot = Some(class);
            }
            // Fields that are not on the way make no difference.
            let all: Vec<Option<usize>> = chosen.iter().map(|class| class.or(Some(0))).collect();
            Some(Outcome {
                value: field.classes.get(class)?.value.clone(),
                answer: self.answer(&all),
            })
        };
        let (x, y) = (outcome(0)?, outcome(other)?);
        let (met, missed) = if a && !b { (x, y) } else { (y, x) };
        Some(Swing {
            field: field.id,
            met,
            missed,
        })
    }

    /// Chooses classes so that two parts of the diagram, which differ, end
    /// differently; returns the ends.
    fn part(&self, a: To, b: To, chosen: &mut Vec<Option<usize>>) -> Option<(bool, bool)> {
        if let (To::End(a), To::End(b)) = (a, b) {
            return (a != b).then_some((a, b));
        }
        let asks = |to: To| match to {
            To::End(_) => None,
            To::Node(id) => self.nodes.get(id).map(|(field, _)| *field),
        };
        let field = asks(a).into_iter().chain(asks(b)).min()?;
        let on = |to: To, class: usize| match to {
            To::Node(id) if asks(to) == Some(field) => self
                .nodes
                .get(id)
                .and_then(|(_, follow)| follow.get(class).copied()),
            other => Some(other),
        };
        for class in 0..self.fields.get(field)?.classes.len() {
            let (a, b) = (on(a, class)?, on(b, class)?);
            // Reduced and ordered: parts that are not the same differ somewhere.
            if a != b {
                if let Some(slot) = chosen.get_mut(field) {
                    *slot = Some(class);
                }
                return self.part(a, b, chosen);
            }
        }
        None
    }
}

/// An event whose open fields are of certain classes.
struct Chosen<'a, 's, 'h> {
    search: &'a Search<'s, 'h>,
    chosen: &'a [Option<usize>],
}

impl Oracle for Chosen<'_, '_, '_> {
    fn hook(&self) -> HookId {
        self.search.event.hook
    }

    fn answer(&self, field: FieldId, test: &FieldTest) -> Truth {
        let given = self.search.event.answer(field, test);
        if given != Truth::Unknown {
            return given;
        }
        let says = || {
            let id = self.search.tests.find(field, test)?;
            let index = self
                .search
                .fields
                .iter()
                .position(|known| known.id == field)?;
            let class = (*self.chosen.get(index)?)?;
            self.search.fields.get(index)?.says(class, id)
        };
        match says() {
            Some(true) => Truth::True,
            Some(false) => Truth::False,
            None => Truth::Unknown,
        }
    }
}
