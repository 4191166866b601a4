//! The drills that a bug is hunted with, in the order in which they are tried: built-in scenarios that have to do with
//! it, then the others, then drills that nobody wrote down, then the first ones again with other seeds.

use std::sync::Arc;

use firedrill::drill::DrillResult;
use firedrill::finding::Finding;
use firedrill::runbooks::LoadedRunbook;
use firedrill::scenario::{BUILT_IN, Scenario};
use firedrill::search::{Coverage, Half, Judged, NoRelease, Space, judge};
use firedrill::verdict::Verdict;
use firedrill::worlds::{DrillPlan, Until, WorldKind};

use crate::bug::Bug;

/// How many drills are drawn for all bugs. Drawing costs next to nothing;
/// each bug is drilled with those that have to do with it first.
const DRAWN: u64 = 400;
/// With how many further seeds a scenario is tried that has to do with a bug.
const SEEDS: u64 = 4;

/// A drill.
#[derive(Clone)]
pub(crate) struct Case {
    /// What to perform.
    pub(crate) plan: DrillPlan,
    /// Of a drill that was drawn: what may come of it.
    half: Option<Half>,
}

impl Case {
    /// The worst finding of a drill that failed.
    pub(crate) fn failure(&self, result: &DrillResult) -> Option<Finding> {
        match self.half {
            None if result.verdicts.overall == Verdict::Fail => {
                result.problems().first().map(|it| (*it).clone())
            }
            None => None,
            Some(half) => match judge(half, &self.plan, result) {
                Judged::Failed(finding) => Some(finding),
                Judged::Sound | Judged::Silent(_) => None,
            },
        }
    }

    /// Whether a drill of the sound executor shows that it is one.
    pub(crate) fn passes(&self, result: &DrillResult) -> bool {
        match self.half {
            None => result.verdicts.overall == Verdict::Pass,
            Some(half) => judge(half, &self.plan, result) == Judged::Sound,
        }
    }

    /// The same with another scenario and seed.
    pub(crate) fn with(&self, scenario: &Arc<Scenario>, seed: u64) -> Self {
        Self {
            plan: DrillPlan {
                scenario: Arc::clone(scenario),
                seed,
                ..self.plan.clone()
            },
            half: self.half,
        }
    }

    /// Whether its scenario is one that somebody wrote down.
    pub(crate) fn is_built_in(&self) -> bool {
        self.half.is_none()
    }

    /// How many of the bug's words it mentions.
    fn stresses(&self, bug: &Bug) -> usize {
        let text = &self.plan.scenario.text;
        let words = bug.stresses.iter();
        words.filter(|word| text.contains(word.as_str())).count()
    }
}

/// All drills that there are.
pub(crate) struct Cases {
    built_in: Vec<Case>,
    drawn: Vec<Case>,
}

impl Cases {
    /// Those of the built-in runbook that begin with `seed`.
    ///
    /// # Errors
    /// There is nothing to draw from.
    pub(crate) fn new(runbook: &LoadedRunbook, seed: u64) -> Result<Self, NoRelease> {
        let triggers = runbook.triggers();
        let scenarios = BUILT_IN
            .iter()
            .filter_map(|it| Scenario::parse(it.file, it.text, &triggers).ok())
            .filter(|scenario| scenario.lacking_in(WorldKind::Sim).is_none());
        let built_in = scenarios.map(|scenario| Case {
            plan: DrillPlan {
                world: WorldKind::Sim,
                scenario: Arc::new(scenario),
                runbook: runbook.clone(),
                seed,
                until: Until::Held,
                executor: None,
            },
            half: None,
        });
        let built_in = built_in.collect();
        let space = Space::new(runbook);
        let coverage = Coverage::default();
        let drawn = (0..DRAWN).map(|number| {
            let drawn = space.draw(seed, number, &coverage)?;
            Ok(Case {
                plan: drawn.plan,
                half: Some(drawn.half),
            })
        });
        Ok(Self {
            built_in,
            drawn: drawn.collect::<Result<_, _>>()?,
        })
    }

    /// The drills for `bug`, in their order.
    pub(crate) fn order(&self, bug: &Bug) -> Vec<Case> {
        // The sort keeps the order of equals, which is that of the catalogue and of the draws.
        let sorted = |of: &[Case]| {
            let mut cases: Vec<Case> = of.to_vec();
            cases.sort_by_key(|case| std::cmp::Reverse(case.stresses(bug)));
            cases
        };
        let (built_in, drawn) = (sorted(&self.built_in), sorted(&self.drawn));
        let has_to_do = |case: &&Case| case.stresses(bug) > 0;
        let again = (1..=SEEDS).flat_map(|more| {
            built_in.iter().filter(has_to_do).map(move |case| {
                let seed = case.plan.seed.wrapping_add(more);
                case.with(&case.plan.scenario, seed)
            })
        });
        // An eighth of the drawn ones before the seeds, the others after them.
        let (first, later) = drawn.split_at(drawn.len() / 8);
        let again: Vec<Case> = again.collect();
        built_in
            .iter()
            .chain(first)
            .chain(&again)
            .chain(later)
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bugs::canary;

    #[test]
    fn what_has_to_do_with_a_bug_comes_first_and_nothing_is_left_out() {
        let runbook = LoadedRunbook::built_in().expect("it loads");
        let cases = Cases::new(&runbook, 0).expect("drawn");
        let mut bug = canary();
        bug.stresses = vec!["api-cut".to_owned(), "33%".to_owned()];
        let order = cases.order(&bug);
        assert_eq!(order[0].plan.scenario.name, "api-cut");
        let built_in = order.iter().take_while(|case| case.is_built_in());
        assert_eq!(built_in.count(), cases.built_in.len());
        let again = order
            .iter()
            .filter(|case| case.is_built_in() && case.plan.seed > 0);
        assert!(again.count() >= 4);
        let drawn = order.iter().filter(|case| !case.is_built_in()).count();
        assert_eq!(drawn as u64, DRAWN);
    }
}
