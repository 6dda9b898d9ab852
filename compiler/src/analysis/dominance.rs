//! Which rules change nothing, given all sets of rules that are true together.
//!
//! Owns the order of rules by strength, and the search for rules that others of
//! their module leave nothing to decide: wherever such a rule is true, another one
//! is that is at least as strict, returns no larger errno, and records if it does.
//! So verdict, errno and record stay as they are without it, and without all that
//! are found together. It must not know conditions.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::intern::Lists;
use crate::ir::{EffectIr, RuleId};

/// Rules compared for one search.
const MAX_WORK: usize = 50_000_000;

/// What tells rules apart here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strength {
    /// What the rule does.
    pub(crate) effect: EffectIr,
    /// It leaves no record.
    pub(crate) quiet: bool,
}

/// The sets of rules of one hook.
#[derive(Debug, Default)]
pub(crate) struct HookSets {
    /// Rules of one module that are true together, each set once.
    sets: Lists,
}

impl HookSets {
    /// The sets, of numbers of rules.
    pub(crate) fn new(sets: Lists) -> Self {
        Self { sets }
    }

    /// Every rule that is true somewhere; some more than once.
    pub(crate) fn rules(&self) -> impl Iterator<Item = RuleId> {
        self.sets.iter().flatten().copied().map(RuleId)
    }

    fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.sets.iter()
    }
}

/// Something about each rule, by its number.
#[derive(Debug)]
pub(crate) struct ByRule<T> {
    list: Vec<T>,
}

impl<T> Default for ByRule<T> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

impl<T: Clone + Default> ByRule<T> {
    /// What is known of a rule.
    pub(crate) fn get(&self, rule: RuleId) -> Option<&T> {
        self.list.get(rule.0 as usize)
    }

    /// To change what is known of it.
    pub(crate) fn entry(&mut self, rule: RuleId) -> Option<&mut T> {
        let index = rule.0 as usize;
        if self.list.len() <= index {
            self.list.resize(index.saturating_add(1), T::default());
        }
        self.list.get_mut(index)
    }

    fn set(&mut self, rule: RuleId, value: T) {
        if let Some(slot) = self.entry(rule) {
            *slot = value;
        }
    }
}

impl ByRule<bool> {
    /// Whether the rule is marked.
    pub(crate) fn has(&self, rule: RuleId) -> bool {
        self.get(rule) == Some(&true)
    }
}

impl FromIterator<RuleId> for ByRule<bool> {
    fn from_iter<I: IntoIterator<Item = RuleId>>(rules: I) -> Self {
        rules.into_iter().map(|rule| (rule, true)).collect()
    }
}

impl<T: Clone + Default> FromIterator<(RuleId, T)> for ByRule<T> {
    fn from_iter<I: IntoIterator<Item = (RuleId, T)>>(rules: I) -> Self {
        let mut by_rule = Self::default();
        for (rule, value) in rules {
            by_rule.set(rule, value);
        }
        by_rule
    }
}

/// What is found out about a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cover {
    /// One rule that is enough by itself, if there is one.
    pub(crate) single: Option<RuleId>,
    /// Else several that are enough together.
    pub(crate) several: BTreeSet<RuleId>,
}

impl Cover {
    /// The rules, whether one or several.
    pub(crate) fn rules(&self) -> BTreeSet<RuleId> {
        match self.single {
            Some(rule) => BTreeSet::from([rule]),
            None => self.several.clone(),
        }
    }
}

/// All hooks, and the rules' strengths.
pub(crate) struct Dominance<'a> {
    pub(crate) hooks: &'a [HookSets],
    pub(crate) strengths: &'a ByRule<Option<Strength>>,
    /// Whether an `audit` says all that another says.
    pub(crate) says_as_much: &'a dyn Fn(RuleId, RuleId) -> bool,
}

