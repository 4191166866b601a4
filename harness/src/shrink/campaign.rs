//! The smallest cases of a campaign's failures: of each scenario and oracle, the first drill that failed is cut down.
//!
//! There is no other runbook that would have to pass, so two things keep a cut from ending at some other failure:
//! the class of what was found stays the same (the oracle, what it found, and the step or service that it is about),
//! and a fault stays in if the scenario expects what it expects because of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::cut_down;
use crate::drill::{self, DrillResult, Smallest};
use crate::finding::Finding;
use crate::runner;
use crate::scenario::{Expected, Fault, FaultKind, Scenario};
use crate::verdict::Verdict;
use crate::worlds::{DrillPlan, WorldError, WorldKind};

/// Drills that one failure may cost.
const EACH: u32 = 40;
/// Drills that all failures of a campaign may cost, shared out evenly. Each gets one at least.
const ALL: u32 = 400;

/// What a drill failed by; `None`: it did not fail.
fn failure(result: &DrillResult) -> Option<Finding> {
    if result.verdicts.overall != Verdict::Fail {
        return None;
    }
    result.problems().first().map(|&finding| finding.clone())
}

/// The faults that `scenario` expects what it expects because of. Without them another end would be the right one.
fn needed(scenario: &Scenario) -> Vec<&Fault> {
    let expect = &scenario.expect;
    let usual = expect.outcome == Expected::Recovered && expect.trigger.is_some();
    let decides_path = |kind: FaultKind| kind.spec().undo_scripts.is_some();
    let faults = scenario.faults.iter();
    faults
        .filter(|fault| !usual || decides_path(fault.kind))
        .collect()
}

/// The indexes of the drills that would be cut down: the first of each scenario and oracle that failed,
/// in the simulation.
#[must_use]
pub fn cases(results: &[DrillResult]) -> Vec<usize> {
    let mut first = BTreeMap::new();
    for (index, result) in results.iter().enumerate() {
        if result.world == WorldKind::Sim
            && let Some(found) = failure(result)
        {
            let key = (result.scenario.as_str(), found.oracle());
            first.entry(key).or_insert(index);
        }
    }
    let mut cases: Vec<usize> = first.into_values().collect();
    cases.sort_unstable();
    cases
}

/// Drills that one of `cases` failures may cost.
#[must_use]
pub fn budget(cases: usize) -> u32 {
    let cases = u32::try_from(cases).unwrap_or(u32::MAX).max(1);
    (ALL / cases).clamp(1, EACH)
}

/// Cuts down the drills at [`cases`] of `results`, which are those of `plans` in the same order, on `jobs` threads, and
/// notes what is left as their [`Smallest`]. `finished` is called after each drill. Once `stop` is set,
/// what has been found so far is noted.
///
/// # Errors
/// The first [`WorldError`], in the order of the drills.
pub fn cut(
    plans: &[DrillPlan],
    results: &mut [DrillResult],
    jobs: usize,
    stop: &AtomicBool,
    finished: &(dyn Fn() + Sync),
) -> Result<(), WorldError> {
    let cases = cases(results);
    let budget = budget(cases.len());
    let stopped = || stop.load(Ordering::Relaxed);
    let cut = runner::each(cases.len(), jobs, &stopped, &|case| {
        let index = cases[case];
        smallest(&plans[index], &results[index], budget, stop, finished)
    });
    for (case, smallest) in cut {
        results[cases[case]].smallest = smallest?;
    }
    Ok(())
}

/// What is left of the failing drill `result` of `plan` after at most `budget` drills; `None` if it did not fail.
fn smallest(
    plan: &DrillPlan,
    result: &DrillResult,
    budget: u32,
    stop: &AtomicBool,
    finished: &(dyn Fn() + Sync),
) -> Result<Option<Smallest>, WorldError> {
    let Some(found) = failure(result) else {
        return Ok(None);
    };
    let class = found.class();
    let shown = (plan.seed, found, result.replay.clone());
    let wanted = needed(&plan.scenario);
    let attempt = |scenario: &Arc<Scenario>, seed| {
        if stop.load(Ordering::Relaxed) || needed(scenario) != wanted {
            return Ok(None);
        }
        let smaller = DrillPlan {
            scenario: Arc::clone(scenario),
            seed,
            ..plan.clone()
        };
        let result = match drill::run(&smaller) {
            // What was found so far is the smallest.
            Err(WorldError::Interrupted) => return Ok(None),
            result => result?,
        };
        finished();
        let same = failure(&result).filter(|found| found.class() == class);
        Ok(same.map(|found| (seed, found, result.replay)))
    };
    let cut = cut_down(&plan.scenario, plan.seed, shown, budget, attempt)?;
    let (seed, found, replay) = cut.shown;
    let left = if cut.cut.is_empty() {
        "nothing could be left out".to_owned()
    } else {
        format!("cut down to {}", cut.cut.join(", "))
    };
    let tried = match cut.tried {
        1 => "1 case tried".to_owned(),
        n if n >= budget => format!("{n} cases tried, as many as it may cost"),
        n => format!("{n} cases tried"),
    };
    Ok(Some(Smallest {
        what: format!(
            "{} with seed {seed}, {left} ({tried}); {}: {found}",
            cut.scenario.name,
            found.oracle()
        ),
        replay,
    }))
}

#[cfg(test)]
mod tests {
    use super::{ALL, EACH, budget, needed};
    use crate::finding::{Ended, Finding, OutcomeFinding};
    use crate::scenario::built_in;

    #[test]
    fn numbers_and_generated_names_do_not_tell_failures_apart() {
        let class = |at_step: &str, why: &str| {
            let end = Ended::Paged { why: why.into() };
            let at_step = Some(at_step.into());
            let finding: Finding = OutcomeFinding {
                steps: why.len() as u64,
                at_step,
                end,
            }
            .into();
            finding.class()
        };
        let (one, other) = ("failed after 3 s", "pod gateway-7d9f-x2 answers 0.02%");
        assert_eq!(class("error-rate", one), class("error-rate", other));
        assert_ne!(class("error-rate", one), class("error-logs", one));
    }

    #[test]
    fn a_fault_that_the_expectation_rests_on_is_kept() {
        let count = |name: &str| {
            let scenario = built_in(name, &[]).expect(name).expect(name);
            (needed(&scenario).len(), scenario.faults.len())
        };
        assert_eq!(count("unreachable"), (0, 2));
        assert_eq!(count("undo-script-missing"), (1, 1), "it decides the path");
        assert_eq!(count("image-gone"), (1, 1), "a person must be called");
    }

    #[test]
    fn many_failures_share_what_all_may_cost() {
        assert_eq!((budget(0), budget(1), budget(10)), (EACH, EACH, EACH));
        assert_eq!(budget(20), ALL / 20);
        assert_eq!(budget(100_000), 1);
    }
}
