//! Every crash point of a drill: the executor dies at each of its requests, before and after it takes effect.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::drill::DrillResult;
use crate::scenario::{Crash, CrashSide, Scenario};
use crate::verdict::Verdict;
use crate::worlds::DrillPlan;

/// How long after the executor's death another host takes over.
const RESUME_AFTER: Duration = Duration::from_secs(1);

/// The drill of `plan` once for each of the `requests` that the executor makes from the trigger on, and each side of
/// it: there the executor is killed, and another host resumes.
pub fn all(plan: &DrillPlan, requests: u64) -> impl Iterator<Item = DrillPlan> {
    let sides = [CrashSide::Before, CrashSide::After];
    (1..=requests).flat_map(move |request| {
        sides.map(|side| {
            let crash = Crash {
                request,
                side,
                resume_after: RESUME_AFTER,
            };
            let killed = Scenario::clone(&plan.scenario).with(|s| s.crash = Some(crash));
            DrillPlan {
                scenario: Arc::new(killed),
                ..plan.clone()
            }
        })
    })
}

/// Names of the scenarios whose `results` all pass without a request that the executor makes from the trigger on:
/// nothing is rolled back there, and there is nothing to kill it at.
#[must_use]
pub fn untried(results: &[DrillResult]) -> BTreeSet<&str> {
    let speaks = |it: &&DrillResult| {
        // One that does not pass says for itself what is wrong with it.
        it.executor_requests > 0 || it.verdicts.overall != Verdict::Pass
    };
    let speaking = results.iter().filter(speaks);
    let speaking: BTreeSet<&str> = speaking.map(|it| it.scenario.as_str()).collect();
    let names = results.iter().map(|it| it.scenario.as_str());
    names.filter(|name| !speaking.contains(name)).collect()
}