impl Strength {
    /// Denies or kills: whether it kills, and its errno, the stricter the larger.
    fn strictness(self) -> Option<(bool, Reverse<u16>)> {
        match self.effect {
            EffectIr::Kill => Some((true, Reverse(1))),
            EffectIr::Deny(errno) => Some((false, Reverse(errno))),
            EffectIr::Allow | EffectIr::Audit => None,
        }
    }
}

impl Dominance<'_> {
    fn strength(&self, rule: RuleId) -> Option<Strength> {
        self.strengths.get(rule).copied().flatten()
    }

    /// Whether a rule leaves another nothing to do where both are true.
    fn dominates(&self, one: RuleId, other: RuleId) -> bool {
        let (Some(a), Some(b)) = (self.strength(one), self.strength(other)) else {
            return false;
        };
        match (a.strictness(), b.strictness()) {
            (Some((kills, Reverse(errno))), Some((other_kills, Reverse(other_errno)))) => {
                (kills || !other_kills) && errno <= other_errno && (!a.quiet || b.quiet)
            }
            (None, None) if a.effect == b.effect => {
                a.effect == EffectIr::Allow || (self.says_as_much)(one, other)
            }
            _ => false,
        }
    }

    /// The rules that are true somewhere.
    pub(crate) fn live(&self) -> ByRule<bool> {
        self.hooks.iter().flat_map(HookSets::rules).collect()
    }

    /// Rules that others make redundant, with those others. All of them may be
    /// removed together. `None`: too much work.
    pub(crate) fn redundant(&self) -> Option<BTreeMap<RuleId, Cover>> {
        let mut work = 0;
        let mut needed: ByRule<bool> = ByRule::default();
        let mut covers: BTreeMap<RuleId, Candidates> = BTreeMap::new();
        for hook in self.hooks {
            // A rule that is true wherever another is comes first.
            let mut counts: ByRule<u32> = ByRule::default();
            for rule in hook.rules() {
                if let Some(count) = counts.entry(rule) {
                    *count += 1;
                }
            }
            let rank = |rule: RuleId| (counts.get(rule).copied(), Reverse(rule));
            for set in hook.iter() {
                if let [rule] = set {
                    // Nothing is above it.
                    needed.set(RuleId(*rule), true);
                    work += 2;
                    continue;
                }
                for group in self.groups(set) {
                    work += group.len();
                    for rule in &group {
                        let others = self.above(&group, *rule, &mut work, |other| {
                            !self.dominates(*rule, other) || rank(other) > rank(*rule)
                        });
                        if others.is_empty() {
                            needed.set(*rule, true);
                        } else if !needed.has(*rule) {
                            covers.entry(*rule).or_default().add(&others);
                        }
                    }
                    if work > MAX_WORK {
                        return None;
                    }
                }
            }
        }
        let mut found: BTreeMap<RuleId, Cover> = covers
            .into_iter()
            .filter(|(rule, _)| !needed.has(*rule))
            .map(|(rule, candidates)| (rule, candidates.cover()))
            .collect();
        self.by_several(&mut found, work)?;
        Some(found)
    }

    /// Rules that rules of their own strength leave nothing to do, in whichever
    /// order: the later ones go first.
    fn by_several(&self, found: &mut BTreeMap<RuleId, Cover>, mut work: usize) -> Option<()> {
        let mut places: BTreeMap<RuleId, Vec<(usize, u32)>> = BTreeMap::new();
        let mut alone: ByRule<bool> = ByRule::default();
        for (hook, sets) in self.hooks.iter().enumerate() {
            for (index, set) in (0..).zip(sets.iter()) {
                for rule in set.iter().copied().map(RuleId) {
                    if set.len() == 1 {
                        alone.set(rule, true);
                    } else if !found.contains_key(&rule) {
                        places.entry(rule).or_default().push((hook, index));
                    }
                }
            }
        }
        for (rule, places) in places.into_iter().rev() {
            if alone.has(rule) {
                continue;
            }
            let mut candidates = Candidates::default();
            let mut covered = true;
            for (hook, index) in places {
                let set = self.hooks.get(hook).map(|hook| hook.sets.get(index));
                let set: Vec<RuleId> = set.into_iter().flatten().copied().map(RuleId).collect();
                let others = self.above(&set, rule, &mut work, |other| !found.contains_key(&other));
                if work > MAX_WORK {
                    return None;
                }
                if others.is_empty() {
                    covered = false;
                    break;
                }
                candidates.add(&others);
            }
            if covered {
                found.insert(rule, candidates.cover());
            }
        }
        Some(())
    }

    /// `allow`s that are true only where a `deny` or `kill` of their module is.
    pub(crate) fn overruled(&self) -> BTreeMap<RuleId, Cover> {
        let mut effective = BTreeSet::new();
        let mut covers: BTreeMap<RuleId, Candidates> = BTreeMap::new();
        let is_allow = |rule: &RuleId| {
            let strength = self.strength(*rule);
            strength.is_some_and(|strength| strength.effect == EffectIr::Allow)
        };
        let restricts = |rule: &RuleId| {
            let strength = self.strength(*rule);
            strength.is_some_and(|strength| strength.strictness().is_some())
        };
        for set in self.hooks.iter().flat_map(HookSets::iter) {
            let rules = || set.iter().copied().map(RuleId);
            if !rules().any(|rule| is_allow(&rule)) {
                continue;
            }
            let denials: Vec<RuleId> = rules().filter(restricts).collect();
            for rule in rules().filter(is_allow) {
                if denials.is_empty() {
                    effective.insert(rule);
                } else if !effective.contains(&rule) {
                    covers.entry(rule).or_default().add(&denials);
                }
            }
        }
        covers
            .into_iter()
            .filter(|(rule, _)| !effective.contains(rule))
            .map(|(rule, candidates)| (rule, candidates.cover()))
            .collect()
    }

    /// A set by what its rules can do to each other.
    fn groups(&self, set: &[u32]) -> Vec<Vec<RuleId>> {
        let mut groups: BTreeMap<u8, Vec<RuleId>> = BTreeMap::new();
        for rule in set.iter().copied().map(RuleId) {
            let kind = match self.strength(rule).map(|strength| strength.effect) {
                Some(EffectIr::Deny(_) | EffectIr::Kill) => 0,
                Some(EffectIr::Allow) => 1,
                Some(EffectIr::Audit) => 2,
                None => continue,
            };
            groups.entry(kind).or_default().push(rule);
        }
        groups.into_values().collect()
    }

    /// The first few of a set's rules that dominate one of it and pass `also`.
    fn above(
        &self,
        set: &[RuleId],
        rule: RuleId,
        work: &mut usize,
        also: impl Fn(RuleId) -> bool,
    ) -> Vec<RuleId> {
        let mut found = Vec::new();
        for other in set {
            *work += 1;
            if *other != rule && self.dominates(*other, rule) && also(*other) {
                found.push(*other);
                if found.len() >= MAX_NAMED {
                    break;
                }
            }
        }
        found
    }
}

/// Most rules of one set that are remembered as covers of one rule.
const MAX_NAMED: usize = 16;

/// Rules that may cover one, while its sets are gone through.
#[derive(Debug, Default)]
struct Candidates {
    /// Those that did everywhere so far.
    everywhere: Option<BTreeSet<RuleId>>,
    /// One for each set.
    firsts: BTreeSet<RuleId>,
}

impl Candidates {
    fn add(&mut self, others: &[RuleId]) {
        match &mut self.everywhere {
            Some(everywhere) => everywhere.retain(|rule| others.contains(rule)),
            None => self.everywhere = Some(others.iter().copied().collect()),
        }
        if !others.iter().any(|rule| self.firsts.contains(rule)) {
            self.firsts.extend(others.first());
        }
    }

    fn cover(self) -> Cover {
        let single = self.everywhere.and_then(|rules| rules.first().copied());
        Cover {
            single,
            several: self.firsts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: EffectIr = EffectIr::Deny(1);

    fn redundant(rules: &[(EffectIr, bool)], sets: &[&[u32]]) -> Vec<(u32, Vec<u32>)> {
        let strengths = (0..)
            .zip(rules)
            .map(|(id, (effect, quiet))| {
                let (effect, quiet) = (*effect, *quiet);
                (RuleId(id), Some(Strength { effect, quiet }))
            })
            .collect();
        let mut lists = Lists::default();
        for set in sets {
            lists.push(set);
        }
        let dominance = Dominance {
            hooks: &[HookSets::new(lists)],
            strengths: &strengths,
            says_as_much: &|_, _| true,
        };
        let found = dominance.redundant().unwrap();
        found
            .into_iter()
            .map(|(rule, cover)| (rule.0, cover.rules().iter().map(|rule| rule.0).collect()))
            .collect()
    }

    #[test]
    fn the_narrower_rule_goes() {
        let both = [(DENY, false), (DENY, false)];
        assert_eq!(redundant(&both, &[&[0], &[0, 1]]), [(1, vec![0])]);
        assert_eq!(redundant(&both, &[&[1], &[0, 1]]), [(0, vec![1])]);
        // Of two that say the same, the later.
        assert_eq!(redundant(&both, &[&[0, 1]]), [(1, vec![0])]);
        assert_eq!(redundant(&both, &[&[0], &[1], &[0, 1]]), []);
    }

    #[test]
    fn strictness_errno_and_records_count() {
        let kill = (EffectIr::Kill, false);
        let deny = (DENY, false);
        let quiet = (DENY, true);
        let access = (EffectIr::Deny(13), false);
        assert_eq!(redundant(&[deny, kill], &[&[1], &[0, 1]]), [(0, vec![1])]);
        assert_eq!(redundant(&[deny, kill], &[&[0], &[0, 1]]), []);
        assert_eq!(redundant(&[quiet, deny], &[&[1], &[0, 1]]), [(0, vec![1])]);
        assert_eq!(redundant(&[quiet, deny], &[&[0], &[0, 1]]), []);
        assert_eq!(redundant(&[access, deny], &[&[1], &[0, 1]]), [(0, vec![1])]);
        assert_eq!(redundant(&[access, deny], &[&[0], &[0, 1]]), []);
        let allow = (EffectIr::Allow, false);
        let audit = (EffectIr::Audit, false);
        assert_eq!(redundant(&[deny, allow], &[&[0], &[0, 1]]), []);
        assert_eq!(redundant(&[allow, audit], &[&[0, 1]]), []);
        assert_eq!(redundant(&[audit, allow], &[&[0, 1]]), []);
        assert_eq!(redundant(&[allow; 2], &[&[0], &[0, 1]]), [(1, vec![0])]);
        assert_eq!(redundant(&[audit; 2], &[&[0], &[0, 1]]), [(1, vec![0])]);
    }

    #[test]
    fn the_rule_that_covers_most_stays() {
        let three = [(DENY, false); 3];
        assert_eq!(
            redundant(&three, &[&[1, 2], &[0, 2]]),
            [(0, vec![2]), (1, vec![2])]
        );
        // One that covers everywhere is named before several.
        let kill = (EffectIr::Kill, false);
        assert_eq!(
            redundant(
                &[kill, kill, kill, (DENY, false)],
                &[&[0, 1, 3], &[1, 2, 3]]
            ),
            [(0, vec![1]), (2, vec![1]), (3, vec![1])]
        );
    }

    #[test]
    fn several_together() {
        let three = [(DENY, false); 3];
        // 0 and 2 leave nothing of 1.
        assert_eq!(
            redundant(&three, &[&[0], &[0, 1], &[1, 2], &[2]]),
            [(1, vec![0, 2])]
        );
        // Each is covered by the other two, and only one may go.
        let found = redundant(&three, &[&[0, 1], &[1, 2], &[0, 2]]);
        assert_eq!(found, [(2, vec![0, 1])]);
    }
}
